"""The logits of rows that a reshape may tear, decided when it is run.

A reshape of a softmax keeps its rows whole if the last axis keeps its length.
When a graph is built nobody may know; when it is run it is plain. If rows are
whole, what is moved is the logits, and the loss is that of logits. If not, it
is their log-probabilities, and the loss takes them as they are: it has a last
input that says so. Both ways, what follows sees one variable.
"""

import numpy as np
from theano import gof
import theano.tensor as T
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.derivatives import pull_back, push_forward
from lasagne_objectives.kernels.softmax_crossentropy import (
    LogSoftmax,
    SoftmaxCrossentropyGradient,
    log_softmax,
    softmax_crossentropy_gradient,
)


class KeepRows(rows.ClassKernel):
    """Logits as they are if their rows stay whole, else ``log softmax(z)``."""

    c_file = 'log_softmax.c'
    view_map = {0: [0]}

    def c_call(self, node, inputs, outputs):
        return 'keep_rows<npy_%s>(%d, %s, %s, &%s)' % (
            (node.inputs[0].dtype, self.axis) + tuple(inputs + outputs)
        )

    def make_node(self, logits, whole):
        logits = rows.as_floats(logits, self.axis)
        return gof.Apply(self, [logits, whole], [logits.type()])

    def perform(self, node, inputs, output_storage):
        logits, whole = inputs
        if whole:
            output_storage[0][0] = logits
        else:
            LogSoftmax(self.axis).perform(node, inputs[:1], output_storage)

    def connection_pattern(self, node):
        return [[True], [False]]

    def _formula(self, logits, whole):
        return T.switch(whole, logits, log_softmax(logits, self.axis))

    def L_op(self, inputs, outputs, output_gradients):
        logits, whole = inputs
        gradient = KeepRowsGradient(self.axis)(
            logits, output_gradients[0], whole
        )
        return [gradient, DisconnectedType()()]

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]


def keep_rows(logits, whole, axis):
    """Logits if `whole` is true when it is run, else log-probabilities."""
    return KeepRows(axis)(logits, whole)


class KeepRowsGradient(rows.ClassKernel):
    """The gradient as it is if rows stay whole, else that of log softmax."""

    c_file = 'softmax_crossentropy.c'
    view_map = {0: [1]}

    def c_call(self, node, inputs, outputs):
        return 'keep_rows_gradient<npy_%s>(%d, %s, %s, %s, &%s)' % (
            (node.inputs[0].dtype, self.axis) + tuple(inputs + outputs)
        )

    def make_node(self, logits, gradient, whole):
        logits = rows.as_floats(logits, self.axis)
        gradient = rows.as_gradient(gradient, logits)
        return gof.Apply(self, [logits, gradient, whole], [logits.type()])

    def perform(self, node, inputs, output_storage):
        logits, gradient, whole = inputs
        if whole:
            output_storage[0][0] = gradient
        else:
            # With minus one as the gradient of each data point's loss.
            points = rows.without(logits.shape, self.axis)
            minus = np.full(points, -1, dtype=logits.dtype)
            SoftmaxCrossentropyGradient(self.axis).perform(
                node, [logits, gradient, minus], output_storage
            )

    def connection_pattern(self, node):
        return [[True], [True], [False]]

    def _torn(self, logits, gradient):
        ones = rows.ones_of_points(logits, self.axis)
        return -softmax_crossentropy_gradient(
            logits, gradient, ones, self.axis
        )

    def _formula(self, logits, gradient, whole):
        return T.switch(whole, gradient, self._torn(logits, gradient))

    def L_op(self, inputs, outputs, output_gradients):
        return pull_back(self._formula, inputs, output_gradients[0])

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]
