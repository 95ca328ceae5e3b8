"""The rewrites that merge a loss and its gradient into one sweep.

They are registered with Theano's database of rewrites under the tag
'lasagne_objectives': ``mode.excluding('lasagne_objectives')`` leaves them
out, with the same results to rounding. They only ever touch nodes that hold a
kernel of this package, on the CPU; those for the GPU are in gpu/rewrites.py.
"""

import theano
from theano import gof
import theano.tensor as T
from theano.compile import optdb
from theano.scalar.basic import Cast, Composite, Inv, Mul, TrueDiv
from theano.scan_module.scan_utils import equal_computations
from theano.tensor.elemwise import DimShuffle, Elemwise, Sum
from theano.tensor.opt import MakeVector, in2out
from theano.tensor.subtensor import AdvancedIncSubtensor1, Subtensor

from lasagne_objectives.kernels.averaged import Averaged
from lasagne_objectives.kernels.c_kernel import AroundKernel, CKernel
from lasagne_objectives.kernels.elementwise import Kernel
from lasagne_objectives.kernels.keep_rows import KeepRows, KeepRowsGradient
from lasagne_objectives.kernels.kept_rows import KeptRows
from lasagne_objectives.kernels.moved_rows import MovedRows
from lasagne_objectives.kernels.place_rows import PlaceRows
from lasagne_objectives.kernels.rows import ClassKernel, without
from lasagne_objectives.kernels.softmax_crossentropy import (
    GradientKernel,
    SoftmaxCrossentropy,
    SoftmaxCrossentropyGradient,
    SoftmaxCrossentropyWithGradient,
)
from lasagne_objectives.kernels.summed import Summed
from lasagne_objectives.kernels.sweep import Sweep, composite
from lasagne_objectives.kernels.target_rank import TargetRank


class MergeSweeps(gof.Optimizer):
    """Merge what can be computed in one pass over the same memory."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(gof.toolbox.ReplaceValidate())

    def apply(self, fgraph):
        if not theano.config.cxx:
            # In Python the parts are vectorised by NumPy, a sweep is not.
            return
        merge_softmax(
            fgraph,
            SoftmaxCrossentropy,
            SoftmaxCrossentropyGradient,
            lambda op: SoftmaxCrossentropyWithGradient(op.axis),
        )
        _give_one_number(fgraph)
        leave_rows_where_they_are(fgraph, ClassKernel, MovedRows)
        _take_kept_rows(fgraph)
        _average_losses(fgraph)
        _merge_elementwise(fgraph)
        _sum_losses(fgraph)
        _place_gradients(fgraph)


optdb.register(
    'lasagne_objectives_merge',
    MergeSweeps(),
    49.3,
    'fast_run',
    'lasagne_objectives',
)


def _inplace(op):
    """The same Op with a gradient that takes the place of the logits.

    None if there is none.
    """
    if isinstance(op, GradientKernel) and not op.inplace:
        return type(op)(op.axis, inplace=True)
    if isinstance(op, AroundKernel):
        kernel = _inplace(op.kernel)
        return kernel and op.with_kernel(kernel)
    return None


@gof.local_optimizer([GradientKernel, AroundKernel])
def gradient_inplace(node):
    """Let the gradient take the place of logits that nothing reads later."""
    op = _inplace(node.op)
    return op is not None and op(*node.inputs, return_list=True)


# Where Theano has its own. It has other readers of the logits run first, or
# refuses, when they are an input or a result of the function.
optdb.register(
    'lasagne_objectives_inplace',
    in2out(gradient_inplace),
    70,
    'fast_run',
    'inplace',
    'lasagne_objectives',
)


def _depends(variables, on):
    """Whether any of `variables` is computed from one of `on`."""
    return not set(on).isdisjoint(gof.graph.ancestors(list(variables)))


# ---------------------------------------------------------------------------
# Softmax cross-entropy


def merge_softmax(fgraph, value_op, gradient_op, both):
    """Replace pairs of Ops of two classes, on equal inputs, by one Op.

    `both` makes it of the first of the two.
    """
    for node in fgraph.toposort():
        if isinstance(node.op, value_op):
            for client, _ in node.inputs[0].clients:
                if _is_its_gradient(client, gradient_op, node):
                    _merge_pair(fgraph, node, client, both)
                    break


def _is_its_gradient(client, gradient_op, node):
    return (
        client != 'output'
        and isinstance(client.op, gradient_op)
        # All but the third, the gradient with respect to the value
        and client.inputs[:2] + client.inputs[3:] == node.inputs
        and client.op.axis == node.op.axis
        and not _depends(client.inputs, node.outputs)
    )


def _merge_pair(fgraph, node, gradient, both):
    merged = both(node.op)(*gradient.inputs)
    fgraph.replace_all_validate(
        list(zip(node.outputs + gradient.outputs, merged)),
        reason='lasagne_objectives',
    )


def _give_one_number(fgraph):
    """Give the number that an incoming gradient repeats for all data points.

    As that of a mean does. Nothing repeats it then.
    """
    for node in fgraph.toposort():
        if isinstance(node.op, GradientKernel) and _is_repeated(fgraph, node):
            number = node.inputs[2].owner.inputs[0]
            inputs = node.inputs[:2] + [number] + node.inputs[3:]
            fgraph.replace_all_validate(
                list(zip(node.outputs, node.op(*inputs, return_list=True))),
                reason='lasagne_objectives',
            )


def _is_repeated(fgraph, node):
    """Whether an incoming gradient repeats a number for each data point.

    As often as there are some: a mistake stays one.
    """
    repeated = node.inputs[2].owner
    shapes = getattr(fgraph, 'shape_feature', None)
    if repeated is None or type(repeated.op) is not T.Alloc or shapes is None:
        return False
    points = without(shapes.shape_of[node.inputs[0]], node.op.axis)
    return all(repeated.inputs[0].broadcastable) and equal_computations(
        repeated.inputs[1:], list(points)
    )


# ---------------------------------------------------------------------------
# Element-wise losses


def _is_ours(node, ranks, losses):
    """Whether an element-wise node is to be part of a sweep.

    It computes a kernel, compares ranks, or weighs losses to be summed.
    """
    scalar_op = node.op.scalar_op
    inner = (
        scalar_op.fgraph.apply_nodes
        if isinstance(scalar_op, Composite)
        else []
    )
    return (
        isinstance(scalar_op, Kernel)
        or any(isinstance(one.op, Kernel) for one in inner)
        or not ranks.isdisjoint(node.inputs)
        or (
            not losses.isdisjoint(node.inputs)
            and _total(node.outputs[0]) is not None
        )
    )


def _numbers_of_points(nodes, kind):
    """Numbers, one for each data point, that kernels of a kind have found.

    And what is made of these element by element.
    """
    values = set()
    for node in nodes:
        if isinstance(_kernel_of(node), kind):
            values.update(_values_of_points(node))
        elif isinstance(node.op, Elemwise) and not values.isdisjoint(
            node.inputs
        ):
            values.update(node.outputs)
    return values


def _kernel_of(node):
    """The kernel of a node, or that which its Op is around."""
    op = node.op
    while isinstance(op, AroundKernel):
        op = op.kernel
    return op


def _values_of_points(node):
    """The results of a kernel of classes that have one number a data point."""
    if isinstance(_kernel_of(node), GradientKernel):
        return node.outputs[: _kernel_of(node).gradient_position]
    if isinstance(node.op, KeptRows):
        return node.outputs
    return [v for v in node.outputs if v.ndim < node.inputs[0].ndim]


def _is_sweepable(node, any_type=False):
    """Whether a node is element-wise, on the CPU, in types of C.

    Its result must be float32 or float64, unless `any_type` will do.
    """
    if node == 'output' or type(node.op) is not Elemwise:
        return False
    variables = node.inputs + node.outputs
    return (
        len(node.outputs) == 1
        and (any_type or node.outputs[0].dtype in ('float32', 'float64'))
        and not all(node.outputs[0].broadcastable)
        and any(
            v.broadcastable == node.outputs[0].broadcastable
            for v in node.inputs
        )
        and not any(
            v.dtype.startswith(('complex', 'float16')) for v in variables
        )
    )


def _total(variable):
    """The node that sums all of a result that nothing else wants."""
    clients = variable.clients
    if len(clients) != 1 or clients[0][0] == 'output':
        return None
    client = clients[0][0]
    if (
        isinstance(client.op, Sum)
        and type(client.op) is Sum
        and (
            client.outputs[0].ndim == 0
            and client.outputs[0].dtype == variable.dtype
        )
    ):
        return client
    return None


def _merge_elementwise(fgraph):
    nodes = fgraph.toposort()
    ranks = _numbers_of_points(nodes, TargetRank)
    losses = _numbers_of_points(nodes, ClassKernel)
    # From the results backwards: what is computed on the way to several of
    # them is taken into their sweep, not written for them to read.
    for node in reversed(nodes):
        if node not in fgraph.apply_nodes:
            continue
        if _is_sweepable(node) and _is_ours(node, ranks, losses):
            _merge_group(fgraph, [node] + _partners(node))


def _partners(node):
    """Further nodes to compute while the inputs of `node` are at hand."""
    pattern = node.outputs[0].broadcastable
    group = [node]
    for variable in node.inputs:
        if variable.broadcastable != pattern:
            continue
        for client, _ in variable.clients:
            if (
                client not in group
                and _is_sweepable(client)
                and client.outputs[0].broadcastable == pattern
                and not _entangled(group, client)
            ):
                group.append(client)
    return group[1:]


def _entangled(group, client):
    """Whether a node needs the results of a group or the group its own."""
    results = [v for node in group for v in node.outputs]
    inputs = [v for node in group for v in node.inputs]
    return _depends(client.inputs, results) or _depends(inputs, client.outputs)


def _inputs_of(group):
    """The arrays that a group of nodes is to be computed from.

    Element-wise nodes that serve the group alone are computed within its
    sweep, so their inputs are given instead of their results.
    """
    pattern = group[0].outputs[0].broadcastable
    inside = list(group)
    searching = True
    while searching:
        produced = [v for node in inside for v in node.outputs]
        inputs = gof.utils.uniq(
            [v for node in inside for v in node.inputs if v not in produced]
        )
        producers = [
            v.owner
            for v in inputs
            if v.owner is not None
            and v.broadcastable == pattern
            and _is_sweepable(v.owner, any_type=True)
            and all(client in inside for client, _ in v.clients)
        ]
        inside += producers[:1]
        searching = bool(producers)
    return inputs


def _merge_group(fgraph, group):
    totals = {node: _total(node.outputs[0]) for node in group}
    summed = [node for node in group if totals[node] is not None]
    kept = [node for node in group if totals[node] is None]
    inputs = _inputs_of(group)
    _replace_by_sweep(
        fgraph,
        inputs,
        [node.outputs[0] for node in summed + kept],
        [totals[node] for node in summed],
    )


def _replace_by_sweep(fgraph, inputs, results, totals):
    """Replace results, and the sums of the first of them, by those of a sweep.

    Parameters
    ----------
    fgraph : FunctionGraph
    inputs, results : lists of Theano tensors
        The results are computed from the inputs element by element.
    totals : list of Apply
        The nodes that sum the first results.
    """
    sums = [total.outputs[0] for total in totals]
    op = Sweep(composite(inputs, results), tuple(v.dtype for v in sums))
    replaced = sums + results[len(sums) :]
    fgraph.replace_all_validate(
        list(zip(replaced, op(*inputs, return_list=True))),
        reason='lasagne_objectives',
    )


# ---------------------------------------------------------------------------
# Rows of arrays whose axes were moved


def leave_rows_where_they_are(fgraph, kernels, moved_rows):
    """Give kernels the array that a reshape would copy for them.

    They are of the class `kernels`; `moved_rows` makes of one the Op that
    takes the array.
    """
    for node in fgraph.toposort():
        if not _makes_matrix(node) or not _is_moved(node.inputs[0]):
            continue
        matrix = node.outputs[0]
        if all(
            _can_do_without(matrix, reader, position, kernels)
            for reader, position in matrix.clients
        ):
            for reader, _ in list(matrix.clients):
                _read_moved(fgraph, node, reader, moved_rows)


def _makes_matrix(node):
    """Whether a node reshapes an array of more axes to rows."""
    return (
        isinstance(node.op, T.Reshape)
        and node.outputs[0].broadcastable == (False, False)
        and node.inputs[0].ndim > 2
        and node.inputs[1].dtype == 'int64'
    )


def _is_moved(array):
    """Whether the axes of an array were moved."""
    if array.owner is None or not isinstance(array.owner.op, DimShuffle):
        return False
    order = [axis for axis in array.owner.op.new_order if axis != 'x']
    return order != sorted(order)


def _can_do_without(matrix, reader, position, kernels):
    """Whether a reader of the matrix is a kernel that can read the array.

    What it makes of the classes must be reshaped again, as a gradient is.
    """
    return (
        reader != 'output'
        and isinstance(reader.op, kernels)
        and reader.op.axis == 1
        and reader.inputs.count(matrix) == 1
        and position == 0
        and all(
            client != 'output' and isinstance(client.op, T.Reshape)
            for result in reader.outputs
            if result.ndim == 2
            for client, _ in result.clients
        )
    )


def _read_moved(fgraph, node, reader, moved_rows):
    """Replace a kernel of the matrix by the same of the array.

    A reshape to the shape that the array has costs nothing.
    """
    inputs = list(node.inputs)
    for operand in _others(reader):
        inputs += _not_reshaped(operand, node.inputs[0])
    results = moved_rows(reader.op)(*inputs, return_list=True)
    replaced = []
    for old, new in zip(reader.outputs, results):
        if old.ndim == 1:
            replaced.append((old, new))
            continue
        for client, _ in old.clients:
            again = client.op(new, *client.inputs[1:])
            replaced.append((client.outputs[0], again))
    fgraph.replace_all_validate(replaced, reason='lasagne_objectives')


def _others(reader):
    """What a kernel reads beside the rows.

    An incoming gradient that is one number has no axis, for it is not to be
    given the shape of the array.
    """
    others = list(reader.inputs[1:])
    if isinstance(reader.op, GradientKernel) and all(others[1].broadcastable):
        others[1] = others[1].dimshuffle()
    return others


def _not_reshaped(operand, array):
    """An operand, or what it was before it was made a matrix, and its shape.

    That if it had as many axes as the array.
    """
    node = operand.owner
    if (
        node is not None
        and _makes_matrix(node)
        and node.inputs[0].ndim == array.ndim
    ):
        return node.inputs
    return [operand]


# ---------------------------------------------------------------------------
# Rows that are kept and given another shape


def _take_kept_rows(fgraph):
    """Have kernels keep rows, reshape them, and give their gradient back."""
    for node in fgraph.toposort():
        if not _reads_kept_rows(node):
            continue
        shaped = node.inputs[0].owner
        logits = shaped.inputs[0].owner.inputs[0]
        gradients = _gradients_of_kept(node, logits)
        if gradients is None:
            continue
        results = KeptRows(node.op)(
            logits,
            shaped.inputs[1],
            *node.inputs[1 : node.op.operands],
            return_list=True,
        )
        fgraph.replace_all_validate(
            list(zip(_values_of_points(node), results))
            + [(gradient, results[-1]) for gradient in gradients],
            reason='lasagne_objectives',
        )


def _reads_kept_rows(node):
    """Whether a cross-entropy has kept rows of last axes, in another shape.

    And nothing else has them.
    """
    if (
        not isinstance(node.op, (SoftmaxCrossentropy, GradientKernel))
        or len(node.inputs) == node.op.operands
    ):
        return False
    rows = node.inputs[0]
    return (
        rows.owner is not None
        and isinstance(rows.owner.op, T.Reshape)
        and rows.owner.inputs[1].dtype == 'int64'
        and node.op.axis == rows.ndim - 1
        and not any(rows.broadcastable)
        and len(rows.clients) == 1
        and _is_kept(rows.owner.inputs[0].owner, KeepRows, node)
        and len(rows.owner.inputs[0].clients) == 1
    )


def _is_kept(node, kind, kernel):
    """Whether a node keeps rows of last axes, on a kernel's condition."""
    return (
        node is not None
        and isinstance(node.op, kind)
        and node.op.axis == node.inputs[0].ndim - 1
        and node.inputs[-1] is kernel.inputs[-1]
    )


def _gradients_of_kept(node, logits):
    """What becomes of a kernel's gradient: one with respect to the logits.

    None if anything else does.
    """
    gradients = []
    for gradient in node.outputs:
        if gradient.ndim < node.inputs[0].ndim:
            continue
        for reshape, _ in gradient.clients:
            if reshape == 'output' or not isinstance(reshape.op, T.Reshape):
                return None
            for keep, _ in reshape.outputs[0].clients:
                if (
                    keep == 'output'
                    or not _is_kept(keep, KeepRowsGradient, node)
                    or keep.inputs[0] is not logits
                ):
                    return None
                gradients += keep.outputs
    return gradients


# ---------------------------------------------------------------------------
# Sums and means of losses of data points


def _average_losses(fgraph):
    """Have kernels average their losses, where the gradient is the mean's.

    That is where the incoming gradient is a weight divided by the numbers
    that the weighted sum of the losses is divided by.
    """
    for node in fgraph.toposort():
        if not isinstance(_kernel_of(node), SoftmaxCrossentropyWithGradient):
            continue
        for position in range(1, len(node.inputs)):
            weights, numbers = _fraction(node.inputs[position])
            mean = _mean(node.outputs[0], weights, numbers)
            if mean is not None:
                _average(fgraph, node, position, weights, numbers, mean)
                break


def _average(fgraph, node, position, weights, numbers, mean):
    """Replace a kernel and the mean of its losses."""
    dtype = node.outputs[0].dtype
    if _count(fgraph, node, numbers):
        numbers = []
    if any(number.ndim or number.dtype != dtype for number in numbers):
        return
    inputs = node.inputs + numbers
    inputs[position] = weights[0] if weights else T.constant(1, dtype=dtype)
    op = Averaged(node.op, position, len(numbers))
    fgraph.replace_all_validate(
        list(zip(node.outputs + [mean], op(*inputs, return_list=True))),
        reason='lasagne_objectives',
    )


def _mean(losses, weights, numbers):
    """The mean of losses of such weights, or None if it is not wanted."""
    if not numbers or len(weights) > 1:
        return None
    total = _total(losses)
    if weights:
        total = _total_of_product(losses, weights[0])
    if total is None or len(total.outputs[0].clients) != 1:
        return None
    quotient = total.outputs[0].clients[0][0]
    if quotient == 'output':
        return None
    factors, divisors = _fraction(quotient.outputs[0])
    if factors == total.outputs and _same(divisors, numbers):
        return quotient.outputs[0]
    return None


def _total_of_product(losses, weights):
    """The node that sums losses times weights, which nothing else wants."""
    if len(losses.clients) != 1 or losses.clients[0][0] == 'output':
        return None
    product = losses.clients[0][0]
    if (
        isinstance(product.op, Elemwise)
        and isinstance(product.op.scalar_op, Mul)
        and _same(product.inputs, [losses, weights])
        and losses.type == weights.type
    ):
        return _total(product.outputs[0])
    return None


def _same(some, others):
    """Whether two lists are of the same variables, in any order."""
    return sorted(some, key=id) == sorted(others, key=id)


def _fraction(variable):
    """The factors and the divisors of what is a fraction, else itself."""
    node = variable.owner
    if node is None or len(node.outputs) > 1:
        return [variable], []
    if isinstance(node.op, DimShuffle) and all(variable.broadcastable):
        return _fraction(node.inputs[0])
    if isinstance(node.op, Elemwise):
        parts = [_fraction(v) for v in node.inputs]
        return _fraction_of(node.op.scalar_op, parts) or ([variable], [])
    return [variable], []


def _fraction_of(scalar_op, parts):
    """What is made of fractions, or None if that is no fraction."""
    if None in parts:
        return None
    if isinstance(scalar_op, Composite):
        inner = scalar_op.fgraph
        fractions = dict(zip(inner.inputs, parts))
        for node in inner.toposort():
            fractions[node.outputs[0]] = _fraction_of(
                node.op, [fractions.get(v) for v in node.inputs]
            )
        return fractions[inner.outputs[0]]
    factors, divisors = [list(lists) for lists in zip(*parts)]
    if isinstance(scalar_op, Mul):
        return sum(factors, []), sum(divisors, [])
    if isinstance(scalar_op, TrueDiv):
        return factors[0] + divisors[1], divisors[0] + factors[1]
    if isinstance(scalar_op, Inv):
        return divisors[0], factors[0]
    return None


def _count(fgraph, node, numbers):
    """Whether numbers are the lengths of all axes of the data points."""
    shapes = getattr(fgraph, 'shape_feature', None)
    if not isinstance(node.op, ClassKernel) or shapes is None:
        return False
    lengths = without(shapes.shape_of[node.inputs[0]], node.op.axis)
    return _same([_length(v) for v in numbers], lengths)


def _length(number):
    """What a number is cast from, alone or as one of a shape."""
    node = number.owner
    if node is not None and isinstance(node.op, Subtensor):
        shape, position = _cast_from(node.inputs[0]).owner, node.inputs[1:]
        if shape is not None and isinstance(shape.op, MakeVector):
            return shape.inputs[T.get_scalar_constant_value(position[0])]
    return _cast_from(number)


def _cast_from(variable):
    """What a variable is cast from, or itself."""
    node = variable.owner
    if (
        node is not None
        and isinstance(node.op, Elemwise)
        and isinstance(node.op.scalar_op, Cast)
    ):
        return node.inputs[0]
    return variable


def _sum_losses(fgraph):
    """Have kernels sum the losses of which only the sum is wanted."""
    for node in fgraph.toposort():
        makes_losses = isinstance(
            _kernel_of(node),
            (SoftmaxCrossentropy, SoftmaxCrossentropyWithGradient),
        )
        total = _total(node.outputs[0]) if makes_losses else None
        if total is not None:
            *results, summed = Summed(node.op)(*node.inputs)
            fgraph.replace_all_validate(
                list(zip(node.outputs + total.outputs, results + [summed])),
                reason='lasagne_objectives',
            )


# ---------------------------------------------------------------------------
# Gradients of rows that were chosen


def _place_gradients(fgraph):
    """Write a kernel's gradient of chosen rows to where these came from."""
    for node in fgraph.toposort():
        if _adds_gradient_to_zeros(fgraph, node):
            zeros, gradient, indices = node.inputs
            placed = PlaceRows()(gradient, indices, zeros.owner.inputs[1])
            fgraph.replace_all_validate(
                [(node.outputs[0], placed)], reason='lasagne_objectives'
            )


def _adds_gradient_to_zeros(fgraph, node):
    """Whether a node adds what a kernel has made to rows of zeros.

    Rows of the same shape: a mistake stays one.
    """
    if (
        not isinstance(node.op, AdvancedIncSubtensor1)
        or node.op.set_instead_of_inc
    ):
        return False
    zeros, gradient, _ = node.inputs
    shapes = getattr(fgraph, 'shape_feature', None)
    return (
        gradient.owner is not None
        and isinstance(gradient.owner.op, CKernel)
        and gradient.dtype in ('float32', 'float64')
        and gradient.type == zeros.type
        and zeros.owner is not None
        and type(zeros.owner.op) is T.Alloc
        and T.extract_constant(zeros.owner.inputs[0]) == 0
        and shapes is not None
        and equal_computations(
            list(shapes.shape_of[gradient][1:]), zeros.owner.inputs[2:]
        )
    )
