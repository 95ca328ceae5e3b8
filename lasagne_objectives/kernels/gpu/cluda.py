"""Ops that run a CLUDA kernel over the data points of a tensor on the GPU."""

import hashlib
import os

import pygpu
from pygpu import gpuarray
from theano.gof import Apply, Op
from theano.gpuarray.basic_ops import (
    GpuKernelBase,
    Kernel,
    as_gpuarray_variable,
    gpuarray_helper_inc_dir,
    infer_context_name,
)
from theano.gpuarray.fp16_help import load_w, work_dtype, write_w
from theano.gpuarray.type import GpuArrayType
import theano.tensor as T

from lasagne_objectives.kernels import c_kernel
from lasagne_objectives.kernels.rows import ClassKernel, without

_FOLDER = os.path.dirname(os.path.abspath(__file__))

# Threads of a block. Every OpenCL and CUDA device has as many.
BLOCK = 256


def read(name):
    """The text of a file beside this module."""
    with open(os.path.join(_FOLDER, name)) as file:
        return file.read()


# Around the call of a kernel. Its operands are the arrays of points.h.
_FRAME = """
{
    PyGpuArrayObject *arrays[%(all)d] = {%(inputs)s};
    PyGpuArrayObject **places[] = {%(places)s};
    const int typecodes[] = {%(typecodes)s};
    const bool of_classes[] = {%(of_classes)s};
    const lo_operands operands = {%(count)d, %(results)d, arrays, places,
                                  typecodes, of_classes};
    lo_layout layout;
    bool failed = lo_lay_out(&layout, %(axis)s, %(block)d, &operands) != 0;
    if (!failed && layout.blocks > 0) {
        size_t block = %(block)d;
        const int error = call_%(name)s(
            1, &layout.blocks, &block, 0, layout.points, layout.inside,
            layout.classes, layout.lanes, layout.apart, %(whole)s,
            %(arguments)s);
        failed = error != GA_NO_ERROR;
        if (failed)
            PyErr_Format(PyExc_RuntimeError, "%(kernel)s: %%s",
                         GpuKernel_error(&kernel_%(name)s, error));
    }
    lo_forget(&operands);
    if (failed) { %(fail)s }
}
"""


class GpuClassKernel(GpuKernelBase, Op):
    """An Op that calls the kernel in the CLUDA file of its name.

    As on the CPU (rows.py): the first input has a class axis, the others have
    its layout or lack that axis. Subclasses give `kernel`, which takes the
    inputs and then the outputs.

    Parameters
    ----------
    axis : int
        The class axis of the first input.
    """

    __props__ = ('axis',)
    view_map = {}
    _f16_ok = True

    #: Name of the kernel, and of the file beside this module.
    kernel = None

    #: Inputs on the GPU, where there may be one more on the host: whether rows
    #: are whole. None if that may not be.
    operands = None

    def __init__(self, axis=1):
        self.axis = axis

    def make_node(self, *inputs):
        operands = on_gpu(*inputs[: self.operands])
        flags = [T.as_tensor_variable(v) for v in inputs[len(operands) :]]
        return Apply(self, operands + flags, self.results(operands[0]))

    def results(self, values):
        """New variables for the outputs: one in the shape of the values."""
        return [values.type()]

    def new_points(self, values, dtype=None):
        """A variable with one number for each data point of `values`.

        Of the type that these are computed in, unless another is given.
        """
        return GpuArrayType(
            dtype or work_dtype(values.dtype),
            without(values.broadcastable, self.axis),
            context_name=values.type.context_name,
        )()

    infer_shape = ClassKernel.infer_shape

    def defines(self, node):
        """What the kernel's text is compiled with: a dictionary of macros."""
        return {}

    def whole(self, flags):
        """Whether rows are whole, in C, from the inputs on the host."""
        return 1

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
            lines + [read('points.cluda'), read(self.kernel + '.cluda')]
        )
        # Theano puts the text into a C string without regard to backslashes.
        return text.replace('\\\n', ' ')

    def _arrays(self, node):
        return node.inputs[: self.operands] + node.outputs

    def gpu_kernels(self, node, name):
        parameters = [gpuarray.SSIZE] * 3 + ['uint32'] * 3
        for variable in self._arrays(node):
            parameters += [gpuarray.GpuArray, gpuarray.SIZE]
            parameters += [gpuarray.SSIZE] * len(_steps(variable, node))
        flags = Kernel.get_flags(*[v.dtype for v in self._arrays(node)])
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
            '<stdlib.h>',
            '<numpy_compat.h>',
            '<gpuarray/types.h>',
            '<gpuarray_helper.h>',
        ]

    def c_header_dirs(self):
        return super().c_header_dirs() + [
            pygpu.get_include(),
            gpuarray_helper_inc_dir(),
        ]

    def c_support_code(self):
        return c_kernel.read('arrays.h') + read('points.h')

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(node, name, inputs, outputs, self.axis, sub['fail'])

    def call(self, node, name, inputs, outputs, axis, fail):
        """C code for a node of arrays with a class axis, in C as well."""
        operands = inputs[: self.operands]
        # Not the names of the arrays: those that it looks at may be copies.
        arguments = [
            _argument(variable, node, 'arrays[%d]' % i)
            for i, variable in enumerate(self._arrays(node))
        ]
        return _FRAME % dict(
            all=len(operands) + len(outputs),
            inputs=', '.join(operands),
            places=', '.join('&' + output for output in outputs),
            typecodes=', '.join(
                str(gpuarray.dtype_to_typecode(v.dtype)) for v in node.outputs
            ),
            of_classes=', '.join(
                'true' if has_classes(v, node) else 'false'
                for v in node.outputs
            ),
            count=len(operands),
            results=len(outputs),
            axis=axis,
            block=BLOCK,
            name=name,
            whole=self.whole(inputs[len(operands) :]),
            arguments=', '.join(arguments),
            kernel=self.kernel,
            fail=fail,
        )

    def c_code_cache_version(self):
        # As for the kernels in C: made of the text, so that an edit counts.
        files = ['points.cluda', self.kernel + '.cluda', 'cluda.py', 'ops.py']
        text = self.c_support_code() + ''.join(map(read, files))
        return (int(hashlib.sha256(text.encode()).hexdigest()[:12], 16),)


def ctype(dtype):
    """The name of a type in CLUDA."""
    return gpuarray.dtype_to_ctype(dtype)


def has_classes(variable, node):
    """Whether an array of a node has classes, as its first input has."""
    return variable.ndim == node.inputs[0].ndim


def _steps(variable, node):
    """The functions of points.h that give the steps of an array."""
    return ['outer', 'inner'] + ['across'] * has_classes(variable, node)


def _argument(variable, node, array):
    """Data, offset and steps, as the macros in points.cluda declare them."""
    steps = [
        'lo_%s(&layout, %s)' % (step, array) for step in _steps(variable, node)
    ]
    return ', '.join(['%s->ga.data' % array, '%s->ga.offset' % array] + steps)


def on_gpu(*variables):
    """The same variables on the GPU, of the context that one of them has."""
    context = infer_context_name(*variables)
    return [as_gpuarray_variable(variable, context) for variable in variables]
