"""Compiling once what many tests look at: modes by name, and functions by name."""

import numpy as np

import theano
import theano.tensor as T

from cases import REWRITTEN
from device import ON_GPU

MODES = ['FAST_RUN', 'FAST_COMPILE', 'no optimizer']

# All rewrites of FAST_RUN and nothing to compile, to look at a graph.
ALL_REWRITES = theano.Mode(linker='py', optimizer='fast_run')


# What is a matter of the graph alone needs no compiler, and compiling is what takes time: these run in Python.
REWRITES = ['fast_run in Python', 'FAST_COMPILE', 'no optimizer']

if ON_GPU:
    # Every Op is compiled there, a second each, and the rewrites of FAST_COMPILE are among those of FAST_RUN. Without an optimizer
    # nothing is on the GPU.
    MODES = REWRITES = ['FAST_RUN']


def mode_of(name):
    """The mode of that name.

    'fast_run in Python' lacks fusion, which makes nodes of more inputs than NumPy's 32.
    """
    if name == 'fast_run in Python':
        if ON_GPU:
            return 'FAST_RUN'
        return REWRITTEN.excluding('fusion')
    return theano.compile.mode.Mode(linker='py', optimizer=None) if name == 'no optimizer' else name


def tensor(dtype, ndim, name=None):
    return T.TensorType(dtype, (False,) * ndim)(name)


def layers_of(op):
    """An Op, the kernel that it is around, the kernel that that is around, and so on."""
    return [op] + (layers_of(op.kernel) if isinstance(op, theano.gof.Op) and hasattr(op, 'kernel') else [])


def kernel_of(op):
    """An Op, or the kernel that it is around."""
    return layers_of(op)[-1]


def kernels_in(function, kind):
    """The Ops of a kind in a function, those that others are around included."""
    return [op for node in function.maker.fgraph.toposort() for op in layers_of(node.op) if isinstance(op, kind)]


def in_c_and_numpy(inputs, results):
    """Functions of what an Op makes, just as it is, by its C code and by its NumPy form."""
    return [theano.function(inputs, results, mode=theano.Mode(linker, None), accept_inplace=True) for linker in ('c', 'py')]


def assert_same(functions, array, others):
    """Such functions of an array that lies in memory in one way or another, which they may overwrite, and of others."""
    for laid_out in array, np.asfortranarray(array):
        for got, expected in zip(*[function(laid_out.copy(order='K'), *others) for function in functions]):
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


def with_gradient(loss, z):
    """The loss, and the derivative of its sum. Each element's or row's own gradient can be read off it."""
    return [loss, theano.grad(loss.sum(), z)]


class Functions(object):
    """Functions of the same inputs, each built and compiled when it is first wanted: `build` says the outputs for a name.

    Asked again for the same name, for other values say, it compiles nothing. What fails to be built fails in the test that wants it.
    """

    def __init__(self, inputs, build, mode, floatX=theano.config.floatX):
        self.inputs, self.build, self.mode, self.floatX, self.functions = inputs, build, mode_of(mode), floatX, {}

    def __call__(self, name, *values):
        if name not in self.functions:
            with theano.change_flags(floatX=self.floatX):
                self.functions[name] = theano.function(self.inputs, self.build(name), mode=self.mode, on_unused_input='ignore')
        return self.functions[name](*values)
