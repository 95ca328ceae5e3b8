"""What the row-wise kernels share: checks of their operands, index checks.

A row-wise kernel reads a matrix whose rows are data points and whose columns
are classes.
"""

import theano.tensor as T


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


def points_of(values, tensor, axis):
    """Put one value per row back to where ``rows_of(tensor, axis)`` took it.

    The result has the shape of the tensor without the axis.
    """
    if tensor.ndim == 1:
        return values[0]
    if tensor.ndim > 2:
        shape = without([tensor.shape[i] for i in range(tensor.ndim)], axis)
        values = values.reshape(shape, ndim=tensor.ndim - 1)
    return same_pattern(values, without(tensor.broadcastable, axis))


def along_axis(kernel, tensor, axis):
    """Apply a kernel from matrix to matrix along any axis of a tensor."""
    result = kernel(rows_of(tensor, axis))
    if tensor.ndim == 2:
        return result if axis == 1 else result.T
    if tensor.ndim == 1:
        return result[0]
    order = without(range(tensor.ndim), axis) + (axis,)
    moved = result.reshape([tensor.shape[i] for i in order], ndim=tensor.ndim)
    back = moved.dimshuffle([order.index(i) for i in range(tensor.ndim)])
    return same_pattern(back, tensor.broadcastable)


# ---------------------------------------------------------------------------
# Operands of kernels


def as_matrix(values):
    """The first operand of a row-wise kernel: a matrix of floats."""
    values = T.as_tensor_variable(values)
    if values.ndim != 2 or values.dtype not in ('float32', 'float64'):
        raise TypeError(
            "expected a matrix of float32 or float64, got %s" % values.type
        )
    return values


def as_classes(indices):
    """The class index of each row: a vector of integers."""
    indices = T.as_tensor_variable(indices)
    if indices.ndim != 1 or indices.dtype not in T.discrete_dtypes:
        raise TypeError("expected a vector of integers, got %s" % indices.type)
    return indices


def vector_per_row(matrix, dtype):
    """A new variable that holds one value for each row of `matrix`."""
    return T.TensorType(dtype, [matrix.broadcastable[0]])()


def check_length(values, indices):
    """Refuse class indices whose number is not that of the rows."""
    if len(indices) != len(values):
        raise ValueError(
            "got %d class indices for %d data points"
            % (len(indices), len(values))
        )


def checked_classes(values, indices):
    """Class indices as integers that can index, or the errors promised."""
    check_length(values, indices)
    classes = values.shape[1]
    if len(indices) and not (0 <= indices.min() and indices.max() < classes):
        raise IndexError(
            "class index out of range: the smallest is %d, the largest is "
            "%d, the number of classes is %d"
            % (indices.min(), indices.max(), classes)
        )
    return indices.astype('int64')
