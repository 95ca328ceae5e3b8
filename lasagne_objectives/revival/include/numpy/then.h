/* The headers of NumPy 2 with what the C code of Theano 1.0.5 expects of them
   and NumPy 2 has dropped. */
#ifndef LO_NUMPY_THEN_H
#define LO_NUMPY_THEN_H

/* With 2.0 as the oldest NumPy to run on, PyArray_Descr still shows its
   elsize. */
#define NPY_TARGET_VERSION 0x00000012

#include_next <numpy/arrayobject.h>
#include_next <numpy/arrayscalars.h>
#include_next <numpy/npy_math.h>
#include_next <numpy/halffloat.h>
/* That of NumPy 2.0 has functions by the names below: it must come first. */
#include_next <numpy/npy_3kcompat.h>

/* Python 2's integers, which NumPy called so on Python 3. */
#define NPY_PY3K 1
#define PyInt_Check PyLong_Check
#define PyInt_AsLong PyLong_AsLong
#define PyInt_AS_LONG PyLong_AsLong
#define PyInt_FromLong PyLong_FromLong

/* As an axis, the largest number of dimensions meant all of them. */
#undef NPY_MAXDIMS
#define NPY_MAXDIMS NPY_RAVEL_AXIS

/* Complex numbers had two visible halves. C++ only: kernels of C keep C's. */
#ifdef __cplusplus
#define LO_COMPLEX(name, half, c_type)                                \
    struct name {                                                     \
        half real, imag;                                              \
        operator c_type() const                                       \
        {                                                             \
            c_type whole;                                             \
            whole._Val[0] = real;                                     \
            whole._Val[1] = imag;                                     \
            return whole;                                             \
        }                                                             \
    };
LO_COMPLEX(lo_npy_complex64, npy_float32, npy_cfloat)
LO_COMPLEX(lo_npy_complex128, npy_float64, npy_cdouble)
#define npy_complex64 lo_npy_complex64
#define npy_complex128 lo_npy_complex128
#endif

#endif
