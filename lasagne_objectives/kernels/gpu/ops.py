"""The kernels of classes on the GPU: one Op for each of the CPU's.

They compute what the Ops that they replace compute, see there; values may be
float16 besides, which is computed in float32. What is an error on the CPU
cannot be one here, the program does not wait for the device: a class index
out of range makes NaN of its data point's loss and gradient.
"""

from theano.gof import Apply, Op
from theano.gpuarray.fp16_help import load_w

from lasagne_objectives.kernels.gpu.cluda import (
    GpuClassKernel,
    ctype,
    on_gpu,
)
from lasagne_objectives.kernels.match_shapes import MatchShapes


class _OfIndices(GpuClassKernel):
    """What the Ops of values and class indices share."""

    def defines(self, node):
        return {'index': ctype(node.inputs[1].dtype)}


class GpuClassMargin(_OfIndices):
    """The margin of every data point, and the rival class that attains it."""

    kernel = 'class_margin'

    def results(self, values):
        return [self.new_points(values), self.new_points(values, 'int64')]


class GpuTargetRank(_OfIndices):
    """How many classes rank before the target's class."""

    kernel = 'target_rank'

    def results(self, values):
        return [self.new_points(values, 'int64')]


class GpuTopClass(GpuClassKernel):
    """The class of the largest value of every data point, -1 with NaN."""

    kernel = 'top_class'

    def results(self, values):
        return [self.new_points(values, 'int64')]


class GpuPickClass(_OfIndices):
    """One class of every data point.

    Parameters
    ----------
    axis : int
    strict : bool
        Whether an index that names no class reads NaN; else it reads 0.
    """

    __props__ = ('axis', 'strict')
    kernel = 'pick_class'

    def __init__(self, axis=1, strict=True):
        super().__init__(axis)
        self.strict = strict

    def defines(self, node):
        otherwise = 'NAN' if self.strict else '0'
        return dict(super().defines(node), OTHERWISE=otherwise)

    def results(self, values):
        return [self.new_points(values)]


class GpuPlaceClasses(GpuClassKernel):
    """Zeros, with some values added to the classes of each data point.

    Parameters
    ----------
    axis : int
    strict : bool
        Whether an index that names no class makes NaN of its data point; else
        it does so only if its value is NaN.
    """

    __props__ = ('axis', 'strict')
    kernel = 'place_classes'

    def __init__(self, axis=1, strict=False):
        super().__init__(axis)
        self.strict = strict

    def defines(self, node):
        pairs = ['%d' % pair for pair in range(len(node.inputs) // 2)]
        defines = {
            'PAIRS': ', '.join(
                'OF_POINTS(const index%s, indices%s), '
                'OF_POINTS(const real, values%s)' % (p, p, p)
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


class _Crossentropy(GpuClassKernel):
    """What the Ops that call the kernel of the cross-entropy share."""

    kernel = 'softmax_crossentropy'
    #: What is given and what is wanted, as macros of the kernel.
    macros = ()

    def defines(self, node):
        defines = dict.fromkeys(self.macros, 1)
        logits, targets = node.inputs[:2]
        if targets.ndim < logits.ndim:
            defines['index'] = ctype(targets.dtype)
        else:
            defines.update(
                DENSE=1,
                stored_targets=ctype(targets.dtype),
                FROM_TARGETS=load_w(targets.dtype),
            )
        return defines


class _OfRows(_Crossentropy):
    """Of these, those whose last input may say whether rows are whole."""

    def whole(self, flags):
        return '*(const npy_bool *)PyArray_DATA(%s)' % flags[0] if flags else 1


class GpuSoftmaxCrossentropy(_OfRows):
    """The cross-entropy of every data point, from logits."""

    macros = ('LOSS',)
    operands = 2

    def results(self, logits):
        return [self.new_points(logits)]


class GpuSoftmaxCrossentropyGradient(_OfRows):
    """The gradient of the cross-entropy of every data point."""

    macros = 'UPSTREAM', 'GRADIENT'
    operands = 3


class GpuSoftmaxCrossentropyWithGradient(_OfRows):
    """The cross-entropy of every data point and its gradient."""

    macros = 'LOSS', 'UPSTREAM', 'GRADIENT'
    operands = 3

    def results(self, logits):
        return [self.new_points(logits), logits.type()]


class GpuLogSoftmax(GpuClassKernel):
    """The logarithm of the softmax of every data point."""

    kernel = 'log_softmax'


class _UnlessWhole(GpuClassKernel):
    """An Op whose last input says whether to pass on the one before it."""

    def call(self, node, name, inputs, outputs, axis, fail):
        return """
        if (*(const npy_bool *)PyArray_DATA(%(flag)s)) {
            Py_INCREF(%(passed)s);
            Py_XDECREF(%(result)s);
            %(result)s = %(passed)s;
        } else %(kernel)s
        """ % dict(
            flag=inputs[-1],
            passed=inputs[-2],
            result=outputs[0],
            kernel=super().call(node, name, inputs, outputs, axis, fail),
        )


class GpuKeepRows(_UnlessWhole):
    """Logits as they are if their rows stay whole, else ``log softmax(z)``."""

    kernel = 'log_softmax'
    operands = 1
    view_map = {0: [0]}


class GpuKeepRowsGradient(_UnlessWhole, _Crossentropy):
    """The gradient as it is if rows stay whole, else that of log softmax.

    The latter is that of the cross-entropy with the gradient as targets, of
    minus one for each data point.
    """

    macros = ('GRADIENT',)
    operands = 2
    view_map = {0: [1]}


class GpuSoftmaxLogOdds(GpuClassKernel):
    """The log-odds of each class of the softmax of every data point."""

    kernel = 'softmax_log_odds'


class GpuSoftmaxLogOddsGradient(GpuClassKernel):
    """The gradient of the log-odds with respect to the logits."""

    kernel = 'softmax_log_odds'

    def defines(self, node):
        upstream = node.inputs[1].dtype
        return {
            'GRADIENT': 1,
            'stored_upstream': ctype(upstream),
            'FROM_UPSTREAM': load_w(upstream),
        }


class GpuMatchShapes(MatchShapes):
    """Pass targets on the GPU through if their shape fits.

    Only shapes are looked at, and these are on the host: nothing waits.
    """

    # The C code is that of arrays on the host.
    c_code = Op.c_code

    def make_node(self, targets, predictions):
        targets, predictions = on_gpu(targets, predictions)
        return Apply(self, [targets, predictions], [targets.type()])
