"""The kernels of classes on the GPU against their NumPy forms, and what is promised of them there."""

import lasagne_objectives as lo
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne_objectives.kernels import class_margin, pick_class, softmax_crossentropy, softmax_log_odds, target_rank, top_class
from lasagne_objectives.kernels.averaged import Averaged
from lasagne_objectives.kernels.gpu import moved_rows, ops, rewrites
from lasagne_objectives.kernels.kept_rows import KeptRows
from lasagne_objectives.kernels.moved_rows import MovedRows
from lasagne_objectives.kernels.place_rows import PlaceRows
from lasagne_objectives.kernels.summed import Summed
from lasagne_objectives.kernels.sweep import Sweep
from theano.gpuarray import basic_ops

from test_cuda_source import nodes_of_indices, other_nodes
from test_kernels import (
    COMPILED,
    PYTHON,
    SHAPES,
    UNMERGED,
    assert_agree,
    data,
    image_kernels,
    ops_of_the_kernels,
    row_kernels,
    torn_kernels,
)

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


# How images with their classes at axis 1 lie on the device: the array that is put there, from an image, and the image, from that.
LAYOUTS = {
    'channels first': (np.ascontiguousarray, lambda v: v),
    'channels last': (lambda a: np.moveaxis(a, 1, -1), lambda v: v.dimshuffle(0, 3, 1, 2)),
    'Fortran': (lambda a: np.ascontiguousarray(a.T), lambda v: v.T),
    'no two axes are one': (lambda a: a.transpose(3, 1, 0, 2), lambda v: v.dimshuffle(2, 1, 3, 0)),
    'a part of the pixels': (lambda a: np.repeat(a, 2, axis=3), lambda v: v[..., ::2]),
    'backwards': (lambda a: a[:, ::-1, ::-1], lambda v: v[:, ::-1, ::-1]),
}


def on_device(dtype, layout):
    """Shared variables to put images into, and what the kernels are to be given."""
    show = LAYOUTS[layout][1]
    shared = [theano.shared(np.zeros((1,) * ndim, kind)) for ndim, kind in ((4, dtype), (3, 'int32'), (4, dtype), (3, dtype))]
    z, indices, soft, gradient = shared
    return shared, (show(z), indices, show(soft), gradient)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_any_class_axis_agrees_with_numpy(layout):
    shared, operands = on_device('float32', layout)
    functions = [theano.function([], image_kernels(*operands), mode=mode) for mode in (COMPILED, PYTHON)]
    assert any(isinstance(node.op, ops.GpuClassKernel) and node.op.axis == 1 for node in functions[0].maker.fgraph.toposort())
    rng = np.random.RandomState(0)
    for shape in (0, 3, 2, 2), (2, 1, 5, 7), (3, 5, 5, 7), (2, 60, 3, 1), (1, 700, 4, 10), (9, 50, 1, 1), (2, 21, 40, 33):
        points = shape[:1] + shape[2:]
        z, soft = rng.randn(*shape) * 9, rng.randn(*shape)
        values = LAYOUTS[layout][0](z), rng.randint(0, shape[1], points), LAYOUTS[layout][0](soft), rng.randn(*points)
        for variable, value in zip(shared, values):
            variable.set_value(value.astype(variable.dtype))
        for got, expected in zip(*[function() for function in functions]):
            assert_agree(got, expected, 'float32', roundings=64)


@pytest.mark.parametrize('whole', [False, True])
def test_rows_that_may_be_torn_agree_with_numpy(whole):
    rng = np.random.RandomState(1)
    z, soft = [theano.shared(rng.randn(4, 7, 9).astype('float32')) for _ in range(2)]
    indices, gradient = theano.shared(rng.randint(0, 7, (4, 9))), theano.shared(rng.randn(4, 9).astype('float32'))
    flag = T.bscalar()
    outputs = torn_kernels(z, indices, soft, gradient, T.neq(flag, 0))
    compiled, numpy = [theano.function([flag], outputs, mode=mode) for mode in (COMPILED, PYTHON)]
    assert {'GpuKeepRows', 'GpuKeepRowsGradient'} <= set(names(compiled))
    for got, expected in zip(compiled(whole), numpy(whole)):
        assert_agree(got, expected, 'float32', roundings=16)


@pytest.mark.parametrize('layout, strides', [('channels first', (240, 80, 20, 4)), ('channels last', (240, 4, 60, 12))])
def test_a_gradient_lies_in_memory_as_its_logits_do(layout, strides):
    (shared, *_), (z, *_) = on_device('float32', layout)
    shared.set_value(LAYOUTS[layout][0](np.ones((2, 3, 4, 5), 'float32')))
    t, g = theano.shared(np.ones((2, 4, 5), int)), theano.shared(np.ones((2, 4, 5), 'float32'))
    gradient = softmax_crossentropy.softmax_crossentropy_gradient(z, t, g)
    assert theano.function([], gradient.transfer(None))().strides == strides


def written_out(z, axis):
    return T.exp(z) / T.exp(z).sum(axis=axis, keepdims=True)


# Ways to write a loss of classes that are not last, or of rows that a reshape makes: logits, class indices, and the class axis.
WAYS = {
    'pixels': ((2, 3, 4, 5), (2, 4, 5), lambda z: written_out(z, 1), 1),
    'time first': ((5, 3, 4), (3, 4), lambda z: written_out(z, 0), 0),
    'sequences': ((2, 3, 4), (2, 3), lambda z: T.nnet.softmax(z.reshape((-1, 4))).reshape(z.shape), -1),
    'pixels as rows': ((2, 3, 4, 5), (40,), lambda z: T.nnet.softmax(z.dimshuffle(0, 2, 3, 1).reshape((-1, 3))), 1),
}


@pytest.mark.parametrize('way', WAYS)
def test_one_kernel_and_no_copy(way):
    shape, points, softmax, axis = WAYS[way]
    z, t = theano.shared(np.zeros(shape, 'float32')), theano.shared(np.zeros(points, 'int32'))
    loss = lo.categorical_crossentropy(softmax(z), t, axis=axis).mean()
    nodes = theano.function([], [loss, theano.grad(loss, z).transfer(None)]).maker.fgraph.toposort()
    (kernel,) = [node.op for node in nodes if 'Softmax' in str(node.op)]
    assert type(kernel.kernel if way == 'pixels as rows' else kernel) is ops.GpuSoftmaxCrossentropyWithGradient
    assert not any(type(node.op).__name__ == 'GpuContiguous' for node in nodes)
    # A reshape of moved axes copies them.
    assert not any(isinstance(node.op, T.Reshape) and node.inputs[0].ndim == 4 and node.outputs[0].ndim == 2 for node in nodes)


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
    (node,) = [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ops.GpuClassKernel)]
    assert [variable.dtype for variable in node.inputs + node.outputs] == ['float16', 'int64', 'float32', 'float32', 'float16']
    separate = merged(UNMERGED, 'float16')
    assert {
        variable.dtype
        for node in separate.maker.fgraph.toposort()
        if isinstance(node.op, ops.GpuClassKernel)
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
    (node,) = [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ops.GpuClassKernel)]
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
    assert not any(isinstance(node.op, ops.GpuClassKernel) for node in shapes.maker.fgraph.toposort())
    assert [tuple(shape) for shape in shapes()] == [
        output.shape for output in FUNCTIONS.run('float32', 'contiguous', 'NumPy', *data((4, 3), 'float32'))
    ]


def test_no_kernel_is_without_a_form_for_the_gpu():
    """Those that are not lifted come into graphs after the move to the GPU."""
    later = {softmax_crossentropy.SoftmaxCrossentropyWithGradient, Averaged, KeptRows, MovedRows, PlaceRows, Summed, Sweep}
    assert set(ops_of_the_kernels()) == set(rewrites.LIFTED) | later


def moved_nodes():
    """Kernels of rows of an array whose axes were moved: of the array alone, and of rows that may be torn."""
    z, shape = theano.shared(np.ones((2, 3, 4), 'float32')), theano.shared(np.array([6, 4]))
    t, whole = theano.shared(np.zeros(6, int)), theano.shared(True)
    return [
        moved_rows.GpuMovedRows(ops.GpuTopClass()).make_node(basic_ops.as_gpuarray_variable(z, None), shape),
        moved_rows.GpuMovedRows(ops.GpuSoftmaxCrossentropy()).make_node(
            *[basic_ops.as_gpuarray_variable(z, None), shape, basic_ops.as_gpuarray_variable(t, None), whole]
        ),
    ]


def test_c_code_is_written_for_every_kernel():
    """Also where a compiled module is at hand already and Theano would not ask for it."""
    for node in nodes_of_indices('float32', 'int32') + other_nodes('float32') + moved_nodes():
        given, made = ['given%d' % i for i in range(len(node.inputs))], ['made%d' % i for i in range(len(node.outputs))]
        code = node.op.c_code(node, 'name', given, made, {'fail': 'FAILED'})
        assert all(name in code for name in given + made + ['FAILED', 'call_name'])
        assert len(node.op.gpu_kernels(node, 'name')) == 1 and node.op.c_code_cache_version()
        assert 'lo_lay_out' in node.op.c_support_code() and '<gpuarray_helper.h>' in node.op.c_headers() and node.op.c_header_dirs()


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
