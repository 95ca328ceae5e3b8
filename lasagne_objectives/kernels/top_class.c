/* The class of the largest value of every data point. */

template <typename element>
struct lo_top_points : lo_kernel {
    typedef element real;
    enum { VALUES, TOP };

    void tile(const lo_points &points, char *const *at, int count,
              const real *z, const real *) const
    {
        const npy_intp n = points.classes;
        real best[LO_LANES];
        int which[LO_LANES] = {0}, nan[LO_LANES] = {0};
        for (int i = 0; i < LO_LANES; i++)
            best[i] = -INFINITY;
        for (int j = 0; j < n; j++) {
            const real *column = z + (npy_intp)j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++) {
                const int better = column[i] > best[i];
                best[i] = better ? column[i] : best[i];
                which[i] = better ? j : which[i];
                nan[i] |= column[i] != column[i];
            }
        }
        npy_int64 tops[LO_LANES];
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            tops[i] = (nan[i] | (n == 0)) ? -1 : which[i];
        lo_store_points(points, at, TOP, count, tops);
    }

    void row(const lo_points &points, char *const *at, const real *z,
             const real *, real *) const
    {
        *(npy_int64 *)at[TOP] = lo_first_of_row(z, points.classes, -1);
    }
};

template <typename real>
static int top_class(int axis, PyArrayObject *values, PyArrayObject **tops)
{
    typedef lo_top_points<real> kernel;
    if (lo_prepare_points(tops, values, axis, NPY_INT64))
        return -1;
    lo_points points;
    lo_begin(&points, values, axis);
    lo_add(&points, kernel::TOP, *tops, -1);
    return lo_sweep_points(kernel(), &points);
}
