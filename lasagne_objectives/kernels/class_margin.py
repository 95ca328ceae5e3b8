"""By how much the best wrong class of a data point beats the right one."""

import numpy as np
from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.pick_class import (
    pick_class_or_zero,
    place_classes,
)


class ClassMargin(rows.ClassKernel):
    """``max_{j != t_i} p_ij - p_i,t_i`` and the rival class that attains it.

    The lowest of tied rivals is named. With a single class there is no
    rival: the margin is -inf, the rival -1. With NaN the margin is NaN.
    """

    c_file = 'class_margin.c'

    def make_node(self, values, indices):
        values = rows.as_floats(values, self.axis)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices, values)],
            [
                rows.of_points(values, self.axis, values.dtype),
                rows.of_points(values, self.axis, 'int64'),
            ],
        )

    def of_rows(self, node, values, indices):
        classes = rows.checked_classes(values, indices)
        points = np.arange(len(values))
        others = values.copy()
        others[points, classes] = -np.inf
        if values.shape[1] > 1:
            rival = others.argmax(axis=1)
            # argmax finds the target where every other class is -inf too.
            rival = np.where(rival == classes, (classes == 0) * 1, rival)
            best = others[points, rival]
        else:
            rival = np.full(len(values), -1)
            best = np.full(len(values), -np.inf, dtype=values.dtype)
        with np.errstate(invalid='ignore'):
            margin = best - values[points, classes]
        return [margin, rival]

    def connection_pattern(self, node):
        return [[True, False], [False, False]]

    def L_op(self, inputs, outputs, output_gradients):
        values, indices = inputs
        # The rival is an integer: only the margin has a gradient.
        gradient = output_gradients[0]
        return [
            place_classes(
                values,
                (outputs[1], gradient),
                (indices, -gradient),
                axis=self.axis,
            ),
            DisconnectedType()(),
        ]

    def R_op(self, inputs, eval_points):
        if eval_points[0] is None:
            return [None, None]
        _, rival = self(*inputs)
        return [
            pick_class_or_zero(eval_points[0], rival, self.axis)
            - pick_class_or_zero(eval_points[0], inputs[1], self.axis),
            None,
        ]


def class_margin(values, indices, axis=1):
    """``max_{j != t} p_j - p_t`` of every data point."""
    return ClassMargin(axis)(values, indices)[0]
