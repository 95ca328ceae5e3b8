"""Means of losses whose gradient is wanted: a kernel divides by itself, and knows what comes in for its gradient."""

import functools

import numpy as np
import pytest

import lasagne_objectives as objectives
import theano
import theano.tensor as T
from lasagne_objectives.kernels import averaged, kept_rows, merge, moved_rows, softmax_crossentropy

import reference
from compiled import ALL_REWRITES, assert_same, in_c_and_numpy, kernels_in
from device import of_the_cpu
from reference import softmax

pytestmark = of_the_cpu

COMPILED = theano.compile.mode.get_mode('FAST_RUN')


def rows_of(z):
    """The logits as rows of classes."""
    return np.moveaxis(z, 1, -1).reshape((-1, z.shape[1]))


def losses_of(way, z, t):
    if way == 'images':
        e = T.exp(z - z.max(axis=1, keepdims=True))
        return objectives.categorical_crossentropy(e / e.sum(axis=1, keepdims=True), t, axis=1)
    if way == 'moved rows':
        z = z.dimshuffle(0, 2, 3, 1).reshape((-1, z.shape[1]))
    p = T.nnet.softmax(z)
    if way == 'kept rows':
        p = p.reshape((t.shape[0], t.shape[1], 5))
    return objectives.categorical_crossentropy(p, t)


# The shape of the logits and of the data points.
WAYS = {
    'matrix': ((37, 5), (37,)),
    'images': ((2, 5, 3, 4), (2, 3, 4)),
    'moved rows': ((2, 5, 3, 4), (24,)),
    'kept rows': ((12, 5), (3, 4)),
}

TOTALS = {
    'mean': lambda loss, w: objectives.aggregate(loss),
    'weighted mean': lambda loss, w: objectives.aggregate(loss, w),
    'normalized': lambda loss, w: objectives.aggregate(loss, w, 'normalized_sum'),
}

# What a weight is divided by, and what it is itself.
NUMBERS = {'mean': np.size, 'weighted mean': np.size, 'normalized': np.sum}


@functools.lru_cache(maxsize=None)
def function_of(way, total, dtype='float32', dense=False):
    ndim, points = [len(shape) for shape in WAYS[way]]
    z, w = [T.TensorType(dtype, [False] * n)() for n in (ndim, points)]
    t = T.TensorType(dtype if dense else 'int32', [False] * (points + dense))()
    value = TOTALS[total](losses_of(way, z, t), w)
    return theano.function([z, t, w], [value, theano.grad(value, z)], mode=COMPILED, on_unused_input='ignore')


def check(way, total, z, t, w, rtol, atol):
    dense = t.ndim > w.ndim
    value, slope = function_of(way, total, z.dtype.name, dense)(z, t, w)
    rows = rows_of(z.astype('f8'))
    hot = t.astype('f8') if dense else np.eye(z.shape[1])[t.ravel()]
    losses, p = reference.categorical_crossentropy(softmax(rows), hot).value, softmax(rows)
    weights = np.ones(len(losses)) if total == 'mean' else w.astype('f8').ravel()
    with np.errstate(all='ignore'):
        shares = weights / NUMBERS[total](weights)
        expected = (weights * losses).sum() / NUMBERS[total](weights)
    assert value.dtype == slope.dtype == z.dtype and slope.shape == z.shape
    np.testing.assert_allclose(value, expected, rtol=rtol)
    expected = shares[:, None] * (hot.sum(axis=1, keepdims=True) * p - hot)
    np.testing.assert_allclose(rows_of(slope), expected, rtol=rtol, atol=atol)


def data_of(way, dtype='float32', dense=False, shapes=None):
    rng = np.random.RandomState(2)
    shape, points = shapes or WAYS[way]
    t = rng.rand(*(points + shape[1:2])) if dense else rng.randint(0, shape[1], points)
    return (rng.randn(*shape) * 3).astype(dtype), t.astype(dtype if dense else 'int32'), rng.rand(*points).astype(dtype)


@pytest.mark.parametrize('total', TOTALS)
@pytest.mark.parametrize('way', WAYS)
def test_values_and_gradients(way, total):
    z, t, w = data_of(way)
    spread = np.repeat(w, 2, axis=-1)[..., ::2]
    for weights in w, spread, np.asfortranarray(w), w - 0.25:
        check(way, total, z, t, weights, 1e-5, 1e-7)
    check(way, total, np.asfortranarray(z), t, w, 1e-5, 1e-7)


@pytest.mark.parametrize('shape', [(0, 5), (1, 5), (6, 1), (3000, 40)], ids=str)
@pytest.mark.parametrize('dtype, dense', [('float32', False), ('float64', True)])
@pytest.mark.parametrize('total', TOTALS)
def test_few_and_many(total, dtype, dense, shape):
    data = data_of('matrix', dtype, dense, (shape, shape[:1]))
    check('matrix', total, *data, *((1e-5, 1e-7) if dtype == 'float32' else (1e-12, 1e-14)))


@pytest.mark.parametrize('total', TOTALS)
@pytest.mark.parametrize('way', WAYS)
def test_nothing_else_is_there(way, total):
    function = function_of(way, total)
    (op,) = kernels_in(function, averaged.Averaged)
    kinds = {'moved rows': moved_rows.MovedRows, 'kept rows': kept_rows.KeptRows}
    assert isinstance(op.kernel, kinds.get(way, softmax_crossentropy.SoftmaxCrossentropyWithGradient))
    nodes = function.maker.fgraph.toposort()
    # Those that are left divide nothing: they find out how many data points or classes there are.
    assert all(v.dtype.startswith('int') for node in nodes if isinstance(node.op, T.elemwise.Elemwise) for v in node.inputs)
    assert [type(node.op) for node in nodes].count(T.Sum) == (total == 'normalized')
    if total == 'mean' and not op.numbers:
        assert len(nodes) == 1
    lengths = {'moved rows': 1, 'kept rows': 2}.get(way, 0)
    assert op.numbers == (1 if total == 'normalized' else lengths)


def test_a_mean_is_rounded_once():
    """Three times a third is not one: the sum is divided, in float64, rather than its parts."""
    z, t = T.fmatrix(), T.ivector()
    mean = objectives.categorical_crossentropy(T.nnet.softmax(z), t).mean()
    function = theano.function([z, t], [mean, theano.grad(mean, z)], mode=COMPILED)
    for points in range(1, 50):
        value, _ = function(np.zeros((points, 2), 'float32'), np.zeros(points, 'int32'))
        assert value == np.float32(np.log(2))


@pytest.mark.parametrize('scale', [1e25, 1e-25])
def test_numbers_whose_product_is_out_of_range(scale):
    """Neither 1e50 nor 1e-50 is a float32: one after the other, as the formula says, they are what weights are divided by."""
    z, t, w, n, m = T.fmatrix(), T.ivector(), T.fvector(), T.fscalar(), T.fscalar()
    mean = (objectives.categorical_crossentropy(T.nnet.softmax(z), t) * w).sum() / n / m
    function = theano.function([z, t, w, n, m], [mean, theano.grad(mean, z)], mode=COMPILED)
    assert [op.numbers for op in kernels_in(function, averaged.Averaged)] == [2]
    value, slope = function(np.zeros((3, 2), 'float32'), [0, 1, 0], np.full(3, scale, 'float32'), np.float32(scale), np.float32(scale))
    np.testing.assert_allclose(value, 3 * np.log(2) / scale, rtol=1e-6)
    np.testing.assert_allclose(slope, np.array([[-1, 1], [1, -1], [-1, 1]]) / scale / 2, rtol=1e-6)


def test_what_networks_have():
    z, t, w, other = T.fmatrix(), T.ivector(), T.fvector(), T.fvector()
    number = T.fscalar()
    losses = objectives.categorical_crossentropy(T.nnet.softmax(z), t)
    mean, length = losses.mean(), T.cast(z.shape[0], 'float32')
    # each with how many numbers are given, or None where there is no such Op
    cases = {
        'a mean': (mean, 0),
        'with weights': ((losses * w).mean(), 0),
        'of their sum': ((losses * w).sum() / w.sum(), 1),
        'by a number': (losses.sum() / number, 1),
        'by a square': (losses.sum() / T.sqr(length), 1),
        'by one of several': (losses.sum() / other[0], 1),
        'by one of several, sorted': (losses.sum() / T.sort(other)[5], 1),
        'a sum': (losses.sum(), None),
        'a weighted sum': ((losses * w).sum(), None),
        'half of it': (0.5 * mean, None),
        'something added': (mean + number, None),
        'in another type': (losses.mean(dtype='float64'), None),
    }
    outputs = {name: [value, theano.grad(value, z)] for name, (value, _) in cases.items()}
    expected = {name: [] if numbers is None else [numbers] for name, (_, numbers) in cases.items()}
    further = {
        'and its logarithm': [mean, T.log(mean), theano.grad(mean, z)],
        'a value alone': [mean],
        'a gradient alone': [theano.grad(mean, z)],
        'the sum as well': [mean, theano.grad(mean, z), losses.sum()],
        'the losses as well': [mean, theano.grad(mean, z), losses],
        'and weighted': [(losses * w).mean(), theano.grad((losses * w).mean(), z), T.exp(losses)],
    }
    outputs.update(further)
    expected.update({name: [0] if name == 'and its logarithm' else [] for name in further})
    inputs = [z, t, w, other, number]
    with theano.configparser.change_flags(on_opt_error='raise'):
        functions = {name: theano.function(inputs, outputs[name], mode=ALL_REWRITES, on_unused_input='ignore') for name in outputs}
    assert expected == {name: [op.numbers for op in kernels_in(function, averaged.Averaged)] for name, function in functions.items()}


def averaged_in(outputs):
    """How many numbers the Ops have that are put into a graph which nothing else has rewritten."""
    inputs = [v for v in theano.gof.graph.inputs(outputs) if not isinstance(v, theano.Constant)]
    fgraph = theano.gof.FunctionGraph(*theano.gof.graph.clone(inputs, outputs))
    merge.MergeSweeps().optimize(fgraph)
    return [node.op.numbers for node in fgraph.apply_nodes if isinstance(node.op, averaged.Averaged)]


def test_every_condition():
    z, t, w, other = T.fmatrix(), T.ivector(), T.fvector(), T.fvector()
    n, m = T.fscalars(2)
    bytes_of, short = T.bvector(), T.wscalar()
    both = softmax_crossentropy.SoftmaxCrossentropyWithGradient()
    one = T.tensor('float32', [True])
    x, y = theano.scalar.float32(), theano.scalar.float32()
    two_results = T.Elemwise(theano.scalar.Composite([x, y], [x / y, y / x]))

    def graph(upstream, value_of, op=both, z=z, t=t):
        losses, gradient = op(z, t, upstream)
        return [value_of(losses), gradient]

    averaging = {
        'a sum over a number': graph(T.inv(n), lambda loss: loss.sum() / n),
        'weights over a number': graph(w / n, lambda loss: (loss * w).sum() / n),
        'the other way round': graph(w / n, lambda loss: (w * loss).sum() / n),
        'times inverses': graph(w * T.inv(n), lambda loss: (loss * w).sum() * T.inv(n)),
        'the inverse of a product': graph(T.inv(m * n), lambda loss: loss.sum() / (n * m)),
        'one after the other': graph(T.inv(m) / n, lambda loss: loss.sum() / (n * m)),
        'and by another': graph(T.inv(n), lambda loss: loss.sum() / n / m),
        'of more axes': graph(T.inv(n).dimshuffle('x'), lambda loss: (loss.sum() / n).dimshuffle('x')),
    }
    z3, t2, ws = T.ftensor3(), T.imatrix(), T.fmatrix()
    others = {
        'not divided': graph(w, lambda loss: (loss * w).sum().dimshuffle('x')),
        'two weights': graph(w * other / n, lambda loss: (loss * w).sum() / n),
        'other weights': graph(other / n, lambda loss: (loss * w).sum() / n),
        'the sum': graph(T.inv(n), lambda loss: loss.sum()),
        'the losses': graph(w / n, lambda loss: loss),
        'losses in another shape': graph(w / n, lambda loss: (loss.reshape((2, 3)) * T.fmatrix()).sum() / n),
        'times something': graph(T.inv(n), lambda loss: m * loss.sum() / n),
        'by something else': graph(T.inv(n), lambda loss: loss.sum() / m),
        'by more': graph(T.inv(n), lambda loss: loss.sum() / (n * m)),
        'by a quotient': graph(T.inv(n), lambda loss: loss.sum() / (n / m)),
        'weights added': graph(w / n, lambda loss: (loss + w).sum() / n),
        'weights of another type': graph(bytes_of / n, lambda loss: (loss * bytes_of).sum() / n),
        'a number of another type': graph(w / short, lambda loss: (loss * w).sum() / short),
        'a number with an axis': graph(T.inv(one), lambda loss: loss.sum() / one.dimshuffle()),
        'the second of two results': graph(two_results(w, n.dimshuffle('x'))[1], lambda loss: (loss * w).sum() / n),
        'weights of other points': graph(
            ws.T / n, lambda loss: (loss * ws).sum() / n, softmax_crossentropy.SoftmaxCrossentropyWithGradient(2), z3, t2
        ),
        'the sum of the gradient': [softmax_crossentropy.SoftmaxCrossentropyGradient()(z, t, T.inv(n)).sum() / n],
    }
    assert {name: averaged_in(outputs) for name, outputs in averaging.items()} == {
        name: [2] if name in ('the inverse of a product', 'one after the other') else [1] for name in averaging
    }
    assert [name for name, outputs in others.items() if averaged_in(outputs)] == []


@pytest.mark.parametrize('numbers', [0, 1, 2])
@pytest.mark.parametrize('same', [True, False], ids=['one weight', 'weights'])
@pytest.mark.parametrize('dense, inplace', [(False, False), (False, True), (True, False)])
def test_the_same_in_numpy(dense, inplace, same, numbers):
    z, t, w = T.dmatrix(), T.dmatrix() if dense else T.lvector(), T.dscalar() if same else T.dvector()
    one, other = T.dscalars(2)
    op = averaged.Averaged(softmax_crossentropy.SoftmaxCrossentropyWithGradient(1, inplace), numbers=numbers)
    others = [t, w] + [one, other][:numbers]
    functions = in_c_and_numpy([theano.In(z, mutable=True, borrow=True)] + others, op(z, *others))
    rng = np.random.RandomState(5)
    for points in 7, 0:
        targets = rng.rand(points, 4) if dense else rng.randint(0, 4, points)
        weights = 3.0 if same else rng.randn(points)
        assert_same(functions, rng.randn(points, 4), [targets, weights] + [1.7, 0.4][:numbers])


def test_what_does_not_fit_is_refused():
    z, t, w = data_of('matrix')
    function = function_of('matrix', 'normalized')
    with pytest.raises(ValueError, match=r'of shape \(36,\) do not fit'):
        function(z, t, w[1:])
    with pytest.raises(IndexError, match='the largest is 5, the number of classes is 5'):
        function(z, t + 1, w)
    # and afterwards all is well
    check('matrix', 'normalized', z, t, w, 1e-5, 1e-7)


def test_logits_are_overwritten_where_nothing_reads_them_later():
    z, t = T.fmatrix(), T.ivector()
    # of an Op that no rewrite moves, as the logits of a network are
    logits = T.extra_ops.cumsum(z, axis=0)
    mean = objectives.categorical_crossentropy(T.nnet.softmax(logits), t).mean()
    function = theano.function([z, t], [mean, theano.grad(mean, logits)], mode=COMPILED)
    assert [op.kernel.inplace for op in kernels_in(function, averaged.Averaged)] == [True]
    x, indices, _ = data_of('matrix')
    plain = function_of('matrix', 'mean')(np.cumsum(x, axis=0), indices, np.ones(37, 'float32'))
    for got, expected in zip(function(x, indices), plain):
        np.testing.assert_array_equal(got, expected)


def test_debug_mode_finds_nothing():
    z, t, w = T.dmatrix(), T.lvector(), T.dvector()
    results = averaged.Averaged(softmax_crossentropy.SoftmaxCrossentropyWithGradient())(2 * z, t, w)
    mode = theano.compile.debugmode.DebugMode(optimizer='fast_run', check_py_code=True, stability_patience=1)
    function = theano.function([z, t, w], results, mode=mode)
    assert [op.kernel.inplace for op in kernels_in(function, averaged.Averaged)] == [True]
    x, indices, weights = data_of('matrix', 'float64')
    assert np.isfinite(function(x, indices.astype('int64'), weights)[1]).all()
