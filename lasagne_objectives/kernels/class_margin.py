"""By how much the best wrong class of every row beats the right one."""

import numpy as np
from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.c_kernel import CKernel, real_and_index
from lasagne_objectives.kernels.pick_class import (
    pick_class_or_zero,
    place_classes,
)


class ClassMargin(CKernel):
    """``max_{j != t_i} p_ij - p_i,t_i`` and the rival class that attains it.

    The lowest of tied rivals is named. With a single class there is no
    rival: the margin is -inf, the rival -1. A row with NaN has margin NaN.
    """

    c_file = 'class_margin.c'

    def c_call(self, node, inputs, outputs):
        return 'class_margin%s(%s, %s, &%s, &%s)' % (
            (real_and_index(*node.inputs),) + tuple(inputs) + tuple(outputs)
        )

    def make_node(self, values, indices):
        values = rows.as_matrix(values)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices)],
            [
                rows.vector_per_row(values, values.dtype),
                rows.vector_per_row(values, 'int64'),
            ],
        )

    def perform(self, node, inputs, output_storage):
        values, indices = inputs
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
        output_storage[0][0] = margin.astype(values.dtype)
        output_storage[1][0] = rival.astype('int64')

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1], input_shapes[0][:1]]

    def connection_pattern(self, node):
        return [[True, False], [False, False]]

    def L_op(self, inputs, outputs, output_gradients):
        values, indices = inputs
        # The rival is an integer: only the margin has a gradient.
        gradient = output_gradients[0]
        return [
            place_classes(
                values, (outputs[1], gradient), (indices, -gradient)
            ),
            DisconnectedType()(),
        ]

    def R_op(self, inputs, eval_points):
        if eval_points[0] is None:
            return [None, None]
        _, rival = self(*inputs)
        return [
            pick_class_or_zero(eval_points[0], rival)
            - pick_class_or_zero(eval_points[0], inputs[1]),
            None,
        ]


def class_margin(values, indices):
    """``max_{j != t} p_j - p_t`` of every row."""
    return ClassMargin()(values, indices)[0]
