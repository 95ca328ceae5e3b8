"""Cross-entropy of a softmax, computed from its input, row by row."""

import numpy as np
from theano import gof
import theano.tensor as T
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
from lasagne_objectives.kernels.c_kernel import CKernel, real_and_index
from lasagne_objectives.kernels.derivatives import pull_back, push_forward
from lasagne_objectives.kernels.elementwise import product_numpy
from lasagne_objectives.kernels.pick_class import place_classes


def _log_probabilities(logits):
    """``log softmax`` of every row, in float64.

    The largest logit is subtracted first, so nothing overflows. An infinite
    largest logit takes all the probability; equal ones share it.
    """
    # Contiguous rows are summed pairwise.
    logits = np.ascontiguousarray(logits, dtype='float64')
    if not logits.size:
        return logits
    with np.errstate(all='ignore'):
        top = logits.max(axis=1, keepdims=True)
        # Equal infinities differ by 0 here, not by NaN.
        shifted = np.where(logits == top, 0.0, logits - top)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _one_hot(indices, classes):
    return (np.arange(classes) == indices[:, np.newaxis]).astype('float64')


def _check_dense(logits, targets):
    if targets.shape != logits.shape:
        raise ValueError(
            "targets of shape %s do not fit predictions of "
            "shape %s: they must be equal" % (targets.shape, logits.shape)
        )


def _as_targets(targets, logits):
    """Class indices, or a matrix of the type of the logits."""
    targets = T.as_tensor_variable(targets)
    if targets.ndim == 1:
        return rows.as_classes(targets)
    return T.cast(rows.as_matrix(targets), logits.dtype)


class _Kernel(CKernel):
    """What the Ops that call the C function have in common."""

    c_file = 'softmax_crossentropy.c'
    inplace = False

    def c_call(self, node, inputs, outputs):
        logits, targets = node.inputs[:2]
        upstream = inputs[2] if len(inputs) > 2 else 'NULL'
        loss, gradient = self.c_results(['&' + name for name in outputs])
        return 'softmax_crossentropy%s(%s, %s, %s, %s, %s, %s)' % (
            real_and_index(logits, targets),
            inputs[0],
            inputs[1],
            upstream,
            loss,
            gradient,
            'true' if self.inplace else 'false',
        )


class SoftmaxCrossentropy(_Kernel):
    """``-sum_j t_ij log softmax(z_i)_j`` for every row ``i``.

    Targets are a vector of class indices or a matrix of the shape of the
    logits. A target of 0 costs nothing, whatever its logit.
    """

    def c_results(self, results):
        return results[0], 'NULL'

    def make_node(self, logits, targets):
        logits = rows.as_matrix(logits)
        return gof.Apply(
            self,
            [logits, _as_targets(targets, logits)],
            [rows.vector_per_row(logits, logits.dtype)],
        )

    def perform(self, node, inputs, output_storage):
        logits, targets = inputs
        if targets.ndim == 1:
            classes = rows.checked_classes(logits, targets)
            loss = -_log_probabilities(logits)[np.arange(len(logits)), classes]
            # Only the target's row entry was read: a NaN may hide elsewhere,
            # but it has made the row's normaliser NaN as well.
        else:
            _check_dense(logits, targets)
            costs = product_numpy(targets, _log_probabilities(logits))
            loss = -np.ascontiguousarray(costs).sum(axis=1)
        output_storage[0][0] = loss.astype(logits.dtype)

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]

    def connection_pattern(self, node):
        return [[True], [node.inputs[1].ndim == 2]]

    def L_op(self, inputs, outputs, output_gradients):
        logits, targets = inputs
        (gradient,) = output_gradients
        if targets.ndim == 1:
            by_targets = DisconnectedType()()
        else:
            by_targets = gradient.dimshuffle(0, 'x') * -log_softmax(logits)
        return [
            softmax_crossentropy_gradient(logits, targets, gradient),
            by_targets,
        ]

    def R_op(self, inputs, eval_points):
        logits, targets = inputs
        by_logits, by_targets = eval_points
        ones = T.ones_like(logits[:, 0])
        terms = []
        if by_logits is not None:
            slope = softmax_crossentropy_gradient(logits, targets, ones)
            terms.append((slope * by_logits).sum(axis=1))
        if targets.ndim == 2 and by_targets is not None:
            terms.append(self(logits, by_targets))
        return [sum(terms[1:], terms[0]) if terms else None]


softmax_crossentropy = SoftmaxCrossentropy()


class GradientKernel(_Kernel):
    """Of these, those whose last result is the gradient.

    Parameters
    ----------
    inplace : bool
        Whether the gradient may take the place of the logits. A rewrite
        (merge.py) sets it where nothing reads them later.
    """

    __props__ = ('inplace',)

    def __init__(self, inplace=False):
        self.inplace = inplace
        if inplace:
            self.destroy_map = {self.gradient_position: [0]}


class SoftmaxCrossentropyGradient(GradientKernel):
    """``g_i (m_i softmax(z_i)_j - t_ij)`` with ``m_i = sum_j t_ij``."""

    gradient_position = 0

    def c_results(self, results):
        return 'NULL', results[0]

    def make_node(self, logits, targets, gradient):
        logits = rows.as_matrix(logits)
        gradient = T.cast(T.as_tensor_variable(gradient), logits.dtype)
        return gof.Apply(
            self,
            [logits, _as_targets(targets, logits), gradient],
            [logits.type()],
        )

    def perform(self, node, inputs, output_storage):
        logits, targets, gradient = inputs
        if targets.ndim == 1:
            dense = _one_hot(
                rows.checked_classes(logits, targets), logits.shape[1]
            )
        else:
            _check_dense(logits, targets)
            dense = np.ascontiguousarray(targets, dtype='float64')
        mass = dense.sum(axis=1, keepdims=True)
        with np.errstate(all='ignore'):
            slope = mass * np.exp(_log_probabilities(logits)) - dense
            result = gradient[:, np.newaxis] * slope
        if self.inplace:
            logits[...] = result
            output_storage[0][0] = logits
        else:
            output_storage[0][0] = result.astype(logits.dtype)

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]

    def connection_pattern(self, node):
        return [[True], [node.inputs[1].ndim == 2], [True]]

    def _formula(self, logits, targets, gradient):
        """The same in Theano's own Ops, to be differentiated again."""
        probabilities = T.nnet.softmax(logits)
        if targets.ndim == 1:
            ones = T.ones_like(logits[:, 0])
            slope = probabilities - place_classes(
                logits, (targets, ones), strict=True
            )
        else:
            mass = targets.sum(axis=1, keepdims=True)
            slope = mass * probabilities - targets
        return gradient.dimshuffle(0, 'x') * slope

    def L_op(self, inputs, outputs, output_gradients):
        return pull_back(self._formula, inputs, output_gradients[0])

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]


softmax_crossentropy_gradient = SoftmaxCrossentropyGradient()


class SoftmaxCrossentropyWithGradient(GradientKernel):
    """:class:`SoftmaxCrossentropy` and its gradient in one sweep.

    Put into compiled graphs by a rewrite (merge.py); never differentiated.
    """

    gradient_position = 1

    def c_results(self, results):
        return tuple(results)

    def make_node(self, logits, targets, gradient):
        parts = [
            softmax_crossentropy(logits, targets),
            softmax_crossentropy_gradient(logits, targets, gradient),
        ]
        return gof.Apply(
            self, parts[1].owner.inputs, [part.type() for part in parts]
        )

    def perform(self, node, inputs, output_storage):
        softmax_crossentropy.perform(node, inputs[:2], output_storage[:1])
        SoftmaxCrossentropyGradient(self.inplace).perform(
            node, inputs, output_storage[1:]
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1], input_shapes[0]]


softmax_crossentropy_with_gradient = SoftmaxCrossentropyWithGradient()


class LogSoftmax(gof.Op):
    """``log softmax(z_i)_j`` for every row ``i``."""

    __props__ = ()

    def make_node(self, logits):
        logits = rows.as_matrix(logits)
        return gof.Apply(self, [logits], [logits.type()])

    def perform(self, node, inputs, output_storage):
        (logits,) = inputs
        output_storage[0][0] = _log_probabilities(logits).astype(logits.dtype)

    def infer_shape(self, node, input_shapes):
        return input_shapes

    def L_op(self, inputs, outputs, output_gradients):
        (logits,) = inputs
        (gradient,) = output_gradients
        # With the incoming gradient as targets, the cross-entropy is minus
        # its product with this Op's output: so is the derivative.
        ones = T.ones_like(logits[:, 0])
        return [-softmax_crossentropy_gradient(logits, gradient, ones)]

    def R_op(self, inputs, eval_points):
        (point,) = eval_points
        if point is None:
            return [None]
        probabilities = T.nnet.softmax(inputs[0])
        return [point - (probabilities * point).sum(axis=1, keepdims=True)]


log_softmax = LogSoftmax()
