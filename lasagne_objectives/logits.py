"""Looks through graphs: from the output of a sigmoid or softmax to its input.

A loss of saturated probabilities is lost: they are 0 or 1 to the last bit.
The numbers that it needs are still in the graph, as the input of the
nonlinearity. :func:`find` finds them behind any chain of Ops that do nothing
but move elements; nothing else is looked through.
"""

import sys
from collections import namedtuple

import theano
from theano import gof
import theano.scalar as scal
import theano.tensor as T
from theano.tensor.basic import MaxAndArgmax, Rebroadcast, Reshape
from theano.tensor.elemwise import CAReduce, DimShuffle, Elemwise, Sum
from theano.tensor.nnet.nnet import LogSoftmax, Softmax, SoftmaxWithBias
from theano.tensor.nnet.sigm import ScalarSigmoid
from theano.tensor.opt import MakeVector
from theano.tensor.subtensor import (
    AdvancedBooleanSubtensor,
    AdvancedSubtensor,
    AdvancedSubtensor1,
    Subtensor,
    get_idx_list,
)
from theano.tensor.type_other import NoneConst, SliceConstant, SliceType

from lasagne_objectives.kernels.elementwise import (
    CastBothWays,
    cast_both_ways,
    sigmoid_crossentropy,
)
from lasagne_objectives.kernels.rows import along_axis, same_pattern
from lasagne_objectives.kernels.softmax_crossentropy import log_softmax
from lasagne_objectives.kernels.softmax_log_odds import softmax_log_odds


#: A nonlinearity in a graph, seen from where its elements have been moved to.
#:
#: kind : 'sigmoid' or 'softmax'
#: logits : its input
#: axis : the class axis of a softmax, in the layout of `logits`
#: moves : functions that lead from that layout to the one looked at
#: whole : the class axis in the layout looked at; None where a reshape may
#:     have torn the classes of a data point apart
Found = namedtuple('Found', 'kind logits axis moves whole')


def find(variable):
    """Find the sigmoid or softmax whose output `variable` is.

    Parameters
    ----------
    variable : Theano tensor

    Returns
    -------
    Found or None
        None if it is the output of neither, or of a softmax of which some
        classes have been left behind.
    """
    return _behind_moves(
        variable,
        (
            _sigmoid,
            _inverse_of_one_plus_exp,
            _softmax,
            _normalized_exp,
            _exp_of_log_softmax,
        ),
    )


def logits(found):
    """The input of the nonlinearity, in the layout looked at."""
    return _moved(found, _base(found))


def log_probabilities(found):
    """The logarithm of what was looked at."""
    if found.kind == 'sigmoid':
        return -sigmoid_crossentropy(logits(found), T.ones_like(logits(found)))
    return _moved(found, along_axis(log_softmax, _base(found), found.axis))


def log_odds(found):
    """``log(p / (1 - p))`` of the ``p`` looked at."""
    if found.kind == 'sigmoid':
        return logits(found)
    return _moved(
        found, along_axis(softmax_log_odds, _base(found), found.axis)
    )


def _base(found):
    """The logits as a host tensor of a type to compute in."""
    tensor = T.as_tensor_variable(found.logits)
    working = {
        'float16': 'float32',
        'float64': 'float64',
        'float32': 'float32',
    }.get(tensor.dtype, theano.config.floatX)
    return cast_both_ways(tensor, working)


def _moved(found, variable):
    for move in found.moves:
        variable = move(variable)
    return variable


# ---------------------------------------------------------------------------
# Moves


class _Torn(Exception):
    """A move leaves some classes behind."""


def _behind_moves(variable, nonlinearities):
    """Search for one of `nonlinearities` behind moves of elements."""
    node = variable.owner
    if node is None:
        return None
    for nonlinearity in nonlinearities:
        found = nonlinearity(variable)
        if found is not None:
            return found
    seen = _see(node)
    if seen is None:
        return None
    found = _behind_moves(node.inputs[0], nonlinearities)
    return None if found is None else _with_move(found, *seen)


def _with_move(found, move, follow):
    """Put a move behind what was found before it."""
    try:
        # Only a softmax has a class axis to follow, while it is known.
        whole = found.whole if found.whole is None else follow(found.whole)
    except _Torn:
        return None
    return found._replace(moves=found.moves + (move,), whole=whole)


def _stays(axis):
    return axis


def _is_transfer(node):
    """Whether a node moves data between host and GPU.

    Asked by name: the GPU backend is not imported for the asking.
    """
    return type(node.op).__name__ in (
        'HostFromGpu',
        'GpuFromHost',
        'GpuToGpu',
    ) and type(node.op).__module__.startswith('theano.gpuarray')


def _see_dimshuffle(node):
    order = node.op.new_order

    def follow(axis):
        if axis not in order:
            raise _Torn
        return order.index(axis)

    return lambda variable: variable.dimshuffle(order), follow


def _see_reshape(node):
    source, shape = node.inputs

    def move(variable):
        return variable.reshape(shape, ndim=node.op.ndim)

    return move, lambda axis: _axis_after_reshape(
        source, shape, node.op.ndim, axis
    )


def _axis_after_reshape(source, shape, ndim, axis):
    """Where a reshape puts an axis if it provably stays whole, else None."""
    kept = [
        _axis_of_length(length, source) for length in _entries(shape, ndim)
    ]
    if kept[: axis + 1] == list(range(axis + 1)):
        return axis
    if axis == source.ndim - 1:
        if kept and kept[-1] == axis:
            return ndim - 1
        if ndim == source.ndim and kept[:-1] == list(range(axis)):
            return axis
    return None


def _entries(shape, ndim):
    """The lengths that a symbolic shape is made of, None where unknown."""
    if shape.owner is not None and isinstance(shape.owner.op, MakeVector):
        return shape.owner.inputs
    return [None] * ndim


def _axis_of_length(length, tensor):
    """The axis of `tensor` whose length the scalar `length` is, or None."""
    path = []
    while length is not None and length.owner is not None:
        op = length.owner.op
        if isinstance(op, Subtensor):
            path.append(get_idx_list(length.owner.inputs, op.idx_list)[0])
            length = length.owner.inputs[0]
        elif isinstance(op, Elemwise) and isinstance(op.scalar_op, scal.Cast):
            length = length.owner.inputs[0]
        else:
            break
    if (
        length is None
        or length.owner is None
        or not isinstance(length.owner.op, theano.compile.Shape)
        or length.owner.inputs[0] is not tensor
    ):
        return None
    axes = list(range(tensor.ndim))
    try:
        for index in reversed(path):
            axes = axes[_constants_of(index)]
    except TypeError:
        # A symbolic index: nobody knows which length it takes.
        return None
    return axes


def _takes_all(index):
    """Whether a slice takes every element of its axis, in any order."""
    if not isinstance(index, slice) or index.step not in (None, 1, -1):
        return False
    if index.step == -1:
        return index.start is None and index.stop is None
    return index.start in (None, 0) and index.stop in (None, sys.maxsize)


def _constants_of(index):
    """An index or slice with Theano's constants replaced by their values."""
    if isinstance(index, slice):
        return slice(
            *map(_constants_of, (index.start, index.stop, index.step))
        )
    try:
        return (
            None if index is None else int(T.get_scalar_constant_value(index))
        )
    except T.NotScalarConstantError:
        return index


def _see_subtensor(node):
    index = [
        _constants_of(entry)
        for entry in get_idx_list(node.inputs, node.op.idx_list)
    ]

    def move(variable):
        return Subtensor(node.op.idx_list)(variable, *node.inputs[1:])

    def follow(axis):
        if axis < len(index) and not _takes_all(index[axis]):
            raise _Torn
        dropped = [
            entry for entry in index[:axis] if not isinstance(entry, slice)
        ]
        return axis - len(dropped)

    return move, follow


def _see_advanced_subtensor1(node):
    def follow(axis):
        if axis == 0:
            raise _Torn
        return axis

    return lambda variable: node.op(variable, node.inputs[1]), follow


def _see_advanced_subtensor(node):
    def follow(axis):
        layout = _layout_after_indexing(node.inputs[0].ndim, node.inputs[1:])
        if axis not in layout:
            raise _Torn
        return layout.index(axis)

    return lambda variable: node.op(variable, *node.inputs[1:]), follow


def _layout_after_indexing(ndim, index):
    """What NumPy's advanced indexing puts on each axis of its result.

    Returns
    -------
    list
        For each axis of the result the axis of the source that it is the
        whole of, or None.
    """
    layout, arrays = [], []
    source_axis = 0
    for position, entry in enumerate(index):
        if NoneConst.equals(entry):
            layout.append(None)
        elif isinstance(entry.type, SliceType):
            layout.append(
                source_axis if _takes_all(_slice_of(entry)) else None
            )
            source_axis += 1
        else:
            arrays.append((position, len(layout), entry))
            source_axis += entry.ndim if entry.dtype == 'bool' else 1
    layout += range(source_axis, ndim)
    # The arrays' common axes stand where the first of them stood, if the
    # arrays are neighbours; else they come first.
    positions = [position for position, _, _ in arrays]
    neighbours = positions[-1] - positions[0] == len(positions) - 1
    place = arrays[0][1] if neighbours else 0
    common = max(
        1 if entry.dtype == 'bool' else entry.ndim for _, _, entry in arrays
    )
    return layout[:place] + [None] * common + layout[place:]


def _slice_of(entry):
    """The Python slice that an index variable stands for."""
    if isinstance(entry, SliceConstant):
        return entry.data
    return _constants_of(
        slice(
            *[
                None if NoneConst.equals(bound) else bound
                for bound in entry.owner.inputs
            ]
        )
    )


def _see_view(node):
    """A view that keeps the layout: the same Op on another variable."""
    return lambda variable: node.op(variable, *node.inputs[1:]), _stays


def _see_cast(node):
    dtype = node.outputs[0].dtype
    return lambda variable: cast_both_ways(variable, dtype), _stays


def _see_transfer(node):
    # Logits are taken as host tensors; the GPU's rewrites move them.
    return lambda variable: variable, _stays


_MOVES = (
    (DimShuffle, _see_dimshuffle),
    (Reshape, _see_reshape),
    (Subtensor, _see_subtensor),
    (AdvancedSubtensor1, _see_advanced_subtensor1),
    ((AdvancedSubtensor, AdvancedBooleanSubtensor), _see_advanced_subtensor),
    ((Rebroadcast, theano.compile.SpecifyShape), _see_view),
)


def _see(node):
    """How a node moves elements, or None if it does anything else.

    That is a function that repeats it, and where it puts an axis.
    """
    if isinstance(node.op, Elemwise):
        if isinstance(node.op.scalar_op, CastBothWays):
            return _see_cast(node)
        if isinstance(node.op.scalar_op, scal.Identity):
            return _see_view(node)
        return None
    for op_class, see in _MOVES:
        if isinstance(node.op, op_class):
            return see(node)
    return _see_transfer(node) if _is_transfer(node) else None


def _before_moves(variable):
    """What the elements of a variable were moved from, and the moves."""
    moves = []
    while variable.owner is not None and _see(variable.owner) is not None:
        moves.insert(0, variable.owner)
        variable = variable.owner.inputs[0]
    return variable, moves


def is_input(variable):
    """Whether nothing but moves has happened to an input of the graph."""
    return _before_moves(variable)[0].owner is None


def twin(variable):
    """A variable once more: the output of its nonlinearity, and the moves.

    It has no name, nor what users mark variables with: whoever replaces all
    variables of a name must not find it.
    """
    source, moves = _before_moves(variable)
    copy = _anonymous(source.owner.clone().outputs[source.index])
    for node in moves:
        inputs = [copy] + node.inputs[1:]
        copy = _anonymous(node.clone_with_new_inputs(inputs).outputs[0])
    return copy


def _anonymous(variable):
    marks = variable.tag
    variable.name, variable.tag = None, gof.utils.scratchpad()
    if hasattr(marks, 'test_value'):
        variable.tag.test_value = marks.test_value
    return variable


# ---------------------------------------------------------------------------
# Nonlinearities


def _inputs_of(variable, scalar_op):
    """The inputs of an element-wise `scalar_op`, or None if it is not that."""
    node = variable.owner
    if (
        node is not None
        and isinstance(node.op, Elemwise)
        and isinstance(node.op.scalar_op, scalar_op)
    ):
        return node.inputs
    return None


def _found(kind, output, logits_, axis=None):
    """A nonlinearity just found, its logits with the pattern of its output."""
    logits_ = same_pattern(T.as_tensor_variable(logits_), output.broadcastable)
    return Found(kind, logits_, axis, (), axis)


def _sigmoid(variable):
    inputs = _inputs_of(variable, ScalarSigmoid)
    return inputs and _found('sigmoid', variable, inputs[0])


def _is_one(variable):
    try:
        return (
            all(variable.broadcastable)
            and T.get_scalar_constant_value(variable) == 1
        )
    except T.NotScalarConstantError:
        return False


def _inverse_of_one_plus_exp(variable):
    """``1 / (1 + exp(-z))``: the logits are minus the exponent."""
    quotient = _inputs_of(variable, scal.TrueDiv)
    if quotient and _is_one(quotient[0]):
        denominator = quotient[1]
    else:
        inverse = _inputs_of(variable, scal.Inv)
        if not inverse:
            return None
        denominator = inverse[0]
    terms = _inputs_of(denominator, scal.Add)
    if not terms or len(terms) != 2:
        return None
    for one, other in (terms, terms[::-1]):
        exponent = _inputs_of(other, scal.Exp)
        if exponent and _is_one(one):
            negated = _inputs_of(exponent[0], scal.Neg)
            return _found(
                'sigmoid', variable, negated[0] if negated else -exponent[0]
            )
    return None


def _softmax(variable):
    node = variable.owner
    if isinstance(node.op, Softmax):
        return _found('softmax', variable, node.inputs[0], axis=1)
    if isinstance(node.op, SoftmaxWithBias):
        scores, bias = node.inputs
        return _found('softmax', variable, scores + bias, axis=1)
    return None


def _exp_of_log_softmax(variable):
    """``exp(log softmax(z))``, with moves in between."""
    exponent = _inputs_of(variable, scal.Exp)
    return exponent and _behind_moves(exponent[0], (_log_softmax,))


def _log_softmax(variable):
    node = variable.owner
    if isinstance(node.op, LogSoftmax):
        return _found('softmax', variable, node.inputs[0], axis=1)
    return None


def _normalized_exp(variable):
    """``exp(z) / sum(exp(z), axis, keepdims=True)``."""
    quotient = _inputs_of(variable, scal.TrueDiv)
    if not quotient:
        return None
    numerator, denominator = quotient
    summed = _kept_reduction(denominator)
    if summed is None or not isinstance(summed.owner.op, Sum):
        return None
    exponent = _inputs_of(numerator, scal.Exp)
    axes = _reduced_axes(denominator)
    if (
        not exponent
        or len(axes) != 1
        or not same(summed.owner.inputs[0], numerator)
    ):
        return None
    return _found(
        'softmax', variable, _without_max(exponent[0], axes[0]), axis=axes[0]
    )


def _without_max(exponent, axis):
    """``z`` if the exponent is ``z - max(z)``, which changes no softmax."""
    difference = _inputs_of(exponent, scal.Sub)
    if difference:
        scores, shift = difference
        largest = _kept_reduction(shift)
        if (
            largest is not None
            and _is_max(largest)
            and same(largest.owner.inputs[0], scores)
            and axis in _reduced_axes(shift)
        ):
            return scores
    return exponent


def _is_max(variable):
    op = variable.owner.op
    return (
        isinstance(op, MaxAndArgmax)
        and variable.index == 0
        or isinstance(op, CAReduce)
        and isinstance(op.scalar_op, scal.Maximum)
    )


def _kept_reduction(variable):
    """The reduction of which `variable` is the form that keeps its axes.

    None if it is not a reduction whose axes were put back, with length 1,
    where they had been.
    """
    node = variable.owner
    if node is None or not isinstance(node.op, DimShuffle):
        return None
    reduced = node.inputs[0]
    if reduced.owner is None or not isinstance(
        reduced.owner.op, (CAReduce, MaxAndArgmax)
    ):
        return None
    source = reduced.owner.inputs[0]
    axes = reduced.owner.op.axis
    axes = range(source.ndim) if axes is None else axes
    kept = iter(range(reduced.ndim))
    order = [
        'x' if axis in axes else next(kept) for axis in range(source.ndim)
    ]
    return reduced if list(node.op.new_order) == order else None


def _reduced_axes(kept_reduction):
    return [
        axis
        for axis, place in enumerate(kept_reduction.owner.op.new_order)
        if place == 'x'
    ]


# ---------------------------------------------------------------------------
# Equality of graphs


def same(first, second):
    """Whether two variables are computed in the same way from the same ones.

    Stops at variables that are identical, so that only the few nodes that
    were built twice are read, and each pair of these once.
    """
    pairs, seen = [(first, second)], set()
    while pairs:
        pair = one, two = pairs.pop()
        if one is two or pair in seen:
            continue
        seen.add(pair)
        if isinstance(one, theano.Constant):
            if not (
                isinstance(two, theano.Constant)
                and one.signature() == two.signature()
            ):
                return False
        elif _same_node(one, two):
            pairs.extend(zip(one.owner.inputs, two.owner.inputs))
        else:
            return False
    return True


def _same_node(first, second):
    """Whether equal Ops give two variables, of as many inputs."""
    one, two = first.owner, second.owner
    return (
        one is not None
        and two is not None
        and one.op == two.op
        and first.index == second.index
        and len(one.inputs) == len(two.inputs)
    )
