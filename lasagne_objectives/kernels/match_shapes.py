"""A run-time check of shapes that Theano's row-wise views would lose."""

from theano import gof
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels.c_kernel import CKernel


def check_fit(targets, predictions, axis):
    """Refuse an array of another shape than the predictions.

    If it has one dimension less, it lacks their class axis.
    """
    expected = list(predictions.shape)
    if targets.ndim < predictions.ndim:
        del expected[axis]
    if list(targets.shape) != expected:
        raise ValueError(
            "targets of shape %s do not fit predictions of shape %s: "
            "expected %s" % (targets.shape, predictions.shape, tuple(expected))
        )


class MatchShapes(CKernel):
    """Pass targets through if their shape fits that of the predictions.

    Targets of equal rank must have the shape of the predictions, targets of
    one dimension less that shape without the class axis.
    """

    __props__ = ('axis',)
    c_file = 'match_shapes.c'
    headers = ('arrays.h', 'results.h')
    view_map = {0: [0]}
    # Only shapes are read: any type of data will do.
    _f16_ok = True

    def __init__(self, axis):
        self.axis = axis

    def make_node(self, targets, predictions):
        return gof.Apply(self, [targets, predictions], [targets.type()])

    def perform(self, node, inputs, output_storage):
        targets, predictions = inputs
        check_fit(targets, predictions, self.axis)
        output_storage[0][0] = targets

    def c_call(self, node, inputs, outputs):
        return 'match_shapes(%d, %s, %s, &%s)' % (
            (self.axis,) + tuple(inputs) + tuple(outputs)
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]

    def connection_pattern(self, node):
        return [[True], [False]]

    def L_op(self, inputs, outputs, output_gradients):
        return [output_gradients[0], DisconnectedType()()]

    def R_op(self, inputs, eval_points):
        return [eval_points[0]]


def match_shapes(targets, predictions, axis):
    """`targets`, refused at run time unless they fit `predictions`."""
    return MatchShapes(axis)(targets, predictions)
