"""What a node of a graph does with elements: moves, joins and choices of them.

A softmax that was transposed, cut, joined with another or chosen by a switch
is still a softmax: the same can be done to its logits. :func:`see` says how,
and where an axis goes meanwhile.
"""

import sys
from collections import namedtuple

import theano
from theano import gof
import theano.scalar as scal
import theano.tensor as T
from theano.gradient import (
    ConsiderConstant,
    DisconnectedGrad,
    GradScale,
    ZeroGrad,
)
from theano.ifelse import IfElse, ifelse
from theano.tensor.basic import Alloc, Join, Rebroadcast, Reshape
from theano.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from theano.tensor.opt import MakeVector
from theano.tensor.subtensor import (
    AdvancedBooleanSubtensor,
    AdvancedIncSubtensor,
    AdvancedIncSubtensor1,
    AdvancedSubtensor,
    AdvancedSubtensor1,
    IncSubtensor,
    Subtensor,
    get_idx_list,
)
from theano.tensor.type_other import NoneConst, SliceConstant, SliceType


#: What a variable is made of, element by element.
#:
#: parts : the variables whose elements it has
#: arrange : a function that makes the same of other variables, one for each
#:     part
#: follow : a function that says where the axis of a part is now; it is None
#:     where nobody knows, and raises `Torn` where some of it is left behind
#: hope : where not None, a function that says where it is if that axis turns
#:     out to have its length
Arrangement = namedtuple('Arrangement', 'parts arrange follow hope')
Arrangement.__new__.__defaults__ = (None,)


class Torn(Exception):
    """A move leaves a part of an axis behind."""


def see(variable):
    """The :class:`Arrangement` that a variable is, or None."""
    node = variable.owner
    if node is None:
        return None
    for op_class, arrangement in _ARRANGEMENTS:
        if isinstance(node.op, op_class):
            return arrangement(node)
    if isinstance(node.op, IfElse):
        return _ifelse(node, variable.index)
    return _transfer(node) if _is_transfer(node) else None


def is_elementwise(variable, scalar_op):
    """Whether a variable is a `scalar_op` of each element of others."""
    node = variable.owner
    return (
        node is not None
        and isinstance(node.op, Elemwise)
        and isinstance(node.op.scalar_op, scalar_op)
    )


def source(variable):
    """What the elements of a variable have been moved from."""
    arrangement = see(variable)
    while arrangement is not None and len(arrangement.parts) == 1:
        (variable,) = arrangement.parts
        arrangement = see(variable)
    return variable


def _move(node, move, follow):
    """An arrangement of the node's first input alone."""
    return Arrangement(node.inputs[:1], lambda parts: move(parts[0]), follow)


def _stays(axis):
    return axis


def _unknown(axis):
    return None


# ---------------------------------------------------------------------------
# Moves


def _dimshuffle(node):
    return _reordered(node, node.op.new_order)


def _reordered(node, order):
    def follow(axis):
        if axis not in order:
            raise Torn
        return order.index(axis)

    return _move(node, lambda variable: variable.dimshuffle(order), follow)


def _reduction(node):
    """A sum, product or extremum of single elements is these elements."""
    pattern = node.inputs[0].broadcastable
    axes = node.op.axis
    axes = range(len(pattern)) if axes is None else axes
    if not all(pattern[axis] for axis in axes):
        return None
    return _reordered(
        node, [axis for axis in range(len(pattern)) if axis not in axes]
    )


def alloc(variable, shape):
    """``T.alloc``, which leaves itself out where Theano is optimizing.

    Graphs built then must equal those that were built before.
    """
    return gof.Op.__call__(T.alloc, variable, *shape)


def _alloc(node):
    value, *shape = node.inputs
    (result,) = node.outputs

    def follow(axis):
        place = axis + result.ndim - value.ndim
        if value.broadcastable[axis] != result.broadcastable[place]:
            raise Torn
        return place

    return _move(node, lambda variable: alloc(variable, shape), follow)


def _reshape(node):
    source, shape = node.inputs

    def move(variable):
        return variable.reshape(shape, ndim=node.op.ndim)

    def follow(axis):
        return _axis_after_reshape(source, shape, node.op.ndim, axis)

    def hope(axis):
        # The last axis is whole if the new last one has its length.
        known = follow(axis)
        last = node.op.ndim - 1 if axis == source.ndim - 1 else -1
        return last if known is None and last >= 0 else known

    return _move(node, move, follow)._replace(hope=hope)


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
        elif is_elementwise(length, scal.Cast):
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


def _subtensor(node):
    index = [
        _constants_of(entry)
        for entry in get_idx_list(node.inputs, node.op.idx_list)
    ]

    def move(variable):
        return Subtensor(node.op.idx_list)(variable, *node.inputs[1:])

    def follow(axis):
        if axis < len(index) and not _takes_all(index[axis]):
            raise Torn
        dropped = [
            entry for entry in index[:axis] if not isinstance(entry, slice)
        ]
        return axis - len(dropped)

    return _move(node, move, follow)


def _advanced_subtensor1(node):
    def follow(axis):
        if axis == 0:
            raise Torn
        return axis

    return _move(node, _same_op(node), follow)


def _advanced_subtensor(node):
    def follow(axis):
        layout = _layout_after_indexing(node.inputs[0].ndim, node.inputs[1:])
        if axis not in layout:
            raise Torn
        return layout.index(axis)

    return _move(node, _same_op(node), follow)


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


def _same_op(node):
    return lambda variable: node.op(variable, *node.inputs[1:])


def _view(node):
    """A view that keeps the layout: the same Op on another variable."""
    return _move(node, _same_op(node), _stays)


def _gradient_view(node):
    # Theano removes it, too, once the gradient is built. A factor of the
    # gradient, 0 among them, may be applied before or after a nonlinearity;
    # bounds of the gradient may not.
    is_linear = type(node.op) in (theano.compile.ViewOp, GradScale) + _DAMS
    return _view(node) if is_linear else None


_DAMS = ConsiderConstant, DisconnectedGrad, ZeroGrad


def is_dam(variable):
    """Whether no gradient passes through a variable."""
    return variable.owner is not None and isinstance(variable.owner.op, _DAMS)


def _is_transfer(node):
    """Whether a node moves data between host and GPU.

    Asked by name: the GPU backend is not imported for the asking.
    """
    return type(node.op).__name__ in (
        'HostFromGpu',
        'GpuFromHost',
        'GpuToGpu',
    ) and type(node.op).__module__.startswith('theano.gpuarray')


def _transfer(node):
    # Logits are taken as host tensors; the GPU's rewrites move them.
    return _move(node, lambda variable: variable, _stays)


# ---------------------------------------------------------------------------
# Joins and choices


def _join(node):
    place, *parts = node.inputs
    try:
        place = int(T.get_scalar_constant_value(place)) % parts[0].ndim
    except T.NotScalarConstantError:
        return None
    return Arrangement(
        parts,
        lambda parts: T.join(place, *parts),
        lambda axis: None if axis == place else axis,
    )


def _make_vector(node):
    return Arrangement(node.inputs, lambda parts: T.stack(parts), _unknown)


def _elementwise(node):
    scalar_op = node.op.scalar_op
    if isinstance(scalar_op, scal.Identity):
        return _view(node)
    if isinstance(scalar_op, scal.Switch):
        condition, *parts = node.inputs
        return Arrangement(
            parts,
            lambda parts: T.switch(condition, *parts),
            # A choice for each data point leaves its classes together.
            lambda axis: axis if condition.broadcastable[axis] else None,
        )
    return None


def _ifelse(node, index):
    condition, *branches = node.inputs
    return Arrangement(
        branches[index :: node.op.n_outs],
        lambda parts: ifelse(condition, *parts),
        _stays,
    )


def _set_subtensor(node):
    old, new, *_ = node.inputs
    if not node.op.set_instead_of_inc and not _is_zero(old):
        return None
    if _is_all(node) and new.broadcastable == old.broadcastable:
        return Arrangement([new], lambda parts: parts[0], _stays)
    if not node.op.set_instead_of_inc:
        return None
    return Arrangement(
        [old, new],
        lambda parts: node.op(*(parts + node.inputs[2:])),
        _unknown,
    )


def _is_zero(variable):
    try:
        return T.get_scalar_constant_value(variable) == 0
    except T.NotScalarConstantError:
        return False


def _is_all(node):
    """Whether all elements of a tensor are set."""
    return isinstance(node.op, IncSubtensor) and all(
        isinstance(index, slice)
        and _takes_all(index)
        and index.step in (None, 1)
        for index in map(
            _constants_of, get_idx_list(node.inputs, node.op.idx_list)
        )
    )


_ARRANGEMENTS = (
    (DimShuffle, _dimshuffle),
    (Reshape, _reshape),
    (Subtensor, _subtensor),
    (AdvancedSubtensor1, _advanced_subtensor1),
    ((AdvancedSubtensor, AdvancedBooleanSubtensor), _advanced_subtensor),
    ((Rebroadcast, theano.compile.SpecifyShape), _view),
    (theano.compile.ViewOp, _gradient_view),
    (Alloc, _alloc),
    (CAReduce, _reduction),
    (Join, _join),
    (MakeVector, _make_vector),
    (Elemwise, _elementwise),
    (
        (IncSubtensor, AdvancedIncSubtensor1, AdvancedIncSubtensor),
        _set_subtensor,
    ),
)
