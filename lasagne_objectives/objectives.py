r"""Losses, their aggregation and accuracies for networks built with Theano.

Element-wise or row-wise losses of network predictions and targets:

.. autosummary::
    :nosignatures:

    binary_crossentropy
    categorical_crossentropy
    squared_error
    binary_hinge_loss
    multiclass_hinge_loss
    huber_loss

A scalar of them, to be minimised:

.. autosummary::
    :nosignatures:

    aggregate

And measures for validation, which have no useful gradient:

.. autosummary::
    :nosignatures:

    binary_accuracy
    categorical_accuracy

All of them take Theano variables, shared variables, NumPy arrays or numbers
and return symbolic expressions; nothing is computed when they are called.

Examples
--------
>>> import numpy as np
>>> import theano
>>> import theano.tensor as T
>>> from lasagne_objectives import categorical_crossentropy, aggregate
>>> features, labels = T.matrix('features'), T.ivector('labels')
>>> weights = theano.shared(np.array([[1., -1.], [0., 2.]]))
>>> predictions = T.nnet.softmax(T.dot(features, weights))
>>> loss = aggregate(categorical_crossentropy(predictions, labels))
>>> gradient = theano.grad(loss, weights)
"""

import warnings

import numpy as np  # noqa: F401 (for the examples below)
import theano.tensor as T

# The first two register themselves with Theano.
import lasagne_objectives.kernels.gpu
import lasagne_objectives.kernels.merge  # noqa: F401
from lasagne_objectives import arguments
from lasagne_objectives.arguments import align_targets  # noqa: F401
from lasagne_objectives.kernels.class_margin import class_margin
from lasagne_objectives.kernels.elementwise import (
    huber,
    log_odds_of_probability,
    positive_part,
    product,
    sigmoid_crossentropy,
    squared_difference,
    xlog1py,
    xlogy,
)
from lasagne_objectives.kernels.pick_class import pick_class
from lasagne_objectives.kernels.softmax_crossentropy import (
    softmax_crossentropy,
)
from lasagne_objectives.kernels.target_rank import target_rank
from lasagne_objectives.stable import (
    Factors,
    LogOdds,
    LogProbabilities,
    RowsOfLogits,
    SigmoidLogits,
    SoftmaxLogits,
    from_logits,
)

__all__ = [
    'binary_crossentropy',
    'categorical_crossentropy',
    'squared_error',
    'binary_hinge_loss',
    'multiclass_hinge_loss',
    'huber_loss',
    'aggregate',
    'binary_accuracy',
    'categorical_accuracy',
]


def binary_crossentropy(predictions, targets):
    r"""Cross-entropy between predicted and true probabilities of one event.

    .. math:: L = -t \log(p) - (1 - t) \log(1 - p)

    The loss for binary classification, and for several labels that are each
    true or false, with sigmoid output units.

    Parameters
    ----------
    predictions : Theano tensor
        Probabilities in [0, 1], of any shape.
    targets : Theano tensor
        True probabilities in [0, 1], usually 0 or 1, of any integer, bool or
        float type. Broadcast against the predictions; a vector meets a
        column of predictions as a column.

    Returns
    -------
    Theano tensor
        The loss of each element, of the predictions' float type.

    Raises
    ------
    TypeError
        For complex, sparse or non-numeric arguments.
    ValueError
        For constants whose shapes do not fit.

    Notes
    -----
    If the predictions are the output of a sigmoid or softmax, the loss and
    its gradient are computed from its input, in every mode of compilation: a
    saturated unit costs a finite amount and keeps its gradient
    :math:`\sigma(z) - t`. For other predictions :math:`0 \log 0` is 0.

    Examples
    --------
    >>> binary_crossentropy(np.array([0.5, 0.75]), np.array([1, 0])).eval()
    array([0.69314718, 1.38629436])
    """
    predictions, targets, dtype = arguments.elementwise(
        'binary_crossentropy', predictions=predictions, targets=targets
    )
    loss = from_logits(
        predictions,
        targets,
        plain=_binary_crossentropy,
        stable=[
            (LogOdds(), sigmoid_crossentropy),
            (Factors(), _binary_crossentropy_of_factors),
        ],
    )
    return loss.astype(dtype)


def _binary_crossentropy(p, t):
    # 1 - p would lose the digits of a small p.
    return -(xlogy(t, p) + xlog1py(1 - t, -p))


def _binary_crossentropy_of_factors(log_p, q, t):
    # Of the predictions p q.
    log_pq = product(t, log_p) + xlogy(t, q)
    return -(log_pq + xlog1py(1 - t, -(T.exp(log_p) * q)))


def categorical_crossentropy(predictions, targets, axis=-1):
    r"""Cross-entropy between predicted and true distributions over classes.

    .. math:: L_i = -\sum_j t_{i,j} \log(p_{i,j})

    The loss for classification into one of several classes, with softmax
    output units.

    Parameters
    ----------
    predictions : Theano tensor
        Probabilities in [0, 1]; a vector (one data point), a matrix with
        data points in rows, or any further dimensions.
    targets : Theano tensor
        Either integers of one dimension less, the index of the correct class
        of each data point, or a tensor of the layout of the predictions that
        gives the true probability of each class.
    axis : int
        The class axis of the predictions: 1 for segmentation outputs of
        shape (batch, classes, height, width).

    Returns
    -------
    Theano tensor
        The loss of each data point: the shape of the predictions without
        their class axis.

    Raises
    ------
    TypeError
        If the rank of the targets fits neither layout, or class indices are
        not integers.
    ValueError
        If dense targets have a class axis of length 1 only, constants have
        shapes that do not fit, or there is no such axis.
    IndexError
        When run, if a class index is negative or not below the number of
        classes.

    Notes
    -----
    If the predictions are the output of a softmax or sigmoid, the loss and
    its gradient are computed from its input, in every mode of compilation.
    For other predictions :math:`0 \log 0` is 0, and with class indices only
    the probability of the target is read.

    Examples
    --------
    >>> predictions = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0.]])
    >>> categorical_crossentropy(predictions, np.array([0, 1])).eval()
    array([0.69314718, 1.38629436])
    """
    predictions, targets, axis, dtype = arguments.categorical(
        'categorical_crossentropy', predictions, targets, axis
    )
    loss = from_logits(
        predictions,
        targets,
        plain=_crossentropy_of_probabilities,
        stable=[
            (SoftmaxLogits(axis), _crossentropy_of_logits),
            (RowsOfLogits(axis), _crossentropy_of_rows),
            (LogProbabilities(True), _crossentropy_of_log_probabilities),
            (Factors(), _crossentropy_of_factors),
        ],
        axis=axis,
    )
    return loss.astype(dtype)


def _crossentropy_of_logits(z, t, axis):
    return softmax_crossentropy(z, t, axis)


def _crossentropy_of_rows(z, whole, t, axis):
    return softmax_crossentropy(z, t, axis, whole)


def _crossentropy_of_log_probabilities(log_p, t, axis):
    if t.ndim == log_p.ndim:
        t = arguments.match_shapes(t, log_p, axis)
        return -product(t, log_p).sum(axis=axis)
    return -pick_class(log_p, t, axis)


def _crossentropy_of_factors(log_p, q, t, axis):
    # Of the predictions p q.
    return _crossentropy_of_log_probabilities(
        log_p, t, axis
    ) + _crossentropy_of_probabilities(q, t, axis)


def _crossentropy_of_probabilities(p, t, axis):
    if t.ndim == p.ndim:
        t = arguments.match_shapes(t, p, axis)
        return -xlogy(t, p).sum(axis=axis)
    return -T.log(pick_class(p, t, axis))


def squared_error(a, b):
    r"""Squared difference between two tensors.

    .. math:: L = (a - b)^2

    The loss for regression with linear output units.

    Parameters
    ----------
    a, b : Theano tensors
        Usually predictions and targets. Broadcast against each other; a
        vector `b` meets a column `a` as a column.

    Returns
    -------
    Theano tensor
        The loss of each element.

    Raises
    ------
    TypeError
        For complex, sparse or non-numeric arguments.
    ValueError
        For constants whose shapes do not fit.

    Examples
    --------
    >>> squared_error(np.array([1., 2.]), 5).eval()
    array([16.,  9.])
    """
    a, b, dtype = arguments.elementwise('squared_error', a=a, b=b)
    return squared_difference(a, b).astype(dtype)


def binary_hinge_loss(
    predictions, targets, delta=1, log_odds=None, binary=True
):
    r"""Hinge loss of binary predictions.

    .. math:: L = \max(0, \delta - s z)

    with the sign :math:`s = 2 t - 1` of the target and the log-odds
    :math:`z` of the prediction. An alternative to the binary cross-entropy.

    Parameters
    ----------
    predictions : Theano tensor
        Log-odds, or probabilities in [0, 1] if `log_odds` is False.
    targets : Theano tensor
        0 or 1; or -1 or 1 if `binary` is False. Broadcast against the
        predictions; a vector meets a column of predictions as a column.
    delta : number or Theano tensor
        The margin.
    log_odds : bool
        Whether the predictions are log-odds (linear output units) or
        probabilities (sigmoid output units). Give it: the default is True
        now and will become False.
    binary : bool
        Whether targets are 0 and 1, or -1 and 1.

    Returns
    -------
    Theano tensor
        The loss of each element.

    Raises
    ------
    TypeError
        If `delta` is a bool; for complex, sparse or non-numeric arguments.
    ValueError
        For constants whose shapes do not fit.

    Warns
    -----
    FutureWarning
        If `log_odds` is not given.

    Notes
    -----
    At a margin of exactly 0 the subgradient 1/2 is taken. With `log_odds`
    False and predictions that are the output of a sigmoid or softmax, the
    loss is computed from its input, in every mode of compilation.

    Examples
    --------
    >>> log_odds = np.array([2., 0.5, -3.])
    >>> binary_hinge_loss(log_odds, 1, log_odds=True).eval()
    array([0. , 0.5, 4. ])
    """
    if log_odds is None:
        warnings.warn(
            "binary_hinge_loss: log_odds was not given and is taken as True; "
            "this default will become False. Pass log_odds=True for "
            "predictions that are log-odds, log_odds=False for "
            "probabilities.",
            FutureWarning,
            stacklevel=2,
        )
        log_odds = True
    predictions, targets, dtype = arguments.elementwise(
        'binary_hinge_loss', predictions=predictions, targets=targets
    )
    delta = arguments.margin('binary_hinge_loss', delta, predictions, dtype)
    signs = 2 * targets - 1 if binary else targets
    if log_odds:
        loss = _hinge_of_log_odds(predictions, signs, delta)
    else:
        loss = from_logits(
            predictions,
            signs,
            delta,
            plain=_hinge_of_probabilities,
            stable=[
                (LogOdds(), _hinge_of_log_odds),
                (Factors(), _hinge_of_factors),
            ],
        )
    return loss.astype(dtype)


def _hinge_of_log_odds(z, s, delta):
    return positive_part(delta - product(s, z))


def _hinge_of_factors(log_p, q, s, delta):
    # Of the predictions p q.
    log_odds = log_p + T.log(q) - T.log1p(-(T.exp(log_p) * q))
    return _hinge_of_log_odds(log_odds, s, delta)


def _hinge_of_probabilities(p, s, delta):
    return _hinge_of_log_odds(log_odds_of_probability(p), s, delta)


def multiclass_hinge_loss(predictions, targets, delta=1, axis=-1):
    r"""Hinge loss of predictions over classes.

    .. math:: L_i = \max(0, \max_{j \neq t_i} p_{i,j} - p_{i,t_i} + \delta)

    An alternative to the categorical cross-entropy.

    Parameters
    ----------
    predictions : Theano tensor
        Scores; a vector (one data point), a matrix with data points in rows,
        or any further dimensions.
    targets : Theano tensor
        Either integers of one dimension less, the index of the correct class
        of each data point, or a one-hot tensor of the layout of the
        predictions.
    delta : number or Theano tensor
        The margin: a scalar, or one that broadcasts against the loss.
    axis : int
        The class axis of the predictions.

    Returns
    -------
    Theano tensor
        The loss of each data point: the shape of the predictions without
        their class axis.

    Raises
    ------
    TypeError
        If the rank of the targets fits neither layout, class indices are not
        integers, or `delta` is a bool.
    ValueError
        If dense targets have a class axis of length 1 only, constants have
        shapes that do not fit, or there is no such axis.
    IndexError
        When run, if a class index is negative or not below the number of
        classes.

    Notes
    -----
    At a margin of exactly 0 the subgradient 1/2 is taken; among tied wrong
    classes the lowest takes the gradient. A single class costs 0.

    Examples
    --------
    >>> scores = np.array([[2., 1.5, 0.], [0., 3., 1.]])
    >>> multiclass_hinge_loss(scores, np.array([0, 1])).eval()
    array([0.5, 0. ])
    """
    predictions, targets, axis, dtype = arguments.categorical(
        'multiclass_hinge_loss', predictions, targets, axis
    )
    delta = arguments.margin(
        'multiclass_hinge_loss', delta, predictions, dtype, axis
    )
    margins = _margins(predictions, targets, axis)
    return positive_part(margins + delta).astype(dtype)


def _margins(p, t, axis):
    """By how much the best wrong class beats the target's."""
    if t.ndim < p.ndim:
        return class_margin(p, t, axis)
    classes = arguments.classes_of(t, p, axis)
    none = T.lt(classes, 0)
    # NaN where there is no class, as the root of -1: to NanGuardMode a
    # constant NaN is a mistake, also where nothing reads it. Not
    # T.maximum: Theano's C code for it does not compile for OpenCL.
    return T.switch(
        none,
        T.sqrt(T.switch(none, -1.0, 1.0).astype(p.dtype)),
        class_margin(p, T.switch(none, 0, classes), axis),
    )


def huber_loss(predictions, targets, delta=1):
    r"""Huber loss: squared near the target, linear far from it.

    .. math:: L = \begin{cases} \frac{1}{2} d^2 & |d| \leq \delta \\
                  \delta (|d| - \frac{\delta}{2}) & \text{else}
                  \end{cases} \qquad d = p - t

    The loss for regression with outliers.

    Parameters
    ----------
    predictions : Theano tensor
        Of any shape.
    targets : Theano tensor
        Broadcast against the predictions; a vector meets a column of
        predictions as a column.
    delta : number or Theano tensor
        Where the loss becomes linear.

    Returns
    -------
    Theano tensor
        The loss of each element.

    Raises
    ------
    TypeError
        If `delta` is a bool; for complex, sparse or non-numeric arguments.
    ValueError
        For constants whose shapes do not fit.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. The
    Annals of Mathematical Statistics 35(1), 73-101.

    Examples
    --------
    >>> huber_loss(np.array([0.5, 1., 3.]), 0).eval()
    array([0.125, 0.5  , 2.5  ])
    """
    predictions, targets, dtype = arguments.elementwise(
        'huber_loss', predictions=predictions, targets=targets
    )
    delta = arguments.margin('huber_loss', delta, predictions, dtype)
    return huber(predictions - targets, delta).astype(dtype)


def aggregate(loss, weights=None, mode='mean'):
    r"""Aggregate element- or row-wise losses to a scalar.

    Parameters
    ----------
    loss : Theano tensor
        Losses, or accuracies.
    weights : Theano tensor, optional
        Weights of the losses, of the shape of the loss or one that
        broadcasts against it; a vector meets a column of losses as a column.
    mode : {'mean', 'sum', 'normalized_sum'}
        What to compute of losses :math:`L` and weights :math:`w`:

        * 'mean': the mean of :math:`w L` over all elements,
        * 'sum': :math:`\sum w L`,
        * 'normalized_sum': :math:`\sum w L / \sum w`, the mean of the losses
          if weights are 0 and 1.

    Returns
    -------
    Theano scalar
        The aggregated loss, fit for differentiation.

    Raises
    ------
    ValueError
        For an unknown mode, for 'normalized_sum' without weights, for
        weights of more dimensions than the loss.
    TypeError
        For complex, sparse or non-numeric arguments.

    Notes
    -----
    To compare errors of minibatches of different sizes, 'mean' and
    'normalized_sum' are comparable and 'sum' is not. Empty batches, and
    weights that sum to 0, give NaN with the modes that divide.

    Examples
    --------
    >>> losses, mask = np.array([1., 4., 9.]), np.array([1, 1, 0])
    >>> aggregate(losses, mask, mode='normalized_sum').eval()
    array(2.5)
    """
    loss, weights = arguments.weighted(loss, weights)
    if weights is not None:
        loss = loss * weights
    if mode == 'mean':
        return loss.mean()
    if mode == 'sum':
        return loss.sum()
    if mode == 'normalized_sum':
        if weights is None:
            raise ValueError(
                "aggregate: require weights for "
                "mode='normalized_sum', got None; pass weights "
                "or use mode='mean'"
            )
        return loss.sum() / weights.sum()
    raise ValueError(
        "aggregate: mode must be 'mean', 'sum' or "
        "'normalized_sum', got %r" % (mode,)
    )


def binary_accuracy(predictions, targets, threshold=0.5):
    """Whether binary predictions are right.

    1 where the target equals whether the prediction reaches the threshold.

    Parameters
    ----------
    predictions : Theano tensor
        Probabilities, or any scores.
    targets : Theano tensor
        0 or 1. Broadcast against the predictions; a vector meets a column of
        predictions as a column.
    threshold : number or Theano tensor
        From which prediction on 1 is predicted.

    Returns
    -------
    Theano tensor
        Bools, element by element; :func:`aggregate` takes their mean. NaN is
        never right.

    Raises
    ------
    TypeError
        For complex, sparse or non-numeric arguments.
    ValueError
        For constants whose shapes do not fit.

    Examples
    --------
    >>> binary_accuracy(np.array([0.2, 0.5, 0.7]), np.array([0, 1, 0])).eval()
    array([ True,  True, False])
    """
    predictions, targets, dtype = arguments.elementwise(
        'binary_accuracy', predictions=predictions, targets=targets
    )
    threshold = arguments.beside(
        'binary_accuracy', 'threshold', threshold, predictions, dtype
    )
    right = T.eq(T.ge(predictions, threshold), targets)
    # Comparing with itself would be simplified away.
    return T.and_(right, T.invert(T.isnan(predictions)))


def categorical_accuracy(predictions, targets, top_k=1, axis=-1):
    """Whether the target is among the classes predicted as most probable.

    Parameters
    ----------
    predictions : Theano tensor
        Probabilities or scores; a vector (one data point), a matrix with
        data points in rows, or any further dimensions.
    targets : Theano tensor
        Either integers of one dimension less, the index of the correct class
        of each data point, or a one-hot tensor of the layout of the
        predictions.
    top_k : int or symbolic integer scalar
        Among how many classes the target must be.
    axis : int
        The class axis of the predictions.

    Returns
    -------
    Theano tensor
        Bools, one for each data point; :func:`aggregate` takes their mean.

    Raises
    ------
    TypeError
        If the rank of the targets fits neither layout, or class indices are
        not integers.
    ValueError
        If `top_k` is not an integer of at least 1, dense targets have a
        class axis of length 1 only, constants have shapes that do not fit,
        or there is no such axis.

    Notes
    -----
    Of equal predictions the lower class ranks first, so ``top_k=1`` is
    argmax. If the predictions are the output of a softmax or sigmoid, its
    input is ranked, where saturated classes still differ. A data point that
    holds NaN, or whose index names no class, is never right.

    Examples
    --------
    >>> scores = np.array([[2., 1.5, 0.], [0., 3., 1.]])
    >>> categorical_accuracy(scores, np.array([1, 1])).eval()
    array([False,  True])
    >>> categorical_accuracy(scores, np.array([1, 1]), top_k=2).eval()
    array([ True,  True])
    """
    predictions, targets, axis, _ = arguments.categorical(
        'categorical_accuracy', predictions, targets, axis
    )
    top_k = arguments.rank_limit('categorical_accuracy', top_k)
    return from_logits(
        predictions,
        targets,
        T.as_tensor_variable(top_k),
        plain=_in_top,
        stable=[
            (SoftmaxLogits(axis), _in_top),
            (RowsOfLogits(axis), _in_top_of_rows),
            (SigmoidLogits(), _in_top),
            (LogProbabilities(False), _in_top),
        ],
        axis=axis,
    )


def _in_top(scores, t, top_k, axis):
    rank = target_rank(scores, arguments.classes_of(t, scores, axis), axis)
    return T.lt(rank, top_k)


def _in_top_of_rows(scores, whole, t, top_k, axis):
    # Log-probabilities of torn rows are ranked as well.
    return _in_top(scores, t, top_k, axis)
