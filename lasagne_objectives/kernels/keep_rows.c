/* Logits of rows that a reshape may tear, and their gradient (keep_rows.py).
 *
 * Rows are whole, but for mistakes: there is nothing to do then. What is done
 * for others is short to compile rather than fast.
 */

/* One row of an array: the class j is row[j]. */
template <typename real>
struct lo_row {
    char *first;
    npy_intp step;

    real &operator[](npy_intp j) const
    {
        return *(real *)(first + j * step);
    }
};

/* The rows of an array in C's order of data points. */
template <typename real>
struct lo_rows {
    PyArrayIterObject *at;
    npy_intp step;

    lo_rows(PyArrayObject *array, int axis)
        : at((PyArrayIterObject *)PyArray_IterAllButAxis((PyObject *)array,
                                                         &axis)),
          step(PyArray_STRIDE(array, axis)) {}

    ~lo_rows() { Py_XDECREF(at); }

    /* The next of them. */
    lo_row<real> next()
    {
        const lo_row<real> row = {(char *)PyArray_ITER_DATA(at), step};
        PyArray_ITER_NEXT(at);
        return row;
    }
};

/* The largest logit m of a row, and sum exp(z - m). */
template <typename real>
static double lo_normalise(lo_row<real> z, npy_intp n, real *largest)
{
    real m = -INFINITY;
    double sum = 0;
    for (npy_intp j = 0; j < n; j++)
        m = z[j] > m ? z[j] : m;
    for (npy_intp j = 0; j < n; j++)
        sum += exp(lo_shift<double>(z[j], m));
    *largest = m;
    return sum;
}

/* Of one row. */
template <typename real>
static void lo_log_softmax(lo_row<real> z, npy_intp n, lo_row<real> result)
{
    real m;
    const double log_sum = log(lo_normalise(z, n, &m));
    for (npy_intp j = 0; j < n; j++)
        result[j] = (real)(lo_shift<double>(z[j], m) - log_sum);
}

/* Its gradient: g - softmax(z) sum(g). */
template <typename real>
static void lo_log_softmax_gradient(lo_row<real> z, lo_row<real> g,
                                    npy_intp n, lo_row<real> result)
{
    real m;
    double total = 0;
    const double sum = lo_normalise(z, n, &m);
    for (npy_intp j = 0; j < n; j++)
        total += g[j];
    for (npy_intp j = 0; j < n; j++)
        result[j] = (real)(g[j] - exp(lo_shift<double>(z[j], m))
                                  * (total / sum));
}

/* The logits, or their log softmax where their rows are not whole. With an
 * upstream gradient: that, or the gradient of the log softmax. */
template <typename real>
static int keep_rows(int axis, PyArrayObject *logits, PyArrayObject *upstream,
                     bool whole, PyArrayObject **result)
{
    PyArrayObject *passed = upstream == NULL ? logits : upstream;
    if (lo_check_shape(logits, passed, -1, "gradients"))
        return -1;
    if (whole)
        return lo_pass_on(passed, result);
    /* Not into what was passed on the last time, which is not ours. */
    Py_CLEAR(*result);
    if (lo_prepare_like(result, logits, false))
        return -1;
    if (PyArray_SIZE(logits) == 0)
        return 0;
    const npy_intp n = PyArray_DIM(logits, axis);
    lo_rows<real> z(logits, axis), g(passed, axis), to(*result, axis);
    if (z.at == NULL || g.at == NULL || to.at == NULL)
        return -1;
    for (npy_intp row = z.at->size; row > 0; row--) {
        const lo_row<real> logits_of_row = z.next();
        if (upstream == NULL)
            lo_log_softmax(logits_of_row, n, to.next());
        else
            lo_log_softmax_gradient(logits_of_row, g.next(), n, to.next());
    }
    return 0;
}
