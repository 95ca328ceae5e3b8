/* What moved_rows.h asks of NumPy's arrays; gpu/reshape.h has it of those on a
 * GPU. */

static int lo_ndim(PyArrayObject *array) { return PyArray_NDIM(array); }

static npy_intp lo_length(PyArrayObject *array, int axis)
{
    return PyArray_DIM(array, axis);
}

/* An array in another shape, of which one length may be -1: a view, or if need
 * be a copy. */
static PyArrayObject *lo_in_shape(PyArrayObject *array, int ndim,
                                  npy_intp *shape)
{
    PyArray_Dims dims = {shape, ndim};
    return (PyArrayObject *)PyArray_Newshape(array, &dims, NPY_CORDER);
}
