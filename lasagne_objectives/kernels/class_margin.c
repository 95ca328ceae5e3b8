/* By how much the best wrong class of every row beats the right one. */

/* The largest of z[from:to] and of `largest`, and whether one is NaN. */
template <typename real>
LO_INLINE void lo_largest(const real *z, npy_intp from, npy_intp to,
                          real *largest, int *nan)
{
    real m = *largest;
    int found = *nan;
    #pragma omp simd reduction(max:m) reduction(|:found)
    for (npy_intp j = from; j < to; j++) {
        m = z[j] > m ? z[j] : m;
        found |= z[j] != z[j];
    }
    *largest = m;
    *nan = found;
}

/* Only the block that the largest was found in is searched for its class. */
enum { LO_SEARCHED = 128 };

template <typename element, typename index>
struct lo_margin_rows {
    typedef element real;
    PyArrayObject *values, *indices;
    real *margin;
    npy_int64 *rival;

    void few(npy_intp row, int rows) const
    {
        const npy_intp classes = PyArray_DIM(values, 1);
        real z[LO_FEW * LO_ROWS], best[LO_ROWS];
        int target[LO_ROWS] = {0}, which[LO_ROWS], nan[LO_ROWS] = {0};
        lo_load_tile(values, row, rows, z);
        for (int i = 0; i < rows; i++)
            target[i] = lo_class<index>(indices, row + i);
        for (int i = 0; i < LO_ROWS; i++) {
            best[i] = -INFINITY;
            /* The lowest of others that are all -inf, if there is one. */
            which[i] = classes < 2 ? -1 : target[i] == 0;
        }
        for (int j = 0; j < classes; j++) {
            const real *column = z + j * LO_ROWS;
            #pragma omp simd
            for (int i = 0; i < LO_ROWS; i++) {
                const int wrong = j != target[i];
                const int better = wrong & (column[i] > best[i]);
                best[i] = better ? column[i] : best[i];
                which[i] = better ? j : which[i];
                nan[i] |= wrong & (column[i] != column[i]);
            }
        }
        for (int i = 0; i < rows; i++) {
            margin[row + i] = best[i] - z[target[i] * LO_ROWS + i];
            rival[row + i] = which[i];
        }
        for (int i = 0; i < rows; i++)
            if (nan[i])
                blame_nan(z + i, LO_ROWS, target[i], row + i);
    }

    void many(npy_intp row, real *scratch) const
    {
        const npy_intp classes = PyArray_DIM(values, 1);
        const npy_intp target = lo_class<index>(indices, row);
        const real *z = lo_row(values, row, scratch);
        real best = -INFINITY;
        npy_intp j = 0;
        int nan = 0;
        for (npy_intp from = 0; from < classes; from += LO_SEARCHED) {
            const npy_intp to = from + LO_SEARCHED < classes
                                ? from + LO_SEARCHED : classes;
            const npy_intp before = target < from ? from
                                    : target < to ? target : to;
            const npy_intp after = target < from || target >= to
                                   ? before : target + 1;
            real largest = -INFINITY;
            lo_largest(z, from, before, &largest, &nan);
            lo_largest(z, after, to, &largest, &nan);
            if (largest > best) {
                best = largest;
                j = from;
            }
        }
        if (nan) {
            blame_nan(z, 1, target, row);
            return;
        }
        while (z[j] != best || j == target)
            j++;
        margin[row] = best - z[target];
        rival[row] = j;
    }

    /* The first wrong class that is NaN is the rival. */
    void blame_nan(const real *z, npy_intp step, npy_intp target,
                   npy_intp row) const
    {
        npy_intp j = 0;
        while (z[j * step] == z[j * step] || j == target)
            j++;
        margin[row] = NAN;
        rival[row] = j;
    }
};

template <typename real, typename index>
static int class_margin(PyArrayObject *values, PyArrayObject *indices,
                        PyArrayObject **margins, PyArrayObject **rivals)
{
    const npy_intp *shape = PyArray_DIMS(values);
    if (lo_check_classes<index>(values, indices) ||
        lo_prepare(margins, 1, shape, lo_type<real>::number) ||
        lo_prepare(rivals, 1, shape, NPY_INT64))
        return -1;
    const lo_margin_rows<real, index> work = {
        values, indices, (real *)PyArray_DATA(*margins),
        (npy_int64 *)PyArray_DATA(*rivals)};
    return lo_sweep_rows(work, shape[0], shape[1]);
}
