"""The C kernels against their NumPy forms, and as citizens of a process."""

import functools
import importlib
import os
import pkgutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import lasagne_objectives as objectives
import theano
import theano.tensor as T
from lasagne_objectives import kernels
from lasagne_objectives.kernels import (
    averaged,
    c_kernel,
    class_margin,
    elementwise,
    keep_rows,
    kept_rows,
    match_shapes,
    merge,
    moved_rows,
    pick_class,
    place_rows,
    softmax_crossentropy,
    softmax_log_odds,
    summed,
    sweep,
    target_rank,
    top_class,
)

import reference
from compiled import kernel_of
from device import ON_GPU, of_the_cpu

PYTHON = theano.Mode(linker='py', optimizer=None)
COMPILED = theano.compile.mode.get_mode('FAST_RUN')
UNMERGED = COMPILED.excluding('lasagne_objectives')

# Rows and classes: none, one, fewer and more than a block, two paths, many.
SHAPES = [(0, 3), (5, 1), (1, 2), (37, 2), (40, 3), (37, 10), (33, 48), (7, 49), (33, 300), (3, 50000)]

LAYOUTS = {
    'C': np.ascontiguousarray,
    'Fortran': np.asfortranarray,
    'backwards': lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    'every other column': lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    'every other row': lambda a: np.repeat(a, 2, axis=0)[::2],
}


def data(shape, dtype, seed=0):
    """Logits with ties, infinities and NaN; one-hot and soft targets; gradients."""
    rng = np.random.RandomState(seed)
    rows, classes = shape
    z = np.round(rng.randn(rows, classes) * 20, 1).astype(dtype)
    indices = rng.randint(0, classes, rows)
    soft = rng.rand(rows, classes).astype(dtype)
    soft[soft < 0.5] = 0
    if rows > 4 and classes > 1:
        z[0, 0], z[1, 1], z[2, 0], z[3] = -np.inf, np.inf, np.nan, -np.inf
        z[4] = 1e4
        soft[~np.isfinite(z)] = 0
    return z, indices, soft, rng.randn(rows).astype(dtype)


def row_kernels(z, indices, soft, gradient):
    others = T.cast(T.maximum(indices, 1) - 1, 'uint8')
    return [
        softmax_crossentropy.softmax_crossentropy(z, indices),
        softmax_crossentropy.softmax_crossentropy(z, soft),
        softmax_crossentropy.softmax_crossentropy_gradient(z, indices, gradient),
        softmax_crossentropy.softmax_crossentropy_gradient(z, soft, gradient),
        class_margin.class_margin(z, indices),
        class_margin.ClassMargin()(z, indices)[1],
        target_rank.target_rank(z, indices),
        top_class.top_class(z),
        pick_class.pick_class(z, indices),
        pick_class.pick_class_or_zero(z, indices - 1),
        pick_class.place_classes(z, (indices, gradient), (others, gradient)),
    ]


# Of these, those of finite logits: what infinite ones make of log-odds is another matter.
def finite_kernels(z, soft):
    return [
        softmax_crossentropy.log_softmax(z),
        softmax_log_odds.softmax_log_odds(z),
        softmax_log_odds.softmax_log_odds_gradient(z, soft),
    ]


@functools.lru_cache(maxsize=None)
def row_function(dtype, mode):
    inputs = [T.matrix(dtype=dtype), T.lvector(), T.matrix(dtype=dtype), T.vector(dtype=dtype)]
    return theano.function(inputs, row_kernels(*inputs), mode=mode)


def assert_agree(got, expected, dtype, roundings=8):
    """Equal to a few roundings of the larger of 1 and the row's largest number."""
    assert got.dtype == expected.dtype and got.shape == expected.shape
    finite = np.isfinite(expected)
    scale = np.maximum(1, np.abs(np.where(finite, expected, 0)).max(initial=0))
    np.testing.assert_array_equal(np.where(finite, 0, got), np.where(finite, 0, expected))
    tolerance = roundings * np.finfo(dtype).eps
    np.testing.assert_allclose(got[finite], expected[finite], rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_row_kernels_agree_with_numpy(dtype, shape, layout):
    z, indices, soft, gradient = data(shape, dtype)
    z, soft = LAYOUTS[layout](z), LAYOUTS[layout](soft)
    for got, expected in zip(
        row_function(dtype, COMPILED)(z, indices, soft, gradient), row_function(dtype, PYTHON)(z, indices, soft, gradient)
    ):
        assert_agree(got, expected, dtype)


@functools.lru_cache(maxsize=None)
def finite_function(dtype, mode):
    inputs = [T.matrix(dtype=dtype), T.matrix(dtype=dtype)]
    return theano.function(inputs, finite_kernels(*inputs), mode=mode)


@pytest.mark.parametrize('layout', ['C', 'Fortran', 'every other column'])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_kernels_of_finite_logits_agree_with_numpy(dtype, shape, layout):
    z, _, soft, _ = data(shape, dtype)
    z, soft = [LAYOUTS[layout](np.where(np.isfinite(z), array, 0).astype(dtype)) for array in (z, soft)]
    for got, expected in zip(finite_function(dtype, COMPILED)(z, soft), finite_function(dtype, PYTHON)(z, soft)):
        assert_agree(got, expected, dtype)


# Classes at axis 1 of these: no data point, one class, pixels that fill tiles or do not, channels alone, more classes than a row needs,
# two classes, and classes on many pages of memory.
IMAGES = [
    (0, 3, 2, 2),
    (2, 3, 0, 2),
    (2, 1, 5, 7),
    (3, 5, 5, 7),
    (2, 21, 16, 9),
    (40, 7, 1, 1),
    (2, 60, 3, 1),
    (1, 700, 4, 10),
    (9, 50, 1, 1),
    (2, 2, 9, 33),
    (2, 90, 9, 33),
]

IMAGE_LAYOUTS = {
    'C': np.ascontiguousarray,
    'Fortran': np.asfortranarray,
    'channels last': lambda a: np.ascontiguousarray(np.moveaxis(a, 1, -1)).transpose(0, 3, 1, 2),
    'backwards': lambda a: np.ascontiguousarray(a[:, ::-1, ::-1])[:, ::-1, ::-1],
    'a part of the pixels': lambda a: np.repeat(a, 2, axis=3)[..., ::2],
    'rows upside down': lambda a: np.ascontiguousarray(a.transpose(1, 3, 2, 0)).transpose(3, 0, 2, 1),
}


def image_kernels(z, indices, soft, gradient):
    """Every C function once, at the class axis 1 of images."""
    return [
        softmax_crossentropy.SoftmaxCrossentropyWithGradient()(z, indices, gradient)[0],
        softmax_crossentropy.SoftmaxCrossentropyWithGradient()(z, indices, gradient)[1],
        softmax_crossentropy.SoftmaxCrossentropyWithGradient()(z, soft, gradient)[0],
        softmax_crossentropy.SoftmaxCrossentropyWithGradient()(z, soft, gradient)[1],
        class_margin.class_margin(z, indices),
        target_rank.target_rank(z, indices),
        top_class.top_class(z),
        pick_class.pick_class(z, indices),
        pick_class.place_classes(z, (indices, gradient), (0 * indices, gradient)),
    ] + finite_kernels(z, soft)


@functools.lru_cache(maxsize=None)
def image_function(mode):
    inputs = [T.ftensor4(), T.ltensor3(), T.ftensor4(), T.ftensor3()]
    return theano.function(inputs, image_kernels(*inputs), mode=mode)


@pytest.mark.parametrize('layout', IMAGE_LAYOUTS)
@pytest.mark.parametrize('shape', IMAGES, ids=str)
def test_kernels_along_any_axis(shape, layout):
    rng = np.random.RandomState(3)
    points = shape[:1] + shape[2:]
    arrange = IMAGE_LAYOUTS[layout]
    z, soft = [arrange((rng.randn(*shape) * scale).astype('float32')) for scale in (9, 1)]
    indices, gradient = rng.randint(0, shape[1], points), rng.randn(*points).astype('float32')
    got, expected = [image_function(mode)(z, indices, soft, gradient) for mode in (COMPILED, PYTHON)]
    for one, other in zip(got, expected):
        assert_agree(one, other, 'float32')
    # The gradient lies in memory as the logits do. What comes from a GPU has been copied.
    if z.size and layout in ('C', 'Fortran', 'channels last') and not ON_GPU:
        assert np.compress(np.array(shape) > 1, got[1].strides).tolist() == np.compress(np.array(shape) > 1, z.strides).tolist()


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('classes', [1, 2, 50])
def test_no_class_ranks_where_there_is_nan(classes, dtype):
    z = np.arange(3 * classes, dtype=dtype).reshape(3, classes)
    z[1, 0] = np.nan
    ranks = row_function(dtype, COMPILED)(z, np.zeros(3, 'int64'), z, np.ones(3, dtype))[6]
    assert ranks.tolist() == [classes - 1, np.iinfo('int64').max, classes - 1]


@of_the_cpu
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_a_small_loss_of_two_classes_is_exact(dtype):
    """Relative to itself: the logarithm is not of a sum that has been rounded to 1."""
    apart = np.linspace(0, 80, 333).astype(dtype)
    z, targets = T.matrix(dtype=dtype), T.lvector()
    loss = softmax_crossentropy.softmax_crossentropy(z, targets)
    for right in (0, 1):
        logits = np.stack([apart, 0 * apart] if right == 0 else [0 * apart, apart], axis=1)
        got = theano.function([z, targets], loss, mode=COMPILED)(logits, np.full(len(apart), right))
        np.testing.assert_allclose(got, np.log1p(np.exp(-apart.astype('float64'))), rtol=4 * np.finfo(dtype).eps)


def test_an_axis_is_where_its_rows_are():
    """The NumPy forms that C is compared with, beside those of a matrix."""
    rng = np.random.RandomState(4)
    z, soft = rng.randn(2, 3, 5, 4).astype('float32'), rng.rand(2, 3, 5, 4).astype('float32')
    indices, gradient = rng.randint(0, 3, (2, 5, 4)), rng.randn(2, 5, 4).astype('float32')
    images = image_function(PYTHON)(z, indices, soft, gradient)
    flat = [np.moveaxis(array, 1, -1).reshape(-1, 3) for array in (z, soft)]
    inputs = [T.fmatrix(), T.lvector(), T.fmatrix(), T.fvector()]
    of_rows = theano.function(inputs, image_kernels(*inputs), mode=PYTHON)(flat[0], indices.ravel(), flat[1], gradient.ravel())
    for image, row in zip(images, of_rows):
        np.testing.assert_array_equal(image.ravel() if image.ndim == 3 else np.moveaxis(image, 1, -1).reshape(-1, 3), row)


def torn_kernels(z, indices, soft, gradient, whole):
    both = softmax_crossentropy.SoftmaxCrossentropyWithGradient()
    return [
        softmax_crossentropy.softmax_crossentropy(z, indices, 1, whole),
        softmax_crossentropy.softmax_crossentropy_gradient(z, soft, gradient, 1, whole),
        *both(z, indices, gradient, whole),
        *both(z, soft, gradient, whole),
        keep_rows.keep_rows(z, whole, 1),
        keep_rows.KeepRowsGradient()(z, soft, whole),
    ]


@functools.lru_cache(maxsize=None)
def torn_function(mode):
    inputs = [T.ftensor3(), T.lmatrix(), T.ftensor3(), T.fmatrix(), T.bscalar()]
    return theano.function(inputs, torn_kernels(*inputs[:4], T.neq(inputs[4], 0)), mode=mode)


@pytest.mark.parametrize('whole', [0, 1], ids=['torn', 'whole'])
@pytest.mark.parametrize('shape', [(0, 3, 2), (3, 1, 5), (4, 7, 9), (2, 90, 3)], ids=str)
def test_kernels_of_rows_that_may_be_torn(shape, whole):
    rng = np.random.RandomState(5)
    z, soft = [(rng.randn(*shape) * 5).astype('float32') for _ in range(2)]
    points = shape[:1] + shape[2:]
    indices, gradient = rng.randint(0, shape[1], points), rng.randn(*points).astype('float32')
    for view in (lambda a: a), np.asfortranarray:
        inputs = view(z), indices, view(soft), gradient, whole
        got, expected = [torn_function(mode)(*inputs) for mode in (COMPILED, PYTHON)]
        for one, other in zip(got, expected):
            assert_agree(one, other, 'float32')
    if whole:
        np.testing.assert_array_equal(got[-2], z)
        np.testing.assert_array_equal(got[-1], soft)
    else:
        # The formulas, once more.
        np.testing.assert_allclose(got[0], -np.take_along_axis(z, indices[:, None], 1)[:, 0], rtol=1e-6)
        np.testing.assert_allclose(got[1], -gradient[:, None] * soft, rtol=1e-6)
        np.testing.assert_allclose(np.exp(got[-2]).sum(axis=1), np.ones(points), rtol=1e-5)


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_numpy_forms_are_the_same_at_any_axis(axis):
    rng = np.random.RandomState(7)
    z, soft = rng.randn(3, 3, 3).astype('float32'), rng.rand(3, 3, 3).astype('float32')
    indices, gradient = rng.randint(0, 3, (3, 3)), rng.randn(3, 3).astype('float32')

    def results(at):
        values = [T.constant(np.moveaxis(z, axis, at)), T.constant(indices), T.constant(np.moveaxis(soft, axis, at)), T.constant(gradient)]
        kernels = [v for v in image_kernels(*values) + torn_kernels(*values, whole=TORN) if v.owner.op.axis == 1]
        kernels = [v.owner.op.at_axis(at)(*v.owner.inputs, return_list=True)[v.index] for v in kernels]
        return theano.function([], kernels, mode=PYTHON)()

    for one, other in zip(results(axis), results(1)):
        np.testing.assert_array_equal(one, other if other.ndim == 2 else np.moveaxis(other, 1, axis))


@pytest.mark.parametrize('shape, axis', [((3,), 0), ((3, 4), 0), ((2, 3, 4), 1)], ids=str)
def test_second_derivatives_at_any_axis(shape, axis):
    """The Hessian of the cross-entropy of each data point times a vector: that of log sum exp z."""
    rng = np.random.RandomState(9)
    z, v = rng.randn(*shape), rng.randn(*shape)
    variable, indices = T.constant(z), T.constant(np.asarray(rng.randint(0, 3, np.delete(shape, axis))))
    slope = theano.grad(softmax_crossentropy.softmax_crossentropy(variable, indices, axis).sum(), variable)
    got = theano.function([], theano.grad((slope * v).sum(), variable))()
    p = np.exp(z) / np.exp(z).sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(got, p * (v - (p * v).sum(axis=axis, keepdims=True)), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize('mode', [COMPILED, PYTHON], ids=['C', 'NumPy'])
@pytest.mark.parametrize('shape, axis', [((3,), 0), ((4, 3), 0), ((4, 3), 1)], ids=str)
def test_kernels_of_a_single_data_point_and_of_columns(shape, axis, mode):
    rng = np.random.RandomState(8)
    z, indices = rng.randn(*shape), np.asarray(rng.randint(0, 3, np.delete(shape, axis)))
    outputs = [softmax_crossentropy.log_softmax(T.constant(z), axis), pick_class.pick_class(T.constant(z), T.constant(indices), axis)]
    log_p, picked = theano.function([], outputs, mode=mode)()
    np.testing.assert_allclose(log_p, z - np.log(np.exp(z).sum(axis=axis, keepdims=True)), rtol=1e-12)
    np.testing.assert_array_equal(picked, np.take_along_axis(z, np.expand_dims(indices, axis), axis).squeeze(axis))


@pytest.mark.parametrize('mode', [COMPILED, PYTHON], ids=['C', 'NumPy'])
@pytest.mark.parametrize(
    'shape, indices, soft, gradient',
    [((4, 3), (5,), (4, 3), (4,)), ((4, 3), (4,), (4, 2), (4,)), ((4, 3), (4,), (3, 3), (4,)), ((4, 3), (4,), (4, 3), (5,))],
    ids=str,
)
def test_row_kernels_refuse_shapes_that_differ(shape, indices, soft, gradient, mode):
    with pytest.raises(ValueError):
        row_function('float32', mode)(
            np.ones(shape, 'float32'), np.zeros(indices, int), np.ones(soft, 'float32'), np.ones(gradient, 'float32')
        )


@pytest.mark.parametrize(
    'kernel, bad',
    [
        (softmax_crossentropy.log_softmax, T.fvector()),
        (softmax_crossentropy.log_softmax, T.imatrix()),
        (functools.partial(softmax_log_odds.softmax_log_odds, axis=3), T.ftensor3()),
        (functools.partial(target_rank.target_rank, T.fmatrix()), T.fvector()),
        (functools.partial(target_rank.target_rank, T.fmatrix()), T.imatrix()),
    ],
)
def test_row_kernels_refuse_other_types(kernel, bad):
    with pytest.raises(TypeError, match='expected a'):
        kernel(bad)


# Element-wise -------------------------------------------------------------

ELEMENTWISE = {
    'binary_crossentropy': lambda p, t: objectives.binary_crossentropy(T.nnet.sigmoid(p), t),
    'squared_error': objectives.squared_error,
    'huber_loss': objectives.huber_loss,
    'binary_hinge_loss': lambda p, t: objectives.binary_hinge_loss(p, t, log_odds=True),
}

AGGREGATES = {
    'mean': lambda loss, w: objectives.aggregate(loss),
    'weighted sum': lambda loss, w: objectives.aggregate(loss, w, 'sum'),
    'normalized': lambda loss, w: objectives.aggregate(loss, w, 'normalized_sum'),
    'not': lambda loss, w: loss,
}


@functools.lru_cache(maxsize=None)
def elementwise_function(dtype, mode):
    p, t, w = T.matrix(dtype=dtype), T.imatrix(), T.matrix(dtype=dtype)
    outputs = []
    # Each way of aggregating with another loss: every pair would take long to compile.
    for loss, total in zip(ELEMENTWISE.values(), AGGREGATES.values()):
        value = total(loss(p, t), w)
        outputs += [value, theano.grad(value.sum(), p)]
    return theano.function([p, t, w], outputs, mode=mode)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_sweeps_agree_with_numpy(dtype, layout):
    rng = np.random.RandomState(1)
    for shape in [(1, 1), (5, 1), (1, 7), (37, 10), (70, 999)]:
        p = LAYOUTS[layout]((rng.randn(*shape) * 30).astype(dtype))
        t = LAYOUTS['C'](rng.randint(0, 2, shape).astype('int32'))
        w = LAYOUTS[layout](rng.rand(*shape).astype(dtype))
        for got, expected in zip(elementwise_function(dtype, COMPILED)(p, t, w), elementwise_function(dtype, PYTHON)(p, t, w)):
            # Sums of up to 70 000 numbers, in another order.
            assert_agree(got, expected, dtype, roundings=64)


def sweeps(function):
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, sweep.Sweep)]


@of_the_cpu
@pytest.mark.parametrize('loss', ELEMENTWISE)
def test_an_aggregated_loss_and_its_gradient_are_one_sweep(loss):
    p, t, w = T.fmatrix(), T.imatrix(), T.fmatrix()
    for total in AGGREGATES.values():
        value = total(ELEMENTWISE[loss](p, t), w)
        outputs = [value, theano.grad(value.sum(), p)]
        rewritten = rewrite([p, t, w], outputs, COMPILED)
        large = [node for node in rewritten if isinstance(node.op, T.elemwise.Elemwise) and node.outputs[0].broadcastable == (False, False)]
        assert large == []
        assert len([node for node in rewritten if isinstance(node.op, sweep.Sweep)]) == 1
        assert not any(isinstance(node.op, sweep.Sweep) for node in rewrite([p, t, w], outputs, UNMERGED))


@of_the_cpu
def test_softmax_and_its_gradient_are_one_sweep():
    z, t = T.fmatrix(), T.ivector()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(z), t).mean()
    names = [type(kernel_of(node.op)).__name__ for node in rewrite([z, t], [loss, theano.grad(loss, z)], COMPILED)]
    assert names.count('SoftmaxCrossentropyWithGradient') == 1
    assert 'SoftmaxCrossentropy' not in names and 'SoftmaxCrossentropyGradient' not in names
    separate = [type(node.op).__name__ for node in rewrite([z, t], [loss, theano.grad(loss, z)], UNMERGED)]
    assert 'SoftmaxCrossentropy' in separate and 'SoftmaxCrossentropyGradient' in separate


@of_the_cpu
@pytest.mark.parametrize('total', ['mean', 'weighted sum', 'normalized'])
def test_losses_of_classes_are_summed_where_they_are(total):
    """Theano's own sum is one thread's: of many data points with few classes, a fifth of the time. And it is one more Op to compile."""
    z, t, w = T.fmatrix(), T.ivector(), T.fvector()
    losses = [objectives.categorical_crossentropy(T.nnet.softmax(z), t), objectives.multiclass_hinge_loss(z, t)]
    function = theano.function([z, t, w], [AGGREGATES[total](loss, w) for loss in losses], mode=COMPILED, on_unused_input='ignore')
    totals = sum(isinstance(node.op, summed.Summed) for node in function.maker.fgraph.apply_nodes)
    assert totals + sum(len(node.op.sums) for node in sweeps(function)) == 2 and totals == (total == 'mean')
    rng = np.random.RandomState(3)
    for points in 1, 33, 50003:
        x, indices, weights = (
            rng.randn(points, 3).astype('float32'),
            rng.randint(0, 3, points).astype('int32'),
            rng.rand(points).astype('float32'),
        )
        e = np.exp(x.astype('float64'))
        expected = [
            reference.categorical_crossentropy(e / e.sum(1, keepdims=True), indices).value,
            reference.multiclass_hinge_loss(x, indices).value,
        ]
        how = {'mean': (), 'weighted sum': (weights, 'sum'), 'normalized': (weights, 'normalized_sum')}[total]
        for got, loss in zip(function(x, indices, weights), expected):
            np.testing.assert_allclose(got, reference.aggregate(loss, *how), rtol=2e-6)


@of_the_cpu
def test_a_sum_that_others_need_too_stays():
    z, t = T.fmatrix(), T.ivector()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(z), t)
    ranks = target_rank.target_rank(z, t)
    slope = theano.grad(loss.sum(), z)
    for outputs in [loss.sum(), loss], [loss.sum(dtype='float64')], [loss.reshape((-1, 2)).sum(axis=1)], [ranks.sum()], [slope.sum()]:
        assert not any(isinstance(node.op, (sweep.Sweep, summed.Summed)) for node in rewrite([z, t], outputs, COMPILED))


@functools.lru_cache(maxsize=None)
def summed_function(mode):
    z, i, t, g = T.dmatrix(), T.lvector(), T.dmatrix(), T.dvector()
    both = softmax_crossentropy.SoftmaxCrossentropyWithGradient()
    nodes = [summed.Summed(softmax_crossentropy.SoftmaxCrossentropy())(z, i), summed.Summed(both)(z, t, g)]
    return theano.function([z, i, t, g], [v for results in nodes for v in results], mode=mode)


@of_the_cpu
@pytest.mark.parametrize('shape', [(0, 3), (1, 2), (300, 5), (37, 60)], ids=str)
def test_a_kernel_and_its_sum(shape):
    rng = np.random.RandomState(6)
    z, t, g = rng.randn(*shape) * 5, rng.rand(*shape), rng.randn(shape[0])
    indices = rng.randint(0, shape[1], shape[0])
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    of_indices, of_soft = -np.log(p[np.arange(shape[0]), indices]), -(t * np.log(p)).sum(axis=1)
    gradient = g[:, None] * (t.sum(axis=1, keepdims=True) * p - t)
    expected = [of_indices, of_indices.sum(), of_soft, gradient, of_soft.sum()]
    for mode in COMPILED, PYTHON:
        for got, one in zip(summed_function(mode)(z, indices, t, g), expected):
            np.testing.assert_allclose(got, one, rtol=1e-10, atol=1e-12)


@functools.lru_cache(maxsize=None)
def one_number_function(mode):
    """Gradients with one number as the incoming one of all data points, of rows that are whole and of others."""
    z, i, t, g = T.tensor3(dtype='float64'), T.lmatrix(), T.tensor3(dtype='float64'), T.dscalar()
    whole = T.bscalar()
    both = softmax_crossentropy.SoftmaxCrossentropyWithGradient()
    gradient = softmax_crossentropy.softmax_crossentropy_gradient
    single = g.dimshuffle('x', 'x')
    return theano.function(
        [z, i, t, g, whole],
        [
            gradient(z, i, g),
            gradient(z, t, single),
            both(z, t, g)[1],
            both(z, i, single, T.neq(whole, 0))[1],
            gradient(z, t, g, 1, T.neq(whole, 0)),
        ],
        mode=mode,
    )


@of_the_cpu
@pytest.mark.parametrize('shape', [(0, 3, 2), (1, 4, 1), (3, 1, 2), (4, 5, 9), (2, 90, 3)], ids=str)
@pytest.mark.parametrize('whole', [0, 1], ids=['torn', 'whole'])
def test_one_number_is_the_incoming_gradient_of_all_data_points(whole, shape):
    """That of a mean is: nobody need repeat it."""
    rng = np.random.RandomState(8)
    z, t, g = rng.randn(*shape) * 5, rng.rand(*shape), 0.7
    indices = rng.randint(0, shape[1], shape[:1] + shape[2:])
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    hot = np.moveaxis(np.eye(shape[1])[indices], -1, 1)
    of_indices, of_soft = g * (p - hot), g * (t.sum(axis=1, keepdims=True) * p - t)
    expected = [of_indices, of_soft, of_soft] + ([of_indices, of_soft] if whole else [-g * hot, -g * t])
    for mode in COMPILED, PYTHON:
        for got, one in zip(one_number_function(mode)(z, indices, t, g, whole), expected):
            np.testing.assert_allclose(got, one, rtol=1e-10, atol=1e-14)


@of_the_cpu
def test_a_gradient_that_is_repeated_is_not_filled_in():
    z, t, w = T.fmatrix(), T.ivector(), T.fvector()
    rows = objectives.categorical_crossentropy(T.nnet.softmax(z), t)
    # The last repeats what is not one number.
    losses = [rows.mean(), rows.sum(), (rows * w).sum(), rows.reshape((-1, 2)).sum(axis=1).prod()]
    graphs = [rewrite([z, t, w], [loss, theano.grad(loss, z)], COMPILED) for loss in losses]
    assert [any(isinstance(node.op, T.Alloc) for node in nodes) for nodes in graphs] == [False, False, False, True]
    # Nobody knows how often it is repeated.
    nodes = rewrite([z, t], [theano.grad(losses[0], z)], COMPILED.excluding('ShapeOpt'))
    assert any(isinstance(node.op, T.Alloc) for node in nodes)


@of_the_cpu
def test_a_gradient_that_is_repeated_too_often_is_refused():
    z, t, n = T.fmatrix(), T.ivector(), T.lscalar()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(z), t)
    gradient = theano.grad(None, z, known_grads={loss: T.alloc(np.float32(2), n)})
    function = theano.function([z, t, n], gradient, mode=COMPILED)
    x, indices = np.zeros((3, 2), 'float32'), np.zeros(3, 'int32')
    np.testing.assert_allclose(function(x, indices, 3), [[-1, 1]] * 3)
    with pytest.raises(ValueError, match=r'gradients of shape \(7,\) do not fit'):
        function(x, indices, 7)


@of_the_cpu
def test_an_incoming_gradient_of_one_row_is_refused_for_several():
    z, g = T.fmatrix(), T.fvector()
    gradient = softmax_crossentropy.softmax_crossentropy_gradient(z, z, g)
    for mode in COMPILED, PYTHON:
        with pytest.raises(ValueError, match=r'do not fit predictions of shape \(3, 2\)'):
            theano.function([z, g], gradient, mode=mode)(np.ones((3, 2), 'float32'), np.ones(1, 'float32'))


@of_the_cpu
def test_rows_that_are_torn_do_not_overwrite_those_that_were_whole():
    """What was passed on stays in Theano's storage, and is not the kernel's to write to."""
    z, g, whole = T.fmatrix(), T.fmatrix(), T.bscalar()
    kept = keep_rows.keep_rows(z, T.neq(whole, 0), 1)
    gradient = keep_rows.KeepRowsGradient()(z, g, T.neq(whole, 0))
    mode = theano.Mode(theano.gof.vm.VM_Linker(allow_gc=False, use_cloop=True), 'fast_run')
    inputs = [theano.In(v, borrow=True) for v in (z, g)]
    function = theano.function(inputs + [whole], [T.exp(kept), T.exp(gradient)], mode=mode)
    rng = np.random.RandomState(9)
    first = [rng.randn(4, 3).astype('float32') for _ in range(2)]
    copies = [array.copy() for array in first]
    function(*first, 1)
    function(*[rng.randn(4, 3).astype('float32') for _ in range(2)], 0)
    np.testing.assert_array_equal(first, copies)


@of_the_cpu
def test_an_aggregated_accuracy_is_summed_where_ranks_are_compared():
    z, t, w = T.fmatrix(), T.ivector(), T.fvector()
    accuracy = objectives.categorical_accuracy(z, t, top_k=2)
    outputs = [objectives.aggregate(accuracy), objectives.aggregate(accuracy, w, 'normalized_sum')]
    merged, separate = [theano.function([z, t, w], outputs, mode=mode) for mode in (COMPILED, UNMERGED)]
    assert len(sweeps(merged)) >= 1 and sweeps(separate) == []
    x, indices, _, weights = data((33, 5), 'float32')
    ranks = np.argsort(np.argsort(-x, axis=1, kind='stable'), axis=1)[np.arange(33), indices]
    right = (ranks < 2) & ~np.isnan(x).any(axis=1)
    for function in merged, separate:
        mean, weighted = function(x, indices.astype('int32'), weights)
        np.testing.assert_allclose(mean, right.mean(), rtol=1e-6)
        np.testing.assert_allclose(weighted, weights[right].sum() / weights.sum(), rtol=1e-5)


def rewrite(inputs, outputs, mode):
    """The nodes of a graph after the rewrites of a mode, without compiling."""
    inputs, outputs = theano.gof.graph.clone(inputs, outputs)
    fgraph = theano.gof.FunctionGraph(inputs, outputs, clone=False)
    with theano.configparser.change_flags(compute_test_value='off'):
        mode.optimizer.optimize(fgraph)
    return fgraph.toposort()


def gradient_function(logits, targets, merged=True, mutable=False, also=()):
    """The gradient with respect to `logits`, an expression of the function's input, or that input."""
    t = {'indices': T.ivector, 'dense': T.fmatrix}[targets]()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(logits), t).sum()
    (z,) = [v for v in theano.gof.graph.inputs([logits]) if not isinstance(v, theano.Constant)]
    outputs = [theano.grad(loss, logits)] + [loss] * merged + list(also)
    return theano.function([theano.In(z, mutable=mutable, borrow=True), t], outputs, mode=COMPILED)


@functools.lru_cache(maxsize=None)
def gradient_functions(targets, merged):
    z = T.fmatrix()
    return [gradient_function(z, targets, merged, mutable) for mutable in (True, False)]


def is_inplace(function):
    ops = [kernel_of(node.op) for node in function.maker.fgraph.toposort()]
    (inplace,) = [op.inplace for op in ops if isinstance(op, softmax_crossentropy.GradientKernel)]
    return inplace


@of_the_cpu
def test_logits_are_overwritten_only_where_nothing_reads_them_later():
    inplace, kept = gradient_functions('indices', True)
    assert is_inplace(inplace) and not is_inplace(kept)
    logits = 2 * T.fmatrix()
    assert is_inplace(gradient_function(logits, 'indices'))
    assert not is_inplace(gradient_function(logits, 'indices', also=[logits]))


@of_the_cpu
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('classes', [5, 50, 300])
@pytest.mark.parametrize('targets', ['indices', 'dense'])
@pytest.mark.parametrize('merged', [True, False], ids=['with the loss', 'alone'])
def test_gradients_in_the_place_of_logits_are_the_same(merged, targets, classes, layout):
    x, indices, soft, _ = data((18, classes), 'float32', seed=12)
    y = indices.astype('int32') if targets == 'indices' else soft
    inplace, kept = gradient_functions(targets, merged)
    logits = LAYOUTS[layout](x)
    gradient = kept(logits, y)[0]
    np.testing.assert_array_equal(logits, x)
    np.testing.assert_array_equal(inplace(logits, y)[0], gradient)
    # Only what has no gaps is overwritten.
    np.testing.assert_array_equal(logits, gradient if layout in ('C', 'Fortran') else x)


def test_gradients_in_the_place_of_logits_in_numpy():
    z, i, g = T.fmatrix(), T.ivector(), T.fvector()
    x, indices, _, gradient = data((7, 5), 'float32')
    kernels = [softmax_crossentropy.SoftmaxCrossentropyGradient(inplace=inplace) for inplace in (True, False)]
    got = [
        theano.function([theano.In(z, mutable=True, borrow=True), i, g], kernel(z, i, g), mode=PYTHON, accept_inplace=True)(
            x.copy(), indices.astype('int32'), gradient
        )
        for kernel in kernels
    ]
    np.testing.assert_array_equal(*got)


@of_the_cpu
def test_a_gradient_weighted_by_the_loss_is_not_merged():
    """It cannot be known before the loss is."""
    z, t, p, q = T.fmatrix(), T.ivector(), T.fmatrix(), T.fmatrix()
    rows = objectives.categorical_crossentropy(T.nnet.softmax(z), t)
    loss = T.sqr(rows.sum())
    names = [type(node.op).__name__ for node in rewrite([z, t], [rows, theano.grad(loss, z)], COMPILED)]
    assert 'SoftmaxCrossentropyWithGradient' not in names
    total = T.sqr(objectives.squared_error(p, q).sum())
    assert sum(isinstance(node.op, sweep.Sweep) for node in rewrite([p, q], [total, theano.grad(total, p)], COMPILED)) >= 1


@of_the_cpu
@pytest.mark.parametrize('pattern', [(True, False), (False, True), (True, True)], ids=['row', 'column', 'single'])
def test_sweeps_broadcast(pattern):
    p, t = T.fmatrix(), T.TensorType('float32', pattern)()
    loss = objectives.squared_error(p, t).mean()
    rng = np.random.RandomState(2)
    x = rng.randn(6, 5).astype('float32')
    y = rng.randn(*[1 if one else n for n, one in zip((6, 5), pattern)]).astype('float32')
    merged, separate = [theano.function([p, t], [loss, theano.grad(loss, p)], mode=mode) for mode in (COMPILED, PYTHON)]
    assert len(sweeps(merged)) == 1
    for order in np.ascontiguousarray, np.asfortranarray:
        for got, expected in zip(merged(order(x), y), separate(order(x), y)):
            assert_agree(got, expected, 'float32')
    if not all(pattern):
        with pytest.raises(ValueError, match='mis-match'):
            merged(x, np.ones([n and 1 if one else n + 1 for n, one in zip((6, 5), pattern)], 'float32'))


def test_sweep_of_a_three_dimensional_view():
    p, t = T.ftensor3(), T.ftensor3()
    loss = objectives.huber_loss(p, t, delta=0.5).sum()
    functions = [theano.function([p, t], [loss, theano.grad(loss, p)], mode=mode) for mode in (COMPILED, PYTHON)]
    x = np.random.RandomState(3).randn(2, 4, 5, 6).astype('float32')
    for view in x[0], x[0].T.copy().T, x[1, ::-1], x[:, :, :, 2].transpose(1, 0, 2):
        for got, expected in zip(*[f(view, view[::-1]) for f in functions]):
            assert_agree(got, expected, 'float32')


@of_the_cpu
def test_more_elements_than_an_int_counts():
    """Of one number seen many times: nothing of that size is allocated."""
    p = T.fmatrix()
    function = theano.function([p], objectives.squared_error(p, 1).sum(), mode=COMPILED)
    assert len(sweeps(function)) == 1
    shape = (2**16 + 1, 2**15)
    assert function(np.broadcast_to(np.float32(3), shape)) == 4.0 * shape[0] * shape[1]


@pytest.mark.parametrize('sums', [0, 1, 2])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_sweep_agrees_with_numpy(dtype, sums):
    z, t = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    results = [elementwise.sigmoid_crossentropy(z, t), elementwise.sigmoid_residual(z, t)]
    op = sweep.Sweep(sweep.composite([z, t], results), (dtype,) * sums)
    outputs = op(z, t) + [op(z, t)[1].shape]
    rng = np.random.RandomState(4)
    x, y = (rng.randn(21, 30) * 40).astype(dtype), rng.rand(21, 30).astype(dtype)
    for got, expected in zip(*[theano.function([z, t], outputs, mode=mode)(x, y) for mode in (COMPILED, PYTHON)]):
        assert_agree(got, expected, dtype)


def test_sweep_of_one_result_in_numpy():
    z = T.dmatrix()
    op = sweep.Sweep(sweep.composite([z], [elementwise.positive_part(z)]), ('float64',))
    assert theano.function([z], op(z), mode=PYTHON)([[1.0, -2.0], [3.0, 0.0]]) == 4


# Derivatives ---------------------------------------------------------------


TORN, WHOLE = [T.constant(np.array(whole)) for whole in (False, True)]


def differentiable_kernels(indices):
    ones = np.ones(4)
    return {
        'cross-entropy of indices': lambda z: softmax_crossentropy.softmax_crossentropy(z, indices),
        'cross-entropy of dense': lambda z, t: softmax_crossentropy.softmax_crossentropy(z, t),
        'cross-entropy along axis 0': lambda z, t: softmax_crossentropy.softmax_crossentropy(z, t, 0),
        'its gradient, indices': lambda z, g: softmax_crossentropy.softmax_crossentropy_gradient(z, indices, g[:, 0]),
        'its gradient, dense': lambda z, t: softmax_crossentropy.softmax_crossentropy_gradient(z, t, ones),
        'log softmax': lambda z: softmax_crossentropy.log_softmax(z),
        'log-odds': lambda z: softmax_log_odds.softmax_log_odds(z),
        'log-odds along axis 0': lambda z: softmax_log_odds.softmax_log_odds(z, 0),
        'torn, indices': lambda z: softmax_crossentropy.softmax_crossentropy(z, indices, 1, TORN),
        'torn, dense': lambda z, t: softmax_crossentropy.softmax_crossentropy(z, t, 1, TORN),
        'whole, dense': lambda z, t: softmax_crossentropy.softmax_crossentropy(z, t, 1, WHOLE),
        'kept torn': lambda z: keep_rows.keep_rows(z, TORN, 1),
        'kept whole': lambda z: keep_rows.keep_rows(z, WHOLE, 1),
        'gradient of kept torn': lambda z, g: keep_rows.KeepRowsGradient()(z, g, TORN),
        'gradient of log-odds': lambda z, g: softmax_log_odds.softmax_log_odds_gradient(z, g),
        'gradient of log-odds along axis 0': lambda z, g: softmax_log_odds.softmax_log_odds_gradient(z, g, 0),
        'margin': lambda z: class_margin.class_margin(z, indices),
        'pick': lambda z: pick_class.pick_class(z, indices),
        'pick or zero': lambda z: pick_class.pick_class_or_zero(z, indices - 1),
        'place': lambda z, g: pick_class.place_classes(z, (indices, g[:, 0]), (indices - 1, g[:, 1])),
        'product': elementwise.product,
        'xlogy': elementwise.xlogy,
        'xlog1py': elementwise.xlog1py,
        'xdivy': elementwise.xdivy,
        'sigmoid cross-entropy': elementwise.sigmoid_crossentropy,
        'sigmoid residual': elementwise.sigmoid_residual,
        'squared difference': elementwise.squared_difference,
        'log(1 - exp(-x))': lambda x: elementwise.log1mexp(-x),
        'log-odds of p': elementwise.log_odds_of_probability,
        'positive part': elementwise.positive_part,
        'huber': elementwise.huber,
    }


INDICES = np.array([0, 2, 1, 2])
KERNELS = differentiable_kernels(INDICES)


def points(name):
    """Inside the domains of all kernels, away from their kinks."""
    rng = np.random.RandomState(5)
    kernel = KERNELS[name]
    count = kernel.scalar_op.nin if isinstance(kernel, T.elemwise.Elemwise) else kernel.__code__.co_argcount
    return [rng.uniform(0.1, 0.9, (4, 3)) for _ in range(count)]


def points_of(name):
    """How many data points a kernel takes a matrix of 4 x 3 for."""
    return 3 if 'axis 0' in name else 4


@pytest.mark.parametrize('name', KERNELS)
def test_derivatives(name):
    theano.gradient.verify_grad(KERNELS[name], points(name), rng=np.random.RandomState(6), mode=PYTHON)


@pytest.mark.parametrize('name', KERNELS)
def test_second_derivatives(name):
    def gradient(*inputs):
        result = KERNELS[name](*inputs)
        weights = np.random.RandomState(7).rand(*((4, 3) if result.ndim == 2 else (points_of(name),)))
        gradients = theano.grad((result * weights).sum(), list(inputs), disconnected_inputs='ignore')
        return sum(g.sum(axis=1) * (k + 1) for k, g in enumerate(gradients))

    theano.gradient.verify_grad(gradient, points(name), rng=np.random.RandomState(8), mode=PYTHON)


@pytest.mark.parametrize('name', KERNELS)
def test_directional_derivatives(name):
    """R_op against L_op: one is the transpose of the other."""
    values = points(name)
    inputs = [T.dmatrix() for _ in values]
    directions = [np.random.RandomState(9 + k).rand(4, 3) for k in range(len(values))]
    result = KERNELS[name](*inputs)
    weights = np.random.RandomState(10).rand(*((4, 3) if result.ndim == 2 else (points_of(name),)))
    forward = (T.Rop(result, inputs, [T.constant(d) for d in directions]) * weights).sum()
    backward = sum((g * d).sum() for g, d in zip(theano.grad((result * weights).sum(), inputs, disconnected_inputs='ignore'), directions))
    got, expected = theano.function(inputs, [forward, backward], mode=PYTHON)(*values)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('name', KERNELS)
def test_a_direction_that_does_not_move_has_no_derivative(name):
    inputs = [T.dmatrix() for _ in points(name)]
    node = KERNELS[name](*inputs).owner
    assert set(node.op.R_op(node.inputs, [None] * len(node.inputs))) == {None}


@pytest.mark.parametrize('name', KERNELS)
def test_shapes_are_inferred(name):
    inputs = [T.dmatrix() for _ in points(name)]
    result = KERNELS[name](*inputs)
    node = result.owner
    shapes = [tuple(v.shape[i] for i in range(v.ndim)) for v in node.inputs]
    inferred = node.op.infer_shape(node, shapes)[0]
    got = theano.function(inputs, T.stack(list(inferred)), mode=PYTHON, on_unused_input='ignore')(*points(name))
    assert tuple(got) == theano.function(inputs, result, mode=PYTHON)(*points(name)).shape


def test_the_top_class_is_constant_almost_everywhere():
    z = T.dmatrix()
    node = top_class.top_class(z).owner
    (gradient,) = node.op.L_op(node.inputs, node.outputs, [T.dvector()])
    (direction,) = node.op.R_op(node.inputs, [z])
    values = np.array([[1.0, 3.0, 3.0], [np.nan, 0.0, 1.0]])
    outputs = [node.outputs[0], node.outputs[0].shape, gradient, direction]
    tops, shape, gradient, direction = theano.function([z], outputs)(values)
    assert tops.tolist() == [1, -1] and shape.tolist() == [2]
    assert not gradient.any() and gradient.shape == (2, 3) and direction.tolist() == [0, 0]


# A process -------------------------------------------------------------------

ALL_LOSSES = """
import hashlib, os, sys
import numpy as np
import lasagne_objectives as lo
import theano, theano.tensor as T
rng = np.random.RandomState(0)
z, w = rng.randn(700, 130).astype('float32') * 9, rng.rand(700, 130).astype('float32')
t, b = rng.randint(0, 130, 700), rng.randint(0, 2, (700, 130))
Z, W, I, B = T.fmatrix(), T.fmatrix(), T.lvector(), T.lmatrix()
losses = [lo.categorical_crossentropy(T.nnet.softmax(Z), I), lo.binary_crossentropy(T.nnet.sigmoid(Z), B),
          lo.multiclass_hinge_loss(Z, I), lo.multiclass_hinge_loss(Z.T, I, axis=0)]
outputs = [lo.categorical_accuracy(Z, I, top_k=5)]
for loss in losses:
    outputs += [loss.sum(), theano.grad(loss.sum(), Z)]
function = theano.function([Z, W, I, B], outputs, on_unused_input='ignore')
def run():
    return function(z, w, t, b)
def digest(_=None):
    return hashlib.sha256(b''.join(np.ascontiguousarray(r).tobytes() for r in run())).hexdigest()
"""


def run_script(script, flags='', **environment):
    """What a script prints, in a process of its own."""
    own = dict(os.environ, THEANO_FLAGS=','.join(filter(None, [os.environ.get('THEANO_FLAGS', ''), 'floatX=float32', flags])))
    own.update(environment)
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', ALL_LOSSES + textwrap.dedent(script)],
        env=own,
        timeout=300,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@of_the_cpu
def test_any_number_of_threads_gives_the_same_bits():
    assert len({run_script('print(digest())', OMP_NUM_THREADS=n) for n in '127'}) == 1


@of_the_cpu
def test_a_forked_child_can_run_the_kernels_too():
    """The threads of its parent do not exist in it; waiting for them would hang."""
    assert (
        run_script(
            """
        import multiprocessing
        before = digest()
        with multiprocessing.get_context('fork').Pool(2) as pool:
            print(set(pool.map_async(digest, range(2)).get(60)) == {before})
        """,
            OMP_NUM_THREADS='2',
        )
        == 'True'
    )


@of_the_cpu
def test_small_inputs_start_no_threads():
    assert (
        run_script(
            """
        def threads():
            with open('/proc/self/status') as status:
                return int(next(line for line in status if line.startswith('Threads')).split()[1])
        alone = threads()
        function(z[:8], w[:8], t[:8], b[:8])
        after_few = threads()
        run()
        print(after_few == alone, threads() > alone)
        """,
            OMP_NUM_THREADS='3',
        )
        == 'True True'
    )


@of_the_cpu
def test_threads_that_leave_a_core_may_come_back():
    """One that finds itself on the core of the thread it helps goes to another."""
    assert (
        run_script(
            """
        def threads():
            return [int(thread) for thread in os.listdir('/proc/self/task')]
        def allow(cores):
            for thread in threads():
                os.sched_setaffinity(thread, cores)
        cores = os.sched_getaffinity(0)
        alone = digest()
        allow({min(cores)})
        on_one = digest()
        for _ in range(20):
            allow({min(cores)})
            allow(cores)
            run()
        allowed = [os.sched_getaffinity(thread) == cores for thread in threads()]
        print(len(allowed) > 1, all(allowed), on_one == alone)
        """,
            OMP_NUM_THREADS='3',
        )
        == 'True True True'
    )


@of_the_cpu
def test_other_threads_of_python_go_on_during_a_sweep():
    """One number seen many times takes time, but no memory."""
    assert (
        run_script(
            """
        import threading, time
        accuracy = theano.function([Z, I], lo.categorical_accuracy(Z, I).sum())
        error = theano.function([Z, I], lo.squared_error(Z, 3).sum(), on_unused_input='ignore')
        large = np.broadcast_to(np.float32(1), (2 ** 14, 2 ** 14))
        for function in accuracy, error:
            thread = threading.Thread(target=function, args=(large, np.zeros(2 ** 14, 'int64')))
            thread.start()
            ticks = 0
            while thread.is_alive():
                time.sleep(0.001)
                ticks += 1
            print(ticks > 20, end=' ')
        """,
            OMP_NUM_THREADS='1',
        )
        == 'True True'
    )


@of_the_cpu
def test_denormals_and_memory_of_the_process_stay():
    """Ten thousand calls neither leak nor turn denormal numbers off."""
    assert (
        run_script("""
        def resident():
            with open('/proc/self/statm') as statm:
                return int(statm.read().split()[1]) * os.sysconf('SC_PAGESIZE')
        z, w, t, b = z[:8], w[:8], t[:8], b[:8]
        for _ in range(1000):
            run()
        before = resident()
        for _ in range(10000):
            run()
        print(resident() - before < 2 ** 20, np.float32(1e-40) / np.float32(2) > 0)
        """)
        == 'True True'
    )


def test_no_flags_that_change_the_arithmetic_of_the_process():
    flags = ' '.join(c_kernel.CKernel().c_compile_args())
    assert not any(word in flags for word in ('fast-math', 'Ofast', 'unsafe', 'finite'))


@of_the_cpu
@pytest.mark.parametrize(
    'flags',
    ['cxx=', 'gcc.cxxflags=-march=x86-64 -fno-openmp-simd -DLO_ONE_THREAD'],
    ids=['without a compiler', 'without AVX, OpenMP and threads'],
)
def test_less_of_a_compiler_gives_the_same_numbers(flags, tmp_path):
    save = "np.savez(%r, *run())"
    paths = [str(tmp_path / name) for name in ('full.npz', 'less.npz')]
    run_script(save % paths[0])
    run_script(save % paths[1], flags=flags)
    full, less = [np.load(path) for path in paths]
    # p - 1 of a certain class is as good as 1 is: each may be off by a few ulp of 1, by the contract by 4.
    for name in full.files:
        np.testing.assert_allclose(less[name], full[name], rtol=2e-5, atol=4 * np.finfo('float32').eps)


@of_the_cpu
def test_without_a_compiler_nothing_is_merged(monkeypatch):
    monkeypatch.setattr(theano.config, 'cxx', '')
    z, t = T.fmatrix(), T.ivector()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(z), t).mean()
    assert not any('WithGradient' in str(node.op) for node in rewrite([z, t], [loss, theano.grad(loss, z)], COMPILED))
    assert isinstance(merge.MergeSweeps(), theano.gof.Optimizer)


@of_the_cpu
def test_debug_mode_finds_nothing():
    """It compares C with NumPy, checks views, memory and every rewrite."""
    z, i, b = T.dmatrix(), T.lvector(), T.dmatrix()
    losses = [objectives.categorical_crossentropy(T.nnet.softmax(z), i), objectives.squared_error(z, b)]
    outputs = [objectives.categorical_accuracy(z, i)]
    for loss in losses:
        outputs += [loss.mean(), theano.grad(loss.mean(), z)]
    function = theano.function(
        [z, i, b], outputs, mode=theano.compile.debugmode.DebugMode(optimizer='fast_run', check_py_code=True, stability_patience=1)
    )
    rng = np.random.RandomState(11)
    assert np.isfinite(function(rng.randn(4, 3), np.array([0, 2, 1, 1]), rng.rand(4, 3))[1])


def ops_of_the_kernels():
    """The classes of Ops in kernels/, those that are there to be inherited from apart."""
    modules = [
        importlib.import_module('lasagne_objectives.kernels.' + m.name) for m in pkgutil.iter_modules(kernels.__path__) if not m.ispkg
    ]
    classes = {c for m in modules for c in vars(m).values() if isinstance(c, type) and issubclass(c, theano.gof.Op)}
    return [c for c in classes if c.make_node.__module__.startswith(kernels.__name__) and classes.isdisjoint(c.__subclasses__())]


def test_no_op_is_without_c_code():
    ops = ops_of_the_kernels()
    assert {keep_rows.KeepRows, softmax_log_odds.SoftmaxLogOddsGradient, match_shapes.MatchShapes, sweep.Sweep} <= set(ops)
    for op in ops:
        assert op.c_code is not theano.gof.Op.c_code, op


def test_c_code_is_written_for_every_kernel():
    """Also where a compiled module is at hand already and Theano would not ask for it."""
    z, i, t, g = T.fmatrix(), T.lvector(), T.fmatrix(), T.fvector()
    nodes = [v.owner for v in row_kernels(z, i, t, g)]
    nodes += [v.owner for v in finite_kernels(z, t)]
    nodes.append(softmax_crossentropy.SoftmaxCrossentropyWithGradient()(z, i, g)[0].owner)
    nodes += [match_shapes.match_shapes(i, z, 1).owner, place_rows.PlaceRows()(z, i, T.lscalar()).owner]
    nodes += [keep_rows.keep_rows(z, TORN, 1).owner, keep_rows.KeepRowsGradient()(z, t, TORN).owner]
    nodes.append(moved_rows.MovedRows(target_rank.TargetRank()).make_node(T.ftensor3(), T.lvector(), i))
    both = softmax_crossentropy.SoftmaxCrossentropyWithGradient
    nodes += [around(both()).make_node(z, i, g) for around in (summed.Summed, averaged.Averaged)]
    nodes.append(kept_rows.KeptRows(both(2)).make_node(z, i, T.lmatrix(), z))
    nodes.append(kept_rows.KeptRows(softmax_crossentropy.SoftmaxCrossentropy(2)).make_node(z, i, T.lmatrix()))
    column = T.fcol()
    kernel = sweep.composite([z, column], [elementwise.sigmoid_crossentropy(z, column), elementwise.sigmoid_residual(z, column)])
    nodes.append(sweep.Sweep(kernel, ('float32',))(z, column)[0].owner)
    for node in nodes:
        names = [['%s%d' % (kind, k) for k in range(len(variables))] for kind, variables in (('in', node.inputs), ('out', node.outputs))]
        code = node.op.c_code(node, 'name', names[0], names[1], dict(fail='FAIL'))
        assert 'FAIL' in code and all(name in code for name in names[1])
    loop = nodes[-1].op.c_support_code_apply(nodes[-1], 'name')
    # The column is read once for each run along a row.
    assert 'reduction(+:part0)' in loop and 'const npy_float32 x1 = *(const npy_float32 *)from[1];' in loop


def test_merging_takes_no_time_for_values_that_are_used_twice():
    """Two states that each step computes from both: going through all ways back would not end."""
    x, v = T.dvector('x'), T.dvector('v')
    inputs = [x, v]
    for _ in range(100):
        x, v = x + 0.1 * v, v - 0.1 * x
    loss = objectives.squared_error(x, v).sum()
    fgraph = theano.gof.FunctionGraph(inputs, [loss])
    merge.MergeSweeps().optimize(fgraph)
    assert [type(node.op) for node in fgraph.apply_nodes].count(sweep.Sweep) == 1


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
def test_casts_in_python(dtype):
    """The gradient is of the type that was cast, and 0 for integers."""
    x, n = (T.fvector() if dtype == 'float64' else T.dvector()), T.ivector()
    outputs = []
    for wrt in x, n:
        cast = elementwise.cast_both_ways(wrt, dtype)
        outputs += [cast, theano.grad((cast**2).sum(), wrt)]
    value, gradient, *of_integers = theano.function([x, n], outputs, mode=PYTHON)([0.5, -3], [1, 2])
    assert value.dtype == of_integers[0].dtype == dtype and gradient.dtype == x.dtype
    for got, expected in zip([value, gradient] + of_integers, [[0.5, -3], [1, -6], [1, 2], [0, 0]]):
        np.testing.assert_array_equal(got, expected)


def test_a_number_in_python():
    """What Theano fuses is computed number by number where no C is compiled."""
    d, delta = theano.scalar.float64(), theano.scalar.float64()
    huber = theano.function([d, delta], elementwise.scalar_huber(d, delta), mode=PYTHON)
    assert [huber(2, 1), huber(-0.5, 1)] == [1.5, 0.125]


@pytest.mark.parametrize(
    'version, knows',
    [('12', True), ('4.9.4', True), ('15.0.6', True), ('4.8.5', False), ('4.2.1', False), ('4', False), ('GCC_NOT_FOUND', False)],
)
def test_which_compilers_are_told_of_loops_that_can_be_vectorised(version, knows):
    assert c_kernel.vector_flags(version) == ['-fopenmp-simd'] * knows


@pytest.mark.parametrize('said, number', [('3', 3), (' 5 ', 5), ('4,2', 4)])
def test_as_many_threads_as_are_said(said, number, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', said)
    assert c_kernel.number_of_threads() == number


@pytest.mark.parametrize('said', ['', '0', 'many', None])
def test_as_many_threads_as_cores(said, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if said is not None:
        monkeypatch.setenv('OMP_NUM_THREADS', said)
    # not of all cores: of those that the process may use
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {1, 4, 6}, raising=False)
    assert c_kernel.number_of_threads() == 3
    monkeypatch.delattr(os, 'sched_getaffinity')
    for cores, expected in [(8, 8), (None, 1)]:
        monkeypatch.setattr(os, 'cpu_count', lambda cores=cores: cores)
        assert c_kernel.number_of_threads() == expected
