/* The log-odds of each class of a softmax, and their gradient.
 *
 * With the largest logit m, at class l, the odds of another class j are
 * exp(z_j - m) / rest_j, rest_j = sum_{k != j} exp(z_k - m) >= 1. Those of l
 * itself are taken relative to the second largest: no difference of nearly
 * equal numbers is ever formed. In double, whatever the type of the logits.
 */

struct lo_shares {
    npy_intp largest;
    double top, second;  /* the largest logit and the second largest */
    double sum, below;   /* of exp(z - top), and of exp(z - second) but l's */
};

/* exp(z - second) of a class that is not the largest. */
LO_INLINE double lo_below(double z, double second)
{
    return z == -INFINITY ? 0 : exp_of_negative(z - second);
}

/* Add the classes of a range in which the largest is not. */
template <typename real>
LO_INLINE void lo_add_shares(const real *z, npy_intp from, npy_intp to,
                             lo_shares *shares)
{
    const double top = shares->top, second = shares->second;
    for (npy_intp start = from; start < to; start += LO_BLOCK) {
        const npy_intp stop = lo_block_end(start, to);
        double sum = 0, below = 0;
        #pragma omp simd reduction(+:sum,below)
        for (npy_intp j = start; j < stop; j++) {
            sum += exp_of_negative(z[j] - top);
            below += lo_below(z[j], second);
        }
        shares->sum += sum;
        shares->below += below;
    }
}

template <typename real>
static lo_shares lo_share(const real *z, npy_intp n)
{
    lo_shares shares = {0, 0, -INFINITY, 0, 0};
    npy_intp largest = 0;
    /* As NumPy finds it: the first NaN if there is one. */
    for (npy_intp j = 1; j < n && z[largest] == z[largest]; j++)
        largest = z[j] <= z[largest] ? largest : j;
    shares.largest = largest;
    shares.top = z[largest];
    for (npy_intp j = 0; j < n; j++)
        if (j != largest && z[j] > shares.second)
            shares.second = z[j];
    shares.sum = exp_of_negative(shares.top - shares.top);
    lo_add_shares(z, 0, largest, &shares);
    lo_add_shares(z, largest + 1, n, &shares);
    return shares;
}

/* The log-odds of one data point. `upstream` is not read. */
struct lo_log_odds {
    template <typename real>
    static void one(const real *z, const real *, npy_intp n, real *result)
    {
        const lo_shares shares = lo_share(z, n);
        const double top = shares.top, sum = shares.sum;
        #pragma omp simd
        for (npy_intp j = 0; j < n; j++) {
            const double u = z[j] - top;
            result[j] = (real)(u - log_of_large(sum - exp_of_negative(u)));
        }
        result[shares.largest] = (real)((top - shares.second)
                                        - log(shares.below));
    }
};

/* g_k - sum_{j != k} (g_j / rest_j) exp(z_k), relative to what rest_j is. */
struct lo_log_odds_gradient {
    template <typename real>
    static void one(const real *z, const real *g, npy_intp n, real *result)
    {
        const lo_shares shares = lo_share(z, n);
        const double top = shares.top, second = shares.second;
        const double sum = shares.sum;
        const npy_intp largest = shares.largest;
        const double of_largest = g[largest] / shares.below;
        double total = 0;
        for (npy_intp from = 0; from < n; from += LO_BLOCK) {
            double part = 0;
            for (npy_intp j = from; j < lo_block_end(from, n); j++)
                if (j != largest)
                    part += g[j] / (sum - exp_of_negative(z[j] - top));
            total += part;
        }
        for (npy_intp j = 0; j < n; j++) {
            const double e = exp_of_negative(z[j] - top);
            const double own = j == largest ? 0 : g[j] / (sum - e);
            const double below = j == largest ? 0 : lo_below(z[j], second);
            result[j] = (real)(g[j] - (e * (total - own) +
                                       (below == 0 ? 0
                                        : below * of_largest)));
        }
    }
};

template <typename element, typename formula>
struct lo_log_odds_points : lo_kernel_of_rows {
    typedef element real;
    enum { LOGITS, UPSTREAM, RESULT };
    bool given;

    explicit lo_log_odds_points(bool given) : given(given) {}

    int second() const { return given ? (int)UPSTREAM : -1; }
    int result() const { return RESULT; }

    void row(const lo_points &points, char *const *, const real *z,
             const real *upstream, real *result) const
    {
        if (points.classes > 0)
            formula::one(z, upstream, points.classes, result);
    }
};

/* `upstream` is NULL for the log-odds themselves. */
template <typename real, typename formula>
static int softmax_log_odds(int axis, PyArrayObject *logits,
                            PyArrayObject *upstream, PyArrayObject **result)
{
    typedef lo_log_odds_points<real, formula> kernel;
    if ((upstream && lo_check_shape(logits, upstream, -1, "gradients")) ||
        lo_prepare_like(result, logits, false))
        return -1;
    lo_points points;
    lo_begin(&points, logits, axis);
    lo_add(&points, kernel::UPSTREAM, upstream, upstream ? axis : -1);
    lo_add(&points, kernel::RESULT, *result, axis);
    return lo_sweep_points(kernel(upstream != NULL), &points);
}
