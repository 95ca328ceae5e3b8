"""Kernels of the rows that an array becomes by a reshape which would copy it.

Images have their classes at axis 1, and many networks move them to the end,
``z.dimshuffle(0, 2, 3, 1).reshape((-1, classes))``, for a softmax of rows.
Such an array cannot be seen as a matrix, so the reshape copies it, and that of
the gradient as well. The kernels take the classes where they are: here one is
given the array as it is, if the reshape keeps its last axis whole. Whether it
does is seen when it is run.
"""

import zlib

from theano import gof
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import CKernel, read


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


class MovedRows(CKernel):
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

    __props__ = ('kernel',)

    def __init__(self, kernel):
        self.kernel = kernel
        self.destroy_map = self._shifted(kernel, 'destroy_map')
        self.view_map = self._shifted(kernel, 'view_map')

    @staticmethod
    def _shifted(kernel, name):
        """What a kernel says of its first two inputs, between them a shape."""
        return {
            output: [position + (position > 0) for position in positions]
            for output, positions in getattr(kernel, name, {}).items()
        }

    def __str__(self):
        return 'MovedRows{%s}' % self.kernel

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
                v.type() if shape is None else T.matrix(dtype=v.dtype)
                for v, shape in operands_of(inputs)
            ]
        )

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
        return self.kernel.c_support_code() + read('moved_rows.h')

    def c_code_cache_version(self):
        return super().c_code_cache_version() + (zlib.crc32(_FRAME.encode()),)

    def c_code(self, node, name, inputs, outputs, sub):
        names = dict(zip(node.inputs, inputs))
        pairs = operands_of(node.inputs)
        given = ['operands[%d]' % i for i in range(len(pairs))]
        results = ['results[%d]' % i for i in range(len(outputs))]
        calls = [
            self.kernel.at_axis(axis).c_call(
                self._of_matrix(node.inputs), given, results
            )
            for axis in (1, node.inputs[0].ndim - 1)
        ]
        return _FRAME % dict(
            operands=', '.join(names[v] for v, _ in pairs),
            shapes=', '.join(
                'NULL' if shape is None else names[shape] for _, shape in pairs
            ),
            results=len(outputs),
            count=len(pairs),
            missing=' || '.join('%s == NULL' % one for one in given),
            of_matrix='(%s)' % calls[0],
            of_array='(%s)' % calls[1],
            returned=' || '.join(
                'lo_return_rows(%s, %d, %s, &%s)'
                % (result, variable.ndim, inputs[0], output)
                for result, variable, output in zip(
                    results, node.outputs, outputs
                )
            ),
            forgotten=' '.join(
                'Py_XDECREF(%s);' % one for one in given + results
            ),
            fail=sub['fail'],
        )


def operands_of(inputs):
    """The operands of the kernel, from the inputs of :class:`MovedRows`.

    Parameters
    ----------
    inputs : list of variables, or of arrays

    Returns
    -------
    list of pairs
        Each operand and the shape that it is to have as a matrix, or None.
    """
    pairs, remaining = [], iter(inputs)
    for operand in remaining:
        pairs.append((operand, next(remaining) if operand.ndim > 2 else None))
    return pairs
