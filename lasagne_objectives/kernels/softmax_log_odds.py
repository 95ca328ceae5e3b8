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


class SoftmaxLogOdds(gof.Op):
    """``log(p / (1 - p))`` for every ``p`` of ``softmax(z)``, row by row.

    That is ``z_j - log sum_{k != j} exp(z_k)``. A single class is certain:
    its log-odds are +inf.
    """

    __props__ = ()

    def make_node(self, logits):
        logits = rows.as_matrix(logits)
        return gof.Apply(self, [logits], [logits.type()])

    def perform(self, node, inputs, output_storage):
        (logits,) = inputs
        wide = logits.astype('float64')
        if wide.size:
            with np.errstate(all='ignore'):
                shift, _, rest, _, _ = _without_one(wide)
                wide = (wide - shift) - np.log(rest)
        output_storage[0][0] = wide.astype(logits.dtype)

    def infer_shape(self, node, input_shapes):
        return input_shapes

    def L_op(self, inputs, outputs, output_gradients):
        return [softmax_log_odds_gradient(inputs[0], output_gradients[0])]

    def R_op(self, inputs, eval_points):
        (logits,) = inputs
        (point,) = eval_points
        if point is None:
            return [None]
        weights = _weights_of_others(logits)
        return [point - (weights * point.dimshuffle(0, 'x', 1)).sum(axis=2)]


softmax_log_odds = SoftmaxLogOdds()


def _weights_of_others(logits):
    """``exp(z_k) / sum_{l != j} exp(z_l)``, by row, ``j`` and ``k != j``.

    Takes rows * classes**2 numbers; only further derivatives need it.
    """
    classes = T.arange(logits.shape[1])
    other = T.neq(classes.dimshuffle(0, 'x'), classes)
    log_odds = softmax_log_odds(logits)
    exponents = logits.dimshuffle(0, 'x', 1) + (log_odds - logits).dimshuffle(
        0, 1, 'x'
    )
    # Not a product with `other`: exponents of the rest may be infinite.
    return T.exp(T.switch(other, exponents, -np.inf))


class SoftmaxLogOddsGradient(gof.Op):
    """``g_k - sum_{j != k} g_j exp(z_k) / sum_{l != j} exp(z_l)``."""

    __props__ = ()

    def make_node(self, logits, gradient):
        logits = rows.as_matrix(logits)
        gradient = T.cast(rows.as_matrix(gradient), logits.dtype)
        return gof.Apply(self, [logits, gradient], [logits.type()])

    def perform(self, node, inputs, output_storage):
        logits, gradient = inputs
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
        output_storage[0][0] = result.astype(logits.dtype)

    def infer_shape(self, node, input_shapes):
        return input_shapes[:1]

    def _formula(self, logits, gradient):
        """The same in Theano's own Ops, to be differentiated again."""
        weights = _weights_of_others(logits)
        return gradient - (weights * gradient.dimshuffle(0, 1, 'x')).sum(
            axis=1
        )

    def L_op(self, inputs, outputs, output_gradients):
        return pull_back(self._formula, inputs, output_gradients[0])

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]


softmax_log_odds_gradient = SoftmaxLogOddsGradient()
