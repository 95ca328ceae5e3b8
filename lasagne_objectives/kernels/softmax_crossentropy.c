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
    for (npy_intp from = 0; from < n; from += LO_BLOCK) {
        const npy_intp to = from + LO_BLOCK < n ? from + LO_BLOCK : n;
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
    }
    if (dense == NULL) {
        mass = 1;
        dot = lo_shift(z[target], m);
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

/* Few classes: a block of rows is turned over, so that the vector units work
 * on one class of many rows instead of on the few classes of one. */
enum { LO_ROWS = 16, LO_FEW = 48 };

template <typename real>
struct lo_tile {
    real z[LO_FEW * LO_ROWS];
    real t[LO_FEW * LO_ROWS];
};

template <typename real>
LO_INLINE void lo_load_tile(PyArrayObject *matrix, npy_intp row, int rows,
                            real *tile)
{
    const npy_intp n = PyArray_DIM(matrix, 1);
    const npy_intp across = PyArray_STRIDE(matrix, 1);
    const npy_intp down = PyArray_STRIDE(matrix, 0);
    const char *from = (const char *)PyArray_DATA(matrix) + row * down;
    for (int i = 0; i < LO_ROWS; i++) {
        /* A block that is not full repeats its last row. */
        const char *place = from + (i < rows ? i : rows - 1) * down;
        for (npy_intp j = 0; j < n; j++)
            tile[j * LO_ROWS + i] = *(const real *)(place + j * across);
    }
}

template <typename real, typename index>
LO_INLINE void lo_narrow_rows(PyArrayObject *z, PyArrayObject *targets,
                              PyArrayObject *upstream, npy_intp row, int rows,
                              real *losses, real *gradient)
{
    const npy_intp n = PyArray_DIM(z, 1);
    const bool dense = PyArray_NDIM(targets) == 2;
    lo_tile<real> tile;
    real m[LO_ROWS], sum[LO_ROWS], mass[LO_ROWS], dot[LO_ROWS], g[LO_ROWS];
    lo_load_tile(z, row, rows, tile.z);
    for (int i = 0; i < LO_ROWS; i++) {
        m[i] = -INFINITY;
        sum[i] = 0;
        mass[i] = 1;
        dot[i] = 0;
        g[i] = upstream == NULL || i >= rows ? 0 : *(const real *)(
            (const char *)PyArray_DATA(upstream)
            + (row + i) * PyArray_STRIDE(upstream, 0));
    }
    for (npy_intp j = 0; j < n; j++) {
        const real *column = tile.z + j * LO_ROWS;
        #pragma omp simd
        for (int i = 0; i < LO_ROWS; i++)
            m[i] = column[i] > m[i] ? column[i] : m[i];
    }
    if (dense) {
        lo_load_tile(targets, row, rows, tile.t);
        for (int i = 0; i < LO_ROWS; i++)
            mass[i] = 0;
        for (npy_intp j = 0; j < n; j++) {
            const real *column = tile.z + j * LO_ROWS;
            const real *t = tile.t + j * LO_ROWS;
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++) {
                mass[i] += t[i];
                dot[i] += lo_cost(t[i], lo_shift(column[i], m[i]));
            }
        }
    } else {
        for (int i = 0; i < rows; i++)
            dot[i] = lo_shift(
                tile.z[lo_class<index>(targets, row + i) * LO_ROWS + i],
                m[i]);
    }
    for (npy_intp j = 0; j < n; j++) {
        real *column = tile.z + j * LO_ROWS;
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
        real *column = tile.z + j * LO_ROWS;
        const real *t = tile.t + j * LO_ROWS;
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
            out[i * n + j] = tile.z[j * LO_ROWS + i];
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

/* `upstream` and `gradient` are NULL for the value alone, `loss` is NULL for
 * the gradient alone. */
template <typename real, typename index>
static int softmax_crossentropy(PyArrayObject *z, PyArrayObject *targets,
                                PyArrayObject *upstream,
                                PyArrayObject **loss,
                                PyArrayObject **gradient)
{
    const npy_intp *shape = PyArray_DIMS(z);
    const npy_intp rows = shape[0], classes = shape[1];
    const bool dense = PyArray_NDIM(targets) == 2;
    if (dense ? lo_check_dense<real>(z, targets)
              : lo_check_classes<index>(z, targets))
        return -1;
    if (upstream != NULL && PyArray_DIM(upstream, 0) != rows) {
        PyErr_Format(PyExc_ValueError,
                     "got %lld gradients for %lld data points",
                     (long long)PyArray_DIM(upstream, 0), (long long)rows);
        return -1;
    }
    if (loss && lo_prepare(loss, 1, shape, lo_type<real>::number))
        return -1;
    if (gradient && lo_prepare(gradient, 2, shape, lo_type<real>::number))
        return -1;
    real *losses = loss ? (real *)PyArray_DATA(*loss) : NULL;
    real *slopes = gradient ? (real *)PyArray_DATA(*gradient) : NULL;
    const int threads = lo_threads(rows * classes);
    bool out_of_memory = false;

    NPY_BEGIN_ALLOW_THREADS
    if (classes <= LO_FEW) {
        const npy_intp blocks = (rows + LO_ROWS - 1) / LO_ROWS;
        #pragma omp parallel for num_threads(threads) schedule(static)
        for (npy_intp block = 0; block < blocks; block++) {
            const npy_intp row = block * LO_ROWS;
            const int count = rows - row < LO_ROWS ? rows - row : LO_ROWS;
            lo_narrow_rows<real, index>(z, targets, upstream, row, count,
                                        losses, slopes);
        }
    } else {
        #pragma omp parallel num_threads(threads)
        {
            real *scratch = (real *)malloc(2 * classes * sizeof(real));
            if (scratch == NULL)
                out_of_memory = true;
            #pragma omp for schedule(static)
            for (npy_intp row = 0; row < rows; row++) {
                if (scratch == NULL)
                    continue;
                lo_wide_row<real>(
                    lo_row(z, row, scratch), classes,
                    dense ? lo_row(targets, row, scratch + classes)
                          : (const real *)NULL,
                    dense ? 0 : lo_class<index>(targets, row),
                    upstream == NULL ? 0 : *(const real *)(
                        (const char *)PyArray_DATA(upstream)
                        + row * PyArray_STRIDE(upstream, 0)),
                    losses ? losses + row : NULL,
                    slopes ? slopes + row * classes : NULL);
            }
            free(scratch);
        }
    }
    NPY_END_ALLOW_THREADS

    if (out_of_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
