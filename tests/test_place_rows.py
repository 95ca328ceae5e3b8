"""Losses of some of the rows, chosen by index: their gradient is written to where they came from."""

import functools

import numpy as np
import pytest

import lasagne_objectives as objectives
import theano
import theano.tensor as T
from lasagne_objectives.kernels import place_rows, softmax_crossentropy, top_class

from compiled import ALL_REWRITES
from device import of_the_cpu
from reference import softmax

pytestmark = of_the_cpu

COMPILED = theano.compile.mode.get_mode('FAST_RUN')


@functools.lru_cache(maxsize=None)
def function_of(dtype):
    z, t, chosen = T.matrix(dtype=dtype), T.ivector(), T.lvector()
    loss = objectives.categorical_crossentropy(T.nnet.softmax(z[chosen]), t[chosen]).sum()
    return theano.function([z, t, chosen], [loss, theano.grad(loss, z)], mode=COMPILED)


def places(function):
    return [node for node in function.maker.fgraph.apply_nodes if isinstance(node.op, place_rows.PlaceRows)]


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('shape', [(8, 5), (1, 3), (700, 200), (5, 1)], ids=str)
def test_values_and_gradients(dtype, shape):
    function = function_of(dtype)
    assert len(places(function)) == 1
    rng = np.random.RandomState(3)
    z = rng.randn(*shape).astype(dtype)
    t = rng.randint(0, shape[1], shape[0]).astype('int32')
    some = rng.permutation(shape[0])[: shape[0] // 2 + 1]
    # some rows, each once; some of them often; counted from the end; none
    for chosen in some, np.repeat(some, 3)[::-1], some - shape[0], some[:0]:
        _, gradient = function(z, t, chosen)
        expected = np.zeros(shape)
        np.add.at(expected, chosen, (softmax(z.astype('f8')) - np.eye(shape[1])[t])[chosen])
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6 if dtype == 'float32' else 1e-13)


@functools.lru_cache(maxsize=None)
def in_c_and_in_python(ndim, dtype, of_length):
    rows, indices, length = T.TensorType(dtype, [False] * ndim)(), T.TensorType('int8', [False])(), T.scalar(dtype=of_length)
    placed = place_rows.PlaceRows()(rows, indices, length)
    return [theano.function([rows, indices, length], [placed, placed.shape], mode=theano.Mode(linker, None)) for linker in ('c', 'py')]


@pytest.mark.parametrize('ndim, dtype, of_length', [(1, 'float64', 'int64'), (2, 'float32', 'int16'), (3, 'float64', 'uint8')])
def test_the_same_in_numpy(ndim, dtype, of_length):
    functions = in_c_and_in_python(ndim, dtype, of_length)
    rng = np.random.RandomState(4)
    for shape, length in ((6, 5, 2), 9), ((6, 5, 2), 3), ((0, 5, 2), 4), ((0, 5, 2), 0), ((3, 0, 2), 4):
        rows = rng.randint(-9, 9, shape[:ndim]).astype(dtype)
        indices = rng.randint(-length, max(length, 1), len(rows)).astype('int8')
        for laid_out in rows, np.asfortranarray(rows), np.repeat(rows, 2, axis=-1)[..., ::2]:
            for got, expected in zip(*[function(laid_out, indices, length) for function in functions]):
                np.testing.assert_array_equal(got, expected)
    for function in functions:
        for index in 3, -4:
            with pytest.raises(IndexError, match='index %d is out of bounds' % index):
                function(np.ones((2, 5, 2)[:ndim], dtype), [0, index], 3)
        with pytest.raises(ValueError, match='3 indices of 2 rows'):
            function(np.ones((2, 5, 2)[:ndim], dtype), [0, 1, 2], 3)


def test_what_is_something_else_stays():
    z, t, chosen = T.fmatrix(), T.ivector(), T.lvector()
    number, rows = T.fscalar(), T.fmatrix()
    gradient = softmax_crossentropy.softmax_crossentropy_gradient(z[chosen], t, number)
    zeros, error = T.zeros_like(z), objectives.squared_error(z[chosen], rows).sum()
    cases = {
        'a gradient': T.inc_subtensor(zeros[chosen], gradient),
        'of element-wise losses': [error, theano.grad(error, z)],
        'set': T.set_subtensor(zeros[chosen], gradient),
        'no zeros': T.inc_subtensor(T.ones_like(z)[chosen], gradient),
        'something else': T.inc_subtensor(z[chosen], gradient),
        'an input': T.inc_subtensor(zeros[chosen], rows),
        'a product': T.inc_subtensor(zeros[chosen], T.dot(rows, z)),
        'of another type': T.inc_subtensor(T.zeros_like(z, dtype='float64')[chosen], gradient),
        'of another width': T.inc_subtensor(T.zeros((10, rows.shape[1]), dtype='float32')[chosen], gradient),
        'repeated': T.inc_subtensor(zeros[chosen], T.addbroadcast(gradient, 1)),
        'along the other axis': T.inc_subtensor(zeros[:, chosen], gradient),
        'of whole numbers': T.inc_subtensor(T.zeros((9,), 'int64')[chosen], top_class.top_class(z)),
        'what is not zero': T.inc_subtensor(T.maximum(0, rows[0])[chosen], softmax_crossentropy.softmax_crossentropy(z, t)),
    }
    inputs = [z, t, chosen, number, rows]
    with theano.configparser.change_flags(on_opt_error='raise'):
        functions = {name: theano.function(inputs, output, mode=ALL_REWRITES, on_unused_input='ignore') for name, output in cases.items()}
    assert [name for name in functions if places(functions[name])] == ['a gradient', 'of element-wise losses']


def test_debug_mode_finds_nothing():
    rows, indices = T.fmatrix(), T.ivector()
    placed = place_rows.PlaceRows()(2 * rows, indices, T.constant(7))
    mode = theano.compile.debugmode.DebugMode(optimizer='fast_run', check_py_code=True, stability_patience=1)
    got = theano.function([rows, indices], placed, mode=mode)(np.ones((3, 2), 'float32'), np.array([6, 0, 6], 'int32'))
    np.testing.assert_array_equal(got[:, 0], [2, 0, 0, 0, 0, 0, 4])
