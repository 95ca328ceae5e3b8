#include_next <numpy/npy_3kcompat.h>
#include <numpy/then.h>
