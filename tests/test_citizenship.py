"""The losses as Theano variables like any other: differentiated twice, scanned, cloned, pickled, updated, and quiet about it."""

import copy
import os
import pickle
import subprocess
import sys

import lasagne_objectives as objectives
import lasagne_objectives.compat  # before lasagne, which lacks on Theano 1.0 what this provides
import lasagne
import lasagne.objectives
import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.configparser import change_flags

import reference
from cases import (
    CATEGORICAL,
    ELEMENTWISE,
    FORMULAS,
    MODES,
    PY,
    evaluate,
    random,
    sample_classes,
    sample_predictions,
    sample_targets,
    tensor_type,
)
from device import ON_GPU, by_scan
from then import UNAIDED

LOSSES = ELEMENTWISE + CATEGORICAL
# What is compiled where no mode can be passed (the inside of a scan) or where it must have a name to be pickled
QUICKLY = dict(mode='FAST_COMPILE')

every_mode = pytest.mark.parametrize('mode', MODES.values(), ids=list(MODES))
every_loss = pytest.mark.parametrize('case', LOSSES, ids=str)


def operands(case, shape=(4, 3), dtype='float64', dense=True):
    """Predictions off the grid, where ties and kinks of measure zero would spoil finite differences, and targets."""
    p = sample_predictions(case.kind, shape, dtype) + random(5).uniform(0.001, 0.01, shape).astype(dtype)
    return p, sample_targets(shape, dtype) if dense else sample_classes(shape, -1)


# Each formula with dense targets, and the categorical ones with class indices too
PAIRS = [(case, True) for case in FORMULAS] + [(case, False) for case in FORMULAS if case in CATEGORICAL]


def over(pairs):
    return pytest.mark.parametrize('case, dense', pairs, ids=['{}-{}'.format(case, 'dense' if dense else 'index') for case, dense in pairs])


every_pair = over(PAIRS)


# Derivatives ---------------------------------------------------------------------------------------------------------------------


def difference(function, x, direction):
    """Central difference of a function along a direction."""
    step = 2.0**-18
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


@every_mode
@every_pair
def test_second_derivative(case, dense, mode):
    """The Hessian along a direction: by the gradient of a gradient, and by Rop of a gradient."""
    p, t = operands(case, dense=dense)
    direction = random(3).uniform(-1, 1, p.shape)
    variable, targets = T.dmatrix('predictions'), tensor_type(t)('targets')
    gradient = theano.grad(case(variable, targets).sum(), variable)
    products = [theano.grad((gradient * direction).sum(), variable, disconnected_inputs='ignore'), T.Rop(gradient, variable, direction)]
    expected = difference(lambda p: case.reference(p, t).predictions, p, direction)
    for product in evaluate(products, {variable: p, targets: t}, mode):
        np.testing.assert_allclose(product, expected, rtol=1e-7, atol=1e-7)


@by_scan
@pytest.mark.parametrize('case', FORMULAS, ids=str)
def test_hessian(case):
    """As theano.gradient.hessian spells it; it needs a vector of predictions, to a categorical loss a single data point."""
    p, t = operands(case, (4,))
    with change_flags(**QUICKLY):
        variable = T.dvector('predictions')
        hessian = evaluate(theano.gradient.hessian(case(variable, t).sum(), variable), {variable: p}, 'FAST_COMPILE')
    expected = [difference(lambda p: case.reference(p, t).predictions, p, row) for row in np.eye(4)]
    np.testing.assert_allclose(hessian, expected, rtol=1e-7, atol=1e-7)


@every_mode
@every_pair
def test_rop_is_the_transpose_of_lop(case, dense, mode):
    p, t = operands(case, dense=dense)
    variable, targets = T.dmatrix('predictions'), tensor_type(t)('targets')
    loss = case(variable, targets)
    direction, upstream = random(3).uniform(-1, 1, p.shape), random(4).uniform(-1, 1, p.shape[: loss.ndim])
    products = [T.Rop(loss, variable, direction), T.Lop(loss, variable, T.constant(upstream))]
    forward, backward = evaluate(products, {variable: p, targets: t}, mode)
    np.testing.assert_allclose((forward * upstream).sum(), (backward * direction).sum(), rtol=1e-13)
    np.testing.assert_allclose(forward, difference(lambda p: case.reference(p, t).value, p, direction), rtol=1e-7, atol=1e-7)


NETWORKS = {'binary_crossentropy': T.nnet.sigmoid, 'categorical_crossentropy': T.nnet.softmax}
behind_a_network = over([(case, dense) for case, dense in PAIRS if case.name in NETWORKS])


def network_values(case, z):
    """What sigmoid and softmax are, at the ordinary logits of this file."""
    e = np.exp(z)
    return e / (1 + e) if case.name == 'binary_crossentropy' else e / e.sum(-1, keepdims=True)


def network_gradient(case, z, t):
    p = network_values(case, z)
    if case.name == 'binary_crossentropy':
        return p - t
    t = t if t.ndim == 2 else reference.one_hot(t, p.shape[1])
    return p * t.sum(-1, keepdims=True) - t


@every_mode
@behind_a_network
def test_derivatives_behind_sigmoid_and_softmax(case, dense, mode):
    z, t = sample_predictions('scores', (4, 3), 'float64'), operands(case, dense=dense)[1]
    logits, targets = T.dmatrix('logits'), tensor_type(t)('targets')
    loss = case(NETWORKS[case.name](logits), targets)
    gradient = theano.grad(loss.sum(), logits)
    direction = random(3).uniform(-1, 1, z.shape)
    second = theano.grad((gradient * direction).sum(), logits)
    results = evaluate(
        [loss, gradient, second, T.Rop(gradient, logits, direction), T.Rop(loss, logits, direction)], {logits: z, targets: t}, mode
    )

    def value(z):
        return case.reference(network_values(case, z), t).value

    curvature = difference(lambda z: network_gradient(case, z, t), z, direction)
    np.testing.assert_allclose(results[0], value(z), rtol=1e-13)
    np.testing.assert_allclose(results[1], network_gradient(case, z, t), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(results[2], curvature, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(results[3], curvature, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(results[4], difference(value, z, direction), rtol=1e-7, atol=1e-7)


@every_mode
def test_both_sides_train(mode):
    """Soft targets made by a network of their own get their gradient as well."""
    v, w = sample_predictions('scores', (4, 3), 'float64'), sample_predictions('scores', (4, 3), 'float64', seed=7)
    student, teacher = T.dmatrix('student'), T.dmatrix('teacher')
    soft = CATEGORICAL[0]
    loss = soft(T.nnet.softmax(student), T.nnet.softmax(teacher))
    gradients = evaluate(theano.grad(loss.sum(), [student, teacher]), {student: v, teacher: w}, mode)
    p, t = network_values(soft, v), network_values(soft, w)
    np.testing.assert_allclose(gradients[0], p - t, rtol=1e-13, atol=1e-15)
    mean = (t * np.log(p)).sum(-1, keepdims=True)
    np.testing.assert_allclose(gradients[1], t * (mean - np.log(p)), rtol=1e-12, atol=1e-14)


@every_mode
@pytest.mark.parametrize('case', ELEMENTWISE, ids=str)
def test_targets_that_are_expressions(case, mode):
    p, t = operands(case)
    raw, variable = T.dmatrix('raw'), T.dmatrix('predictions')
    gradients = theano.grad(case(variable, 3 * raw).sum(), [variable, raw])
    expected = case.reference(p, t)
    results = evaluate(gradients, {variable: p, raw: t / 3}, mode)
    np.testing.assert_allclose(results[0], expected.predictions, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(results[1], 3 * expected.targets, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize('case', ELEMENTWISE, ids=str)
def test_one_variable_on_both_sides(case):
    p = operands(case)[0] if case.kind == 'probabilities' else operands(case)[1]
    variable = T.dmatrix('both')
    gradient = evaluate(theano.grad(case(variable, variable).sum(), variable), {variable: p})
    expected = case.reference(p, p)
    np.testing.assert_allclose(gradient, expected.predictions + expected.targets, rtol=1e-13, atol=1e-14)


@every_mode
@pytest.mark.parametrize('fence', [theano.gradient.disconnected_grad, theano.gradient.zero_grad], ids=lambda fence: fence.__name__)
@behind_a_network
def test_gradients_that_were_cut_stay_cut(case, dense, fence, mode):
    z, t = operands(ELEMENTWISE[1])[0], operands(case, dense=dense)[1]
    logits = T.dmatrix('logits')
    loss = case(fence(NETWORKS[case.name](logits)), t)
    value, gradient = evaluate([loss, theano.grad(loss.sum(), logits, disconnected_inputs='ignore')], {logits: z}, mode)
    np.testing.assert_allclose(value, case.reference(network_values(case, z), t).value, rtol=1e-13)
    np.testing.assert_array_equal(gradient, np.zeros_like(z))


@every_mode
@behind_a_network
def test_gradients_that_were_scaled_stay_scaled(case, dense, mode):
    z, t = operands(ELEMENTWISE[1])[0], operands(case, dense=dense)[1]
    logits = T.dmatrix('logits')
    loss = case(theano.gradient.grad_scale(NETWORKS[case.name](logits), -0.5), t)
    gradient = evaluate(theano.grad(loss.sum(), logits), {logits: z}, mode)
    np.testing.assert_allclose(gradient, -0.5 * network_gradient(case, z, t), rtol=1e-12, atol=1e-14)


@behind_a_network
def test_gradient_to_the_predictions_themselves(case, dense):
    """Right, or refused; it may not be anything else."""
    z, t = operands(ELEMENTWISE[1])[0], operands(case, dense=dense)[1]
    logits = T.dmatrix('logits')
    predictions = NETWORKS[case.name](logits)
    try:
        gradient = theano.grad(case(predictions, t).sum(), predictions)
    except theano.gradient.DisconnectedInputError:
        return
    np.testing.assert_allclose(evaluate(gradient, {logits: z}), case.reference(network_values(case, z), t).predictions, rtol=1e-12)


# Scan, clone, pickle -------------------------------------------------------------------------------------------------------------


@by_scan
@pytest.mark.parametrize('case', [ELEMENTWISE[0], ELEMENTWISE[2], CATEGORICAL[0], CATEGORICAL[1]], ids=str)
def test_inside_scan(case):
    """A loss per time step, in value and gradient, against the loss of all steps at once."""
    p, t = operands(case, (5, 4, 3), dense=case in ELEMENTWISE)
    with change_flags(**QUICKLY):
        predictions, targets = tensor_type(p)('predictions'), tensor_type(t)('targets')
        costs, _ = theano.scan(lambda p, t: case(p, t).sum(), sequences=[predictions, targets])
        costs, gradient = evaluate([costs, theano.grad(costs.sum(), predictions)], {predictions: p, targets: t}, 'FAST_COMPILE')
    expected = case.reference(p, t)
    np.testing.assert_allclose(costs, expected.value.reshape(5, -1).sum(-1), rtol=1e-13)
    np.testing.assert_allclose(gradient, expected.predictions, rtol=1e-13, atol=1e-14)


@every_mode
@every_pair
def test_clone_and_givens_put_other_predictions_in(case, dense, mode):
    p, t = operands(case, dense=dense)
    variable, other, targets = T.dmatrix('predictions'), T.dmatrix('other'), tensor_type(t)('targets')
    loss, replacement = case(variable, targets), 0.5 * other
    inputs = {other: 2 * p, targets: t}
    expected = case.reference(p, t).value
    np.testing.assert_allclose(evaluate(theano.clone(loss, {variable: replacement}), inputs, mode), expected, rtol=1e-13, atol=1e-14)
    function = theano.function(list(inputs), loss, givens={variable: replacement}, mode=mode)
    np.testing.assert_allclose(function(*inputs.values()), expected, rtol=1e-13, atol=1e-14)


@every_mode
@behind_a_network
def test_clone_and_givens_replace_the_output_of_a_network(case, dense, mode):
    """Never silently the loss of the network that was there before."""
    p, t = operands(case, dense=dense)
    logits, other, targets = T.dmatrix('logits'), T.dmatrix('other'), tensor_type(t)('targets')
    predictions = NETWORKS[case.name](logits)
    loss = case(predictions, targets)
    expected = case.reference(p, t).value
    arrays = np.full(p.shape, 3.0), p, t
    for function in (
        theano.function([logits, other, targets], theano.clone(loss, {predictions: other}), mode=mode, on_unused_input='ignore'),
        theano.function([logits, other, targets], loss, givens={predictions: other}, mode=mode, on_unused_input='ignore'),
    ):
        np.testing.assert_allclose(function(*arrays), expected, rtol=1e-13)


def roundtrip(thing):
    return pickle.loads(pickle.dumps(thing, pickle.HIGHEST_PROTOCOL))


copies = pytest.mark.parametrize('copied', [roundtrip, copy.deepcopy], ids=['pickle', 'deepcopy'])


@copies
@every_pair
def test_graph_survives_a_copy(case, dense, copied):
    p, t = operands(case, dense=dense)
    variable, targets = T.dmatrix('predictions'), tensor_type(t)('targets')
    loss = case(variable, targets)
    graph = [variable, targets, loss, theano.grad(loss.sum(), variable), objectives.aggregate(loss, mode='sum')]
    variable, targets, loss, gradient, total = copied(graph)
    results = evaluate([loss, gradient, total], {variable: p, targets: t})
    expected = case.reference(p, t)
    np.testing.assert_allclose(results[0], expected.value, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(results[1], expected.predictions, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(results[2], expected.value.sum(), rtol=1e-13)


@copies
@every_pair
def test_compiled_function_survives_a_copy(case, dense, copied):
    if ON_GPU and dense and case is CATEGORICAL[0]:
        pytest.skip('Theano cannot pickle a function that sums rows on OpenCL, whatever else it does')
    p, t = operands(case, dense=dense)
    variable, targets = T.dmatrix('predictions'), tensor_type(t)('targets')
    loss = case(variable, targets)
    original = theano.function([variable, targets], [loss, theano.grad(loss.sum(), variable)], mode='FAST_COMPILE')
    with change_flags(**QUICKLY):
        again = copied(original)
    for result, expected in zip(again(p, t), original(p, t)):
        np.testing.assert_array_equal(result, expected)


def test_compiled_accuracies_survive_pickling():
    p, t, k = T.dmatrix('p'), T.ivector('t'), T.iscalar('k')
    original = theano.function([p, t, k], objectives.categorical_accuracy(p, t, k), mode='FAST_COMPILE')
    scores, classes = sample_predictions('scores', (6, 4), 'float64'), sample_classes((6, 4), -1)
    with change_flags(**QUICKLY):
        np.testing.assert_array_equal(roundtrip(original)(scores, classes, 2), reference.categorical_accuracy(scores, classes, 2))


# Lasagne -------------------------------------------------------------------------------------------------------------------------

UPDATES = ['sgd', 'momentum', 'nesterov_momentum', 'adagrad', 'rmsprop', 'adadelta', 'adam']


def test_every_updates_function_is_tried():
    functions = {name for name in lasagne.updates.__all__ if not name.startswith('apply_') and not name.endswith('norm_constraint')}
    assert functions == set(UPDATES)


@pytest.mark.parametrize('update', UPDATES)
@every_loss
def test_updates_train_on_the_loss(case, update):
    """A float64 anywhere in the gradient of a float32 parameter would be refused: updates keep their variable's type."""
    with change_flags(floatX='float32'):
        x, y = random().uniform(-1, 1, (8, 3)).astype('float32'), sample_classes((8, 2), -1)
        y = y if case in CATEGORICAL else np.eye(2, dtype='uint8')[y]
        weights = theano.shared(np.zeros((3, 2), 'float32'))
        scores = T.dot(theano.shared(x), weights)
        squash = T.nnet.softmax if case in CATEGORICAL else T.nnet.sigmoid
        cost = objectives.aggregate(case(squash(scores) if case.kind == 'probabilities' else scores, theano.shared(y)))
        rate = {} if update == 'adadelta' else {'learning_rate': 0.01}
        train = theano.function([], cost, updates=getattr(lasagne.updates, update)(cost, [weights], **rate), mode=PY)
    costs = [train() for _ in range(4)]
    assert costs[0].dtype == weights.dtype == 'float32'
    assert costs[3] < costs[2] < costs[1] < costs[0]


@pytest.mark.parametrize('constrain', [lasagne.updates.apply_momentum, lasagne.updates.apply_nesterov_momentum], ids=lambda f: f.__name__)
def test_momentum_applied_afterwards(constrain):
    weights = theano.shared(np.ones(3, 'float32'))
    cost = objectives.aggregate(objectives.squared_error(weights, 0))
    with change_flags(floatX='float32'):
        updates = constrain(lasagne.updates.sgd(cost, [weights], learning_rate=0.1), [weights])
        train = theano.function([], cost, updates=updates, mode=PY)
    assert train() > train() > train()


@pytest.mark.parametrize('name', ['binary_crossentropy', 'categorical_crossentropy', 'squared_error'])
def test_same_values_as_lasagnes_own(name):
    p, t = operands(ELEMENTWISE[0])
    ours, theirs = [getattr(module, name)(T.constant(p), T.constant(t)) for module in (objectives, lasagne.objectives)]
    np.testing.assert_allclose(evaluate(ours), evaluate(theirs), rtol=1e-13)


@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
def test_same_aggregate_as_lasagnes_own(mode):
    loss, weights = T.matrix('loss'), T.matrix('weights')
    ours, theirs = [module.aggregate(loss, weights, mode) for module in (objectives, lasagne.objectives)]
    assert theano.gof.graph.is_same_graph(ours, theirs)


# Global state --------------------------------------------------------------------------------------------------------------------

# All that a process shares. One filter is left out: pkg_resources adds it, for itself, when the first to need it imports it.
STATE = '''
import inspect, io, locale, logging, os, random, signal, sys, threading, warnings
import numpy as np
random.seed(0)
np.random.seed(0)
{before}

def state():
    import theano
    flags = io.StringIO()
    theano.configparser._config_print(theano.config, flags, print_doc=False)
    return dict(
        flags=[line for line in flags.getvalue().splitlines() if 'Value:' in line],
        warnings=[str(each) for each in warnings.filters if 'pkg_resources' not in str(each)],
        errors=np.geterr(), printing=str(np.get_printoptions()),
        environment=dict(os.environ), path=list(sys.path), seed=np.random.get_state()[1].tolist(), random=random.getstate(),
        recursion=sys.getrecursionlimit(), locale=locale.setlocale(locale.LC_ALL), handlers=len(logging.getLogger().handlers),
        signals=[getattr(signal.getsignal(number), '__name__', None) for number in sorted(signal.valid_signals())],
        threads=threading.active_count(),
        hooks=(sys.excepthook.__name__, sys.displayhook.__name__), getargspec=hasattr(inspect, 'getargspec'),
        downsample='theano.tensor.signal.downsample' in sys.modules, numpy=sorted(np.__dict__), inspect=sorted(vars(inspect)))

'''


def run(program):
    environment = dict(os.environ)
    # Set by the user, so that the package has no reason left to touch it
    environment['THEANO_FLAGS'] = ','.join(filter(None, [environment.get('THEANO_FLAGS'), 'blas.ldflags=']))
    environment['PYTHONHASHSEED'] = '0'
    result = subprocess.run(
        [sys.executable, '-c', program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        universal_newlines=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# What lets Theano be imported at all, on its own. With a NumPy that it can be imported with unaided, nothing; but the distutils of
# NumPy, which it imports itself then, leaves traces (a name on numpy, setuptools on the path), where our stand-in leaves none.
ALONE = 'import numpy.distutils' if UNAIDED else 'import lasagne_objectives'


def test_import_after_theano_changes_nothing():
    program = (
        STATE.format(before=ALONE + ', theano')
        + '''
before = state()
import lasagne_objectives, lasagne_objectives.objectives
after = state()
print([name for name in before if before[name] != after[name]])
'''
    )
    assert run(program).splitlines()[-1] == '[]'


def test_import_before_theano_changes_nothing():
    """Not the flags of a Theano imported later either: they are those of a process that never heard of the package."""
    program = (
        STATE
        + '''
print(sorted(state().items()))
'''
    )
    together = ALONE + ', lasagne_objectives.objectives'
    alone, together = [run(program.format(before=before)).splitlines()[-1] for before in (ALONE, together)]
    assert alone == together
