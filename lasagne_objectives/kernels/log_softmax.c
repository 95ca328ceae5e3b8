/* The logarithm of the softmax: with the largest logit m, u = z - m and
 * S = sum exp(u) it is u - log(S). */

template <typename element>
struct lo_log_softmax_points : lo_kernel {
    typedef element real;
    enum { LOGITS, RESULT };

    int result() const { return RESULT; }

    void tile(const lo_points &points, char *const *, int, real *z,
              const real *) const
    {
        const npy_intp n = points.classes;
        real m[LO_LANES];
        double sum[LO_LANES] = {0}, log_sum[LO_LANES];
        lo_largest_of_tile(n, z, m);
        for (npy_intp j = 0; j < n; j++) {
            const real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                sum[i] += exp_of_difference(column[i], m[i]);
        }
        for (int i = 0; i < LO_LANES; i++)
            log_sum[i] = log(sum[i]);
        for (npy_intp j = 0; j < n; j++) {
            real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                column[i] = (real)(lo_shift(column[i], m[i]) - log_sum[i]);
        }
    }

    void row(const lo_points &points, char *const *, const real *z,
             const real *, real *result) const
    {
        const npy_intp n = points.classes;
        const real m = lo_largest_of_row(z, n);
        double sum = 0;
        for (npy_intp from = 0; from < n; from += LO_BLOCK) {
            const npy_intp to = lo_block_end(from, n);
            double part = 0;
            #pragma omp simd reduction(+:part)
            for (npy_intp j = from; j < to; j++)
                part += exp_of_difference(z[j], m);
            sum += part;
        }
        const double log_sum = log(sum);
        #pragma omp simd
        for (npy_intp j = 0; j < n; j++)
            result[j] = (real)(lo_shift(z[j], m) - log_sum);
    }
};

template <typename real>
static int log_softmax(int axis, PyArrayObject *logits,
                       PyArrayObject **result)
{
    typedef lo_log_softmax_points<real> kernel;
    if (lo_prepare_like(result, logits, false))
        return -1;
    lo_points points;
    lo_begin(&points, logits, axis);
    lo_add(&points, kernel::RESULT, *result, axis);
    return lo_sweep_points(kernel(), &points);
}
