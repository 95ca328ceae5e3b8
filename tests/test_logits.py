"""What is recognised as the output of a sigmoid or softmax, and where its classes have gone."""

import functools

import numpy as np
import pytest

import lasagne_objectives  # noqa: F401 (before theano, which it makes importable)
import theano
import theano.tensor as T
from lasagne_objectives import logits, moves
from lasagne_objectives.kernels.elementwise import cast_both_ways
from theano.ifelse import ifelse
from theano.tensor.type_other import SliceConstant, slicetype

Z = T.dmatrix('z')
V = T.dvector('v')
CUBE = T.dtensor3('cube')
COLUMN = T.dcol('column')
N = T.lscalar('n')
ROWS = T.lvector('rows')
MASK = T.TensorType('bool', [False])('mask')
GRID = T.lmatrix('grid')
softmax = T.nnet.softmax
PYTHON = theano.Mode(linker='py', optimizer=None)


def normalised(z, axis):
    return T.exp(z) / T.exp(z).sum(axis=axis, keepdims=True)


def without_max(z, axis, over=None):
    return normalised(z - z.max(axis=axis if over is None else over, keepdims=True), axis)


class HostFromGpu(theano.gof.Op):
    """A stand-in for the transfer of that name: this machine need have no GPU."""

    __props__ = ()

    def make_node(self, x):
        return theano.gof.Apply(self, [x], [x.type()])


HostFromGpu.__module__ = 'theano.gpuarray.basic_ops'

# The predictions, and where their class axis is: None where a reshape may have torn it.
P, CUBE_P = softmax(Z), normalised(CUBE, 2)
SOFTMAXES = {
    'softmax': (softmax(Z), 1),
    'softmax with bias': (T.nnet.nnet.softmax_with_bias(Z, V), 1),
    'exp log softmax': (T.exp(T.nnet.logsoftmax(Z)), 1),
    'exp moved log softmax': (T.exp(T.nnet.logsoftmax(Z)[:2].T), 0),
    'normalised': (normalised(Z, 0), 0),
    'normalised vector': (normalised(V, 0), 0),
    'normalised vector, all axes': (T.exp(V) / T.exp(V).sum(), 0),
    'normalised cube': (normalised(CUBE, 1), 1),
    'without max': (without_max(CUBE, 2), 2),
    'without max of all': (without_max(CUBE, 1, over=(0, 1, 2)), 1),
    'transposed': (softmax(Z).T, 0),
    'more axes': (softmax(Z).dimshuffle(1, 'x', 0), 0),
    'first rows': (softmax(Z)[:N], 1),
    'one row': (softmax(Z)[3], 0),
    'from a row on': (softmax(Z)[N:, :], 1),
    'every other, backwards': (softmax(Z)[::2, ::-1], 1),
    'all classes by numbers': (softmax(Z)[1:3, 0:], 1),
    'taken rows': (softmax(Z)[ROWS], 1),
    'taken rows of a cube': (normalised(CUBE, 2)[ROWS], 2),
    'last length kept': (CUBE_P.reshape((-1, CUBE_P.shape[2])), 1),
    'rows kept': (P.reshape((P.shape[0], -1)), 1),
    'lengths by a slice': (P.reshape(tuple(P.shape[:2]) + (1,)), 1),
    'mask': (softmax(Z)[MASK], 1),
    'grid of rows': (softmax(Z)[GRID], None),
    'broadcast sum': (T.exp(Z) / T.exp(Z).sum(axis=0), 0),
    'rows and a new axis': (softmax(Z)[ROWS, None, :], 2),
    'indices apart': (normalised(CUBE, 1)[ROWS, :, ROWS], 1),
    'all, of a slice by indices': (normalised(CUBE, 2)[ROWS, :N], 2),
    'all, sliced beside indices': (normalised(CUBE, 1)[ROWS, 0:, ROWS], 1),
    'a constant slice': (T.subtensor.advanced_subtensor(normalised(CUBE, 1), ROWS, SliceConstant(slicetype, slice(None)), ROWS), 1),
    'cast': (cast_both_ways(P, 'float32'), 1),
    'flattened rows': (softmax(Z).reshape((-1, 1, softmax(Z).shape[1])), None),
    'flatten leading': (normalised(CUBE, 0).flatten(2), 0),
    'inner axis of an unknown reshape': (normalised(CUBE, 1).reshape((N, 2, -1)), None),
    'same shape': (softmax(Z).reshape((3, 4)), None),
    'unknown reshape': (softmax(Z).reshape((N, 2, -1)), None),
    'unknown index of a shape': (P.reshape((N, P.shape[N])), None),
    'broadcastable': (T.addbroadcast(softmax(Z), 0), 1),
    'copied': (T.tensor_copy(softmax(Z)), 1),
    'shape specified': (T.specify_shape(softmax(Z), (3, 4)), 1),
    'repeated': (T.repeat(softmax(Z), 2, axis=0), None),
    'from a GPU': (HostFromGpu()(softmax(Z)), 1),
}

SIGMOIDS = {
    'sigmoid': T.nnet.sigmoid(Z),
    'written out': 1 / (1 + T.exp(-Z)),
    'the other way round': 1.0 / (T.exp(-Z) + 1.0),
    'inv': T.inv(1 + T.exp(-Z)),
    'negated logits': 1 / (1 + T.exp(Z)),
    'ones of a shape': np.ones(4) / (1 + T.exp(-Z)),
    'one unit of several': T.nnet.sigmoid(Z)[:, 0],
    'flat': T.nnet.sigmoid(Z).flatten(),
    'cut anyhow': T.nnet.sigmoid(Z).reshape((N, 2, -1))[::2, 1],
}

# Other ways to write them, and other ways to choose from them
E = T.exp(Z)
W = T.dmatrix('w')
SIGMOIDS.update(
    {
        'with a number in the exponent': 1 / (1 + T.exp(-(Z + 1))),
        'of a number': 1 / (1 + T.exp(-Z) * 2),
        'bias of its own': E * T.exp(V) / (1 + E * T.exp(V)),
        'two exponentials': E / (E + T.exp(W)),
        'temperature': 1 / (1 + T.exp(-Z / 3)),
        'scaled by a third': 1 / (1 + T.exp(T.constant(-1 / 3.0) * Z)),
        'exp of log1p': T.exp(-T.log1p(T.exp(-Z))),
        'difference of logarithms': T.exp(Z - T.log(1 + E)),
        'moved softplus': T.exp(-T.nnet.softplus(-Z)[:, 0]),
        'of a softplus': T.nnet.sigmoid(T.nnet.softplus(Z)),
        'of a softplus, by softplus': 1 - T.exp(-T.nnet.softplus(T.nnet.softplus(Z))),
        'cast exponent': 1 / (1 + T.exp((-Z).astype('float64').astype('float32'))),
        'cast logarithm': T.exp(-T.nnet.softplus(-Z).astype('float32')),
        'filled': T.fill(Z, T.nnet.sigmoid(Z)),
        'filled exponent': T.exp(T.fill(Z, -T.nnet.softplus(-Z))),
        'set in zeros': T.inc_subtensor(T.zeros_like(Z)[:], T.nnet.sigmoid(Z)),
        'set in part': T.set_subtensor(T.nnet.sigmoid(Z)[1:], 1 - T.nnet.sigmoid(W)[1:]),
        'stacked scalars': T.stack([T.nnet.sigmoid(Z)[0, 0], T.nnet.sigmoid(W)[1, 1]]),
        'sum of one': T.addbroadcast(T.nnet.sigmoid(Z)[:1], 0).sum(axis=0),
        'sum of the only one': T.addbroadcast(T.nnet.sigmoid(Z)[:1, :1], 0, 1).sum(),
        'column times ones': T.nnet.sigmoid(Z[:, 0]).dimshuffle(0, 'x') * T.ones_like(Z),
        'complement of a softmax': 1 - softmax(Z),
        'complement of a column': 1 - T.nnet.sigmoid(Z)[:, 0].dimshuffle('x', 0),
        'three of a third': T.nnet.sigmoid(Z) * np.float32(1 / 3.0).astype('float64') * 3 / (np.float32(1 / 3.0).astype('float64') * 3),
        'a product cut down': T.nnet.sigmoid(Z) * T.nnet.sigmoid(W) / T.nnet.sigmoid(W),
        'constant choice': T.switch(T.constant(0), Z, T.nnet.sigmoid(Z)),
        'choice of equals': T.switch(T.ge(Z, 0), 1 / (1 + T.exp(-Z)), E / (1 + E)),
        'number in a moved exponent': (1 / (1 + T.exp(-(Z + 1))))[:, 0],
        'square root of the square': T.sqrt(T.sqr(T.nnet.sigmoid(Z))),
        'expm1': -T.expm1(-T.nnet.softplus(Z)),
        'tanh': 0.5 * (T.tanh(Z / 2) + 1),
        'ifelse': ifelse(N, T.nnet.sigmoid(Z), T.nnet.sigmoid(W)),
        'plain view': theano.compile.ViewOp()(T.nnet.sigmoid(Z)),
    }
)
SOFTMAXES.update(
    {
        'minus a stable logsumexp': (
            T.exp(Z - (Z.max(axis=1, keepdims=True) + T.log(T.exp(Z - Z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)))),
            1,
        ),
        'renormalised': (softmax(Z) / softmax(Z).sum(axis=1, keepdims=True), 1),
        'temperature afterwards': (softmax(Z) ** 0.5 / (softmax(Z) ** 0.5).sum(axis=1, keepdims=True), 1),
        'times one': (softmax(Z) * 1, 1),
        'row by row of two': (T.switch(T.gt(V, 0).dimshuffle(0, 'x'), softmax(Z), softmax(W)), 1),
        'element by element of two': (T.switch(T.gt(Z, 0), softmax(Z), softmax(W)), None),
        'rows of two': (T.join(0, softmax(Z), softmax(W)), 1),
        'classes of two': (T.join(1, softmax(Z), softmax(W)), None),
        'rows set': (T.set_subtensor(softmax(Z)[1:], softmax(W)[1:]), None),
        'minus something': (normalised(Z - V, 1), 1),
        'alloc': (T.alloc(softmax(Z), Z.shape[0], Z.shape[1]), 1),
    }
)

PRODUCTS = {
    'more logarithms than anybody writes': functools.reduce(lambda p, _: T.exp(T.log(p)), range(9), T.nnet.sigmoid(Z)),
    'exp': T.exp(-T.sqr(Z)),
    'of two': T.nnet.sigmoid(Z) * T.nnet.sigmoid(V),
    'square': softmax(Z) ** 2,
    'of kinds': softmax(Z) * T.nnet.sigmoid(-Z),
    'half of one': 1 / (2 + T.exp(-Z)),
    'times a number': softmax(Z) * 0.5,
    'of e': T.exp(-1 - T.nnet.softplus(Z)),
    'root': T.nnet.sigmoid(Z) * T.exp(0.5 * T.log(T.nnet.sigmoid(-Z)) * 2),
}

SMOOTH = T.nnet.softmax(Z)
FIVE = [T.nnet.sigmoid(T.dmatrix()) for _ in range(5)]
NEITHER = {
    'one minus a root': 1 - T.sqrt(T.nnet.sigmoid(Z)),
    'one minus many': 1 - FIVE[0] * FIVE[1] * FIVE[2] * FIVE[3] * FIVE[4],
    'root of a negative number': T.exp(0.5 * T.log(-T.nnet.sigmoid(Z))) * Z,
    'root of what may be negative': T.sqrt(Z),
    'symbolic power': T.nnet.sigmoid(Z) ** V,
    'over zero': T.nnet.sigmoid(Z) / T.zeros_like(Z),
    'zero': T.nnet.sigmoid(Z) * 0 + T.nnet.sigmoid(W) * 0,
    'product that may cancel': T.nnet.sigmoid(Z) * E,
    'choice of numbers': T.switch(T.gt(Z, 0), 0.25, 0.5),
    'class joined with nothing': T.join(N, T.nnet.sigmoid(Z), T.nnet.sigmoid(W)),
    'joined with an input': T.join(0, T.nnet.sigmoid(Z), W),
    'increased': T.inc_subtensor(T.nnet.sigmoid(Z)[:1], T.nnet.sigmoid(W)[:1]),
    'increased zeros': T.inc_subtensor(T.zeros_like(Z)[:1], T.nnet.sigmoid(W)[:1]),
    'integers': T.cast(MASK, 'float64'),
    'one class of alloc': T.alloc(normalised(COLUMN, 1), 4, 3),
    'divided exponent by zero': T.exp(Z / T.zeros_like(Z)) * Z,
    'product in an exponent': T.exp(Z * W) * Z,
    'sum of squares over sums': (E + 1) / (E + 1).sum(axis=1, keepdims=True),
    'an input': Z,
    'clip': T.clip(T.nnet.sigmoid(Z), 1e-7, 1),
    'hard': T.nnet.hard_sigmoid(Z),
    'fast': T.nnet.ultra_fast_sigmoid(Z),
    'plus': T.nnet.sigmoid(Z) + 1e-7,
    'some classes': SMOOTH[:, 1:],
    'one class': SMOOTH[:, 0],
    'taken classes': SMOOTH.T[ROWS].T,
    'picked': SMOOTH[T.arange(3), ROWS],
    'some classes of picked rows': normalised(CUBE, 1)[ROWS, 1:, ROWS],
    'symbolic classes of picked rows': normalised(CUBE, 1)[ROWS, :N, ROWS],
    'the only class dropped': normalised(COLUMN, 1).dimshuffle(0),
    'another numerator': T.exp(V) / T.exp(Z).sum(axis=1, keepdims=True),
    'two axes': T.exp(Z) / T.exp(Z).sum(axis=(0, 1), keepdims=True),
    'a mean': T.exp(Z) / T.exp(Z).mean(axis=1, keepdims=True),
    'a maximum': T.exp(Z) / T.exp(Z).max(axis=1, keepdims=True),
    'a quotient': Z / (1 + T.exp(-Z)),
    'a symbolic numerator': N / (1 + T.exp(-Z)),
    'more than one': 1 / (1 + T.exp(-Z) + Z),
    'an inverse': T.inv(Z),
    'a squashed exp': 1 / (1 + Z),
    'a product with what may be negative': Z * T.nnet.sigmoid(Z),
    'gradient clipped': theano.gradient.grad_clip(SMOOTH, -1, 1),
    'printed': theano.printing.Print('p')(SMOOTH),
}


@pytest.mark.parametrize('name', SOFTMAXES)
def test_softmaxes(name):
    predictions, axis = SOFTMAXES[name]
    found = logits.find(predictions)
    assert (found.kind, found.whole) == ('softmax', axis)
    assert found.logits().broadcastable == predictions.broadcastable


@pytest.mark.parametrize('name', SIGMOIDS)
def test_sigmoids(name):
    found = logits.find(SIGMOIDS[name])
    assert found.kind == 'sigmoid'
    assert found.log_odds() is not None


@pytest.mark.parametrize('name', PRODUCTS)
def test_products(name):
    p = PRODUCTS[name]
    found = logits.find(p)
    assert found.kind == 'product'
    outputs = [p, T.exp(found.log_probabilities()), 1 / (1 + T.exp(-found.log_odds())), found.log_probabilities()]
    got = theano.function([Z, V], outputs, mode=PYTHON, on_unused_input='ignore')(VALUES[Z], VALUES[V])
    np.testing.assert_allclose(got[1], got[0], rtol=1e-12)
    np.testing.assert_allclose(got[2], got[0], rtol=1e-12)
    found = logits.find(1 - p)
    assert found.kind == 'sigmoid'
    np.testing.assert_allclose(
        found.log_odds().eval({v: VALUES[v] for v in theano.gof.graph.inputs([p]) if v in VALUES}),
        np.log((1 - got[0]) / got[0]),
        rtol=1e-10,
        atol=1e-12,
    )


def test_a_root_is_a_product():
    assert logits.find(T.sqrt(T.nnet.sigmoid(Z))).kind == 'product'


@pytest.mark.parametrize('name', NEITHER)
def test_neither(name):
    found = logits.find(NEITHER[name])
    assert found is None or found.kind == 'multiple'


VALUES = {
    Z: np.random.RandomState(0).randn(4, 4),
    V: np.random.RandomState(1).randn(4),
    CUBE: np.random.RandomState(2).randn(4, 4, 4),
    N: 2,
    ROWS: np.array([3, 1]),
    MASK: np.array([True, False, True, True]),
    GRID: np.array([[0, 2], [1, 1]]),
    W: np.random.RandomState(3).randn(4, 4),
}


@pytest.mark.parametrize(
    'name',
    [
        name
        for name in SOFTMAXES
        if name not in ('from a GPU', 'broadcastable', 'same shape', 'shape specified', 'cast', 'unknown index of a shape')
    ],
)
def test_what_is_found_gives_the_predictions(name):
    predictions, _ = SOFTMAXES[name]
    found = logits.find(predictions)
    log_odds = found.log_odds()
    outputs = [predictions, T.exp(found.log_probabilities()), 1 / (1 + T.exp(-log_odds))]
    inputs = [v for v in theano.gof.graph.inputs(outputs) if v in VALUES]
    with np.errstate(all='ignore'):
        given, from_logs, from_odds = theano.function(inputs, outputs, mode=PYTHON)(*[VALUES[v] for v in inputs])
    np.testing.assert_allclose(from_logs, given, rtol=1e-12)
    np.testing.assert_allclose(from_odds, given, rtol=1e-12)


@pytest.mark.parametrize('name', SIGMOIDS)
def test_logits_give_the_predictions(name):
    p = SIGMOIDS[name]
    outputs = [p, 1 / (1 + T.exp(-logits.find(p).log_odds()))]
    inputs = [v for v in theano.gof.graph.inputs(outputs) if v in VALUES]
    given, from_odds = theano.function(inputs, outputs, mode=PYTHON)(*[VALUES[v] for v in inputs])
    np.testing.assert_allclose(from_odds, given, rtol=1e-6)


def seen(predictions):
    return logits.Seen([], logits.find(predictions).sources, logits.carried)


@pytest.mark.parametrize('name', list(SOFTMAXES) + list(SIGMOIDS))
def test_twins(name):
    predictions = SOFTMAXES[name][0] if name in SOFTMAXES else SIGMOIDS[name]
    twin = logits.twin(predictions, seen(predictions))
    assert twin is not predictions and logits.same(twin, predictions)
    # nor is what follows the nonlinearity in common
    while moves.see(predictions) is not None and len(moves.see(predictions).parts) == 1:
        (predictions,), (twin,) = moves.see(predictions).parts, moves.see(twin).parts
        assert twin is not predictions


def test_a_twin_has_no_marks():
    """By which users find the variables that they replace."""
    source = softmax(Z)
    moved = source.T
    for variable in source, moved:
        variable.name, variable.tag.role = 'p', 'predictions'
    twin = logits.twin(moved, seen(moved))
    for variable in twin, twin.owner.inputs[0]:
        assert variable.name is None and not hasattr(variable.tag, 'role')
    assert moved.name == source.name == 'p' and moved.tag.role == source.tag.role == 'predictions'


def test_equality_of_networks_that_reuse_layers():
    """Each layer is used twice by the next: going through all ways to the inputs would not end."""

    def network():
        h = Z
        for _ in range(1000):
            h = h + T.tanh(h)
        return h

    assert logits.same(network(), network())
    assert not logits.same(network(), network() + 1)


def test_equality_of_graphs():
    one, two = T.constant(1.0), T.constant(2.0)
    assert logits.same(Z + 1, Z + 1) and not logits.same(Z + 1, Z + 2) and not logits.same(Z + 1, Z - 1)
    assert logits.same(one, T.constant(1.0)) and not logits.same(one, two) and not logits.same(one, Z) and not logits.same(Z, V)
