#include <numpy/then.h>
