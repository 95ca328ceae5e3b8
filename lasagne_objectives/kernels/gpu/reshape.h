/* What ../moved_rows.h asks of arrays on the GPU. */

static int lo_ndim(PyGpuArrayObject *array)
{
    return (int)PyGpuArray_NDIM(array);
}

static npy_intp lo_length(PyGpuArrayObject *array, int axis)
{
    return (npy_intp)PyGpuArray_DIM(array, axis);
}

/* An array in another shape, of which one length may be -1: a view, or if need
 * be a copy. */
static PyGpuArrayObject *lo_in_shape(PyGpuArrayObject *array, int ndim,
                                     npy_intp *shape)
{
    size_t lengths[LO_AXES], size = 1, known = 1;
    int unknown = -1;
    for (int axis = 0; axis < lo_ndim(array); axis++)
        size *= PyGpuArray_DIM(array, axis);
    for (int axis = 0; axis < ndim; axis++) {
        lengths[axis] = (size_t)shape[axis];
        if (shape[axis] < 0)
            unknown = axis;
        else
            known *= lengths[axis];
    }
    if (unknown >= 0) {
        lengths[unknown] = known > 0 ? size / known : 0;
        known *= lengths[unknown];
    }
    if (known != size) {
        PyErr_Format(PyExc_ValueError, "cannot reshape an array of %zu "
                     "elements into rows: these would be %zu", size, known);
        return NULL;
    }
    return pygpu_reshape(array, ndim, lengths, GA_C_ORDER, 0, -1);
}
