"""The class of the largest value of every row."""

import numpy as np
from theano import gof

from lasagne_objectives.kernels import rows


class TopClass(gof.Op):
    """``argmax_j p_ij`` for every row ``i``, the lowest class on ties.

    A row that holds NaN has none, nor has one without classes: -1.
    """

    __props__ = ()

    def make_node(self, values):
        values = rows.as_matrix(values)
        return gof.Apply(
            self, [values], [rows.vector_per_row(values, 'int64')]
        )

    def perform(self, node, inputs, output_storage):
        (values,) = inputs
        if values.shape[1] == 0:
            output_storage[0][0] = np.full(len(values), -1)
            return
        # NaN counts as the largest: where it is one, it is what was found.
        tops = values.argmax(axis=1)
        unordered = np.isnan(values[np.arange(len(values)), tops])
        output_storage[0][0] = np.where(unordered, -1, tops).astype('int64')

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]

    def L_op(self, inputs, outputs, output_gradients):
        # A class is constant almost everywhere.
        return [inputs[0].zeros_like()]

    def R_op(self, inputs, eval_points):
        # Zeros, not None, for what compares it; see TargetRank.
        return [self(*inputs).zeros_like()]


top_class = TopClass()
