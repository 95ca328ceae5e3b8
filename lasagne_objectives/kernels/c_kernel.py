"""Ops whose C code is a function template in a file beside their module."""

import ctypes
import functools
import hashlib
import os
import re
import zlib

from theano import gof
from theano.gof.cmodule import gcc_version

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


def number_of_threads():
    """How many threads to use: what OMP_NUM_THREADS says, or all the cores."""
    said = os.environ.get('OMP_NUM_THREADS', '').split(',')[0].strip()
    if said.isdigit() and int(said):
        return int(said)
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# Run when a compiled module is loaded: where to look for the two, and how many
# threads there are to be.
_FIND_ADDRESSES = (
    """
    {
        PyObject *module = PyImport_ImportModule("%s");
        PyObject *forked = module == NULL ? NULL :
            PyObject_GetAttrString(module, "forked_address");
        PyObject *pool = module == NULL ? NULL :
            PyObject_GetAttrString(module, "pool_address");
        PyObject *threads = module == NULL ? NULL :
            PyObject_CallMethod(module, "number_of_threads", NULL);
        if (forked != NULL)
            lo_forked = (const int *)PyLong_AsVoidPtr(forked);
    #ifdef LO_HAS_THREADS
        if (pool != NULL)
            lo_pool_place = (lo_pool **)PyLong_AsVoidPtr(pool);
        if (threads != NULL)
            lo_most_threads = (int)PyLong_AsLong(threads);
    #endif
        Py_XDECREF(forked);
        Py_XDECREF(pool);
        Py_XDECREF(threads);
        Py_XDECREF(module);
        PyErr_Clear();
    }
"""
    % __name__
)


def vector_flags(version):
    """The flag for loops that say they can be vectorised.

    Of OpenMP only that: no library is linked. GCC has it since 4.9. Those
    clangs that do not know it, and some that do, call themselves GCC 4.2.1.
    """
    numbers = re.match(r'(\d+)\.?(\d*)', version)
    known = numbers and tuple(int(n or 0) for n in numbers.groups()) >= (4, 9)
    return ['-fopenmp-simd'] if known else []


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
        arithmetic = ['-fno-trapping-math'] + vector_flags(gcc_version())
        return quickly + arithmetic + ['-pthread']

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


class OfKernel(gof.Op):
    """An Op that is made of a kernel, on the CPU or on a GPU.

    Parameters
    ----------
    kernel : Op
    """

    __props__ = ('kernel',)

    def __init__(self, kernel):
        self.kernel = kernel

    def __str__(self):
        return '%s{%s}' % (type(self).__name__, self.kernel)


class AroundKernel(OfKernel, CKernel):
    """The same on the CPU: C code around that of the kernel."""

    def __init__(self, kernel):
        super().__init__(kernel)
        # A kernel overwrites its first input, which is the first here, too.
        self.destroy_map = getattr(kernel, 'destroy_map', {})

    def with_kernel(self, kernel):
        """The same around another kernel."""
        return type(self)(**dict(self._props_dict(), kernel=kernel))

    def c_init_code(self):
        return self.kernel.c_init_code()

    def c_code_cache_version(self):
        # with what the module of the class writes around the kernel
        text = read(type(self).__module__.rpartition('.')[2] + '.py')
        own = super().c_code_cache_version() + (zlib.crc32(text.encode()),)
        return own + self.kernel.c_code_cache_version()
