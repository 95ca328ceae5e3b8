"""What `lasagne_objectives.gpu` says of graphs, without a GPU: Ops and a type of the names that it knows stand in for the backend's.

In tests/gpu it is asked about graphs of the backend itself.
"""

import importlib.util
import subprocess
import sys

import lasagne_objectives
import numpy as np
import theano
import theano.tensor as T
from lasagne_objectives import gpu


class GpuArrayType(T.TensorType):
    """A tensor that is said to be on a GPU."""


class Move(theano.gof.Op):
    __props__ = ()

    def make_node(self, x):
        kind = T.TensorType if type(self) is HostFromGpu else GpuArrayType
        return theano.gof.Apply(self, [x], [kind(x.dtype, x.broadcastable)()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0]


class GpuFromHost(Move):
    pass


class HostFromGpu(Move):
    pass


class GpuToGpu(Move):
    pass


class GpuOp(Move):
    pass


def kinds(outputs, *inputs):
    """The kinds of transfers of a function that no optimizer has seen."""
    function = theano.function(list(inputs), outputs, mode=theano.Mode('py', None))
    return [transfer.kind for transfer in gpu.transfers(function)]


def test_arrays_that_move():
    x = T.fvector('x')
    device = GpuOp()(GpuFromHost()(x))
    assert kinds(device, x) == ['to the GPU']
    assert kinds(GpuToGpu()(device), x) == ['to the GPU', 'between GPUs']
    assert kinds(HostFromGpu()(device), x) == ['to the GPU', 'to the host']
    assert kinds(HostFromGpu()(device) * 2, x) == ['to the GPU', 'to the host', 'on the host']


def test_scalars_may_move():
    x = T.fscalar()
    assert kinds(HostFromGpu()(GpuOp()(GpuFromHost()(2 * x))), x) == []


def test_what_is_computed_on_the_host():
    x, n = T.fvector(), T.lscalar()
    assert kinds(x.sum(), x) == ['on the host']
    # Of numbers, but it is an array that then moves.
    assert kinds(GpuFromHost()(T.arange(n)), n) == ['to the GPU']


def test_shapes_are_not_data():
    x = GpuArrayType('float32', (False, False))()
    assert kinds([x.shape, x.shape + x.shape, T.stack([x.shape[0], 3]), GpuFromHost()(x.shape[::-1])], x) == []
    y = T.fmatrix()
    assert kinds(y.shape[0] + 1, y) == []


def test_constants_do_not_move():
    assert kinds(GpuOp()(GpuFromHost()(T.constant(np.ones(3))))) == []
    x = T.dscalar()
    assert kinds(GpuFromHost()(T.mul(T.constant(np.ones(3)), x.dimshuffle('x'))), x) == ['on the host', 'to the GPU']


def test_steps_of_a_scan_are_looked_into():
    x = T.fmatrix()
    result, _ = theano.scan(lambda row: GpuOp()(GpuFromHost()(row)).sum(), x)
    assert 'to the GPU' in kinds(result, x)


def test_what_a_transfer_says():
    x = T.fvector('x')
    (transfer,) = gpu.transfers(theano.function([x], 2 * x, mode=theano.Mode('py', None)))
    assert transfer.variable is transfer.node.outputs[0]
    assert str(transfer) == 'on the host: %s, of type TensorType(float32, vector), by %s' % (transfer.variable, transfer.node.op)


def test_without_pygpu_the_backend_is_not_imported():
    script = "import lasagne_objectives, sys; print('theano.gpuarray' in sys.modules, 'pygpu' in sys.modules)"
    printed = subprocess.run([sys.executable, '-W', 'ignore', '-c', script], stdout=subprocess.PIPE, universal_newlines=True, timeout=120)
    has_pygpu = str(importlib.util.find_spec('pygpu') is not None)
    assert printed.stdout.split() == [has_pygpu, has_pygpu]
    assert lasagne_objectives.kernels.gpu
