"""What a loss sees of the graph below its predictions: the layers it may compute from, those it must leave alone, and that the
predictions remain a variable to differentiate by, to replace, to print and to share.

"Plain" is the loss as its formula says it, written here with Theano's log; on ordinary logits nothing may differ from that.
"""

import copy
import functools
import pickle

import numpy as np
import pytest

import lasagne_objectives as lo  # before theano, which it makes importable

import theano
import theano.tensor as T
from theano.gradient import DisconnectedInputError, disconnected_grad, grad_clip, grad_scale, zero_grad
from theano.sandbox.rng_mrg import MRG_RandomStreams

from compiled import REWRITES, Functions, kernel_of, mode_of, with_gradient
from device import ON_GPU, by_scan, of_the_cpu
from ways import SIGMOIDS, SOFTMAXES, exp_over_sum

every_rewrite = pytest.mark.parametrize('mode', REWRITES)
# What runs here is measured by other tests; to measure it again takes half as long as to run it.
pytestmark = pytest.mark.no_cover

random = np.random.RandomState(3)
LOGITS = random.randn(4, 4)  # square, so that a sum over the wrong axis broadcasts, and gives other numbers


def targets(values):
    """Shared, for FAST_RUN works out what is constant as it compiles, and compiles C to do so."""
    return theano.shared(np.array(values))


INDICES = targets([2, 0, 3, 0])
SHARES = targets(random.dirichlet(np.ones(4), 4))


def plain_binary(p, t):
    return -t * T.log(p) - (1 - t) * T.log(1 - p)


def plain_categorical(p, t, axis=-1):
    """Indices as the one-hot targets that they stand for."""
    if t.ndim == p.ndim - 1:
        t = T.eq(T.arange(p.shape[axis]), T.shape_padright(t)).dimshuffle(moved_last(p.ndim, axis))
    return -T.sum(t * T.log(p), axis=axis)


def moved_last(ndim, axis):
    order = list(range(ndim - 1))
    order.insert(axis % ndim, ndim - 1)
    return order


# Left alone ----------------------------------------------------------------------------------------------------------------------

# Functions of the logits that are no sigmoid, or not only one, and look like it.
NO_SIGMOIDS = {
    'clip': lambda z: T.clip(T.nnet.sigmoid(z), 0.3, 0.7),
    'clip of a way to write it': lambda z: (1 / (1 + T.exp(-z))).clip(0.3, 0.7),
    'maximum': lambda z: T.maximum(T.nnet.sigmoid(z), 0.4),
    'hard_sigmoid': T.nnet.hard_sigmoid,
    'sigmoid plus something': lambda z: T.nnet.sigmoid(z) * 0.9 + 0.05,
    'two sigmoids': lambda z: (T.nnet.sigmoid(z) + T.nnet.sigmoid(2 * z)) / 2,
    'sigmoid squared': lambda z: T.nnet.sigmoid(z) ** 2,
    'switch': lambda z: T.switch(T.gt(z, 0), T.nnet.sigmoid(z), 0.25),
    'one column replaced': lambda z: T.set_subtensor(T.nnet.sigmoid(z)[:, 1], 0.3),
    'one column changed': lambda z: T.inc_subtensor(T.nnet.sigmoid(z)[:, 1], 1e-3),
    'joined with what is none': lambda z: T.join(1, T.nnet.sigmoid(z)[:, :2], T.clip(z[:, 2:], 0.2, 0.6)),
    'not minus z': lambda z: 1 / (1 + T.exp(z)),
    'minus twice z': lambda z: 1 / (1 + T.exp(-2 * z)),
    'half of it': lambda z: 0.5 / (1 + T.exp(-z)),
    'two plus': lambda z: 1 / (2 + T.exp(-z)),
    'z over': lambda z: abs(T.tanh(z)) / (1 + T.exp(-z)),
    'one plus two exps': lambda z: 1 / (1 + T.exp(-z) + T.exp(-z)),
    'root': lambda z: 1 / (1 + T.exp(-z)) ** 0.5,
    'tanh': lambda z: (T.tanh(z) + 1.01) / 2.1,
    'column of a softmax': lambda z: T.nnet.softmax(z)[:, 0].dimshuffle(0, 'x') + 0 * z,
    'average pooled': lambda z: T.nnet.sigmoid(z).mean(axis=1, keepdims=True) + 0 * z,
}
# ... no softmax over the axis that the loss takes for its classes. With the loss's targets and its axis.
# On the GPU pygpu's sum of reversed rows reads outside the array.
OTHER_ROWS = (lambda z: T.roll(z, 1, axis=0)) if ON_GPU else (lambda z: z[::-1])

NO_SOFTMAXES = {
    'clip': (lambda z: T.clip(T.nnet.softmax(z), 0.1, 0.6), INDICES, -1),
    'clip, renormalised': (lambda z: renormalised(T.clip(T.nnet.softmax(z), 0.1, 0.6)), INDICES, -1),
    'first classes': (lambda z: T.nnet.softmax(z)[:, :3], INDICES % 3, -1),
    'last classes': (lambda z: T.nnet.softmax(z)[:, 1:], INDICES % 3, -1),
    'some classes': (lambda z: T.nnet.softmax(z)[:, [0, 0, 2]], INDICES % 3, -1),
    'classes backwards': (lambda z: T.nnet.softmax(z)[:, ::-1], INDICES, -1),
    'taken classes': (lambda z: T.take(T.nnet.softmax(z), [3, 1], axis=1), INDICES % 2, -1),
    'first classes, renormalised': (lambda z: renormalised(T.nnet.softmax(z)[:, :3]), INDICES % 3, -1),
    'reshape (3, 4) to (6, 2)': (lambda z: T.nnet.softmax(z[:3]).reshape((6, 2)), targets(np.arange(6) % 2), -1),
    'reshape (3, 4) to (2, 6)': (lambda z: T.nnet.softmax(z[:3]).reshape((2, 6)), targets([4, 1]), -1),
    'reshape (4, 4) to (2, 4, 2)': (lambda z: T.nnet.softmax(z).reshape((2, 4, 2)), targets([[1, 1], [3, 0]]), 1),
    'reshape to halves, of -1': (lambda z: T.nnet.softmax(z).reshape((-1, z.shape[1] // 2)), targets(np.arange(8) % 2), -1),
    'flatten': (lambda z: T.nnet.softmax(z).flatten(), targets(11), 0),
    'transposed': (lambda z: T.nnet.softmax(z).T, INDICES, -1),
    'transposed, shares': (lambda z: T.nnet.softmax(z).T, SHARES, 1),
    'the other axis': (lambda z: T.nnet.softmax(z), INDICES, 0),
    'a new axis': (lambda z: T.nnet.softmax(z).dimshuffle(0, 'x', 1), targets(np.zeros((4, 4), int)), 1),
    'sum over the other axis': (lambda z: exp_over_sum(z, 0), INDICES, -1),
    'sum over both axes': (lambda z: T.exp(z) / T.exp(z).sum(), INDICES, -1),
    'sum over two of three axes': (lambda z: exp_over_sum(z.reshape((2, 2, 4)), (1, 2)), INDICES.reshape((2, 2)), -1),
    'sum broadcast along the wrong axis': (lambda z: T.exp(z) / T.exp(z).sum(axis=1), INDICES, -1),
    'sum over some': (lambda z: T.exp(z) / T.exp(z)[:, :3].sum(axis=1, keepdims=True), INDICES, -1),
    'sum of others': (lambda z: T.exp(z) / T.exp(OTHER_ROWS(z)).sum(axis=1, keepdims=True), INDICES, -1),
    'sum of the transposed': (lambda z: T.exp(z) / T.exp(z.T).sum(axis=1, keepdims=True), INDICES, -1),
    'sum and one': (lambda z: T.exp(z) / (1 + T.exp(z).sum(axis=1, keepdims=True)), INDICES, -1),
    'sum and a little': (lambda z: T.exp(z) / (T.exp(z).sum(axis=1, keepdims=True) + 1e-3), INDICES, -1),
    'max of each only above': (lambda z: T.exp(z - z.max(axis=1, keepdims=True)) / T.exp(z).sum(axis=1, keepdims=True), INDICES, -1),
    'max subtracted on the other axis': (lambda z: exp_over_sum(z - z.max(axis=0, keepdims=True), 1), INDICES, -1),
    'max, not sum': (lambda z: 0.9 * T.exp(z) / T.exp(z).max(axis=1, keepdims=True), INDICES, -1),
    'mean, not sum': (lambda z: T.exp(z) / T.exp(z).mean(axis=1, keepdims=True) / 5, INDICES, -1),
    'powers of two': (lambda z: 2**z / (2**z).sum(axis=1, keepdims=True), INDICES, -1),
    'logsoftmax and more': (lambda z: T.exp(T.nnet.logsoftmax(z) - 1), INDICES, -1),
    'squared': (lambda z: T.nnet.softmax(z) ** 2, INDICES, -1),
    'two softmaxes': (lambda z: (T.nnet.softmax(z) + T.nnet.softmax(z.T)) / 2, INDICES, -1),
    'softmax plus something': (lambda z: T.nnet.softmax(z) * 0.96 + 0.01, INDICES, -1),
    'mixed up': (lambda z: T.dot(T.nnet.softmax(z), np.full((4, 4), 0.2) + 0.2 * np.eye(4)), SHARES, -1),
    'one column replaced': (lambda z: T.set_subtensor(T.nnet.softmax(z)[:, 1], 0.3), INDICES, -1),
    'cumulated': (lambda z: T.cumsum(T.nnet.softmax(z), axis=1) / 1.5, INDICES, -1),
}


def renormalised(q):
    return q / q.sum(axis=1, keepdims=True)


PLAIN = {
    'binary': plain_binary,
    'hinge': lambda p, t: T.maximum(0, 5 - (2 * t - 1) * T.log(p / (1 - p))),
    'categorical': plain_categorical,
}
OURS = {
    'binary': lo.binary_crossentropy,
    'hinge': lambda p, t: lo.binary_hinge_loss(p, t, delta=5, log_odds=False),
    'categorical': lo.categorical_crossentropy,
}
LABELS = targets([[1.0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 0], [0, 1, 0, 1]])


@functools.lru_cache(maxsize=None)
def left_alone(kind, mode):
    """Value and gradient of our losses, or in the mode 'plain' of the plain ones, for any of the above."""
    z = T.dmatrix('z')
    loss, mode = (PLAIN[kind], 'no optimizer') if mode == 'plain' else (OURS[kind], mode)

    def build(name):
        if kind == 'categorical':
            way, t, axis = NO_SOFTMAXES[name]
            return with_gradient(loss(way(z), t, axis=axis), z)
        return with_gradient(loss(NO_SIGMOIDS[name](z), LABELS), z)

    return Functions([z], build, mode)


@every_rewrite
@pytest.mark.parametrize(
    'kind, name',
    [('binary', name) for name in NO_SIGMOIDS]
    + [('hinge', name) for name in NO_SIGMOIDS]
    + [('categorical', name) for name in NO_SOFTMAXES],
)
def test_what_is_left_alone_gives_the_plain_value(kind, name, mode):
    plain_value, plain_gradient = left_alone(kind, 'plain')(name, LOGITS)
    assert np.isfinite(plain_value).all() and np.abs(plain_gradient).max() > 1e-3
    value, gradient = left_alone(kind, mode)(name, LOGITS)
    np.testing.assert_allclose(value, plain_value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-9, atol=1e-12)


def test_many_losses_in_one_function(mode='fast_run in Python'):
    """More than the 32 operands that NumPy's element-wise functions can have: what merges losses must not merge all of them."""
    z = T.dmatrix('z')
    ways = list(NO_SIGMOIDS)[:12]
    outputs = [output for way in ways for output in with_gradient(lo.binary_crossentropy(NO_SIGMOIDS[way](z), LABELS).mean(), z)]
    got = theano.function([z], outputs, mode=mode_of(mode))(LOGITS)
    for way, value, gradient in zip(ways, got[0::2], got[1::2]):
        plain_value, plain_gradient = left_alone('binary', 'plain')(way, LOGITS)
        np.testing.assert_allclose(value, plain_value.mean(), rtol=1e-9, err_msg=way)
        np.testing.assert_allclose(gradient, plain_gradient / 16, rtol=1e-9, atol=1e-12, err_msg=way)


@every_rewrite
def test_noise_is_left_alone(mode):
    """Sampled noise on the predictions: ours and the plain loss in one function, so that they see the same sample."""
    z, noise = T.dmatrix('z'), MRG_RandomStreams(1)
    outputs = []
    for kind, p in (
        ('binary', T.clip(T.nnet.sigmoid(z) + 0.01 * noise.normal(z.shape, ndim=2), 0.01, 0.99)),
        ('binary', T.nnet.sigmoid(z) * (0.5 + 0.4 * noise.binomial(z.shape, ndim=2, p=0.5))),
        ('categorical', T.nnet.softmax(z) + 0.1 * noise.uniform(z.shape, ndim=2)),
    ):
        for loss in (OURS[kind], PLAIN[kind]):
            outputs += with_gradient(loss(p, LABELS if kind == 'binary' else INDICES), z)
    got = theano.function([z], outputs, mode=mode_of(mode))(LOGITS)
    for ours, plain in zip(got[0::4] + got[1::4], got[2::4] + got[3::4]):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)


@every_rewrite
def test_clip_keeps_its_bounds_on_saturated_logits(mode):
    z = T.dmatrix('z')
    binary = lo.binary_crossentropy(T.clip(T.nnet.sigmoid(z), 0.125, 0.875), 1)
    categorical = lo.categorical_crossentropy(T.clip(T.nnet.softmax(z), 0.125, 0.875), [1, 0])
    f = theano.function([z], with_gradient(binary, z) + with_gradient(categorical, z), mode=mode_of(mode))
    got = f([[1000, -1000], [-1000, 1000]])
    np.testing.assert_allclose(got[0], -np.log([[0.875, 0.125], [0.125, 0.875]]), rtol=1e-12)
    np.testing.assert_array_equal(got[1], np.zeros((2, 2)))
    np.testing.assert_allclose(got[2], -np.log([0.125, 0.125]), rtol=1e-12)
    np.testing.assert_array_equal(got[3], np.zeros((2, 2)))


@every_rewrite
def test_ultra_fast_sigmoid_is_another_function(mode):
    """It has no gradient, so its value has to do."""
    z = T.dmatrix('z')
    p = T.nnet.ultra_fast_sigmoid(z)
    ours, plain = theano.function([z], [lo.binary_crossentropy(p, SHARES), plain_binary(p, SHARES)], mode=mode_of(mode))(LOGITS)
    np.testing.assert_allclose(ours, plain, rtol=1e-9)


@every_rewrite
def test_hard_sigmoid_reaches_zero_and_one(mode):
    z = T.dvector('z')
    f = theano.function([z], lo.binary_crossentropy(T.nnet.hard_sigmoid(z), 1), mode=mode_of(mode))
    np.testing.assert_array_equal(f([-1000, 1000]), [np.inf, 0])


# Ops that mean something for the gradient, or to the user: their meaning is kept -------------------------------------------------

WRAPPERS = {
    'zero_grad': zero_grad,
    'grad_clip': lambda x: grad_clip(x, -0.2, 0.1),
    'grad_scale': lambda x: grad_scale(x, -3),
    'disconnected_grad': disconnected_grad,
}


@every_rewrite
@pytest.mark.parametrize('where', ['logits', 'predictions'])
@pytest.mark.parametrize('name', WRAPPERS)
def test_what_changes_the_gradient_still_does(name, where, mode):
    inner, outer = (WRAPPERS[name], lambda p: p) if where == 'logits' else (lambda z: z, WRAPPERS[name])
    z, outputs = T.dmatrix('z'), []
    for kind, layer, t in (
        ('binary', T.nnet.sigmoid, SHARES),
        ('categorical', T.nnet.softmax, SHARES),
        ('categorical', exp_over_sum, INDICES),
    ):
        for loss in (OURS[kind], PLAIN[kind]):
            value = loss(outer(layer(inner(z)))[1:], t[1:])
            outputs += [value, theano.grad(value.sum() + 0 * z.sum(), z)]  # z stays connected
    got = theano.function([z], outputs, mode=mode_of(mode))(LOGITS)
    for ours, plain in zip(got[0::4] + got[1::4], got[2::4] + got[3::4]):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)
    if name in ('zero_grad', 'disconnected_grad'):
        np.testing.assert_array_equal(got[1::4], np.zeros((3, 4, 4)))


def test_disconnected_predictions_are_disconnected():
    z = T.dmatrix('z')
    for p, loss in ((T.nnet.sigmoid(z), lo.binary_crossentropy), (T.nnet.softmax(z), lo.categorical_crossentropy)):
        with pytest.raises(DisconnectedInputError):
            theano.grad(loss(disconnected_grad(p), SHARES).sum(), z)


@every_rewrite
def test_printed_predictions_are_printed(mode):
    z, seen = T.dmatrix('z'), []
    for layer, loss in ((T.nnet.sigmoid, lo.binary_crossentropy), (T.nnet.softmax, lo.categorical_crossentropy)):
        p = theano.printing.Print('p', global_fn=lambda op, x: seen.append(x.copy()))(layer(z))
        value = theano.function([z], loss(p, SHARES), mode=mode_of(mode))(LOGITS)
        assert seen.pop().shape == (4, 4)
        plain = theano.function([z], loss(T.clip(layer(z), 0, 1), SHARES), mode=mode_of('no optimizer'))(LOGITS)
        np.testing.assert_allclose(value, plain, rtol=1e-9)
        del seen[:]


# The predictions stay usable -----------------------------------------------------------------------------------------------------

# Our loss, the plain loss, the layer, the targets. Some take the predictions as they are, some a part of them.
USES = {
    'binary': (lo.binary_crossentropy, plain_binary, T.nnet.sigmoid, SHARES),
    'binary of a column': (
        lambda p, t: lo.binary_crossentropy(p[:, 1], t[:, 1]),
        lambda p, t: plain_binary(p[:, 1], t[:, 1]),
        SIGMOIDS['1 / (1 + exp(-z))'],
        SHARES,
    ),
    'indices': (lo.categorical_crossentropy, plain_categorical, T.nnet.softmax, INDICES),
    'shares': (lo.categorical_crossentropy, plain_categorical, T.nnet.softmax, SHARES),
    'shares of some rows': (
        lambda p, t: lo.categorical_crossentropy(p[1:].reshape((1, 3, 4)), t[1:].dimshuffle('x', 0, 1)),
        lambda p, t: plain_categorical(p[1:], t[1:]).dimshuffle('x', 0),
        T.nnet.softmax,
        SHARES,
    ),
    'indices, exp / sum': (lo.categorical_crossentropy, plain_categorical, SOFTMAXES['exp(z) / exp(z).sum()'], INDICES),
    'indices, logsoftmax': (lo.categorical_crossentropy, plain_categorical, SOFTMAXES['exp(T.nnet.logsoftmax(z))'], INDICES),
    'hinge': (OURS['hinge'], PLAIN['hinge'], T.nnet.sigmoid, SHARES),
    'hinge of a softmax': (OURS['hinge'], PLAIN['hinge'], T.nnet.softmax, SHARES),
    'binary of a softmax': (lo.binary_crossentropy, plain_binary, T.nnet.softmax, SHARES),
}
Q = random.dirichlet(np.ones(4), 4)  # other predictions, whatever the logits say


def replaced(how, p, q, outputs, inputs, mode, **options):
    """A function of the inputs that computes the outputs with q in the place of p."""
    if how == 'clone':
        return theano.function(inputs, theano.clone(outputs, {p: q}), mode=mode_of(mode), on_unused_input='ignore', **options)
    return theano.function(inputs, outputs, givens={p: q}, mode=mode_of(mode), on_unused_input='ignore', **options)


# FAST_RUN with C is for one of them, and for the rest its rewrites.
modes_of_uses = pytest.mark.parametrize('name, mode', [(name, mode) for name in USES for mode in REWRITES] + [('binary', 'FAST_RUN')])


@modes_of_uses
@pytest.mark.parametrize('how', ['clone', 'givens'])
def test_replaced_predictions_give_their_own_loss(how, name, mode):
    """So does the gradient that was built before they were replaced: dL/dq, carried on through the network.

    In the network's own part of the gradient Theano's ops differ on whether p is a function of z still, or q already: both are fine.
    """
    ours, plain, layer, t = USES[name]
    z, q = T.dmatrices('z', 'q')
    p = layer(z)
    outputs = with_gradient(ours(p, t), z) + with_gradient(plain(p, t), z)
    got = replaced(how, p, q, outputs, [z, q], mode)(LOGITS, Q)
    loss = plain(q, t)
    expected = theano.function([z, q], [loss, T.Lop(p, z, theano.grad(loss.sum(), q))], mode=mode_of('no optimizer'))(LOGITS, Q)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-9, atol=1e-12)
    assert any(np.allclose(got[1], fine, rtol=1e-9, atol=1e-12) for fine in (expected[1], got[3]))


@every_rewrite
@pytest.mark.parametrize('how', ['clone', 'givens'])
@pytest.mark.parametrize('name', USES)
def test_predictions_replaced_by_another_layer(name, how, mode):
    """The same network on other weights: the loss is that of the new predictions."""
    ours, plain, layer, t = USES[name]
    z, w = T.dmatrices('z', 'w')
    p, q = layer(z), layer(w * 2 - 1)
    got = replaced(how, p, q, ours(p, t), [z, w], mode)(LOGITS, LOGITS[::-1])
    expected = theano.function([z], plain(layer(z), t), mode=mode_of('no optimizer'))(LOGITS[::-1] * 2 - 1)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@every_rewrite
@pytest.mark.parametrize('how', ['clone', 'givens'])
@pytest.mark.parametrize('name', USES)
def test_replaced_predictions_without_the_networks_inputs(name, how, mode):
    """Then the network cannot be asked for; saying so is fine, the loss of q is better, anything else is wrong."""
    ours, plain, layer, t = USES[name]
    z, q = T.dmatrices('z', 'q')
    p = layer(z)
    try:
        f = replaced(how, p, q, ours(p, t), [q], mode)
    except theano.gof.fg.MissingInputError:
        return
    expected = theano.function([q], plain(q, t), mode=mode_of('no optimizer'))(Q)
    np.testing.assert_allclose(f(Q), expected, rtol=1e-9, atol=1e-12)


@every_rewrite
@pytest.mark.parametrize('name', USES)
def test_gradient_with_respect_to_the_predictions(name, mode):
    ours, plain, layer, t = USES[name]
    z = T.dmatrix('z')
    p = layer(z)
    try:
        gradient = theano.grad(ours(p, t).sum(), p)
    except DisconnectedInputError:
        return
    got, expected = theano.function([z], [gradient, theano.grad(plain(p, t).sum(), p)], mode=mode_of(mode))(LOGITS)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@every_rewrite
@pytest.mark.parametrize('name', USES)
def test_replaced_logits_of_a_loss_and_its_gradient(name, mode):
    """Replacing the logits instead: the losses of the new ones, saturated or not."""
    ours, plain, layer, t = USES[name]
    z, w = T.dmatrices('z', 'w')
    outputs = theano.clone(with_gradient(ours(layer(z), t), z), {z: w})
    f = theano.function([w], outputs, mode=mode_of(mode))
    expected = theano.function([z], with_gradient(plain(layer(z), t), z), mode=mode_of('no optimizer'))(LOGITS)
    for ours, plain in zip(f(LOGITS), expected):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)
    for output in f(LOGITS * 5000):
        assert np.isfinite(output).all()


@every_rewrite
@pytest.mark.parametrize('name', USES)
@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph, pickle.HIGHEST_PROTOCOL))], ids=['deepcopy', 'pickle']
)
def test_copied_losses(copied, name, mode):
    """Still the same numbers, still from the logits, and still replaceable."""
    ours, plain, layer, t = USES[name]
    z, q = T.dmatrices('z', 'q')
    p = layer(z)
    z, p, q, loss, gradient = copied([z, p, q] + with_gradient(ours(p, t), z))
    f = theano.function([z], [loss, gradient, theano.grad(loss.sum(), z)], mode=mode_of(mode))
    y = T.dmatrix('y')
    expected = theano.function([y], with_gradient(plain(layer(y), t), y), mode=mode_of('no optimizer'))(LOGITS)
    got = f(LOGITS)
    for ours, plain in zip(got, expected + expected[1:]):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)
    for output in f(LOGITS * 5000):
        assert np.isfinite(output).all()
    got = replaced('givens', p, q, loss, [z, q], mode)(LOGITS, Q)
    expected = theano.function([q], USES[name][1](q, t), mode=mode_of('no optimizer'))(Q)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


# Inside scan ---------------------------------------------------------------------------------------------------------------------

# Theano compiles the step by itself, in the mode that scan is given; the loop around it runs in Python, for on Python 3.11 Theano's
# loop in C does not compile.


@by_scan
@every_rewrite
@pytest.mark.parametrize('given', ['as non-sequence', 'by closure'])
def test_loss_and_network_inside_scan(given, mode):
    """A loss a step, of a network with shared weights in the step function: the numbers of the same batch at once, saturated or not."""
    w = theano.shared(random.randn(4, 5), 'w')
    x, t = T.dtensor3('x'), T.imatrix('t')

    def step(x, t, w=w):
        return lo.categorical_crossentropy(T.nnet.softmax(T.dot(x, w)), t).sum()

    losses, updates = theano.scan(step, sequences=[x, t], non_sequences=[w] if given == 'as non-sequence' else [], mode=mode_of(mode))
    assert not updates
    f = theano.function([x, t], [losses, theano.grad(losses.sum(), w)], mode=mode_of(mode))
    at_once = lo.categorical_crossentropy(T.nnet.softmax(T.dot(x.reshape((-1, 4)), w)), t.flatten())
    g = theano.function([x, t], [at_once.reshape(t.shape).sum(axis=1), theano.grad(at_once.sum(), w)], mode=mode_of('no optimizer'))
    values, indices = random.randn(3, 2, 4), random.randint(0, 5, (3, 2)).astype('int32')
    for scale in (1, 5000):
        for in_steps, expected in zip(f(values * scale, indices), g(values * scale, indices)):
            assert np.isfinite(in_steps).all()
            np.testing.assert_allclose(in_steps, expected, rtol=1e-9, atol=1e-9)


# What a step gives back beside its loss, each with a layer
KEPT = {
    'sigmoid': (T.nnet.sigmoid, lo.binary_crossentropy, lambda z, p: p),
    'logits of a sigmoid': (T.nnet.sigmoid, lo.binary_crossentropy, lambda z, p: z),
    'columns of a sigmoid': (lambda z: T.nnet.sigmoid(z)[:, 1:], lambda p, t: lo.binary_crossentropy(p, t[:, 1:]), lambda z, p: p),
    'complement of a sigmoid': (lambda z: 1 - T.nnet.sigmoid(z), lo.binary_crossentropy, lambda z, p: T.nnet.sigmoid(z)),
    'softmax': (T.nnet.softmax, lo.categorical_crossentropy, lambda z, p: p),
    'softmax transposed': (T.nnet.softmax, lo.categorical_crossentropy, lambda z, p: p.T),
    'hinge of a softmax': (T.nnet.softmax, lambda p, t: lo.binary_hinge_loss(p, t, log_odds=False), lambda z, p: p),
}


@by_scan
@every_rewrite
@pytest.mark.parametrize('name', KEPT)
def test_scan_gives_back_what_the_loss_is_made_of(name, mode):
    """Scan puts what it has kept into the gradient of its step: the gradient is of the logits all the same."""
    layer, loss, kept = KEPT[name]
    w, x, t = theano.shared(np.eye(4), 'w'), T.dtensor3('x'), T.dtensor3('t')

    def step(x, t):
        z = T.dot(x, w)
        p = layer(z)
        # of its square, so that the loss itself stands in the gradient too
        return kept(z, p), (loss(p, t) ** 2).sum()

    (_, losses), _ = theano.scan(step, sequences=[x, t], mode=mode_of(mode))
    expected = sum((loss(layer(T.dot(x[i], w)), t[i]) ** 2).sum() for i in range(2))
    results = [theano.grad(losses.sum(), w), theano.grad(expected, w)]
    values, ones = random.randn(2, 3, 4) * 1000, np.eye(4)[random.randint(0, 4, (2, 3))]
    in_steps, at_once = theano.function([x, t], results, mode=mode_of(mode))(values, ones)
    assert np.isfinite(in_steps).all() and in_steps.any()
    np.testing.assert_allclose(in_steps, at_once, rtol=1e-9)


@by_scan
@every_rewrite
@pytest.mark.parametrize('given', ['as sequence', 'as non-sequence', 'by closure'])
def test_predictions_handed_to_scan(given, mode):
    """A network outside, a loss inside: the step function may see the predictions alone, and the loss is theirs."""
    z, t = T.dmatrix('z'), T.dmatrix('t')
    p = T.nnet.sigmoid(z)

    def each(p, t):
        return lo.binary_crossentropy(p, t).sum()

    def one(i, p, t):
        return lo.binary_crossentropy(p, t).sum(axis=1)[i]

    step, sequences, others = {
        'as sequence': (each, [p, t], []),
        'as non-sequence': (one, [T.arange(4)], [p, t]),
        'by closure': (lambda i, t: one(i, p, t), [T.arange(4)], [t]),
    }[given]
    losses, _ = theano.scan(step, sequences, non_sequences=others, mode=mode_of(mode))
    plain = plain_binary(p, t).sum(axis=1)
    got = theano.function([z, t], with_gradient(losses, z) + with_gradient(plain, z), mode=mode_of(mode))(LOGITS, SHARES.get_value())
    np.testing.assert_allclose(got[0], got[2], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got[1], got[3], rtol=1e-9, atol=1e-12)


# Shared, not computed again ------------------------------------------------------------------------------------------------------


def count(function, *names):
    """How many nodes of the compiled graph have an op with one of these names."""
    return sum(type(node.op).__name__ in names for node in function.maker.fgraph.toposort())


@every_rewrite
@pytest.mark.parametrize('name', USES)
def test_the_network_is_computed_once(name, mode):
    """Products of matrices: one forwards, whatever is asked for, one more for the gradient."""
    ours, _, layer, t = USES[name]
    x, w, b = T.dmatrix('x'), theano.shared(np.eye(4), 'w'), theano.shared(np.zeros(4), 'b')
    p = layer(T.dot(x, w) + b)
    loss = ours(p, t).mean()
    products = ('Dot', 'Dot22', 'Gemm', 'Dot22Scalar', 'Gemv', 'GpuDot22', 'GpuGemm', 'GpuGemv')
    assert count(theano.function([x], loss, mode=mode_of(mode)), *products) == 1
    assert count(theano.function([x], [loss, p], mode=mode_of(mode)), *products) == 1
    assert count(theano.function([x], [loss, p, theano.grad(loss, w)], mode=mode_of(mode)), *products) == 2


# Second derivatives --------------------------------------------------------------------------------------------------------------

in_python = theano.change_flags(mode='FAST_COMPILE')  # for the step functions of the scans that make a Hessian
SATURATED = np.array([[800, -300, 0.5, 1e4], [0.25, -0.5, 1, 2], [1e-3, 800, 800, -1e4]])


@by_scan
@every_rewrite
def test_second_derivatives_of_saturated_losses(mode):
    """The Hessian of the cross-entropies does not depend on the targets: m (diag(p) - p p'), and p (1 - p)."""
    z, v = T.dvectors('z', 'v')
    t = SHARES[:3]
    sigmoid = lo.binary_crossentropy(T.nnet.sigmoid(z), t.ravel()).sum()
    softmax = lo.categorical_crossentropy(T.nnet.softmax(z.reshape((3, 4))), t).sum()
    indices = lo.categorical_crossentropy(exp_over_sum(z.reshape((3, 4))), [0, 2, 1]).sum()
    outputs = []
    with in_python:
        for loss in (sigmoid, softmax, indices):
            gradient = theano.grad(loss, z)
            outputs += [theano.gradient.hessian(loss, z), T.Rop(gradient, z, v), T.Rop(loss, z, v), gradient]
    f = theano.function([z, v], outputs, mode=mode_of(mode), on_unused_input='ignore')
    direction = np.linspace(-1, 1, 12)
    got = f(SATURATED.ravel(), direction)
    e = np.exp(-np.abs(SATURATED.ravel()))
    rows = np.exp(SATURATED - SATURATED.max(axis=1, keepdims=True))
    rows /= rows.sum(axis=1, keepdims=True)
    blocks = np.zeros((12, 12))
    for i, p in enumerate(rows):
        blocks[4 * i : 4 * i + 4, 4 * i : 4 * i + 4] = np.diag(p) - np.outer(p, p)
    for expected, (hessian, along, slope, gradient) in zip([np.diag(e / (1 + e) ** 2), blocks, blocks], [got[:4], got[4:8], got[8:]]):
        np.testing.assert_allclose(hessian, expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(along, expected.dot(direction), rtol=0, atol=1e-14)
        np.testing.assert_allclose(slope, gradient.dot(direction), rtol=1e-12)


@by_scan
@every_rewrite
def test_second_derivatives_of_saturated_hinges_and_mixed_pairs_are_finite(mode):
    z, v = T.dvectors('z', 'v')
    rows = z.reshape((3, 4))
    losses = [
        lo.binary_hinge_loss(T.nnet.sigmoid(z), T.gt(SHARES[:3], 0.2).ravel(), log_odds=False).sum(),
        lo.binary_hinge_loss(T.nnet.softmax(rows), T.gt(SHARES[:3], 0.2), log_odds=False).sum(),
        lo.binary_crossentropy(T.nnet.softmax(rows), SHARES[:3]).sum(),
        lo.categorical_crossentropy(T.nnet.sigmoid(rows), SHARES[:3]).sum(),
    ]
    with in_python:
        outputs = [theano.gradient.hessian(loss, z) for loss in losses] + [T.Rop(theano.grad(loss, z), z, v) for loss in losses]
    f = theano.function([z, v], outputs, mode=mode_of(mode), on_unused_input='ignore')
    for output in f(SATURATED.ravel(), np.linspace(-1, 1, 12)):
        assert np.isfinite(output).all()
    # On ordinary logits the Hessian is what differences of the gradient say.
    point, little = LOGITS[:3].ravel(), 1e-6
    gradients = theano.function([z], [theano.grad(loss, z) for loss in losses], mode=mode_of('no optimizer'))
    hessians = f(point, np.zeros(12))[:4]
    for j, step in enumerate(np.eye(12) * little):
        for hessian, above, below in zip(hessians, gradients(point + step), gradients(point - step)):
            np.testing.assert_allclose(hessian[:, j], (above - below) / (2 * little), rtol=0, atol=1e-7)


# The accuracies ------------------------------------------------------------------------------------------------------------------


@every_rewrite
def test_categorical_accuracy_ranks_the_logits(mode):
    """The softmax of these rows is (0, 0, 1): only the logits tell that class 0 comes last."""
    z = T.dmatrix('z')
    rows = np.array([[-2000, -1000, 0.0], [-1000, -2000, 0]])
    for name, way in SOFTMAXES.items():
        seen = lo.categorical_accuracy(way(z)[:], [0, 0], top_k=2)
        hidden = lo.categorical_accuracy(T.clip(way(z), 0, 1), [0, 0], top_k=2)  # ties: the lower index first
        got = theano.function([z], [seen, hidden], mode=mode_of(mode))(rows)
        np.testing.assert_array_equal(got[0], [False, True], name)
        np.testing.assert_array_equal(got[1], [True, True], name)


@every_rewrite
def test_binary_accuracy_compares_the_predictions(mode):
    """A logit of -1e-30 is below 0, but its sigmoid is one half, which meets the threshold."""
    z = T.dvector('z')
    f = theano.function([z], lo.binary_accuracy(T.nnet.sigmoid(z), 1), mode=mode_of(mode))
    np.testing.assert_array_equal(f([-1e-30, -1, 1]), [True, False, True])


# Rows of which nobody knows, before they are run, whether they are whole -------------------------------------------------------------

UNKNOWN = {
    'sequences': lambda z, n: T.nnet.softmax(z.reshape((-1, n))).reshape(z.shape),
    'time first': lambda z, n: T.nnet.softmax(z.reshape((-1, n))).reshape(z.shape).dimshuffle(1, 0, 2)[::-1],
    'the last step': lambda z, n: T.nnet.softmax(z.reshape((-1, n))).reshape(z.shape)[:, -1:],
    'backwards': lambda z, n: T.nnet.softmax(z.reshape((-1, n)))[::-1].reshape(z.shape),
    'two classes': lambda z, n: T.nnet.softmax(z.reshape((-1, n))).reshape(z.shape)[:, :, :2],
    'joined': lambda z, n: T.join(0, *[T.nnet.softmax(z.reshape((-1, n))).reshape(z.shape)] * 2),
    'twice': lambda z, n: T.nnet.softmax(z.reshape((-1, n))).reshape((-1, 2, z.shape[2])).reshape(z.shape),
    'of several axes': lambda z, n: exp_over_sum(z.reshape((1, -1, n))).reshape(z.shape),
}


@every_rewrite
@pytest.mark.parametrize('classes', [6, 3, 12], ids=['whole', 'torn', 'in pairs'])
@pytest.mark.parametrize('way', UNKNOWN)
def test_rows_that_a_reshape_may_tear(way, classes, mode):
    """It is seen when they are run: where the last axis keeps its length, saturated rows keep their digits."""
    z, indices, soft = T.tensor3('z', 'float64'), T.lmatrix('indices'), T.tensor3('soft', 'float64')
    rng = np.random.RandomState(6)
    logits = rng.randn(2, 4, 6)
    p = UNKNOWN[way](z, classes)
    shape = p.eval({z: logits}).shape
    values = logits, rng.randint(0, shape[2], shape[:2]), rng.rand(*shape)
    outputs, plain = [], []
    for predictions, results in ((p, outputs), (T.clip(p, 0, 1), plain)):
        for t in indices, soft:
            loss = lo.categorical_crossentropy(predictions, t)
            results += [loss, theano.grad((loss * T.sqr(soft[:, :, 0])).sum(), z)]
        results.append(lo.categorical_accuracy(predictions, indices, top_k=2))
    got = theano.function([z, indices, soft], outputs, mode=mode_of(mode))(*values)
    expected = theano.function([z, indices, soft], plain, mode=mode_of('no optimizer'))(*values)
    for one, other in zip(got, expected):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    if classes == 6 and way != 'two classes':
        # Saturated, two logits of a row differ by less than their softmax can tell.
        saturated = lo.categorical_crossentropy(UNKNOWN[way](1000 * z, 6), indices)
        f = theano.function([z, indices], [saturated, theano.grad(saturated.sum(), z)], mode=mode_of(mode))
        assert all(np.isfinite(result).all() for result in f(*values[:2]))


@of_the_cpu
def test_rows_that_a_reshape_may_tear_reach_the_fused_kernel():
    z, t = T.ftensor3(), T.imatrix()
    loss = lo.categorical_crossentropy(UNKNOWN['sequences'](z, 6), t).mean()
    names = [type(kernel_of(node.op)).__name__ for node in theano.function([z, t], [loss, theano.grad(loss, z)]).maker.fgraph.toposort()]
    assert 'SoftmaxCrossentropyWithGradient' in names and 'LogSoftmax' not in names


@every_rewrite
@pytest.mark.parametrize('classes', [6, 3], ids=['whole', 'torn'])
def test_predictions_of_unknown_rows_can_be_replaced(classes, mode):
    """Before and after differentiation, by plain ones and by others of unknown rows."""
    z, x, t = T.tensor3('z', 'float64'), T.tensor3('x', 'float64'), T.lmatrix('t')
    rng = np.random.RandomState(7)
    values = rng.randn(2, 4, 6), rng.randn(2, 4, 6), rng.randint(0, 6, (2, 4))
    p, way = UNKNOWN['sequences'](z, classes), UNKNOWN['sequences']
    loss = lo.categorical_crossentropy(p, t).sum()
    gradient = theano.grad(loss, z)
    plain = theano.clone(loss, {p: T.exp(x)})
    others = theano.clone(loss, {p: way(2 * x, classes)})
    moved = theano.clone(gradient, {p: way(z, classes)})
    replaced = theano.clone(gradient, {p: T.clip(way(z, classes), 0, 1)})
    got = theano.function([z, x, t], [plain, others, moved, replaced], mode=mode_of(mode), on_unused_input='ignore')(*values)

    def expected(q, wrt=None):
        result = lo.categorical_crossentropy(T.clip(q, 0, 1e9), t).sum()
        result = result if wrt is None else theano.grad(result, wrt)
        return theano.function([z, x, t], result, mode=mode_of('no optimizer'), on_unused_input='ignore')(*values)

    wanted = [expected(T.exp(x)), expected(way(2 * x, classes))] + [expected(way(z, classes), z)] * 2
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
