"""Nothing leaves the GPU: every objective, value and gradient, of arrays that are on it.

On OpenCL the functions are compiled and run. For CUDA the graphs are rewritten as they would be there, for a context that says it is CUDA.
"""

import contextlib

import lasagne_objectives as lo
import numpy as np
import pytest
import theano
import theano.gpuarray
import theano.tensor as T
from lasagne_objectives import gpu
from theano.gpuarray import basic_ops, elemwise, nnet, opt, reduction, subtensor
from theano.gpuarray.type import GpuArrayType

from compiled import mode_of

# Labels as people keep them on the GPU, and the two layouts of a value for each class
INDICES = ['int32', 'int64', 'uint8', 'float32 cast to int32']
DENSE = ['float32', 'int8']
# Shapes of the predictions with their class axis
LAYOUTS = {'rows': ((6, 5), -1), 'columns': ((5, 6), 0), 'pixels': ((2, 5, 3, 2), 1), 'sequences': ((2, 3, 5), -1), 'single': ((5,), -1)}
AGGREGATES = [('mean', False), ('mean', True), ('sum', False), ('sum', True), ('normalized_sum', True)]


def random(*key):
    return np.random.RandomState(len(repr(key)))


def shared(array):
    variable = theano.shared(np.asarray(array))
    assert isinstance(variable.type, GpuArrayType)
    return variable


def targets_of(kind, shape, axis):
    """Targets on the GPU in one of the kinds above, and what they are."""
    rng, axis = random(kind, shape), axis % len(shape)
    if kind in DENSE:
        # One-hot, so that they serve every objective.
        classes = rng.randint(0, shape[axis], shape[:axis] + shape[axis + 1 :])
        one_hot = np.moveaxis(np.eye(shape[axis])[classes], -1, axis)
        return shared(one_hot.astype(kind))
    classes = rng.randint(0, shape[axis], shape[:axis] + shape[axis + 1 :])
    if kind in INDICES[:3]:
        return shared(classes.astype(kind)) if classes.ndim else theano.shared(classes.astype(kind))
    labels = classes.astype('float32')
    return T.cast(shared(labels) if classes.ndim else theano.shared(labels), 'int32')


def softmax(z, axis):
    e = T.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


CATEGORICAL = {
    'cross-entropy of a softmax': lambda z, t, axis: lo.categorical_crossentropy(softmax(z, axis), t, axis=axis),
    'cross-entropy of a sigmoid': lambda z, t, axis: lo.categorical_crossentropy(T.nnet.sigmoid(z), t, axis=axis),
    'cross-entropy': lambda z, t, axis: lo.categorical_crossentropy(T.sqr(z), t, axis=axis),
    'hinge': lambda z, t, axis: lo.multiclass_hinge_loss(z, t, axis=axis),
    'top 1': lambda z, t, axis: lo.categorical_accuracy(z, t, axis=axis),
    'top 5': lambda z, t, axis: lo.categorical_accuracy(softmax(z, axis), t, top_k=5, axis=axis),
}
ELEMENTWISE = {
    'binary cross-entropy of a sigmoid': lambda z, t: lo.binary_crossentropy(T.nnet.sigmoid(z), t),
    'binary cross-entropy of a softmax': lambda z, t: lo.binary_crossentropy(T.nnet.softmax(z), t),
    'binary cross-entropy': lambda z, t: lo.binary_crossentropy(T.sqr(z), t),
    'squared error': lo.squared_error,
    'huber': lo.huber_loss,
    'hinge': lambda z, t: lo.binary_hinge_loss(z, t, log_odds=True),
    'hinge of a sigmoid': lambda z, t: lo.binary_hinge_loss(T.nnet.sigmoid(z), t, log_odds=False),
    'hinge of a softmax': lambda z, t: lo.binary_hinge_loss(T.nnet.softmax(z), t, log_odds=False),
    'hinge of probabilities': lambda z, t: lo.binary_hinge_loss(T.sqr(z), t, log_odds=False),
    'accuracy': lo.binary_accuracy,
}


def with_gradient(loss, z):
    """The loss itself, its mean and the gradient of that."""
    outputs = [loss, lo.aggregate(loss)]
    return outputs if loss.dtype == 'bool' else outputs + [theano.grad(outputs[1], z)]


def categorical(name, kind, layout, dtype='float32'):
    shape, axis = LAYOUTS[layout]
    z = shared((random(name, kind).rand(*shape) * 0.9 + 0.05).astype(dtype))
    return with_gradient(CATEGORICAL[name](z, targets_of(kind, shape, axis), axis), z)


def elementwise(name, kind, dtype='float32'):
    z = shared((random(name, kind).rand(6, 5) * 0.9 + 0.05).astype(dtype))
    return with_gradient(ELEMENTWISE[name](z, shared(random(kind).randint(0, 2, (6, 5)).astype(kind))), z)


def aggregated(mode, weighted, shape, weights, dtype='float32'):
    z = shared(random(mode, shape).rand(*shape).astype(dtype))
    w = shared(random(weights).randint(1, 3, shape).astype(weights)) if weighted else None
    total = lo.aggregate(lo.squared_error(z, 0), w, mode)
    return [total, theano.grad(total, z)]


# What is asked of every graph ---------------------------------------------------------------------------------------------------


def on_gpu(outputs):
    """The outputs left where they are: what becomes of a result is the caller's business."""
    return [output.transfer(None) if output.ndim else output for output in outputs]


class Rewritten(object):
    """What `gpu.transfers` reads of a function, of a graph that is only rewritten and not compiled."""

    def __init__(self, outputs):
        outputs = on_gpu(outputs)
        inputs = [v for v in theano.gof.graph.inputs(outputs) if not isinstance(v, theano.Constant)]
        self.maker = self
        self.fgraph = theano.gof.FunctionGraph(*theano.gof.graph.clone(inputs, outputs), clone=False)
        REWRITES.optimizer.optimize(self.fgraph)


# Constants are folded by running compiled code.
REWRITES = theano.compile.mode.get_mode('FAST_RUN').excluding(
    'topo_constant_folding', 'constant_folding', 'gpua_constant_folding', 'constant_folding_for_scan2'
)


def assert_stays(function):
    assert [str(transfer) for transfer in gpu.transfers(function)] == []


def assert_stays_and_agrees(outputs):
    """In fact: compiled, and with the numbers of the host."""
    function = theano.function([], on_gpu(outputs))
    assert_stays(function)
    expected = theano.function([], outputs, mode=mode_of('no optimizer'))()
    for got, wanted in zip(function(), expected):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(
            np.asarray(got).astype('float64'),
            wanted.astype('float64'),
            rtol=8 * np.finfo('float32' if wanted.dtype == bool else wanted.dtype).eps,
            atol=1e-6,
        )


class StandIn(object):
    """The context of the OpenCL device, which says that it is CUDA."""

    kind = b'cuda'

    def __init__(self, context):
        self.context = context

    def __getattr__(self, name):
        return getattr(self.context, name)


@contextlib.contextmanager
def cuda():
    """Within it, Theano's rewrites take the device for CUDA."""

    def stand_in(name):
        return StandIn(theano.gpuarray.get_context(name))

    with pytest.MonkeyPatch.context() as patch:
        for module in basic_ops, elemwise, nnet, opt, reduction, subtensor:
            patch.setattr(module, 'get_context', stand_in, raising=False)
        patch.setattr(GpuArrayType, 'context', property(lambda self: stand_in(self.context_name)))
        yield


def assert_rewritten_to_stay(outputs, backend):
    with BACKENDS[backend]():
        assert_stays(Rewritten(outputs))


BACKENDS = {'opencl': contextlib.nullcontext, 'cuda': cuda}
every_backend = pytest.mark.parametrize('backend', BACKENDS)


# The tests ------------------------------------------------------------------------------------------------------------------------


def test_the_stand_in_is_taken_for_cuda():
    largest = shared(np.ones((3, 2), 'float32')).max(axis=1)
    with cuda():
        nodes = Rewritten([largest]).fgraph.toposort()
    assert 'GpuCAReduceCuda' in [type(node.op).__name__ for node in nodes]


def test_what_leaves_the_gpu_is_found():
    x = shared(np.ones((3, 2), 'float32'))
    kinds = [transfer.kind for transfer in gpu.transfers(theano.function([], T.argsort(x, axis=1).transfer(None)))]
    assert kinds == ['to the host', 'on the host', 'to the GPU']


def together(graphs):
    """The outputs of several graphs, for one function: compiling is what takes time."""
    return [output for outputs in graphs for output in outputs]


@every_backend
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('kind', INDICES + DENSE)
def test_categorical(kind, layout, backend):
    assert_rewritten_to_stay(together(categorical(name, kind, layout) for name in CATEGORICAL), backend)


@every_backend
@pytest.mark.parametrize('kind', ['float32', 'int32', 'uint8', 'bool'])
def test_elementwise(kind, backend):
    assert_rewritten_to_stay(together(elementwise(name, kind) for name in ELEMENTWISE), backend)


@every_backend
@pytest.mark.parametrize('weights', ['float32', 'int32', 'bool'])
@pytest.mark.parametrize('shape', [(6,), (6, 5), (2, 3, 4)], ids=str)
def test_aggregate(shape, weights, backend):
    assert_rewritten_to_stay(together(aggregated(*how, shape, weights) for how in AGGREGATES), backend)


@every_backend
@pytest.mark.parametrize('dtype', ['float16', 'float64'])
@pytest.mark.parametrize('kind', ['int32', 'float32'])
def test_other_floats(kind, dtype, backend):
    assert_rewritten_to_stay(
        together(
            [categorical(name, kind, 'rows', dtype) for name in CATEGORICAL] + [elementwise(name, kind, dtype) for name in ELEMENTWISE]
        ),
        backend,
    )


@pytest.mark.parametrize(
    'kind, layout',
    [(kind, 'rows') for kind in INDICES + DENSE] + [('int32', 'pixels'), ('float32', 'pixels'), ('int32', 'columns'), ('int32', 'single')],
)
def test_categorical_in_fact(kind, layout):
    assert_stays_and_agrees(together(categorical(name, kind, layout) for name in CATEGORICAL))


@pytest.mark.parametrize('kind', ['float32', 'uint8'])
def test_elementwise_in_fact(kind):
    assert_stays_and_agrees(together(elementwise(name, kind) for name in ELEMENTWISE))


@pytest.mark.parametrize('weights', ['float32', 'int32'])
def test_aggregate_in_fact(weights):
    assert_stays_and_agrees(together(aggregated(*how, (6, 5), weights) for how in AGGREGATES))


@pytest.mark.parametrize('dtype', ['float16', 'float64'])
def test_other_floats_in_fact(dtype):
    assert_stays_and_agrees(
        together(
            [categorical(name, 'int32', 'rows', dtype) for name in CATEGORICAL] + [elementwise(name, dtype, dtype) for name in ELEMENTWISE]
        )
    )
