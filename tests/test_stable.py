"""The node that knows the formulas of predictions and of logits, where the other tests do not look."""

import numpy as np
import pytest

import lasagne_objectives as objectives
import theano
import theano.tensor as T
from lasagne_objectives import arguments, stable
from lasagne_objectives.kernels import softmax_log_odds, target_rank, top_class

PYTHON = theano.Mode(linker='py', optimizer=None)
Z, T_, Q, V = T.dmatrices('z', 't', 'q', 'v')
POINTS = [np.random.RandomState(seed).uniform(0.1, 0.9, (3, 4)) for seed in range(3)]


def test_links_equal_their_own_kind_only():
    assert stable.LogOdds() == stable.LogOdds() and hash(stable.LogOdds()) == hash(stable.LogOdds())
    assert stable.LogOdds() != stable.LogProbabilities(True) and stable.SoftmaxLogits(0) != stable.SoftmaxLogits(1)


def softmax(z):
    """T.nnet.softmax is differentiated by its own output: replacing that would replace a part of its derivative as well."""
    return T.exp(z) / T.exp(z).sum(axis=1, keepdims=True)


LOSSES = {
    'binary': (objectives.binary_crossentropy, T.nnet.sigmoid, lambda p, t: -(t * T.log(p) + (1 - t) * T.log(1 - p))),
    'categorical': (objectives.categorical_crossentropy, softmax, lambda p, t: -(t * T.log(p)).sum(axis=1)),
    'of unknown rows': (
        lambda p, t: objectives.categorical_crossentropy(p.reshape((3, 2, 2)), t.reshape((3, 2, 2))),
        softmax,
        lambda p, t: -(t * T.log(p)).reshape((3, 2, 2)).sum(axis=2),
    ),
}


@pytest.mark.parametrize('wrt', [Z, T_], ids=['logits', 'targets'])
@pytest.mark.parametrize('name', LOSSES)
def test_derivatives_built_before_the_predictions_are_replaced(name, wrt):
    """Gradient, Hessian-vector product and directional derivative are the plain formula's under the same substitution.

    And the gradient of the latter, which forgot the direction of the predictions: with respect to that of the logits it was 0.
    """
    ours, layer, plain = LOSSES[name]
    predictions = layer(Z)
    results = []
    for loss in ours(predictions, T_), plain(predictions, T_):
        gradient = theano.grad(loss.sum(), wrt)
        product = theano.grad((gradient * POINTS[2]).sum(), Z)
        forward = T.Rop(loss, wrt, V)
        backward = theano.grad(forward.sum(), [Z, V])
        replaced = theano.clone([loss, gradient, product, forward] + backward, {predictions: Q})
        function = theano.function([Z, T_, Q, V], replaced, mode=PYTHON, on_unused_input='ignore')
        results.append(function(*POINTS, POINTS[2]))
    for got, expected in zip(*results):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


# Parts of a softmax whose logits were computed twice, and of what makes a row of it
FIRST, SECOND = T.exp(T.dot(Z, np.eye(4))), T.exp(T.dot(Z, np.eye(4)))
PARTS = {
    'numerator': FIRST,
    'summed': SECOND,
    'logits of the sum': SECOND.owner.inputs[0],
    'softmax': FIRST / SECOND.sum(axis=1, keepdims=True),
}


@pytest.mark.parametrize('others', [lambda part: Q, lambda part: 0.5 * part], ids=['input', 'changed'])
@pytest.mark.parametrize('name', PARTS)
def test_parts_of_the_predictions_are_replaced(name, others):
    predictions = PARTS['softmax'].T.T
    losses = [objectives.categorical_crossentropy(predictions, T_), -(T_ * T.log(predictions)).sum(axis=1)]
    results = []
    for loss in losses:
        both = [loss, theano.grad(loss.sum(), T_)]
        replaced = theano.clone(both, {PARTS[name]: others(PARTS[name])})
        results.append(theano.function([Z, T_, Q], replaced, mode=PYTHON, on_unused_input='ignore')(*POINTS))
    for got, expected in zip(*results):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


# What is made of a sigmoid s
MADE_OF_IT = {
    'complement': lambda s: 1 - s,
    'choice': lambda s: T.switch(T_ > 0.5, s, T.nnet.sigmoid(2 * Z)),
    'join': lambda s: T.join(0, s[:1], 1 - s[1:]),
    'product': lambda s: s * T.nnet.sigmoid(2 * Z),
    'set': lambda s: T.set_subtensor(s[:1], 1 - s[:1]),
}


@pytest.mark.parametrize('mode', [PYTHON, 'FAST_COMPILE'], ids=['no optimizer', 'FAST_COMPILE'])
@pytest.mark.parametrize('what', ['sigmoid', 'predictions'])
@pytest.mark.parametrize('name', MADE_OF_IT)
def test_replaced_within_what_is_made_of_a_sigmoid(name, what, mode):
    """Or as a whole: the loss is that of what it was replaced by, and so is the gradient."""
    s = T.nnet.sigmoid(Z)
    p = MADE_OF_IT[name](s)
    results = []
    for loss in objectives.binary_crossentropy(p, T_), -(T_ * T.log(p) + (1 - T_) * T.log(1 - p)):
        replaced = theano.clone([loss, theano.grad(loss.sum(), T_)], {s if what == 'sigmoid' else p: Q})
        results += replaced + [theano.grad(replaced[0].sum(), Q)]
    got = theano.function([Z, T_, Q], results, mode=mode, on_unused_input='ignore')(*POINTS)
    for ours, plain in zip(got[:3], got[3:]):
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    'is_one', [lambda v: v.name == 'p', lambda v: v.owner and isinstance(v.owner.op, T.nnet.nnet.Softmax)], ids=['name', 'Op']
)
def test_all_variables_of_a_kind_are_replaced(is_one):
    """As people search a graph for what they put noise on."""
    predictions = T.nnet.softmax(Z)
    predictions.name = 'p'
    results = []
    for loss in objectives.categorical_crossentropy(predictions, T_), -(T_ * T.log(predictions)).sum(axis=1):
        noisy = theano.clone(loss, {v: 0.5 * v for v in theano.gof.graph.ancestors([loss]) if is_one(v)})
        results.append(theano.function([Z, T_], noisy, mode=PYTHON)(*POINTS[:2]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-10)


@pytest.mark.parametrize('layer', [lambda z: 1 / (1 + T.exp(-z)), softmax], ids=['sigmoid', 'softmax'])
@pytest.mark.parametrize('loss', [objectives.binary_crossentropy, objectives.categorical_crossentropy])
def test_gradient_of_a_direction_of_saturated_logits(loss, layer):
    """The direction of the predictions, infinite by itself, is not read, and has no gradient."""
    total = loss(layer(Z), T_).sum()
    along = T.Rop(total, Z, Q)
    z, t = np.array([[1000.0, -1000.0, -1000.0, 0]]), np.array([[0.0, 1, 0, 0]])
    results = [theano.grad(along, Q), theano.grad(total, Z), theano.grad(along, Z)]
    got, expected, second = theano.function([Z, T_, Q], results, mode=PYTHON, on_unused_input='ignore')(z, t, np.ones((1, 4)))
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert np.isfinite(second).all() and abs(expected).max() >= 1


def test_gradient_of_replaced_predictions():
    predictions = T.nnet.sigmoid(Z)
    loss = theano.clone(objectives.binary_crossentropy(predictions, T_), {predictions: Q}).sum()
    plain = -(T_ * T.log(Q) + (1 - T_) * T.log(1 - Q)).sum()
    gradients = [theano.grad(loss, Q), theano.grad(plain, Q)]
    got, expected = theano.function([Z, T_, Q], gradients, mode=PYTHON, on_unused_input='ignore')(*POINTS)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_derivative_of_a_gradient_whose_predictions_were_replaced():
    predictions = T.nnet.sigmoid(Z)
    results = []
    for loss in objectives.binary_crossentropy(predictions, T_), -(T_ * T.log(predictions) + (1 - T_) * T.log(1 - predictions)):
        gradient = theano.clone(theano.grad(loss.sum(), Z), {predictions: Q})
        results += [theano.grad((gradient * POINTS[2]).sum(), wrt) for wrt in (Z, Q)]
    values = theano.function([Z, T_, Q], results, mode=PYTHON, on_unused_input='ignore')(*POINTS)
    for got, expected in zip(values[:2], values[2:]):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_a_direction_that_does_not_move():
    node = objectives.binary_crossentropy(T.nnet.sigmoid(Z), T_).owner
    assert node.op.R_op(node.inputs, [None] * 4) == [None]


@pytest.mark.parametrize('name', LOSSES)
def test_direction_of_the_predictions_themselves(name):
    ours, layer, plain = LOSSES[name]
    predictions = layer(Z)
    results = []
    for loss in ours(predictions, T_), plain(predictions, T_):
        first = T.Rop(loss, predictions, T.constant(POINTS[2]))
        results.append([first, T.Rop(first, T_, T.constant(POINTS[1]))])
    ours, plain = [theano.function([Z, T_], result, mode=PYTHON)(*POINTS[:2]) for result in results]
    for got, expected in zip(ours, plain):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('name', LOSSES)
def test_direction_after_the_predictions_were_replaced(name):
    """By what moves with the logits, and by what does not."""
    ours, layer, plain = LOSSES[name]
    for q, wrt in (Q, Q), (Q, T_), (Q, Z), (softmax(Z**2), Z):
        predictions = layer(Z)
        directions = [T.Rop(theano.clone(loss(predictions, T_), {predictions: q}), wrt, T.constant(POINTS[2])) for loss in (ours, plain)]
        got, expected = theano.function([Z, T_, Q], directions, mode=PYTHON, on_unused_input='ignore')(*POINTS)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def accuracies(p, layer):
    labels = T.zeros_like(p[:, 0], dtype='int64')
    return [
        objectives.binary_accuracy(layer(p), T.zeros_like(p)),
        objectives.categorical_accuracy(layer(p), labels),
        objectives.categorical_accuracy(layer(p), T.zeros_like(p)),
        objectives.aggregate(objectives.categorical_accuracy(layer(p), labels)),
    ]


@pytest.mark.parametrize('layer', [lambda p: p, T.nnet.sigmoid, softmax], ids=['plain', 'sigmoid', 'softmax'])
def test_accuracies_do_not_move(layer):
    right = accuracies(Z, layer)
    directions = [T.Rop(one, Z, T.constant(POINTS[1])) for one in right]
    values = theano.function([Z], right + directions, mode=PYTHON, on_unused_input='ignore')(POINTS[0])
    for value, direction in zip(values[: len(right)], values[len(right) :]):
        assert direction.shape == value.shape and not direction.any()


@pytest.mark.parametrize('name', LOSSES)
def test_test_values(name, monkeypatch):
    """Theano computes them as a graph is built, and refuses what has none."""
    monkeypatch.setattr(theano.config, 'cxx', '')  # or it compiles each of them
    ours, layer, _ = LOSSES[name]
    with theano.change_flags(compute_test_value='raise'):
        z, t = T.dmatrix('z'), T.dmatrix('t')
        z.tag.test_value, t.tag.test_value = POINTS[:2]
        loss = ours(layer(z), t)
        gradient = theano.grad(loss.sum(), z)
        results = [loss, gradient, theano.grad((gradient**2).sum(), z), T.Rop(loss, z, T.constant(POINTS[2]))]
        results += accuracies(z, layer)
    values = theano.function([z, t], results, mode=PYTHON)(*POINTS[:2])
    for result, value in zip(results, values):
        np.testing.assert_allclose(result.tag.test_value, value, rtol=1e-10)


def test_missing_test_values():
    """They are missed by Theano, if it is told to."""
    with theano.change_flags(compute_test_value='ignore'):
        predictions = T.nnet.sigmoid(Z)
        loss = objectives.binary_crossentropy(predictions, T_)
        results = [loss, theano.grad(loss.sum(), Z), T.Rop(loss, predictions, Q)]
    assert not any(hasattr(result.tag, 'test_value') for result in results)
    with theano.change_flags(compute_test_value='raise'):
        with pytest.raises((ValueError, AttributeError), match='test value'):
            objectives.binary_crossentropy(T.nnet.sigmoid(Z), T_)


def test_accuracies_are_constant():
    """In the predictions, whether or not these are made of logits, and in the logits."""
    for predictions, wrt in (softmax(Z), Z), (softmax(Z).reshape((3, 2, 2)), Z), (T.nnet.sigmoid(Z), Z), (Q, Q):
        labels = T.zeros_like(predictions[..., 0], dtype='int64')
        right = objectives.categorical_accuracy(predictions, labels)
        total = objectives.aggregate(right)
        gradient = theano.function(
            [Z, Q], [total, theano.grad(total, wrt), theano.grad(total, predictions)], mode=PYTHON, on_unused_input='ignore'
        )(POINTS[0], POINTS[1])
        assert 0 <= gradient[0] <= 1 and not gradient[1].any() and not gradient[2].any()


def test_without_optimizer_but_with_a_compiler():
    loss = objectives.binary_crossentropy(T.nnet.sigmoid(Z), 0.0)
    value = theano.function([Z], loss, mode=theano.Mode(optimizer=None))([[1e4, -1e4]])
    np.testing.assert_array_equal(value, [[1e4, 0]])


def test_scan_in_scan_is_resolved():
    def inner(z, t):
        return objectives.binary_crossentropy(T.nnet.sigmoid(z), t)

    def outer(z, t):
        return theano.scan(inner, [z, t])[0]

    losses = theano.scan(outer, [Z, T_])[0]
    z = np.array([[1e4, -1e4]])
    for mode in 'FAST_COMPILE', theano.compile.mode.Mode(linker='py', optimizer='fast_run'):
        np.testing.assert_array_equal(theano.function([Z, T_], losses, mode=mode)(z, [[0.0, 0.0]]), [[1e4, 0]])


def test_empty_rows_and_no_classes():
    odds = softmax_log_odds.softmax_log_odds(Z)
    function = theano.function([Z], [odds, theano.grad(odds.sum(), Z)], mode=PYTHON)
    assert [a.shape for a in function(np.ones((0, 3)))] == [(0, 3)] * 2
    rank = theano.function([Z], target_rank.target_rank(Z, np.array([0, 1])), mode=PYTHON)
    assert (rank(np.ones((2, 0))) == target_rank.NEVER).all()
    top = theano.function([Z], top_class.top_class(Z), mode=PYTHON)
    assert (top(np.ones((2, 0))) == -1).all()


def test_one_data_point_as_a_vector():
    v = T.dvector()
    loss = objectives.binary_crossentropy(T.exp(v) / T.exp(v).sum(), [1.0, 0.0, 0.0])
    value = theano.function([v], loss, mode=PYTHON)([1000.0, 0.0, 0.0])
    np.testing.assert_allclose(value, [0, 0, 0], atol=1e-12)


def test_arguments_that_nobody_else_passes():
    assert arguments.align_targets(1, Z) == (1, Z)
    with pytest.raises(ValueError, match='delta must be a scalar or broadcast'):
        objectives.huber_loss(T.dvector(), T.dvector(), delta=Z)
    with pytest.raises(ValueError, match='axis must be an integer'):
        objectives.categorical_accuracy(Z, T.lvector(), axis='rows')
    with pytest.raises(ValueError, match=r'got \(3, 2\) and \(1, \?\)'):
        objectives.categorical_crossentropy(np.ones((3, 2)), T.TensorType('float64', (True, False))())


# Predictions that X is in, but that do not depend on it
X = T.dmatrix('x')
NEITHER_HERE_NOR_THERE = {
    'times zero': lambda p: p + 0 * X,
    'divided again': lambda p: p * X / X,
    'added and subtracted': lambda p: p + X - X,
    'complement': lambda p: 1 - (p + 0 * X),
    'power of zero': lambda p: p * X**0,
    'not chosen': lambda p: T.switch(1, p, X),
    'overwritten': lambda p: T.set_subtensor(X[:], p),
    'moved': lambda p: (p + 0 * X).T[::-1],
    'computed': lambda p: p + 0 * T.dot(X, X.T).sum(),
}


WITHOUT_X = {'complement': lambda p: 1 - p, 'moved': lambda p: p.T[::-1]}
REWRITTEN = theano.Mode(linker='py', optimizer='fast_compile')


@pytest.mark.parametrize('mode', [PYTHON, REWRITTEN], ids=['no optimizer', 'rewritten'])
@pytest.mark.parametrize('layer', [T.nnet.sigmoid, softmax], ids=['sigmoid', 'softmax'])
@pytest.mark.parametrize('name', NEITHER_HERE_NOR_THERE)
def test_gradient_of_what_cancels_is_zero(name, layer, mode):
    """As the plain formula's is; not a DisconnectedInputError. The other gradients are what they would be without it."""
    p = NEITHER_HERE_NOR_THERE[name](layer(Z))
    q = WITHOUT_X.get(name, lambda p: p)(layer(Z))
    losses = [objectives.binary_crossentropy(one, 0.25) for one in (p, q)]
    results = [theano.grad(losses[0].sum(), X), T.Rop(losses[0], X, Q), losses[0], theano.grad(losses[0].sum(), Z), T.Rop(losses[0], Z, Q)]
    results += [losses[1], theano.grad(losses[1].sum(), Z), T.Rop(losses[1], Z, Q)]
    values = theano.function([Z, X, Q], results, mode=mode, on_unused_input='ignore')(*[point[:, :3] for point in POINTS])
    for nothing in values[:2]:
        np.testing.assert_array_equal(nothing, np.zeros((3, 3)))
    for got, expected in zip(values[2:5], values[5:]):
        np.testing.assert_array_equal(got, expected)


def test_nothing_is_flat_in_what_is_made_of_the_logits():
    """As the largest of them, which many subtract: no gradient need be sent back there."""
    for p in softmax(Z - Z.max(axis=1, keepdims=True)), softmax(T.dot(Z, Z.T)), T.nnet.sigmoid(Z) * T.ones_like(Z), 1 - T.nnet.sigmoid(Z):
        assert isinstance(objectives.binary_crossentropy(p, T_).owner.op, stable.FromLogits)


def test_what_cancels_in_a_scan():
    def step(z, x, t):
        return objectives.binary_crossentropy(T.nnet.sigmoid(z) + 0 * x, t)

    losses = theano.scan(step, [Z, X, T_])[0]
    gradients = theano.grad(losses.sum(), [Z, X])
    z, zero = np.array([[1e4, -1e4]]), np.zeros((1, 2))
    for mode in PYTHON, REWRITTEN:
        got = theano.function([Z, X, T_], [losses] + gradients, mode=mode)(z, z, zero)
        np.testing.assert_array_equal(got, [[[1e4, 0]], [[1, 0]], zero])


def test_accuracies_are_flat_in_what_cancels():
    right = objectives.categorical_accuracy(softmax(Z) + 0 * X, T.zeros_like(Z))
    gradient = theano.grad(objectives.aggregate(right), X)
    assert not gradient.eval({Z: POINTS[0], X: POINTS[1]}).any()


def test_predictions_are_made_of_their_log_probabilities():
    log_p = T.dvector()
    made = stable.LogProbabilities(True).predictions(log_p)
    np.testing.assert_allclose(made.eval({log_p: np.log([0.25, 1.0])}), [0.25, 1.0])
