"""The log-odds of each class of a softmax, computed from its input."""

import numpy as np
from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.derivatives import pull_back, push_forward


def _without_one(logits):
    """Shifted exponentials of a row, and their sums without one class.

    Returns
    -------
    shift, exponentials, rest : arrays
        ``sum_{k != j} exp(z_k) = rest_j * exp(shift_j)``, and
        ``exponentials`` is ``exp(z - max z)``. The sum that misses the
        largest logit is taken relative to the second largest: no difference
        of nearly equal numbers is ever formed.
    largest, below : arrays
        The class of the largest logit, and ``exp(z - shift)`` of the others
        for the shift that belongs to it (0 at the largest itself).
    """
    points = np.arange(len(logits))
    largest = logits.argmax(axis=1)
    top = logits[points, largest]
    others = logits.copy()
    others[points, largest] = -np.inf
    second = others.max(axis=1)
    exponentials = np.exp(logits - top[:, np.newaxis])
    below = np.where(
        np.isneginf(others), 0.0, np.exp(others - second[:, np.newaxis])
    )
    rest = exponentials.sum(axis=1, keepdims=True) - exponentials
    rest[points, largest] = below.sum(axis=1)
    shift = np.repeat(top[:, np.newaxis], logits.shape[1], axis=1)
    shift[points, largest] = second
    return shift, exponentials, rest, largest, below


class SoftmaxLogOdds(rows.ClassKernel):
    """``log(p / (1 - p))`` for every ``p`` of ``softmax(z)``.

    That is ``z_j - log sum_{k != j} exp(z_k)``. A single class is certain:
    its log-odds are +inf.
    """

    c_file = 'softmax_log_odds.c'

    def c_call(self, node, inputs, outputs):
        return 'softmax_log_odds<npy_%s, lo_log_odds>(%d, %s, NULL, &%s)' % (
            (node.inputs[0].dtype, self.axis) + tuple(inputs + outputs)
        )

    def make_node(self, logits):
        logits = rows.as_floats(logits, self.axis)
        return gof.Apply(self, [logits], [logits.type()])

    def of_rows(self, node, logits):
        wide = logits.astype('float64')
        if wide.size:
            with np.errstate(all='ignore'):
                shift, _, rest, _, _ = _without_one(wide)
                wide = (wide - shift) - np.log(rest)
        return [wide]

    def L_op(self, inputs, outputs, output_gradients):
        return [
            softmax_log_odds_gradient(
                inputs[0], output_gradients[0], self.axis
            )
        ]

    def R_op(self, inputs, eval_points):
        (logits,) = inputs
        (point,) = eval_points
        if point is None:
            return [None]
        weights = _weights_of_others(logits, self.axis)
        lost = weights * rows.with_classes(point, self.axis)
        return [point - lost.sum(axis=self.axis + 1)]


def softmax_log_odds(logits, axis=1):
    """The log-odds of each class of the softmax along an axis."""
    return SoftmaxLogOdds(axis)(logits)


def _weights_of_others(logits, axis):
    """``exp(z_k) / sum_{l != j} exp(z_l)``, 0 where ``k = j``.

    ``j`` counts along `axis` and ``k`` along an axis after that. Takes
    points * classes**2 numbers; only further derivatives need it.
    """
    classes = T.arange(logits.shape[axis])
    other = T.neq(classes.dimshuffle(0, 'x'), classes)
    others = other.dimshuffle(
        ['x'] * axis + [0, 1] + ['x'] * (logits.ndim - axis - 1)
    )
    log_odds = softmax_log_odds(logits, axis)
    exponents = rows.with_classes(logits, axis) + rows.with_classes(
        log_odds - logits, axis + 1
    )
    # Not a product with `others`: exponents of the rest may be infinite.
    return T.exp(T.switch(others, exponents, -np.inf))


class SoftmaxLogOddsGradient(rows.ClassKernel):
    """``g_k - sum_{j != k} g_j exp(z_k) / sum_{l != j} exp(z_l)``."""

    c_file = 'softmax_log_odds.c'

    def c_call(self, node, inputs, outputs):
        return (
            'softmax_log_odds<npy_%s, lo_log_odds_gradient>(%d, %s, %s, &%s)'
            % ((node.inputs[0].dtype, self.axis) + tuple(inputs + outputs))
        )

    def make_node(self, logits, gradient):
        logits = rows.as_floats(logits, self.axis)
        gradient = rows.as_gradient(gradient, logits)
        return gof.Apply(self, [logits, gradient], [logits.type()])

    def of_rows(self, node, logits, gradient):
        result = gradient.astype('float64')
        if logits.size:
            points = np.arange(len(logits))
            with np.errstate(all='ignore'):
                _, exponentials, rest, largest, below = _without_one(
                    logits.astype('float64')
                )
                shares = result / rest
                of_largest = shares[points, largest]
                shares[points, largest] = 0
                # What the other classes' log-odds lose to class k, the one
                # of the largest logit apart: its sum has its own shift.
                lost = exponentials * (
                    shares.sum(axis=1, keepdims=True) - shares
                )
                result -= lost + np.where(
                    below == 0, 0.0, below * of_largest[:, np.newaxis]
                )
        return [result]

    def _formula(self, logits, gradient):
        """The same in Theano's own Ops, to be differentiated again."""
        weights = _weights_of_others(logits, self.axis)
        lost = weights * rows.with_classes(gradient, self.axis + 1)
        return gradient - lost.sum(axis=self.axis)

    def L_op(self, inputs, outputs, output_gradients):
        return pull_back(self._formula, inputs, output_gradients[0])

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]


def softmax_log_odds_gradient(logits, gradient, axis=1):
    """The gradient of the log-odds with respect to the logits."""
    return SoftmaxLogOddsGradient(axis)(logits, gradient)
