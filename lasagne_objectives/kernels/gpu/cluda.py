"""Ops that run a CLUDA kernel over the rows of a matrix on the GPU."""

import hashlib
import os

import pygpu
from pygpu import gpuarray
from theano.gof import Op
from theano.gpuarray.basic_ops import (
    GpuKernelBase,
    Kernel,
    as_gpuarray_variable,
    gpuarray_helper_inc_dir,
    infer_context_name,
)
from theano.gpuarray.fp16_help import load_w, work_dtype, write_w
from theano.gpuarray.type import GpuArrayType

_FOLDER = os.path.dirname(os.path.abspath(__file__))

# Threads of a block. Every OpenCL and CUDA device has as many.
BLOCK = 256


def _read(name):
    with open(os.path.join(_FOLDER, name)) as file:
        return file.read()


class RowKernel(GpuKernelBase, Op):
    """An Op that calls the kernel in the CLUDA file of its name.

    Subclasses give `kernel` and a `make_node` of matrices, all of one shape,
    and of vectors with one number for each of their rows; the first input is
    a matrix. The kernel takes the inputs and then the outputs.
    """

    # Equal if of the same class. Not empty: Theano 1.0.5 takes empty
    # __props__ for a missing version, and would compile in every process.
    __props__ = ('kernel',)
    _f16_ok = True

    #: The class axis of the matrix, as the kernels of the CPU call it.
    axis = 1

    #: Name of the kernel, and of the file beside this module.
    kernel = None

    def defines(self, node):
        """What the kernel's text is compiled with: a dictionary of macros."""
        return {}

    def kernel_source(self, node):
        """The whole text of the kernel, the same for CUDA and OpenCL."""
        stored = node.inputs[0].dtype
        defines = {
            'real': ctype(work_dtype(stored)),
            'stored': ctype(stored),
            'FROM_STORED': load_w(stored),
            'TO_STORED': write_w(stored),
            'BLOCK': BLOCK,
        }
        defines.update(self.defines(node))
        lines = ['#include "cluda.h"']
        lines += [
            '#define %s %s' % define for define in sorted(defines.items())
        ]
        text = '\n'.join(
            lines + [_read('rows.cluda'), _read(self.kernel + '.cluda')]
        )
        # Theano puts the text into a C string without regard to backslashes.
        return text.replace('\\\n', ' ')

    def gpu_kernels(self, node, name):
        parameters = [gpuarray.SSIZE, gpuarray.SSIZE, 'uint32']
        for variable in node.inputs + node.outputs:
            parameters += [gpuarray.GpuArray, gpuarray.SIZE]
            parameters += [gpuarray.SSIZE] * variable.ndim
        flags = Kernel.get_flags(
            *[v.dtype for v in node.inputs + node.outputs]
        )
        return [
            Kernel(
                self.kernel_source(node),
                parameters,
                self.kernel,
                flags,
                objvar='kernel_' + name,
                fname='call_' + name,
            )
        ]

    def c_headers(self):
        return super().c_headers() + [
            '<numpy_compat.h>',
            '<gpuarray/types.h>',
            '<gpuarray_helper.h>',
        ]

    def c_header_dirs(self):
        return super().c_header_dirs() + [
            pygpu.get_include(),
            gpuarray_helper_inc_dir(),
        ]

    def c_code(self, node, name, inputs, outputs, sub):
        arrays = list(zip(node.inputs + node.outputs, inputs + outputs))
        return """
        {
            const size_t shape[2] = {PyGpuArray_DIM(%(first)s, 0),
                                     PyGpuArray_DIM(%(first)s, 1)};
            %(checks)s
            %(allocations)s
            /* Each thread has about four classes to look at. */
            npy_uint32 lanes = 1;
            while (lanes < %(block)d && 4 * lanes < shape[1])
                lanes *= 2;
            const size_t teams = %(block)d / lanes;
            size_t block = %(block)d;
            size_t blocks = (shape[0] + teams - 1) / teams;
            if (blocks > 32768)
                blocks = 32768;
            if (blocks > 0) {
                const int error = call_%(name)s(
                    1, &blocks, &block, 0, shape[0], shape[1], lanes,
                    %(arguments)s);
                if (error != GA_NO_ERROR) {
                    PyErr_Format(PyExc_RuntimeError, "%(kernel)s: %%s",
                                 GpuKernel_error(&kernel_%(name)s, error));
                    %(fail)s
                }
            }
        }
        """ % dict(
            first=inputs[0],
            block=BLOCK,
            name=name,
            kernel=self.kernel,
            fail=sub['fail'],
            checks='\n'.join(
                _check(variable, array, sub)
                for variable, array in zip(node.inputs[1:], inputs[1:])
            ),
            allocations='\n'.join(
                _allocation(variable, array, sub)
                for variable, array in zip(node.outputs, outputs)
            ),
            arguments=',\n'.join(_arguments(*pair) for pair in arrays),
        )

    def c_code_cache_version(self):
        # As for the kernels in C: made of the text, so that an edit counts.
        text = ''.join(
            map(
                _read,
                ['rows.cluda', self.kernel + '.cluda', 'cluda.py', 'ops.py'],
            )
        )
        return (int(hashlib.sha256(text.encode()).hexdigest()[:12], 16),)


def ctype(dtype):
    """The name of a type in CLUDA."""
    return gpuarray.dtype_to_ctype(dtype)


def _check(variable, array, sub):
    """C code that refuses an input whose shape is not that of the first."""
    values = dict(array=array, fail=sub['fail'])
    if variable.ndim == 1:
        return (
            """
            if (PyGpuArray_DIM(%(array)s, 0) != shape[0]) {
                PyErr_Format(PyExc_ValueError, "got %%llu targets or "
                             "gradients for %%llu data points",
                             (unsigned long long)PyGpuArray_DIM(%(array)s, 0),
                             (unsigned long long)shape[0]);
                %(fail)s
            }
        """
            % values
        )
    return (
        """
            if (PyGpuArray_DIM(%(array)s, 0) != shape[0] ||
                PyGpuArray_DIM(%(array)s, 1) != shape[1]) {
                PyErr_Format(PyExc_ValueError, "targets of shape (%%llu, "
                             "%%llu) do not fit predictions of shape (%%llu, "
                             "%%llu): they must be equal",
                             (unsigned long long)PyGpuArray_DIM(%(array)s, 0),
                             (unsigned long long)PyGpuArray_DIM(%(array)s, 1),
                             (unsigned long long)shape[0],
                             (unsigned long long)shape[1]);
                %(fail)s
            }
    """
        % values
    )


def _allocation(variable, array, sub):
    return """
            if (theano_prep_output(&%s, %d, shape, %d, GA_C_ORDER, %s)) {
                %s
            }
    """ % (
        array,
        variable.ndim,
        gpuarray.dtype_to_typecode(variable.dtype),
        sub['params'],
        sub['fail'],
    )


def _arguments(variable, array):
    """Data, offset and steps, as the macros in rows.cluda declare them."""
    steps = [
        '(ssize_t)(PyGpuArray_STRIDE(%s, %d) / '
        '(ssize_t)GpuArray_ITEMSIZE(&%s->ga))' % (array, axis, array)
        for axis in range(variable.ndim)
    ]
    return ', '.join(['%s->ga.data' % array, '%s->ga.offset' % array] + steps)


def on_gpu(*variables):
    """The same variables on the GPU, of the context that one of them has."""
    context = infer_context_name(*variables)
    return [as_gpuarray_variable(variable, context) for variable in variables]


def new_vector(matrix, dtype):
    """A variable with one number for each row of `matrix`."""
    return GpuArrayType(
        dtype, matrix.broadcastable[:1], context_name=matrix.type.context_name
    )()


def new_matrix(matrix, dtype):
    """A variable of the shape of `matrix`."""
    return GpuArrayType(
        dtype, matrix.broadcastable, context_name=matrix.type.context_name
    )()
