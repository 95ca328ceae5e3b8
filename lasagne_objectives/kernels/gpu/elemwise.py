"""Element-wise Ops on the GPU that refuse what those on the CPU refuse."""

from theano.compile import optdb
from theano.gof import Optimizer, toolbox
from theano.gpuarray.elemwise import GpuElemwise

CHECK = """
if (PyGpuArray_DIMS(%(first)s)[%(axis)d]
        != PyGpuArray_DIMS(%(other)s)[%(axis)d]) {
    PyErr_Format(PyExc_ValueError,
                 "The operands of an element-wise operation have the lengths"
                 " %%llu and %%llu along axis %(axis)d. If one of them is"
                 " always 1 and means to be repeated, say so in its"
                 " broadcastable pattern, with T.addbroadcast for instance.",
                 (unsigned long long)PyGpuArray_DIMS(%(first)s)[%(axis)d],
                 (unsigned long long)PyGpuArray_DIMS(%(other)s)[%(axis)d]);
    %(fail)s
}
"""


def _unpromised(node):
    """For each axis the operands not promised to have the length 1 there."""
    for axis in range(node.outputs[0].ndim):
        yield [
            number
            for number, operand in enumerate(node.inputs)
            if not operand.broadcastable[axis]
        ]


class StrictGpuElemwise(GpuElemwise):
    """GpuElemwise that repeats no axis unless its pattern promises that.

    Theano's own compares each operand with those before it, so that one of
    length 1 is repeated if it comes first: a column and a vector make a
    matrix of n x n.
    """

    def c_code(self, node, name, inputs, outputs, sub):
        checks = [
            CHECK
            % {
                'first': inputs[alike[0]],
                'other': inputs[other],
                'axis': axis,
                'fail': sub['fail'],
            }
            for axis, alike in enumerate(_unpromised(node))
            for other in alike[1:]
        ]
        code = super().c_code(node, name, inputs, outputs, sub)
        # In a block: C++ does not let the checks jump over declarations.
        return '%s{%s}' % (''.join(checks), code)

    def c_code_cache_version(self):
        version = super().c_code_cache_version()
        return version and (1, version)


class RefuseUnpromisedLengths(Optimizer):
    """Put :class:`StrictGpuElemwise` where operands can differ in length."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(toolbox.ReplaceValidate())

    def apply(self, fgraph):
        replaced = {}
        for node in fgraph.toposort():
            if type(node.op) is GpuElemwise and any(
                len(alike) > 1 for alike in _unpromised(node)
            ):
                strict = StrictGpuElemwise(
                    node.op.scalar_op, node.op.inplace_pattern
                )
                inputs = [replaced.get(old, old) for old in node.inputs]
                # An element-wise Op on the GPU has one output.
                replaced[node.outputs[0]] = strict(*inputs)
        # All at once: each replacement is followed by a look at the whole
        # graph, for what works in place.
        fgraph.replace_all_validate(
            list(replaced.items()), reason='lasagne_objectives'
        )


# After Theano has fused these Ops and has them work in place.
optdb.register(
    'lasagne_objectives_strict_on_gpu',
    RefuseUnpromisedLengths(),
    76,
    'fast_compile',
    'fast_run',
    'lasagne_objectives',
)
