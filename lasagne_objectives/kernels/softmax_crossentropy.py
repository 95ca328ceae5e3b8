"""Cross-entropy of a softmax, computed from its input."""

import numpy as np
from theano import gof
import theano.tensor as T
from theano.gradient import DisconnectedType

from lasagne_objectives.kernels import rows
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


def _loss_of_rows(logits, targets):
    log_p = _log_probabilities(logits)
    if targets.ndim == 1:
        # Only the target's entry is read: a NaN may hide elsewhere, but it
        # has made the row's normaliser NaN as well.
        classes = rows.checked_classes(logits, targets)
        return -log_p[np.arange(len(logits)), classes]
    return -np.ascontiguousarray(product_numpy(targets, log_p)).sum(axis=1)


def _gradient_of_rows(logits, targets, gradient):
    dense = _dense(logits, targets)
    mass = dense.sum(axis=1, keepdims=True)
    with np.errstate(all='ignore'):
        slope = mass * np.exp(_log_probabilities(logits)) - dense
        return gradient[:, np.newaxis] * slope


def _as_targets(targets, logits):
    """Class indices, or targets in the layout and the type of the logits."""
    targets = T.as_tensor_variable(targets)
    if targets.ndim == logits.ndim:
        return T.cast(targets, logits.dtype)
    return rows.as_classes(targets, logits)


class _Kernel(rows.ClassKernel):
    """What the Ops that call the C function have in common.

    A last input may say whether rows are whole. If they are not, the logits
    are log-probabilities of other rows, to be taken as they are: the loss is
    minus their product with the targets (keep_rows.py).
    """

    c_file = 'softmax_crossentropy.c'
    inplace = False

    #: Inputs without that last one
    operands = 2

    def c_call(self, node, inputs, outputs):
        logits, targets = node.inputs[:2]
        dense = targets.ndim == logits.ndim
        whole = inputs[self.operands :]
        upstream = inputs[2 : self.operands] or ['NULL']
        one = 'true' if self._one_upstream(node) else 'false'
        loss, gradient = self.c_results(['&' + name for name in outputs])
        return 'softmax_crossentropy<npy_%s, npy_%s, %s, %s>(%s)' % (
            logits.dtype,
            'int64' if dense else targets.dtype,
            'true' if dense else 'false',
            'false' if whole else 'true',
            ', '.join(
                [str(self.axis)]
                + inputs[:2]
                + upstream
                + [one]
                + ['lo_is_true(%s)' % (whole or ['true'])[0]]
                + [loss, gradient, 'true' if self.inplace else 'false']
            ),
        )

    def _one_upstream(self, node):
        """Whether the incoming gradient is one number for all data points."""
        return self.operands > 2 and all(node.inputs[2].broadcastable)

    def perform(self, node, inputs, output_storage):
        if self._one_upstream(node):
            points = rows.without(inputs[0].shape, self.axis)
            number = inputs[2].reshape(())
            inputs = (
                inputs[:2] + [np.broadcast_to(number, points)] + inputs[3:]
            )
        if all(inputs[self.operands :]):
            operands = inputs[: self.operands]
            super().perform(node, operands, output_storage)
        else:
            self._perform_torn(node, inputs, output_storage)

    def _perform_torn(self, node, inputs, output_storage):
        """The same of rows that are not whole."""
        log_p, targets, *upstream = inputs[: self.operands]
        operands = [self._as_rows(array, log_p) for array in (log_p, targets)]
        for operand in inputs[1 : self.operands]:
            rows.check_fit(operand, log_p, self.axis)
        dense = _dense(*operands)
        loss = -product_numpy(dense, operands[0]).sum(axis=1, dtype='float64')
        results = [loss] if self.c_results(['loss', '0'])[0] == 'loss' else []
        if upstream:
            g = self._as_rows(upstream[0], log_p)[:, np.newaxis]
            results.append(-g * dense)
        self._store(results, node, inputs, output_storage)

    def _by_targets(self, node):
        """Whether there is a gradient with respect to the targets."""
        return [node.inputs[1].dtype in T.float_dtypes]

    def _beside(self, node):
        """No gradient with respect to whether rows are whole."""
        return [[False] for _ in node.inputs[self.operands :]]


def _dense(logits, targets):
    """Targets as a matrix in float64."""
    if targets.ndim == 2:
        return np.ascontiguousarray(targets, dtype='float64')
    indices = rows.checked_classes(logits, targets)
    dense = np.zeros(logits.shape)
    dense[np.arange(len(logits)), indices] = 1
    return dense


def _known_whole(whole):
    """The further input of an Op: none where rows are known to be whole."""
    return [] if whole is None else [T.as_tensor_variable(whole)]


def _where_whole(whole, one, other):
    """One thing where rows are whole, else another."""
    return one if whole is None else T.switch(whole, one, other)


class SoftmaxCrossentropy(_Kernel):
    """``-sum_j t_j log softmax(z)_j`` for every data point.

    Targets are class indices, or have the shape of the logits. A target of 0
    costs nothing, whatever its logit.
    """

    def c_results(self, results):
        return results[0], 'NULL'

    def make_node(self, logits, targets, whole=None):
        logits = rows.as_floats(logits, self.axis)
        return gof.Apply(
            self,
            [logits, _as_targets(targets, logits)] + _known_whole(whole),
            [rows.of_points(logits, self.axis, logits.dtype)],
        )

    def of_rows(self, node, logits, targets):
        return [_loss_of_rows(logits, targets)]

    def connection_pattern(self, node):
        return [[True], self._by_targets(node)] + self._beside(node)

    def L_op(self, inputs, outputs, output_gradients):
        logits, targets, whole = (inputs + [None])[:3]
        (gradient,) = output_gradients
        if targets.ndim < logits.ndim:
            by_targets = DisconnectedType()()
        else:
            log_p = _where_whole(whole, log_softmax(logits, self.axis), logits)
            by_targets = rows.with_classes(gradient, self.axis) * -log_p
        return [
            softmax_crossentropy_gradient(
                logits, targets, gradient, self.axis, whole
            ),
            by_targets,
        ] + [DisconnectedType()() for _ in inputs[2:]]

    def R_op(self, inputs, eval_points):
        logits, targets, *whole = inputs
        by_logits, by_targets = eval_points[:2]
        terms = []
        if by_logits is not None:
            ones = rows.ones_of_points(logits, self.axis)
            slope = softmax_crossentropy_gradient(
                logits, targets, ones, self.axis, *whole
            )
            terms.append((slope * by_logits).sum(axis=self.axis))
        if targets.ndim == logits.ndim and by_targets is not None:
            terms.append(self(logits, by_targets, *whole))
        return [sum(terms[1:], terms[0]) if terms else None]


def softmax_crossentropy(logits, targets, axis=1, whole=None):
    """The cross-entropy of every data point.

    `whole` is not None where it is a symbolic bool, see keep_rows.py.
    """
    return SoftmaxCrossentropy(axis)(logits, targets, whole)


class GradientKernel(_Kernel):
    """Of these, those whose last result is the gradient.

    The incoming gradient has a number for each data point, or is one for all,
    of any number of axes that are broadcast. That is for a rewrite (merge.py).

    Parameters
    ----------
    axis : int
    inplace : bool
        Whether the gradient may take the place of the logits. A rewrite
        (merge.py) sets it where nothing reads them later.
    """

    __props__ = ('axis', 'inplace')
    operands = 3

    def __init__(self, axis=1, inplace=False):
        super().__init__(axis)
        self.inplace = inplace
        if inplace:
            self.destroy_map = {self.gradient_position: [0]}

    def _store(self, results, node, inputs, output_storage):
        super()._store(results, node, inputs, output_storage)
        if self.inplace:
            storage = output_storage[self.gradient_position]
            inputs[0][...] = storage[0]
            storage[0] = inputs[0]

    def connection_pattern(self, node):
        return [[True], self._by_targets(node), [True]] + self._beside(node)


class SoftmaxCrossentropyGradient(GradientKernel):
    """``g (m softmax(z)_j - t_j)`` with ``m = sum_j t_j``, by data point."""

    gradient_position = 0

    def c_results(self, results):
        return 'NULL', results[0]

    def make_node(self, logits, targets, gradient, whole=None):
        logits = rows.as_floats(logits, self.axis)
        gradient = rows.as_gradient(gradient, logits)
        targets = _as_targets(targets, logits)
        return gof.Apply(
            self,
            [logits, targets, gradient] + _known_whole(whole),
            [logits.type()],
        )

    def of_rows(self, node, logits, targets, gradient):
        return [_gradient_of_rows(logits, targets, gradient)]

    def _formula(self, logits, targets, gradient, whole=None):
        """The same in Theano's own Ops, to be differentiated again."""
        probabilities = rows.along_axis(T.nnet.softmax, logits, self.axis)
        mass = 1
        if targets.ndim < logits.ndim:
            ones = rows.ones_of_points(logits, self.axis)
            targets = place_classes(
                logits, (targets, ones), axis=self.axis, strict=True
            )
        else:
            mass = targets.sum(axis=self.axis, keepdims=True)
        pull = _where_whole(whole, mass * probabilities, T.zeros_like(logits))
        return rows.with_classes(gradient, self.axis) * (pull - targets)

    def L_op(self, inputs, outputs, output_gradients):
        return pull_back(self._formula, inputs, output_gradients[0])

    def R_op(self, inputs, eval_points):
        return [push_forward(self._formula, inputs, eval_points)]


def softmax_crossentropy_gradient(
    logits, targets, gradient, axis=1, whole=None
):
    """The gradient of the cross-entropies with respect to the logits."""
    return SoftmaxCrossentropyGradient(axis)(logits, targets, gradient, whole)


class SoftmaxCrossentropyWithGradient(GradientKernel):
    """:class:`SoftmaxCrossentropy` and its gradient in one sweep.

    Put into compiled graphs by a rewrite (merge.py); never differentiated.
    """

    gradient_position = 1

    def c_results(self, results):
        return tuple(results)

    def make_node(self, logits, targets, gradient, whole=None):
        gradients = softmax_crossentropy_gradient(
            logits, targets, gradient, self.axis, whole
        )
        inputs = gradients.owner.inputs
        loss = rows.of_points(inputs[0], self.axis, inputs[0].dtype)
        return gof.Apply(self, inputs, [loss, gradients.type()])

    def of_rows(self, node, logits, targets, gradient):
        return [
            _loss_of_rows(logits, targets),
            _gradient_of_rows(logits, targets, gradient),
        ]


class LogSoftmax(rows.ClassKernel):
    """``log softmax(z)_j`` for the logits ``z`` of every data point."""

    c_file = 'log_softmax.c'

    def make_node(self, logits):
        logits = rows.as_floats(logits, self.axis)
        return gof.Apply(self, [logits], [logits.type()])

    def of_rows(self, node, logits):
        return [_log_probabilities(logits)]

    def L_op(self, inputs, outputs, output_gradients):
        (logits,) = inputs
        (gradient,) = output_gradients
        # With the incoming gradient as targets, the cross-entropy is minus
        # its product with this Op's output: so is the derivative.
        ones = rows.ones_of_points(logits, self.axis)
        return [
            -softmax_crossentropy_gradient(logits, gradient, ones, self.axis)
        ]

    def R_op(self, inputs, eval_points):
        (logits,) = inputs
        (point,) = eval_points
        if point is None:
            return [None]
        probabilities = rows.along_axis(T.nnet.softmax, logits, self.axis)
        along = (probabilities * point).sum(axis=self.axis, keepdims=True)
        return [point - along]


def log_softmax(logits, axis=1):
    """The logarithm of the softmax along an axis."""
    return LogSoftmax(axis)(logits)
