/* Softmax cross-entropy: value, gradient, or both in one sweep.
 *
 * For a data point of logits z with largest entry m, u = z - m and
 * S = sum exp(u),
 *     loss     = mass log(S) - sum_j t_j u_j      (mass = sum_j t_j)
 *     gradient = g (mass exp(u) / S - t)
 * Targets t are a class index (one entry of 1) or dense. A data point is read
 * once from memory: it stays in the cache from its maximum to its gradient.
 */

/* t u, where a target of 0 costs nothing. */
template <typename real>
LO_INLINE real lo_cost(real t, real u)
{
    return t == 0 ? 0 : t * u;
}

/* Rows of so many bytes are fetched before they are read. */
enum { LO_FETCHED = 16384 };

/* Sums of several series of numbers, side by side: the last part of each, and
 * those before it. */
template <typename real, int series>
struct lo_sums {
    real part[series] = {0};
    double before[series] = {0};

    /* Begin another part. */
    void part_ends()
    {
        #pragma omp simd
        for (int i = 0; i < series; i++) {
            before[i] += part[i];
            part[i] = 0;
        }
    }

    /* All series together. Halves are added first: one after the other, each
     * sum would wait for the one before it. */
    double total()
    {
        part_ends();
        for (int i = 0; i < series / 2; i++)
            before[i] += before[series / 2 + i];
        for (int i = 0; i < series / 4; i++)
            before[i] += before[series / 4 + i];
        double sum = 0;
        for (int i = 0; i < series / 4; i++)
            sum += before[i];
        return sum;
    }
};

/* exp(z - m) of some classes, added to their sums; multiples of LO_LAST. */
template <typename real>
LO_INLINE void lo_exponentiate(const real *z, npy_intp n, real m,
                               real *exponentials,
                               lo_sums<real, LO_LAST> *sums)
{
    for (npy_intp j = 0; j < n; j += LO_LAST)
        if (exponentials != NULL) {
            #pragma omp simd
            for (int i = 0; i < LO_LAST; i++) {
                const real e = exp_of_difference(z[j + i], m);
                exponentials[j + i] = e;
                sums->part[i] += e;
            }
        } else {
            #pragma omp simd
            for (int i = 0; i < LO_LAST; i++)
                sums->part[i] += exp_of_difference(z[j + i], m);
        }
    sums->part_ends();
}

/* The mass of dense targets of some classes, and sum_j t_j u_j. */
template <typename real>
LO_INLINE void lo_weigh(const real *z, const real *dense, npy_intp n, real m,
                        lo_sums<real, LO_LAST> *mass,
                        lo_sums<real, LO_LAST> *dot)
{
    for (npy_intp j = 0; j < n; j += LO_LAST) {
        #pragma omp simd
        for (int i = 0; i < LO_LAST; i++) {
            mass->part[i] += dense[j + i];
            dot->part[i] += lo_cost(dense[j + i], lo_shift(z[j + i], m));
        }
    }
    mass->part_ends();
    dot->part_ends();
}

/* One row of many classes. `target` is that of class indices, `dense` else;
 * `gradient` and `loss` are NULL where not wanted. `next` and `next_dense` are
 * what is read after it, of as many classes, or NULL. */
template <bool is_dense, typename real>
LO_WIDE void lo_wide_row(const real *z, npy_intp n, const real *dense,
                         npy_int64 target, real g, real *loss,
                         real *gradient, const real *next,
                         const real *next_dense)
{
    const real m = lo_largest_of_row(z, n);
    double mass = 1, dot = is_dense ? 0 : lo_shift(z[target], m);
    lo_sums<real, LO_LAST> sums, masses, dots;
    /* Kept, because the gradient may take the place of the logits. */
    real last[LO_LAST], of_last[LO_LAST];
    memcpy(last, z + n - LO_LAST, sizeof last);
    const npy_intp whole = n - n % LO_LAST;
    for (npy_intp from = 0; from < whole; from += LO_BLOCK) {
        const npy_intp count = lo_block_end(from, whole) - from;
        if (next != NULL)
            lo_fetch(next + from, count * sizeof(real));
        if (is_dense) {
            if (next_dense != NULL)
                lo_fetch(next_dense + from, count * sizeof(real));
            lo_weigh(z + from, dense + from, count, m, &masses, &dots);
        }
        lo_exponentiate(z + from, count, m,
                        gradient == NULL ? NULL : gradient + from, &sums);
    }
    if (is_dense) {
        #pragma omp simd
        for (int i = 0; i < LO_LAST; i++)
            of_last[i] = lo_is_new(n, i) ? dense[n - LO_LAST + i] : 0;
        lo_weigh(last, of_last, LO_LAST, m, &masses, &dots);
        mass = masses.total();
        dot = dots.total();
    }
    #pragma omp simd
    for (int i = 0; i < LO_LAST; i++) {
        last[i] = exp_of_difference(last[i], m);
        sums.part[i] += lo_is_new(n, i) ? last[i] : 0;
    }
    const double sum = sums.total();
    if (loss != NULL)
        *loss = (real)(mass * log(sum) - dot);
    if (gradient == NULL)
        return;
    const real scale = (real)(g * (mass / sum));
    if (!is_dense) {
        #pragma omp simd
        for (npy_intp j = 0; j < whole; j++)
            gradient[j] *= scale;
        #pragma omp simd
        for (int i = 0; i < LO_LAST; i++)
            gradient[n - LO_LAST + i] = last[i] * scale;
        gradient[target] -= g;
    } else {
        #pragma omp simd
        for (npy_intp j = 0; j < whole; j++)
            gradient[j] = gradient[j] * scale - g * dense[j];
        #pragma omp simd
        for (int i = 0; i < LO_LAST; i++)
            gradient[n - LO_LAST + i] = last[i] * scale
                                        - g * dense[n - LO_LAST + i];
    }
}

/* In a tile, classes follow one another in a sum: fewer of them are a part. */
enum { LO_TILE_BLOCK = 32 };

/* Sums over the classes of each data point of a tile. */
template <typename real>
struct lo_sums_of_tile : lo_sums<real, LO_LANES> {
    /* Class j has been added: begin another part where one is full. */
    void after(npy_intp j)
    {
        if (j % LO_TILE_BLOCK == LO_TILE_BLOCK - 1)
            this->part_ends();
    }

    /* Of few classes the part is all. */
    void total(npy_intp n, real *sum) const
    {
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            sum[i] = n < LO_TILE_BLOCK
                ? this->part[i] : (real)(this->before[i] + this->part[i]);
    }
};

/* The row that is read after this one, for it to be fetched in time; NULL for
 * long rows, of which the processor fetches the most by itself. */
template <typename real>
LO_INLINE const real *lo_next_row(const lo_points &points, char *const *at,
                                  int which)
{
    return points.classes * sizeof(real) > LO_FETCHED ? NULL
        : (const real *)(at[which] + points.along[which]);
}

/* For lo_sweep_points: what is NULL is not given, or not wanted. The compiler
 * knows whether targets are dense: it has half as much to do. */
template <typename element, typename index, bool dense>
struct lo_softmax_points : lo_kernel {
    typedef element real;
    enum { LOGITS, TARGETS, UPSTREAM, LOSS, GRADIENT };
    enum { few = 320 };

    int second() const { return dense ? (int)TARGETS : -1; }
    int result() const { return GRADIENT; }

    void row(const lo_points &points, char *const *at, const real *z,
             const real *targets, real *gradient) const
    {
        lo_wide_row<dense>(
            z, points.classes, targets,
            dense ? 0 : (npy_int64)*(const index *)at[TARGETS],
            at[UPSTREAM] == NULL ? 0 : *(const real *)at[UPSTREAM],
            (real *)at[LOSS], gradient,
            lo_next_row<real>(points, at, LOGITS),
            lo_next_row<real>(points, at, TARGETS));
    }

    void tile(const lo_points &points, char *const *at, int count,
              real *logits, const real *targets) const
    {
        const npy_intp n = points.classes;
        int target[LO_LANES];
        real m[LO_LANES], mass[LO_LANES], dot[LO_LANES], sum[LO_LANES];
        if (!dense)
            lo_load_points<index>(points, at, TARGETS, count, target);
        if (n == 2)  /* The sum is without its 1 then. */
            weigh_two(logits, targets, target, sum, mass, dot);
        else {
            lo_largest_of_tile(n, logits, m);
            if (!dense)
                pick(n, logits, m, target, mass, dot);
            exponentiate(n, logits, m, targets, sum, mass, dot);
        }
        if (at[LOSS] != NULL) {
            real loss[LO_LANES];
            if (n == 2) {
                #pragma omp simd
                for (int i = 0; i < LO_LANES; i++)
                    loss[i] = mass[i] * log1p_of_fraction(sum[i]) - dot[i];
            } else {
                #pragma omp simd
                for (int i = 0; i < LO_LANES; i++)
                    loss[i] = mass[i] * log_of_large(sum[i]) - dot[i];
            }
            lo_store_points(points, at, LOSS, count, loss);
        }
        if (at[GRADIENT] == NULL)
            return;
        real g[LO_LANES];
        lo_load_points<real>(points, at, UPSTREAM, count, g);
        if (n == 2)
            slope_of_two(logits, targets, target, mass, sum, g);
        else
            slope(n, logits, targets, target, mass, sum, g);
    }

    /* Of class indices, their mass and sum_j t_j u_j. */
    static void pick(npy_intp n, const real *logits, const real *m,
                     const int *target, real *mass, real *dot)
    {
        lo_pick_of_tile(n, logits, target, dot);
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++) {
            mass[i] = 1;
            dot[i] = lo_shift(dot[i], m[i]);
        }
    }

    /* exp(u) in the place of the logits, and its sum; on the way, of dense
     * targets, what pick() says of class indices. */
    static void exponentiate(npy_intp n, real *logits, const real *m,
                             const real *targets, real *sum, real *mass,
                             real *dot)
    {
        lo_sums_of_tile<real> sums, masses, dots;
        for (npy_intp j = 0; j < n; j++) {
            real *column = logits + j * LO_LANES;
            if (dense) {
                const real *t = targets + j * LO_LANES;
                #pragma omp simd
                for (int i = 0; i < LO_LANES; i++) {
                    masses.part[i] += t[i];
                    dots.part[i] += lo_cost(t[i], lo_shift(column[i], m[i]));
                }
                masses.after(j);
                dots.after(j);
            }
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++) {
                column[i] = exp_of_difference(column[i], m[i]);
                sums.part[i] += column[i];
            }
            sums.after(j);
        }
        sums.total(n, sum);
        if (dense) {
            masses.total(n, mass);
            dots.total(n, dot);
        }
    }

    /* Of two classes, with u = -|z_0 - z_1| and the target t of the smaller
     * logit,
     *     loss = mass log(1 + exp(u)) - t u
     * The `rest` of the sum is all but the 1. In two loops: in one, the
     * compiler computes what follows a choice for each of its outcomes. */
    static void weigh_two(const real *logits, const real *targets,
                          const int *target, real *rest, real *mass,
                          real *dot)
    {
        const real *others = logits + LO_LANES;
        real u[LO_LANES];
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++) {
            const real t = given(1, 0, i, targets, target);
            const real of_other = given(1, 1, i, targets, target);
            const real apart = -fabs(logits[i] - others[i]);
            u[i] = logits[i] == others[i] ? 0 : apart;
            mass[i] = dense ? t + of_other : 1;
            dot[i] = lo_cost(logits[i] < others[i] ? t : of_other, u[i]);
        }
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            rest[i] = exp_of_negative(u[i]);
    }

    /* The gradient in the place of two logits. */
    static void slope_of_two(real *logits, const real *targets,
                             const int *target, const real *mass,
                             const real *rest, const real *g)
    {
        real *others = logits + LO_LANES;
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++) {
            const real large = g[i] * (mass[i] / (1 + rest[i]));
            const real small = rest[i] * large;
            const bool less = logits[i] < others[i];
            logits[i] = (less ? small : large)
                        - given(g[i], 0, i, targets, target);
            others[i] = (less ? large : small)
                        - given(g[i], 1, i, targets, target);
        }
    }

    /* g t_j of a data point of a tile. */
    static LO_METHOD real given(real g, int j, int i, const real *targets,
                                const int *target)
    {
        return dense ? g * targets[(npy_intp)j * LO_LANES + i]
                     : j == target[i] ? g : 0;
    }

    /* The gradient in the place of exp(u). */
    void slope(npy_intp n, real *tile, const real *targets, const int *target,
               const real *mass, const real *sum, const real *g) const
    {
        real scale[LO_LANES];
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            scale[i] = g[i] * (mass[i] / sum[i]);
        for (int j = 0; j < n; j++) {
            real *column = tile + (npy_intp)j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                column[i] = column[i] * scale[i]
                            - given(g[i], j, i, targets, target);
        }
    }
};

/* The same where the logits are log-probabilities, to be taken as they are:
 *     loss     = -sum_j t_j z_j
 *     gradient = -g t
 */
template <typename element, typename index, bool dense>
struct lo_torn_points : lo_kernel_of_rows {
    typedef element real;
    enum { LOGITS, TARGETS, UPSTREAM, LOSS, GRADIENT };

    int second() const { return dense ? (int)TARGETS : -1; }
    int result() const { return GRADIENT; }

    void row(const lo_points &points, char *const *at, const real *z,
             const real *targets, real *gradient) const
    {
        const npy_intp n = points.classes;
        const npy_intp target = dense ? 0 : (npy_intp)*(const index *)
                                            at[TARGETS];
        if (at[LOSS] != NULL) {
            double dot = dense ? 0 : z[target];
            for (npy_intp j = 0; dense && j < n; j++)
                dot += lo_cost(targets[j], z[j]);
            *(real *)at[LOSS] = (real)-dot;
        }
        if (gradient == NULL)
            return;
        const real g = *(const real *)at[UPSTREAM];
        for (npy_intp j = 0; j < n; j++)
            gradient[j] = dense ? -g * targets[j] : 0;
        if (!dense)
            gradient[target] = -g;
    }
};

/* What works on rows that may be torn: nothing else where `known` to be whole,
 * and nothing else to compile. */
template <typename real, typename index, bool dense, bool known>
struct lo_if_torn { typedef lo_torn_points<real, index, dense> kernel; };

template <typename real, typename index, bool dense>
struct lo_if_torn<real, index, dense, true> {
    typedef lo_softmax_points<real, index, dense> kernel;
};

/* `upstream` and `gradient` are NULL for the value alone, `loss` is NULL for
 * the gradient alone. `upstream` may be `one` number for all data points.
 * `whole` is true where rows are `known` to be whole. `inplace` lets the
 * gradient take the place of z. */
template <typename real, typename index, bool dense, bool known>
static int softmax_crossentropy(int axis, PyArrayObject *z,
                                PyArrayObject *targets,
                                PyArrayObject *upstream, bool one,
                                bool whole,
                                PyArrayObject **loss,
                                PyArrayObject **gradient, bool inplace)
{
    typedef lo_softmax_points<real, index, dense> kernel;
    if (dense ? lo_check_shape(z, targets, -1, "targets")
              : lo_check_classes<index>(z, axis, targets))
        return -1;
    if ((upstream && !one &&
         lo_check_shape(z, upstream, axis, "gradients")) ||
        (loss && lo_prepare_points(loss, z, axis, lo_type<real>::number)) ||
        (gradient && lo_prepare_like(gradient, z, inplace)))
        return -1;
    lo_points points;
    lo_begin(&points, z, axis);
    lo_add(&points, kernel::TARGETS, targets, dense ? axis : -1);
    if (one)
        points.data[kernel::UPSTREAM] = (char *)PyArray_DATA(upstream);
    else
        lo_add(&points, kernel::UPSTREAM, upstream, -1);
    lo_add(&points, kernel::LOSS, loss ? *loss : NULL, -1);
    lo_add(&points, kernel::GRADIENT, gradient ? *gradient : NULL, axis);
    typedef typename lo_if_torn<real, index, dense, known>::kernel torn;
    if (!known && !whole)
        return lo_sweep_points(torn(), &points);
    return lo_sweep_points(kernel(), &points);
}
