"""Values, gradients and dtypes of the nine functions on ordinary numbers, against the NumPy reference and ``verify_grad``."""

import functools
import inspect
import warnings

import lasagne_objectives as objectives
import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.compile.nanguardmode import NanGuardMode
from theano.configparser import change_flags

import reference
from cases import (
    CATEGORICAL,
    CLASS_LAYOUTS,
    DISCRETE,
    ELEMENTWISE,
    FLOATS,
    FORMULAS,
    LAYOUTS,
    MODES,
    PY,
    assert_close,
    check,
    compiled,
    evaluate,
    layout_id,
    random,
    sample_classes,
    sample_predictions,
    sample_targets,
    sample_upstream,
    tensor_type,
)

# What runs here is measured by other tests; to measure it again takes half as long as to run it.
pytestmark = pytest.mark.no_cover

LOSSES = ELEMENTWISE + CATEGORICAL
NAN, INF = np.nan, np.inf

every_dtype = pytest.mark.parametrize('dtype', FLOATS)
every_mode = pytest.mark.parametrize('mode', MODES.values(), ids=list(MODES))
elementwise = pytest.mark.parametrize('case', ELEMENTWISE, ids=str)
categorical = pytest.mark.parametrize('case', CATEGORICAL, ids=str)


# The reference itself ------------------------------------------------------------------------------------------------------------


def derivative(function, x):
    """dΣfunction/dx by central differences, good to about eps^(2/3)."""
    result, step = np.zeros_like(x), 2.0**-17
    for index in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        result[index] = (function(ahead).sum() - function(behind).sum()) / (2 * step)
    return result


def off_the_kinks(array):
    """Grid data meets the kinks, where central differences of a hinge give the contract's one half; argmax ties they cannot see."""
    return array + np.linspace(0.001, 0.002, array.size).reshape(array.shape)


@pytest.mark.parametrize('case', LOSSES, ids=str)
def test_reference_gradients_are_those_of_its_values(case):
    p = off_the_kinks(sample_predictions(case.kind, (4, 3), 'float64'))
    t = sample_targets((4, 3), 'float64')
    loss = case.reference(p, t)
    np.testing.assert_allclose(derivative(lambda p: case.reference(p, t).value, p), loss.predictions, atol=1e-8)
    if loss.targets is not None:
        np.testing.assert_allclose(derivative(lambda t: case.reference(p, t).value, t), loss.targets, atol=1e-8)


@categorical
def test_reference_takes_an_index_for_its_one_hot_row(case):
    p, classes = sample_predictions(case.kind, (2, 4, 3), 'float64'), sample_classes((2, 4, 3), 1)
    rows = np.moveaxis(reference.one_hot(classes, 4), -1, 1)
    for index, row in zip(case.reference(p, classes, axis=1)[:2], case.reference(p, rows, axis=1)[:2]):
        np.testing.assert_array_equal(index, row)


# Values and gradients ------------------------------------------------------------------------------------------------------------

FLOAT32 = [pytest.param(case, 'float32', id='{}-float32'.format(case)) for case in LOSSES]
OTHERS = [pytest.param(case, dtype, id='{}-{}'.format(case, dtype)) for case in FORMULAS for dtype in ('float16', 'float64')]


def cases_and_dtypes(cases):
    """float32 of every case, the other dtypes of every formula."""
    return pytest.mark.parametrize('case, dtype', [param for param in FLOAT32 + OTHERS if param.values[0] in cases])


@pytest.mark.parametrize('layout', LAYOUTS, ids=layout_id)
@cases_and_dtypes(ELEMENTWISE)
def test_elementwise_loss_in_every_layout(case, layout, dtype):
    predictions, targets, aligned = layout
    p, t = sample_predictions(case.kind, predictions, dtype), sample_targets(targets, dtype)
    check(case, p, t, t.reshape(aligned))


@pytest.mark.parametrize('layout', CLASS_LAYOUTS, ids=layout_id)
@cases_and_dtypes(CATEGORICAL)
def test_categorical_loss_of_class_indices(case, layout, dtype):
    shape, axis = layout
    check(case, sample_predictions(case.kind, shape, dtype), sample_classes(shape, axis), axis=axis)


@pytest.mark.parametrize('layout', CLASS_LAYOUTS, ids=layout_id)
@cases_and_dtypes(CATEGORICAL)
def test_categorical_loss_of_dense_targets(case, layout, dtype):
    shape, axis = layout
    check(case, sample_predictions(case.kind, shape, dtype), sample_targets(shape, dtype), axis=axis)


@pytest.mark.parametrize('target_dtype', DISCRETE + FLOATS)
@cases_and_dtypes(ELEMENTWISE)
def test_elementwise_loss_of_targets_of_every_dtype(case, target_dtype, dtype):
    check(case, sample_predictions(case.kind, (4, 3), dtype), sample_targets((4, 3), target_dtype))


@pytest.mark.parametrize('target_dtype', DISCRETE + FLOATS)
@cases_and_dtypes(CATEGORICAL)
def test_categorical_loss_of_dense_targets_of_every_dtype(case, target_dtype, dtype):
    check(case, sample_predictions(case.kind, (4, 3), dtype), sample_targets((4, 3), target_dtype))


@pytest.mark.parametrize('target_dtype', DISCRETE)
@cases_and_dtypes(CATEGORICAL)
def test_categorical_loss_of_class_indices_of_every_dtype(case, target_dtype, dtype):
    check(case, sample_predictions(case.kind, (6, 2), dtype), sample_classes((6, 2), -1, target_dtype))


@pytest.mark.parametrize('target_dtype', ['int8', 'uint8'])
@categorical
def test_class_indices_do_not_overflow_their_dtype(case, target_dtype):
    """300 classes are more than 8 bits count, and so is the place of a class within the flattened predictions."""
    p = sample_predictions(case.kind, (5, 300), 'float32')
    check(case, p, np.array([0, 1, 99, 126, 127], target_dtype))


@every_mode
@cases_and_dtypes(ELEMENTWISE)
def test_elementwise_loss_in_every_mode(case, mode, dtype):
    p, t = sample_predictions(case.kind, (5, 1), dtype), sample_targets((5,), dtype)
    check(case, p, t, t[:, np.newaxis], mode=mode)


@every_mode
@cases_and_dtypes(CATEGORICAL)
def test_categorical_loss_in_every_mode(case, mode, dtype):
    p = sample_predictions(case.kind, (2, 3, 4), dtype)
    check(case, p, sample_classes((2, 3, 4), 1), axis=1, mode=mode)
    check(case, p, sample_targets((2, 3, 4), dtype), axis=1, mode=mode)


# The C compiler takes seconds for each of these, so they are few: the dtype of GPUs, one option of each function.


def assert_denormals_survive():
    """No kernel was linked with start-up code that flushes them to zero for the whole process, as with -ffast-math."""
    assert np.array([2.0**-126], 'float32') / np.float32(4) > 0
    assert np.array([2.0**-1022]) / 4 > 0


@pytest.mark.parametrize('case', [ELEMENTWISE[place] for place in (0, 1, 3, 5)], ids=str)
def test_elementwise_loss_in_fast_run(case):
    check(case, sample_predictions(case.kind, (4, 3), 'float32'), sample_targets((4, 3), 'int32'), mode='FAST_RUN')
    assert_denormals_survive()


@pytest.mark.parametrize('case', CATEGORICAL[:2], ids=str)
def test_categorical_loss_in_fast_run(case):
    """Of dense targets; those of class indices are compared with the reference where FAST_RUN refuses wrong ones."""
    check(case, sample_predictions(case.kind, (4, 3), 'float32'), sample_targets((4, 3), 'float32'), mode='FAST_RUN')
    assert_denormals_survive()


def test_row_of_many_float16_accumulates_in_float32():
    """Added up in float16 this sum would stand still halfway: from 2 on, its terms are less than half an ulp."""
    p, t = np.full((1, 4096), 0.5, 'float16'), np.full((1, 4096), 2.0**-10, 'float16')
    loss = evaluate(objectives.categorical_crossentropy(p, t))
    assert_close(loss, [4 * np.log(2)], 'float16', ulps=1)


# verify_grad ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('shape', [(3, 2), (4, 1)], ids=str)
@elementwise
def test_verify_grad_of_elementwise_loss(case, shape):
    """With respect to both operands; a column of predictions meets a vector of targets."""
    p = off_the_kinks(sample_predictions(case.kind, shape, 'float64'))
    t = np.squeeze(sample_targets(shape, 'float64'))
    theano.gradient.verify_grad(case, [p, t], rng=random(), mode=PY)


@pytest.mark.parametrize('axis', [-1, 0])
@categorical
def test_verify_grad_of_categorical_loss(case, axis):
    p = off_the_kinks(sample_predictions(case.kind, (4, 3), 'float64'))
    classes, rows = sample_classes((4, 3), axis), sample_targets((4, 3), 'float64')
    for targets in classes, rows:
        loss = functools.partial(case, targets=targets, axis=axis)
        theano.gradient.verify_grad(loss, [p], rng=random(), mode=PY)


def test_verify_grad_of_categorical_crossentropy_in_its_targets():
    p, t = sample_predictions('probabilities', (4, 3), 'float64'), sample_targets((4, 3), 'float64')
    theano.gradient.verify_grad(objectives.categorical_crossentropy, [p, t], rng=random(), mode=PY)


@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
def test_verify_grad_of_aggregate(mode):
    loss, weights = random().rand(4, 3), random(1).rand(4, 3)
    theano.gradient.verify_grad(lambda loss, weights: objectives.aggregate(loss, weights, mode), [loss, weights], rng=random(), mode=PY)


# Dtypes --------------------------------------------------------------------------------------------------------------------------


def expected_dtype(*operands):
    """Floats combine as usual, everything else follows them; without a float it is floatX."""
    kept = [dtype for dtype in operands if dtype in FLOATS]
    return np.result_type(*kept).name if kept else theano.config.floatX


def assert_dtypes(loss, predictions, dtype):
    """Of a loss, of its aggregate, and of the gradient of both sums of it: the widest of them would show."""
    total = objectives.aggregate(loss)
    assert (loss.dtype, total.dtype) == (dtype, dtype)
    if predictions.dtype == dtype:
        assert theano.grad(loss.sum() + total, predictions).dtype == dtype


@every_dtype
@pytest.mark.parametrize('case', LOSSES, ids=str)
def test_dtype_of_value_and_gradient(case, dtype):
    p = T.matrix('predictions', dtype)
    for targets in FLOATS + DISCRETE:
        assert_dtypes(case(p, T.matrix('targets', targets)), p, expected_dtype(dtype, targets))


@pytest.mark.parametrize('floatX', ['float32', 'float64'])
@pytest.mark.parametrize('dtype', ['bool', 'int64', 'uint8'])
@pytest.mark.parametrize('case', FORMULAS, ids=str)
def test_dtype_of_discrete_predictions(case, dtype, floatX):
    with change_flags(floatX=floatX):
        p = T.matrix('predictions', dtype)
        for targets in FLOATS + DISCRETE:
            assert case(p, T.matrix('targets', targets)).dtype == expected_dtype(targets)


@pytest.mark.parametrize('predictions', FLOATS + ['bool', 'int64', 'uint8'])
@categorical
def test_class_indices_leave_the_dtype_alone(case, predictions):
    p = T.tensor3('predictions', predictions)
    for targets in DISCRETE:
        assert_dtypes(case(p, T.matrix('targets', targets)), p, expected_dtype(predictions))


@pytest.mark.parametrize('floatX', ['float32', 'float64'])
@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
@pytest.mark.parametrize('loss', FLOATS + DISCRETE)
def test_dtype_of_aggregate(loss, mode, floatX):
    with change_flags(floatX=floatX):
        variable = T.vector('loss', loss)
        for weights in FLOATS + DISCRETE:
            total = objectives.aggregate(variable, T.vector('weights', weights), mode)
            assert (total.dtype, total.ndim) == (expected_dtype(loss, weights), 0)
        if mode != 'normalized_sum':
            assert objectives.aggregate(variable, mode=mode).dtype == expected_dtype(loss)


@every_dtype
@pytest.mark.parametrize('weights', DISCRETE)
def test_weights_do_not_widen_the_gradient(weights, dtype):
    p = T.vector('predictions', dtype)
    loss = objectives.squared_error(p, 0)
    for mode in 'mean', 'sum', 'normalized_sum':
        assert theano.grad(objectives.aggregate(loss, T.vector('weights', weights), mode), p).dtype == dtype


@pytest.mark.parametrize('predictions', FLOATS + DISCRETE)
def test_accuracies_are_bool(predictions):
    p = T.matrix('predictions', predictions)
    for targets in FLOATS + DISCRETE:
        assert objectives.binary_accuracy(p, T.matrix('targets', targets)).dtype == 'bool'
        assert objectives.categorical_accuracy(p, T.matrix('targets', targets)).dtype == 'bool'
    for targets in DISCRETE:
        assert objectives.categorical_accuracy(p, T.vector('targets', targets), top_k=2).dtype == 'bool'


NUMBERS = [2, 2**70, 0.1, True, np.float64(0.1), np.float32(0.1), np.int64(2), np.array(0.1), np.array(2, 'int64'), np.array(True)]
number = pytest.mark.parametrize('number', NUMBERS, ids=lambda number: '{}_{}'.format(type(number).__name__, number))


@every_dtype
@number
@pytest.mark.parametrize('case', [case for case in FORMULAS if case in ELEMENTWISE], ids=str)
def test_number_takes_the_dtype_of_the_other_operand(case, number, dtype):
    variable = T.vector('variable', dtype)
    assert_dtypes(case(variable, number), variable, dtype)
    assert case(number, variable).dtype == dtype


@pytest.mark.parametrize('floatX', ['float32', 'float64'])
@elementwise
def test_numbers_alone_are_floatx(case, floatX):
    with change_flags(floatX=floatX):
        for p in 0.5, np.float16(0.5), np.array(0.5):
            for t in 1, 1.0, True, np.float64(1), np.array(1, 'uint8'):
                assert case(p, t).dtype == floatX
        for dtype in DISCRETE:
            assert case(T.vector('predictions', dtype), 0.5).dtype == floatX


@pytest.mark.parametrize('floatX', ['float32', 'float64'])
@number
def test_number_of_weights_takes_the_dtype_of_the_loss(number, floatX):
    with change_flags(floatX=floatX):
        for mode in 'mean', 'sum', 'normalized_sum':
            for dtype in FLOATS + DISCRETE:
                assert objectives.aggregate(T.vector('loss', dtype), number, mode).dtype == expected_dtype(dtype)


DELTAS = [
    1,
    1.5,
    np.float64(1.5),
    np.float32(1),
    np.int64(1),
    np.array(1.5),
    np.array(1),
    T.dscalar('delta'),
    T.fscalar('delta'),
    T.lscalar('delta'),
    T.scalar('delta', 'uint8'),
    theano.shared(1.5),
    theano.shared(2),
]
WITH_DELTA = [case for case in LOSSES if case.name in ('binary_hinge_loss', 'multiclass_hinge_loss', 'huber_loss')]


@pytest.mark.parametrize('dtype', ['float16', 'float32'])
@pytest.mark.parametrize('delta', DELTAS, ids=lambda delta: '{}_{}'.format(type(delta).__name__, delta))
@pytest.mark.parametrize('case', [case for case in FORMULAS if case in WITH_DELTA], ids=str)
def test_delta_never_widens(case, delta, dtype):
    p = T.matrix('predictions', dtype)
    assert_dtypes(case(p, T.imatrix('targets'), delta=delta), p, dtype)


@every_dtype
def test_threshold_is_compared_in_the_dtype_of_the_predictions(dtype):
    """0.1 is no float16 or float32: were it compared in float64, a prediction of 0.1 would be on one side or the other by chance."""
    p = np.array([0.1, 0.9], dtype)
    for threshold in 0.1, np.float64(0.1), np.array(0.1):
        np.testing.assert_array_equal(evaluate(objectives.binary_accuracy(p, np.array([1, 1]), threshold)), [True, True])


# Operands ------------------------------------------------------------------------------------------------------------------------

OPERANDS = {
    'array': np.array,
    'list': np.ndarray.tolist,
    'shared': theano.shared,
    'constant': T.constant,
    'expression': lambda array: T.as_tensor_variable(array) * 1,
}


@pytest.mark.parametrize('wrap_targets', OPERANDS.values(), ids=list(OPERANDS))
@pytest.mark.parametrize('wrap_predictions', OPERANDS.values(), ids=list(OPERANDS))
@pytest.mark.parametrize('case', [ELEMENTWISE[0], CATEGORICAL[0], CATEGORICAL[1]], ids=str)
def test_anything_that_becomes_a_tensor_is_an_operand(case, wrap_predictions, wrap_targets):
    p, t = sample_predictions(case.kind, (4, 3), 'float64'), sample_targets((4, 3), 'float64')
    loss = evaluate(case(wrap_predictions(p), wrap_targets(t)))
    np.testing.assert_allclose(loss, case.reference(p, t).value, rtol=1e-14)


@elementwise
def test_python_numbers_are_operands(case):
    assert_close(evaluate(case(0.75, 1)), case.reference(0.75, 1).value, theano.config.floatX)
    p = sample_predictions(case.kind, (5, 1), 'float32')
    for target in 1, 0, 0.5:
        assert_close(evaluate(case(p, target)), case.reference(p, target).value, 'float32')


@categorical
def test_python_number_is_the_class_of_a_single_data_point(case):
    p = sample_predictions(case.kind, (5,), 'float32')
    assert_close(evaluate(case(p, 3)), case.reference(p, 3).value, 'float32')
    assert evaluate(objectives.categorical_accuracy(p, int(p.argmax()))) == 1


def test_column_of_constants_meets_a_vector():
    """An array's shape is static: its column meets a vector of labels as a network's does."""
    p, t = sample_predictions('scores', (5, 1), 'float32'), sample_targets((5,), 'int64')
    assert_close(evaluate(objectives.squared_error(p, t)), (p - t[:, np.newaxis]) ** 2, 'float32')
    assert_close(evaluate(objectives.squared_error(p[:, 0], t[:, np.newaxis])), (p[:, 0] - t) ** 2, 'float32')


def test_aggregate_and_accuracies_take_arrays_and_numbers():
    loss, weights = np.array([1.0, 2.0, 4.0]), [1, 0, 3]
    assert evaluate(objectives.aggregate(loss, weights, 'normalized_sum')) == 3.25
    assert evaluate(objectives.aggregate(loss.tolist(), 2, 'sum')) == 14
    assert evaluate(objectives.aggregate(theano.shared(loss), theano.shared(np.array(weights)), 'mean')) == 13 / 3.0
    assert evaluate(objectives.aggregate(3.5)) == 3.5
    assert evaluate(objectives.binary_accuracy(0.75, 1)) == 1
    np.testing.assert_array_equal(evaluate(objectives.binary_accuracy([0.25, 0.75], 1)), [False, True])
    np.testing.assert_array_equal(evaluate(objectives.categorical_accuracy([[0.25, 0.75], [0.5, 0.5]], [1, 0])), [True, True])


@pytest.mark.parametrize('dtype', DISCRETE)
@pytest.mark.parametrize('case', ELEMENTWISE[1:3] + ELEMENTWISE[4:] + CATEGORICAL[1:], ids=str)
def test_integers_do_not_wrap(case, dtype):
    """uint8 knows no 3 - 5, int8 no 100 + 100, bool no minus: the differences are those of floats."""
    low, high = (0, 1) if dtype == 'bool' else (3, 5) if dtype.startswith('u') else (-100, 100)
    p, t = np.array([[low, high], [high, low]], dtype), np.array([[high, low], [high, low]], dtype)
    assert_close(evaluate(case(p, t)), case.reference(p, t).value, theano.config.floatX)


@pytest.mark.parametrize('case', WITH_DELTA, ids=str)
def test_symbolic_delta(case):
    p, t = sample_predictions(case.kind, (4, 3), 'float32'), sample_targets((4, 3), 'int32')
    delta = T.dscalar('delta')
    loss = evaluate(case(p, t, delta=delta), {delta: 0.75})
    assert_close(loss, case.reference(p, t, delta=0.75).value, 'float32')


@pytest.mark.parametrize('case', [case for case in WITH_DELTA if case in ELEMENTWISE], ids=str)
def test_delta_broadcasts_against_the_predictions(case):
    p, t = sample_predictions(case.kind, (4, 3), 'float32'), sample_targets((4, 3), 'int32')
    for array in np.array([0.25, 0.5, 2]), np.array([[0.25], [0.5], [1], [2]]), random().rand(4, 3), np.array([1, 2, 3]):
        delta = tensor_type(array)('delta')
        expected = case.reference(p, t, delta=array.astype('float32'))
        assert_close(evaluate(case(p, t, delta=delta), {delta: array}), expected.value, 'float32')


@pytest.mark.parametrize('case', [case for case in WITH_DELTA if case in ELEMENTWISE], ids=str)
def test_a_vector_of_deltas_meets_a_column_of_predictions(case):
    p, t, delta = sample_predictions(case.kind, (4, 1), 'float32'), sample_targets((4,), 'int32'), np.array([0.25, 0.5, 1, 2], 'float32')
    expected = case.reference(p, t[:, None], delta=delta[:, None])
    assert_close(evaluate(case(T.addbroadcast(theano.shared(p), 1), t, delta=theano.shared(delta))), expected.value, 'float32')


def test_a_vector_of_thresholds_meets_a_column_of_predictions():
    right = objectives.binary_accuracy(T.constant([[0.5], [0.5]]), 1, theano.shared(np.array([0.25, 0.75])))
    assert evaluate(right).tolist() == [[True], [False]]


def test_large_integer_number_stays_exact_in_a_small_dtype():
    """300 is no uint8, and -1 no unsigned integer at all."""
    small = T.vector('small', 'uint8')
    result = evaluate(objectives.squared_error(small, 300) + objectives.squared_error(-1, small), {small: np.array([0, 255], 'uint8')})
    np.testing.assert_array_equal(result, [90001, 45**2 + 256**2])


@pytest.mark.parametrize('case', ELEMENTWISE + CATEGORICAL, ids=str)
def test_theanos_guard_against_nan_has_nothing_to_say(case):
    """Not even of a constant that nothing reads on healthy numbers."""
    p, t = T.fmatrix('p'), T.fmatrix('t')
    loss = case(p, t)
    mode = NanGuardMode(nan_is_error=True, inf_is_error=True, big_is_error=True)
    guarded = theano.function([p, t], [loss, theano.grad(loss.sum(), p)], mode=mode)
    values = sample_predictions(case.kind, (4, 3), 'float32'), np.eye(3, dtype='float32')[[0, 2, 1, 1]]
    assert_close(guarded(*values)[0], case.reference(*values).value, 'float32')


def test_integer_number_beyond_64_bits():
    result = objectives.squared_error(np.array([0, 2.0**63]), 2**63 + 2**70).eval()
    np.testing.assert_array_equal(result, [129**2 * 2.0**126, 2.0**140])


# aggregate -----------------------------------------------------------------------------------------------------------------------

# Shapes of the loss, of the weights, and of the weights once they are aligned with the loss
WEIGHTS = [
    ((5,), (5,), (5,)),
    ((4, 3), (4, 3), (4, 3)),
    ((5, 1), (5,), (5, 1)),
    ((5,), (5, 1), (5,)),
    ((3, 4, 1), (3, 4), (3, 4, 1)),
    ((3, 1, 2, 2), (3, 2, 2), (3, 1, 2, 2)),
    ((3, 2, 2), (3, 1, 2, 2), (3, 2, 2)),
    ((4, 3), (3,), (3,)),
    ((4, 3), (4, 1), (4, 1)),
    ((4, 3), (), ()),
    ((5,), (1,), (1,)),
    ((), (), ()),
    ((), (1,), ()),
    ((2, 3, 2), (2,), (2,)),
]


@every_dtype
@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
@pytest.mark.parametrize('layout', WEIGHTS, ids=layout_id)
def test_aggregate_of_weighted_loss(layout, mode, dtype):
    loss, floats = abs(sample_predictions('scores', layout[0], dtype)), (1 + sample_targets(layout[1], dtype)).astype(dtype)
    for weights in floats, floats.astype('uint8'):
        inputs = tensor_type(loss)('loss'), tensor_type(weights)('weights')
        total = objectives.aggregate(inputs[0], inputs[1], mode)
        total, gradient = evaluate([total, theano.grad(total, inputs[0])], dict(zip(inputs, [loss, weights])))
        aligned = weights.reshape(layout[2])
        assert_close(total, reference.aggregate(loss, aligned, mode), dtype)
        assert_close(gradient, reference.share(loss.shape, aligned, mode), dtype)


@every_dtype
@pytest.mark.parametrize('mode', ['mean', 'sum'])
@pytest.mark.parametrize('shape', [(), (5,), (4, 3), (2, 3, 2)], ids=str)
def test_aggregate_without_weights(shape, mode, dtype):
    loss = sample_predictions('scores', shape, dtype)
    variable = tensor_type(loss)('loss')
    assert_close(evaluate(objectives.aggregate(variable, mode=mode), {variable: loss}), reference.aggregate(loss, mode=mode), dtype)


@pytest.mark.parametrize('dtype', ['bool', 'int8', 'uint8', 'int64'])
def test_aggregate_of_an_accuracy(dtype):
    loss, weights = np.array([1, 0, 1, 1], dtype), np.array([3, 100, 100, 100], 'uint8')
    assert evaluate(objectives.aggregate(loss)) == 0.75
    assert evaluate(objectives.aggregate(loss, mode='sum')) == 3
    assert_close(evaluate(objectives.aggregate(loss, weights, 'normalized_sum')), 203 / 303.0, theano.config.floatX)
    assert_close(evaluate(objectives.aggregate(loss, weights.astype('float32'))), 203 / 4.0, 'float32')


def test_sum_of_weights_is_taken_as_given():
    """A weight per class serves every row; the rows do not count into the sum of the weights. That is how Lasagne has it."""
    loss, weights = np.ones((4, 3)), np.array([1.0, 2.0, 5.0])
    assert evaluate(objectives.aggregate(loss, weights, 'normalized_sum')) == 4


def test_no_weight_at_all_is_nan():
    assert np.isnan(evaluate(objectives.aggregate(np.ones(3), np.zeros(3), 'normalized_sum')))


# Hinges --------------------------------------------------------------------------------------------------------------------------


def gradient_of(function, predictions, targets, mode=PY):
    """Value and gradient of a loss's sum in float64."""
    predictions = np.asarray(predictions, 'float64')
    variable = T.TensorType('float64', [False] * predictions.ndim)('predictions')
    loss = function(variable, targets)
    return evaluate([loss, theano.grad(loss.sum(), variable)], {variable: predictions}, mode)


@every_mode
def test_binary_hinge_at_and_far_below_its_kink(mode):
    def hinge(p, t):
        return objectives.binary_hinge_loss(p, t, log_odds=True)

    loss, gradient = gradient_of(hinge, [1, -1, INF, -INF, 1e308, -1e308, INF, -INF], [1, 0, 1, 0, 1, 0, 0, 1], mode)
    np.testing.assert_array_equal(loss, [0, 0, 0, 0, 0, 0, INF, INF])
    np.testing.assert_array_equal(gradient, [-0.5, 0.5, 0, 0, 0, 0, 1, -1])


@every_mode
def test_binary_hinge_of_huge_scores_does_not_overflow(mode):
    loss, gradient = gradient_of(lambda p, t: objectives.binary_hinge_loss(p, t, log_odds=True), [1.5e308, -1.5e308], [0, 1], mode)
    np.testing.assert_array_equal(loss, [1.5e308, 1.5e308])
    np.testing.assert_array_equal(gradient, [1, -1])


@every_mode
def test_multiclass_hinge_at_and_far_below_its_kink(mode):
    scores = [[2, 1, 0], [INF, 1, 0], [1, -INF, -INF], [1, 5, 0]]
    loss, gradient = gradient_of(objectives.multiclass_hinge_loss, scores, [0, 0, 0, 0], mode)
    np.testing.assert_array_equal(loss, [0, 0, 0, 5])
    np.testing.assert_array_equal(gradient, [[-0.5, 0.5, 0], [0, 0, 0], [0, 0, 0], [-1, 1, 0]])


@every_mode
def test_multiclass_hinge_of_a_masked_class(mode):
    loss, gradient = gradient_of(objectives.multiclass_hinge_loss, [[1, 1.5, -INF], [-INF, 0, 1]], [0, 2], mode)
    np.testing.assert_array_equal(loss, [1.5, 0])
    np.testing.assert_array_equal(gradient, [[-1, 1, 0], [0, 0.5, -0.5]])


@every_mode
def test_lowest_of_tied_wrong_classes_takes_the_whole_gradient(mode):
    scores = [[3, 3, 3, 3], [3, 3, 3, 3], [1, 3, 2, 3], [0, 4, 5, 4]]
    _, gradient = gradient_of(objectives.multiclass_hinge_loss, scores, [0, 2, 0, 2], mode)
    np.testing.assert_array_equal(gradient, [[-1, 1, 0, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0.5, -0.5, 0]])


def test_lowest_of_tied_target_classes_is_the_target():
    loss, gradient = gradient_of(objectives.multiclass_hinge_loss, [[0, 1, 2]], [[0.25, 0.5, 0.5]])
    np.testing.assert_array_equal(loss, [2])
    np.testing.assert_array_equal(gradient, [[0, -1, 1]])


@every_mode
@pytest.mark.parametrize('targets', [[0, 0], [[1.0], [1.0]]], ids=['index', 'one-hot'])
def test_multiclass_hinge_with_one_class_costs_nothing(targets, mode):
    variable = T.dcol('predictions')
    loss = objectives.multiclass_hinge_loss(variable, np.array(targets))
    loss, gradient = evaluate([loss, theano.grad(loss.sum(), variable)], {variable: [[7.0], [-7.0]]}, mode)
    np.testing.assert_array_equal(loss, [0, 0])
    np.testing.assert_array_equal(gradient, [[0], [0]])


def test_one_class_known_only_at_run_time():
    loss, gradient = gradient_of(objectives.multiclass_hinge_loss, [[7], [-7]], np.array([0, 0]))
    np.testing.assert_array_equal(loss, [0, 0])
    np.testing.assert_array_equal(gradient, [[0], [0]])
    loss, gradient = gradient_of(objectives.categorical_crossentropy, [[0.5], [1]], np.array([0, 0]))
    np.testing.assert_allclose(loss, [np.log(2), 0], rtol=1e-15)
    np.testing.assert_array_equal(gradient, [[-2], [-1]])


# The warning of log_odds ---------------------------------------------------------------------------------------------------------


def test_default_log_odds_warns_at_the_callers_line():
    p, t = T.vector('p'), T.vector('t')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        line = inspect.currentframe().f_lineno + 1
        loss = objectives.binary_hinge_loss(p, t)
        explicit = objectives.binary_hinge_loss(p, t, log_odds=True)
        objectives.binary_hinge_loss(p, t, log_odds=False)
    assert [(warning.category, warning.filename, warning.lineno) for warning in caught] == [(FutureWarning, __file__, line)]
    assert 'log_odds' in str(caught[0].message) and 'False' in str(caught[0].message)
    assert theano.gof.graph.is_same_graph(loss, explicit)


def test_explicit_log_odds_of_none_warns_too():
    with pytest.warns(FutureWarning, match='log_odds') as caught:
        objectives.binary_hinge_loss(T.vector(), T.vector(), log_odds=None)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize('case', LOSSES, ids=str)
def test_nothing_else_warns(case):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        loss = case(T.fmatrix(), T.imatrix())
        objectives.aggregate(loss, T.ivector(), 'normalized_sum')


# Zero probabilities, NaN, nothing at all -----------------------------------------------------------------------------------------


@every_mode
def test_binary_crossentropy_of_certain_predictions(mode):
    loss, gradient = gradient_of(objectives.binary_crossentropy, [1, 0, 1, 0], np.array([1, 0, 0, 1]), mode)
    np.testing.assert_array_equal(loss, [0, 0, INF, INF])
    np.testing.assert_array_equal(gradient[:2], [-1, 1])
    np.testing.assert_array_equal(gradient[2:], [INF, -INF])


@every_mode
def test_categorical_crossentropy_of_certain_predictions(mode):
    p = [[1, 0, 0], [0, 0.5, 0.5], [1, 0, 0]]
    loss, gradient = gradient_of(objectives.categorical_crossentropy, p, np.array([[1.0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]]), mode)
    np.testing.assert_allclose(loss, [0, np.log(2), INF], rtol=1e-15)
    np.testing.assert_array_equal(gradient, [[-1, 0, 0], [0, -1, -1], [-0.5, -INF, 0]])
    loss, gradient = gradient_of(objectives.categorical_crossentropy, p, np.array([0, 1, 1]), mode)
    np.testing.assert_allclose(loss, [0, np.log(2), INF], rtol=1e-15)
    np.testing.assert_array_equal(gradient, [[-1, 0, 0], [0, -2, 0], [0, -INF, 0]])


def run(case, p, t, mode):
    """The losses of a batch."""
    return compiled(case, tensor_type(p), tensor_type(t), None, False, mode)(p, t, sample_upstream(t.shape[:1], p.dtype))[0]


@every_mode
@cases_and_dtypes(ELEMENTWISE)
def test_nan_stays_in_its_element(case, mode, dtype):
    p, t = sample_predictions(case.kind, (5,), dtype), np.array([0, 1, 0, 1, 0], dtype)
    clean = case.reference(p, t).value
    p[0] = p[1] = t[2] = NAN
    loss = run(case, p, t, mode)
    np.testing.assert_array_equal(np.isnan(loss), [True, True, True, False, False])
    assert_close(loss[3:], clean[3:], dtype)


@every_mode
@cases_and_dtypes(CATEGORICAL)
def test_nan_stays_in_its_row_of_dense_targets(case, mode, dtype):
    """Also where its weight is zero: 0 log 0 is 0, but 0 log NaN is unknown."""
    p, t = sample_predictions(case.kind, (5, 3), dtype), np.eye(3, dtype=dtype)[[0, 1, 2, 0, 1]]
    clean = case.reference(p, t).value
    p[0, 0] = p[1, 2] = t[2, 0] = NAN
    loss = run(case, p, t, mode)
    np.testing.assert_array_equal(np.isnan(loss), [True, True, True, False, False])
    assert_close(loss[3:], clean[3:], dtype)


@every_dtype
@every_mode
def test_nan_beside_an_index_is_not_read_by_the_crossentropy(mode, dtype):
    p = np.array([[0.5, NAN, NAN], [0.5, NAN, 0.5]], dtype)
    loss = run(CATEGORICAL[0], p, np.array([0, 1]), mode)
    assert_close(loss[:1], [np.log(2)], dtype)
    assert np.isnan(loss[1])


@every_dtype
@every_mode
def test_nan_anywhere_in_a_row_is_read_by_the_hinge(mode, dtype):
    p = np.array([[5, NAN, 1], [NAN, 3, 1], [2, 3, 1], [0, 9, NAN]], dtype)
    loss = run(CATEGORICAL[1], p, np.array([0, 0, 0, 0]), mode)
    np.testing.assert_array_equal(loss, np.array([NAN, NAN, 2, NAN], dtype))


@every_mode
@cases_and_dtypes(ELEMENTWISE)
def test_empty_batch_of_an_elementwise_loss(case, mode, dtype):
    check(case, np.zeros((0,), dtype), np.zeros((0,), 'int32'), mode=mode)
    check(case, np.zeros((0, 3), dtype), np.zeros((0, 3), dtype), mode=mode)


@every_mode
@elementwise
def test_empty_batch_of_a_column(case, mode):
    check(case, np.zeros((0, 1), 'float32'), np.zeros((0,), 'int32'), np.zeros((0, 1), 'int32'), mode=mode)


@pytest.mark.parametrize('axis', [1, -2])
@every_mode
@cases_and_dtypes(CATEGORICAL)
def test_empty_batch_of_a_categorical_loss(case, mode, dtype, axis):
    p = np.zeros((0, 3, 2), dtype)
    check(case, p, np.zeros((0, 2), 'int32'), axis=axis, mode=mode)
    check(case, p, np.zeros((0, 3, 2), dtype), axis=axis, mode=mode)


@every_mode
def test_empty_batch_of_the_accuracies(mode):
    p, t = np.zeros((0, 3)), np.zeros((0,), 'int32')
    assert evaluate(objectives.categorical_accuracy(theano.shared(p), theano.shared(t), top_k=2), mode=mode).shape == (0,)
    assert evaluate(objectives.binary_accuracy(theano.shared(p), theano.shared(p)), mode=mode).shape == (0, 3)


@pytest.mark.parametrize('mode', ['mean', 'normalized_sum'])
def test_aggregate_of_an_empty_batch_is_nan(mode):
    empty = theano.shared(np.zeros(0, 'float32'))
    assert np.isnan(evaluate(objectives.aggregate(empty, empty, mode)))
    assert np.isnan(evaluate(objectives.aggregate(T.eq(empty, 0), empty, mode)))


# Accuracies ----------------------------------------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize('layout', LAYOUTS, ids=layout_id)
def test_binary_accuracy_in_every_layout(layout, dtype):
    p, t = sample_predictions('probabilities', layout[0], dtype), sample_targets(layout[1], 'uint8')
    for threshold in 0.5, 0.75:
        inputs = tensor_type(p)('p'), tensor_type(t)('t')
        result = evaluate(objectives.binary_accuracy(inputs[0], inputs[1], threshold), dict(zip(inputs, [p, t])))
        expected = reference.binary_accuracy(p, t.reshape(layout[2]), threshold)
        assert (result.shape, result.dtype) == (expected.shape, 'bool')
        np.testing.assert_array_equal(result, expected)


@every_mode
def test_binary_accuracy_at_the_threshold_of_soft_targets_and_nan(mode):
    p = theano.shared(np.array([0.5, 0.5, 0.75, NAN, NAN, 0.75, 0.25]))
    t = np.array([1, 0, 0.75, 0, 1, NAN, NAN])
    np.testing.assert_array_equal(evaluate(objectives.binary_accuracy(p, t), mode=mode), [True] + 6 * [False])


@pytest.mark.parametrize('dtype', DISCRETE)
def test_binary_accuracy_of_integers_against_a_fraction(dtype):
    """The threshold of one half stays one half."""
    p, t = np.array([0, 1, 0, 1], dtype), np.array([0, 1, 1, 0], dtype)
    np.testing.assert_array_equal(evaluate(objectives.binary_accuracy(p, t)), [True, True, False, False])


def test_binary_accuracy_takes_a_symbolic_threshold():
    p, threshold = T.fvector('p'), T.dscalar('threshold')
    result = evaluate(objectives.binary_accuracy(p, 1, threshold), {p: np.array([0.25, 0.75], 'float32'), threshold: 0.5})
    np.testing.assert_array_equal(result, [False, True])


@pytest.mark.parametrize('dtype', FLOATS + ['int8'])
@pytest.mark.parametrize('layout', CLASS_LAYOUTS, ids=layout_id)
def test_categorical_accuracy_in_every_layout(layout, dtype):
    """Few different scores, so that rows are full of ties."""
    shape, axis = layout
    p = random().randint(0, 3, shape).astype(dtype)
    for t in sample_classes(shape, axis), sample_targets(shape, 'float32'):
        inputs = tensor_type(np.asarray(p))('p'), tensor_type(t)('t')
        ranks = [1, 2, 3, 7]
        results = evaluate([objectives.categorical_accuracy(inputs[0], inputs[1], k, axis) for k in ranks], dict(zip(inputs, [p, t])))
        for k, result in zip(ranks, results):
            expected = reference.categorical_accuracy(p, t, k, axis)
            assert (result.shape, result.dtype) == (expected.shape, 'bool')
            np.testing.assert_array_equal(result, expected)


def accuracy(scores, targets, top_k=1, mode=PY):
    """One answer per class, as the target of the same row of scores."""
    scores, targets = theano.shared(np.array(scores)), theano.shared(np.array(targets))
    return evaluate(objectives.categorical_accuracy(scores, targets, top_k), mode=mode).tolist()


@every_mode
def test_lower_index_ranks_first_among_ties(mode):
    tied, classes = [[2.0, 3.0, 3.0, 3.0]] * 4, [0, 1, 2, 3]
    assert accuracy(tied, classes, 1, mode) == [False, True, False, False]
    assert accuracy(tied, classes, 2, mode) == [False, True, True, False]
    assert accuracy(tied, classes, 3, mode) == [False, True, True, True]
    assert accuracy(tied, classes, 4, mode) == [True, True, True, True]
    assert accuracy([[-INF, 0.0, -INF]] * 3, [0, 1, 2], 2, mode) == [True, True, False]
    assert accuracy([[INF, INF, 0.0]] * 3, [0, 1, 2], 1, mode) == [True, False, False]


@every_mode
@pytest.mark.parametrize('top_k', [1, 2, 3, 9])
def test_row_with_a_nan_is_never_correct(top_k, mode):
    rows = [[NAN, 2.0, 1.0], [3.0, NAN, 1.0], [3.0, 2.0, NAN], [3.0, 2.0, 1.0], [NAN, NAN, NAN]]
    assert accuracy(rows, [0, 0, 0, 0, 0], top_k, mode) == [False, False, False, True, False]
    assert accuracy(rows, np.eye(3)[[0, 0, 0, 0, 0]], top_k, mode) == [False, False, False, True, False]


@every_mode
def test_target_row_with_a_nan_is_never_correct(mode):
    assert accuracy([[3.0, 2.0]] * 3, [[NAN, 1.0], [1.0, NAN], [1.0, 0.0]], 2, mode) == [False, False, True]


@every_mode
@pytest.mark.parametrize('dtype', ['int8', 'int64', 'uint8', 'uint64'])
@pytest.mark.parametrize('top_k', [1, 2, 3, 9])
def test_index_outside_the_classes_is_never_correct(top_k, dtype, mode):
    void = np.array([-1, -2, -3, -128], 'int8').astype(dtype).tolist() + [3, 4, 127, 0]
    assert accuracy([[3.0, 2.0, 1.0]] * 8, np.array(void, dtype), top_k, mode) == 7 * [False] + [True]


@every_mode
def test_classes_in_abundance(mode):
    assert accuracy([[3.0, 2.0, 1.0]] * 3, [0, 1, 2], 3, mode) == accuracy([[3.0, 2.0, 1.0]] * 3, [0, 1, 2], 1000, mode) == [True] * 3
    assert accuracy([[3.0], [-INF], [NAN]], [0, 0, 0], 1, mode) == [True, True, False]


@pytest.mark.parametrize('top_k', [T.iscalar('k'), T.lscalar('k'), T.bscalar('k'), T.scalar('k', 'uint8')], ids=lambda k: k.dtype)
@every_mode
def test_symbolic_top_k(top_k, mode):
    correct = objectives.categorical_accuracy(np.array([[3.0, 2.0, 1.0]] * 3), np.array([0, 1, 2]), top_k)
    function = theano.function([top_k], correct, mode=mode)
    assert [function(k).tolist() for k in (1, 2, 3, 4)] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]


@every_mode
@pytest.mark.parametrize('top_k', [2**63 - 1, 2**63, 2**64 - 1, 10**30], ids=str)
def test_top_k_beyond_any_rank(top_k, mode):
    assert accuracy([[NAN, 0.5], [0.3, 0.4], [0.3, 0.4]], [1, 7, 0], top_k, mode) == [False, False, True]


def test_top_k_of_numpy_and_of_shared_variables():
    for two in np.int64(2), np.uint8(2), np.array(2), theano.shared(2):
        correct = objectives.categorical_accuracy(np.array([[3.0, 2.0, 1.0]] * 3), np.array([0, 1, 2]), two)
        assert evaluate(correct).tolist() == [True, True, False]


def test_many_classes_do_not_overflow_the_count_of_ranks():
    """Of 300 tied classes, 299 rank before the last: more than an int8 counts."""
    assert accuracy([[1.0] * 300] * 2, [299, 255], 256) == [False, True]
    assert accuracy([[1.0] * 300] * 2, [299, 255], 299) == [False, True]
    assert accuracy([[1.0] * 300] * 2, [299, 255], 300) == [True, True]


@every_mode
def test_accuracies_have_zero_gradients(mode):
    p = T.matrix('predictions', 'float32')
    correct = objectives.binary_accuracy(p, np.eye(3)), objectives.categorical_accuracy(p, np.array([0, 1, 2]), 2)
    gradients = [theano.grad(objectives.aggregate(each), p) for each in correct]
    for gradient in evaluate(gradients, {p: sample_predictions('probabilities', (3, 3), 'float32')}, mode):
        np.testing.assert_array_equal(gradient, np.zeros((3, 3), 'float32'))


def test_accuracies_in_fast_run():
    p, t, k = T.fmatrix('predictions'), T.ivector('targets'), T.iscalar('k')
    function = theano.function([p, t, k], objectives.categorical_accuracy(p, t, k), mode='FAST_RUN')
    scores, targets = sample_predictions('scores', (9, 4), 'float32'), np.array([0, 1, 2, 3, 0, 1, 2, -1, 4], 'int32')
    scores[3, 1] = NAN
    for top_k in 1, 2, 4, 9:
        np.testing.assert_array_equal(function(scores, targets, top_k), reference.categorical_accuracy(scores, targets, top_k))
