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
    npy_intp lengths[LO_AXES];  /* NumPy writes into them. */
    memcpy(lengths, shape, ndim * sizeof *shape);
    PyArray_Dims dims = {lengths, ndim};
    return (PyArrayObject *)PyArray_Newshape(array, &dims, NPY_CORDER);
}

/* The shape of the matrix that an array is to become. */
static void lo_read_shape(PyArrayObject *shape, npy_intp *matrix)
{
    for (int axis = 0; axis < 2; axis++)
        matrix[axis] = (npy_intp)*(npy_int64 *)PyArray_GETPTR1(shape, axis);
}

/* Whether the rows of an array, the first of the operands, are those of the
 * matrix that it is to become, and the others fit them. */
static bool lo_are_rows(int n, PyArrayObject **operands,
                        PyArrayObject **shapes)
{
    PyArrayObject *array = operands[0];
    const int all = PyArray_NDIM(array);
    const npy_intp *own = PyArray_DIMS(array);
    const npy_intp classes = own[all - 1];
    if (PyArray_SIZE(array) == 0)
        return false;
    const npy_intp points = PyArray_SIZE(array) / classes;
    bool fit = true;
    for (int i = 0; i < n; i++) {
        const int ndim = PyArray_NDIM(operands[i]);
        const npy_intp *its = PyArray_DIMS(operands[i]);
        if (shapes[i] != NULL) {
            npy_intp matrix[2];
            lo_read_shape(shapes[i], matrix);
            const bool known = matrix[0] == points || matrix[1] == classes;
            fit = fit && known && PyArray_CompareLists(its, own, all)
                && (matrix[0] == points || matrix[0] == -1)
                && (matrix[1] == classes || matrix[1] == -1);
        } else
            fit = fit && (ndim < 1 || its[0] == points)
                      && (ndim < 2 || its[1] == classes);
    }
    return fit;
}

/* Have the array and what belongs to its rows in the same shape: that of the
 * array if its rows are those that are asked for, else that of the matrix. Of
 * operands that are to become a matrix there is its shape, else NULL. Returns
 * the class axis. The operands become new references, NULL after an error. */
static int lo_arrange_rows(int n, PyArrayObject **operands,
                           PyArrayObject **shapes)
{
    PyArrayObject *array = operands[0];
    const int last = PyArray_NDIM(array) - 1;
    const bool own = lo_are_rows(n, operands, shapes);
    for (int i = 0; i < n; i++) {
        const int ndim = PyArray_NDIM(operands[i]);
        npy_intp matrix[2];
        if (own && shapes[i] == NULL && ndim > 0)
            operands[i] = lo_reshaped(operands[i], last + ndim - 1,
                                      PyArray_DIMS(array));
        else if (!own && shapes[i] != NULL) {
            lo_read_shape(shapes[i], matrix);
            operands[i] = lo_reshaped(operands[i], 2, matrix);
        } else
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
