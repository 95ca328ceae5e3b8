"""What is timed: the losses, the sizes, and the data, the same for everyone.

Imports NumPy only, because every contender's environment imports this.
"""

from collections import OrderedDict, namedtuple
from functools import lru_cache

import numpy as np

#: One timing: which loss, its value alone or with its gradient, and of what.
Case = namedtuple('Case', 'loss kind size dtype')

#: What a loss reads beside the scores, whether it works on rows of classes,
#: and what it is called in print.
Loss = namedtuple('Loss', 'targets rowwise differentiable title')

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
def _scores(shape, dtype):
    return (2 * np.random.RandomState(1).standard_normal(shape)).astype(dtype)


@lru_cache(maxsize=1)
def _targets(what, shape, dtype):
    random = np.random.RandomState(2)
    if what == 'classes':
        return random.randint(0, shape[-1], shape[:-1]).astype('int32')
    if what == 'binary':
        return random.randint(0, 2, shape).astype(dtype)
    if what == 'real':
        return (2 * random.standard_normal(shape)).astype(dtype)
    weights = random.uniform(size=shape)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(dtype)


def data_of(case):
    """Make the scores (the predictions before any softmax) and the targets.

    Parameters
    ----------
    case : Case

    Returns
    -------
    scores, targets : arrays
    """
    shape = shape_of(case.size)
    return (
        _scores(shape, case.dtype),
        _targets(LOSSES[case.loss].targets, shape, case.dtype),
    )


def bytes_moved(case, scores, targets):
    """How much must be read and written: all inputs, and the gradient."""
    written = scores.nbytes if case.kind == GRADIENT else 0
    return scores.nbytes + targets.nbytes + written
