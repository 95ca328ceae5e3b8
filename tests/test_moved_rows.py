"""Rows of images whose classes were moved to the end, which a reshape would copy: the kernels read the images."""

import functools

import numpy as np
import pytest

import lasagne_objectives as objectives
import theano
import theano.tensor as T
from lasagne_objectives.kernels import moved_rows, pick_class, softmax_crossentropy, target_rank, top_class

import reference
from compiled import ALL_REWRITES, assert_same, in_c_and_numpy, kernels_in
from device import ON_GPU, of_the_cpu
from reference import softmax

COMPILED = theano.compile.mode.get_mode('FAST_RUN')

# Where rows of 3 are asked for: these have them, and these do not, so that the reshape tears what lies side by side.
IMAGES = [(2, 3, 4, 5), (1, 3, 1, 1), (3, 3, 70, 33), (0, 3, 2, 2), (2, 3, 0, 4)]
TORN = [(2, 6, 2, 5), (3, 2, 4, 1), (1, 1, 9, 7)]


def rows_of(z, classes):
    return z.dimshuffle(0, 2, 3, 1).reshape((-1, classes))


def crossentropy(rows, t):
    return objectives.categorical_crossentropy(T.nnet.softmax(rows), t)


def slope_of_crossentropy(rows, t):
    hot = np.eye(rows.shape[1])[t] if t.ndim == 1 else t
    return hot.sum(1, keepdims=True) * softmax(rows) - hot


WAYS = {
    'classes': (crossentropy, lambda rows, t: reference.categorical_crossentropy(softmax(rows), t).value, slope_of_crossentropy),
    'soft': (crossentropy, lambda rows, t: reference.categorical_crossentropy(softmax(rows), t).value, slope_of_crossentropy),
    'hinge': (
        objectives.multiclass_hinge_loss,
        lambda rows, t: reference.multiclass_hinge_loss(rows, t).value,
        lambda rows, t: reference.multiclass_hinge_loss(rows, t).predictions,
    ),
    'accuracy': (objectives.categorical_accuracy, reference.categorical_accuracy, None),
}


@functools.lru_cache(maxsize=None)
def function_of(way, classes):
    z, t = T.dtensor4(), T.dtensor4() if way == 'soft' else T.itensor3()
    rows = rows_of(z, z.shape[1] if classes is None else classes)
    loss = WAYS[way][0](rows, rows_of(t, 3) if way == 'soft' else t.flatten())
    outputs = [loss] if way == 'accuracy' else [loss, theano.grad(loss.sum(), z)]
    return theano.function([z, t], outputs, mode=COMPILED)


def moved(function):
    """The kernels of rows that were moved, those that are summed or averaged as well included."""
    return kernels_in(function, moved_rows.OfMovedRows)


def is_matrix_of_images(node):
    return isinstance(node.op, T.Reshape) and node.outputs[0].ndim == 2 and node.inputs[0].ndim == 4


@pytest.mark.parametrize('classes', [3, None], ids=['constant', 'of the images'])
@pytest.mark.parametrize('way', WAYS)
def test_images_are_not_copied(way, classes):
    function = function_of(way, classes)
    assert moved(function)
    assert not any(is_matrix_of_images(node) for node in function.maker.fgraph.toposort())


@pytest.mark.parametrize(
    'classes, shapes', [(3, IMAGES + TORN), (None, IMAGES + [(2, 1, 3, 4), (2, 60, 5, 7)])], ids=['constant', 'of the images']
)
@pytest.mark.parametrize('way', WAYS)
def test_values_and_gradients(way, classes, shapes):
    rng = np.random.RandomState(1)
    function = function_of(way, classes)
    for shape in shapes:
        if way == 'soft' and classes is None and shape[1] != 3:
            continue  # its targets are rows of three
        z = rng.randn(*shape) * 3
        count = shape[1] if classes is None else classes
        rows = np.moveaxis(z, 1, -1).reshape((-1, count))
        if way == 'soft':
            t = rng.rand(*shape)
            t_rows = np.moveaxis(t, 1, -1).reshape((-1, count))
        else:
            t = t_rows = rng.randint(0, count, len(rows)).astype('int32')
            t = t.reshape((len(rows), 1, 1))
        _, value, slope = WAYS[way]
        for images in z, z.astype('f8', order='F'), np.repeat(z, 2, axis=3)[..., ::2]:
            got = function(images, t)
            np.testing.assert_allclose(got[0], value(rows, t_rows), rtol=1e-12, atol=1e-14)
            if slope is not None:
                expected = slope(rows, t_rows).reshape(np.moveaxis(z, 1, -1).shape)
                np.testing.assert_allclose(got[1], np.moveaxis(expected, -1, 1), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize('way', ['classes', 'hinge'])
def test_what_does_not_fit_is_refused_as_ever(way):
    function = function_of(way, 3)
    z = np.zeros((2, 3, 2, 2))
    if not ON_GPU:
        with pytest.raises(IndexError, match='the largest is 3, the number of classes is 3'):
            function(z, np.full((2, 2, 2), 3, 'int32'))
    with pytest.raises(ValueError, match=r'class indices of shape \(7,\) do not fit predictions of shape \(8, 3\)'):
        function(z, np.zeros((7, 1, 1), 'int32'))
    with pytest.raises(ValueError, match='cannot reshape'):
        function(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2), 'int32'))


@pytest.mark.parametrize(
    'shape, order, message',
    [
        ((-1, 6), (0, 2, 3, 1), r'targets of shape \(20, 6\) do not fit'),
        ((-1, 5), (0, 1, 2, 3), r'targets of shape \(24, 5\) do not fit'),
        ((7, 3), (0, 2, 3, 1), 'reshape'),
    ],
    ids=['other classes', 'not moved', 'too few'],
)
def test_targets_that_were_reshaped_to_something_else(shape, order, message):
    z, t = T.dtensor4(), T.dtensor4()
    loss = crossentropy(rows_of(z, 3), t.dimshuffle(*order).reshape(shape))
    function = theano.function([z, t], loss, mode=COMPILED)
    with pytest.raises(ValueError, match=message):
        function(np.zeros((2, 3, 4, 5)), np.ones((2, 3, 4, 5)))


def test_targets_that_are_rows_by_themselves():
    z, t = T.dtensor4(), T.dmatrix()
    function = theano.function([z, t], crossentropy(rows_of(z, 3), t), mode=COMPILED)
    x, soft = np.random.RandomState(6).randn(2, 3, 4, 5), np.random.RandomState(7).rand(40, 3)
    rows = np.moveaxis(x, 1, -1).reshape((-1, 3))
    assert moved(function)
    np.testing.assert_allclose(function(x, soft), reference.categorical_crossentropy(softmax(rows), soft).value, rtol=1e-12)


@pytest.mark.parametrize('classes', [5, 4])
def test_a_softmax_between_reshapes_of_moved_sequences(classes):
    """Time first, say: rows are kept, and nothing is copied; or torn, where there are not as many classes."""
    z, t = T.dtensor3(), T.imatrix()
    steps = z.dimshuffle(1, 0, 2)
    p = T.nnet.softmax(steps.reshape((-1, 5))).reshape(steps.shape)
    loss = objectives.categorical_crossentropy(p, t)
    function = theano.function([z, t], [loss, theano.grad(loss.sum(), z)], mode=COMPILED)
    kernels = {type(op.kernel).__name__ for op in moved(function)}
    assert kernels == ({'GpuKeepRows', 'GpuKeepRowsGradient'} if ON_GPU else {'KeepRows', 'KeepRowsGradient'})
    rng = np.random.RandomState(2)
    x, indices = rng.randn(10, 3, classes), rng.randint(0, classes, (3, 10)).astype('int32')
    value, gradient = function(x, indices)

    def losses(x):
        p = softmax(np.moveaxis(x, 1, 0).reshape((-1, 5))).reshape((3, 10, classes))
        return reference.categorical_crossentropy(p, indices).value

    np.testing.assert_allclose(value, losses(x), rtol=1e-12)
    for _ in range(5):
        step = 1e-5 * rng.randn(*x.shape)
        np.testing.assert_allclose((gradient * step).sum(), (losses(x + step) - losses(x - step)).sum() / 2, rtol=1e-7)


@functools.lru_cache(maxsize=None)
def function_of_rows(dtype):
    z, t, shape = T.ftensor3(), T.vector(dtype=dtype), T.lvector()
    loss = crossentropy(z.dimshuffle(0, 2, 1).reshape(shape, ndim=2), t).mean()
    return theano.function([z, t, theano.In(shape, value=[-1, 5])], [loss, theano.grad(loss, z)], mode=COMPILED)


@of_the_cpu
@pytest.mark.parametrize('dtype', ['int32', 'int64'])
@pytest.mark.parametrize('points', [1, 2, 4, 7, 8])
def test_targets_of_one_row_are_refused_for_several(points, dtype):
    """Of as many as a stride has bytes, too: what follows a shape in memory are the strides."""
    function = function_of_rows(dtype)
    assert moved(function)
    x = np.random.RandomState(4).randn(1, 5, points).astype('float32')
    if points > 1:
        with pytest.raises(ValueError, match='do not fit predictions'):
            function(x, np.zeros(1, dtype))
    targets = np.arange(points) % 5
    rows = x[0].T
    np.testing.assert_allclose(function(x, targets.astype(dtype))[1][0].T, slope_of_crossentropy(rows, targets) / points, atol=1e-6)


@of_the_cpu
def test_a_shape_of_another_length_is_refused():
    """A graph may promise that a shape has two numbers, which the vector does not keep."""
    with pytest.raises(ValueError, match='a shape of 3 numbers: expected 2'):
        function_of_rows('int32')(np.zeros((1, 5, 3), 'float32'), np.zeros(3, 'int32'), [3, 1, 5])


@of_the_cpu
def test_logits_are_overwritten_where_nothing_reads_them_later():
    z, t = T.ftensor4(), T.ivector()
    images = T.extra_ops.cumsum(z, axis=3)  # of an Op that no rewrite moves, as a convolution is
    functions = []
    for logits, more in (z, []), (images, []), (images, [images]):
        loss = crossentropy(rows_of(logits, 3), t).sum()
        functions.append(theano.function([z, t], [loss, theano.grad(loss, logits)] + more, mode=COMPILED))
    assert [op.kernel.inplace for function in functions for op in moved(function)] == [False, True, False]
    x, indices = np.random.RandomState(3).randn(2, 3, 4, 5).astype('f4'), np.zeros(40, 'int32')
    before = x.copy()
    for function in functions:
        array = x if function is functions[0] else x.cumsum(axis=3)
        rows = np.moveaxis(array, 1, -1).reshape((-1, 3))
        expected = slope_of_crossentropy(rows, indices).reshape((2, 4, 5, 3))
        np.testing.assert_allclose(function(x, indices)[1], np.moveaxis(expected, -1, 1), atol=1e-6)
    np.testing.assert_array_equal(x, before)


def test_it_is_printed_by_its_kernel():
    (op,) = moved(function_of('accuracy', 3))
    assert str(op) == ('GpuMovedRows{GpuTargetRank{axis=1}}' if ON_GPU else 'MovedRows{TargetRank{axis=1}}')


def test_a_matrix_that_others_read_is_made():
    z, t = T.ftensor4(), T.ivector()
    rows = rows_of(z, 3)
    loss = crossentropy(rows, t).sum()
    for outputs in [loss, rows], [loss, rows.max()], [loss, theano.grad(loss, rows)], [crossentropy(rows.dimshuffle(0, 1)[:, :2], t)]:
        assert not moved(theano.function([z, t], outputs, mode=ALL_REWRITES))


def test_rows_that_were_not_moved_are_a_view_already():
    z, t = T.ftensor4(), T.ivector()
    for rows in z.reshape((-1, 3)), z.dimshuffle(0, 1, 'x', 2, 3).reshape((-1, 3)):
        assert not moved(theano.function([z, t], crossentropy(rows, t), mode=COMPILED))


KERNELS = {
    'loss': (softmax_crossentropy.SoftmaxCrossentropy(), ['classes']),
    'soft loss': (softmax_crossentropy.SoftmaxCrossentropy(), ['soft']),
    'both': (softmax_crossentropy.SoftmaxCrossentropyWithGradient(), ['images', 'numbers']),
    'in place': (softmax_crossentropy.SoftmaxCrossentropyWithGradient(inplace=True), ['classes', 'numbers']),
    'torn': (softmax_crossentropy.SoftmaxCrossentropyGradient(), ['classes', 'numbers', 'whole']),
    'rank': (target_rank.TargetRank(), ['classes']),
    'top': (top_class.TopClass(), []),
    'place': (pick_class.PlaceClasses(), ['classes', 'numbers']),
}


@of_the_cpu
@pytest.mark.parametrize('name', KERNELS)
def test_the_same_in_numpy(name):
    kernel, operands = KERNELS[name]
    types = {'classes': T.lvector, 'soft': T.dmatrix, 'images': T.dtensor4, 'numbers': T.dvector, 'whole': T.TensorType('bool', ())}
    variables = [T.dtensor4(), T.lvector()]
    for one in operands:
        variables += [types[one](), T.lvector()] if one == 'images' else [types[one]()]
    results = moved_rows.MovedRows(kernel)(*variables, return_list=True)
    inputs = [theano.In(variables[0], mutable=True, borrow=True)] + variables[1:]
    functions = in_c_and_numpy(inputs, results)
    rng = np.random.RandomState(4)
    x = rng.randn(2, 4, 5, 3)
    for rows in [(-1, 3), (40, 3), (40, -1), (-1, 6)]:
        classes = 3 if rows[1] == -1 else rows[1]
        count = x.size // classes
        values = {
            'classes': rng.randint(0, classes, count),
            'soft': rng.rand(count, classes),
            'images': rng.rand(*x.shape),
            'numbers': rng.randn(count),
            'whole': np.array(False),
        }
        given = [np.array(rows)]
        for one in operands:
            given += [values[one], np.array(rows)] if one == 'images' else [values[one]]
        assert_same(functions, x, given)


@of_the_cpu
def test_debug_mode_finds_nothing():
    z, t = T.dtensor4(), T.lvector()
    loss = crossentropy(rows_of(2 * z, 3), t).sum()
    mode = theano.compile.debugmode.DebugMode(optimizer='fast_run', check_py_code=True, stability_patience=1)
    function = theano.function([z, t], [loss, theano.grad(loss, z)], mode=mode)
    assert np.isfinite(function(np.random.RandomState(5).randn(2, 3, 2, 2), np.arange(8) % 3)[1]).all()
