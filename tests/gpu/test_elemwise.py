"""Element-wise Ops on the GPU refuse what those on the CPU refuse: an axis of length 1 that nobody promised is not repeated."""

import lasagne_objectives as lo
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne_objectives.kernels.gpu.elemwise import StrictGpuElemwise

COLUMN, ROW, MATRIX = np.full((4, 1), 0.5, 'float32'), np.full((1, 4), 0.25, 'float32'), np.full((4, 4), 0.75, 'float32')


def strict(function):
    return [node for node in function.maker.fgraph.apply_nodes if isinstance(node.op, StrictGpuElemwise)]


@pytest.fixture(scope='module', params=['FAST_RUN', 'FAST_COMPILE'])
def product(request):
    """A function of two matrices: one Op that works in the memory of an operand, or several that depend on each other."""
    x, y = T.fmatrices('x', 'y')
    return theano.function([x, y], T.exp(x * 2) * T.sqr(y) + x, mode=request.param)


def expected(x, y):
    return np.exp(x * 2) * np.square(y) + x


PAIRS = [(COLUMN, MATRIX), (MATRIX, COLUMN), (COLUMN, ROW), (ROW, COLUMN), (ROW, MATRIX)]


@pytest.mark.parametrize('x, y', PAIRS, ids=lambda a: str(a.shape))
def test_lengths_that_nobody_promised_to_be_1(product, x, y):
    assert strict(product)
    with pytest.raises(ValueError, match='lengths'):
        product(x, y)
    np.testing.assert_allclose(product(MATRIX, MATRIX), expected(MATRIX, MATRIX), rtol=1e-6)
    np.testing.assert_allclose(product(COLUMN, COLUMN), expected(COLUMN, COLUMN), rtol=1e-6)
    assert product(MATRIX[:0], MATRIX[:0]).shape == (0, 4)


def test_promised_lengths_are_repeated():
    x, row, column = T.fmatrix('x'), T.frow('row'), T.fcol('column')
    function = theano.function([x, row, column], x * row + column)
    np.testing.assert_allclose(function(MATRIX, ROW, COLUMN), MATRIX * ROW + COLUMN)
    np.testing.assert_allclose(function(ROW, ROW, ROW[:, :1]), ROW * ROW + ROW[:, :1])
    assert strict(theano.function([row, column], T.exp(row) + column)) == []


def test_without_the_rewrites_of_this_package_it_is_theanos_own():
    x, y = T.fmatrices('x', 'y')
    mode = theano.compile.get_mode('FAST_RUN').excluding('lasagne_objectives')
    assert strict(theano.function([x, y], x * y, mode=mode)) == []


@pytest.mark.parametrize('loss', [lo.squared_error, lo.binary_crossentropy, lo.huber_loss, lo.binary_hinge_loss])
def test_a_column_of_predictions_and_a_vector_of_labels(loss):
    """The accident of networks with one output: on no device n x n losses come of it."""
    predictions, labels = T.fmatrix('predictions'), T.fvector('labels')
    value = loss(predictions, labels)
    function = theano.function([predictions, labels], [value, theano.grad(value.mean(), predictions)])
    with pytest.raises(ValueError):
        function(COLUMN, COLUMN[:, 0])
