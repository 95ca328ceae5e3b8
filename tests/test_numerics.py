"""The contract's "Numbers: stable by construction": values and gradients against 50 digits, in every mode and float type.

Compiling is what costs time here, so a function is compiled once for each mode, type and way of writing an output layer, computes several
losses, and is fed every case at once, one per row.
"""

import functools

import numpy as np
import pytest

import lasagne_objectives as lo  # before theano, which it makes importable

import theano
import theano.tensor as T

import oracle
from compiled import MODES, REWRITES, Functions, mode_of, tensor, with_gradient
from device import ON_GPU
from oracle import assert_within
from ways import SIGMOIDS, SOFTMAXES, exp_minus_max, exp_over_sum, nnet_softmax

# What runs here is measured by other tests; to measure it again takes half as long as to run it.
pytestmark = pytest.mark.no_cover

# (type of the logits, floatX)
TYPES = [('float32', 'float32'), ('float64', 'float64'), ('float16', 'float32'), ('float32', 'float64')]
if ON_GPU:
    del TYPES[-1]  # as on the CPU: floatX is read when a graph is built
every_mode = pytest.mark.parametrize('mode', MODES)
every_rewrite = pytest.mark.parametrize('mode', REWRITES)
every_type = pytest.mark.parametrize('dtype, floatX', TYPES)


# Logits and targets --------------------------------------------------------------------------------------------------------------

# Among them where exp, 1 + exp and sigmoid run out of digits or of range in one type or another.
MAGNITUDES = [0.0, 1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0, 12.0, 16.5, 19.5, 30.5, 36.5, 88.5, 100.0, 103.5, 709.5, 745.5, 1e3, 1e4]


def binary_cases(dtype):
    """Logits (one a row) and targets (one a column), as two arrays of one shape: each with each."""
    z = np.concatenate([MAGNITUDES, np.negative(MAGNITUDES)]).astype(dtype)
    t = np.array([0, 1, 0.5, 0.1, 0.999, 1e-3]).astype(dtype)
    return [a.copy() for a in np.broadcast_arrays(z[:, None], t)]


def softmax_rows(dtype):
    """Rows of five logits of every size: mixed, of one kind, equal, nearly equal, one huge among tiny ones, with masked classes."""
    rows = []
    for size in [0, 1e-3, 1e-2, 0.1, 1, 10, 30, 100, 1e3, 1e4]:
        rows += [
            np.multiply(size, [1, -0.5, 0.3, 0, -1]),
            np.multiply(size, [0.7, 0.7, -0.7, 0.69, 0.7]),
            np.full(5, size),
            np.full(5, -size),
            [size, 1e-3, -1e-3, 0, 1],
            [-size, 1e-3, 2, 0, -1],
            [size, -size, size, -size, 1e-3],
            [size, size - 1, size - 2, 0, -2],
            [-np.inf, size, 1, -size, 2],
            [size, -np.inf, -np.inf, -np.inf, -np.inf],
            [size, -np.inf, -size, -np.inf, size],
        ]
    return np.array(rows).astype(dtype)


SHARES = np.array(
    [
        [1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0.2, 0.2, 0.2, 0.2, 0.2],
        [0.02, 0.92, 0.02, 0.02, 0.02],
        [0.5, 0.5, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [2, 1.5, 0, 0.25, 0],
        [0.1, 0.2, 0.3, 0.25, 0.15],
        [0, 0, 0, 0, 1],
        [1e-3, 0, 0, 0.999, 0],
    ]
)


def softmax_cases(dtype):
    """Each row of logits with each kind of targets: class indices, shares, one-hot integers. A masked class is never a target."""
    z, t = softmax_rows(dtype), SHARES.astype(dtype)
    z, t = np.repeat(z, len(t), axis=0), np.tile(t, (len(z), 1))
    t[np.isinf(z)] = 0
    i = np.arange(len(z)) * 7 // 10 % 5
    masked = np.isinf(z[np.arange(len(z)), i])
    i[masked] = np.argmax(z[masked], axis=1)
    return z, i.astype('int32'), t, np.eye(5, dtype='int8')[i]


# Every way of writing the layer --------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def binary_losses(dtype, floatX, mode):
    """The losses of a sigmoid layer, from logits, float targets and integer targets, for each way to write it."""
    z, t, k = tensor(dtype, 2, 'z'), tensor(dtype, 2, 't'), T.bmatrix('k')

    def build(way):
        p = SIGMOIDS[way](z)
        return (
            with_gradient(lo.binary_crossentropy(p, t), z)
            + with_gradient(lo.binary_crossentropy(p, k), z)
            + with_gradient(lo.binary_hinge_loss(p, k, log_odds=False), z)
            + [p]
        )

    return Functions([z, t, k], build, mode, floatX)


@functools.lru_cache(maxsize=None)
def categorical_losses(dtype, floatX, mode):
    """The losses of a softmax layer, from logits, class indices, float targets and integer one-hot targets, for each way to write it."""
    z, i, t, k = tensor(dtype, 2, 'z'), T.ivector('i'), tensor(dtype, 2, 't'), T.bmatrix('k')

    def build(way):
        p = SOFTMAXES[way](z)
        return [output for targets in (i, t, k) for output in with_gradient(lo.categorical_crossentropy(p, targets), z)]

    return Functions([z, i, t, k], build, mode, floatX)


@functools.lru_cache(maxsize=None)
def binary_results(dtype, floatX, mode, way):
    z, t = binary_cases(dtype)
    return binary_losses(dtype, floatX, mode)(way, z, t, (t == 1).astype('int8'))


@functools.lru_cache(maxsize=None)
def categorical_results(dtype, floatX, mode, way):
    return categorical_losses(dtype, floatX, mode)(way, *softmax_cases(dtype))


def check_binary(got, z, t, dtype, row_loss=oracle.binary_of_sigmoid):
    value, gradient = oracle.exact(row_loss, z, t)
    bounds = oracle.binary_bounds(value, gradient, z, t, dtype)
    assert_within(got[0], value, bounds[0], z=z, t=t)
    assert_within(got[1], gradient, bounds[1], z=z, t=t)


def check_categorical(got, z, t, dtype, axis=-1, row_loss=oracle.categorical_of_softmax):
    value, gradient = oracle.exact(row_loss, z, t, axis)
    mass = 1 if np.ndim(t) < np.ndim(z) else np.sum(np.asarray(t, 'float64'), axis=axis)
    assert_within(got[0], value, oracle.absolute_bound(value, dtype, oracle.largest_finite(z, axis), mass), dtype)
    mass = mass if np.ndim(mass) == 0 else np.expand_dims(mass, axis)
    assert_within(got[1], gradient, oracle.gradient_bound(dtype, mass), dtype, z=z)


@every_mode
@every_type
@pytest.mark.parametrize('way', SIGMOIDS)
def test_binary_crossentropy_of_a_sigmoid(way, dtype, floatX, mode):
    z, t = binary_cases(dtype)
    got = binary_results(dtype, floatX, mode, way)
    assert got[0].dtype == got[-1].dtype
    check_binary(got[:2], z, t, dtype)
    check_binary(got[2:4], z, t == 1, dtype)


@every_mode
@every_type
@pytest.mark.parametrize('way', SIGMOIDS)
def test_binary_hinge_of_the_log_odds_of_a_sigmoid(way, dtype, floatX, mode):
    z, t = binary_cases(dtype)
    got = binary_results(dtype, floatX, mode, way)[4:6]
    value, gradient = oracle.exact(oracle.hinge_of_sigmoid, z, t == 1)
    assert_within(got[0], value, oracle.absolute_bound(value, dtype, oracle.largest_finite(z)), z=z, t=t)
    assert_within(got[1], gradient, oracle.gradient_bound(dtype), z=z, t=t)


@every_mode
@every_type
@pytest.mark.parametrize('way', SOFTMAXES)
def test_categorical_crossentropy_of_a_softmax(way, dtype, floatX, mode):
    z, i, t, k = softmax_cases(dtype)
    got = categorical_results(dtype, floatX, mode, way)
    check_categorical(got[:2], z, i, dtype)
    check_categorical(got[2:4], z, t, dtype)
    check_categorical(got[4:], z, k, dtype)


@every_mode
@every_type
def test_types_stay(dtype, floatX, mode):
    """Of the logits' type stay value and gradient, with integer targets and float ones, whatever floatX is."""
    for results, ways in ((binary_results, SIGMOIDS), (categorical_results, SOFTMAXES)):
        for way in ways:
            if (dtype, way) != ('float16', '1.0 / (1.0 + exp(-z))'):  # Theano itself makes float32 predictions of that
                assert {str(got.dtype) for got in results(dtype, floatX, mode, way)} == {dtype}


@functools.lru_cache(maxsize=None)
def huge_case():
    """Two rows of 50 000 classes (equal logits, and usual ones, which every type holds exactly), targets, and what is true of them."""
    z = np.stack([np.zeros(50000), np.round(np.random.RandomState(1).randn(50000) * 16) / 16])
    i, t = np.array([49999, 3], 'int32'), np.zeros(z.shape)
    t[:, ::6250] = 0.125
    true = []
    for targets in (i, t):
        value, gradient = oracle.exact(oracle.categorical_of_softmax, z, targets)
        true += [value, gradient]
    return z, i, t, true


@every_mode
@every_type
def test_50000_classes(dtype, floatX, mode):
    """Long sums must neither lose digits nor, in float16, overflow."""
    z, i, t, true = huge_case()
    for way in SOFTMAXES:
        results = categorical_losses(dtype, floatX, mode)(way, z.astype(dtype), i, t.astype(dtype), (t > 0).astype('int8'))
        for got, expected in zip(results, true):
            bound = (
                oracle.gradient_bound(dtype) if got.ndim == 2 else oracle.absolute_bound(expected, dtype, oracle.largest_finite(z, axis=-1))
            )
            assert_within(got, expected, bound, dtype)


# Behind element-moving ops -------------------------------------------------------------------------------------------------------

# Of a softmax of shape (24, 5): how its elements are moved, and where the classes end up. Shapes are constants, symbols and -1.
ROWS = np.array([3, 23, 1, 1, 0, 17])
SOFTMAX_CHAINS = {
    'first rows': (lambda p: p[:7], -1),
    'first rows, symbolic': (lambda p: p[: p.shape[0] // 2], -1),
    'every other row, backwards': (lambda p: p[::-2], -1),
    'inner rows': (lambda p: p[1:-1, :], -1),
    'transposed': (lambda p: p.T, 0),
    'constant reshape': (lambda p: p.reshape((4, 6, 5)), -1),
    'reshape with -1': (lambda p: p.reshape((-1, 6, 5)), -1),
    'reshape with -1 for the classes': (lambda p: p.reshape((4, 6, -1)), -1),
    'symbolic reshape': (lambda p: p.reshape((p.shape[0] // 6, 6, p.shape[1])), -1),
    'reshape to a shape': (lambda p: p.reshape(T.stack([3, 8, p.shape[1]]), ndim=3), -1),
    'reshape to and fro': (lambda p: p.reshape((4, 6, 5)).reshape((24, 5)), -1),
    'reshape to segmentation': (lambda p: p.reshape((2, 3, 4, 5)).dimshuffle(0, 3, 1, 2), 1),
    'reshape with trailing ones': (lambda p: p.reshape((24, 5, 1, 1)), 1),
    'flatten the rest': (lambda p: p.reshape((4, 6, 5)).dimshuffle(2, 0, 1).flatten(2), 0),
    'dimshuffle with new axes': (lambda p: p.dimshuffle('x', 1, 'x', 0), 1),
    'new axes and back': (lambda p: p.dimshuffle(0, 'x', 1, 'x')[:, 0, :, 0], -1),
    'swapaxes': (lambda p: p.reshape((4, 6, 5)).swapaxes(0, 2), 0),
    'last time step': (lambda p: p.reshape((4, 6, 5))[:, -1], -1),
    'one row': (lambda p: p[20], -1),
    'list of rows': (lambda p: p[[3, 23, 1, 1, 0, 17]], -1),
    'vector of rows': (lambda p: p[T.constant(ROWS)], -1),
    'matrix of rows': (lambda p: p[T.constant(ROWS.reshape(2, 3))], -1),
    'take': (lambda p: T.take(p, T.constant(ROWS), axis=0), -1),
    'take, matrix': (lambda p: p.take(T.constant(ROWS.reshape(3, 2)), axis=0), -1),
    'last steps of sequences': (lambda p: p.reshape((4, 6, 5))[T.arange(4), T.constant([5, 0, 2, 2])], -1),
    'nonzero mask': (lambda p: p[T.neq(T.arange(p.shape[0]) % 3, 1).nonzero()], -1),
    'patternbroadcast': (lambda p: T.patternbroadcast(p.reshape((1, 24, 5)), (True, False, False)), -1),
    'addbroadcast and drop': (lambda p: T.addbroadcast(p.reshape((24, 1, 5)), 1).dimshuffle(0, 2), -1),
    'unbroadcast': (lambda p: T.unbroadcast(p.dimshuffle('x', 0, 1), 0), -1),
    'nested': (lambda p: p[::2].reshape((3, 4, -1)).dimshuffle(2, 1, 0)[:, 1:][:, ::-1].swapaxes(0, 2)[[2, 0]], -1),
}
# Of a sigmoid the elements may go anywhere.
SIGMOID_CHAINS = {
    'one column': lambda p: p[:, 0],
    'last rows': lambda p: p[-5:],
    'every other column': lambda p: p[:, 1::2],
    'transposed': lambda p: p.T,
    'flatten': lambda p: p.flatten(),
    'flatten(2)': lambda p: p.reshape((4, 6, 5)).flatten(2),
    'reshape across everything': lambda p: p.reshape((10, -1)),
    'symbolic reshape': lambda p: p.reshape((p.shape[1], p.shape[0])),
    'vector': lambda p: p.reshape((-1,)),
    'list of columns': lambda p: p[:, [4, 0, 0]],
    'diagonal by indices': lambda p: p[T.arange(5), T.arange(5)],
    'take of the flattened': lambda p: p.take(T.constant([119, 0, 7, 7])),
    'take of columns': lambda p: T.take(p, T.constant([3, 1]), axis=1),
    'one element': lambda p: p[20, 3],
    'nonzero mask': lambda p: p[T.neq(T.arange(p.shape[0]) % 3, 1).nonzero()],
    'patternbroadcast': lambda p: T.patternbroadcast(p[:, :1], (False, True)),
    'nested': lambda p: p.dimshuffle(1, 'x', 0)[:, 0].flatten()[10:].reshape((11, 10))[::-1, [1, 3]],
}


@functools.lru_cache(maxsize=None)
def moved_positions(family):
    """For each chain, which element of the layer's output each element of the chain's comes from: the chain, run on 0, 1, 2, ..."""
    q = T.lmatrix('q')
    chains = [
        (name, chain[0](q) if family == 'softmax' else chain(q))
        for name, chain in (SOFTMAX_CHAINS if family == 'softmax' else SIGMOID_CHAINS).items()
    ]
    function = theano.function([q], [moved for _, moved in chains], mode=mode_of('no optimizer'))
    return dict(zip([name for name, _ in chains], function(np.arange(120).reshape(24, 5))))


def chain_logits(dtype):
    """24 of the rows, saturated ones among them; for a sigmoid, without the -inf."""
    rows = softmax_rows(dtype)
    return np.concatenate([rows[4::11], rows[5::11], rows[8::30]])[:24]


def chain_targets(family, name, dtype):
    """Targets in the layout of a chain's result: shares and class indices, or 0, 1 and one half."""
    at = moved_positions(family)[name]
    if family == 'sigmoid':
        return (at % 3 / 2.0).astype(dtype)
    axis = SOFTMAX_CHAINS[name][1]
    z = np.moveaxis(chain_logits(dtype).ravel()[at], axis, -1)
    i = np.asarray((np.arange(z[..., 0].size) * 2 % 5).reshape(z.shape[:-1]))
    i = np.where(np.isinf(np.take_along_axis(z, i[..., None], -1)[..., 0]), z.argmax(axis=-1), i)
    t = np.asarray(SHARES[(np.arange(i.size) * 3 % 10).reshape(i.shape)].astype(dtype))
    t[np.isinf(z)] = 0
    return np.moveaxis(t, -1, axis), i.astype('int32')


@functools.lru_cache(maxsize=None)
def chained_softmax_losses(mode, dtype='float32'):
    """Every chain of a softmax: the loss of shares, of indices, and their gradients.

    The targets are shared, for FAST_RUN works out what is constant as it compiles, and compiles C to do so.
    """
    z = tensor(dtype, 2, 'z')

    def build(name):
        chain, axis = SOFTMAX_CHAINS[name]
        p = chain(T.nnet.softmax(z))
        return [
            output
            for targets in chain_targets('softmax', name, dtype)
            for output in with_gradient(lo.categorical_crossentropy(p, theano.shared(targets), axis=axis), z)
        ]

    return Functions([z], build, mode)


@functools.lru_cache(maxsize=None)
def chained_sigmoid_losses(mode, dtype='float32'):
    z = tensor(dtype, 2, 'z')

    def build(name):
        p = SIGMOID_CHAINS[name](T.nnet.sigmoid(z))
        return with_gradient(lo.binary_crossentropy(p, theano.shared(chain_targets('sigmoid', name, dtype))), z)

    return Functions([z], build, mode)


def finite(z):
    return np.where(np.isinf(z), z.dtype.type(-1e4), z)


def gather(elements, at, like):
    """Bring what belongs to the moved elements back to where they came from; those taken twice add up."""
    back = np.zeros(like.size, elements.dtype)
    np.add.at(back, at.ravel(), elements.ravel())
    return back.reshape(like.shape)


@pytest.mark.parametrize('name, mode', [(name, mode) for name in SOFTMAX_CHAINS for mode in REWRITES] + [('first rows', 'FAST_RUN')])
def test_softmax_behind_moved_elements(name, mode, dtype='float32'):
    z, at, axis = chain_logits(dtype), moved_positions('softmax')[name], SOFTMAX_CHAINS[name][1]
    got = chained_softmax_losses(mode)(name, z)
    moved = z.ravel()[at]
    for targets, (loss, gradient_z) in zip(chain_targets('softmax', name, dtype), (got[:2], got[2:])):
        value, gradient = oracle.exact(oracle.categorical_of_softmax, moved, targets, axis)
        mass = targets.sum(axis=axis, keepdims=True) if targets.ndim == moved.ndim else np.ones_like(moved)
        bound = gather(np.broadcast_to(oracle.gradient_bound(dtype, mass), moved.shape), at, z)  # of rows taken twice, twice that
        assert_within(gradient_z, oracle.Exact(gather(gradient.numbers, at, z)), bound, dtype, z=z)
        mass = np.broadcast_to(mass, moved.shape).max(axis=axis)
        assert_within(loss, value, oracle.absolute_bound(value, dtype, oracle.largest_finite(moved, axis), mass), dtype)


@every_rewrite
@pytest.mark.parametrize('name', SIGMOID_CHAINS)
def test_sigmoid_behind_moved_elements(name, mode, dtype='float32'):
    z, at, t = finite(chain_logits(dtype)), moved_positions('sigmoid')[name], chain_targets('sigmoid', name, dtype)
    got = chained_sigmoid_losses(mode)(name, z)
    moved = z.ravel()[at]
    value, gradient = oracle.exact(oracle.binary_of_sigmoid, np.atleast_1d(moved), np.atleast_1d(t))
    bounds = oracle.binary_bounds(value, gradient, moved, t, dtype)
    assert_within(np.atleast_1d(got[0]), value, bounds[0], dtype, z=np.atleast_1d(moved), t=np.atleast_1d(t))
    assert_within(got[1], oracle.Exact(gather(gradient.numbers, at, z)), gather(bounds[1], at, z), dtype, z=z)


@every_rewrite
def test_a_constant_reshape_that_cuts_rows_gives_the_plain_value(mode, dtype='float64'):
    """Whether reshape((4, 3, 5)) leaves the classes whole shows only at run time: it does for rows of 5, and not for rows of 10."""
    z = T.dmatrix('z')
    i = np.arange(12).reshape(4, 3) % 5
    p = T.nnet.softmax(z)
    function = theano.function([z], with_gradient(lo.categorical_crossentropy(p.reshape((4, 3, 5)), i), z), mode=mode_of(mode))
    rows = np.random.RandomState(0).randn(12, 5)
    saturated = rows * 2000
    value, gradient = oracle.exact(oracle.categorical_of_softmax, saturated, i.ravel())
    got = function(saturated)
    size = oracle.largest_finite(saturated, -1)
    assert_within(got[0].ravel(), value, oracle.absolute_bound(value, dtype, size))
    assert_within(got[1], gradient, oracle.gradient_bound(dtype))

    rows = rows.reshape(6, 10)
    p = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    loss = -np.log(np.take_along_axis(p.reshape(4, 3, 5), i[..., None], 2)[..., 0])
    picked = np.zeros(60)
    picked[np.arange(12) * 5 + i.ravel()] = 1
    picked = picked.reshape(6, 10)
    got = function(rows)
    np.testing.assert_allclose(got[0], loss, rtol=1e-12)
    np.testing.assert_allclose(got[1], p * picked.sum(axis=1, keepdims=True) - picked, rtol=0, atol=1e-12)


# Every axis of every rank --------------------------------------------------------------------------------------------------------

AXES = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, -1), (4, 0), (4, 1), (4, -2), (4, 3)]
AXIS_WAYS = {'T.nnet.softmax': nnet_softmax, 'e / e.sum()': exp_over_sum, 'minus max': exp_minus_max}


def axis_case(ndim, axis, dtype):
    """Saturated rows along that axis: logits, indices, shares."""
    z, i, t, _ = softmax_cases(dtype)
    rest = {1: (), 2: (12,), 3: (3, 4), 4: (2, 3, 2)}[ndim]
    pick = 1013 - 83 * np.arange(np.prod(rest, dtype=int))
    z, t = [np.moveaxis(a[pick].reshape(rest + (5,)), -1, axis) for a in (z, t)]
    return z, i[pick].reshape(rest), t


@functools.lru_cache(maxsize=None)
def axis_losses(way, mode, dtype='float32'):
    def build(case):
        ndim, axis = case
        z = logits[ndim - 1]
        p = AXIS_WAYS[way](z, axis)
        return [
            output
            for targets in axis_case(ndim, axis, dtype)[1:]
            for output in with_gradient(lo.categorical_crossentropy(p, theano.shared(targets), axis=axis), z)
        ]

    logits = [tensor(dtype, ndim) for ndim in (1, 2, 3, 4)]
    return Functions(logits, build, mode)


@every_rewrite
@pytest.mark.parametrize('ndim, axis', AXES)
@pytest.mark.parametrize('way', AXIS_WAYS)
def test_every_axis(way, ndim, axis, mode, dtype='float32'):
    z, i, t = axis_case(ndim, axis, dtype)
    unused = [np.zeros((0,) * rank, dtype) for rank in (1, 2, 3, 4)]
    got = axis_losses(way, mode)((ndim, axis), *(unused[: ndim - 1] + [z] + unused[ndim:]))
    for targets, (value, gradient) in zip((i, t), (got[:2], got[2:])):
        check_categorical([value, gradient], z, targets, dtype, axis)


# The other pairs of loss and layer -----------------------------------------------------------------------------------------------

OTHER_PAIRS = {
    'categorical of sigmoid, t': lambda z, i, t, k: lo.categorical_crossentropy(T.nnet.sigmoid(z), t),
    'categorical of sigmoid, i': lambda z, i, t, k: lo.categorical_crossentropy(T.nnet.sigmoid(z), i),
    'binary of softmax, t': lambda z, i, t, k: lo.binary_crossentropy(T.nnet.softmax(z), t),
    'binary of softmax, k': lambda z, i, t, k: lo.binary_crossentropy(exp_minus_max(z), k),
    'hinge of softmax, t': lambda z, i, t, k: lo.binary_hinge_loss(T.nnet.softmax(z), t, log_odds=False),
    'hinge of softmax, signs': lambda z, i, t, k: lo.binary_hinge_loss(exp_over_sum(z), 2 * k - 1, 0.25, log_odds=False, binary=False),
}
# In C FAST_RUN does one type; its rewrites are run for all.
pairs = pytest.mark.parametrize(
    'mode, dtype', [(mode, dtype) for mode in REWRITES for dtype in ('float32', 'float64', 'float16')] + [('FAST_RUN', 'float32')]
)


@functools.lru_cache(maxsize=None)
def other_pairs(mode, dtype):
    """The losses that each layer was not made for, with float targets, indices and integer targets."""
    inputs = [tensor(dtype, 2, 'z'), T.ivector('i'), tensor(dtype, 2, 't'), T.bmatrix('k')]
    return Functions(
        inputs, lambda name: with_gradient(OTHER_PAIRS[name](*inputs), inputs[0]), mode, 'float64' if dtype == 'float64' else 'float32'
    )


def other_pairs_case(dtype):
    """The finite rows; targets between 0 and 1."""
    z, i, t, k = softmax_cases(dtype)
    rows = np.isfinite(z).all(axis=1)
    return z[rows], i[rows], np.minimum(t[rows], 1), k[rows]


@pairs
@pytest.mark.parametrize('targets', ['t', 'i'])
def test_categorical_crossentropy_of_a_sigmoid(targets, dtype, mode):
    z, i, t, k = other_pairs_case(dtype)
    got = other_pairs(mode, dtype)('categorical of sigmoid, ' + targets, z, i, t, k)
    shares = t if targets == 't' else k
    value, gradient = oracle.exact(oracle.categorical_of_sigmoid, z, shares)
    mass = shares.sum(axis=1, dtype='float64')
    assert_within(got[0], value, oracle.absolute_bound(value, dtype, oracle.largest_finite(z, 1), mass), dtype)
    assert_within(got[1], gradient, oracle.gradient_bound(dtype, mass[:, None]), dtype, z=z, t=shares)


@pairs
@pytest.mark.parametrize('targets', ['t', 'k'])
def test_binary_crossentropy_of_a_softmax(targets, dtype, mode):
    """Each of the five elements has a target mass of one, so the row's gradient has five."""
    z, i, t, k = other_pairs_case(dtype)
    got = other_pairs(mode, dtype)('binary of softmax, ' + targets, z, i, t, k)
    value, gradient = oracle.exact(oracle.binary_of_softmax, z, t if targets == 't' else k)
    size = oracle.largest_finite(z, 1)[:, None]
    assert_within(got[0], value, oracle.absolute_bound(value, dtype, size), dtype, t=t)
    assert_within(got[1], gradient, oracle.gradient_bound(dtype, 5), dtype, z=z)


@pairs
@pytest.mark.parametrize('name, how', [('t', {}), ('signs', {'delta': oracle.mp.mpf('.25'), 'binary': False})])
def test_binary_hinge_of_the_log_odds_of_a_softmax(name, how, dtype, mode):
    z, i, t, k = other_pairs_case(dtype)
    got = other_pairs(mode, dtype)('hinge of softmax, ' + name, z, i, t, k)
    value, gradient = oracle.exact(oracle.hinge_of_softmax, z, t if name == 't' else 2 * k - 1, **how)
    size = oracle.largest_finite(z, 1)[:, None]
    assert_within(got[0], value, oracle.absolute_bound(value, dtype, size), dtype, t=t)
    # At the kink, where rounding decides on the slope, there is no true gradient to compare to.
    clear = np.all((value.near > 4 * oracle.ulp(size, dtype)) | (value.near == 0), axis=1)
    assert clear.sum() > len(z) // 4
    assert_within(got[1][clear], oracle.Exact(gradient.numbers[clear]), oracle.gradient_bound(dtype, 5), dtype, z=z[clear])


# Weights and means ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'how, scale, mode',
    [('mean', 1 / 64.0, mode) for mode in REWRITES]
    + [('mean', 1 / 64.0, 'FAST_RUN')]
    + [('sum', 1.0, mode) for mode in REWRITES]
    + [('normalized_sum', 1 / 32.0, mode) for mode in REWRITES],
)
def test_weighted_losses_of_saturated_rows(how, scale, mode, dtype='float32'):
    """Weights that are powers of two, and 0, scale the gradient exactly, so its bound scales with them."""
    z, i, _, _ = softmax_cases(dtype)
    z, i = z[5 : 5 + 16 * 64 : 16], i[5 : 5 + 16 * 64 : 16]
    weights = np.tile(np.array([0, 0.25, 0.75, 1], dtype), 16)
    assert weights.sum() == 32
    logits = T.fmatrix('z')
    loss = lo.aggregate(lo.categorical_crossentropy(T.nnet.softmax(logits), i), weights, mode=how)
    value, gradient = theano.function([logits], [loss, theano.grad(loss, logits)], mode=mode_of(mode))(z)
    true_value, true_gradient = oracle.exact(oracle.categorical_of_softmax, z, i)
    scaled = weights.astype('float64')[:, None] * scale
    factors = np.vectorize(oracle.mp.mpf, otypes=[object])(scaled)
    assert_within(gradient, oracle.Exact(true_gradient.numbers * factors), oracle.gradient_bound(dtype) * scaled, dtype, z=z)
    each = oracle.absolute_bound(true_value, dtype, oracle.largest_finite(z, 1))
    total = oracle.Exact(oracle.mp.fsum(true_value.numbers * factors[:, 0]))
    # Each loss with its own error, and adding 64 of them up with at most half an ulp of the total each.
    assert_within(value, total, np.sum(each * scaled[:, 0]) + 64 * oracle.ulp(total.size, dtype), dtype)


# Infinite logits -----------------------------------------------------------------------------------------------------------------


@every_mode
@every_type
def test_infinite_logits_of_a_sigmoid(dtype, floatX, mode):
    """The limits: 0 with gradient 0 where the target is met, else +inf with the gradient sigmoid(z) - t."""
    z = np.array([[-np.inf, np.inf, -np.inf, np.inf, 2.0]], dtype)
    t = np.array([[0, 1, 1, 0, 0]], dtype)
    for way in SIGMOIDS:
        got = binary_losses(dtype, floatX, mode)(way, z, t, t.astype('int8'))
        check_binary(got[:2], z, t, dtype)
        check_binary(got[2:4], z, t, dtype)
        np.testing.assert_array_equal(got[0][0, :4], [0, 0, np.inf, np.inf])
        np.testing.assert_array_equal(got[1][0, :4], [0, 0, -1, 1])
        np.testing.assert_array_equal(got[4], [[0, 0, np.inf, np.inf, 3]])  # the hinge: 1 - s z
        np.testing.assert_array_equal(got[5], [[0, 0, -1, 1, 1]])


@every_mode
@every_type
def test_infinite_logits_of_a_softmax(dtype, floatX, mode):
    """A masked class that is the target costs +inf; one class at +inf has all the probability. Other rows are left alone."""
    z = np.array(
        [
            [-np.inf, 0, 3, 1, 1],
            [-np.inf, -np.inf, 1e4, 0, 0],
            [0, 1, np.inf, -1, 1e4],
            [np.inf, -np.inf, 1, 2, 3],
            [0, 1, np.inf, -1, 1e4],
            [1e4, 1e-3, 0, 0, 1],
        ],
        dtype,
    )
    i = np.array([0, 1, 2, 0, 4, 0], 'int32')
    k = np.eye(5, dtype='int8')[i]
    for way in SOFTMAXES:
        got = categorical_losses(dtype, floatX, mode)(way, z, i, k.astype(dtype), k)
        for value, gradient in (got[:2], got[2:4], got[4:]):
            check_categorical([value, gradient], z, i, dtype)
            np.testing.assert_array_equal(value[:5], [np.inf, np.inf, 0, 0, np.inf])


# NaN ----------------------------------------------------------------------------------------------------------------------------


@every_mode
def test_nan_logits_stay_with_their_element_or_row(mode, dtype='float32'):
    z, t = binary_cases(dtype)
    z[3, 1] = z[20, 0] = np.nan
    for way in SIGMOIDS:
        for got in binary_losses(dtype, dtype, mode)(way, z, t, (t == 1).astype('int8')):
            np.testing.assert_array_equal(np.isnan(got), np.isnan(z), way)
    z, i, t, k = softmax_cases(dtype)
    z[[5, 700, 1001], [0, 2, 4]] = np.nan
    rows = np.isnan(z).any(axis=1)
    for way in SOFTMAXES:
        got = categorical_losses(dtype, dtype, mode)(way, z, i, t, k)
        for value, gradient in (got[:2], got[2:4], got[4:]):
            np.testing.assert_array_equal(np.isnan(value), rows, way)
            assert not np.isnan(gradient[~rows]).any(), way


@every_mode
def test_nan_targets_stay_with_their_element_or_row(mode, dtype='float32'):
    z, t = binary_cases(dtype)
    t[[2, 30], [0, 3]] = np.nan
    got = binary_losses(dtype, dtype, mode)('T.nnet.sigmoid(z)', z, t, np.zeros(t.shape, 'int8'))
    for output in got[:2]:
        np.testing.assert_array_equal(np.isnan(output), np.isnan(t))
    z, i, t, k = softmax_cases(dtype)
    z = finite(z)
    t[[7, 900], [4, 0]] = np.nan
    got = categorical_losses(dtype, dtype, mode)('T.nnet.softmax(z)', z, i, t, k)
    rows = np.isnan(t).any(axis=1)
    np.testing.assert_array_equal(np.isnan(got[2]), rows)
    assert not np.isnan(got[3][~rows]).any()


# Plain probabilities -------------------------------------------------------------------------------------------------------------

PLAIN_LOSSES = {
    'binary, t': lambda p, i, t, k: lo.binary_crossentropy(p, t),
    'binary, k': lambda p, i, t, k: lo.binary_crossentropy(p, k),
    'categorical, i': lambda p, i, t, k: lo.categorical_crossentropy(p, i),
    'categorical, t': lambda p, i, t, k: lo.categorical_crossentropy(p, t),
    'categorical, k': lambda p, i, t, k: lo.categorical_crossentropy(p, k),
    'hinge, k': lambda p, i, t, k: lo.binary_hinge_loss(p, k, log_odds=False),
}


@functools.lru_cache(maxsize=None)
def plain_losses(dtype, mode):
    """The losses of given probabilities, and their gradients with respect to those."""
    inputs = [tensor(dtype, 2, 'p'), T.ivector('i'), tensor(dtype, 2, 't'), T.bmatrix('k')]
    return Functions(
        inputs, lambda name: with_gradient(PLAIN_LOSSES[name](*inputs), inputs[0]), mode, 'float64' if dtype == 'float64' else 'float32'
    )


LITTLE = 2.0**-11  # a float16 knows it, and 1 minus it


@pairs
@pytest.mark.parametrize('targets', ['t', 'k'])
def test_plain_binary_crossentropy(targets, dtype, mode):
    """p = 0 and p = 1 cost nothing where they are right, with gradients 1 and -1, and +inf where they are wrong."""
    p = np.array([[0.0, LITTLE, 0.25, 0.5, 1 - LITTLE, 1.0]] * 3, dtype)
    t = np.array([[0.0], [1.0], [0.5 if targets == 't' else 0.0]], dtype) + p * 0
    got = plain_losses(dtype, mode)('binary, ' + targets, p, np.zeros(3, 'int32'), t, t.astype('int8'))
    p, t = p.astype('float64'), t.astype('float64')
    with np.errstate(divide='ignore', invalid='ignore'):
        value = -np.where(t > 0, t * np.log(p), 0) - np.where(t < 1, (1 - t) * np.log1p(-p), 0)
        gradient = np.where(t < 1, (1 - t) / (1 - p), 0) - np.where(t > 0, t / p, 0)
    np.testing.assert_array_equal(value[:2, [0, -1]], [[0, np.inf], [np.inf, 0]])
    np.testing.assert_array_equal(gradient[:2, [0, -1]], [[1, np.inf], [-np.inf, -1]])
    for result, expected in zip(got, (value, gradient)):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected.astype(dtype), rtol=8 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@pairs
@pytest.mark.parametrize('targets', ['t', 'k'])
def test_small_plain_probabilities_keep_their_digits(targets, dtype, mode):
    """-log(1 - p) is p to the first order, also where value and gradient are computed together."""
    p = np.array([[2.0**-exponent for exponent in (4, 7, 10, 13)]], dtype)
    p = np.concatenate([p, p * (2.0**-10 if dtype == 'float16' else 1e-5)], axis=1).astype(dtype)
    t = np.zeros_like(p)
    got = plain_losses(dtype, mode)('binary, ' + targets, p, np.zeros(1, 'int32'), t, t.astype('int8'))
    value, gradient = -np.log1p(-p.astype('float64')), 1 / (1 - p.astype('float64'))
    np.testing.assert_allclose(got[0].astype('float64'), value, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    np.testing.assert_allclose(got[1].astype('float64'), gradient, rtol=4 * np.finfo(dtype).eps)


@pairs
@pytest.mark.parametrize('targets', ['i', 't', 'k'])
def test_plain_categorical_crossentropy(targets, dtype, mode):
    """A class without target mass contributes nothing, however improbable; a target class of probability 0 costs +inf."""
    p = np.array([[1, 0, 0], [0, 0.5, 0.5], [0.25, 0.75, 0], [0, 0, 1], [0, 1, 0]], dtype)
    i = np.array([0, 2, 1, 0, 2], 'int32')
    k = np.eye(3, dtype='int8')[i]
    t = np.array([[1, 0, 0], [0, 0.25, 0.75], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1]], dtype)
    got = plain_losses(dtype, mode)('categorical, ' + targets, p, i, t, k)
    shares = (t if targets == 't' else k).astype('float64')
    with np.errstate(divide='ignore', invalid='ignore'):
        value = -np.where(shares > 0, shares * np.log(p.astype('float64')), 0).sum(axis=1)
        gradient = -np.where(shares > 0, shares / p, 0)
    assert np.isinf(value[3:]).all() and np.isfinite(value[:3]).all()
    for result, expected in zip(got, (value, gradient)):
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected.astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@pairs
def test_plain_hinge_of_log_odds(dtype, mode):
    """Certain and right costs 0 with gradient 0, certain and wrong +inf."""
    p = np.array([[0, 1, 0, 1, 0.5]], dtype)
    k = np.array([[0, 1, 1, 0, 1]], 'int8')
    value, gradient = plain_losses(dtype, mode)('hinge, k', p, np.zeros(1, 'int32'), p, k)
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(value, [[0, 0, np.inf, np.inf, 1]])
    np.testing.assert_array_equal(gradient[0, [0, 1, 4]], [0, 0, -4])
    assert not np.isnan(gradient).any()


@every_mode
def test_nan_in_plain_probabilities_stays_with_its_element_or_row(mode, dtype='float32'):
    """With class indices only the target's own probability is read, so a NaN beside it does nothing."""
    p = np.array([[0.5, np.nan, 0.5], [0.25, 0.25, 0.5], [0, 0, np.nan], [0.5, 0.25, 0.25], [0, 1, 0]], dtype)
    i = np.array([0, 1, 2, 0, 1], 'int32')
    t = np.array([[0.5, 0, 0.5], [0.5, 0.5, 0], [1, 0, 0], [np.nan, 0, 1], [0, 1, 0]], dtype)
    inputs = p, i, t, np.eye(3, dtype='int8')[i]
    losses = plain_losses(dtype, mode)
    value, gradient = losses('categorical, i', *inputs)
    np.testing.assert_allclose(value, [np.log(2), np.log(4), np.nan, np.log(2), 0], rtol=1e-6)
    np.testing.assert_allclose(gradient[[0, 1, 3, 4]], [[-2, 0, 0], [0, -4, 0], [-2, 0, 0], [0, -1, 0]], rtol=1e-6)
    for name, nans in (('categorical, t', [1, 0, 1, 1, 0]), ('categorical, k', [1, 0, 1, 0, 0])):
        value, gradient = losses(name, *inputs)
        np.testing.assert_array_equal(np.isnan(value), np.array(nans, bool))
        assert not np.isnan(gradient[~np.array(nans, bool)]).any()
    for name, nans in (('binary, t', np.isnan(p) | np.isnan(t)), ('binary, k', np.isnan(p)), ('hinge, k', np.isnan(p))):
        for output in losses(name, *inputs):
            np.testing.assert_array_equal(np.isnan(output), nans, name)


# What else is computed from the logits -------------------------------------------------------------------------------------------


@every_rewrite
def test_gradient_of_saturated_losses_with_respect_to_soft_targets(mode, dtype='float64'):
    """-log p, and log(1-p) - log p = -z: finite for finite logits."""
    z, t = T.dmatrices('z', 't')
    categorical = theano.grad(lo.categorical_crossentropy(T.nnet.softmax(z), t).sum(), t)
    binary = theano.grad(lo.binary_crossentropy(T.nnet.sigmoid(z), t).sum(), t)
    rows, _, shares, _ = other_pairs_case(dtype)
    rows, shares = rows[::10], shares[3::10][: len(rows[::10])]
    got = theano.function([z, t], [categorical, binary], mode=mode_of(mode), on_unused_input='ignore')(rows, shares)
    true = oracle.Exact([[oracle.categorical_of_softmax(tuple(row), j)[0] for j in range(5)] for row in rows.tolist()])
    size = oracle.largest_finite(rows, 1)[:, None]
    assert_within(got[0], true, oracle.absolute_bound(true, dtype, size), dtype)
    np.testing.assert_array_equal(got[1], -rows)


@every_rewrite
@pytest.mark.parametrize('kind', ['int8', 'uint8', 'int16', 'int64', 'uint64', 'bool'])
def test_integer_targets_of_every_type(kind, mode, dtype='float32'):
    """None of them widens the loss or its gradient, as indices or as values, and none wraps around."""
    z, k = T.fmatrix('z'), T.TensorType(kind, (False, False))('k')
    outputs = (
        with_gradient(lo.binary_crossentropy(T.nnet.sigmoid(z), k), z)
        + with_gradient(lo.binary_hinge_loss(T.nnet.sigmoid(z), k, log_odds=False), z)
        + with_gradient(lo.categorical_crossentropy(T.nnet.softmax(z), k), z)
    )
    inputs = [z, k]
    if kind != 'bool':
        inputs.append(T.TensorType(kind, (False,))('i'))
        outputs += with_gradient(lo.categorical_crossentropy(T.nnet.softmax(z), inputs[-1]), z)
    function = theano.function(inputs, outputs, mode=mode_of(mode))
    rows, i, _, one_hot = other_pairs_case(dtype)
    rows, i, one_hot = rows[::9], i[::9], one_hot[::9]
    got = function(*[rows, one_hot.astype(kind), i.astype(kind)][: len(inputs)])
    check_binary(got[:2], rows, one_hot, dtype)
    value, gradient = oracle.exact(oracle.hinge_of_sigmoid, rows, one_hot)
    assert_within(got[2], value, oracle.absolute_bound(value, dtype, oracle.largest_finite(rows)), dtype)
    assert_within(got[3], gradient, oracle.gradient_bound(dtype), dtype)
    for value, gradient in zip(got[4::2], got[5::2]):
        check_categorical([value, gradient], rows, i, dtype)
    assert {output.dtype for output in got} == {np.dtype(dtype)}
