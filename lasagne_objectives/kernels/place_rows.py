"""Rows at indices of an array of zeros: the gradient of rows that were chosen.

Where a loss is of some rows only, ``predictions[labelled]``, Theano makes the
zeros, and adds the gradient to them number by number. To write each row once
takes half as long.
"""

import numpy as np
from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import CKernel


class PlaceRows(CKernel):
    """An array of so many rows, the sum of those that belong to each.

    Inputs are the rows, along the first axis, for each the index of where it
    belongs, and how many there are to be. Put into compiled graphs by a
    rewrite (merge.py); never differentiated.
    """

    c_file = 'place_rows.c'
    headers = ('simd.h', 'threads.h', 'arrays.h', 'results.h')

    def make_node(self, rows, indices, length):
        pattern = (False,) + rows.broadcastable[1:]
        result = T.TensorType(rows.dtype, pattern)()
        return gof.Apply(self, [rows, indices, length], [result])

    def perform(self, node, inputs, output_storage):
        rows, indices, length = inputs
        result = np.zeros((int(length),) + rows.shape[1:], rows.dtype)
        if len(indices) != len(rows):
            raise ValueError(
                "%d indices of %d rows" % (len(indices), len(rows))
            )
        np.add.at(result, indices, rows)
        output_storage[0][0] = result

    def infer_shape(self, node, input_shapes):
        return [(node.inputs[2],) + tuple(input_shapes[0][1:])]

    def c_call(self, node, inputs, outputs):
        return 'place_rows<npy_%s, npy_%s>(%s, &%s)' % (
            node.inputs[0].dtype,
            node.inputs[2].dtype,
            ', '.join(inputs),
            outputs[0],
        )
