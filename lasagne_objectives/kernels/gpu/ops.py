"""The kernels of rows on the GPU: one Op for each of the CPU's.

They compute what the Ops that they replace compute, see there; matrices may
be float16 besides, which is computed in float32. What is an error on the CPU
cannot be one here, the program does not wait for the device: a class index
out of range makes NaN of its row's loss and gradient.
"""

from theano.gof import Apply, Op
from theano.gpuarray.fp16_help import load_w, work_dtype

from lasagne_objectives.kernels.gpu.cluda import (
    RowKernel,
    ctype,
    new_matrix,
    new_vector,
    on_gpu,
)
from lasagne_objectives.kernels.match_shapes import MatchShapes


def _working(matrix):
    """The type that a matrix is computed in."""
    return work_dtype(matrix.dtype)


class GpuClassMargin(RowKernel):
    """The margin of every row, and the rival class that attains it."""

    kernel = 'class_margin'

    def defines(self, node):
        return {'index': ctype(node.inputs[1].dtype)}

    def make_node(self, values, indices):
        values, indices = on_gpu(values, indices)
        return Apply(
            self,
            [values, indices],
            [
                new_vector(values, _working(values)),
                new_vector(values, 'int64'),
            ],
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1], input_shapes[0][:1]]


class GpuTargetRank(RowKernel):
    """How many classes rank before the target's class."""

    kernel = 'target_rank'

    def defines(self, node):
        return {'index': ctype(node.inputs[1].dtype)}

    def make_node(self, values, indices):
        values, indices = on_gpu(values, indices)
        return Apply(self, [values, indices], [new_vector(values, 'int64')])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]


class GpuTopClass(RowKernel):
    """The class of the largest value of every row, -1 where there is NaN."""

    kernel = 'top_class'

    def make_node(self, values):
        (values,) = on_gpu(values)
        return Apply(self, [values], [new_vector(values, 'int64')])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]


class GpuPickClass(RowKernel):
    """One class of every row.

    Parameters
    ----------
    strict : bool
        Whether an index that names no class reads NaN; else it reads 0.
    """

    __props__ = ('kernel', 'strict')
    kernel = 'pick_class'

    def __init__(self, strict):
        self.strict = strict

    def defines(self, node):
        return {
            'index': ctype(node.inputs[1].dtype),
            'OTHERWISE': 'NAN' if self.strict else '0',
        }

    def make_node(self, values, indices):
        values, indices = on_gpu(values, indices)
        return Apply(
            self, [values, indices], [new_vector(values, _working(values))]
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]


class GpuPlaceClasses(RowKernel):
    """Zeros of the shape of a matrix, with some values added to each row.

    Parameters
    ----------
    strict : bool
        Whether an index that names no class makes NaN of its row; else it
        does so only if its value is NaN.
    """

    __props__ = ('kernel', 'strict')
    kernel = 'place_classes'

    def __init__(self, strict=False):
        self.strict = strict

    def defines(self, node):
        pairs = ['%d' % pair for pair in range(len(node.inputs) // 2)]
        defines = {
            'PAIRS': ', '.join(
                'VECTOR(const index%s, indices%s), '
                'VECTOR(const real, values%s)' % (p, p, p)
                for p in pairs
            ),
            'PLACE_PAIRS': '; '.join(
                'PLACE(const index%s, indices%s); '
                'PLACE(const real, values%s)' % (p, p, p)
                for p in pairs
            ),
            'ADD_PAIRS': ' '.join(
                'ADD(indices%s, values%s)' % (p, p) for p in pairs
            ),
            'STRICT': int(self.strict),
        }
        defines.update(
            ('index' + p, ctype(indices.dtype))
            for p, indices in zip(pairs, node.inputs[1::2])
        )
        return defines

    def make_node(self, like, *pairs):
        inputs = on_gpu(like, *pairs)
        return Apply(self, inputs, [new_matrix(inputs[0], inputs[0].dtype)])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]


class _Softmax(RowKernel):
    """What the Ops that call the kernel of the cross-entropy share."""

    kernel = 'softmax_crossentropy'
    #: What is computed, as macros of the kernel.
    wanted = ()

    def defines(self, node):
        defines = dict.fromkeys(self.wanted, 1)
        targets = node.inputs[1]
        if targets.ndim == 1:
            defines['index'] = ctype(targets.dtype)
        else:
            defines.update(
                DENSE=1,
                stored_targets=ctype(targets.dtype),
                FROM_TARGETS=load_w(targets.dtype),
            )
        return defines


class GpuSoftmaxCrossentropy(_Softmax):
    """The cross-entropy of every row, from logits."""

    wanted = ('LOSS',)

    def make_node(self, logits, targets):
        logits, targets = on_gpu(logits, targets)
        return Apply(
            self, [logits, targets], [new_vector(logits, _working(logits))]
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1]]


class GpuSoftmaxCrossentropyGradient(_Softmax):
    """The gradient of the cross-entropy of every row."""

    wanted = ('GRADIENT',)

    def make_node(self, logits, targets, gradient):
        inputs = on_gpu(logits, targets, gradient)
        return Apply(self, inputs, [new_matrix(inputs[0], inputs[0].dtype)])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]


class GpuSoftmaxCrossentropyWithGradient(_Softmax):
    """The cross-entropy of every row and its gradient."""

    wanted = 'LOSS', 'GRADIENT'

    def make_node(self, logits, targets, gradient):
        inputs = on_gpu(logits, targets, gradient)
        logits = inputs[0]
        return Apply(
            self,
            inputs,
            [
                new_vector(logits, _working(logits)),
                new_matrix(logits, logits.dtype),
            ],
        )

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0][:1], input_shapes[0]]


class GpuLogSoftmax(RowKernel):
    """The logarithm of the softmax of every row."""

    kernel = 'log_softmax'

    def make_node(self, logits):
        (logits,) = on_gpu(logits)
        return Apply(self, [logits], [new_matrix(logits, logits.dtype)])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]


class GpuSoftmaxLogOdds(RowKernel):
    """The log-odds of each class of the softmax of every row."""

    kernel = 'softmax_log_odds'

    def make_node(self, logits):
        (logits,) = on_gpu(logits)
        return Apply(self, [logits], [new_matrix(logits, logits.dtype)])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]


class GpuSoftmaxLogOddsGradient(RowKernel):
    """The gradient of the log-odds with respect to the logits."""

    kernel = 'softmax_log_odds'

    def defines(self, node):
        upstream = node.inputs[1].dtype
        return {
            'GRADIENT': 1,
            'stored_upstream': ctype(upstream),
            'FROM_UPSTREAM': load_w(upstream),
        }

    def make_node(self, logits, gradient):
        inputs = on_gpu(logits, gradient)
        return Apply(self, inputs, [new_matrix(inputs[0], inputs[0].dtype)])

    def infer_shape(self, node, input_shapes):
        return [input_shapes[0]]


class GpuMatchShapes(MatchShapes):
    """Pass targets on the GPU through if their shape fits.

    Only shapes are looked at, and these are on the host: nothing waits.
    """

    # The C code is that of arrays on the host.
    c_code = Op.c_code

    def make_node(self, targets, predictions):
        targets, predictions = on_gpu(targets, predictions)
        return Apply(self, [targets, predictions], [targets.type()])
