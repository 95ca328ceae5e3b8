"""A kernel of data points and its gradient, for the mean of what it makes.

What comes between a kernel and a mean, the number of data points, its
inverse, the weights over their sum and a quotient, are small Ops that take no
time to run, but each of them as long to compile as a large one.
"""

import numpy as np
from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import AroundKernel, read
from lasagne_objectives.kernels.rows import without

_FRAME = """
{
    const double number = %(number)s;
    PyArrayObject *shares = lo_shares<npy_%(dtype)s>(%(weights)s, number);
    bool has_failed = shares == NULL;
    if (!has_failed) {
        %(kernel)s
    }
    if (!has_failed)
        has_failed =
            lo_mean<npy_%(dtype)s>(%(losses)s, %(weights)s, %(same)s, number,
                                   &%(mean)s) != 0;
    Py_XDECREF(shares);
    if (has_failed) { %(fail)s }
}
"""


class Averaged(AroundKernel):
    r"""The results of a kernel, and last the weighted mean of the first.

    The kernel has a gradient, and :math:`w_i / n` as the incoming one: that
    of the mean :math:`\sum w_i L_i / n`. Inputs are those of the kernel, with
    the weights in place of the incoming gradient, and the numbers of which
    :math:`n` is the product. Without any it is the number of data points. Put
    into compiled graphs by a rewrite (merge.py); never differentiated.

    Parameters
    ----------
    kernel : rows.ClassKernel, or MovedRows or KeptRows of one
        Its first result is a float for each data point.
    weights : int
        Which of the inputs of the kernel the incoming gradient is.
    numbers : int
        How many numbers there are. If none, the kernel is a ``ClassKernel``.
    """

    __props__ = ('kernel', 'weights', 'numbers')
    __str__ = AroundKernel.__str__

    def __init__(self, kernel, weights=2, numbers=0):
        super().__init__(kernel)
        self.weights = weights
        self.numbers = numbers

    def make_node(self, *inputs):
        node = self._of_kernel(inputs)
        results = [v.type() for v in node.outputs]
        mean = T.TensorType(results[0].dtype, [])()
        return gof.Apply(self, list(inputs), results + [mean])

    def _of_kernel(self, inputs):
        """The node of the kernel that one with such inputs holds."""
        return self.kernel.make_node(*self._split(inputs)[0])

    def _split(self, inputs):
        """The operands of the kernel, and the numbers."""
        operands = len(inputs) - self.numbers
        return list(inputs[:operands]), list(inputs[operands:])

    def perform(self, node, inputs, output_storage):
        operands, numbers = self._split(inputs)
        number = np.prod(numbers or without(inputs[0].shape, self.kernel.axis))
        weights = inputs[self.weights]
        with np.errstate(all='ignore'):
            shares = np.asarray(weights / number, dtype=weights.dtype)
        operands[self.weights] = shares
        kernel_node = self._of_kernel(node.inputs)
        self.kernel.perform(kernel_node, operands, output_storage[:-1])
        losses = output_storage[0][0]
        with np.errstate(all='ignore'):
            total = np.sum(weights * losses, dtype='float64')
            mean = np.asarray(total / number, dtype=losses.dtype)
        output_storage[-1][0] = mean

    def c_support_code(self):
        files = read('summed.h') + read('averaged.h')
        return self.kernel.c_support_code() + files

    def c_code(self, node, name, inputs, outputs, sub):
        dtype = node.outputs[0].dtype
        weights = node.inputs[self.weights]
        operands, numbers = self._split(inputs)
        operands[self.weights] = 'shares'
        factors = [
            '(double)*(npy_%s *)PyArray_DATA(%s)' % (dtype, one)
            for one in numbers
        ] or ['lo_count(%s, %d)' % (inputs[0], self.kernel.axis)]
        return _FRAME % dict(
            dtype=dtype,
            number=' * '.join(factors),
            weights=inputs[self.weights],
            kernel=self.kernel.c_code(
                self._of_kernel(node.inputs),
                name,
                operands,
                outputs[:-1],
                dict(sub, fail='has_failed = true;'),
            ),
            losses=outputs[0],
            same='true' if all(weights.broadcastable) else 'false',
            mean=outputs[-1],
            fail=sub['fail'],
        )
