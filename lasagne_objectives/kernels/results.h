/* What kernels read and return, in NumPy's arrays, and the shapes that they
 * refuse. */

/* Make `*result` a contiguous array of a shape, or keep it if it is one. */
static int lo_prepare(PyArrayObject **result, int ndim, const npy_intp *shape,
                      int type)
{
    bool keep = *result != NULL && PyArray_IS_C_CONTIGUOUS(*result);
    for (int axis = 0; keep && axis < ndim; axis++)
        keep = PyArray_DIM(*result, axis) == shape[axis];
    if (keep)
        return 0;
    Py_XDECREF(*result);
    *result = (PyArrayObject *)PyArray_SimpleNew(ndim, (npy_intp *)shape,
                                                 type);
    return *result == NULL ? -1 : 0;
}

/* Let `*result` be an array that is there already. */
static inline int lo_pass_on(PyArrayObject *array, PyArrayObject **result)
{
    /* In this order: it may be the same. */
    Py_INCREF(array);
    Py_XDECREF(*result);
    *result = array;
    return 0;
}

/* z - m, where equal infinities differ by 0. */
template <typename real>
static inline __attribute__((always_inline)) real lo_shift(real z, real m)
{
    return z == m ? 0 : z - m;
}

/* What an Op says of its rows: in an array, or at hand already. */
static inline bool lo_is_true(PyArrayObject *array)
{
    return *(const npy_bool *)PyArray_DATA(array);
}

static inline bool lo_is_true(bool known) { return known; }

template <typename real> struct lo_type;
template <> struct lo_type<npy_float32> { enum { number = NPY_FLOAT32 }; };
template <> struct lo_type<npy_float64> { enum { number = NPY_FLOAT64 }; };

/* Refuse an array of another shape than that of `values`, which lacks the
 * axis `without` (none of them if that is -1). */
static int lo_check_shape(PyArrayObject *values, PyArrayObject *array,
                          int without, const char *what)
{
    const int ndim = PyArray_NDIM(values);
    npy_intp expected[LO_AXES];
    int n = 0;
    bool fits = PyArray_NDIM(array) == ndim - (without >= 0);
    for (int axis = 0; axis < ndim; axis++)
        if (axis != without) {
            expected[n] = PyArray_DIM(values, axis);
            fits = fits && PyArray_DIM(array, n) == expected[n];
            n++;
        }
    if (fits)
        return 0;
    return lo_refuse_shape(
        what,
        PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array)),
        PyArray_IntTupleFromIntp(ndim, PyArray_DIMS(values)),
        PyArray_IntTupleFromIntp(n, expected));
}

/* The strides of a new array of the shape and the order of axes of another,
 * without gaps. */
static void lo_strides_like(PyArrayObject *array, npy_intp *strides)
{
    const int ndim = PyArray_NDIM(array);
    int order[LO_AXES];
    lo_order(ndim, PyArray_STRIDES(array), order);
    npy_intp step = PyArray_ITEMSIZE(array);
    for (int place = ndim - 1; place >= 0; place--) {
        strides[order[place]] = step;
        step *= PyArray_DIM(array, order[place]);
    }
}

static bool lo_has_strides(PyArrayObject *array, const npy_intp *strides)
{
    for (int axis = 0; axis < PyArray_NDIM(array); axis++)
        if (PyArray_DIM(array, axis) > 1 &&
            PyArray_STRIDE(array, axis) != strides[axis])
            return false;
    return true;
}

/* Make `*result` an array in the layout of another, or keep it if it is one.
 * It is that other itself if it may take its place. */
static int lo_prepare_like(PyArrayObject **result, PyArrayObject *array,
                           bool inplace)
{
    const int ndim = PyArray_NDIM(array);
    npy_intp strides[LO_AXES];
    lo_strides_like(array, strides);
    if (inplace && lo_has_strides(array, strides))
        return lo_pass_on(array, result);
    if (*result != NULL && *result != array &&
        PyArray_CompareLists(PyArray_DIMS(*result), PyArray_DIMS(array),
                             ndim) &&
        lo_has_strides(*result, strides))
        return 0;
    Py_XDECREF(*result);
    *result = (PyArrayObject *)PyArray_New(
        &PyArray_Type, ndim, PyArray_DIMS(array), PyArray_TYPE(array),
        strides, NULL, 0, 0, NULL);
    return *result == NULL ? -1 : 0;
}

/* Make `*result` a contiguous array of one number for each data point. */
static int lo_prepare_points(PyArrayObject **result, PyArrayObject *values,
                             int axis, int type)
{
    npy_intp shape[LO_AXES];
    int n = 0;
    for (int other = 0; other < PyArray_NDIM(values); other++)
        if (other != axis)
            shape[n++] = PyArray_DIM(values, other);
    return lo_prepare(result, n, shape, type);
}
