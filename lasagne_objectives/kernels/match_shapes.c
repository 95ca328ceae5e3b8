/* Pass targets through if they fit the predictions. */
static int match_shapes(int axis, PyArrayObject *targets,
                        PyArrayObject *predictions, PyArrayObject **result)
{
    const bool dense = PyArray_NDIM(targets) == PyArray_NDIM(predictions);
    if (lo_check_shape(predictions, targets, dense ? -1 : axis, "targets"))
        return -1;
    Py_XDECREF(*result);
    Py_INCREF(targets);
    *result = targets;
    return 0;
}
