/* The logarithm of the softmax: with the largest logit m, u = z - m and
 * S = sum exp(u) it is u - log(S). */

/* z - m, where equal infinities differ by 0. */
template <typename real>
LO_INLINE real lo_shift(real z, real m)
{
    return z == m ? 0 : z - m;
}

template <typename element>
struct lo_log_softmax_points {
    typedef element real;
    enum { LOGITS, RESULT };

    void tile(const lo_points &points, char *const *at, int count,
              real *z) const
    {
        const npy_intp n = points.classes;
        real m[LO_LANES];
        double sum[LO_LANES] = {0}, log_sum[LO_LANES];
        lo_load_tile(points, at, LOGITS, count, z);
        for (int i = 0; i < LO_LANES; i++)
            m[i] = -INFINITY;
        for (npy_intp j = 0; j < n; j++) {
            const real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                m[i] = column[i] > m[i] ? column[i] : m[i];
        }
        for (npy_intp j = 0; j < n; j++) {
            const real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                sum[i] += exp_of_negative(lo_shift(column[i], m[i]));
        }
        for (int i = 0; i < LO_LANES; i++)
            log_sum[i] = log(sum[i]);
        for (npy_intp j = 0; j < n; j++) {
            real *column = z + j * LO_LANES;
            #pragma omp simd
            for (int i = 0; i < LO_LANES; i++)
                column[i] = (real)(lo_shift(column[i], m[i]) - log_sum[i]);
        }
        lo_store_tile(points, at, RESULT, count, z);
    }

    void row(const lo_points &points, char *const *at, real *scratch) const
    {
        const npy_intp n = points.classes;
        const real *z = lo_load_row(points, at, LOGITS, scratch);
        real *result = lo_place_row(points, at, RESULT, scratch + n);
        real m = -INFINITY;
        double sum = 0;
        #pragma omp simd reduction(max:m)
        for (npy_intp j = 0; j < n; j++)
            m = z[j] > m ? z[j] : m;
        for (npy_intp from = 0; from < n; from += LO_BLOCK) {
            const npy_intp to = lo_block_end(from, n);
            double part = 0;
            #pragma omp simd reduction(+:part)
            for (npy_intp j = from; j < to; j++)
                part += exp_of_negative(lo_shift(z[j], m));
            sum += part;
        }
        const double log_sum = log(sum);
        #pragma omp simd
        for (npy_intp j = 0; j < n; j++)
            result[j] = (real)(lo_shift(z[j], m) - log_sum);
        lo_store_row(points, at, RESULT, result);
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
