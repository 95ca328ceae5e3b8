/* What the C kernels share: elementary functions that the compiler can
 * vectorise, threads, and the checks of class indices.
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

/* log(1 + e) for 0 <= e <= 1: what rounding 1 + e loses is added back. */
template <typename real>
LO_INLINE real log1p_of_fraction(real e)
{
    const real w = 1 + e;
    return log_of_large(w) + (e - (w - 1)) / w;
}

/* Threads ---------------------------------------------------------------- */

/* Set by Python in a forked child. The OpenMP threads of the parent do not
 * exist there, and waiting for them would never end. */
static const int *lo_forked = NULL;

/* How many threads a sweep over so many elements is worth. */
static inline int lo_threads(npy_intp elements)
{
#ifdef _OPENMP
    if (elements < 32768 || lo_forked == NULL || *lo_forked)
        return 1;
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Class indices ---------------------------------------------------------- */

/* Refuse a number of indices that is not that of the rows. */
static inline int lo_check_length(PyArrayObject *values,
                                  PyArrayObject *indices)
{
    if (PyArray_DIM(indices, 0) == PyArray_DIM(values, 0))
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "got %lld class indices for %lld data points",
                 (long long)PyArray_DIM(indices, 0),
                 (long long)PyArray_DIM(values, 0));
    return -1;
}

template <typename element>
LO_INLINE element lo_value(PyArrayObject *vector, npy_intp row)
{
    return *(const element *)((const char *)PyArray_DATA(vector)
                              + row * PyArray_STRIDE(vector, 0));
}

template <typename index>
LO_INLINE npy_int64 lo_class(PyArrayObject *indices, npy_intp row)
{
    return (npy_int64)lo_value<index>(indices, row);
}

/* Refuse indices that name no class. */
template <typename index>
static int lo_check_classes(PyArrayObject *values, PyArrayObject *indices)
{
    const npy_intp n = PyArray_DIM(indices, 0);
    const npy_intp classes = PyArray_DIM(values, 1);
    if (lo_check_length(values, indices))
        return -1;
    if (n == 0)
        return 0;
    /* In their own type: uint64 reaches beyond what int64 can say. */
    index least = lo_value<index>(indices, 0), most = least;
    for (npy_intp i = 1; i < n; i++) {
        const index j = lo_value<index>(indices, i);
        least = j < least ? j : least;
        most = j > most ? j : most;
    }
    if (least >= 0 && (npy_uint64)most < (npy_uint64)classes)
        return 0;
    const bool is_signed = (index)-1 < 0;
    PyErr_Format(PyExc_IndexError,
                 is_signed
                 ? "class index out of range: the smallest is %lld, the "
                   "largest is %lld, the number of classes is %lld"
                 : "class index out of range: the smallest is %llu, the "
                   "largest is %llu, the number of classes is %lld",
                 (long long)least, (long long)most, (long long)classes);
    return -1;
}

/* Rows and results -------------------------------------------------------- */

/* A contiguous view of a row: itself, or a copy in `scratch`. */
template <typename real>
LO_INLINE const real *lo_row(PyArrayObject *matrix, npy_intp row,
                             real *scratch)
{
    const char *from = (const char *)PyArray_DATA(matrix)
                       + row * PyArray_STRIDE(matrix, 0);
    const npy_intp step = PyArray_STRIDE(matrix, 1);
    const npy_intp n = PyArray_DIM(matrix, 1);
    if (step == (npy_intp)sizeof(real) || n < 2)
        return (const real *)from;
    for (npy_intp j = 0; j < n; j++)
        scratch[j] = *(const real *)(from + j * step);
    return scratch;
}

/* Few classes: a block of rows is turned over, so that the vector units work
 * on one class of many rows instead of on the few classes of one. */
enum { LO_ROWS = 16, LO_FEW = 48 };

template <typename real>
LO_INLINE void lo_load_tile(PyArrayObject *matrix, npy_intp row, int rows,
                            real *tile)
{
    const npy_intp n = PyArray_DIM(matrix, 1);
    const npy_intp across = PyArray_STRIDE(matrix, 1);
    const npy_intp down = PyArray_STRIDE(matrix, 0);
    const char *from = (const char *)PyArray_DATA(matrix) + row * down;
    if (rows == LO_ROWS) {
        /* By eights, whose addresses fit into the registers. */
        for (int first = 0; first < LO_ROWS; first += 8)
            for (npy_intp j = 0; j < n; j++)
                for (int i = first; i < first + 8; i++)
                    tile[j * LO_ROWS + i] = *(const real *)(
                        from + i * down + j * across);
        return;
    }
    /* A block that is not full repeats its last row. */
    for (npy_intp j = 0; j < n; j++)
        for (int i = 0; i < LO_ROWS; i++)
            tile[j * LO_ROWS + i] = *(const real *)(
                from + (i < rows ? i : rows - 1) * down + j * across);
}

/* Have all rows worked on, by threads and without the GIL. `work` has the
 * type `real` and
 *
 *     few(row, rows)       for a block of up to LO_ROWS rows of few classes,
 *     many(row, scratch)   for one row, with memory for two. */
template <typename kernel>
static int lo_sweep_rows(const kernel &work, npy_intp rows, npy_intp classes)
{
    typedef typename kernel::real real;
    const int threads = lo_threads(rows * classes);
    bool out_of_memory = false;

    NPY_BEGIN_ALLOW_THREADS
    if (classes <= LO_FEW) {
        const npy_intp blocks = (rows + LO_ROWS - 1) / LO_ROWS;
        #pragma omp parallel for num_threads(threads) schedule(static)
        for (npy_intp block = 0; block < blocks; block++) {
            const npy_intp row = block * LO_ROWS;
            work.few(row, rows - row < LO_ROWS ? rows - row : LO_ROWS);
        }
    } else {
        #pragma omp parallel num_threads(threads)
        {
            real *scratch = (real *)malloc(2 * classes * sizeof(real));
            if (scratch == NULL)
                out_of_memory = true;
            #pragma omp for schedule(static)
            for (npy_intp row = 0; row < rows; row++)
                if (scratch != NULL)
                    work.many(row, scratch);
            free(scratch);
        }
    }
    NPY_END_ALLOW_THREADS

    if (out_of_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

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

template <typename real> struct lo_type;
template <> struct lo_type<npy_float32> { enum { number = NPY_FLOAT32 }; };
template <> struct lo_type<npy_float64> { enum { number = NPY_FLOAT64 }; };
