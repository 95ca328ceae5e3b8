"""Kernels of the rows that an array becomes by a reshape which would copy it.

Images have their classes at axis 1, and many networks move them to the end,
``z.dimshuffle(0, 2, 3, 1).reshape((-1, classes))``, for a softmax of rows.
Such an array cannot be seen as a matrix, so the reshape copies it, and that of
the gradient as well. The kernels take the classes where they are: here one is
given the array as it is, if the reshape keeps its last axis whole. Whether it
does is seen when it is run.
"""

from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import CKernel, read


class MovedRows(CKernel):
    """A kernel of ``array.reshape(shape)``, a matrix of rows.

    Inputs are the array, the shape, and the further operands of the kernel;
    those with classes may have the shape of the array instead of the matrix's.
    Results that have classes are in the shape of the array. Put into compiled
    graphs by a rewrite (merge.py); never differentiated.

    Parameters
    ----------
    kernel : rows.ClassKernel
        With the class axis 1.
    """

    __props__ = ('kernel',)

    def __init__(self, kernel):
        self.kernel = kernel
        self.destroy_map = self._shifted(kernel, 'destroy_map')
        self.view_map = self._shifted(kernel, 'view_map')

    @staticmethod
    def _shifted(kernel, name):
        """What a kernel says of its inputs, with the shape among them."""
        return {
            output: [position + (position > 0) for position in positions]
            for output, positions in getattr(kernel, name, {}).items()
        }

    def __str__(self):
        return 'MovedRows{%s}' % self.kernel

    def make_node(self, array, shape, *operands):
        outputs = [
            array.type() if v.ndim == 2 else v.type()
            for v in self._of_matrix(array, *operands).outputs
        ]
        return gof.Apply(self, [array, shape] + list(operands), outputs)

    def _of_matrix(self, *operands):
        """The node that this one stands for."""
        return self.kernel.make_node(
            *[
                T.matrix(dtype=v.dtype) if v.ndim > 2 else v.type()
                for v in operands
            ]
        )

    def perform(self, node, inputs, output_storage):
        array, shape, *operands = inputs
        self.kernel.perform(
            self._of_matrix(node.inputs[0], *node.inputs[2:]),
            [
                operand.reshape(shape) if operand.ndim > 2 else operand
                for operand in [array] + operands
            ],
            output_storage,
        )
        for storage, variable in zip(output_storage, node.outputs):
            if variable.ndim > 1:
                storage[0] = storage[0].reshape(array.shape)

    def c_support_code(self):
        return self.kernel.c_support_code() + read('moved_rows.h')

    def c_code(self, node, name, inputs, outputs, sub):
        array, shape, *operands = inputs
        of_matrix = self._of_matrix(node.inputs[0], *node.inputs[2:])
        count = 1 + len(operands)
        given = ['operands[%d]' % i for i in range(count)]
        results = ['results[%d]' % i for i in range(len(outputs))]
        calls = [
            self.kernel.at_axis(axis).c_call(of_matrix, given, results)
            for axis in (1, node.inputs[0].ndim - 1)
        ]
        return """
        {
            PyArrayObject *operands[] = {%(operands)s};
            PyArrayObject *results[%(results)d] = {NULL};
            const int axis = lo_arrange_rows(%(count)d, operands, %(shape)s);
            const bool failed = %(missing)s
                || (axis == 1 ? %(of_matrix)s : %(of_array)s) != 0
                || %(returned)s;
            %(forgotten)s
            if (failed) { %(fail)s }
        }
        """ % dict(
            operands=', '.join([array] + operands),
            results=len(outputs),
            count=count,
            shape=shape,
            missing=' || '.join('%s == NULL' % one for one in given),
            of_matrix='(%s)' % calls[0],
            of_array='(%s)' % calls[1],
            returned=' || '.join(
                'lo_return_rows(%s, %d, %s, &%s)'
                % (result, variable.ndim, array, output)
                for result, variable, output in zip(
                    results, node.outputs, outputs
                )
            ),
            forgotten=' '.join(
                'Py_XDECREF(%s);' % one for one in given + results
            ),
            fail=sub['fail'],
        )
