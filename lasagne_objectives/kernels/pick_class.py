"""Read one class of every row, and its adjoint: write some of every row."""

import numpy as np
from theano import gof
import theano.tensor as T
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.c_kernel import CKernel, real_and_index


class PickClass(CKernel):
    """``values[i, indices[i]]`` for every row ``i``.

    Parameters
    ----------
    strict : bool
        Whether an index that names no class is an error; else it reads 0.
    """

    __props__ = ('strict',)
    c_file = 'pick_class.c'

    def __init__(self, strict=True):
        self.strict = strict

    def c_call(self, node, inputs, outputs):
        return 'pick_class%s(%s, %s, %s, &%s)' % (
            real_and_index(*node.inputs),
            inputs[0],
            inputs[1],
            'true' if self.strict else 'false',
            outputs[0],
        )

    def make_node(self, values, indices):
        values = rows.as_matrix(values)
        return gof.Apply(
            self,
            [values, rows.as_classes(indices)],
            [rows.vector_per_row(values, values.dtype)],
        )

    def perform(self, node, inputs, output_storage):
        values, indices = inputs
        if self.strict:
            classes = rows.checked_classes(values, indices)
            picked = values[np.arange(len(values)), classes]
        else:
            rows.check_length(values, indices)
            picked = np.zeros(len(values), dtype=values.dtype)
            valid = (0 <= indices) & (indices < values.shape[1])
            picked[valid] = values[valid, indices[valid]]
        output_storage[0][0] = picked

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]

    def connection_pattern(self, node):
        return [[True], [False]]

    def L_op(self, inputs, outputs, output_gradients):
        values, indices = inputs
        (gradient,) = output_gradients
        return [
            place_classes(values, (indices, gradient), strict=self.strict),
            DisconnectedType()(),
        ]

    def R_op(self, inputs, eval_points):
        if eval_points[0] is None:
            return [None]
        return [self(eval_points[0], inputs[1])]


pick_class = PickClass()
pick_class_or_zero = PickClass(strict=False)


class PlaceClasses(CKernel):
    """Zeros of the shape of a matrix, with some values added to each row.

    Inputs are the matrix (only its shape is read), then pairs of a vector of
    class indices and a vector of values.

    Parameters
    ----------
    strict : bool
        Whether an index that names no class is an error; else it adds
        nothing. What reads classes strictly is differentiated strictly:
        of ``log(exp(z)[i])`` the gradient reads no class any more.
    """

    __props__ = ('strict',)
    c_file = 'pick_class.c'

    def __init__(self, strict=False):
        self.strict = strict

    def c_call(self, node, inputs, outputs):
        return 'place_classes<npy_%s>(%s, addends, &%s)' % (
            node.outputs[0].dtype,
            inputs[0],
            outputs[0],
        )

    def c_code(self, node, name, inputs, outputs, sub):
        check = (
            'lo_check_classes<npy_%s>'
            if self.strict
            else 'lo_check_length%.0s'
        )
        addends = [
            '{%s, %s, %s, lo_class<npy_%s>}'
            % (indices, values, check % variable.dtype, variable.dtype)
            for indices, values, variable in zip(
                inputs[1::2], inputs[2::2], node.inputs[1::2]
            )
        ]
        return '{ const lo_addend addends[] = {%s}; %s }' % (
            ', '.join(addends + ['{NULL, NULL, NULL, NULL}']),
            super().c_code(node, name, inputs, outputs, sub),
        )

    def make_node(self, like, *pairs):
        like = rows.as_matrix(like)
        operands = [like]
        for indices, values in zip(pairs[::2], pairs[1::2]):
            operands += [
                rows.as_classes(indices),
                T.cast(T.as_tensor_variable(values), like.dtype),
            ]
        return gof.Apply(self, operands, [like.type()])

    def perform(self, node, inputs, output_storage):
        result = np.zeros_like(inputs[0])
        for indices, values in zip(inputs[1::2], inputs[2::2]):
            if self.strict:
                rows.checked_classes(result, indices)
            valid = (0 <= indices) & (indices < result.shape[1])
            result[valid, indices[valid].astype('int64')] += values[valid]
        output_storage[0][0] = result

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]

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
                pick_class_or_zero(gradient, indices),
            ]
        return result

    def R_op(self, inputs, eval_points):
        pairs = []
        for indices, point in zip(inputs[1::2], eval_points[2::2]):
            if point is not None:
                pairs += [indices, point]
        return [self(inputs[0], *pairs) if pairs else None]


def place_classes(like, *pairs, strict=False):
    """Zeros shaped `like`, with values at the classes that `pairs` name."""
    return PlaceClasses(strict)(
        like, *[operand for pair in pairs for operand in pair]
    )
