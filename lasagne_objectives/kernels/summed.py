"""A kernel of data points, and the sum of what it makes of them.

Of an aggregated loss the sum is what is wanted. A kernel has computed the
losses anyway: to add them up where they are takes no further Op, which would
take longer to compile than to run.
"""

import numpy as np
from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import AroundKernel, read


class Summed(AroundKernel):
    """The results of a kernel, and last the sum of the first of them.

    Put into compiled graphs by a rewrite (merge.py); never differentiated.

    Parameters
    ----------
    kernel : rows.ClassKernel, or MovedRows or KeptRows of one
        Its first result is a float for each data point.
    """

    def make_node(self, *inputs):
        node = self.kernel.make_node(*inputs)
        results = [v.type() for v in node.outputs]
        total = T.TensorType(results[0].dtype, [])()
        return gof.Apply(self, node.inputs, results + [total])

    def perform(self, node, inputs, output_storage):
        self.kernel.perform(node, inputs, output_storage[:-1])
        losses = output_storage[0][0]
        total = losses.sum(dtype='float64')
        output_storage[-1][0] = np.asarray(total, dtype=losses.dtype)

    def c_support_code(self):
        return self.kernel.c_support_code() + read('summed.h')

    def c_code(self, node, name, inputs, outputs, sub):
        losses, total = outputs[0], outputs[-1]
        return self.kernel.c_code(
            node, name, inputs, outputs[:-1], sub
        ) + 'if (lo_total<npy_%s>(%s, &%s)) { %s }' % (
            node.outputs[0].dtype,
            losses,
            total,
            sub['fail'],
        )
