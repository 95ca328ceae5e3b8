/* Pass targets through if they fit the predictions. */
static int match_shapes(int axis, PyArrayObject *targets,
                        PyArrayObject *predictions, PyArrayObject **result)
{
    const bool dense = PyArray_NDIM(targets) == PyArray_NDIM(predictions);
    if (lo_check_shape(predictions, targets, dense ? -1 : axis, "targets"))
        return -1;
    return lo_pass_on(targets, result);
}
