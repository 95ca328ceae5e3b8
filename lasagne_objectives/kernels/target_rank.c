/* How many classes of every data point rank before the target's class. */

/* The rank of a data point that cannot be right. */
static const npy_int64 LO_NEVER = NPY_MAX_INT64;

/* Classes that rank before a score: those that exceed it, among `lower` ones
 * also those that equal it. */
template <typename real>
LO_INLINE int lo_count_before(const real *z, npy_intp from, npy_intp to,
                              real score, bool lower, int *nan)
{
    int before = 0, found = *nan;
    #pragma omp simd reduction(+:before) reduction(|:found)
    for (npy_intp j = from; j < to; j++) {
        /* Choices rather than sums of bools: one masked addition each. */
        const bool first = lower ? z[j] >= score : z[j] > score;
        before = first ? before + 1 : before;
        found = z[j] != z[j] ? 1 : found;
    }
    *nan = found;
    return before;
}

template <typename element, typename index>
struct lo_rank_points : lo_kernel {
    typedef element real;
    enum { VALUES, INDICES, RANK };

    void tile(const lo_points &points, char *const *at, int count,
              const real *z, const real *) const
    {
        const npy_intp n = points.classes;
        real score[LO_LANES] = {0};
        int target[LO_LANES] = {0}, before[LO_LANES] = {0},
            nan[LO_LANES] = {0};
        for (int i = 0; i < count; i++) {
            const npy_int64 j = target_of(points, at, i);
            target[i] = (int)j;
            if (j >= 0)
                score[i] = z[j * LO_LANES + i];
        }
        for (int j = 0; j < n; j++) {
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
        const npy_int64 target = target_of(points, at, 0);
        npy_int64 *rank = (npy_int64 *)at[RANK];
        *rank = LO_NEVER;
        if (target < 0)
            return;
        npy_int64 before = 0;
        int nan = 0;
        /* Blocks that an int can count. */
        for (npy_intp from = 0; from < classes; from += 1 << 20) {
            const npy_intp to = from + (1 << 20) < classes
                                ? from + (1 << 20) : classes;
            const npy_intp middle = target < from ? from
                                    : target < to ? target : to;
            before += lo_count_before(z, from, middle, z[target], true, &nan);
            before += lo_count_before(z, middle, to, z[target], false, &nan);
        }
        if (!nan)
            *rank = before;
    }

    /* The index of a data point's class, -1 if it names none. */
    static npy_int64 target_of(const lo_points &points, char *const *at,
                               int i)
    {
        const npy_int64 j = (npy_int64)lo_point<index>(points, at, INDICES,
                                                       i);
        return j >= 0 && j < points.classes ? j : -1;
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
