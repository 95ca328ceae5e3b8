"""Kernels of rows that are kept and given another shape, all in one.

Recurrent networks have a softmax of all time steps of all sequences, and
reshape it to sequences of steps again. What comes of that, ``KeepRows``, two
reshapes and its gradient around a kernel, are five things to compile where
there could be one, and the logits would have to stay for the last of them. One
Op of all needs no more than the shape.
"""

from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import AroundKernel, read
from lasagne_objectives.kernels.keep_rows import KeepRows, KeepRowsGradient
from lasagne_objectives.kernels.softmax_crossentropy import GradientKernel

_FRAME = """
{
    bool whole = true;
    PyArrayObject *gradient = NULL;
    PyArrayObject *rows = lo_kept_rows<npy_%(dtype)s>(
        %(ndim)d, %(logits)s, %(shape)s, &whole);
    const bool failed = rows == NULL || %(call)s != 0 %(returned)s;
    Py_XDECREF(rows);
    Py_XDECREF(gradient);
    if (failed) { %(fail)s }
}
"""

_RETURNED = """
        || lo_return_gradient<npy_%s>(gradient, %s, whole, &%s) != 0
"""


class KeptRows(AroundKernel):
    """A kernel of ``keep_rows(logits, whole, axis).reshape(shape)``.

    Inputs are the logits, with the classes last, the shape, and the further
    operands of the kernel; `whole` is whether the last axis keeps its length.
    The gradient is that with respect to the logits. Put into compiled graphs
    by a rewrite (merge.py); never differentiated.

    Parameters
    ----------
    kernel : SoftmaxCrossentropy, or one of its gradient
        With the class axis last.
    """

    @property
    def _has_gradient(self):
        """Whether the last result has classes."""
        return isinstance(self.kernel, GradientKernel)

    def make_node(self, logits, shape, *operands):
        inputs = [logits, shape] + list(operands)
        results = [v.type() for v in self._of_shaped(inputs).outputs]
        if self._has_gradient:
            results[-1] = logits.type()
        return gof.Apply(self, inputs, results)

    def _of_shaped(self, inputs):
        """The node of the kernel that one with such inputs holds."""
        logits, _, *operands = inputs
        ndim = self.kernel.axis + 1
        shaped = T.TensorType(logits.dtype, [False] * ndim)()
        return self.kernel.make_node(
            shaped, *[v.type() for v in operands], T.TensorType('bool', [])()
        )

    def perform(self, node, inputs, output_storage):
        logits, shape, *operands = inputs
        whole = logits.reshape(shape).shape[-1] == logits.shape[-1]
        kept = self._of_logits(KeepRows, node, [logits, whole])
        self.kernel.perform(
            self._of_shaped(node.inputs),
            [kept.reshape(shape)] + operands + [whole],
            output_storage,
        )
        if self._has_gradient:
            gradient = output_storage[-1][0].reshape(logits.shape)
            output_storage[-1][0] = self._of_logits(
                KeepRowsGradient, node, [logits, gradient, whole]
            )

    @staticmethod
    def _of_logits(kind, node, arrays):
        """What an Op of the logits makes of arrays."""
        op = kind(node.inputs[0].ndim - 1)
        storage = [None]
        logits = [node.inputs[0].type() for _ in arrays[:-1]]
        op.perform(op.make_node(*logits, T.constant(True)), arrays, [storage])
        return storage[0]

    def c_support_code(self):
        return (
            self.kernel.c_support_code()
            + read('reshape.h')
            + read(KeepRows.c_file)
            + read('kept_rows.h')
        )

    def c_code(self, node, name, inputs, outputs, sub):
        logits, shape, *operands = inputs
        dtype, results, returned = node.inputs[0].dtype, list(outputs), ''
        if self._has_gradient:
            results[-1] = 'gradient'
            returned = _RETURNED % (dtype, logits, outputs[-1])
        call = self.kernel.c_call(
            self._of_shaped(node.inputs),
            ['rows'] + operands + ['whole'],
            results,
        )
        return _FRAME % dict(
            dtype=dtype,
            ndim=self.kernel.axis + 1,
            logits=logits,
            shape=shape,
            call=call,
            returned=returned,
            fail=sub['fail'],
        )
