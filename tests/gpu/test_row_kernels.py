"""The kernels of rows on the GPU against their NumPy forms, and what is promised of them there."""

import lasagne_objectives as lo
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne_objectives.kernels import class_margin, keep_rows, pick_class, softmax_crossentropy, softmax_log_odds, target_rank, top_class
from lasagne_objectives.kernels.gpu import ops, rewrites
from lasagne_objectives.kernels.moved_rows import MovedRows
from lasagne_objectives.kernels.sweep import Sweep

from test_kernels import COMPILED, PYTHON, SHAPES, UNMERGED, assert_agree, data, ops_of_the_kernels, row_kernels

# Views of arrays on the device, of any steps, that show the same numbers
VIEWS = {
    'contiguous': (lambda a: a, lambda v: v),
    'transposed': (lambda a: np.ascontiguousarray(a.T), lambda v: v.T),
    'backwards': (lambda a: np.ascontiguousarray(a[::-1, ::-1]), lambda v: v[::-1, ::-1]),
    'every other column': (lambda a: np.repeat(a, 2, axis=1), lambda v: v[:, ::2]),
    'every other row': (lambda a: np.repeat(a, 2, axis=0), lambda v: v[::2]),
}


def kernels_of(z, indices, soft, gradient):
    return row_kernels(z, indices, soft, gradient) + [
        softmax_crossentropy.log_softmax(z),
        softmax_log_odds.softmax_log_odds(z),
        softmax_log_odds.softmax_log_odds_gradient(z, soft),
    ]


class Functions(dict):
    """Functions of shared arrays on the device, one for each type and view, into which data are put: compiling takes time."""

    def __missing__(self, key):
        dtype, view, mode = key
        shared = [theano.shared(array) for array in (np.ones((1, 1), dtype), np.zeros(1, int), np.ones((1, 1), dtype), np.ones(1, dtype))]
        z, indices, soft, gradient = shared
        outputs = kernels_of(VIEWS[view][1](z), indices, VIEWS[view][1](soft), gradient)
        self[key] = shared, theano.function([], outputs, mode=COMPILED if mode == 'GPU' else PYTHON)
        return self[key]

    def run(self, dtype, view, mode, z, indices, soft, gradient):
        shared, function = self[dtype, view, mode]
        for variable, value in zip(shared, (VIEWS[view][0](z), indices, VIEWS[view][0](soft), gradient)):
            variable.set_value(value)
        return function()


FUNCTIONS = Functions()


def names(function):
    return [type(node.op).__name__ for node in function.maker.fgraph.toposort()]


def finite_of(values, dtype):
    """Rows without NaN and infinities: what they make of log-odds is another matter, see below."""
    return np.where(np.isfinite(values), values, 0).astype(dtype)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_agree_with_numpy(dtype, view, shape):
    if dtype == 'float64' and view != 'contiguous':
        view = 'transposed'
    values = data(shape, dtype)
    got, expected = [FUNCTIONS.run(dtype, view, how, *values) for how in ('GPU', 'NumPy')]
    assert 'GpuTargetRank' in names(FUNCTIONS[dtype, view, 'GPU'][1])
    for result, wanted in list(zip(got, expected))[:-2]:
        assert_agree(result, wanted, dtype, roundings=16)
    values = (finite_of(values[0], dtype),) + values[1:]
    got, expected = [FUNCTIONS.run(dtype, view, how, *values)[-2:] for how in ('GPU', 'NumPy')]
    for result, wanted in zip(got, expected):
        assert_agree(result, wanted, dtype, roundings=64)


@pytest.mark.parametrize('dtype, beyond', [('int8', -1), ('int64', 2**40), ('uint8', 255), ('uint64', 2**64 - 1)])
def test_an_index_that_names_no_class_makes_nan_of_its_row_and_no_other(dtype, beyond):
    z, i = theano.shared(np.ones((1, 1), 'float32')), theano.shared(np.zeros(1, dtype))
    top_k = T.lscalar()
    outputs = []
    for loss in (
        lo.categorical_crossentropy(T.nnet.softmax(z), i),
        lo.categorical_crossentropy(T.exp(z), i),
        lo.multiclass_hinge_loss(z, i),
    ):
        outputs += [loss, theano.grad(loss.mean(), z)]
    function = theano.function([top_k], outputs + [lo.categorical_accuracy(z, i, top_k=top_k)])
    bad = np.arange(8) % 3 == 1
    for classes in 1, 3, 40, 250:
        z.set_value(np.random.RandomState(0).randn(8, classes).astype('float32'))
        indices = np.minimum(np.arange(8) * 13, classes - 1).astype(dtype)
        indices[bad] = beyond
        i.set_value(indices)
        *losses, accuracy = function(classes)
        for result in losses:
            np.testing.assert_array_equal(np.isnan(result), np.broadcast_to(bad, result.T.shape).T)
        np.testing.assert_array_equal(accuracy, ~bad)


def merged(mode, dtype='float32', weight=lambda rows: rows.mean()):
    z, t = theano.shared(np.ones((4, 3), dtype)), theano.shared(np.array([0, 1, 2, 0]))
    rows = lo.categorical_crossentropy(T.nnet.softmax(z * 2), t)
    loss = weight(rows)
    return theano.function([], [rows.transfer(None), theano.grad(loss, z).transfer(None)], mode=mode)


def test_value_and_gradient_are_one_kernel():
    assert [name for name in names(merged(COMPILED)) if 'Softmax' in name] == ['GpuSoftmaxCrossentropyWithGradient']
    assert sorted(name for name in names(merged(UNMERGED)) if 'Softmax' in name) == [
        'GpuSoftmaxCrossentropy',
        'GpuSoftmaxCrossentropyGradient',
    ]


def test_a_gradient_weighted_by_the_loss_is_another_kernel():
    assert 'GpuSoftmaxCrossentropyWithGradient' not in names(merged(COMPILED, weight=lambda rows: T.sqr(rows.sum())))


def test_float16_is_read_and_written_by_the_kernels():
    function = merged(COMPILED, 'float16')
    (node,) = [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ops.RowKernel)]
    assert [variable.dtype for variable in node.inputs + node.outputs] == ['float16', 'int64', 'float32', 'float32', 'float16']
    separate = merged(UNMERGED, 'float16')
    assert {
        variable.dtype
        for node in separate.maker.fgraph.toposort()
        if isinstance(node.op, ops.RowKernel)
        for variable in node.inputs
        if variable.ndim == 2
    } == {'float32'}
    for got, expected in zip(function(), separate()):
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=2e-3)


def test_float16_is_kept_from_where_its_float32_is_wanted_too():
    """The gradient that is read as float32 is written as that."""
    z, t = theano.shared(np.ones((4, 3), 'float16')), theano.shared(np.array([0, 1, 2, 0]))
    wide = T.cast(z, 'float32')
    gradient = softmax_crossentropy.softmax_crossentropy_gradient(wide, t, np.ones(4, 'float32'))
    function = theano.function([], [gradient.transfer(None), T.cast(gradient, 'float16').transfer(None)])
    (node,) = [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ops.RowKernel)]
    assert node.outputs[0].dtype == 'float32'


@pytest.mark.parametrize('axis', [None, 0, 1])
def test_sums_of_float16(axis):
    """Of which Theano has none on OpenCL. They accumulate in float32."""
    x = theano.shared(np.full((3, 5000), 0.25, 'float16'))
    function = theano.function([], x.sum(axis=axis))
    assert 'GpuCAReduceCPY' in names(function)
    result = np.asarray(function())
    assert result.dtype == 'float16'
    np.testing.assert_array_equal(result, np.full((3, 5000), 0.25).sum(axis=axis).astype('float16'))


@pytest.mark.parametrize(
    'shape, indices, soft, gradient',
    [((4, 3), (5,), (4, 3), (4,)), ((4, 3), (4,), (4, 2), (4,)), ((4, 3), (4,), (3, 3), (4,)), ((4, 3), (4,), (4, 3), (5,))],
    ids=str,
)
def test_shapes_that_differ_are_refused(shape, indices, soft, gradient):
    with pytest.raises(ValueError):
        FUNCTIONS.run(
            'float32',
            'contiguous',
            'GPU',
            np.ones(shape, 'float32'),
            np.zeros(indices, int),
            np.ones(soft, 'float32'),
            np.ones(gradient, 'float32'),
        )


def test_shapes_are_inferred():
    z, indices, soft, gradient = [theano.shared(array) for array in data((4, 3), 'float32')]
    outputs = kernels_of(z, indices, soft, gradient)
    shapes = theano.function([], [T.stack([output.shape[i] for i in range(output.ndim)]) for output in outputs])
    assert not any(isinstance(node.op, ops.RowKernel) for node in shapes.maker.fgraph.toposort())
    assert [tuple(shape) for shape in shapes()] == [
        output.shape for output in FUNCTIONS.run('float32', 'contiguous', 'NumPy', *data((4, 3), 'float32'))
    ]


def test_no_kernel_is_without_a_form_for_the_gpu():
    """Those that are not lifted are always lowered to others before, or come into graphs after the move to the GPU."""
    lowered = {keep_rows.KeepRows, keep_rows.KeepRowsGradient}
    later = {softmax_crossentropy.SoftmaxCrossentropyWithGradient, MovedRows, Sweep}
    assert set(ops_of_the_kernels()) == set(rewrites.LIFTED) | lowered | later


@pytest.mark.parametrize('op', [class_margin.ClassMargin(), pick_class.PickClass(), target_rank.TargetRank()])
def test_what_is_lifted_has_an_op_for_the_gpu(op):
    z, i = theano.shared(np.ones((4, 3), 'float32')), theano.shared(np.zeros(4, 'int16'))
    assert names(
        theano.function([], op(z, i).transfer(None) if not isinstance(op, class_margin.ClassMargin) else op(z, i)[0].transfer(None))
    ) == ['Gpu' + type(op).__name__]


def test_a_one_hot_row_stands_for_its_largest_entry():
    rows = np.array([[0, 1, 0], [1, 1, 0], [np.nan, 0, 1], [0, 1, np.nan], [-np.inf] * 3, [np.inf, 0, np.inf]], 'float32')
    function = theano.function([], top_class.top_class(theano.shared(rows)))
    assert 'GpuTopClass' in names(function)
    assert function().tolist() == [1, 0, -1, -1, 0, 0]
