/* How many classes of every data point rank before the target's class. */

/* The rank of a data point that cannot be right. */
static const npy_int64 LO_NEVER = NPY_MAX_INT64;

/* Integers as wide as the numbers they count: they fill as many registers. */
template <typename real> struct lo_count;
template <> struct lo_count<npy_float32> { typedef npy_int32 type; };
template <> struct lo_count<npy_float64> { typedef npy_int64 type; };

/* How many classes of a row exceed a score, and how many are not below it: the
 * latter counts equal ones, and NaN, as well. */
template <typename real>
LO_WIDE void lo_compare(const real *z, npy_intp n, real score,
                        npy_int64 *above, npy_int64 *not_below)
{
    typedef typename lo_count<real>::type count;
    count more[LO_LAST] = {0}, rest[LO_LAST] = {0};
    for (npy_intp j = 0; j < n - n % LO_LAST; j += LO_LAST) {
        lo_fetch_ahead(z + j, LO_LAST * sizeof(real));
        #pragma omp simd
        for (int i = 0; i < LO_LAST; i++) {
            /* Choices rather than sums of bools: one masked addition each. */
            more[i] = z[j + i] > score ? more[i] + 1 : more[i];
            rest[i] = z[j + i] < score ? rest[i] : rest[i] + 1;
        }
    }
    const real *last = z + n - LO_LAST;
    npy_int64 all_more = 0, all_rest = 0;
    #pragma omp simd reduction(+:all_more,all_rest)
    for (int i = 0; i < LO_LAST; i++) {
        const bool is_new = lo_is_new(n, i);
        all_more += (is_new & (last[i] > score)) ? more[i] + 1 : more[i];
        all_rest += (is_new & !(last[i] < score)) ? rest[i] + 1 : rest[i];
    }
    *above = all_more;
    *not_below = all_rest;
}

template <typename element, typename index>
struct lo_rank_points : lo_kernel {
    typedef element real;
    typedef typename lo_count<real>::type integer;
    enum { VALUES, INDICES, RANK };

    void tile(const lo_points &points, char *const *at, int count,
              const real *z, const real *) const
    {
        const npy_intp n = points.classes;
        npy_int64 named[LO_LANES], ranks[LO_LANES];
        real score[LO_LANES];
        int target[LO_LANES];
        integer above[LO_LANES] = {0}, not_below[LO_LANES] = {0};
        lo_load_points<index>(points, at, INDICES, count, named);
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            target[i] = ((named[i] >= 0) & (named[i] < n)) ? (int)named[i]
                                                           : -1;
        lo_pick_of_tile(n, z, target, score);
        for (npy_intp j = 0; j < n; j++) {
            const real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++) {
                above[i] = column[i] > score[i] ? above[i] + 1 : above[i];
                not_below[i] = column[i] < score[i] ? not_below[i]
                                                    : not_below[i] + 1;
            }
        }
        int equals = 0;
        #pragma omp simd reduction(|:equals)
        for (int i = 0; i < LO_LANES; i++) {
            const bool names = target[i] >= 0;
            /* Of one class, NaN is as large as itself only. */
            equals |= names & ((not_below[i] != above[i] + 1) |
                               (score[i] != score[i]));
            ranks[i] = names ? (npy_int64)above[i] : LO_NEVER;
        }
        lo_store_points(points, at, RANK, count, ranks);
        if (equals)
            tile_among_equals(points, at, count, z, score, target);
    }

    /* Where other classes are as large as a target, or NaN. */
    static void tile_among_equals(const lo_points &points, char *const *at,
                                  int count, const real *z, const real *score,
                                  const int *target)
    {
        integer before[LO_LANES] = {0}, nan[LO_LANES] = {0};
        for (int j = 0; j < points.classes; j++) {
            const real *column = z + (npy_intp)j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++) {
                before[i] += (column[i] > score[i]) |
                             ((column[i] == score[i]) & (j < target[i]));
                nan[i] |= column[i] != column[i];
            }
        }
        for (int i = 0; i < count; i++)
            lo_point<npy_int64>(points, at, RANK, i) =
                nan[i] || target[i] < 0 ? LO_NEVER : before[i];
    }

    void row(const lo_points &points, char *const *at, const real *z,
             const real *, real *) const
    {
        const npy_intp classes = points.classes;
        const npy_int64 target = (npy_int64)*(const index *)at[INDICES];
        npy_int64 *rank = (npy_int64 *)at[RANK];
        *rank = LO_NEVER;
        if (target < 0 || target >= classes)
            return;
        npy_int64 above, not_below;
        lo_compare(z, classes, z[target], &above, &not_below);
        if (not_below == above + 1)
            *rank = above;  /* Only the target itself is as large. */
        else
            *rank = rank_among_equals(z, classes, target);
    }

    /* Where other classes are as large as the target, or NaN. */
    static npy_int64 rank_among_equals(const real *z, npy_intp classes,
                                       npy_int64 target)
    {
        const real score = z[target];
        npy_int64 before = 0;
        int nan = 0;
        #pragma omp simd reduction(+:before) reduction(|:nan)
        for (npy_intp j = 0; j < classes; j++) {
            before += (z[j] > score) | ((z[j] == score) & (j < target));
            nan |= z[j] != z[j];
        }
        return nan ? LO_NEVER : before;
    }
};

template <typename real, typename index>
static int target_rank(int axis, PyArrayObject *values,
                       PyArrayObject *indices, PyArrayObject **ranks)
{
    typedef lo_rank_points<real, index> kernel;
    if (lo_check_shape(values, indices, axis, "class indices") ||
        lo_prepare_points(ranks, values, axis, NPY_INT64))
        return -1;
    lo_points points;
    lo_begin(&points, values, axis);
    lo_add(&points, kernel::INDICES, indices, -1);
    lo_add(&points, kernel::RANK, *ranks, -1);
    return lo_sweep_points(kernel(), &points);
}
