/* Rows of an array whose axes have been moved: reshaped to a matrix it would
 * be copied. */

/* An array in another shape: itself, a view, or if need be a copy. */
static PyArrayObject *lo_reshaped(PyArrayObject *array, int ndim,
                                  const npy_intp *shape)
{
    if (PyArray_NDIM(array) == ndim &&
        PyArray_CompareLists(PyArray_DIMS(array), shape, ndim)) {
        Py_INCREF(array);
        return array;
    }
    PyArray_Dims dims = {(npy_intp *)shape, ndim};
    return (PyArrayObject *)PyArray_Newshape(array, &dims, NPY_CORDER);
}

/* Whether the rows of an array, the first of the operands, are those of the
 * matrix that it is to become, and the others fit them. */
static bool lo_are_rows(int n, PyArrayObject **operands,
                        const npy_intp *matrix)
{
    PyArrayObject *array = operands[0];
    const npy_intp *shape = PyArray_DIMS(array);
    const int all = PyArray_NDIM(array);
    const npy_intp classes = shape[all - 1];
    if (classes == 0 || classes != matrix[1])
        return false;
    const npy_intp points = PyArray_SIZE(array) / classes;
    bool fit = matrix[0] == -1 || matrix[0] == points;
    for (int i = 1; i < n; i++) {
        const int ndim = PyArray_NDIM(operands[i]);
        const npy_intp *own = PyArray_DIMS(operands[i]);
        if (ndim > 2)
            fit = fit && PyArray_CompareLists(own, shape, all);
        else
            fit = fit && (ndim < 1 || own[0] == points)
                      && (ndim < 2 || own[1] == classes);
    }
    return fit;
}

/* Have the array and what belongs to its rows in the same shape: that of the
 * array if its rows are those that are asked for, else that of the matrix.
 * Scalars stay. Returns the class axis. The operands become new references,
 * NULL after an error. */
static int lo_arrange_rows(int n, PyArrayObject **operands,
                           PyArrayObject *shape)
{
    PyArrayObject *array = operands[0];
    const int last = PyArray_NDIM(array) - 1;
    const npy_intp matrix[] = {*(npy_int64 *)PyArray_GETPTR1(shape, 0),
                               *(npy_int64 *)PyArray_GETPTR1(shape, 1)};
    const bool own = lo_are_rows(n, operands, matrix);
    for (int i = 0; i < n; i++) {
        const int ndim = PyArray_NDIM(operands[i]);
        if (own && (ndim == 1 || ndim == 2))
            operands[i] = lo_reshaped(operands[i], last + ndim - 1,
                                      PyArray_DIMS(array));
        else if (!own && ndim > 2)
            operands[i] = lo_reshaped(operands[i], 2, matrix);
        else
            Py_INCREF(operands[i]);
    }
    return own ? last : 1;
}

/* Put a result into its place: a number for each row, or in the shape of the
 * array. */
static int lo_return_rows(PyArrayObject *result, int ndim,
                          PyArrayObject *array, PyArrayObject **place)
{
    const npy_intp points = PyArray_SIZE(result);
    Py_XDECREF(*place);
    *place = ndim == 1 ? lo_reshaped(result, 1, &points)
                       : lo_reshaped(result, ndim, PyArray_DIMS(array));
    return *place == NULL ? -1 : 0;
}
