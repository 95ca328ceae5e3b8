/* The sum of a contiguous array, each number times its weight if these are
 * given. In one order, whatever threads there are: to add a number takes
 * little beside the exponentials of its classes. */
template <bool weighted, typename real>
static double lo_sum(PyArrayObject *numbers, const real *weight)
{
    const real *number = (const real *)PyArray_DATA(numbers);
    const npy_intp n = PyArray_SIZE(numbers);
    double sum = 0;
    for (npy_intp from = 0; from < n; from += LO_BLOCK) {
        const npy_intp to = lo_block_end(from, n);
        double part = 0;
        #pragma omp simd reduction(+:part)
        for (npy_intp i = from; i < to; i++)
            part += weighted ? (double)number[i] * weight[i] : number[i];
        sum += part;
    }
    return sum;
}

/* Return a number as Theano has them: an array without axes. */
template <typename real>
static int lo_return_number(double number, PyArrayObject **result)
{
    if (lo_prepare(result, 0, NULL, lo_type<real>::number))
        return -1;
    *(real *)PyArray_DATA(*result) = (real)number;
    return 0;
}

template <typename real>
static int lo_total(PyArrayObject *numbers, PyArrayObject **total)
{
    return lo_return_number<real>(lo_sum<false, real>(numbers, NULL), total);
}
