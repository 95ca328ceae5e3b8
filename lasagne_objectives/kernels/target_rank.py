"""How many classes of a data point rank before the target's class."""

import numpy as np
from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows

# The rank of a data point that cannot be right: it is below no limit.
NEVER = np.iinfo('int64').max


class TargetRank(rows.ClassKernel):
    """``#{j: p_j > p_t} + #{j < t: p_j = p_t}`` of every data point.

    Rank 0 is the most probable class, of equal ones the lowest. A data point
    that holds NaN, or whose index names no class, gets a rank below no limit.
    No sorting: one read of every number.
    """

    c_file = 'target_rank.c'

    def make_node(self, values, indices):
        values = rows.as_floats(values, self.axis)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices, values)],
            [rows.of_points(values, self.axis, 'int64')],
        )

    def of_rows(self, node, values, indices):
        classes = values.shape[1]
        valid = (0 <= indices) & (indices < classes)
        targets = np.where(valid, indices, 0).astype('int64')[:, np.newaxis]
        rank = np.full(len(values), NEVER)
        if classes:
            score = np.take_along_axis(values, targets, axis=1)
            before = (values > score) | (
                (values == score) & (np.arange(classes) < targets)
            )
            valid &= ~np.isnan(values).any(axis=1)
            rank = np.where(valid, before.sum(axis=1), rank)
        return [rank]

    def connection_pattern(self, node):
        return [[True], [False]]

    def L_op(self, inputs, outputs, output_gradients):
        # A rank is constant almost everywhere.
        return [inputs[0].zeros_like(), DisconnectedType()()]

    def R_op(self, inputs, eval_points):
        # Zeros, not None: Theano gives a comparison of None and a number the
        # derivative's shape of the number.
        return [self(*inputs).zeros_like()]


def target_rank(values, indices, axis=1):
    """The rank of the target's class of every data point."""
    return TargetRank(axis)(values, indices)
