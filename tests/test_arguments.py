"""What goes in: names and signatures, the calls of old scripts, and what bad input is told."""

import inspect
import pickle
import re

import lasagne_objectives
import numpy as np
import pytest
import scipy.sparse
import theano
import theano.sparse
import theano.tensor as T
from theano.gof.graph import is_same_graph

from cases import evaluate
from lasagne_objectives import objectives

SIGNATURES = {
    'binary_crossentropy': '(predictions, targets)',
    'categorical_crossentropy': '(predictions, targets, axis=-1)',
    'squared_error': '(a, b)',
    'binary_hinge_loss': '(predictions, targets, delta=1, log_odds=None, binary=True)',
    'multiclass_hinge_loss': '(predictions, targets, delta=1, axis=-1)',
    'huber_loss': '(predictions, targets, delta=1)',
    'aggregate': "(loss, weights=None, mode='mean')",
    'binary_accuracy': '(predictions, targets, threshold=0.5)',
    'categorical_accuracy': '(predictions, targets, top_k=1, axis=-1)',
}

# Options without which a call would warn
QUIET = {'binary_hinge_loss': {'log_odds': True}}
ELEMENTWISE = ['binary_crossentropy', 'squared_error', 'binary_hinge_loss', 'huber_loss', 'binary_accuracy']
CATEGORICAL = ['categorical_crossentropy', 'multiclass_hinge_loss', 'categorical_accuracy']

every_name = pytest.mark.parametrize('name', SIGNATURES)
elementwise = pytest.mark.parametrize('name', ELEMENTWISE)
categorical = pytest.mark.parametrize('name', CATEGORICAL)


def call(name, *args, **options):
    return getattr(objectives, name)(*args, **dict(QUIET.get(name, {}), **options))


def refused(error, name, argument, tokens, *args, **options):
    """The call fails, and the message holds, as words of their own, the function, the argument and every further token."""
    with pytest.raises(error) as caught:
        call(name, *args, **options)
    message = str(caught.value)
    for token in [name, argument] + [str(token) for token in tokens]:
        assert re.search(r'(?<![\w]){}(?![\w])'.format(re.escape(token)), message), (token, message)


# Names ---------------------------------------------------------------------------------------------------------------------------


def test_all_lists_the_nine_functions():
    assert sorted(objectives.__all__) == sorted(SIGNATURES)


@every_name
def test_function_is_plain_and_picklable(name):
    function = getattr(objectives, name)
    assert inspect.isfunction(function)
    assert (function.__name__, function.__module__) == (name, 'lasagne_objectives.objectives')
    assert getattr(lasagne_objectives, name) is function
    assert pickle.loads(pickle.dumps(function)) is function
    assert str(inspect.signature(function)) == SIGNATURES[name]
    assert function.__doc__


def test_star_import():
    namespace = {}
    exec('from lasagne_objectives.objectives import *', namespace)
    assert set(namespace) - {'__builtins__'} == set(SIGNATURES)


def test_align_targets_gives_a_vector_the_axis_of_a_column():
    column, vector, matrix = T.fcol('column'), T.fvector('vector'), T.fmatrix('matrix')
    predictions, targets = objectives.align_targets(column, vector)
    assert predictions is column
    assert targets.broadcastable == (False, True)
    assert evaluate(targets, {vector: np.array([1, 2], 'float32')}).tolist() == [[1], [2]]
    for pair in (vector, vector), (matrix, matrix), (column, column):
        assert objectives.align_targets(*pair) == pair


# The calls of old scripts --------------------------------------------------------------------------------------------------------


def same(*graphs):
    return is_same_graph(*graphs)


def test_positional_arguments_keep_lasagnes_order():
    p, t, w = T.fmatrix('p'), T.ivector('t'), T.fvector('w')
    loss = T.fvector('loss')
    o = lasagne_objectives
    assert same(o.binary_hinge_loss(p, w, 2, False, False), o.binary_hinge_loss(p, w, delta=2, log_odds=False, binary=False))
    assert same(o.multiclass_hinge_loss(p, t, 2), o.multiclass_hinge_loss(predictions=p, targets=t, delta=2))
    assert same(o.huber_loss(p, w, 2), o.huber_loss(predictions=p, targets=w, delta=2))
    assert same(o.binary_accuracy(p, w, 0.25), o.binary_accuracy(predictions=p, targets=w, threshold=0.25))
    assert same(o.categorical_accuracy(p, t, 3), o.categorical_accuracy(predictions=p, targets=t, top_k=3))
    assert same(o.squared_error(p, w), o.squared_error(a=p, b=w))
    assert same(o.binary_crossentropy(p, w), o.binary_crossentropy(predictions=p, targets=w))
    assert same(o.categorical_crossentropy(p, t), o.categorical_crossentropy(predictions=p, targets=t))
    assert same(o.aggregate(loss, w, 'sum'), o.aggregate(loss=loss, weights=w, mode='sum'))


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
@pytest.mark.parametrize('ndim', [0, 1, 2, 4])
def test_aggregate_builds_the_graph_one_would_write(ndim, dtype):
    aggregate = objectives.aggregate
    type_ = T.TensorType(dtype, [False] * ndim)
    loss, weights = type_('loss'), type_('weights')
    assert same(aggregate(loss), loss.mean())
    assert same(aggregate(loss, mode='sum'), loss.sum())
    assert same(aggregate(loss, weights), (loss * weights).mean())
    assert same(aggregate(loss, weights, mode='sum'), (loss * weights).sum())
    assert same(aggregate(loss, weights, mode='normalized_sum'), (loss * weights).sum() / weights.sum())


def test_is_same_graph_sees_a_difference():
    """Else the test above could not fail."""
    loss, weights = T.vector(), T.vector()
    assert not same(objectives.aggregate(loss, weights), (weights * loss).sum())


def test_aggregate_of_column_keeps_the_graph():
    loss, weights = T.fcol('loss'), T.fcol('weights')
    assert same(objectives.aggregate(loss, weights), (loss * weights).mean())


# Bad input -----------------------------------------------------------------------------------------------------------------------


@categorical
@pytest.mark.parametrize('ranks', [(2, 3), (2, 0), (3, 1), (4, 2), (1, 2)], ids=str)
@pytest.mark.parametrize('dtype', ['int32', 'float32'])
def test_rank_mismatch(name, ranks, dtype):
    p, t = T.TensorType('float32', [False] * ranks[0])(), T.TensorType(dtype, [False] * ranks[1])()
    refused(TypeError, name, 'targets', ['rank mismatch', *ranks], p, t)


@categorical
def test_predictions_without_a_class_axis(name):
    with pytest.raises((TypeError, ValueError), match=name):
        call(name, T.fscalar(), T.iscalar())


@categorical
@pytest.mark.parametrize(
    'targets',
    [T.fvector(), T.dvector(), T.vector(dtype='float16'), np.array([0.0, 1.0]), [0.0, 1.0]],
    ids=['float32', 'float64', 'float16', 'array', 'list'],
)
def test_class_indices_that_are_floats(name, targets):
    dtype = getattr(targets, 'dtype', 'float64')
    refused(TypeError, name, 'targets', ['cast', 'integer', dtype], T.fmatrix(), targets)


@categorical
def test_class_index_that_is_a_float_number(name):
    refused(TypeError, name, 'targets', ['cast', 'integer'], T.fvector(), 1.0)


def ones(*shape, **options):
    return np.ones(shape, options.get('dtype', 'float32'))


@elementwise
@pytest.mark.parametrize(
    'shapes', [((4,), (5,)), ((4, 3), (4, 2)), ((4, 3), (4,)), ((4, 1), (5,)), ((2, 1, 3), (2, 4)), ((5,), (4, 1))], ids=str
)
def test_constants_of_contradicting_shapes(name, shapes):
    argument = 'b' if name == 'squared_error' else 'targets'
    refused(ValueError, name, argument, shapes, ones(*shapes[0]), ones(*shapes[1]))


@categorical
@pytest.mark.parametrize('shapes', [((4, 3), (4, 2)), ((4, 3), (5, 3)), ((4, 3), (1, 3)), ((1, 3), (4, 3)), ((3,), (4,))], ids=str)
def test_dense_constants_of_contradicting_shapes(name, shapes):
    refused(ValueError, name, 'targets', shapes, ones(*shapes[0]), ones(*shapes[1]))


@categorical
@pytest.mark.parametrize('shapes', [((4, 3), (3,)), ((4, 3), (1,)), ((1, 3), (4,)), ((4, 3, 2), (4, 2))], ids=str)
def test_constant_indices_of_contradicting_shapes(name, shapes):
    refused(ValueError, name, 'targets', shapes, ones(*shapes[0]), ones(*shapes[1], dtype='int32'))


@pytest.mark.parametrize('shapes', [((4,), (5,)), ((4, 3), (4,)), ((4, 3), (2, 3)), ((4, 1), (3,))], ids=str)
@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
def test_constant_weights_of_contradicting_shapes(mode, shapes):
    refused(ValueError, 'aggregate', 'weights', shapes, ones(*shapes[0]), ones(*shapes[1]), mode)


@pytest.mark.parametrize('name', ['binary_hinge_loss', 'huber_loss'])
def test_constant_delta_of_contradicting_shape(name):
    refused(ValueError, name, 'delta', [(4,), (3,)], ones(4), ones(4), delta=ones(3))


@pytest.mark.parametrize('name', ELEMENTWISE + CATEGORICAL)
def test_value_of_a_shared_variable_is_not_consulted(name):
    """It may change until the function runs."""
    p, t = theano.shared(0.5 * ones(4, 3)), theano.shared(ones(5, 3))
    loss = call(name, p, t)
    t.set_value(ones(4, 3))
    assert len(evaluate(loss)) == 4
    p.set_value(0.5 * ones(6, 3))
    with pytest.raises(ValueError):
        evaluate(loss)


def test_current_weights_of_a_shared_variable_are_not_consulted():
    loss, weights = theano.shared(ones(4)), theano.shared(ones(5))
    total = objectives.aggregate(loss, weights, 'sum')
    weights.set_value(ones(4))
    assert evaluate(total) == 4


@categorical
@pytest.mark.parametrize('targets', [T.icol(), T.fcol(), ones(4, 1), ones(4, 1, dtype='uint8')], ids=['icol', 'fcol', 'floats', 'integers'])
def test_column_of_labels(name, targets):
    refused(ValueError, name, 'targets', ['drop'], T.fmatrix(), targets)


@categorical
def test_channel_of_labels(name):
    targets = T.TensorType('int32', [False, True, False, False])()
    refused(ValueError, name, 'targets', ['drop'], T.ftensor4(), targets, axis=1)
    assert call(name, T.ftensor4(), targets.dimshuffle(0, 2, 3), axis=1).ndim == 3


@categorical
def test_one_class_is_no_column_of_labels(name):
    assert call(name, T.fcol(), T.fcol()).ndim == 1


@pytest.mark.parametrize('mode', ['average', 'SUM', '', None, 0])
def test_unknown_mode(mode):
    for weights in None, T.fvector():
        refused(ValueError, 'aggregate', 'mode', ['mode must be', 'mean', 'sum', 'normalized_sum'], T.fvector(), weights, mode)
    with pytest.raises(ValueError, match=re.escape(repr(mode))):
        objectives.aggregate(T.fvector(), mode=mode)


def test_normalized_sum_without_weights():
    refused(ValueError, 'aggregate', 'weights', ['require weights', 'normalized_sum'], T.fvector(), None, 'normalized_sum')


@pytest.mark.parametrize('ranks', [(0, 1), (1, 2), (1, 3), (2, 3), (2, 4)], ids=str)
def test_weights_of_higher_rank(ranks):
    loss, weights = [T.TensorType('float32', [False] * rank)() for rank in ranks]
    for mode in 'mean', 'sum', 'normalized_sum':
        refused(ValueError, 'aggregate', 'weights', ranks, loss, weights, mode)


def test_weights_of_higher_rank_by_two_axes_of_length_1():
    """The column rule forgives one such axis."""
    refused(ValueError, 'aggregate', 'weights', [1, 3], T.fvector(), T.TensorType('float32', [False, True, True])())
    refused(ValueError, 'aggregate', 'weights', [1, 2], T.fvector(), T.TensorType('float32', [True, True])())


def test_delta_of_classes_has_the_shape_of_the_loss():
    scores, classes = np.ones((3, 4)), np.zeros(3, int)
    assert objectives.multiclass_hinge_loss(scores, classes, np.ones(3)).ndim == 1
    refused(ValueError, 'multiclass_hinge_loss', 'delta', [3, 4], scores, classes, np.ones(4))


@pytest.mark.parametrize(
    'delta',
    [True, False, np.bool_(True), np.array(True), T.scalar(dtype='bool'), theano.shared(np.array(True)), [True]],
    ids=['True', 'False', 'bool_', 'array', 'symbolic', 'shared', 'list'],
)
@pytest.mark.parametrize('name', ['binary_hinge_loss', 'multiclass_hinge_loss', 'huber_loss'])
def test_delta_is_no_bool(name, delta):
    refused(TypeError, name, 'delta', ['bool'], T.fmatrix(), T.imatrix(), delta)


TOP_K = {
    '0': 0,
    '-1': -1,
    '1.5': 1.5,
    '2.0': 2.0,
    'True': True,
    'False': False,
    'bool_': np.bool_(True),
    'None': None,
    'str': '2',
    'list': [1],
    'float64': np.float64(2),
    'array': np.array([1, 2]),
    'zero-array': np.array(0),
    'int64': np.int64(0),
    'symbolic-float': T.fscalar(),
    'symbolic-bool': T.scalar(dtype='bool'),
    'symbolic-vector': T.ivector(),
    'shared-float': theano.shared(2.0),
    'complex': 1j,
}


@pytest.mark.parametrize('top_k', TOP_K.values(), ids=list(TOP_K))
def test_top_k_is_a_positive_integer(top_k):
    for targets in T.ivector(), T.imatrix():
        refused(ValueError, 'categorical_accuracy', 'top_k', ['integer'], T.fmatrix(), targets, top_k)


@pytest.mark.parametrize('top_k', [0, -1, 1.5, True])
def test_message_says_which_top_k_it_got(top_k):
    refused(ValueError, 'categorical_accuracy', 'top_k', [repr(top_k)], T.fmatrix(), T.ivector(), top_k)


@categorical
@pytest.mark.parametrize('ndim, axis', [(2, 2), (2, -3), (1, 1), (1, -2), (4, 4), (4, -5), (2, 100)])
def test_axis_out_of_range(name, ndim, axis):
    p = T.TensorType('float32', [False] * ndim)()
    for rank in ndim, ndim - 1:
        t = T.TensorType('int32', [False] * rank)()
        refused(ValueError, name, 'axis', [axis, ndim], p, t, axis=axis)


NO_NUMBERS = {
    'complex-symbolic': T.zmatrix(),
    'complex64': T.TensorType('complex64', [False] * 2)(),
    'complex-array': np.ones((2, 2), 'complex128'),
    'complex-number': 1j,
    'sparse-symbolic': theano.sparse.csr_matrix(),
    'sparse-array': scipy.sparse.csc_matrix(np.eye(2)),
    'sparse-constant': theano.sparse.as_sparse_variable(scipy.sparse.csc_matrix(np.eye(2))),
    'str': 'spam',
    'strings': np.array([['a', 'b']]),
    'objects': np.array([[None, 1]], dtype=object),
    'dict': {},
    'dates': np.array(['2020-01-01'], 'datetime64[D]'),
    'generic': theano.gof.type.generic(),
    'function': len,
    'list-of-str': ['a', 'b'],
    'list-of-large-int': [2**70],
    'matrix-class': np.matrix([[1.0]]),
    'masked-array': np.ma.array([1.0], mask=[True]),
}
no_number = pytest.mark.parametrize('bad', NO_NUMBERS.values(), ids=list(NO_NUMBERS))


@no_number
@every_name
def test_what_is_no_number_is_refused_by_name(name, bad):
    first, second = list(inspect.signature(getattr(objectives, name)).parameters)[:2]
    refused(TypeError, name, first, [], bad, T.fmatrix())
    refused(TypeError, name, second, [], T.fmatrix(), bad)


@no_number
@pytest.mark.parametrize('name', ['binary_hinge_loss', 'multiclass_hinge_loss', 'huber_loss'])
def test_delta_that_is_no_number(name, bad):
    refused(TypeError, name, 'delta', [], T.fmatrix(), T.fmatrix(), bad)


@no_number
def test_threshold_that_is_no_number(bad):
    refused(TypeError, 'binary_accuracy', 'threshold', [], T.fmatrix(), T.fmatrix(), bad)


@pytest.mark.parametrize('name', ELEMENTWISE + CATEGORICAL)
def test_none_is_no_operand(name):
    first, second = list(inspect.signature(getattr(objectives, name)).parameters)[:2]
    refused(TypeError, name, first, ['None'], None, T.fmatrix())
    refused(TypeError, name, second, ['None'], T.fmatrix(), None)


def test_none_is_no_loss_no_delta_and_no_threshold():
    refused(TypeError, 'aggregate', 'loss', ['None'], None)
    refused(TypeError, 'huber_loss', 'delta', ['None'], T.fvector(), T.fvector(), None)
    refused(TypeError, 'binary_accuracy', 'threshold', ['None'], T.fvector(), T.fvector(), None)


@pytest.mark.parametrize('bad, got', [(T.zmatrix(), 'complex128'), (np.ones((2, 2), 'complex64'), 'complex64')], ids=['symbolic', 'array'])
@every_name
def test_message_says_which_dtype_it_got(name, bad, got):
    first = list(inspect.signature(getattr(objectives, name)).parameters)[0]
    refused(TypeError, name, first, [got], bad, T.fmatrix())


@pytest.mark.parametrize('bad', [theano.sparse.csr_matrix(), scipy.sparse.csc_matrix(np.eye(2))], ids=['symbolic', 'array'])
@every_name
def test_message_says_that_it_got_a_sparse_matrix(name, bad):
    with pytest.raises(TypeError, match='(?i)sparse'):
        call(name, bad, T.fmatrix())
    with pytest.raises(TypeError, match='(?i)sparse'):
        call(name, T.fmatrix(), bad)
