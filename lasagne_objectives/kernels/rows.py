"""What the kernels of classes share: their axis, their operands, checks.

A kernel of classes reads a tensor one axis of which, at any place, is that of
the classes; the others are those of the data points. Operands have the layout
of that tensor, or lack its class axis. In NumPy a kernel works on a matrix: a
row for each data point.
"""

import numpy as np
import theano.tensor as T

from lasagne_objectives.kernels.c_kernel import CKernel
from lasagne_objectives.kernels.match_shapes import check_fit


# ---------------------------------------------------------------------------
# Views of tensors as rows


def without(sequence, axis):
    """A shape or a pattern without one of its axes."""
    return tuple(sequence[:axis]) + tuple(sequence[axis + 1 :])


def same_pattern(tensor, pattern):
    """Give a tensor a broadcast pattern, to be checked when it is run."""
    if tensor.broadcastable == tuple(pattern):
        return tensor
    return T.patternbroadcast(tensor, pattern)


def rows_of(tensor, axis):
    """View a tensor as a matrix of data points (rows) over classes."""
    if tensor.ndim == 2:
        return tensor if axis == 1 else tensor.T
    if tensor.ndim == 1:
        return tensor.dimshuffle('x', 0)
    others = without(range(tensor.ndim), axis)
    # The product rather than -1, which is ambiguous for empty batches.
    points = T.mul(*[tensor.shape[i] for i in others])
    return tensor.dimshuffle(others + (axis,)).reshape(
        (points, tensor.shape[axis]), ndim=2
    )


def along_axis(kernel, tensor, axis):
    """Apply a kernel from matrix to matrix along any axis of a tensor."""
    return from_rows(kernel(rows_of(tensor, axis)), tensor, axis)


def from_rows(result, tensor, axis):
    """Put a row per data point back to where ``rows_of`` took it."""
    if tensor.ndim == 2:
        return result if axis == 1 else result.T
    if tensor.ndim == 1:
        return result[0]
    order = without(range(tensor.ndim), axis) + (axis,)
    moved = result.reshape([tensor.shape[i] for i in order], ndim=tensor.ndim)
    back = moved.dimshuffle([order.index(i) for i in range(tensor.ndim)])
    return same_pattern(back, tensor.broadcastable)


def with_classes(points, axis):
    """Give a value for each data point an axis to stand along the classes."""
    return points.dimshuffle(
        list(range(axis)) + ['x'] + list(range(axis, points.ndim))
    )


def ones_of_points(tensor, axis):
    """A 1 for each data point of a tensor."""
    return T.ones_like(tensor[(slice(None),) * axis + (0,)])


# ---------------------------------------------------------------------------
# Operands of kernels


def as_floats(values, axis):
    """The first operand of a kernel: floats, with a class axis."""
    values = T.as_tensor_variable(values)
    if values.ndim <= axis or values.dtype not in ('float32', 'float64'):
        raise TypeError(
            "expected a tensor of float32 or float64 with an axis %d, got %s"
            % (axis, values.type)
        )
    return values


def as_classes(indices, values):
    """The class index of each data point of `values`."""
    indices = T.as_tensor_variable(indices)
    if (
        indices.ndim != values.ndim - 1
        or indices.dtype not in T.discrete_dtypes
    ):
        raise TypeError(
            "expected a tensor of integers of %d dimensions, got %s"
            % (values.ndim - 1, indices.type)
        )
    return indices


def as_gradient(gradient, values):
    """A gradient in the type of `values`."""
    return T.cast(T.as_tensor_variable(gradient), values.dtype)


def of_points(tensor, axis, dtype):
    """A new variable of one value for each data point of `tensor`."""
    return T.TensorType(dtype, without(tensor.broadcastable, axis))()


def checked_classes(values, indices):
    """Class indices of rows as integers that index, or the error promised."""
    classes = values.shape[1]
    if len(indices) and not (0 <= indices.min() and indices.max() < classes):
        raise IndexError(
            "class index out of range: the smallest is %d, the largest is "
            "%d, the number of classes is %d"
            % (indices.min(), indices.max(), classes)
        )
    return indices.astype('int64')


# ---------------------------------------------------------------------------
# Kernels


class ClassKernel(CKernel):
    """An Op of a tensor with a class axis, and what belongs to it.

    Each further operand, and each result, has the layout of the first
    operand or lacks its class axis. Subclasses give the C function, which is
    called with the axis, the inputs and the addresses of the results, and
    ``of_rows(node, matrix, *operands)``, the same in NumPy: a list of the
    results for a matrix and what belongs to it.

    Parameters
    ----------
    axis : int
        The class axis of the first operand, counted from the beginning.
    """

    __props__ = ('axis',)

    def __init__(self, axis=1):
        self.axis = axis

    def perform(self, node, inputs, output_storage):
        for operand in inputs[1:]:
            check_fit(operand, inputs[0], self.axis)
        results = self.of_rows(
            node, *[self._as_rows(array, inputs[0]) for array in inputs]
        )
        self._store(results, node, inputs, output_storage)

    def _store(self, results, node, inputs, output_storage):
        for storage, result, variable in zip(
            output_storage, results, node.outputs
        ):
            storage[0] = np.asarray(
                self._from_rows(result, inputs[0]), dtype=variable.dtype
            )

    def _as_rows(self, array, values):
        points = int(np.prod(without(values.shape, self.axis)))
        if array.ndim < values.ndim:
            return np.reshape(array, (points,))
        moved = np.moveaxis(array, self.axis, -1)
        return np.ascontiguousarray(moved).reshape((points, moved.shape[-1]))

    def _from_rows(self, result, values):
        shape = without(values.shape, self.axis)
        if result.ndim == 1:
            return result.reshape(shape)
        shape += values.shape[self.axis : self.axis + 1]
        return np.moveaxis(result.reshape(shape), -1, self.axis)

    def infer_shape(self, node, input_shapes):
        shape = tuple(input_shapes[0])
        return [
            shape if variable.ndim == len(shape) else without(shape, self.axis)
            for variable in node.outputs
        ]

    def c_call(self, node, inputs, outputs):
        arguments = [self.axis] + inputs + ['&' + name for name in outputs]
        return '%s<npy_%s>(%s)' % (
            self.c_file[: -len('.c')],
            ', npy_'.join(self.c_types(node)),
            ', '.join(str(argument) for argument in arguments),
        )

    def c_types(self, node):
        """What the C function is a template of."""
        return [variable.dtype for variable in node.inputs[:2]]

    def at_axis(self, axis):
        """The same kernel for another class axis."""
        return type(self)(**dict(self._props_dict(), axis=axis))
