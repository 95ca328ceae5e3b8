"""What is timed: the losses, the sizes, and the data, the same for everyone.

Imports NumPy only, because every contender's environment imports this.
"""

from collections import OrderedDict, namedtuple
from functools import lru_cache

import numpy as np

import networks

#: One timing: which loss, its value alone or with its gradient, and of what.
Case = namedtuple('Case', 'loss kind size dtype')

#: What a loss reads beside the scores, whether it works on rows of classes,
#: and what it is called in print.
Loss = namedtuple('Loss', 'targets rowwise differentiable title')

#: The same of a loss on a way that people take with it: where its classes are,
#: how its scores lie in memory, and the sizes it is timed at.
Way = namedtuple('Way', 'targets axis order sizes differentiable title')

LOSSES = OrderedDict(
    [
        (
            'softmax_indices',
            Loss(
                'classes', True, True, 'softmax cross-entropy, class indices'
            ),
        ),
        (
            'softmax_dense',
            Loss(
                'distributions',
                True,
                True,
                'softmax cross-entropy, dense targets',
            ),
        ),
        ('sigmoid', Loss('binary', False, True, 'sigmoid cross-entropy')),
        ('squared_error', Loss('real', False, True, 'squared error')),
        ('huber', Loss('real', False, True, 'huber loss')),
        ('binary_hinge', Loss('binary', False, True, 'binary hinge')),
        ('multiclass_hinge', Loss('classes', True, True, 'multiclass hinge')),
        ('top1', Loss('classes', True, False, 'top-1 accuracy')),
        ('top5', Loss('classes', True, False, 'top-5 accuracy')),
    ]
)
IMAGES = ['4x21x256x256', '16x2x128x128', '2x64x64x64']
WAYS = OrderedDict(
    [
        (
            'pixels',
            Way('classes', 1, 'C', IMAGES, True, 'class of each pixel'),
        ),
        (
            'pixels_soft',
            Way(
                'distributions', 1, 'C', IMAGES, True, 'the same, soft targets'
            ),
        ),
        (
            'pixels_hinge',
            Way('classes', 1, 'C', IMAGES, True, 'the same, hinge'),
        ),
        (
            'pixels_top5',
            Way(
                'classes',
                1,
                'C',
                IMAGES[::2],
                False,
                'the same, top-5 accuracy',
            ),
        ),
        (
            'pixels_as_rows',
            Way('classes', 1, 'C', IMAGES, True, 'dimshuffled to rows'),
        ),
        (
            'sequences',
            Way(
                'classes',
                -1,
                'C',
                ['64x100x200'],
                True,
                'softmax between reshapes, mask',
            ),
        ),
        (
            'time_first',
            Way(
                'classes',
                -1,
                'C',
                ['64x100x200'],
                True,
                'the same, time first',
            ),
        ),
        (
            'columns',
            Way('classes', -1, 'F', ['8192x1000'], True, 'Fortran order'),
        ),
        (
            'chosen_rows',
            Way(
                'classes',
                -1,
                'C',
                ['8192x1000'],
                True,
                'every other row, by index',
            ),
        ),
        (
            'class_weights',
            Way('classes', -1, 'C', ['65536x10'], True, 'weights of classes'),
        ),
        (
            'one_hot_bytes',
            Way(
                'one-hot',
                -1,
                'C',
                ['65536x10'],
                True,
                'one-hot targets of bytes',
            ),
        ),
        (
            'one_output',
            Way('binary', -1, 'C', ['1000000x1'], True, 'sigmoid of a column'),
        ),
    ]
)
VALUE, GRADIENT = KINDS = ['value', 'value+gradient']
DTYPES = ['float32', 'float64']

ROW_SIZES = ['8192x1000', '65536x10', '256x1000', '128x10', '32x50000']
ELEMENT_SIZES = ['1000000', '8192x1000']
SIZES = ROW_SIZES + ['1000000']


def shape_of(size):
    """Read ``'8192x1000'`` as a tuple of numbers."""
    return tuple(int(length) for length in size.split('x'))


def table(losses, kinds, sizes, dtypes):
    """List the cases of a table, those that share their data side by side.

    Parameters
    ----------
    losses, kinds, dtypes : lists of str
        Members of `LOSSES`, `KINDS` and `DTYPES`.
    sizes : list of str, optional
        Of any shape; those of the full table if not given. Row-wise losses
        skip the vectors.

    Returns
    -------
    list of Case
    """
    return [
        Case(loss, kind, size, dtype)
        for dtype in dtypes
        for size in sizes or SIZES
        for loss in losses
        for kind in kinds
        if _belongs(LOSSES[loss], kind, size, chosen=bool(sizes))
    ]


def ways(names):
    """List the cases of ways, in float32: gradients, or accuracies."""
    return [
        Case(name, GRADIENT if way.differentiable else VALUE, size, 'float32')
        for name, way in WAYS.items()
        if name in names
        for size in way.sizes
    ]


def _belongs(loss, kind, size, chosen):
    if kind == GRADIENT and not loss.differentiable:
        return False
    if loss.rowwise:
        return len(shape_of(size)) == 2
    return chosen or size in ELEMENT_SIZES


# ---------------------------------------------------------------------------
# Data. RandomState's numbers are the same in every version of NumPy. The
# last scores are kept for the next case; they are the greater part.


@lru_cache(maxsize=1)
def _scores(shape, dtype, order):
    scores = 2 * np.random.RandomState(1).standard_normal(shape)
    return scores.astype(dtype, order=order)


@lru_cache(maxsize=1)
def _targets(what, shape, dtype, axis):
    random = np.random.RandomState(2)
    axis %= len(shape)
    points = shape[:axis] + shape[axis + 1 :]
    if what == 'classes':
        return random.randint(0, shape[axis], points).astype('int32')
    if what == 'one-hot':
        return np.eye(shape[-1], dtype='uint8')[
            random.randint(0, shape[-1], points)
        ]
    if what == 'binary':
        return random.randint(0, 2, shape).astype(dtype)
    if what == 'real':
        return (2 * random.standard_normal(shape)).astype(dtype)
    weights = random.uniform(size=shape)
    return (weights / weights.sum(axis=axis, keepdims=True)).astype(dtype)


def data_of(case):
    """Make the scores (the predictions before any softmax) and the targets.

    Parameters
    ----------
    case : Case
        One of a network of networks.py has other values than scores.

    Returns
    -------
    scores, targets : arrays
    """
    if case.loss in networks.NETWORKS:
        return networks.data_of(case)
    shape = shape_of(case.size)
    way = WAYS.get(case.loss)
    what = LOSSES[case.loss].targets if way is None else way.targets
    axis, order = (-1, 'C') if way is None else (way.axis, way.order)
    return (
        _scores(shape, case.dtype, order),
        _targets(what, shape, case.dtype, axis),
    )


def bytes_moved(case, scores, targets):
    """How much must be read and written: all inputs, and the gradient."""
    written = scores.nbytes if case.kind == GRADIENT else 0
    return scores.nbytes + targets.nbytes + written
