"""Ops whose C code is a function template in a file beside their module."""

import ctypes
import hashlib
import os

import theano
from theano import gof
from theano.gof.cmodule import GCC_compiler

_FOLDER = os.path.dirname(os.path.abspath(__file__))

# Read by the C code: whether this process is a fork. The OpenMP threads of
# its parent do not exist in it.
_forked = ctypes.c_int(0)
forked_address = ctypes.addressof(_forked)


def _after_fork():
    _forked.value = 1


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork)


def _read(name):
    with open(os.path.join(_FOLDER, name)) as file:
        return file.read()


_COMMON = _read('simd.h')

# Run when a compiled module is loaded: where to look for forks.
_FIND_FORKED = """
    {
        PyObject *module = PyImport_ImportModule("%s");
        PyObject *address = module == NULL ? NULL :
            PyObject_GetAttrString(module, "forked_address");
        if (address != NULL)
            lo_forked = (const int *)PyLong_AsVoidPtr(address);
        Py_XDECREF(address);
        Py_XDECREF(module);
        PyErr_Clear();
    }
""" % __name__


def _openmp_flags():
    """The flag for OpenMP where the compiler has it; threads are optional."""
    if not _openmp_flags.tried:
        _openmp_flags.works = bool(theano.config.cxx) and bool(
            GCC_compiler.try_compile_tmp(
                '#include <omp.h>\nint main() { return omp_get_max_threads()'
                ' < 1; }', tmp_prefix='test_omp_',
                flags=['-fopenmp'], try_run=False))
        _openmp_flags.tried = True
    return ['-fopenmp'] if _openmp_flags.works else []


_openmp_flags.tried = False


class CKernel(gof.Op):
    """An Op that calls a function template of a C file of this folder.

    Subclasses give `c_file`, and :meth:`c_call` names the function with its
    template and call arguments. The function returns 0, or has set a Python
    exception.
    """

    #: File of the function template, beside this module.
    c_file = None

    def c_call(self, node, inputs, outputs):
        """The call, as C code; outputs are to be passed by address."""
        raise gof.utils.MethodNotDefined('c_call', type(self))

    def c_headers(self):
        return ['<math.h>', '<string.h>', '<stdlib.h>']

    def c_support_code(self):
        return _COMMON + _read(self.c_file)

    def c_init_code(self):
        return [_FIND_FORKED]

    def c_compile_args(self):
        return ['-fno-trapping-math'] + _openmp_flags()

    def c_code(self, node, name, inputs, outputs, sub):
        return "if (%s != 0) { %s }" % (self.c_call(node, inputs, outputs),
                                        sub['fail'])

    def c_code_cache_version(self):
        # Theano keeps compiled modules by this number: made of the text, it
        # changes with every edit, and with nothing else.
        text = self.c_support_code() + _FIND_FORKED
        return (int(hashlib.sha256(text.encode()).hexdigest()[:12], 16),)


def real_and_index(values, indices):
    """Template arguments for a matrix and the class indices of its rows."""
    index = 'npy_int64' if indices.ndim == 2 else 'npy_' + indices.dtype
    return '<npy_%s, %s>' % (values.dtype, index)
