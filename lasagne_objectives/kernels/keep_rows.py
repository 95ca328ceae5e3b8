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
    log_softmax,
    softmax_crossentropy_gradient,
)


class _Kernel(rows.ClassKernel):
    """What the two Ops have in common."""

    c_file = 'keep_rows.c'
    # it needs no threads, nor their headers
    headers = ('arrays.h', 'results.h')

    def c_call(self, node, inputs, outputs):
        logits, *upstream, whole = inputs
        return 'keep_rows<npy_%s>(%d, %s, %s, lo_is_true(%s), &%s)' % (
            node.inputs[0].dtype,
            self.axis,
            logits,
            (upstream or ['NULL'])[0],
            whole,
            outputs[0],
        )


class KeepRows(_Kernel):
    """Logits as they are if their rows stay whole, else ``log softmax(z)``."""

    view_map = {0: [0]}

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


class KeepRowsGradient(_Kernel):
    """The gradient as it is if rows stay whole, else that of log softmax."""

    view_map = {0: [1]}

    def make_node(self, logits, gradient, whole):
        logits = rows.as_floats(logits, self.axis)
        gradient = rows.as_gradient(gradient, logits)
        return gof.Apply(self, [logits, gradient, whole], [logits.type()])

    def perform(self, node, inputs, output_storage):
        logits, gradient, whole = inputs
        if whole:
            output_storage[0][0] = gradient
        else:
            super().perform(node, inputs[:2], output_storage)

    def of_rows(self, node, logits, gradient):
        (log_p,) = LogSoftmax().of_rows(node, logits)
        gradient = gradient.astype('float64')
        total = gradient.sum(axis=1, keepdims=True)
        with np.errstate(all='ignore'):
            return [gradient - np.exp(log_p) * total]

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
