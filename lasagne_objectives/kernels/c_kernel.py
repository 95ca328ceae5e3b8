"""Ops whose C code is a function template in a file beside their module."""

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess

import theano
from theano import gof

_FOLDER = os.path.dirname(os.path.abspath(__file__))

# Read by the C code: whether this process is a fork. The threads of its parent
# do not exist in it.
_forked = ctypes.c_int(0)
forked_address = ctypes.addressof(_forked)

# Where the C code keeps its threads (threads.h).
_pool = ctypes.c_void_p(None)
pool_address = ctypes.addressof(_pool)

# Where there is no fork (Windows) there is nothing to register.
getattr(os, 'register_at_fork', dict)(
    after_in_child=functools.partial(setattr, _forked, 'value', 1)
)


@functools.lru_cache(maxsize=None)
def read(name):
    """The text of a file of C beside this module."""
    with open(os.path.join(_FOLDER, name)) as file:
        return file.read()


# Run when a compiled module is loaded: where to look for these two.
_FIND_ADDRESSES = (
    """
    {
        PyObject *module = PyImport_ImportModule("%s");
        PyObject *forked = module == NULL ? NULL :
            PyObject_GetAttrString(module, "forked_address");
        PyObject *pool = module == NULL ? NULL :
            PyObject_GetAttrString(module, "pool_address");
        if (forked != NULL)
            lo_forked = (const int *)PyLong_AsVoidPtr(forked);
    #ifdef LO_HAS_THREADS
        if (pool != NULL)
            lo_pool_place = (lo_pool **)PyLong_AsVoidPtr(pool);
    #endif
        Py_XDECREF(forked);
        Py_XDECREF(pool);
        Py_XDECREF(module);
        PyErr_Clear();
    }
"""
    % __name__
)


@functools.lru_cache(maxsize=None)
def openmp_flags(cxx):
    """The flag for OpenMP if the compiler `cxx` has it: threads are optional.

    Asked in every process, so it is asked without compiling anything. (Where
    its header is, is answered sooner, but clang names that of GCC.)
    """
    if not cxx:
        return []
    question = subprocess.run(
        shlex.split(cxx) + ['-fopenmp', '-fsyntax-only', '-x', 'c++', '-'],
        input=b'#include <omp.h>',
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return ['-fopenmp'] if question.returncode == 0 else []


class CKernel(gof.Op):
    """An Op that calls a function template of a C file of this folder.

    Subclasses give `c_file`, and :meth:`c_call` names the function with its
    template and call arguments. The function returns 0, or has set a Python
    exception.
    """

    # Equal if of the same class. Not empty: Theano 1.0.5 takes empty
    # __props__ for a missing version, and would compile in every process.
    __props__ = ('c_file',)

    #: File of the function template, beside this module, and those that it
    #: needs.
    c_file = None
    headers = ('simd.h', 'threads.h', 'arrays.h', 'results.h', 'points.h')

    def do_constant_folding(self, node):
        # A class index out of range is for whoever runs the function. Theano
        # folds constants while it compiles, prints what a kernel raises then,
        # and tries again after each rewrite.
        return False

    def c_headers(self):
        return ['<math.h>', '<string.h>', '<stdlib.h>']

    def c_support_code(self):
        return ''.join(map(read, self.headers)) + read(self.c_file)

    def c_init_code(self):
        return [_FIND_ADDRESSES] if 'threads.h' in self.headers else []

    def c_compile_args(self):
        # Quicker to compile: headers of an older standard are shorter (C++14,
        # as the oldest compilers know it), and what Theano has written for a
        # debugger is not wanted.
        quickly = ['-std=gnu++1y', '-g0']
        return (
            quickly + ['-fno-trapping-math'] + openmp_flags(theano.config.cxx)
        )

    def c_code(self, node, name, inputs, outputs, sub):
        # c_call gives the call as C code, outputs passed by address.
        return "if (%s != 0) { %s }" % (
            self.c_call(node, inputs, outputs),
            sub['fail'],
        )

    def c_code_cache_version(self):
        # Theano keeps compiled modules by this number: made of the text, it
        # changes with every edit, and with nothing else.
        text = self.c_support_code() + _FIND_ADDRESSES
        return (int(hashlib.sha256(text.encode()).hexdigest()[:12], 16),)
