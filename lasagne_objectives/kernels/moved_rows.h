/* Rows of an array whose axes have been moved: reshaped to a matrix it would
 * be copied. An array is NumPy's or, on a GPU, another: see reshape.h. */

template <typename Array>
static npy_intp lo_size(Array *array)
{
    npy_intp size = 1;
    for (int axis = 0; axis < lo_ndim(array); axis++)
        size *= lo_length(array, axis);
    return size;
}

template <typename Array>
static bool lo_has_shape(Array *array, int ndim, const npy_intp *shape)
{
    bool has = lo_ndim(array) == ndim;
    for (int axis = 0; axis < ndim && has; axis++)
        has = lo_length(array, axis) == shape[axis];
    return has;
}

/* An array in another shape: itself, a view, or if need be a copy. */
template <typename Array>
static Array *lo_reshaped(Array *array, int ndim, const npy_intp *shape)
{
    if (lo_has_shape(array, ndim, shape)) {
        Py_INCREF(array);
        return array;
    }
    npy_intp lengths[LO_AXES];  /* NumPy writes into them. */
    memcpy(lengths, shape, ndim * sizeof *shape);
    return lo_in_shape(array, ndim, lengths);
}

template <typename Array>
static void lo_read_lengths(Array *array, npy_intp *lengths)
{
    for (int axis = 0; axis < lo_ndim(array); axis++)
        lengths[axis] = lo_length(array, axis);
}

/* More than a kernel has. */
enum { LO_OPERANDS = 8 };

/* Whether the rows of an array, the first of the operands, are those of the
 * matrix that it is to become, and the others fit them. */
template <typename Array>
static bool lo_are_rows(int n, Array **operands, PyArrayObject **shapes,
                        npy_intp (*matrices)[2], int all, const npy_intp *own)
{
    const npy_intp classes = own[all - 1];
    const npy_intp size = lo_size(operands[0]);
    if (size == 0)
        return false;
    const npy_intp points = size / classes;
    bool fit = true;
    for (int i = 0; i < n; i++) {
        Array *operand = operands[i];
        if (shapes[i] != NULL) {
            const npy_intp *matrix = matrices[i];
            const bool known = matrix[0] == points || matrix[1] == classes;
            fit = fit && known && lo_has_shape(operand, all, own)
                && (matrix[0] == points || matrix[0] == -1)
                && (matrix[1] == classes || matrix[1] == -1);
        } else
            fit = fit
                && (lo_ndim(operand) < 1 || lo_length(operand, 0) == points)
                && (lo_ndim(operand) < 2 || lo_length(operand, 1) == classes);
    }
    return fit;
}

/* Have the array and what belongs to its rows in the same shape: that of the
 * array if its rows are those that are asked for, else that of the matrix. Of
 * operands that are to become a matrix there is its shape, else NULL. Returns
 * the class axis. The operands become new references, NULL after an error. */
template <typename Array>
static int lo_arrange_rows(int n, Array **operands, PyArrayObject **shapes)
{
    const int last = lo_ndim(operands[0]) - 1;
    npy_intp lengths[LO_AXES], matrices[LO_OPERANDS][2];
    bool read = true;
    for (int i = 0; i < n && read; i++)
        read = shapes[i] == NULL ||
               lo_read_shape(shapes[i], 2, matrices[i]) == 0;
    if (!read) {
        memset(operands, 0, n * sizeof *operands);
        return 1;
    }
    lo_read_lengths(operands[0], lengths);
    const bool own = lo_are_rows(n, operands, shapes, matrices, last + 1,
                                 lengths);
    for (int i = 0; i < n; i++) {
        const int ndim = lo_ndim(operands[i]);
        if (own && shapes[i] == NULL && ndim > 0)
            operands[i] = lo_reshaped(operands[i], last + ndim - 1, lengths);
        else if (!own && shapes[i] != NULL)
            operands[i] = lo_reshaped(operands[i], 2, matrices[i]);
        else
            Py_INCREF(operands[i]);
    }
    return own ? last : 1;
}

/* Put a result into its place: a number for each row, or in the shape of the
 * array. */
template <typename Array>
static int lo_return_rows(Array *result, int ndim, Array *array,
                          Array **place)
{
    npy_intp lengths[LO_AXES];
    lo_read_lengths(array, lengths);
    const npy_intp points = lo_size(result);
    Py_XDECREF(*place);
    *place = lo_reshaped(result, ndim, ndim == 1 ? &points : lengths);
    return *place == NULL ? -1 : 0;
}
