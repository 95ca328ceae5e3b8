/* Rows that are kept, given another shape, and their gradient (kept_rows.py).
 */

/* The logits in another shape, if its last axis is theirs; if not, their log
 * softmax. */
template <typename real>
static PyArrayObject *lo_kept_rows(int ndim, PyArrayObject *logits,
                                   PyArrayObject *shape, bool *whole)
{
    const int axis = PyArray_NDIM(logits) - 1;
    npy_intp lengths[LO_AXES];
    if (lo_read_shape(shape, ndim, lengths))
        return NULL;
    PyArrayObject *rows = lo_in_shape(logits, ndim, lengths);
    if (rows == NULL)
        return NULL;
    *whole = PyArray_DIM(rows, ndim - 1) == PyArray_DIM(logits, axis);
    if (*whole)
        return rows;
    Py_DECREF(rows);
    PyArrayObject *log_p = NULL;
    if (keep_rows<real>(axis, logits, NULL, false, &log_p) == 0)
        rows = lo_in_shape(log_p, ndim, lengths);
    else
        rows = NULL;
    Py_XDECREF(log_p);
    return rows;
}

/* The gradient for the logits of one for what they were made. */
template <typename real>
static int lo_return_gradient(PyArrayObject *gradient, PyArrayObject *logits,
                              bool whole, PyArrayObject **result)
{
    const int ndim = PyArray_NDIM(logits);
    PyArrayObject *back = lo_in_shape(gradient, ndim, PyArray_DIMS(logits));
    const int failed = back == NULL || keep_rows<real>(ndim - 1, logits, back,
                                                       whole, result);
    Py_XDECREF(back);
    return failed ? -1 : 0;
}
