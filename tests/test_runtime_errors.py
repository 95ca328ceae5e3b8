"""What a compiled function says to values that the graph could not foresee, and that it survives them."""

import functools
import re

import lasagne_objectives as objectives
import numpy as np
import pytest
import theano
import theano.tensor as T

from cases import (
    CATEGORICAL,
    ELEMENTWISE,
    PY,
    REWRITTEN,
    Case,
    assert_close,
    sample_classes,
    sample_predictions,
    sample_targets,
    tensor_type,
    without,
)
from device import works_on_gpu

MODES = {'unoptimized': PY, 'FAST_COMPILE': 'FAST_COMPILE', 'FAST_RUN': 'FAST_RUN'}
every_mode = pytest.mark.parametrize('mode', MODES)
INDEXED = CATEGORICAL[:2]
indexed = pytest.mark.parametrize('case', INDEXED, ids=str)


@functools.lru_cache(maxsize=None)
def compiled(case, outputs, mode, ndim=2, axis=-1, layer=None):
    """A function of inputs and targets giving the loss, the gradient of its mean, or both."""
    inputs, targets = T.TensorType('float32', [False] * ndim)('inputs'), T.TensorType('int32', [False] * (ndim - 1))('targets')
    loss = case(layer(inputs) if layer else inputs, targets, axis=axis)
    results = {'value': loss, 'gradient': theano.grad(loss.mean(), inputs)}
    return theano.function([inputs, targets], [results[output] for output in outputs], mode=MODES[mode])


def assert_index_refused(function, predictions, targets, *numbers, axis=-1):
    """An IndexError that names the numbers. On the GPU nothing waits for the device: NaN in the rows concerned, and in no other."""
    if works_on_gpu(function):
        return assert_rows_are_nan(function(predictions, targets), targets, predictions.shape[axis], axis)
    with pytest.raises(IndexError) as caught:
        function(predictions, targets)
    # Without what Theano appends to it: shapes of 7 classes would be found there in any case.
    message = str(caught.value).split('Apply node')[0]
    assert {str(number) for number in numbers} <= set(re.findall(r'-?\d+', message)), message


def assert_rows_are_nan(results, targets, classes, axis):
    bad = (targets < 0) | (targets >= classes)
    for result in results:
        # The class axis first, for which the rows concerned are the same.
        nan = np.isnan(np.moveaxis(result, axis, 0) if result.ndim > targets.ndim else result)
        np.testing.assert_array_equal(nan, np.broadcast_to(bad, nan.shape))


@every_mode
@pytest.mark.parametrize('outputs', [('value',), ('gradient',), ('value', 'gradient')], ids='_'.join)
@indexed
def test_class_index_out_of_range(case, outputs, mode):
    function = compiled(case, outputs, mode)
    p, good = sample_predictions(case.kind, (5, 7), 'float32'), np.array([0, 6, 3, 1, 6], 'int32')
    expected = function(p, good)
    assert_index_refused(function, p, np.array([0, 1234, -567, 3, -1], 'int32'), -567, 1234, 7)
    for result, again in zip(expected, function(p, good)):
        np.testing.assert_array_equal(result, again)
    loss = case.reference(p, good)
    for result, output in zip(expected, outputs):
        assert_close(result, {'value': loss.value, 'gradient': loss.predictions / 5}[output], 'float32')


@every_mode
@indexed
def test_class_index_just_outside(case, mode):
    function = compiled(case, ('value', 'gradient'), mode)
    p = sample_predictions(case.kind, (3, 7), 'float32')
    assert_index_refused(function, p, np.array([2, 7, 5], 'int32'), 2, 7)
    assert_index_refused(function, p, np.array([2, -1, 5], 'int32'), -1, 5, 7)
    for lowest, highest in (-(2**31), 0), (0, 2**31 - 1):
        assert_index_refused(function, p, np.array([lowest, 0, highest], 'int32'), lowest, highest, 7)


@indexed
def test_constant_class_index_out_of_range_is_not_reported_by_the_optimizer(case, caplog):
    """Theano would run the kernel when it folds constants, again and again, and print what it raised each time."""
    loss = case(T.constant(sample_predictions(case.kind, (3, 7), 'float32')), [0, 7, 1])
    function = theano.function([], [loss, loss.mean()], mode='FAST_RUN')
    assert not caplog.records
    if not works_on_gpu(function):
        with pytest.raises(IndexError, match='7'):
            function()


@every_mode
@pytest.mark.parametrize('outputs', [('value',), ('gradient',)], ids='_'.join)
@pytest.mark.parametrize('layer', [T.nnet.softmax, T.exp], ids=['softmax', 'exp'])
def test_class_index_out_of_range_behind_a_layer(layer, outputs, mode):
    function = compiled(CATEGORICAL[0], outputs, mode, layer=layer)
    p, good = sample_predictions('scores', (3, 7), 'float32'), np.array([0, 1, 2], 'int32')
    assert_index_refused(function, p, np.array([2, 4321, -765], 'int32'), -765, 4321, 7)
    assert np.isfinite(function(p, good)[0]).all()


@pytest.mark.parametrize('mode', ['unoptimized', 'FAST_COMPILE'])
@pytest.mark.parametrize('shape, axis', [((2, 7, 3, 1), 1), ((7, 4), 0), ((7,), -1)], ids=str)
@indexed
def test_class_index_out_of_range_in_other_layouts(case, shape, axis, mode):
    function = compiled(case, ('value', 'gradient'), mode, len(shape), axis)
    p = sample_predictions(case.kind, shape, 'float32')
    for bad in 1234, -567:
        targets = np.full(without(shape, axis), bad, 'int32')
        assert_index_refused(function, p, targets, bad, 7, axis=axis)
    assert np.isfinite(function(p, sample_classes(shape, axis))[1]).all()


@pytest.mark.parametrize('dtype', ['int8', 'int16', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'])
@indexed
def test_class_index_out_of_range_of_every_dtype(case, dtype):
    """In particular the largest uint64, which a cast to int64 turns into a harmless looking -1."""
    p, t = T.fmatrix('p'), T.vector('t', dtype)
    function = theano.function([p, t], case(p, t), mode=PY)
    limits = np.iinfo(dtype)
    predictions = sample_predictions(case.kind, (2, 7), 'float32')
    for bad in [limits.max] + [limits.min] * (limits.min < 0):
        with pytest.raises(IndexError):
            function(predictions, np.array([1, bad], dtype))
    assert function(predictions, np.array([1, 6], dtype)).shape == (2,)


@indexed
def test_message_names_the_largest_uint64(case):
    p, t = T.fmatrix('p'), T.vector('t', 'uint64')
    for mode in PY, 'FAST_RUN':
        function = theano.function([p, t], [case(p, t)], mode=mode)
        indices = np.array([1, 2**64 - 1], 'uint64')
        assert_index_refused(function, sample_predictions(case.kind, (2, 7), 'float32'), indices, 1, 2**64 - 1, 7)


def test_class_index_with_weight_zero_is_out_of_range_too():
    """A mask does not repair an index; clipping it does, as the documentation says."""
    p, t = sample_predictions('probabilities', (3, 4), 'float32'), np.array([1, -1, 2], 'int32')

    def masked(targets):
        return objectives.aggregate(objectives.categorical_crossentropy(p, targets), T.ge(t, 0), 'normalized_sum')

    with pytest.raises(IndexError):
        theano.function([], masked(t), mode=PY)()
    loss = theano.function([], masked(T.clip(t, 0, 3)), mode=PY)()
    assert_close(loss, CATEGORICAL[0].reference(p[[0, 2]], t[[0, 2]]).value.mean(), 'float32')


@pytest.mark.parametrize('mode', ['unoptimized', 'FAST_COMPILE'])
@indexed
def test_constant_index_out_of_range(case, mode):
    """A rewrite that evaluates constants must not lose the error, wherever it is raised."""
    with pytest.raises(IndexError):
        theano.function([], case(np.eye(3) * 0.5, np.array([0, 1, 3])), mode=MODES[mode])()


# Shapes --------------------------------------------------------------------------------------------------------------------------

ACCURACIES = [Case('binary_accuracy', (), 'probabilities'), Case('categorical_accuracy', (('top_k', 2),), 'scores')]


@functools.lru_cache(maxsize=None)
def outputs(case, predictions_type, targets_type, axis, mode):
    """A function giving the loss or the accuracy, and one giving the gradient alone: it need not compute the loss, but must look too."""
    p, t = predictions_type('predictions'), targets_type('targets')
    result = case(p, t) if axis is None else case(p, t, axis=axis)
    functions = [theano.function([p, t], result, mode=MODES[mode])]
    if result.dtype != 'bool':
        functions.append(theano.function([p, t], theano.grad(result.sum(), p), mode=MODES[mode]))
    return functions


def dynamic(array):
    """A type that knows the number of axes only."""
    return T.TensorType(array.dtype.name, [False] * array.ndim)


def assert_shapes_refused(case, p, t, types=None, axis=None, mode='unoptimized'):
    for function in outputs(case, *(types or (dynamic(p), dynamic(t))), axis, mode):
        with pytest.raises(ValueError):
            function(p, t)


@pytest.mark.parametrize('mode', ['unoptimized', 'FAST_COMPILE'])
@pytest.mark.parametrize('shapes', [((4,), (5,)), ((4, 3), (4, 2)), ((4, 3), (5, 3)), ((4, 1), (4,)), ((4, 3), (4,))], ids=str)
@pytest.mark.parametrize('case', ELEMENTWISE + ACCURACIES[:1], ids=str)
def test_elementwise_shapes_that_do_not_fit(case, shapes, mode):
    """Among them a column whose length 1 nobody promised: it is refused, not repeated n x n times."""
    assert_shapes_refused(case, sample_predictions(case.kind, shapes[0], 'float32'), sample_targets(shapes[1], 'float32'), mode=mode)


@pytest.mark.parametrize('mode', ['unoptimized', 'FAST_COMPILE'])
@pytest.mark.parametrize(
    'shapes',
    [
        ((4, 3), (4, 2)),
        ((4, 3), (5, 3)),
        ((4, 3), (1, 3)),
        ((4, 3), (4, 1)),
        ((1, 3), (4, 3)),
        ((4, 1), (4, 3)),
        ((4, 3), (0, 3)),
        ((3,), (4,)),
        ((3,), (1,)),
    ],
    ids=str,
)
@pytest.mark.parametrize('case', INDEXED + ACCURACIES[1:], ids=str)
def test_dense_targets_that_do_not_fit(case, shapes, mode):
    assert_shapes_refused(case, sample_predictions(case.kind, shapes[0], 'float32'), sample_targets(shapes[1], 'float32'), mode=mode)


@pytest.mark.parametrize('mode', ['unoptimized', 'FAST_COMPILE'])
@pytest.mark.parametrize(
    'shapes', [((4, 3), (3,)), ((4, 3), (1,)), ((1, 3), (4,)), ((4, 3), (0,)), ((0, 3), (1,)), ((2, 3, 4), (2, 4))], ids=str
)
@pytest.mark.parametrize('case', INDEXED + ACCURACIES[1:], ids=str)
def test_class_indices_that_do_not_fit(case, shapes, mode):
    p, t = sample_predictions(case.kind, shapes[0], 'float32'), np.zeros(shapes[1], 'int32')
    assert_shapes_refused(case, p, t, mode=mode)


@pytest.mark.parametrize('case', INDEXED + ACCURACIES[1:], ids=str)
def test_a_single_row_known_as_such_is_not_repeated(case):
    """A static length of 1 is Theano's leave to broadcast, and not ours."""
    p, t = sample_predictions(case.kind, (4, 3), 'float32'), sample_targets((1, 3), 'float32')
    assert_shapes_refused(case, p, t, (dynamic(p), tensor_type(t)))
    assert_shapes_refused(case, p[:1], np.repeat(t, 4, 0), (tensor_type(p[:1]), dynamic(t)))
    one, four = np.zeros(1, 'int32'), np.zeros(4, 'int32')
    assert_shapes_refused(case, p, one, (dynamic(p), tensor_type(one)))
    assert_shapes_refused(case, p[:1], four, (tensor_type(p[:1]), dynamic(four)))
    for types in (dynamic(p), tensor_type(t)), (tensor_type(p[:1]), dynamic(t)):
        assert outputs(case, *types, None, 'unoptimized')[0](p[:1], t).shape == (1,)


@pytest.mark.parametrize('case', INDEXED + ACCURACIES[1:], ids=str)
def test_shapes_that_do_not_fit_around_another_class_axis(case):
    p = sample_predictions(case.kind, (2, 3, 4, 5), 'float32')
    for shape in (2, 3, 4, 1), (2, 3, 1, 5), (2, 2, 4, 5), (1, 3, 4, 5):
        assert_shapes_refused(case, p, sample_targets(shape, 'float32'), axis=1)
    for shape in (2, 5, 4), (2, 4, 1), (1, 4, 5):
        assert_shapes_refused(case, p, np.zeros(shape, 'int32'), axis=1)


@pytest.mark.parametrize('case', [ELEMENTWISE[0], INDEXED[0]], ids=str)
def test_shapes_that_do_not_fit_in_fast_run(case):
    p = sample_predictions(case.kind, (4, 3), 'float32')
    for shape in (4, 1), (1, 3), (5, 3):
        assert_shapes_refused(case, p, sample_targets(shape, 'float32'), mode='FAST_RUN')


@pytest.mark.parametrize('case', ELEMENTWISE, ids=str)
def test_shapes_that_do_not_fit_in_one_sweep_in_python(case):
    """Value and gradient together, where no C is compiled."""
    p, t = T.fmatrix('p'), T.fvector('t')
    loss = case(p, t).sum()
    function = theano.function([p, t], [loss, theano.grad(loss, p)], mode=REWRITTEN)
    with pytest.raises(ValueError):
        function(np.full((3, 1), 0.5, 'float32'), np.ones(3, 'float32'))


@pytest.mark.parametrize('shapes', [((4,), (5,)), ((4, 3), (4,)), ((4, 3), (3, 3)), ((4, 1), (4,))], ids=str)
@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
def test_weights_that_do_not_fit(mode, shapes):
    loss, weights = [T.TensorType('float32', [False] * len(shape))() for shape in shapes]
    function = theano.function([loss, weights], objectives.aggregate(loss, weights, mode), mode=PY)
    with pytest.raises(ValueError):
        function(*[np.ones(shape, 'float32') for shape in shapes])
