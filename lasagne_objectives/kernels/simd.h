/* What the C kernels share: elementary functions that the compiler can
 * vectorise, and results.
 *
 * Calls of expf() do not vectorise; inline polynomials do. Nothing here needs
 * (or tolerates) -ffast-math: NaN and infinities are part of the formulas.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define LO_INLINE static inline __attribute__((always_inline))
#define LO_METHOD inline __attribute__((always_inline))

/* exp(x) for x <= 0, to 1 ulp; 0 where the result would be below the smallest
 * normal number; NaN stays.
 *
 * x = n log 2 + r with |r| <= log(2) / 2; adding a large number and taking it
 * away rounds to an integer, and leaves n in the low bits of the sum. */
LO_INLINE float exp_of_negative(float x)
{
    const float large = 12582912.f;
    const float y = x < -87.33654f ? -87.33654f : x;
    const float shifted = y * 1.44269504088896341f + large;
    const float n = shifted - large;
    const float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.f;
    int bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;  /* 2^n */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return x < -87.33654f ? 0.f : p * scale;
}

LO_INLINE double exp_of_negative(double x)
{
    const double large = 6755399441055744.;
    const double y = x < -708.3964 ? -708.3964 : x;
    const double shifted = y * 1.4426950408889634074 + large;
    const double n = shifted - large;
    const double r = (y - n * 6.93147180369123816490e-01)
                     - n * 1.90821492927058770002e-10;
    /* Taylor's polynomial of degree 13: on |r| <= 0.3466 its remainder is
     * below 5e-18. */
    double p = 1. / 6227020800.;
    p = p * r + 1. / 479001600.;
    p = p * r + 1. / 39916800.;
    p = p * r + 1. / 3628800.;
    p = p * r + 1. / 362880.;
    p = p * r + 1. / 40320.;
    p = p * r + 1. / 5040.;
    p = p * r + 1. / 720.;
    p = p * r + 1. / 120.;
    p = p * r + 1. / 24.;
    p = p * r + 1. / 6.;
    p = p * r + 0.5;
    p = (p * r) * r + r + 1.;
    long long bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return x < -708.3964 ? 0. : p * scale;
}

/* log(w) for normal w >= 1, to 1 ulp; NaN stays.
 *
 * w = 2^k m with m in [sqrt(1/2), sqrt(2)); with s = f / (2 + f), f = m - 1,
 * log(m) = f - (f^2 / 2 - s (f^2 / 2 + R(s^2))), where R is the odd series of
 * atanh, fitted. */
LO_INLINE float log_of_large(float w)
{
    int bits;
    memcpy(&bits, &w, sizeof bits);
    bits += 0x3f800000 - 0x3f3504f3;
    const float k = (float)((bits >> 23) - 127);
    bits = (bits & 0x007fffff) + 0x3f3504f3;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float f = m - 1.f;
    const float s = f / (2.f + f);
    const float z = s * s;
    const float R = z * (0.66666662693f + z * (0.40000972152f
                    + z * (0.28498786688f + z * 0.24279078841f)));
    const float half = 0.5f * f * f;
    const float result = k * 6.9313812256e-01f
        - ((half - (s * (half + R) + k * 9.0580006145e-06f)) - f);
    return w == w ? result : w;
}

LO_INLINE double log_of_large(double w)
{
    long long bits;
    memcpy(&bits, &w, sizeof bits);
    bits += 0x3ff0000000000000LL - 0x3fe6a09e00000000LL;
    const double k = (double)((int)(bits >> 52) - 1023);
    bits = (bits & 0x000fffffffffffffLL) + 0x3fe6a09e00000000LL;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double f = m - 1.;
    const double s = f / (2. + f);
    const double z = s * s;
    const double R = z * (6.666666666666735130e-01
        + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01
        + z * (2.222219843214978396e-01 + z * (1.818357216161805012e-01
        + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
    const double half = 0.5 * f * f;
    const double result = k * 6.93147180369123816490e-01
        - ((half - (s * (half + R) + k * 1.90821492927058770002e-10)) - f);
    return w == w ? result : w;
}

/* log(1 + e) for 0 <= e <= 1: what rounding 1 + e loses is added back. Where
 * the sigmoid e / (1 + e) is wanted as well, one division serves both. */
template <typename real>
LO_INLINE real log1p_of_fraction(real e)
{
    const real w = 1 + e;
    return log_of_large(w) + (e - (w - 1)) * (1 / w);
}

/* Sums run in the type of the numbers over so many of them, then in double (in
 * double: so many apart): as fast, and as good for 50 000 classes as for 10. */
enum { LO_BLOCK = 256 };

LO_INLINE npy_intp lo_block_end(npy_intp from, npy_intp to)
{
    return from + LO_BLOCK < to ? from + LO_BLOCK : to;
}

/* Results ----------------------------------------------------------------- */

/* Make `*result` a contiguous array of a shape, or keep it if it is one. */
static int lo_prepare(PyArrayObject **result, int ndim, const npy_intp *shape,
                      int type)
{
    bool keep = *result != NULL && PyArray_IS_C_CONTIGUOUS(*result);
    for (int axis = 0; keep && axis < ndim; axis++)
        keep = PyArray_DIM(*result, axis) == shape[axis];
    if (keep)
        return 0;
    Py_XDECREF(*result);
    *result = (PyArrayObject *)PyArray_SimpleNew(ndim, (npy_intp *)shape,
                                                 type);
    return *result == NULL ? -1 : 0;
}

/* Let `*result` be an array that is there already. */
static inline int lo_pass_on(PyArrayObject *array, PyArrayObject **result)
{
    /* In this order: it may be the same. */
    Py_INCREF(array);
    Py_XDECREF(*result);
    *result = array;
    return 0;
}

template <typename real> struct lo_type;
template <> struct lo_type<npy_float32> { enum { number = NPY_FLOAT32 }; };
template <> struct lo_type<npy_float64> { enum { number = NPY_FLOAT64 }; };
