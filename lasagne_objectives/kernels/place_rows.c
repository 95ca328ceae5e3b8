/* Rows at indices of an array of zeros, added where they meet (place_rows.py).
 */

/* Writes the rows of the result: each is that of the first row that belongs
 * there, and those after it are added in their order. */
template <typename real>
struct lo_placer {
    const real *rows;
    real *result;
    npy_intp width;
    /* The first row that belongs to each of the result, and the next after
     * each; -1 if there is none. */
    npy_intp *first, *next;
    lo_units units;

    lo_placer(npy_intp length, int threads) : units(length, threads) {}

    void operator()()
    {
        int range = units.join();
        npy_intp from, to;
        while (units.take(&range, &from, &to))
            for (npy_intp at = from; at < to; at++)
                place(result + at * width, first[at]);
    }

    void place(real *to, npy_intp i) const
    {
        if (i < 0) {
            memset(to, 0, width * sizeof(real));
            return;
        }
        memcpy(to, rows + i * width, width * sizeof(real));
        for (i = next[i]; i >= 0; i = next[i]) {
            const real *row = rows + i * width;
            #pragma omp simd
            for (npy_intp j = 0; j < width; j++)
                to[j] += row[j];
        }
    }
};

/* Find out which rows belong where. */
static int lo_sort_rows(const npy_intp *indices, npy_intp n, npy_intp length,
                        npy_intp *first, npy_intp *next)
{
    for (npy_intp at = 0; at < length; at++)
        first[at] = -1;
    for (npy_intp i = n - 1; i >= 0; i--) {
        const npy_intp at = indices[i] + (indices[i] < 0 ? length : 0);
        if (at < 0 || at >= length) {
            PyErr_Format(PyExc_IndexError,
                         "index %zd is out of bounds for %zd rows",
                         (Py_ssize_t)indices[i], (Py_ssize_t)length);
            return -1;
        }
        next[i] = first[at];
        first[at] = i;
    }
    return 0;
}

template <typename real>
static int lo_place(PyArrayObject *rows, PyArrayObject *indices,
                    npy_intp length, PyArrayObject **result)
{
    const int ndim = PyArray_NDIM(rows);
    const npy_intp n = PyArray_DIM(rows, 0);
    if (PyArray_DIM(indices, 0) != n) {
        PyErr_Format(PyExc_ValueError, "%zd indices of %zd rows",
                     (Py_ssize_t)PyArray_DIM(indices, 0), (Py_ssize_t)n);
        return -1;
    }
    npy_intp shape[LO_AXES] = {length};
    npy_intp width = 1;
    for (int axis = 1; axis < ndim; axis++) {
        shape[axis] = PyArray_DIM(rows, axis);
        width *= shape[axis];
    }
    if (lo_prepare(result, ndim, shape, lo_type<real>::number))
        return -1;
    npy_intp *chains =
        (npy_intp *)malloc((length + n + 1) * sizeof(npy_intp));
    if (chains == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    const int failed =
        lo_sort_rows((const npy_intp *)PyArray_DATA(indices), n, length,
                     chains, chains + length);
    if (!failed) {
        const int threads = lo_threads(length * width);
        lo_placer<real> placer(length, threads);
        placer.rows = (const real *)PyArray_DATA(rows);
        placer.result = (real *)PyArray_DATA(*result);
        placer.width = width;
        placer.first = chains;
        placer.next = chains + length;
        NPY_BEGIN_ALLOW_THREADS
        lo_share(placer, threads);
        NPY_END_ALLOW_THREADS
    }
    free(chains);
    return failed;
}

template <typename real, typename number>
static int place_rows(PyArrayObject *rows, PyArrayObject *indices,
                      PyArrayObject *length, PyArrayObject **result)
{
    PyArrayObject *in_order = PyArray_GETCONTIGUOUS(rows);
    PyArrayObject *at = (PyArrayObject *)PyArray_FROMANY(
        (PyObject *)indices, NPY_INTP, 1, 1,
        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
    const int failed = in_order == NULL || at == NULL ||
        lo_place<real>(in_order, at, *(number *)PyArray_DATA(length), result);
    Py_XDECREF(in_order);
    Py_XDECREF(at);
    return failed ? -1 : 0;
}
