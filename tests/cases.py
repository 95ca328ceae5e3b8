"""The losses, the layouts and the data that several test files go through, and the few lines that compile and compare them."""

import functools
from collections import namedtuple

import lasagne_objectives  # before theano, which Python 3.11 cannot import unaided
import numpy as np
import theano
import theano.tensor as T

import reference
from device import ON_GPU

FLOATS = ['float16', 'float32', 'float64']
DISCRETE = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64']

# Nothing is optimized and nothing reaches the C compiler: such a function is ready in milliseconds, where FAST_RUN takes seconds.
PY = theano.Mode(linker='py', optimizer=None)
# The rewrites of FAST_COMPILE and FAST_RUN, carried out in Python: what an optimizer makes of a formula is seen without a wait for the
# C compiler. Folding constants is left out because Theano compiles C to do it; the tests that run in FAST_RUN proper have it.
BARELY_REWRITTEN = theano.Mode(linker='py', optimizer='fast_compile').excluding('topo_constant_folding')
REWRITTEN = theano.Mode(linker='py', optimizer='fast_run').excluding('topo_constant_folding', 'constant_folding_for_scan2')
MODES = {'unoptimized': PY, 'fast_compile': BARELY_REWRITTEN, 'fast_run': REWRITTEN}
if ON_GPU:
    # Every Op is compiled there, a second each, and the rewrites of FAST_COMPILE are among those of FAST_RUN.
    del MODES['fast_compile']


class Case(namedtuple('Case', 'name options kind')):
    """One loss under test: its name, the options as a tuple of pairs (hashable, unlike a dict) and the kind of predictions it takes."""

    def __call__(self, predictions, targets, **more):
        return getattr(lasagne_objectives, self.name)(predictions, targets, **dict(self.options, **more))

    def reference(self, predictions, targets, **more):
        return getattr(reference, self.name)(predictions, targets, **dict(self.options, **more))

    def __str__(self):
        return '-'.join([self.name] + ['{}={}'.format(*option) for option in self.options])


ELEMENTWISE = [
    Case('binary_crossentropy', (), 'probabilities'),
    Case('squared_error', (), 'scores'),
    Case('binary_hinge_loss', (('log_odds', True),), 'scores'),
    Case('binary_hinge_loss', (('log_odds', False), ('delta', 0.75)), 'probabilities'),
    Case('binary_hinge_loss', (('log_odds', True), ('binary', False), ('delta', 2)), 'scores'),
    Case('huber_loss', (), 'scores'),
    Case('huber_loss', (('delta', 0.25),), 'scores'),
]
CATEGORICAL = [
    Case('categorical_crossentropy', (), 'probabilities'),
    Case('multiclass_hinge_loss', (), 'scores'),
    Case('multiclass_hinge_loss', (('delta', 0.5),), 'scores'),
]
# One case of each formula, for the tests that go through many dtypes
FORMULAS = [case for case in ELEMENTWISE + CATEGORICAL if case not in (ELEMENTWISE[4], ELEMENTWISE[6], CATEGORICAL[2])]

# Shapes of the predictions, of the targets, and of the targets once they are aligned with the predictions. An axis of length 1 is
# broadcastable in the symbolic variables that stand for these shapes.
LAYOUTS = [
    ((), (), ()),
    ((5,), (5,), (5,)),
    ((4, 3), (4, 3), (4, 3)),
    ((2, 3, 2, 2), (2, 3, 2, 2), (2, 3, 2, 2)),
    # The column rule: targets gain or lose the axis of length 1 ...
    ((5, 1), (5,), (5, 1)),
    ((5,), (5, 1), (5,)),
    ((1, 5), (5,), (1, 5)),
    ((5,), (1, 5), (5,)),
    ((3, 4, 1), (3, 4), (3, 4, 1)),
    ((3, 4), (3, 4, 1), (3, 4)),
    ((3, 1, 2, 2), (3, 2, 2), (3, 1, 2, 2)),
    ((3, 2, 2), (3, 1, 2, 2), (3, 2, 2)),
    ((5, 1), (1,), (1, 1)),
    ((), (1,), ()),
    ((1,), (), (1,)),
    # ... unless there are several such axes, or the ranks are too far apart.
    ((1, 1), (5,), (5,)),
    ((5, 1), (), ()),
    # Theano's broadcasting
    ((5,), (), ()),
    ((5,), (1,), (1,)),
    ((1,), (5,), (5,)),
    ((4, 3), (3,), (3,)),
    ((4, 3), (1, 3), (1, 3)),
    ((4, 3), (4, 1), (4, 1)),
    ((3,), (4, 3), (4, 3)),
]

# Shapes of the predictions and their class axis
CLASS_LAYOUTS = [
    ((5,), -1),
    ((5,), 0),
    ((4, 3), -1),
    ((4, 3), 1),
    ((4, 3), 0),
    ((4, 3), -2),
    ((2, 3, 4), 0),
    ((2, 3, 4), 1),
    ((2, 3, 4), 2),
    ((2, 3, 4), -1),
    ((2, 3, 4), -2),
    ((2, 3, 4), -3),
    ((2, 3, 2, 2), 1),
    ((2, 3, 2, 2), -3),
    ((2, 2, 1, 3), 1),
    ((1, 3), -1),
    ((4, 1), -1),
    ((1,), 0),
    ((3, 1, 2), 1),
]


def layout_id(layout):
    return '_'.join(str(part).replace(' ', '') for part in layout)


# Data. All of it lies on a coarse grid which float16 holds exactly: every dtype sees the same numbers, and ties and kinks with them.


def random(seed=0):
    return np.random.RandomState(seed)


def sample_predictions(kind, shape, dtype, seed=0):
    if kind == 'probabilities':
        return (random(seed).randint(4, 29, shape) / np.float64(32)).astype(dtype)
    return (random(seed).randint(-24, 25, shape) / np.float64(8)).astype(dtype)


def sample_targets(shape, dtype, seed=1):
    """Soft targets in [0, 1] where the dtype has them, else zeros and ones."""
    if dtype in FLOATS:
        return (random(seed).randint(0, 17, shape) / np.float64(16)).astype(dtype)
    return np.asarray(random(seed).randint(0, 2, shape)).astype(dtype)


def without(shape, axis):
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


def sample_classes(shape, axis, dtype='int32', seed=1):
    return np.asarray(random(seed).randint(0, shape[axis], without(shape, axis))).astype(dtype)


def sample_upstream(shape, dtype, seed=2):
    return random(seed).choice([-1.0, -0.5, 0.5, 1.0], size=shape).astype(dtype)


# Compiling and comparing


def tensor_type(array):
    return T.TensorType(array.dtype.name, [length == 1 for length in array.shape])


@functools.lru_cache(maxsize=None)
def compiled(case, predictions_type, targets_type, axis, wrt_targets, mode):
    p, t = predictions_type('predictions'), targets_type('targets')
    loss = case(p, t) if axis is None else case(p, t, axis=axis)
    upstream = loss.type('upstream')
    gradients = theano.grad(None, [p, t] if wrt_targets else [p], known_grads={loss: upstream})
    return theano.function([p, t, upstream], [loss] + gradients, mode=mode)


def check(case, p, t, aligned=None, axis=None, mode=PY):
    """Value and gradients of one loss on given arrays against the reference, which sees the targets as ``aligned``."""
    aligned = t if aligned is None else aligned
    axis = -1 if axis is None and case in CATEGORICAL else axis
    expected = case.reference(p, aligned) if axis is None else case.reference(p, aligned, axis=axis)
    wrt_targets = expected.targets is not None and t.dtype.name in FLOATS
    dtype = np.result_type(p.dtype, t.dtype) if t.dtype.name in FLOATS else p.dtype
    upstream = np.asarray(sample_upstream(expected.value.shape, dtype))
    results = compiled(case, tensor_type(p), tensor_type(t), axis, wrt_targets, mode)(p, t, upstream)
    assert_close(results[0], expected.value, dtype)
    assert_close(results[1], reference.chain(upstream, expected.predictions, p.shape, axis), p.dtype)
    if wrt_targets:
        gradient = reference.chain(upstream, expected.targets, aligned.shape, axis)
        assert_close(results[2], gradient.reshape(t.shape), t.dtype)


def assert_close(actual, expected, dtype, ulps=8):
    """Same shape and dtype, equal to within a few roundings of the largest element; the grid data needs no more."""
    assert actual.dtype == dtype
    assert actual.shape == np.shape(expected)
    if np.size(expected):
        tolerance = ulps * np.finfo(dtype).eps * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(actual.astype('float64'), expected, rtol=0, atol=tolerance)


def evaluate(expression, inputs=None, mode=PY):
    """The value of one expression or of a list of them; ``inputs`` maps variables to arrays."""
    inputs = inputs or {}
    return theano.function(list(inputs), expression, mode=mode, on_unused_input='ignore')(*inputs.values())
