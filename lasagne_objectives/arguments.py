"""What happens to the arguments of an objective before its formula.

Whatever a caller passes (symbolic variables, shared variables, NumPy arrays,
Python numbers) becomes Theano tensors of one float type and of shapes that
fit; whatever cannot is refused here, with an error that says what came, what
was expected and how to mend it. No other module checks arguments.
"""

import operator

import numpy as np
import theano
import theano.tensor as T
from theano.tensor.elemwise import DimShuffle

from lasagne_objectives.kernels.elementwise import (
    cast_both_ways,
    is_cast_both_ways,
)
from lasagne_objectives.kernels.match_shapes import match_shapes
from lasagne_objectives.kernels.rows import same_pattern, without
from lasagne_objectives.kernels.target_rank import NEVER
from lasagne_objectives.kernels.top_class import top_class


# ---------------------------------------------------------------------------
# Tensors and their types


def _is_number(value):
    """Whether `value` is a real Python number or a NumPy one without axes.

    Such operands have no float type of their own: they take the others'.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.ndim == 0 and value.dtype.kind in 'biuf'
    # NumPy has no type for an int beyond 64 bits, but casts it to a float.
    return isinstance(value, (bool, int, float))


# What Theano raises for values that it cannot make a tensor of
_NO_TENSOR = (
    TypeError,
    ValueError,
    NotImplementedError,
    OverflowError,
    AssertionError,  # for np.matrix and np.ma.MaskedArray
)


def as_tensor(function, name, value):
    """Turn an argument into a Theano tensor, or say why it cannot be one."""
    refusal = (
        "%s: %s must be a real numeric tensor (a Theano variable, a "
        "shared variable, a NumPy array or a number), got %s"
        % (function, name, _describe(value))
    )
    if value is None:
        raise TypeError(refusal)
    try:
        tensor = T.as_tensor_variable(value)
    except _NO_TENSOR as error:
        raise TypeError("%s; Theano says: %s" % (refusal, error)) from error
    if (
        not isinstance(tensor.type, T.TensorType)
        or tensor.dtype not in T.discrete_dtypes + T.float_dtypes
    ):
        raise TypeError(
            "%s; convert it to a dense array of integers, bools "
            "or real floats first" % refusal
        )
    return tensor


def _describe(value):
    """Type and shape of an argument, in the words of an error message."""
    type_of_variable = getattr(value, 'type', None)
    if isinstance(type_of_variable, T.TensorType):
        return "a %d-dimensional tensor of %s" % (value.ndim, value.dtype)
    if isinstance(value, np.ndarray):
        return "an array of %s, shape %s" % (value.dtype, value.shape)
    return "%s %r" % (type(value).__name__, value)


def is_integer(tensor):
    """Whether a tensor holds integers or bools."""
    return tensor.dtype in T.discrete_dtypes


def float_type(*operands):
    """The float type in which `operands` combine.

    Integers, bools and bare numbers never widen it; different float types
    combine as Theano combines them; without any float it is ``floatX``.
    """
    types = [
        np.dtype(value.dtype).name
        for value in operands
        if not _is_number(value) and not is_integer(value)
    ]
    return theano.scalar.upcast(*types) if types else theano.config.floatX


def _as_operands(function, **arguments):
    """Tensors for all `arguments`, numbers staying what they are."""
    return [
        value if _is_number(value) else as_tensor(function, name, value)
        for name, value in arguments.items()
    ]


def _to_type(value, dtype):
    """Cast a tensor or a number to a float type."""
    if _is_number(value):
        return T.constant(value, dtype=dtype)
    return cast_both_ways(value, dtype)


def _to_working_type(value, dtype):
    """Cast to the type in which operands of a float type are computed."""
    if _is_number(value):
        # A number is rounded like the operands that it stands beside.
        value = np.asarray(value, dtype=dtype)[()]
    return _to_type(value, 'float32' if dtype == 'float16' else dtype)


# ---------------------------------------------------------------------------
# Shapes


def _static_shape(tensor):
    """Lengths known while building: of constants, and broadcastable axes.

    The current value of a shared variable is deliberately not asked.
    """
    if isinstance(tensor, T.TensorConstant):
        return tensor.data.shape
    op = getattr(tensor.owner, 'op', None)
    if isinstance(op, DimShuffle):
        source = _static_shape(tensor.owner.inputs[0])
        return tuple(
            1 if axis == 'x' else source[axis] for axis in op.new_order
        )
    if is_cast_both_ways(tensor):
        return _static_shape(tensor.owner.inputs[0])
    return tuple(1 if one else None for one in tensor.broadcastable)


def _refuse_shapes(function, names, shapes):
    """Refuse the operands of these names, of whose shapes so much is known."""
    known = [
        str(tuple(_Unknown() if n is None else n for n in shape))
        for shape in shapes
    ]
    raise ValueError(
        "%s: the shapes of %s do not fit: got %s"
        % (function, ' and '.join(names), ' and '.join(known))
    )


class _Unknown:
    """A length that is not known before the function is run."""

    def __repr__(self):
        return '?'


def _broadcast_together(*shapes):
    """Whether the lengths known while building can be broadcast together."""
    return all(
        len(set(lengths) - {None, 1}) <= 1
        for lengths in zip(*[shape[::-1] for shape in shapes])
    )


def _length_one_axes(pattern):
    return [axis for axis, one in enumerate(pattern) if one]


def _follow_column(leader, follower):
    """Give `follower` the one length-1 axis of a leader, or take its own.

    A network with one output unit predicts a column, labels come as a
    vector: combining the two must not give every pair. The rule serves any
    rank, see the user guide. Of the leader the broadcast pattern is given.
    """
    if len(leader) == follower.ndim + 1:
        ones = _length_one_axes(leader)
        if len(ones) == 1:
            order = list(range(follower.ndim))
            order.insert(ones[0], 'x')
            return follower.dimshuffle(order)
    if follower.ndim == len(leader) + 1:
        ones = _length_one_axes(follower.broadcastable)
        if len(ones) == 1:
            return follower.dimshuffle(
                [axis for axis in range(follower.ndim) if axis != ones[0]]
            )
    return follower


def align_targets(predictions, targets):
    """Make a vector of targets a column where the predictions are one.

    Lasagne's helper, kept for scripts that import it. The objectives call it
    themselves.

    Parameters
    ----------
    predictions, targets : Theano tensors
        If one of the two has exactly one dimension more than the other and
        exactly one axis that is statically of length 1, the targets are
        given that axis, or lose it.

    Returns
    -------
    tuple
        The predictions, untouched, and the aligned targets.
    """
    if not (hasattr(predictions, 'ndim') and hasattr(targets, 'ndim')):
        return predictions, targets
    leader = as_tensor('align_targets', 'predictions', predictions)
    follower = as_tensor('align_targets', 'targets', targets)
    aligned = _follow_column(leader.broadcastable, follower)
    return predictions, targets if aligned is follower else aligned


def elementwise(function, **arguments):
    """Prepare predictions and targets, and numbers, of one element-wise loss.

    Parameters
    ----------
    function : str
        Its name, for messages.
    **arguments
        Predictions first, targets second.

    Returns
    -------
    predictions, targets : Theano tensors
        Of the type to compute in, aligned.
    dtype : str
        The type of the result.
    """
    operands = _as_operands(function, **arguments)
    dtype = float_type(*operands)
    predictions, targets = [
        _to_working_type(value, dtype) for value in operands
    ]
    aligned = _follow_column(predictions.broadcastable, targets)
    shape = _static_shape(predictions)
    if not _broadcast_together(shape, _static_shape(aligned)):
        _refuse_shapes(
            function, list(arguments), [shape, _static_shape(targets)]
        )
    return predictions, aligned, dtype


def beside(function, name, value, predictions, dtype, axis=None):
    """Prepare a further operand (a margin, a threshold) beside predictions.

    It takes the float type of the other operands and never widens it. A
    vector meets a column of predictions as a column. `axis` is the class
    axis of the predictions, which the operand has not.
    """
    pattern, shape = predictions.broadcastable, _static_shape(predictions)
    if axis is not None:
        pattern, shape = without(pattern, axis), without(shape, axis)
    (value,) = _as_operands(function, **{name: value})
    given = _to_working_type(value, dtype)
    value = _follow_column(pattern, given)
    if value.ndim > len(pattern):
        raise ValueError(
            "%s: %s must be a scalar or broadcast against a tensor of %d "
            "dimensions, got %d dimensions"
            % (function, name, len(pattern), value.ndim)
        )
    if not _broadcast_together(_static_shape(value), shape):
        _refuse_shapes(
            function, [name, 'predictions'], [_static_shape(given), shape]
        )
    return value


def margin(function, delta, predictions, dtype, axis=None):
    """Prepare `delta`, which must not be a bool."""
    (operand,) = _as_operands(function, delta=delta)
    if getattr(operand, 'dtype', type(operand)) in (bool, 'bool'):
        raise TypeError(
            "%s: delta must be a number or a numeric tensor, not a bool, got "
            "%s; in older code this position held `binary`: pass it by name"
            % (function, _describe(delta))
        )
    return beside(function, 'delta', operand, predictions, dtype, axis)


# ---------------------------------------------------------------------------
# Classes


def class_axis(function, axis, ndim):
    """Which axis of `ndim` holds the classes, counted from the front."""
    try:
        index = operator.index(axis)
    except TypeError:
        index = None
    if index is None or not -ndim <= index < ndim:
        raise ValueError(
            "%s: axis must be an integer that names an axis of the "
            "predictions, which have %d dimension%s, got %r"
            % (function, ndim, '' if ndim == 1 else 's', axis)
        )
    return index % ndim


def categorical(function, predictions, targets, axis):
    """Prepare predictions over classes, and targets in either layout.

    Returns
    -------
    predictions, targets : Theano tensors
        The predictions of the type to compute in; the targets too if they
        are dense (of the layout of the predictions), else integers.
    axis : int
        The class axis of the predictions, not negative.
    dtype : str
        The type of the result.
    """
    predictions, targets = _as_operands(
        function, predictions=predictions, targets=targets
    )
    dtype = float_type(predictions)
    if _is_number(targets):
        # As an array, for Theano takes no bare bool.
        targets = as_tensor(function, 'targets', np.asarray(targets))
    if getattr(predictions, 'ndim', 0) < 1:
        raise TypeError(
            "%s: rank mismatch: predictions must have a class "
            "axis, got a scalar" % function
        )
    axis = class_axis(function, axis, predictions.ndim)
    if targets.ndim == predictions.ndim:
        dtype = float_type(predictions, targets)
        targets = _dense_targets(function, predictions, targets, axis)
        targets = _to_working_type(targets, dtype)
    elif targets.ndim == predictions.ndim - 1:
        targets = _class_indices(function, predictions, targets, axis)
    else:
        raise TypeError(
            "%s: rank mismatch: for predictions of %d dimensions, targets "
            "must be integers of %d dimensions (class indices) or have %d "
            "dimensions (a value per class), got %d dimensions"
            % (
                function,
                predictions.ndim,
                predictions.ndim - 1,
                predictions.ndim,
                targets.ndim,
            )
        )
    return _to_working_type(predictions, dtype), targets, axis, dtype


def _check_equal(function, predictions, targets, expected):
    """Refuse constants whose shapes differ where they must be equal."""
    shapes = [_static_shape(tensor) for tensor in (predictions, targets)]
    for known, length in zip(expected, shapes[1]):
        if None not in (known, length) and known != length:
            _refuse_shapes(function, ['predictions', 'targets'], shapes)


def _dense_targets(function, predictions, targets, axis):
    if targets.broadcastable[axis] and not predictions.broadcastable[axis]:
        raise ValueError(
            "%s: targets have length 1 along the class axis %d and the "
            "predictions have not: for a column of class indices, drop that "
            "axis (targets.flatten() or targets[:, 0])" % (function, axis)
        )
    _check_equal(function, predictions, targets, _static_shape(predictions))
    # Theano would broadcast a static length 1; targets never are.
    return same_pattern(targets, predictions.broadcastable)


def _class_indices(function, predictions, targets, axis):
    if not is_integer(targets):
        raise TypeError(
            "%s: targets of one dimension less than the predictions are "
            "class indices and must be integers, got %s; cast them to an "
            "integer type, as in targets.astype('int32')"
            % (function, targets.dtype)
        )
    _check_equal(
        function,
        predictions,
        targets,
        without(_static_shape(predictions), axis),
    )
    return same_pattern(targets, without(predictions.broadcastable, axis))


def classes_of(targets, predictions, axis):
    """The class index of every data point, whichever the layout of targets.

    A dense one stands for the class of its largest entry, the lowest on
    ties; one with NaN for no class, -1.
    """
    if targets.ndim < predictions.ndim:
        return targets
    return top_class(match_shapes(targets, predictions, axis), axis)


def rank_limit(function, top_k):
    """Check `top_k`: an integer of at least 1, or a symbolic one."""
    if isinstance(top_k, theano.Variable):
        if (
            isinstance(top_k.type, (T.TensorType, theano.scalar.Scalar))
            and top_k.ndim == 0
            and top_k.dtype in T.integer_dtypes
        ):
            return top_k
    elif not isinstance(top_k, (bool, np.bool_)):
        try:
            if operator.index(top_k) >= 1:
                # No row that can be right ranks beyond that.
                return min(operator.index(top_k), NEVER)
        except TypeError:
            pass
    raise ValueError(
        "%s: top_k must be an integer of at least 1 or a symbolic integer "
        "scalar, got %s" % (function, _describe(top_k))
    )


# ---------------------------------------------------------------------------
# Aggregation


def weighted(loss, weights):
    """Prepare a loss and its weights (or None) for aggregation.

    Floats stay as they are, so that the graph is the one that a user would
    have written; only integers, bools and numbers are cast.
    """
    (loss,) = _as_operands('aggregate', loss=loss)
    if weights is not None:
        (weights,) = _as_operands('aggregate', weights=weights)
    if _is_number(loss) or is_integer(loss):
        loss = _to_type(
            loss, float_type(*[w for w in [weights] if w is not None])
        )
    if weights is None:
        return loss, None
    if _is_number(weights) or is_integer(weights):
        weights = _to_type(weights, loss.dtype)
    given, weights = weights, _follow_column(loss.broadcastable, weights)
    if weights.ndim > loss.ndim:
        raise ValueError(
            "aggregate: weights must not have more dimensions than the loss, "
            "got %d and %d; sum or flatten the weights' further axes first"
            % (weights.ndim, loss.ndim)
        )
    shape = _static_shape(loss)
    if not _broadcast_together(shape, _static_shape(weights)):
        _refuse_shapes(
            'aggregate', ['loss', 'weights'], [shape, _static_shape(given)]
        )
    return loss, weights
