/* Softmax cross-entropy of rows: value, gradient, or both in one sweep.
 *
 * For a row of logits z with largest entry m, u = z - m and S = sum exp(u),
 *     loss     = mass log(S) - sum_j t_j u_j      (mass = sum_j t_j)
 *     gradient = g (mass exp(u) / S - t)
 * Targets t are a class index (one entry of 1) or dense. A row is read once
 * from memory: it stays in the cache from its maximum to its gradient.
 */

/* z - m, where equal infinities differ by 0. */
template <typename real>
LO_INLINE real lo_shift(real z, real m)
{
    return z == m ? 0 : z - m;
}

/* t u, where a target of 0 costs nothing. */
template <typename real>
LO_INLINE real lo_cost(real t, real u)
{
    return t == 0 ? 0 : t * u;
}

/* Sums run in the row's type over so many elements, then in double: as fast,
 * and as good for 50 000 classes as for 10. */
enum { LO_BLOCK = 256 };

/* One row of many classes. `dense` is NULL for a class index; `gradient` and
 * `loss` are NULL where not wanted. */
template <typename real>
LO_INLINE void lo_wide_row(const real *z, npy_intp n, const real *dense,
                           npy_int64 target, real g, real *loss,
                           real *gradient)
{
    real m = -INFINITY;
    #pragma omp simd reduction(max:m)
    for (npy_intp j = 0; j < n; j++)
        m = z[j] > m ? z[j] : m;
    double sum = 0, mass = 0, dot = 0;
    if (dense == NULL) {
        mass = 1;
        dot = lo_shift(z[target], m);
    }
    for (npy_intp from = 0; from < n; from += LO_BLOCK) {
        const npy_intp to = from + LO_BLOCK < n ? from + LO_BLOCK : n;
        if (dense != NULL) {
            real part_of_mass = 0, part_of_dot = 0;
            #pragma omp simd reduction(+:part_of_mass,part_of_dot)
            for (npy_intp j = from; j < to; j++) {
                part_of_mass += dense[j];
                part_of_dot += lo_cost(dense[j], lo_shift(z[j], m));
            }
            mass += part_of_mass;
            dot += part_of_dot;
        }
        /* Last, because the gradient may take the place of the logits. */
        real part = 0;
        if (gradient != NULL) {
            #pragma omp simd reduction(+:part)
            for (npy_intp j = from; j < to; j++) {
                const real e = exp_of_negative(lo_shift(z[j], m));
                gradient[j] = e;
                part += e;
            }
        } else {
            #pragma omp simd reduction(+:part)
            for (npy_intp j = from; j < to; j++)
                part += exp_of_negative(lo_shift(z[j], m));
        }
        sum += part;
    }
    if (loss != NULL)
        *loss = (real)(mass * log(sum) - dot);
    if (gradient == NULL)
        return;
    const real scale = (real)(g * (mass / sum));
    if (dense == NULL) {
        #pragma omp simd
        for (npy_intp j = 0; j < n; j++)
            gradient[j] *= scale;
        gradient[target] -= g;
    } else {
        #pragma omp simd
        for (npy_intp j = 0; j < n; j++)
            gradient[j] = gradient[j] * scale - g * dense[j];
    }
}

/* A block of rows of few classes. */
template <typename real, typename index>
LO_INLINE void lo_narrow_rows(PyArrayObject *z, PyArrayObject *targets,
                              PyArrayObject *upstream, npy_intp row, int rows,
                              real *losses, real *gradient)
{
    const npy_intp n = PyArray_DIM(z, 1);
    const bool dense = PyArray_NDIM(targets) == 2;
    real logits[LO_FEW * LO_ROWS], dense_targets[LO_FEW * LO_ROWS];
    real m[LO_ROWS], sum[LO_ROWS], mass[LO_ROWS], dot[LO_ROWS], g[LO_ROWS];
    lo_load_tile(z, row, rows, logits);
    for (int i = 0; i < LO_ROWS; i++) {
        m[i] = -INFINITY;
        sum[i] = 0;
        mass[i] = 1;
        dot[i] = 0;
        g[i] = upstream == NULL || i >= rows ? 0
            : lo_value<real>(upstream, row + i);
    }
    for (npy_intp j = 0; j < n; j++) {
        const real *column = logits + j * LO_ROWS;
        #pragma omp simd
        for (int i = 0; i < LO_ROWS; i++)
            m[i] = column[i] > m[i] ? column[i] : m[i];
    }
    if (dense) {
        lo_load_tile(targets, row, rows, dense_targets);
        for (int i = 0; i < LO_ROWS; i++)
            mass[i] = 0;
        for (npy_intp j = 0; j < n; j++) {
            const real *column = logits + j * LO_ROWS;
            const real *t = dense_targets + j * LO_ROWS;
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++) {
                mass[i] += t[i];
                dot[i] += lo_cost(t[i], lo_shift(column[i], m[i]));
            }
        }
    } else {
        for (int i = 0; i < rows; i++)
            dot[i] = lo_shift(
                logits[lo_class<index>(targets, row + i) * LO_ROWS + i],
                m[i]);
    }
    for (npy_intp j = 0; j < n; j++) {
        real *column = logits + j * LO_ROWS;
        #pragma omp simd
        for (int i = 0; i < LO_ROWS; i++) {
            column[i] = exp_of_negative(lo_shift(column[i], m[i]));
            sum[i] += column[i];
        }
    }
    if (losses != NULL) {
        real loss[LO_ROWS];
        #pragma omp simd
        for (int i = 0; i < LO_ROWS; i++)
            loss[i] = mass[i] * log_of_large(sum[i]) - dot[i];
        memcpy(losses + row, loss, rows * sizeof(real));
    }
    if (gradient == NULL)
        return;
    #pragma omp simd
    for (int i = 0; i < LO_ROWS; i++)
        sum[i] = g[i] * (mass[i] / sum[i]);
    for (npy_intp j = 0; j < n; j++) {
        real *column = logits + j * LO_ROWS;
        const real *t = dense_targets + j * LO_ROWS;
        if (dense) {
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++)
                column[i] = column[i] * sum[i] - g[i] * t[i];
        } else {
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++)
                column[i] *= sum[i];
        }
    }
    real *out = gradient + row * n;
    for (int i = 0; i < rows; i++)
        for (npy_intp j = 0; j < n; j++)
            out[i * n + j] = logits[j * LO_ROWS + i];
    if (!dense)
        for (int i = 0; i < rows; i++)
            out[i * n + lo_class<index>(targets, row + i)] -= g[i];
}

template <typename real>
static int lo_check_dense(PyArrayObject *z, PyArrayObject *targets)
{
    if (PyArray_DIM(z, 0) == PyArray_DIM(targets, 0) &&
        PyArray_DIM(z, 1) == PyArray_DIM(targets, 1))
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "targets of shape (%lld, %lld) do not fit predictions of "
                 "shape (%lld, %lld): they must be equal",
                 (long long)PyArray_DIM(targets, 0),
                 (long long)PyArray_DIM(targets, 1),
                 (long long)PyArray_DIM(z, 0), (long long)PyArray_DIM(z, 1));
    return -1;
}

/* For lo_sweep_rows: what is NULL is not given, or not wanted. */
template <typename element, typename index>
struct lo_softmax_rows {
    typedef element real;
    PyArrayObject *z, *targets, *upstream;
    real *losses, *slopes;

    void few(npy_intp row, int rows) const
    {
        lo_narrow_rows<real, index>(z, targets, upstream, row, rows, losses,
                                    slopes);
    }

    void many(npy_intp row, real *scratch) const
    {
        const npy_intp classes = PyArray_DIM(z, 1);
        const bool dense = PyArray_NDIM(targets) == 2;
        lo_wide_row<real>(
            lo_row(z, row, scratch), classes,
            dense ? lo_row(targets, row, scratch + classes)
                  : (const real *)NULL,
            dense ? 0 : lo_class<index>(targets, row),
            upstream == NULL ? 0 : lo_value<real>(upstream, row),
            losses ? losses + row : NULL,
            slopes ? slopes + row * classes : NULL);
    }
};

/* `upstream` and `gradient` are NULL for the value alone, `loss` is NULL for
 * the gradient alone. `inplace` lets the gradient take the place of z. */
template <typename real, typename index>
static int softmax_crossentropy(PyArrayObject *z, PyArrayObject *targets,
                                PyArrayObject *upstream,
                                PyArrayObject **loss,
                                PyArrayObject **gradient, bool inplace)
{
    const npy_intp *shape = PyArray_DIMS(z);
    if (PyArray_NDIM(targets) == 2 ? lo_check_dense<real>(z, targets)
                                   : lo_check_classes<index>(z, targets))
        return -1;
    if (upstream != NULL && PyArray_DIM(upstream, 0) != shape[0]) {
        PyErr_Format(PyExc_ValueError,
                     "got %lld gradients for %lld data points",
                     (long long)PyArray_DIM(upstream, 0),
                     (long long)shape[0]);
        return -1;
    }
    if (loss && lo_prepare(loss, 1, shape, lo_type<real>::number))
        return -1;
    if (inplace && PyArray_IS_C_CONTIGUOUS(z)) {
        Py_INCREF(z);
        Py_XDECREF(*gradient);
        *gradient = z;
    } else if (gradient &&
               lo_prepare(gradient, 2, shape, lo_type<real>::number))
        return -1;
    const lo_softmax_rows<real, index> work = {
        z, targets, upstream, loss ? (real *)PyArray_DATA(*loss) : NULL,
        gradient ? (real *)PyArray_DATA(*gradient) : NULL};
    return lo_sweep_rows(work, shape[0], shape[1]);
}
