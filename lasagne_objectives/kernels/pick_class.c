/* Read one class of every row; write some classes of every row. */

template <typename real>
LO_INLINE real *lo_element(PyArrayObject *matrix, npy_intp i, npy_intp j)
{
    return (real *)((char *)PyArray_DATA(matrix)
                    + i * PyArray_STRIDE(matrix, 0)
                    + j * PyArray_STRIDE(matrix, 1));
}

template <typename real, typename index>
static int pick_class(PyArrayObject *values, PyArrayObject *indices,
                      bool strict, PyArrayObject **picked)
{
    const npy_intp rows = PyArray_DIM(values, 0);
    const npy_intp classes = PyArray_DIM(values, 1);
    if ((strict ? lo_check_classes<index>(values, indices)
                : lo_check_length(values, indices)) ||
        lo_prepare(picked, 1, &rows, lo_type<real>::number))
        return -1;
    real *result = (real *)PyArray_DATA(*picked);
    for (npy_intp i = 0; i < rows; i++) {
        const npy_int64 j = lo_class<index>(indices, i);
        result[i] = j >= 0 && j < classes ? *lo_element<real>(values, i, j)
                                          : 0;
    }
    return 0;
}

template <typename real>
static int place_zeros(PyArrayObject *like, PyArrayObject **result)
{
    const npy_intp *shape = PyArray_DIMS(like);
    if (lo_prepare(result, 2, shape, lo_type<real>::number))
        return -1;
    const npy_intp rows = shape[0], classes = shape[1];
    char *data = (char *)PyArray_DATA(*result);
    const int threads = lo_threads(rows * classes);

    NPY_BEGIN_ALLOW_THREADS
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (npy_intp i = 0; i < rows; i++)
        memset(data + i * classes * sizeof(real), 0, classes * sizeof(real));
    NPY_END_ALLOW_THREADS

    return 0;
}

template <typename real, typename index>
static int place_added(PyArrayObject *result, PyArrayObject *indices,
                       PyArrayObject *values)
{
    const npy_intp rows = PyArray_DIM(result, 0);
    const npy_intp classes = PyArray_DIM(result, 1);
    if (lo_check_length(result, indices) || lo_check_length(result, values))
        return -1;
    for (npy_intp i = 0; i < rows; i++) {
        const npy_int64 j = lo_class<index>(indices, i);
        if (j >= 0 && j < classes)
            *lo_element<real>(result, i, j) += *(const real *)(
                (const char *)PyArray_DATA(values)
                + i * PyArray_STRIDE(values, 0));
    }
    return 0;
}
