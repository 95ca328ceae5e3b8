"""Read one class of every data point, and its adjoint: write some classes."""

import numpy as np
from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows


class PickClass(rows.ClassKernel):
    """The value at the class that an index names, for every data point.

    Parameters
    ----------
    axis : int
    strict : bool
        Whether an index that names no class is an error; else it reads 0.
    """

    __props__ = ('axis', 'strict')
    c_file = 'pick_class.c'

    def __init__(self, axis=1, strict=True):
        super().__init__(axis)
        self.strict = strict

    def c_call(self, node, inputs, outputs):
        strict = 'true' if self.strict else 'false'
        return super().c_call(node, inputs + [strict], outputs)

    def make_node(self, values, indices):
        values = rows.as_floats(values, self.axis)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices, values)],
            [rows.of_points(values, self.axis, values.dtype)],
        )

    def of_rows(self, node, values, indices):
        if self.strict:
            classes = rows.checked_classes(values, indices)
            return [values[np.arange(len(values)), classes]]
        picked = np.zeros(len(values), dtype=values.dtype)
        valid = (0 <= indices) & (indices < values.shape[1])
        picked[valid] = values[valid, indices[valid]]
        return [picked]

    def connection_pattern(self, node):
        return [[True], [False]]

    def L_op(self, inputs, outputs, output_gradients):
        values, indices = inputs
        (gradient,) = output_gradients
        return [
            place_classes(
                values,
                (indices, gradient),
                axis=self.axis,
                strict=self.strict,
            ),
            DisconnectedType()(),
        ]

    def R_op(self, inputs, eval_points):
        if eval_points[0] is None:
            return [None]
        return [self(eval_points[0], inputs[1])]


def pick_class(values, indices, axis=1):
    """The value at the class of every data point."""
    return PickClass(axis)(values, indices)


def pick_class_or_zero(values, indices, axis=1):
    """The same, and 0 where an index names no class."""
    return PickClass(axis, strict=False)(values, indices)


class PlaceClasses(rows.ClassKernel):
    """Zeros of the shape of a tensor, with values added to some classes.

    Inputs are the tensor (only its shape is read), then pairs of class
    indices and values, one of each for every data point.

    Parameters
    ----------
    axis : int
    strict : bool
        Whether an index that names no class is an error; else it adds
        nothing. What reads classes strictly is differentiated strictly:
        of ``log(exp(z)[i])`` the gradient reads no class any more.
    """

    __props__ = ('axis', 'strict')
    c_file = 'pick_class.c'

    def __init__(self, axis=1, strict=False):
        super().__init__(axis)
        self.strict = strict

    def c_call(self, node, inputs, outputs):
        # One pair after the other, the first into zeros.
        return ' || '.join(
            'place_classes<npy_%s, npy_%s>(%s)'
            % (
                node.inputs[0].dtype,
                node.inputs[position].dtype,
                ', '.join(
                    [str(self.axis), inputs[0]]
                    + inputs[position : position + 2]
                    + ['true' if self.strict else 'false']
                    + ['true' if position == 1 else 'false']
                    + ['&' + outputs[0]]
                ),
            )
            for position in range(1, len(inputs), 2)
        )

    def make_node(self, like, *pairs):
        like = rows.as_floats(like, self.axis)
        operands = [like]
        for indices, values in zip(pairs[::2], pairs[1::2]):
            operands += [
                rows.as_classes(indices, like),
                rows.as_gradient(values, like),
            ]
        return gof.Apply(self, operands, [like.type()])

    def of_rows(self, node, like, *pairs):
        result = np.zeros_like(like)
        for indices, values in zip(pairs[::2], pairs[1::2]):
            if self.strict:
                rows.checked_classes(result, indices)
            valid = (0 <= indices) & (indices < result.shape[1])
            result[valid, indices[valid].astype('int64')] += values[valid]
        return [result]

    def connection_pattern(self, node):
        return [[False]] + [
            [position % 2 == 0] for position in range(1, len(node.inputs))
        ]

    def L_op(self, inputs, outputs, output_gradients):
        (gradient,) = output_gradients
        result = [DisconnectedType()()]
        for indices in inputs[1::2]:
            result += [
                DisconnectedType()(),
                pick_class_or_zero(gradient, indices, self.axis),
            ]
        return result

    def R_op(self, inputs, eval_points):
        pairs = []
        for indices, point in zip(inputs[1::2], eval_points[2::2]):
            if point is not None:
                pairs += [indices, point]
        return [self(inputs[0], *pairs) if pairs else None]


def place_classes(like, *pairs, axis=1, strict=False):
    """Zeros shaped `like`, with values at the classes that `pairs` name."""
    return PlaceClasses(axis, strict)(
        like, *[operand for pair in pairs for operand in pair]
    )
