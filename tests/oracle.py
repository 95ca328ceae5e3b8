"""What the losses of a sigmoid and of a softmax are, to 50 digits, and how far from it the contract allows a result to be.

Everything here is written from the logits and from textbook formulas in arbitrary precision; nothing of Theano or of the package is
used. Logits and targets enter as the floats they are (a float16 0.1 is 0.0999755859375), so a result is only blamed for its own error.
Each row is worked out once per test run: the functions that take a row are cached, whatever dtype, mode or layout asks for it.
"""

import functools
import math

import mpmath
import numpy as np

mp = mpmath.mp.clone()  # a context of our own: the precision of other users of mpmath stays theirs
mp.dps = 50

ZERO, ONE, INF = mp.mpf(0), mp.mpf(1), mp.mpf('inf')


# One number ----------------------------------------------------------------------------------------------------------------------


def product(factor, x):
    """factor * x, where a factor of zero beats an infinite x: the limit that 0 * log 0 stands for."""
    return ZERO if factor == 0 else factor * x


@functools.lru_cache(maxsize=None)
def exp(x):
    return mp.exp(x)  # knows exp(-inf) = 0


@functools.lru_cache(maxsize=None)
def softplus(z):
    """log(1 + e^z) = -log(1 - sigmoid(z)) = -log sigmoid(-z)."""
    if math.isinf(z):
        return INF if z > 0 else ZERO
    return mp.log1p(exp(z)) if z <= 0 else z + mp.log1p(exp(-z))


@functools.lru_cache(maxsize=None)
def sigmoid(z):
    if math.isinf(z):
        return ONE if z > 0 else ZERO
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def max_zero(x, slope):
    """max(0, x) and its derivative, for a dx/dz of `slope`; the kink itself counts half."""
    return (x, slope) if x > 0 else (ZERO, slope / 2 if x == 0 else ZERO)


# A row: (values of its elements or the row's loss, derivative of their sum with respect to each logit) ---------------------------


@functools.lru_cache(maxsize=None)
def binary_of_sigmoid(z, t):
    """-t log p - (1-t) log(1-p) of p = sigmoid(z). The gradient, p - t, is split so that nothing cancels: (1-t) p - t (1-p)."""
    values, gradients = [], []
    for z_j, t_j in zip(numbers(z), numbers(t)):
        values.append(product(t_j, softplus(-z_j)) + product(1 - t_j, softplus(z_j)))
        gradients.append((1 - t_j) * sigmoid(z_j) - t_j * sigmoid(-z_j))
    return values, gradients


@functools.lru_cache(maxsize=None)
def hinge_of_sigmoid(z, t, delta=1, binary=True):
    pairs = []
    for z_j, t_j in zip(numbers(z), numbers(t)):
        s = 2 * t_j - 1 if binary else t_j
        pairs.append(max_zero(delta - product(s, z_j), -s))
    return [value for value, _ in pairs], [gradient for _, gradient in pairs]


@functools.lru_cache(maxsize=None)
def categorical_of_sigmoid(z, t):
    """-sum_j t_j log sigmoid(z_j)."""
    pairs = list(zip(numbers(z), numbers(t)))
    return mp.fsum(product(t_j, softplus(-z_j)) for z_j, t_j in pairs), [-t_j * sigmoid(-z_j) for z_j, t_j in pairs]


@functools.lru_cache(maxsize=None)
def log_sum_exp(z):
    """log sum_j e^(z_j) and the softmax. One +inf takes all the probability; of two, or of a row of -inf, there is no limit."""
    top = max(z)
    if math.isinf(top):
        assert top > 0 and z.count(top) == 1, 'no limit'
        return top, [ONE if z_j == top else ZERO for z_j in z]
    powers = {z_j: exp(z_j - top) for z_j in set(z)}
    total = mp.fsum(powers[z_j] for z_j in z)
    softmax = {z_j: power / total for z_j, power in powers.items()}
    return top + mp.log(total), [softmax[z_j] for z_j in z]


@functools.lru_cache(maxsize=None)
def categorical_of_softmax(z, t):
    """-sum_j t_j log p_j of p = softmax(z), its gradient m p - t with m the target mass; t may be the index of a class."""
    z = numbers(z)
    total, p = log_sum_exp(z)
    surprise = {z_j: ZERO if z_j == total else total - z_j for z_j in set(z)}  # -log p; inf - inf is the certain class
    if not isinstance(t, tuple):
        return surprise[z[t]], [p_j - 1 if j == t else p_j for j, p_j in enumerate(p)]
    t = numbers(t)
    mass = mp.fsum(t)
    value = mp.fsum(product(t_j, surprise[z_j]) for z_j, t_j in zip(z, t))
    return value, [mass * p_j - t_j for p_j, t_j in zip(p, t)]


def rest_of(z, j):
    """log_sum_exp of the row without class j, which gets the probability 0."""
    total, q = log_sum_exp(z[:j] + z[j + 1 :])
    return total, q[:j] + [ZERO] + q[j:]


@functools.lru_cache(maxsize=None)
def binary_of_softmax(z, t):
    """-t log p - (1-t) log(1-p) of p = softmax(z). 1 - p_j is what the other classes have of the sum, so it is taken from them."""
    z, t = numbers(z), numbers(t)
    total, p = log_sum_exp(z)
    values, gradients = [], [ZERO] * len(z)
    for j, (z_j, t_j) in enumerate(zip(z, t)):
        others, q = rest_of(z, j)
        values.append(product(t_j, total - z_j) + product(1 - t_j, total - others))
        for k in range(len(z)):
            gradients[k] += t_j * (p[k] - (k == j)) + (1 - t_j) * (p[k] - q[k])
    return values, gradients


@functools.lru_cache(maxsize=None)
def hinge_of_softmax(z, t, delta=1, binary=True):
    """The log-odds of class j are z_j - log sum_(k != j) e^(z_k)."""
    z, t = numbers(z), numbers(t)
    values, gradients = [], [ZERO] * len(z)
    for j, (z_j, t_j) in enumerate(zip(z, t)):
        others, q = rest_of(z, j)
        s = 2 * t_j - 1 if binary else t_j
        value, slope = max_zero(delta - product(s, z_j - others), -s)
        values.append(value)
        for k in range(len(z)):
            gradients[k] += slope * ((k == j) - q[k])
    return values, gradients


def numbers(row):
    return tuple(mp.mpf(x) for x in row)


# Arrays --------------------------------------------------------------------------------------------------------------------------


class Exact(object):
    """An array of 50-digit numbers, `numbers`, also as the nearest doubles, `near`, and what these are off by, `rest`."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers, object)
        near = [float(x) for x in self.numbers.ravel()]
        rest = [0.0 if math.isinf(x) else float(number - x) for x, number in zip(near, self.numbers.ravel())]
        self.near, self.rest = np.reshape(near, self.numbers.shape), np.reshape(rest, self.numbers.shape)
        self.size = np.where(np.isinf(self.near), 0, np.abs(self.near))  # what an error is measured by


known = {}  # what `exact` has worked out: modes and ways to write a layer share their cases


def exact(row_loss, logits, targets, axis=-1, **how):
    """Value and gradient of one of the losses above for whole arrays.

    `axis` is the axis of the logits that makes a row. The targets have the logits' layout, or lack that axis where they are indices.
    """
    logits, targets = np.asarray(logits, 'float64'), np.asarray(targets)
    if targets.ndim == logits.ndim:
        targets = targets.astype('float64')
    key = (row_loss, logits.shape, logits.tobytes(), targets.tobytes(), axis) + tuple(sorted(how.items()))
    if key not in known:
        known[key] = [Exact(numbers) for numbers in row_by_row(row_loss, logits, targets, axis, how)]
    return known[key]


def row_by_row(row_loss, logits, targets, axis, how):
    rows = np.moveaxis(logits, axis, -1)
    indices = targets.ndim < rows.ndim
    targets = targets if indices else np.moveaxis(targets, axis, -1)
    results = {
        at: row_loss(tuple(rows[at].tolist()), int(targets[at]) if indices else tuple(targets[at].tolist()), **how)
        for at in np.ndindex(*rows.shape[:-1])
    }
    element_wise = isinstance(next(iter(results.values()))[0], list)
    values = np.empty(rows.shape if element_wise else rows.shape[:-1], object)
    gradients = np.empty(rows.shape, object)
    for at, (value, gradient) in results.items():
        values[at], gradients[at] = value, gradient
    return np.moveaxis(values, -1, axis) if element_wise else values, np.moveaxis(gradients, -1, axis)


def error(got, true):
    """|got - true| as doubles, good to a double's own last digits: NaN where `got` is NaN, 0 where both are the same infinity."""
    got = np.asarray(got, 'float64')
    assert got.shape == true.near.shape, 'shape %s, expected %s' % (got.shape, true.near.shape)
    with np.errstate(invalid='ignore'):
        return np.where(np.isinf(true.near) & (got == true.near), 0, np.abs(got - true.near - true.rest))


# How far off a result may be -----------------------------------------------------------------------------------------------------


def ulp(x, dtype):
    """The distance from |x| to the next number of this dtype."""
    return np.spacing(np.abs(np.asarray(x, 'float64')).astype(dtype)).astype('float64')


def largest_finite(logits, axis=None):
    """max(1, the largest finite |z| of the row), or of each element alone."""
    size = np.abs(np.asarray(logits, 'float64'))
    size = np.where(np.isfinite(size), size, 0)
    return np.maximum(1, size if axis is None else size.max(axis=axis))


def relative_bound(true, dtype):
    """4 ulp of the result itself, plus the smallest normal number."""
    return 4 * ulp(true.size, dtype) + float(np.finfo(dtype).tiny)


def absolute_bound(true, dtype, size, mass=1):
    """4 ulp of max(1, m) max(1, |z|), or of the result itself where that is larger; `size` is what `largest_finite` says."""
    return 4 * ulp(np.maximum(true.size, np.maximum(1, mass) * size), dtype)


def gradient_bound(dtype, mass=1):
    """4 ulp of max(1, m)."""
    return 4 * ulp(np.maximum(1, mass), dtype)


def binary_bounds(value, gradient, logits, targets, dtype):
    """The two bounds of the binary cross-entropy of a sigmoid: relative for targets 0 and 1, absolute for those in between."""
    hard = (targets == 0) | (targets == 1)
    return (
        np.where(hard, relative_bound(value, dtype), absolute_bound(value, dtype, largest_finite(logits))),
        np.where(hard, relative_bound(gradient, dtype), gradient_bound(dtype)),
    )


def assert_within(got, true, bound, dtype=None, **inputs):
    """`got` is no further from `true` than `bound`, everywhere; otherwise show the worst element with the inputs given by name."""
    got = np.asarray(got)
    assert dtype is None or got.dtype == dtype, 'dtype %s, expected %s' % (got.dtype, dtype)
    off = error(got, true)
    bound = np.broadcast_to(bound, off.shape)
    bad = ~(off <= bound)
    if bad.any():
        excess = np.where(np.isnan(off), np.inf, off / bound)
        at = np.unravel_index(np.argmax(np.where(bad, excess, -1)), off.shape)
        shown = ', '.join('%s = %r' % (name, np.asarray(x)[at[: np.ndim(x)]]) for name, x in inputs.items())
        raise AssertionError(
            '%d of %d elements are off; the worst, at %s (%s), is %r instead of %s: %.3g times the bound'
            % (bad.sum(), off.size, at, shown, got[at], mp.nstr(true.numbers[at], 20), excess[at])
        )
