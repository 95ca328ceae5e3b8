/* The sum of a contiguous array. In one order, whatever threads there are: to
 * add a number takes little beside the exponentials of its classes. */
template <typename real>
static int lo_total(PyArrayObject *numbers, PyArrayObject **total)
{
    const real *number = (const real *)PyArray_DATA(numbers);
    const npy_intp n = PyArray_SIZE(numbers);
    double sum = 0;
    for (npy_intp from = 0; from < n; from += LO_BLOCK) {
        const npy_intp to = lo_block_end(from, n);
        double part = 0;
        #pragma omp simd reduction(+:part)
        for (npy_intp i = from; i < to; i++)
            part += number[i];
        sum += part;
    }
    if (lo_prepare(total, 0, NULL, lo_type<real>::number))
        return -1;
    *(real *)PyArray_DATA(*total) = (real)sum;
    return 0;
}
