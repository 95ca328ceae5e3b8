"""The softmax of a matrix in another shape, as recurrent networks have it: one kernel keeps its rows and gives their gradient back."""

import functools

import numpy as np
import pytest

import lasagne_objectives as objectives
import lasagne_objectives.kernels.merge  # the rewrites, before one of the losses brings them
import theano
import theano.tensor as T
from lasagne_objectives.kernels import keep_rows, kept_rows, softmax_crossentropy
from lasagne_objectives.kernels.averaged import Averaged

import reference
from compiled import ALL_REWRITES, assert_same, in_c_and_numpy, kernels_in
from device import of_the_cpu
from reference import softmax

COMPILED = theano.compile.mode.get_mode('FAST_RUN')
REWRITTEN = ALL_REWRITES.excluding('local_reshape_to_dimshuffle')

# A matrix, and what it is reshaped to: rows are whole, or torn.
SHAPES = [
    ((12, 5), (3, 4, 5)),
    ((12, 5), (-1, 2, 5)),
    ((700, 200), (7, 100, 200)),
    ((12, 5), (5, 4, 3)),
    ((6, 4), (2, -1, 2)),
    ((3, 4), (2, 1, 6)),
    ((4, 1), (2, 2, 1)),
    ((4, 1), (2, 1, 2)),
    ((0, 3), (0, 2, 3)),
]


def expected_of(z, shape, t, weights):
    """The losses, and the gradient of their weighted sum."""
    z = z.astype('float64')
    p = softmax(z)
    losses = reference.categorical_crossentropy(p.reshape(shape), t).value
    shape = p.reshape(shape).shape
    hot = np.eye(shape[-1])[t] if t.ndim < len(shape) else t
    pull = -(weights[..., np.newaxis] * hot).reshape(z.shape)
    return losses, pull - p * pull.sum(axis=1, keepdims=True)


def outputs_of(z, shape, t, weights):
    p = T.nnet.softmax(z).reshape(shape, ndim=3)
    losses = objectives.categorical_crossentropy(p, t)
    return losses, (losses * weights).sum()


@functools.lru_cache(maxsize=None)
def function_of(dtype, dense, logits_are_free=False):
    z, shape, weights = T.matrix(dtype=dtype), T.lvector(), T.matrix(dtype=dtype)
    t = T.tensor3(dtype=dtype) if dense else T.imatrix()
    # of an Op that no rewrite moves, as the logits of a network are
    logits = T.extra_ops.cumsum(z, axis=0) if logits_are_free else z
    losses, total = outputs_of(logits, shape, t, weights)
    return theano.function([z, shape, t, weights], [losses, theano.grad(total, logits)], mode=COMPILED)


def data_of(matrix, shape, dtype, dense):
    rng = np.random.RandomState(1)
    z = (rng.randn(*matrix) * 3).astype(dtype)
    shape = z.reshape(shape).shape
    t = rng.rand(*shape).astype(dtype) if dense else rng.randint(0, shape[2], shape[:2]).astype('int32')
    return z, t, rng.randn(*shape[:2]).astype(dtype)


def kept(function):
    return kernels_in(function, kept_rows.KeptRows)


def keeps(function):
    return [node for node in function.maker.fgraph.apply_nodes if isinstance(node.op, (keep_rows.KeepRows, keep_rows.KeepRowsGradient))]


@pytest.mark.parametrize('matrix, shape', SHAPES)
@pytest.mark.parametrize('dtype, dense', [('float32', False), ('float64', True)])
def test_values_and_gradients(dtype, dense, matrix, shape):
    z, t, weights = data_of(matrix, shape, dtype, dense)
    function = function_of(dtype, dense)
    expected = expected_of(z, shape, t, weights)
    rtol, atol = (1e-5, 1e-5) if dtype == 'float32' else (1e-11, 1e-13)
    for logits in z, np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::2]:
        before = logits.copy()
        for got, exact in zip(function(logits, np.array(shape), t, weights), expected):
            np.testing.assert_allclose(got, exact, rtol=rtol, atol=atol)
        np.testing.assert_array_equal(logits, before)


@of_the_cpu
@pytest.mark.parametrize('dtype, dense', [('float32', False), ('float64', True)])
def test_one_op_does_it(dtype, dense):
    function = function_of(dtype, dense)
    assert len(kept(function)) == 1 and keeps(function) == []
    assert str(kept(function)[0]) == 'KeptRows{SoftmaxCrossentropyWithGradient{axis=2, inplace=False}}'


@of_the_cpu
def test_logits_are_overwritten_where_nothing_reads_them_later():
    function = function_of('float32', False, logits_are_free=True)
    assert [op.kernel.inplace for op in kept(function)] == [True]
    for matrix, shape in SHAPES:
        z, t, weights = data_of(matrix, shape, 'float32', False)
        got = function(z, np.array(shape), t, weights)
        for one, exact in zip(got, expected_of(np.cumsum(z, axis=0), shape, t, weights)):
            np.testing.assert_allclose(one, exact, rtol=1e-4, atol=1e-4)


@of_the_cpu
def test_a_loss_or_a_gradient_alone():
    z, shape, t = T.dmatrix(), T.lvector(), T.imatrix()
    losses, total = outputs_of(z, shape, t, 1)
    x, indices, _ = data_of((12, 5), (3, 4, 5), 'float64', False)
    for outputs in [losses], [total], [theano.grad(total, z)], [total, theano.grad(total, z)]:
        function = theano.function([z, shape, t], outputs, mode=COMPILED)
        assert len(kept(function)) == 1 and keeps(function) == []
        for target, labels in ((3, 4, 5), indices), ((5, 4, 3), np.zeros((5, 4), 'int32')):
            losses_of, gradient = expected_of(x, target, labels, np.ones(labels.shape))
            for variable, got in zip(outputs, function(x, np.array(target), labels)):
                exact = {0: losses_of.sum(), 2: losses_of if variable is losses else gradient}[variable.ndim]
                np.testing.assert_allclose(got, exact, rtol=1e-11, atol=1e-13)


@of_the_cpu
def test_the_mean_of_what_was_reshaped_to_a_matrix():
    """The gradient of a mean is one number for all data points. Of three axes the last is kept, or torn."""
    z, shape, t = T.dtensor3(), T.lvector(), T.ivector()
    e = T.exp(z - z.max(axis=2, keepdims=True))
    p = (e / e.sum(axis=2, keepdims=True)).reshape(shape, ndim=2)
    loss = objectives.categorical_crossentropy(p, t).mean()
    function = theano.function([z, shape, t], [loss, theano.grad(loss, z)], mode=COMPILED)
    (op,) = kernels_in(function, Averaged)
    assert kept(function) == [op.kernel] and op.numbers == 1
    x = np.random.RandomState(6).randn(4, 3, 6)
    for target in (12, 6), (18, 4):
        indices = np.arange(target[0], dtype='int32') % target[1]
        losses, gradient = expected_of(x.reshape((12, 6)), target, indices, np.ones(target[0]) / target[0])
        value, slope = function(x, np.array(target), indices)
        np.testing.assert_allclose(value, losses.mean(), rtol=1e-12)
        np.testing.assert_allclose(slope, gradient.reshape(x.shape), rtol=1e-11, atol=1e-14)


@of_the_cpu
def test_what_others_read_too_is_left_alone():
    z, shape, t, whole, torn = T.fmatrix(), T.lvector(), T.imatrix(), T.neq(T.bscalar(), 0), T.neq(T.bscalar(), 0)
    rows = keep_rows.keep_rows(z, whole, 1)
    shaped = rows.reshape(shape, ndim=3)

    def total_of(shaped, whole=whole):
        return softmax_crossentropy.softmax_crossentropy(shaped, t, 2, whole).sum()

    total = total_of(shaped)
    gradient = theano.grad(total, z)
    given_back = [v.owner for v in theano.gof.graph.ancestors([gradient]) if v.owner and isinstance(v.owner.op, keep_rows.KeepRowsGradient)]
    by_others = keep_rows.KeepRowsGradient(1)(2 * z, given_back[0].inputs[1], whole)
    cases = {
        'all of it': [total, gradient],
        'the rows': [total, shaped],
        'as they are kept': [total, rows],
        'the gradient, before it has the shape of the matrix': [total, theano.grad(total, shaped)],
        'when it has it, before it is given back': [total, theano.grad(total, rows)],
        'given back to other logits': [total, by_others],
        'something else between': [total_of(shaped.dimshuffle(1, 0, 2))],
        'not reshaped': [softmax_crossentropy.softmax_crossentropy(rows, t[:, 0], 1, whole)],
        'an axis that is broadcast': [total_of(rows.reshape((-1, 1, 4)))],
        'lengths of another type': [total_of(rows.reshape(T.cast(shape, 'int32'), ndim=3))],
        'classes that are not last': [softmax_crossentropy.softmax_crossentropy(shaped, t, 1, whole)],
        'rows along another axis': [total_of(keep_rows.keep_rows(z, whole, 0).reshape(shape, ndim=3))],
        'another condition': [total_of(shaped, torn)],
        'an input': [total_of(T.ftensor3())],
        'a reshape of an input': [total_of(z.reshape(shape, ndim=3))],
    }
    inputs = [v for v in theano.gof.graph.inputs(sum(cases.values(), [])) if not isinstance(v, theano.Constant)]
    with theano.configparser.change_flags(on_opt_error='raise'):
        functions = {name: theano.function(inputs, outputs, mode=REWRITTEN, on_unused_input='ignore') for name, outputs in cases.items()}
    assert [name for name, function in functions.items() if kept(function)] == ['all of it']


@of_the_cpu
@pytest.mark.parametrize(
    'shape, message', [((3, 4, 6), 'reshape'), ((12, 5), 'a shape of 2 numbers: expected 3'), ((2, 6, 5), r'of shape \(3, 4\) do not fit')]
)
def test_shapes_that_do_not_fit(shape, message):
    function = function_of('float32', False)
    z, t, weights = data_of((12, 5), (3, 4, 5), 'float32', False)
    with pytest.raises(ValueError, match=message):
        function(z, np.array(shape), t, weights)


KERNELS = {
    'loss': (softmax_crossentropy.SoftmaxCrossentropy(2), [T.lmatrix]),
    'gradient': (softmax_crossentropy.SoftmaxCrossentropyGradient(2), [T.dtensor3, T.dmatrix]),
    'in place': (softmax_crossentropy.SoftmaxCrossentropyWithGradient(2, inplace=True), [T.lmatrix, T.dmatrix]),
}


@of_the_cpu
@pytest.mark.parametrize('name', KERNELS)
def test_the_same_in_numpy(name):
    kernel, types = KERNELS[name]
    variables = [T.dmatrix(), T.lvector()] + [one() for one in types]
    results = kept_rows.KeptRows(kernel)(*variables, return_list=True)
    inputs = [theano.In(variables[0], mutable=True, borrow=True)] + variables[1:]
    functions = in_c_and_numpy(inputs, results)
    rng = np.random.RandomState(4)
    z = rng.randn(12, 5)
    for shape in (3, 4, 5), (5, -1, 3):
        points = z.reshape(shape).shape
        operands = {2: rng.randn(*points[:2]), 3: rng.rand(*points)}
        given = [np.array(shape)]
        given += [rng.randint(0, points[2], points[:2]) if v.dtype == 'int64' else operands[v.ndim] for v in variables[2:]]
        assert_same(functions, z, given)


@of_the_cpu
def test_debug_mode_finds_nothing():
    z, shape, t, g = T.dmatrix(), T.lvector(), T.lmatrix(), T.dmatrix()
    results = kept_rows.KeptRows(softmax_crossentropy.SoftmaxCrossentropyWithGradient(2))(2 * z, shape, t, g)
    mode = theano.compile.debugmode.DebugMode(optimizer='fast_run', check_py_code=True, stability_patience=1)
    function = theano.function([z, shape, t, g], results, mode=mode)
    assert [op.kernel.inplace for op in kept(function)] == [True]
    x, indices, weights = data_of((12, 5), (3, 4, 5), 'float64', False)
    assert np.isfinite(function(x, np.array([3, 4, 5]), indices, weights)[1]).all()
    assert np.isfinite(function(x, np.array([5, 4, 3]), np.zeros((5, 4), 'int64'), np.ones((5, 4)))[1]).all()
