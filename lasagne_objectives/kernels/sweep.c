/* The frame of a sweep over arrays of one shape: broadcasting, strides,
 * threads. What is done to the elements is generated, as a struct with
 *
 *     run(pointers, steps, n, sums, outputs)
 *
 * that reads n elements of each input, each `steps` bytes after the last,
 * adds to the sums and writes the outputs, which are contiguous; and `unit`
 * with the same arguments for inputs whose steps are their own size, or 0
 * where they are broadcast.
 */

enum { LO_SEGMENT = 4096 };

/* Strides with 0 where an input is broadcast; refuses shapes that differ. */
static int lo_strides(PyArrayObject *array, const bool *broadcast, int ndim,
                      const npy_intp *shape, npy_intp *strides)
{
    for (int axis = 0; axis < ndim; axis++) {
        strides[axis] = broadcast[axis] ? 0 : PyArray_STRIDE(array, axis);
        if (PyArray_DIM(array, axis) != (broadcast[axis] ? 1 : shape[axis])) {
            PyErr_Format(PyExc_ValueError,
                         "Input dimension mis-match: axis %d has length %lld, "
                         "other inputs have length %lld", axis,
                         (long long)PyArray_DIM(array, axis),
                         (long long)shape[axis]);
            return -1;
        }
    }
    return 0;
}

/* One thread's part in a sweep. */
template <typename body>
struct lo_sweeper {
    enum { nin = body::inputs, nsum = body::sums, nout = body::outputs,
           ndim = body::ndim };
    PyArrayObject **inputs;
    const npy_intp *shape, (*strides)[ndim], *sizes;
    bool flat, unit;
    npy_intp total, length;
    char **stored;
    const npy_intp *stored_sizes;
    double *parts;
    lo_units units;

    lo_sweeper(npy_intp segments, int threads) : units(segments, threads) {}

    void operator()()
    {
        int range = units.join();
        npy_intp from, to;
        while (units.take(&range, &from, &to))
            for (npy_intp segment = from; segment < to; segment++)
                work(segment);
    }

    void work(npy_intp segment) const
    {
        const char *from[nin];
        char *to[nout + 1];
        npy_intp steps[nin];
        const npy_intp first = segment * length;
        const npy_intp n = total - first < length ? total - first : length;
        for (int i = 0; i < nin; i++) {
            from[i] = (const char *)PyArray_DATA(inputs[i]);
            if (flat) {
                steps[i] = body::kind()[i] == 'f' ? sizes[i] : 0;
                from[i] += first * steps[i];
            } else {
                steps[i] = strides[i][ndim - 1];
                npy_intp rest = segment;
                for (int axis = ndim - 2; axis >= 0; axis--) {
                    from[i] += (rest % shape[axis]) * strides[i][axis];
                    rest /= shape[axis];
                }
            }
        }
        for (int o = 0; o < nout; o++)
            to[o] = stored[o] + first * stored_sizes[o];
        if (unit)
            body::unit(from, steps, n, parts + segment * nsum, to);
        else
            body::run(from, steps, n, parts + segment * nsum, to);
    }
};

template <typename body>
static int lo_sweep(PyArrayObject **inputs, PyArrayObject **outputs)
{
    enum { nin = body::inputs, nsum = body::sums, nout = body::outputs,
           ndim = body::ndim };
    /* All lengths come from one input that is not broadcast. */
    npy_intp shape[ndim];
    npy_intp total = 1;
    for (int axis = 0; axis < ndim; axis++) {
        shape[axis] = PyArray_DIM(inputs[body::full], axis);
        total *= shape[axis];
    }
    npy_intp strides[nin][ndim], sizes[nin];
    bool flat = true, unit = true;
    for (int i = 0; i < nin; i++) {
        if (lo_strides(inputs[i], body::broadcast() + i * ndim, ndim, shape,
                       strides[i]))
            return -1;
        sizes[i] = PyArray_ITEMSIZE(inputs[i]);
        if (body::kind()[i] == 'f')
            flat = flat && PyArray_IS_C_CONTIGUOUS(inputs[i]);
        else if (body::kind()[i] == 'p')
            flat = false;
        const npy_intp step = strides[i][ndim - 1];
        unit = unit && (step == sizes[i] || body::broadcast()
                        [i * ndim + ndim - 1]);
    }
    unit = unit || flat;
    char *stored[nout + 1];
    npy_intp stored_sizes[nout + 1];
    for (int o = 0; o < nout; o++) {
        if (lo_prepare(outputs + nsum + o, ndim, shape, body::types()[o]))
            return -1;
        stored[o] = (char *)PyArray_DATA(outputs[nsum + o]);
        stored_sizes[o] = PyArray_ITEMSIZE(outputs[nsum + o]);
    }
    /* Sums are taken by segment and then in order: the number of threads
     * makes no difference to them. */
    const npy_intp length = flat ? LO_SEGMENT : shape[ndim - 1];
    const npy_intp segments = total == 0 ? 0 : flat
        ? (total + length - 1) / length : total / length;
    double *parts = (double *)calloc((nsum + 1) * (segments + 1),
                                     sizeof(double));
    if (parts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    const int threads = lo_threads(total);
    lo_sweeper<body> sweeper(segments, threads);
    sweeper.inputs = inputs;
    sweeper.shape = shape;
    sweeper.strides = strides;
    sweeper.sizes = sizes;
    sweeper.flat = flat;
    sweeper.unit = unit;
    sweeper.total = total;
    sweeper.length = length;
    sweeper.stored = stored;
    sweeper.stored_sizes = stored_sizes;
    sweeper.parts = parts;

    NPY_BEGIN_ALLOW_THREADS
    lo_share(sweeper, threads);
    NPY_END_ALLOW_THREADS

    for (int s = 0; s < nsum; s++) {
        double sum = 0;
        for (npy_intp segment = 0; segment < segments; segment++)
            sum += parts[segment * nsum + s];
        if (lo_prepare(outputs + s, 0, NULL, body::sum_types()[s])) {
            free(parts);
            return -1;
        }
        if (body::sum_types()[s] == NPY_FLOAT32)
            *(npy_float32 *)PyArray_DATA(outputs[s]) = (npy_float32)sum;
        else
            *(npy_float64 *)PyArray_DATA(outputs[s]) = sum;
    }
    free(parts);
    return 0;
}
