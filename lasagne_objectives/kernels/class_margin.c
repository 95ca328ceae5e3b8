/* By how much the best wrong class of every data point beats the right one. */

template <typename element, typename index>
struct lo_margin_points : lo_kernel {
    typedef element real;
    enum { VALUES, INDICES, MARGIN, RIVAL };
    enum { few = 800 };

    void tile(const lo_points &points, char *const *at, int count,
              const real *z, const real *) const
    {
        const npy_intp n = points.classes;
        real best[LO_LANES], right[LO_LANES], margin[LO_LANES];
        npy_int64 rival[LO_LANES];
        int target[LO_LANES], which[LO_LANES], nan[LO_LANES] = {0};
        lo_load_points<index>(points, at, INDICES, count, target);
        for (int i = 0; i < LO_LANES; i++) {
            best[i] = -INFINITY;
            /* The lowest of others that are all -inf, if there is one. */
            which[i] = n < 2 ? -1 : target[i] == 0;
        }
        for (int j = 0; j < n; j++) {
            const real *column = z + (npy_intp)j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++) {
                const int wrong = j != target[i];
                const int better = wrong & (column[i] > best[i]);
                best[i] = better ? column[i] : best[i];
                which[i] = better ? j : which[i];
                nan[i] |= wrong & (column[i] != column[i]);
            }
        }
        lo_pick_of_tile(n, z, target, right);
        int any = 0;
        #pragma omp simd reduction(|:any)
        for (int i = 0; i < LO_LANES; i++) {
            margin[i] = best[i] - right[i];
            rival[i] = which[i];
            any |= nan[i];
        }
        lo_store_points(points, at, MARGIN, count, margin);
        lo_store_points(points, at, RIVAL, count, rival);
        for (int i = 0; any && i < count; i++)
            if (nan[i])
                blame_nan(points, at, z + i, LO_LANES, target[i], i);
    }

    void row(const lo_points &points, char *const *at, const real *z,
             const real *, real *) const
    {
        const npy_intp target = (npy_intp)*(const index *)at[INDICES];
        const npy_int64 rival = lo_first_of_row(z, points.classes, target);
        if (rival < 0)
            blame_nan(points, at, z, 1, target, 0);
        else
            write(points, at, 0, z[rival] - z[target], rival);
    }

    /* The first wrong class that is NaN is the rival. */
    static void blame_nan(const lo_points &points, char *const *at,
                          const real *z, npy_intp step, npy_intp target,
                          int i)
    {
        npy_intp j = 0;
        while (z[j * step] == z[j * step] || j == target)
            j++;
        write(points, at, i, NAN, j);
    }

    static void write(const lo_points &points, char *const *at, int i,
                      real margin, npy_int64 rival)
    {
        lo_point<real>(points, at, MARGIN, i) = margin;
        lo_point<npy_int64>(points, at, RIVAL, i) = rival;
    }
};

template <typename real, typename index>
static int class_margin(int axis, PyArrayObject *values,
                        PyArrayObject *indices, PyArrayObject **margins,
                        PyArrayObject **rivals)
{
    typedef lo_margin_points<real, index> kernel;
    if (lo_check_classes<index>(values, axis, indices) ||
        lo_prepare_points(margins, values, axis, lo_type<real>::number) ||
        lo_prepare_points(rivals, values, axis, NPY_INT64))
        return -1;
    lo_points points;
    lo_begin(&points, values, axis);
    lo_add(&points, kernel::INDICES, indices, -1);
    lo_add(&points, kernel::MARGIN, *margins, -1);
    lo_add(&points, kernel::RIVAL, *rivals, -1);
    return lo_sweep_points(kernel(), &points);
}
