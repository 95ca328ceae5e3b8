/* What the C kernels share: elementary functions that the compiler can
 * vectorise.
 *
 * Calls of expf() do not vectorise; inline polynomials do. Nothing here needs
 * (or tolerates) -ffast-math: NaN and infinities are part of the formulas.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LO_INLINE static inline __attribute__((always_inline))
#define LO_METHOD inline __attribute__((always_inline))

/* Of a function whose time goes to arithmetic: GCC uses half of a register of
 * 512 bits where nothing says otherwise. Not for tiles, which are read as soon
 * as halves of them have been written. */
#if defined(__AVX512F__) && !defined(__clang__) && __GNUC__ >= 8
#define LO_WIDE __attribute__((noinline, target("prefer-vector-width=512")))
#else
#define LO_WIDE
#endif

/* Have memory fetched that is read soon. The processor does so by itself, but
 * not beyond a page: a loop that computes long for every number reaches the
 * next one late, and waits there. What is beyond an array does no harm. */
LO_INLINE void lo_fetch(const void *from, npy_intp size)
{
#ifdef __GNUC__
    for (npy_intp at = 0; at < size; at += 64)
        __builtin_prefetch((const char *)from + at);
#endif
}

/* Have memory fetched that is read later: a loop that only compares is as fast
 * as the memory, and the processor does not look far enough ahead. */
enum { LO_AHEAD = 8192 };

LO_INLINE void lo_fetch_ahead(const void *from, npy_intp size)
{
    lo_fetch((const char *)from + LO_AHEAD, size);
}

/* Not less than what lo_exp_within() is 0 of. NaN stays. */
LO_INLINE float lo_above_least(float x) { return x < -88.f ? -88.f : x; }
LO_INLINE double lo_above_least(double x) { return x < -709. ? -709. : x; }

/* exp(x) for x <= 0 that is not below that least, to 1.1 ulp; NaN stays.
 *
 * x = n log 2 + r with |r| <= log(2) / 2; adding a large number and taking it
 * away rounds to an integer, and leaves n in the low bits of the sum. Where 2^n
 * is no normal number its bits come out as those of 0; just above that, results
 * are denormal.
 *
 * exp(r) = 1 + r + r^2 p(r), where p is interpolated at Chebyshev's points. */
LO_INLINE float lo_exp_within(float x)
{
    const float large = 12582912.f;
    const float shifted = x * 1.44269504088896341f + large;
    const float n = shifted - large;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    /* Off by 1.1e-8 of exp(r), where rounding may be by 6e-8. */
    float p = 1.3926184e-3f;
    p = p * r + 8.363179e-3f;
    p = p * r + 4.1666556e-2f;
    p = p * r + 1.6666576e-1f;
    p = p * r + 0.5f;
    p = (p * r) * r + r + 1.f;
    unsigned bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;  /* 2^n */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

LO_INLINE double lo_exp_within(double x)
{
    const double large = 6755399441055744.;
    const double shifted = x * 1.4426950408889634074 + large;
    const double n = shifted - large;
    const double r = (x - n * 6.93147180369123816490e-01)
                     - n * 1.90821492927058770002e-10;
    /* Off by 1.6e-17. */
    double p = 2.510038549551032e-08;
    p = p * r + 2.7620088445409746e-07;
    p = p * r + 2.7557268459997064e-06;
    p = p * r + 2.4801521295954376e-05;
    p = p * r + 1.9841269863053618e-04;
    p = p * r + 1.3888888917213717e-03;
    p = p * r + 8.333333333330062e-03;
    p = p * r + 4.166666666662413e-02;
    p = p * r + 1.6666666666666669e-01;
    p = p * r + 0.5000000000000001;
    p = (p * r) * r + r + 1.;
    unsigned long long bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* exp(x) for x <= 0. */
template <typename real>
LO_INLINE real exp_of_negative(real x)
{
    return lo_exp_within(lo_above_least(x));
}

/* exp(z - m) for z <= m, where equal infinities differ by 0. In this order:
 * where what is to be done depends on whether they are equal, the compiler has
 * a constant for that, and chooses four times rather than once. */
template <typename real>
LO_INLINE real exp_of_difference(real z, real m)
{
    const real y = lo_above_least(z - m);
    return lo_exp_within(z == m ? 0 : y);
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

/* The odd series of atanh beyond its first term: with z = s^2 <= 1/9 it is
 * 2 (atanh(s) / s - 1), interpolated at Chebyshev's points. */
LO_INLINE float series_of_atanh(float z)
{
    return z * (0.66666667320527f + z * (0.39999706331930f
        + z * (0.28592357994303f + z * (0.21706575800880f
        + z * 0.23224329224023f))));
}

LO_INLINE double series_of_atanh(double z)
{
    return z * (6.66666666666666586e-01 + z * (4.00000000000145827e-01
        + z * (2.85714285671087572e-01 + z * (2.22222227174278630e-01
        + z * (1.81817894361328582e-01 + z * (1.53855700649586231e-01
        + z * (1.33141442096549362e-01 + z * (1.20010728095907125e-01
        + z * (8.80073848614467388e-02
        + z * 1.61640456119435322e-01)))))))));
}

/* log(1 + e) for 0 <= e <= 1, to 1.4 ulp: as in log_of_large(), but the
 * fraction needs no other scale. */
template <typename real>
LO_INLINE real log1p_of_fraction(real e)
{
    const real s = e / (2 + e);
    const real half = (real)0.5 * e * e;
    return e - (half - s * (half + series_of_atanh(s * s)));
}

/* Sums run in the type of the numbers over so many of them, then in double (in
 * double: so many apart): as fast, and as good for 50 000 classes as for 10. */
enum { LO_BLOCK = 256 };

LO_INLINE npy_intp lo_block_end(npy_intp from, npy_intp to)
{
    return from + LO_BLOCK < to ? from + LO_BLOCK : to;
}

/* The last numbers of a row rarely fill a register, and GCC has those that do
 * not computed one by one. So loops over rows (of that many classes at least)
 * go over multiples of LO_LAST, and the end is read as LO_LAST numbers once
 * more: some of them have been seen, the last `n % LO_LAST` have not. */
enum { LO_LAST = 16 };

LO_INLINE bool lo_is_new(npy_intp n, int i)
{
    return i >= LO_LAST - (int)(n % LO_LAST);
}

/* Where the reduction to a maximum begins is the compiler's choice. clang's is
 * the lowest finite number: what comes out as that may be -inf. */
LO_INLINE bool lo_is_lowest(float x) { return x == -FLT_MAX; }
LO_INLINE bool lo_is_lowest(double x) { return x == -DBL_MAX; }

/* The largest of the numbers of a row; NaN loses. */
template <typename real>
LO_INLINE real lo_largest_of_row(const real *z, npy_intp n)
{
    real m = -INFINITY;
    #pragma omp simd reduction(max:m)
    for (npy_intp j = 0; j < n - n % LO_LAST; j++)
        m = z[j] > m ? z[j] : m;
    const real *last = z + n - LO_LAST;
    #pragma omp simd reduction(max:m)
    for (int i = 0; i < LO_LAST; i++)
        m = last[i] > m ? last[i] : m;
    if (lo_is_lowest(m)) {
        m = -INFINITY;
        for (npy_intp j = 0; j < n; j++)
            m = z[j] > m ? z[j] : m;
    }
    return m;
}

/* Only the block that the largest was found in is searched for its place. */
enum { LO_SEARCHED = 128 };

/* The largest of some numbers of a row but number `but`, and whether one of
 * them is NaN. */
template <bool all, typename real>
LO_INLINE void lo_largest_of(const real *z, int n, int but, real *largest,
                             int *nan)
{
    real m = -INFINITY;
    int found = 0;
    #pragma omp simd reduction(max:m) reduction(|:found)
    for (int i = 0; i < n; i++) {
        const real x = all || i != but ? z[i] : -INFINITY;
        m = x > m ? x : m;
        found |= x != x;
    }
    if (lo_is_lowest(m)) {
        m = -INFINITY;
        for (int i = 0; i < n; i++)
            m = (all || i != but) && z[i] > m ? z[i] : m;
    }
    *largest = m;
    *nan |= found;
}

/* The first of the largest numbers of a row but number `but` (-1: of all); -1
 * if one of them is NaN. */
template <typename real>
LO_WIDE npy_int64 lo_first_of_row(const real *z, npy_intp n, npy_int64 but)
{
    real best = -INFINITY;
    npy_intp place = 0;
    int nan = 0;
    const int size = n < LO_SEARCHED ? (int)n : LO_SEARCHED;
    for (npy_intp from = 0; from < n; from += size) {
        /* The last block begins before the end of the one before it: what it
         * shares with that cannot exceed what was found. */
        const npy_intp start = from + size <= n ? from : n - size;
        real largest;
        lo_fetch_ahead(z + from, size * sizeof(real));
        if (but >= start && but < start + size)
            lo_largest_of<false>(z + start, size, (int)(but - start),
                                 &largest, &nan);
        else
            lo_largest_of<true>(z + start, size, -1, &largest, &nan);
        if (largest > best) {
            best = largest;
            place = start;
        }
    }
    if (nan)
        return -1;
    while (z[place] != best || place == but)
        place++;
    return place;
}
