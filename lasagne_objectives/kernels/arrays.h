/* What is done with arrays of NumPy's and with those on a GPU alike. */

/* More axes than any array has. */
enum { LO_AXES = 64 };

/* The axes of an array from the largest step to the smallest, of equal steps
 * in their order. Few axes: inserted one by one. */
static void lo_order(int ndim, const npy_intp *steps, int *order)
{
    for (int axis = 0; axis < ndim; axis++) {
        int place = axis;
        while (place > 0 && llabs((long long)steps[order[place - 1]]) <
                            llabs((long long)steps[axis])) {
            order[place] = order[place - 1];
            place--;
        }
        order[place] = axis;
    }
}

/* Refuse an array for its shape. The shapes are tuples, or NULL after an error;
 * they are given away. Returns -1. */
static int lo_refuse_shape(const char *what, PyObject *got,
                           PyObject *predictions, PyObject *expected)
{
    if (got != NULL && predictions != NULL && expected != NULL)
        PyErr_Format(PyExc_ValueError,
                     "%s of shape %R do not fit predictions of shape %R: "
                     "expected %R", what, got, predictions, expected);
    Py_XDECREF(got);
    Py_XDECREF(predictions);
    Py_XDECREF(expected);
    return -1;
}

/* Read a shape that an array is to have. Theano knows of how many axes, but not
 * always that the vector it is given has so many numbers. */
static int lo_read_shape(PyArrayObject *shape, int ndim, npy_intp *lengths)
{
    if (PyArray_DIM(shape, 0) != ndim) {
        PyErr_Format(PyExc_ValueError,
                     "cannot reshape to a shape of %zd numbers: expected %d",
                     (Py_ssize_t)PyArray_DIM(shape, 0), ndim);
        return -1;
    }
    for (int axis = 0; axis < ndim; axis++)
        lengths[axis] = (npy_intp)*(npy_int64 *)PyArray_GETPTR1(shape, axis);
    return 0;
}
