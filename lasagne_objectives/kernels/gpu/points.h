/* How the host shows arrays to a kernel of classes.
 *
 * The first array, the values, has a class axis at any place; the others have
 * its layout, or lack that axis. What is left without it are the axes of the
 * data points. A kernel knows two of these, an outer and an inner one, with
 * any steps: the points of most arrays can be seen so. Where they cannot, in
 * all arrays alike, the inputs are copied.
 */

typedef struct {
    int ndim, axis;         /* of the values: all axes, and that of classes */
    int split;              /* so many axes of the points are outer ones */
    size_t points, inside;  /* all points, and those of the inner axis */
    size_t classes;
    size_t blocks;          /* of threads */
    npy_uint32 lanes;       /* threads that look at a point together */
    npy_uint32 apart;       /* from one of them to the next */
} lo_layout;

/* The axis of an array that is axis number `k` of the points. */
static int lo_axis_of(const lo_layout *layout, PyGpuArrayObject *array, int k)
{
    const bool has_classes = (int)PyGpuArray_NDIM(array) == layout->ndim;
    return k + (has_classes && k >= layout->axis);
}

/* Whether points along the axes `first` to `last` - 1 lie evenly in memory.
 * `step` becomes that from one to the next, in elements. */
static bool lo_is_even(const lo_layout *layout, PyGpuArrayObject *array,
                       int first, int last, ssize_t *step)
{
    ssize_t expected = 0;
    bool known = false;
    *step = 0;
    for (int k = last - 1; k >= first; k--) {
        const int axis = lo_axis_of(layout, array, k);
        const size_t length = PyGpuArray_DIM(array, axis);
        const ssize_t stride = PyGpuArray_STRIDE(array, axis);
        if (length == 1)
            continue;
        if (!known)
            *step = stride / (ssize_t)GpuArray_ITEMSIZE(&array->ga);
        else if (stride != expected)
            return false;
        known = true;
        expected = stride * (ssize_t)length;
    }
    return true;
}

static ssize_t lo_outer(const lo_layout *layout, PyGpuArrayObject *array)
{
    ssize_t step;
    lo_is_even(layout, array, 0, layout->split, &step);
    return step;
}

static ssize_t lo_inner(const lo_layout *layout, PyGpuArrayObject *array)
{
    ssize_t step;
    lo_is_even(layout, array, layout->split, layout->ndim - 1, &step);
    return step;
}

static ssize_t lo_across(const lo_layout *layout, PyGpuArrayObject *array)
{
    return PyGpuArray_STRIDE(array, layout->axis) /
           (ssize_t)GpuArray_ITEMSIZE(&array->ga);
}

/* Find where the outer axes of the points end. Whether all arrays agree. */
static bool lo_split(lo_layout *layout, int count, PyGpuArrayObject **arrays)
{
    bool agree = false;
    for (int split = 0; split < layout->ndim && !agree; split++) {
        agree = true;
        layout->split = split;
        for (int i = 0; i < count && agree; i++) {
            ssize_t step;
            agree = lo_is_even(layout, arrays[i], 0, split, &step) &&
                    lo_is_even(layout, arrays[i], split, layout->ndim - 1,
                               &step);
        }
    }
    return agree;
}

/* The shape of an array as a tuple, without one axis if that is not -1. */
static PyObject *lo_shape(PyGpuArrayObject *array, int without)
{
    const int ndim = (int)PyGpuArray_NDIM(array);
    PyObject *shape = PyTuple_New(ndim - (without >= 0));
    int n = 0;
    for (int axis = 0; axis < ndim && shape != NULL; axis++)
        if (axis != without)
            PyTuple_SET_ITEM(shape, n++,
                             PyLong_FromSize_t(PyGpuArray_DIM(array, axis)));
    return shape;
}

/* Refuse input number `i` if its shape is not that of the values. */
static int lo_check_fit(const lo_layout *layout, PyGpuArrayObject *values,
                        PyGpuArrayObject *array, int i)
{
    const bool dense = (int)PyGpuArray_NDIM(array) == layout->ndim;
    bool fits = !dense ||
                PyGpuArray_DIM(array, layout->axis) == layout->classes;
    for (int k = 0; k < layout->ndim - 1; k++)
        fits = fits &&
            PyGpuArray_DIM(array, lo_axis_of(layout, array, k)) ==
            PyGpuArray_DIM(values, lo_axis_of(layout, values, k));
    if (fits)
        return 0;
    /* Class indices, and what is given for each, alternate. */
    const char *what = i % 2 == 0 ? "gradients" :
                       dense ? "targets" : "class indices";
    return lo_refuse_shape(what, lo_shape(array, -1), lo_shape(values, -1),
                           lo_shape(values, dense ? -1 : layout->axis));
}

/* Make `*result` a new array in the shape of another, its axes in the same
 * order in memory. */
static int lo_prepare_like(PyGpuArrayObject *array, int typecode,
                           PyGpuArrayObject **result)
{
    const int ndim = (int)PyGpuArray_NDIM(array);
    npy_intp steps[LO_AXES];
    int order[LO_AXES];
    unsigned int back[LO_AXES];
    size_t lengths[LO_AXES];
    for (int axis = 0; axis < ndim; axis++)
        steps[axis] = PyGpuArray_STRIDE(array, axis);
    lo_order(ndim, steps, order);
    for (int place = 0; place < ndim; place++) {
        lengths[place] = PyGpuArray_DIM(array, order[place]);
        back[order[place]] = place;
    }
    Py_XDECREF(*result);
    *result = NULL;
    PyGpuArrayObject *fresh = pygpu_empty(ndim, lengths, typecode, GA_C_ORDER,
                                          array->context, Py_None);
    if (fresh != NULL)
        *result = pygpu_transpose(fresh, back);
    Py_XDECREF(fresh);
    return *result == NULL ? -1 : 0;
}

/* Make `*result` a contiguous array of one number for each data point. */
static int lo_prepare_points(const lo_layout *layout, PyGpuArrayObject *values,
                             int typecode, PyGpuArrayObject **result)
{
    size_t lengths[LO_AXES];
    for (int k = 0; k < layout->ndim - 1; k++)
        lengths[k] = PyGpuArray_DIM(values, lo_axis_of(layout, values, k));
    /* What is there already serves if it has this shape, whatever its steps. */
    if (*result != NULL && !GpuArray_IS_C_CONTIGUOUS(&(*result)->ga))
        Py_CLEAR(*result);
    return theano_prep_output(result, layout->ndim - 1, lengths, typecode,
                              GA_C_ORDER, values->context);
}

/* What a kernel is to be called with: inputs, and then results. */
typedef struct {
    int inputs, results;
    PyGpuArrayObject **arrays;  /* new references, NULL after an error */
    PyGpuArrayObject ***places; /* of the results */
    const int *typecodes;       /* of the results */
    const bool *of_classes;     /* whether a result has classes */
} lo_operands;

static int lo_prepare(const lo_layout *layout, const lo_operands *operands)
{
    PyGpuArrayObject *values = operands->arrays[0];
    for (int i = 0; i < operands->results; i++) {
        PyGpuArrayObject **place = operands->places[i];
        const int typecode = operands->typecodes[i];
        if (operands->of_classes[i]
                ? lo_prepare_like(values, typecode, place)
                : lo_prepare_points(layout, values, typecode, place))
            return -1;
        operands->arrays[operands->inputs + i] = *place;
    }
    return 0;
}

/* Copy the inputs that are not contiguous. */
static int lo_copy(const lo_operands *operands)
{
    for (int i = 0; i < operands->inputs; i++) {
        PyGpuArrayObject *array = operands->arrays[i];
        if (GpuArray_IS_C_CONTIGUOUS(&array->ga))
            continue;
        operands->arrays[i] = pygpu_copy(array, GA_C_ORDER);
        Py_DECREF(array);
        if (operands->arrays[i] == NULL)
            return -1;
    }
    return 0;
}

/* Share out the threads of blocks of `block` threads, a power of two.
 *
 * Each looks at about four classes. Neighbouring threads are to read what
 * lies together: the classes of a point, or the same class of other points;
 * then of 32 of them, which is what a card reads at once. */
static void lo_share_out(lo_layout *layout, PyGpuArrayObject *values,
                         npy_uint32 block)
{
    const bool classes_apart = layout->points > 1 &&
        llabs((long long)lo_inner(layout, values)) <
        llabs((long long)lo_across(layout, values));
    const npy_uint32 most = classes_apart ? block / 32 : block;
    layout->lanes = 1;
    while (layout->lanes < most && 4 * layout->lanes < layout->classes)
        layout->lanes *= 2;
    const size_t teams = block / layout->lanes;
    layout->apart = classes_apart ? (npy_uint32)teams : 1;
    layout->blocks = (layout->points + teams - 1) / teams;
    if (layout->blocks > 32768)
        layout->blocks = 32768;
}

/* Check the inputs, make the results, and find how a kernel is to go through
 * all of them. */
static int lo_lay_out(lo_layout *layout, int axis, npy_uint32 block,
                      const lo_operands *operands)
{
    PyGpuArrayObject *values = operands->arrays[0];
    const int all = operands->inputs + operands->results;
    layout->ndim = (int)PyGpuArray_NDIM(values);
    layout->axis = axis;
    layout->classes = PyGpuArray_DIM(values, axis);
    for (int i = 0; i < operands->inputs; i++)
        Py_INCREF(operands->arrays[i]);
    for (int i = 1; i < operands->inputs; i++)
        if (lo_check_fit(layout, values, operands->arrays[i], i))
            return -1;
    if (lo_prepare(layout, operands))
        return -1;
    /* What is contiguous can be split at the class axis. */
    if (!lo_split(layout, all, operands->arrays)) {
        if (lo_copy(operands) || lo_prepare(layout, operands))
            return -1;
        values = operands->arrays[0];
        lo_split(layout, all, operands->arrays);
    }
    layout->points = layout->inside = 1;
    for (int k = 0; k < layout->ndim - 1; k++) {
        const size_t length =
            PyGpuArray_DIM(values, lo_axis_of(layout, values, k));
        layout->points *= length;
        layout->inside *= k < layout->split ? 1 : length;
    }
    lo_share_out(layout, values, block);
    return 0;
}

static void lo_forget(const lo_operands *operands)
{
    for (int i = 0; i < operands->inputs; i++)
        Py_XDECREF(operands->arrays[i]);
}
