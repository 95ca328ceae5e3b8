/* How many classes of every row rank before the target's class. */

/* The rank of a row that cannot be right. */
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
struct lo_rank_rows {
    typedef element real;
    PyArrayObject *values, *indices;
    npy_int64 *rank;

    void few(npy_intp row, int rows) const
    {
        const npy_intp classes = PyArray_DIM(values, 1);
        real z[LO_FEW * LO_ROWS], score[LO_ROWS] = {0};
        int target[LO_ROWS] = {0}, before[LO_ROWS] = {0}, nan[LO_ROWS] = {0};
        lo_load_tile(values, row, rows, z);
        for (int i = 0; i < rows; i++) {
            const npy_int64 j = lo_class<index>(indices, row + i);
            target[i] = j >= 0 && j < classes ? j : -1;
            if (target[i] >= 0)
                score[i] = z[j * LO_ROWS + i];
        }
        for (int j = 0; j < classes; j++) {
            const real *column = z + j * LO_ROWS;
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++) {
                before[i] += (column[i] > score[i]) |
                             ((column[i] == score[i]) & (j < target[i]));
                nan[i] |= column[i] != column[i];
            }
        }
        for (int i = 0; i < rows; i++)
            rank[row + i] = nan[i] || target[i] < 0 ? LO_NEVER : before[i];
    }

    void many(npy_intp row, real *scratch) const
    {
        const npy_intp classes = PyArray_DIM(values, 1);
        const npy_int64 target = lo_class<index>(indices, row);
        rank[row] = LO_NEVER;
        if (target < 0 || target >= classes)
            return;
        const real *z = lo_row(values, row, scratch);
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
            rank[row] = before;
    }
};

template <typename real, typename index>
static int target_rank(PyArrayObject *values, PyArrayObject *indices,
                       PyArrayObject **ranks)
{
    const npy_intp *shape = PyArray_DIMS(values);
    if (lo_check_length(values, indices) ||
        lo_prepare(ranks, 1, shape, NPY_INT64))
        return -1;
    const lo_rank_rows<real, index> work = {
        values, indices, (npy_int64 *)PyArray_DATA(*ranks)};
    return lo_sweep_rows(work, shape[0], shape[1]);
}
