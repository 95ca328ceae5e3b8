"""Whatever happens to the elements between the layer and the loss, the gradient of the parameters is that of the plain formula.

Hypothesis draws shapes, layers and chains of element-moving ops, some of which tear the classes apart, and the axis and the targets of
the loss. The logits are ordinary, so that the plain formula, written here with Theano's log, is finite and right.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lasagne_objectives as lo  # before theano, which it makes importable

import theano
import theano.tensor as T

from compiled import REWRITES, mode_of
from device import ON_GPU
from ways import SIGMOIDS, SOFTMAXES

# What runs here is measured by other tests; to measure it again takes half as long as to run it.
pytestmark = pytest.mark.no_cover

# On the GPU each needs the C compiler.
few = settings(max_examples=4 if ON_GPU else 22, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


# One step of a chain: draws what to do to an array of this shape; does it to a Theano tensor and returns that with its shape -------


def dimshuffle(draw, p, shape):
    order = draw(st.permutations(range(len(shape))))
    return p.dimshuffle(order), [shape[a] for a in order]


def new_axis(draw, p, shape):
    at = draw(st.integers(0, len(shape)))
    order = list(range(len(shape)))
    return p.dimshuffle(order[:at] + ['x'] + order[at:]), shape[:at] + [1] + shape[at:]


def reshape(draw, p, shape):
    """Split an axis or merge two, with the new shape given as numbers, with a -1, or as symbols."""
    a = draw(st.integers(0, len(shape) - 1))
    parts = [n for n in range(2, shape[a]) if shape[a] % n == 0]
    if a + 1 < len(shape) and draw(st.booleans()):
        new = shape[:a] + [shape[a] * shape[a + 1]] + shape[a + 2 :]
        symbolic = [p.shape[i] for i in range(a)] + [p.shape[a] * p.shape[a + 1]] + [p.shape[i] for i in range(a + 2, len(shape))]
    elif parts:
        n = draw(st.sampled_from(parts))
        new = shape[:a] + [n, shape[a] // n] + shape[a + 1 :]
        symbolic = [p.shape[i] for i in range(a)] + [n, p.shape[a] // n] + [p.shape[i] for i in range(a + 1, len(shape))]
    else:
        new, symbolic = shape, [p.shape[i] for i in range(len(shape))]
    unknown = draw(st.integers(0, len(new) - 1))
    given = draw(st.sampled_from([new, new[:unknown] + [-1] + new[unknown + 1 :], symbolic]))
    return p.reshape(given, ndim=len(new)), new


def flatten(draw, p, shape):
    ndim = draw(st.integers(1, len(shape)))
    return p.flatten(ndim), shape[: ndim - 1] + [int(np.prod(shape[ndim - 1 :]))]


def subtensor(draw, p, shape):
    """A slice of one axis, or one index of it, with constants or with a symbolic bound."""
    a = draw(st.integers(0, len(shape) - 1))
    n = shape[a]
    index, length = draw(
        st.sampled_from(
            [
                (slice(None, None, -1), n),
                (slice(n // 2, None), n - n // 2),
                (slice(-1, None), 1),
                (slice(0, None, 2), (n + 1) // 2),
                (slice(None, p.shape[a] // 2 + 1), min(n, n // 2 + 1)),
                (n - 1, None),
                (-1, None),
            ]
        )
    )
    index = (slice(None),) * a + (index,)
    if length is None:
        return (p[index], shape[:a] + shape[a + 1 :]) if len(shape) > 1 else (p, shape)
    return p[index], shape[:a] + [length] + shape[a + 1 :]


def take(draw, p, shape):
    """Some of an axis, with repetitions: take, or advanced indexing by a list, or by two lists at once."""
    a = draw(st.integers(0, len(shape) - 1))
    chosen = draw(st.lists(st.integers(0, shape[a] - 1), min_size=1, max_size=6))
    how = draw(st.sampled_from(['take', 'list', 'two lists']))
    if how == 'two lists' and len(shape) > 1:
        others = [i % shape[1] for i in range(len(chosen))]
        chosen = [i % shape[0] for i in chosen]
        return p[chosen, others], [len(chosen)] + shape[2:]
    new = shape[:a] + [len(chosen)] + shape[a + 1 :]
    return (T.take(p, chosen, axis=a) if how == 'take' else p[(slice(None),) * a + (chosen,)]), new


def pattern(draw, p, shape):
    """Tell Theano of an axis of length 1, or make it forget all of them."""
    ones = [a for a, n in enumerate(shape) if n == 1]
    if ones and draw(st.booleans()):
        return T.addbroadcast(p, draw(st.sampled_from(ones))), shape
    return T.unbroadcast(p, *range(len(shape))), shape


STEPS = [dimshuffle, new_axis, reshape, flatten, subtensor, take, pattern]


@st.composite
def moved(draw, layer):
    """An output layer behind a chain: its parameters, their values, the predictions and their shape, the class axis left or a guess."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=2, max_size=4))
    random = np.random.RandomState(draw(st.integers(0, 1000)))
    scale, shift = T.TensorType('float64', (False,) * len(shape))('scale'), T.dscalar('shift')
    values = [random.uniform(-2, 2, shape), random.uniform(-1, 1)]
    p = layer(draw, T.tanh(scale) * 3 + shift, len(shape))
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=5)):
        if len(shape) < 5 or step not in (new_axis, reshape):
            p, shape = step(draw, p, shape)
    return [scale, shift], values, p, shape, random, draw(st.sampled_from(REWRITES))


def any_sigmoid(draw, z, ndim):
    return SIGMOIDS[draw(st.sampled_from(sorted(SIGMOIDS)))](z)


def any_softmax(draw, z, ndim):
    return SOFTMAXES[draw(st.sampled_from(sorted(SOFTMAXES)))](z, draw(st.integers(-ndim, ndim - 1)))


def check(parameters, values, mode, ours, plain, t, *plain_t):
    """Value, and gradient of the mean, in one function: where the plain ones are finite, ours are the same."""
    targets = [T.TensorType(str(a.dtype), (False,) * a.ndim)() for a in (t,) + plain_t]
    outputs = [
        output
        for loss in (ours(targets[0]), plain(targets[-1]))
        for output in [loss] + theano.grad(loss.mean(), parameters, disconnected_inputs='ignore')
    ]
    # Theano would compile C to work out what is constant.
    with theano.change_flags(cxx=theano.config.cxx if ON_GPU else ''):
        f = theano.function(parameters + targets, outputs, mode=mode_of(mode), on_unused_input='ignore')
    got = f(*(values + [t] + list(plain_t)))
    for our, expected in zip(got[:3], got[3:]):
        assert our.shape == expected.shape
        finite = np.isfinite(expected)
        np.testing.assert_allclose(our[finite], expected[finite], rtol=1e-7, atol=1e-10)


def plain_binary(p, t):
    return -t * T.log(p) - (1 - t) * T.log(1 - p)


@few
@given(st.data())
def test_binary_crossentropy_of_moved_sigmoids(data):
    parameters, values, p, shape, random, mode = data.draw(moved(any_sigmoid))
    t = random.uniform(0, 1, shape) if data.draw(st.booleans()) else random.randint(0, 2, shape).astype('uint8')
    check(parameters, values, mode, lambda t: lo.binary_crossentropy(p, t), lambda t: plain_binary(p, t), t, t.astype('float64'))


@few
@given(st.data())
def test_binary_losses_of_moved_softmaxes(data):
    parameters, values, p, shape, random, mode = data.draw(moved(any_softmax))
    t = random.uniform(0, 1, shape)
    if data.draw(st.booleans()):
        check(parameters, values, mode, lambda t: lo.binary_crossentropy(p, t), lambda t: plain_binary(p, t), t)
    else:
        check(
            parameters,
            values,
            mode,
            lambda t: lo.binary_hinge_loss(p, t, log_odds=False),
            lambda t: T.maximum(0, 1 - (2 * t - 1) * T.log(p / (1 - p))),
            t,
        )


@few
@given(st.data(), st.sampled_from([any_softmax, any_softmax, any_sigmoid]))
def test_categorical_crossentropy_of_moved_layers(data, layer):
    """Over any axis, the one that holds the classes or not."""
    parameters, values, p, shape, random, mode = data.draw(moved(layer))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    shares = random.uniform(0, 1, shape)
    t = [shares]
    if data.draw(st.booleans()):
        i = shares.argmax(axis=axis)
        t = [i, np.moveaxis(np.eye(shape[axis])[i], -1, axis)]
    check(parameters, values, mode, lambda t: lo.categorical_crossentropy(p, t, axis=axis), lambda t: -T.sum(t * T.log(p), axis=axis), *t)
