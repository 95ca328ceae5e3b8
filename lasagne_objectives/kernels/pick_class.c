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

/* What is added to a class of each row: `check` checks its indices, `read`
 * reads one. Several end with one that is NULL. */
struct lo_addend {
    PyArrayObject *indices, *values;
    int (*check)(PyArrayObject *matrix, PyArrayObject *indices);
    npy_int64 (*read)(PyArrayObject *indices, npy_intp row);
};

template <typename element>
struct lo_place_rows {
    typedef element real;
    const lo_addend *addends;
    npy_intp classes;
    real *result;

    void few(npy_intp row, int rows) const
    {
        memset(result + row * classes, 0, rows * classes * sizeof(real));
        for (int i = 0; i < rows; i++)
            add(row + i);
    }

    void many(npy_intp row, real *) const
    {
        memset(result + row * classes, 0, classes * sizeof(real));
        add(row);
    }

    void add(npy_intp row) const
    {
        for (const lo_addend *one = addends; one->read != NULL; one++) {
            const npy_int64 j = one->read(one->indices, row);
            if (j >= 0 && j < classes)
                result[row * classes + j] += lo_value<real>(one->values, row);
        }
    }
};

template <typename real>
static int place_classes(PyArrayObject *like, const lo_addend *addends,
                         PyArrayObject **result)
{
    const npy_intp *shape = PyArray_DIMS(like);
    for (const lo_addend *one = addends; one->read != NULL; one++)
        if (one->check(like, one->indices) ||
            lo_check_length(like, one->values))
            return -1;
    if (lo_prepare(result, 2, shape, lo_type<real>::number))
        return -1;
    const lo_place_rows<real> work = {addends, shape[1],
                                      (real *)PyArray_DATA(*result)};
    return lo_sweep_rows(work, shape[0], shape[1]);
}
