"""How many classes of every row rank before the target's class."""

import numpy as np
from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.c_kernel import CKernel, real_and_index

# The rank of a row that cannot be right: it is below no limit.
NEVER = np.iinfo('int64').max


class TargetRank(CKernel):
    """``#{j: p_j > p_t} + #{j < t: p_j = p_t}`` of every row.

    Rank 0 is the most probable class, of equal ones the lowest. A row that
    holds NaN, or whose index names no class, gets a rank below no limit. No
    sorting: one read of every row.
    """

    c_file = 'target_rank.c'

    def c_call(self, node, inputs, outputs):
        return 'target_rank%s(%s, %s, &%s)' % (
            (real_and_index(*node.inputs),) + tuple(inputs) + tuple(outputs)
        )

    def make_node(self, values, indices):
        values = rows.as_matrix(values)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices)],
            [rows.vector_per_row(values, 'int64')],
        )

    def perform(self, node, inputs, output_storage):
        values, indices = inputs
        rows.check_length(values, indices)
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
        output_storage[0][0] = rank

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]

    def connection_pattern(self, node):
        return [[True], [False]]

    def L_op(self, inputs, outputs, output_gradients):
        # A rank is constant almost everywhere.
        return [inputs[0].zeros_like(), DisconnectedType()()]

    def R_op(self, inputs, eval_points):
        # Zeros, not None: Theano gives a comparison of None and a number the
        # derivative's shape of the number.
        return [self(*inputs).zeros_like()]


target_rank = TargetRank()
