"""The contract's formulas in NumPy: float64, slow, plain, and written without a look at the library.

Every loss returns a ``Loss``: its value, and the derivative of that value with respect to the predictions and to the targets (``None``
where these only name a class). Both derivatives have the shape of the broadcast operands; ``chain`` turns them into the gradient of a
weighted sum.
"""

from collections import namedtuple

import numpy as np

Loss = namedtuple('Loss', 'value predictions targets')


def floats(*arrays):
    """The operands in float64; differences of unsigned integers don't wrap there."""
    return [np.asarray(array).astype('float64') for array in arrays]


def product(weight, factor):
    """weight * factor, where a zero weight silences an infinite factor, but not a NaN."""
    with np.errstate(invalid='ignore'):
        return np.where((weight == 0) & ~np.isnan(factor), 0.0, weight * factor)


def log(x):
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.log(x)


def reciprocal(x):
    with np.errstate(divide='ignore'):
        return 1 / x


def ramp(x):
    """max(0, x) and its slope, which is one half at the kink; a NaN stays a NaN."""
    slope = np.where(x > 0, 1.0, np.where(x == 0, 0.5, 0.0))
    return np.maximum(0, x), np.where(np.isnan(x), np.nan, slope)


# Element-wise losses


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def binary_crossentropy(predictions, targets):
    p, t = floats(predictions, targets)
    value = -product(t, log(p)) - product(1 - t, log(1 - p))
    slope = product(1 - t, reciprocal(1 - p)) - product(t, reciprocal(p))
    return Loss(value, slope, log(1 - p) - log(p))


def squared_error(a, b):
    a, b = floats(a, b)
    return Loss((a - b) ** 2, 2 * (a - b), 2 * (b - a))


def binary_hinge_loss(predictions, targets, delta=1, log_odds=True, binary=True):
    p, t, delta = floats(predictions, targets, delta)
    z, z_slope = (p, np.ones_like(p)) if log_odds else (log(p) - log(1 - p), reciprocal(p * (1 - p)))
    s, s_slope = (2 * t - 1, 2.0) if binary else (t, 1.0)
    value, slope = ramp(delta - s * z)
    return Loss(value, -slope * s * z_slope, -product(slope, s_slope * z))


def huber_loss(predictions, targets, delta=1):
    p, t, delta = floats(predictions, targets, delta)
    d = p - t
    value = np.where(abs(d) <= delta, d**2 / 2, delta * (abs(d) - delta / 2))
    slope = np.minimum(np.maximum(d, -delta), delta)
    return Loss(value, slope, -slope)


# Functions of rows: inside them the class axis is the last one


def class_last(array, axis):
    return np.moveaxis(array, axis, -1)


def one_hot(classes, count):
    """Rows with a True at the class; a row of an index that names no class holds none."""
    return np.asarray(classes)[..., np.newaxis] == np.arange(count)


def dense(predictions, targets):
    return np.ndim(targets) == np.ndim(predictions)


def named_class(predictions, targets, axis):
    """The class index of every row; of one-hot rows it is the place of their (first) largest element."""
    if dense(predictions, targets):
        return np.argmax(targets, axis=axis)
    return np.asarray(targets)


def categorical_crossentropy(predictions, targets, axis=-1):
    (p,) = floats(predictions)
    if not dense(predictions, targets):
        rows = class_last(p, axis)
        hot = one_hot(targets, rows.shape[-1])
        named = np.where(hot, rows, 1.0)  # no other probability is read
        return Loss(-log(named).sum(-1), np.moveaxis(np.where(hot, -reciprocal(named), 0.0), -1, axis), None)
    (t,) = floats(targets)
    return Loss(-product(t, log(p)).sum(axis), -product(t, reciprocal(p)), -log(p))


def multiclass_hinge_loss(predictions, targets, delta=1, axis=-1):
    (scores,) = floats(class_last(np.asarray(predictions), axis))
    count = scores.shape[-1]
    right = one_hot(named_class(predictions, targets, axis), count)
    wrong = np.where(right, -np.inf, scores)
    rival = one_hot(np.argmax(wrong, -1), count) & ~right
    value, slope = ramp(wrong.max(-1) - np.where(right, scores, 0.0).sum(-1) + delta)
    gradient = slope[..., np.newaxis] * (rival.astype(float) - right)
    return Loss(value, np.moveaxis(gradient, -1, axis), None)


# Accuracies


def binary_accuracy(predictions, targets, threshold=0.5):
    p, t = floats(predictions, targets)
    return ~np.isnan(p) & (t == (p >= threshold))


def categorical_accuracy(predictions, targets, top_k=1, axis=-1):
    """Sort every row by falling score (a stable sort: of equal scores the lower index comes first) and look among the first ``top_k``."""
    (scores,) = floats(class_last(np.asarray(predictions), axis))
    named = named_class(predictions, targets, axis)
    ranking = np.argsort(-scores, axis=-1, kind='stable')[..., :top_k]
    return (ranking == named[..., np.newaxis]).any(-1) & ~np.isnan(scores).any(-1)


# Summaries and the chain rule


def aggregate(loss, weights=None, mode='mean'):
    loss, weights = floats(loss, 1.0 if weights is None else weights)
    return (loss * share(loss.shape, weights, mode)).sum() if loss.size or mode == 'sum' else np.nan


def share(shape, weights=1.0, mode='mean'):
    """What every element of a loss of the given shape contributes to its aggregate: the gradient of `aggregate`."""
    (weights,) = floats(weights)
    divisor = {'mean': np.prod(shape), 'sum': 1.0, 'normalized_sum': weights.sum()}[mode]
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.broadcast_to(weights, shape) / np.float64(divisor)


def chain(upstream, derivative, shape, axis=None):
    """The gradient of Σ upstream·loss for an operand of the given shape; ``axis`` is the class axis which the loss has lost."""
    if axis is not None:
        upstream = np.expand_dims(upstream, axis)
    return unbroadcast(upstream * derivative, shape)


def unbroadcast(gradient, shape):
    """Sum over the axes along which an operand of the given shape was repeated."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    repeated = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return gradient.sum(axis=repeated, keepdims=True).reshape(shape)
