"""Every kernel, as libgpuarray would hand it to CUDA's run-time compiler, compiles for old cards and new ones.

No graphics card is needed for that: NVRTC is a library, and comes from PyPI as a package.
"""

import ctypes
import glob
import os
import sysconfig

import lasagne_objectives  # noqa: F401 (before theano)
import numpy as np
import pytest
import theano
from lasagne_objectives.kernels import elementwise
from lasagne_objectives.kernels.gpu import ops
from pygpu import gpuarray
from theano.gpuarray.elemwise import GpuElemwise

INDEX_TYPES = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64']
FLOATS = ['float16', 'float32', 'float64']


def cluda_header():
    """The file cluda.h of libgpuarray for CUDA. The library carries its text; there are two, that for OpenCL has no __global__."""
    with open(glob.glob('/usr/lib/libgpuarray.so*')[0], 'rb') as file:
        texts = [text for text in file.read().split(b'\0') if b'#define CLUDA_H' in text]
    (text,) = [text for text in texts if b'__global__' in text]
    return text


class Nvrtc(object):
    """CUDA's run-time compiler, in as few of its functions as it takes to compile."""

    def __init__(self):
        folder = sysconfig.get_paths()['purelib']
        (path,) = [path for path in glob.glob(os.path.join(folder, 'nvidia', 'cuda_nvrtc', 'lib', 'libnvrtc.so*')) if 'alt' not in path]
        self.library = ctypes.CDLL(path)

    def __call__(self, function, *arguments):
        return getattr(self.library, 'nvrtc' + function)(*arguments)

    def compile(self, source, architecture):
        """None, or what the compiler says against a program. As libgpuarray does it: one header, one option."""
        program = ctypes.c_void_p()
        header = ctypes.c_char_p(cluda_header())
        assert (
            self(
                'CreateProgram',
                ctypes.byref(program),
                source.encode(),
                None,
                1,
                ctypes.byref(header),
                ctypes.byref(ctypes.c_char_p(b'cluda.h')),
            )
            == 0
        )
        option = ctypes.c_char_p(b'-arch=' + architecture.encode())
        failed = self('CompileProgram', program, 1, ctypes.byref(option))
        size = ctypes.c_size_t()
        self('GetProgramLogSize', program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self('GetProgramLog', program, log)
        self('DestroyProgram', ctypes.byref(program))
        return log.value.decode() if failed else None


@pytest.fixture(scope='module')
def nvrtc():
    return Nvrtc()


def matrix(dtype):
    return theano.shared(np.ones((2, 3), dtype))


def vector(dtype):
    return theano.shared(np.ones(2, dtype))


def softmax_nodes(dtype, targets):
    working = 'float32' if dtype == 'float16' else dtype
    z, g = matrix(dtype), vector(working)
    return [
        ops.GpuSoftmaxCrossentropy().make_node(z, targets),
        ops.GpuSoftmaxCrossentropyGradient().make_node(z, targets, g),
        ops.GpuSoftmaxCrossentropyWithGradient().make_node(z, targets, g),
    ]


def nodes_of_indices(dtype, index):
    """A node of every kernel that takes class indices."""
    z, i, g = matrix(dtype), vector(index), vector('float32' if dtype == 'float16' else dtype)
    return softmax_nodes(dtype, i) + [
        ops.GpuClassMargin().make_node(z, i),
        ops.GpuTargetRank().make_node(z, i),
        ops.GpuPickClass(True).make_node(z, i),
        ops.GpuPickClass(False).make_node(z, i),
        ops.GpuPlaceClasses(strict=True).make_node(z, i, g),
        ops.GpuPlaceClasses().make_node(z, i, g, vector('int64'), g),
    ]


def other_nodes(dtype):
    z, whole = matrix(dtype), theano.shared(True)
    return [node for targets in FLOATS for node in softmax_nodes(dtype, matrix(targets))] + [
        ops.GpuKeepRows().make_node(z, whole),
        ops.GpuKeepRowsGradient().make_node(z, z, whole),
        ops.GpuTopClass().make_node(z),
        ops.GpuLogSoftmax().make_node(z),
        ops.GpuSoftmaxLogOdds().make_node(z),
        ops.GpuSoftmaxLogOddsGradient().make_node(z, z),
    ]


def assert_compile(nvrtc, nodes, architecture):
    for node in nodes:
        assert nvrtc.compile(node.op.kernel_source(node), architecture) is None, node


def test_no_kernel_is_forgotten():
    made = {type(node.op) for node in nodes_of_indices('float32', 'int32') + other_nodes('float32')}
    classes = [op for op in vars(ops).values() if isinstance(op, type)]
    everything = {op for op in classes if issubclass(op, ops.GpuClassKernel) and op.kernel and op.__name__.startswith('Gpu')}
    assert made == everything


def test_what_is_wrong_is_said(nvrtc):
    assert 'undefined' in nvrtc.compile('#include "cluda.h"\nKERNEL void f(GLOBAL_MEM ga_float *x) { x[LID_0] = y; }', 'sm_70')


every_architecture = pytest.mark.parametrize('architecture', ['sm_70', 'sm_90'])


@every_architecture
@pytest.mark.parametrize('index, dtype', [(index, 'float32') for index in INDEX_TYPES] + [('int32', 'float16'), ('int32', 'float64')])
def test_kernels_of_class_indices(nvrtc, index, dtype, architecture):
    assert_compile(nvrtc, nodes_of_indices(dtype, index), architecture)


@every_architecture
@pytest.mark.parametrize('dtype', FLOATS)
def test_other_kernels(nvrtc, dtype, architecture):
    assert_compile(nvrtc, other_nodes(dtype), architecture)


# Element-wise kernels, which Theano and libgpuarray make from the same C code as for the CPU -------------------------------------


def elementwise_source(op, dtype):
    """A kernel of the form that libgpuarray gives an element-wise Op, around what Theano's GpuElemwise passes it."""
    inputs = [matrix(dtype) for _ in range(op.nin)]
    node = GpuElemwise(op).make_node(*inputs)
    support, code = node.op._generate_op_string(node)
    working = gpuarray.dtype_to_ctype('float32' if dtype == 'float16' else dtype)
    names = ['i%d' % k for k in range(op.nin)] + ['o0']
    parameters = ', '.join('GLOBAL_MEM %s *p_%s' % (working, n) for n in names)
    return '\n'.join(
        ['#include "cluda.h"', support, 'KERNEL void elem(%s) {' % parameters]
        + ['%s %s = p_%s[LID_0];' % (working, n, n) for n in names]
        + [code, 'p_o0[LID_0] = o0;', '}']
    )


@every_architecture
@pytest.mark.parametrize('dtype', FLOATS)
def test_elementwise_kernels(nvrtc, dtype, architecture):
    kernels = [op for op in vars(elementwise).values() if isinstance(op, elementwise.Kernel) and op.name]
    assert len(kernels) > 8
    for op in kernels:
        assert nvrtc.compile(elementwise_source(op, dtype), architecture) is None, op
