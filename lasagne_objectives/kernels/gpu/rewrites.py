"""The rewrites that put the kernels of classes on the GPU.

Theano's own rewrites move a graph to the GPU by asking for each Op on the
host which one takes its place there. :data:`LIFTED` answers for ours.
"""

from theano.compile import optdb
from theano.gof import Optimizer, local_optimizer, toolbox
from theano.gpuarray.elemwise import GpuCAReduceCPY, GpuElemwise
from theano.gpuarray.opt import (
    op_lifter,
    register_opt,
    register_opt2,
)
from theano.scalar import Cast, get_scalar_type

from lasagne_objectives.kernels import (
    class_margin,
    keep_rows,
    match_shapes,
    merge,
    pick_class,
    softmax_crossentropy,
    softmax_log_odds,
    target_rank,
    top_class,
)
from lasagne_objectives.kernels.gpu import ops
from lasagne_objectives.kernels.gpu.cluda import has_classes
from lasagne_objectives.kernels.gpu.moved_rows import GpuMovedRows

#: For each Op on the host the one on the GPU.
LIFTED = {
    class_margin.ClassMargin: ops.GpuClassMargin,
    keep_rows.KeepRows: ops.GpuKeepRows,
    keep_rows.KeepRowsGradient: ops.GpuKeepRowsGradient,
    match_shapes.MatchShapes: ops.GpuMatchShapes,
    pick_class.PickClass: ops.GpuPickClass,
    pick_class.PlaceClasses: ops.GpuPlaceClasses,
    softmax_crossentropy.LogSoftmax: ops.GpuLogSoftmax,
    softmax_crossentropy.SoftmaxCrossentropy: ops.GpuSoftmaxCrossentropy,
    softmax_crossentropy.SoftmaxCrossentropyGradient: (
        ops.GpuSoftmaxCrossentropyGradient
    ),
    softmax_log_odds.SoftmaxLogOdds: ops.GpuSoftmaxLogOdds,
    softmax_log_odds.SoftmaxLogOddsGradient: ops.GpuSoftmaxLogOddsGradient,
    target_rank.TargetRank: ops.GpuTargetRank,
    top_class.TopClass: ops.GpuTopClass,
}


def _register_lifter(host_op, gpu_op):
    def lift(op, context_name, inputs, outputs):
        return gpu_op(*[getattr(op, name) for name in gpu_op.__props__])

    lift.__name__ = 'lift_%s_to_gpu' % host_op.__name__
    # Theano moves a graph as a whole, and what is left over node by node.
    register_opt2([host_op], 'fast_compile')(lift)
    register_opt('fast_compile')(op_lifter([host_op])(lift))


for _host_op, _gpu_op in LIFTED.items():
    _register_lifter(_host_op, _gpu_op)


@register_opt('fast_compile')
@local_optimizer([GpuCAReduceCPY])
def sum_float16_in_float32(node):
    """Sum float16 on OpenCL, where Theano has no reduction of that type."""
    (values,) = node.inputs
    if isinstance(node.op, GpuCAReduceCPY) and values.dtype == 'float16':
        op = GpuCAReduceCPY(
            node.op.scalar_op,
            axis=node.op.axis,
            dtype='float32',
            acc_dtype='float32',
        )
        return [_cast(op(_cast(values, 'float32')), node.outputs[0].dtype)]


def _cast(variable, dtype):
    return GpuElemwise(Cast(get_scalar_type(dtype)))(variable)


# ---------------------------------------------------------------------------
# Fewer passes over memory, as on the CPU part of 'lasagne_objectives'


class MergeOnGpu(Optimizer):
    """Value and gradient in one kernel; float16 read and written by it."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(toolbox.ReplaceValidate())

    def apply(self, fgraph):
        merge.merge_softmax(
            fgraph,
            ops.GpuSoftmaxCrossentropy,
            ops.GpuSoftmaxCrossentropyGradient,
            lambda op: ops.GpuSoftmaxCrossentropyWithGradient(op.axis),
        )
        for node in fgraph.toposort():
            # What passes on one of several cannot change its type.
            if (
                isinstance(node.op, ops.GpuClassKernel)
                and not node.op.view_map
            ):
                _keep_float16(fgraph, node)
        merge.leave_rows_where_they_are(
            fgraph, ops.GpuClassKernel, GpuMovedRows
        )


# After the move to the GPU; before Theano fuses element-wise Ops there, and
# casts with them.
optdb.register(
    'lasagne_objectives_merge_on_gpu',
    MergeOnGpu(),
    48.8,
    'fast_run',
    'lasagne_objectives',
)


def _before_widening(variable):
    """The float16 array that one in float32 is a copy of, else itself."""
    node = variable.owner
    if (
        node is not None
        and isinstance(node.op, GpuElemwise)
        and isinstance(node.op.scalar_op, Cast)
        and variable.dtype == 'float32'
        and node.inputs[0].dtype == 'float16'
    ):
        return node.inputs[0]
    return variable


def _narrowed(variable):
    """The casts to float16 that are all that becomes of it, or None."""
    clients = [client for client, _ in variable.clients]
    if all(
        client != 'output'
        and isinstance(client.op, GpuElemwise)
        and isinstance(client.op.scalar_op, Cast)
        and client.outputs[0].dtype == 'float16'
        for client in clients
    ):
        return [client.outputs[0] for client in clients]
    return None


def _keep_float16(fgraph, node):
    """Let a kernel read, and write, float16 itself.

    The type of its values is that of what it writes for each class.
    """
    narrow = [
        _before_widening(v) if has_classes(v, node) else v for v in node.inputs
    ]
    written = [v for v in node.outputs if has_classes(v, node)]
    casts = [_narrowed(variable) for variable in written]
    if narrow[0] is node.inputs[0] or None in casts:
        return
    outputs = node.op(*narrow, return_list=True)
    replacements = []
    for old, new in zip(node.outputs, outputs):
        if has_classes(old, node):
            replacements += [(cast, new) for cast in _narrowed(old)]
        else:
            replacements.append((old, new))
    fgraph.replace_all_validate(replacements, reason='lasagne_objectives')
