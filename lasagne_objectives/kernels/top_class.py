"""The class of the largest value of every data point."""

import numpy as np
from theano import gof

from lasagne_objectives.kernels import rows


class TopClass(rows.ClassKernel):
    """``argmax_j p_j`` of every data point, the lowest class on ties.

    One that holds NaN has none, nor has one without classes: -1.
    """

    c_file = 'top_class.c'

    def make_node(self, values):
        values = rows.as_floats(values, self.axis)
        return gof.Apply(
            self, [values], [rows.of_points(values, self.axis, 'int64')]
        )

    def of_rows(self, node, values):
        if values.shape[1] == 0:
            return [np.full(len(values), -1)]
        # NaN counts as the largest: where it is one, it is what was found.
        tops = values.argmax(axis=1)
        unordered = np.isnan(values[np.arange(len(values)), tops])
        return [np.where(unordered, -1, tops)]

    def L_op(self, inputs, outputs, output_gradients):
        # A class is constant almost everywhere.
        return [inputs[0].zeros_like()]

    def R_op(self, inputs, eval_points):
        # Zeros, not None, for what compares it; see TargetRank.
        return [self(*inputs).zeros_like()]


def top_class(values, axis=1):
    """The class of the largest value of every data point."""
    return TopClass(axis)(values)
