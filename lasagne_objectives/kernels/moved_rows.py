"""Kernels of the rows that an array becomes by a reshape which would copy it.

Images have their classes at axis 1, and many networks move them to the end,
``z.dimshuffle(0, 2, 3, 1).reshape((-1, classes))``, for a softmax of rows.
Such an array cannot be seen as a matrix, so the reshape copies it, and that of
the gradient as well. The kernels take the classes where they are: here one is
given the array as it is, if the reshape keeps its last axis whole. Whether it
does is seen when it is run.
"""

from theano import gof

from lasagne_objectives.kernels.c_kernel import AroundKernel, OfKernel, read


# Around the two calls of the kernel: of the matrix, and of the array.
_FRAME = """
{
    PyArrayObject *operands[] = {%(operands)s};
    PyArrayObject *shapes[] = {%(shapes)s};
    PyArrayObject *results[%(results)d] = {NULL};
    const int axis = lo_arrange_rows(%(count)d, operands, shapes);
    const bool failed = %(missing)s
        || (axis == 1 ? %(of_matrix)s : %(of_array)s) != 0
        || %(returned)s;
    %(forgotten)s
    if (failed) { %(fail)s }
}
"""


class OfMovedRows(OfKernel):
    """A kernel of ``array.reshape(shape)``, a matrix of rows.

    Inputs are the array, the shape, and the further operands of the kernel.
    Of an operand that has more than two axes, the shape that it is to have as
    a matrix follows, too. Results that have classes are in the shape of the
    array. Put into compiled graphs by a rewrite (merge.py); never
    differentiated.

    Parameters
    ----------
    kernel : rows.ClassKernel
        With the class axis 1.
    """

    def __init__(self, kernel):
        super().__init__(kernel)
        self.destroy_map = self._shifted(kernel, 'destroy_map')
        self.view_map = self._shifted(kernel, 'view_map')

    @staticmethod
    def _shifted(kernel, name):
        """What a kernel says of its first two inputs, between them a shape."""
        return {
            output: [position + (position > 0) for position in positions]
            for output, positions in getattr(kernel, name, {}).items()
        }

    def make_node(self, *inputs):
        outputs = [
            inputs[0].type() if v.ndim == 2 else v.type()
            for v in self._of_matrix(inputs).outputs
        ]
        return gof.Apply(self, list(inputs), outputs)

    def _of_matrix(self, inputs):
        """The node that one with such inputs stands for."""
        return self.kernel.make_node(
            *[
                v.type() if shape is None else _matrix_like(v)
                for v, shape in operands_of(inputs)
            ]
        )

    @staticmethod
    def around(node, pairs, given, made, outputs):
        """What the C code around a kernel is filled in with.

        `pairs` are the names of operands and of shapes, `given` and `made`
        the arrays in C that the kernel has in place of them and of outputs.
        """
        array = pairs[0][0]
        return dict(
            operands=', '.join(operand for operand, _ in pairs),
            shapes=', '.join(shape or 'NULL' for _, shape in pairs),
            results=len(made),
            count=len(pairs),
            missing=' || '.join('%s == NULL' % one for one in given),
            returned=' || '.join(
                'lo_return_rows(%s, %d, %s, &%s)'
                % (result, variable.ndim, array, output)
                for result, variable, output in zip(
                    made, node.outputs, outputs
                )
            ),
            forgotten=' '.join(
                'Py_XDECREF(%s);' % one for one in given + made
            ),
        )


def _matrix_like(variable):
    return variable.type.clone(broadcastable=(False, False))()


class MovedRows(OfMovedRows, AroundKernel):
    """The same on the CPU."""

    def perform(self, node, inputs, output_storage):
        self.kernel.perform(
            self._of_matrix(node.inputs),
            [
                operand if shape is None else operand.reshape(shape)
                for operand, shape in operands_of(inputs)
            ],
            output_storage,
        )
        for storage, variable in zip(output_storage, node.outputs):
            if variable.ndim > 1:
                storage[0] = storage[0].reshape(inputs[0].shape)

    def c_support_code(self):
        return (
            self.kernel.c_support_code()
            + read('reshape.h')
            + read('moved_rows.h')
        )

    def c_code(self, node, name, inputs, outputs, sub):
        pairs = operands_of(inputs, node.inputs)
        given = ['operands[%d]' % i for i in range(len(pairs))]
        results = ['results[%d]' % i for i in range(len(outputs))]
        calls = [
            self.kernel.at_axis(axis).c_call(
                self._of_matrix(node.inputs), given, results
            )
            for axis in (1, node.inputs[0].ndim - 1)
        ]
        return _FRAME % dict(
            self.around(node, pairs, given, results, outputs),
            of_matrix='(%s)' % calls[0],
            of_array='(%s)' % calls[1],
            fail=sub['fail'],
        )


def operands_of(inputs, variables=None):
    """The operands of the kernel, from the inputs of :class:`OfMovedRows`.

    Parameters
    ----------
    inputs : list of variables, or of arrays, or of names of these
    variables : list of variables
        What have such names; else the inputs themselves.

    Returns
    -------
    list of pairs
        Each operand and the shape that it is to have as a matrix, or None.
    """
    pairs, remaining = [], iter(zip(inputs, variables or inputs))
    for operand, variable in remaining:
        shape = next(remaining)[0] if variable.ndim > 2 else None
        pairs.append((operand, shape))
    return pairs
