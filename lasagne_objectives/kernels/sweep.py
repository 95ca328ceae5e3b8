"""Element-wise formulas in one vectorised, threaded sweep.

Theano's fusion makes one element-wise Op of a loss and one of its gradient.
A :class:`Sweep` computes several of these in one pass over memory, and sums
those of which only the sum is wanted: of an aggregated loss and its gradient
nothing of the size of the batch is written but the gradient.
"""

import zlib

import numpy as np
from theano import gof
import theano.scalar as scal
import theano.tensor as T
from theano.scalar.basic import Composite
from theano.tensor.elemwise import Elemwise

from lasagne_objectives.kernels.c_kernel import CKernel, read
from lasagne_objectives.kernels.elementwise import Kernel


def composite(inputs, outputs):
    """A scalar Op of several outputs, from element-wise nodes.

    Parameters
    ----------
    inputs : list of Theano tensors
        Where the formulas begin.
    outputs : list of Theano tensors
        Results of ``Elemwise`` nodes of one output, that are computed from
        `inputs` through such nodes alone.
    """
    scalars = {v: scal.get_scalar_type(v.dtype)() for v in inputs}

    def scalar_of(variable):
        if variable not in scalars:
            node = variable.owner
            scalars[variable] = _expanded(
                node.op.scalar_op, [scalar_of(v) for v in node.inputs]
            )
        return scalars[variable]

    results = [scalar_of(v) for v in outputs]
    return Composite([scalars[v] for v in inputs], results)


def _expanded(scalar_op, inputs):
    """Apply a scalar Op of one output, kernels in their vectorised form."""
    if not isinstance(scalar_op, Composite):
        return _vectorised(scalar_op)(*inputs)
    values = dict(zip(scalar_op.fgraph.inputs, inputs))
    for node in scalar_op.fgraph.toposort():
        # The constants belong to the graph that they are in: take copies.
        arguments = [
            values[v] if v in values else v.clone() for v in node.inputs
        ]
        values[node.outputs[0]] = _vectorised(node.op)(*arguments)
    return values[scalar_op.fgraph.outputs[0]]


def _vectorised(scalar_op):
    if isinstance(scalar_op, Kernel):
        return scalar_op.vectorised()
    return scalar_op


def _in_numpy(scalar_op, arrays):
    """Apply a scalar Op to whole arrays, as ``Elemwise`` does in Python."""
    node = Elemwise(scalar_op)(
        *[T.as_tensor_variable(array) for array in arrays]
    ).owner
    node.op.prepare_node(node, None, None, 'py')
    storage = [None]
    with np.errstate(all='ignore'):
        node.op.perform(node, [v.data for v in node.inputs], [storage])
    return storage[0]


class Sweep(CKernel):
    """Element-wise results and sums of such, in one pass over the inputs.

    Parameters
    ----------
    scalar_op : Composite
        What is computed of the elements.
    sums : tuple of str
        The types of the sums of the first results; the other results are
        kept as arrays.
    """

    __props__ = ('scalar_op', 'sums')
    c_file = 'sweep.c'

    def __init__(self, scalar_op, sums):
        self.scalar_op = scalar_op
        self.sums = sums

    def make_node(self, *inputs):
        pattern = [
            all(bits) for bits in zip(*[v.broadcastable for v in inputs])
        ]
        outputs = [T.TensorType(dtype, [])() for dtype in self.sums]
        outputs += [
            T.TensorType(v.dtype, pattern)()
            for v in self.scalar_op.outputs[len(self.sums) :]
        ]
        return gof.Apply(self, list(inputs), outputs)

    def perform(self, node, inputs, output_storage):
        _check_shapes(node, inputs)
        fgraph = self.scalar_op.fgraph
        values = dict(zip(fgraph.inputs, inputs))
        for inner in fgraph.toposort():
            values[inner.outputs[0]] = _in_numpy(
                inner.op,
                [values[v] if v in values else v.data for v in inner.inputs],
            )
        for position, storage in enumerate(output_storage):
            result = values[fgraph.outputs[position]]
            if position < len(self.sums):
                result = result.sum(dtype='float64')
            storage[0] = np.asarray(result, dtype=node.outputs[position].dtype)

    def infer_shape(self, node, input_shapes):
        full = input_shapes[_full_input(node)]
        return [()] * len(self.sums) + [full] * (
            len(node.outputs) - len(self.sums)
        )

    def c_support_code(self):
        codes = [super().c_support_code()]
        for node in self.scalar_op.fgraph.toposort():
            try:
                codes.append(node.op.c_support_code())
            except gof.utils.MethodNotDefined:
                continue
        return '\n'.join(gof.utils.uniq(codes))

    def c_support_code_apply(self, node, name):
        return _body(self, node, name)

    def c_code(self, node, name, inputs, outputs, sub):
        return """
        {
            PyArrayObject *inputs[] = {%s};
            PyArrayObject *outputs[] = {%s};
            const int failed = lo_sweep<body_%s>(inputs, outputs);
            %s
            if (failed) { %s }
        }
        """ % (
            ', '.join(inputs),
            ', '.join(outputs),
            name,
            ' '.join(
                '%s = outputs[%d];' % (output, i)
                for i, output in enumerate(outputs)
            ),
            sub['fail'],
        )

    def c_code_cache_version_apply(self, node):
        version = self.scalar_op.c_code_cache_version()
        own = self.c_code_cache_version()
        # with what writes the loops
        own += (zlib.crc32(read('sweep.py').encode()),)
        return own + version if version else ()


def _pattern(node):
    """The broadcast pattern of all inputs together."""
    return tuple(
        all(bits) for bits in zip(*[v.broadcastable for v in node.inputs])
    )


def _check_shapes(node, arrays):
    """Refuse lengths of 1 that nobody promised, which NumPy would repeat."""
    full = arrays[_full_input(node)].shape
    for variable, array in zip(node.inputs, arrays):
        expected = tuple(
            1 if one else length
            for one, length in zip(variable.broadcastable, full)
        )
        if array.shape != expected:
            raise ValueError(
                "shapes that do not fit: got %s, expected %s"
                % (array.shape, expected)
            )


def _full_input(node):
    """The position of an input that is not broadcast."""
    pattern = _pattern(node)
    return [v.broadcastable == pattern for v in node.inputs].index(True)


def _kind(variable, pattern):
    """Full, broadcast along some axes (partial), or along all (scalar)."""
    if variable.broadcastable == pattern:
        return 'f'
    return 's' if all(variable.broadcastable) else 'p'


def _c_type(variable):
    return 'npy_' + variable.dtype


def _loop(op, node, name, unit):
    """The loop over elements, for inputs of their own or of any steps."""
    stored = op.scalar_op.outputs[len(op.sums) :]
    pattern = _pattern(node)
    declarations, reads, fetches = [], [], []
    for i, v in enumerate(node.inputs):
        kind = _c_type(v)
        if not unit:
            reads.append(
                'const %s x%d = *(const %s *)(from[%d] + k * '
                'steps[%d]);' % (kind, i, kind, i, i)
            )
        elif _kind(v, pattern) == 's' or (
            v.broadcastable[-1] and not pattern[-1]
        ):
            # Constant along the loop.
            declarations.append(
                'const %s x%d = *(const %s *)from[%d];' % (kind, i, kind, i)
            )
        else:
            declarations.append(
                'const %s *__restrict__ p%d = (const %s *)'
                'from[%d];' % (kind, i, kind, i)
            )
            reads.append('const %s x%d = p%d[k];' % (kind, i, i))
            # Those of the next turn of the outer loop.
            fetches.append(
                'lo_fetch(p%d + stop, (stop - start) * sizeof(%s));'
                % (i, kind)
            )
    for o, v in enumerate(stored):
        declarations.append(
            '%s *__restrict__ q%d = (%s *)to[%d];'
            % (_c_type(v), o, _c_type(v), o)
        )
    results = ['y%d' % i for i in range(len(node.outputs))]
    element = op.scalar_op.c_code(
        node,
        name + '_element',
        ['x%d' % i for i in range(len(node.inputs))],
        results,
        dict(fail='', id='element'),
    )
    types = [_c_type(v) for v in op.scalar_op.outputs]
    parts = ['part%d' % s for s in range(len(op.sums))]
    return """
        %(declarations)s
        for (npy_intp start = 0; start < n; start += 256) {
            const npy_intp stop = start + 256 < n ? start + 256 : n;
            %(fetches)s
            %(begin)s
            %(pragma)s
            for (npy_intp k = start; k < stop; k++) {
                %(reads)s
                %(results)s
                %(element)s
                %(keep)s
            }
            %(end)s
        }
    """ % dict(
        declarations='\n'.join(declarations),
        begin=' '.join(
            '%s %s = 0;' % (kind, part) for kind, part in zip(types, parts)
        ),
        pragma='#pragma omp simd'
        + (' reduction(+:%s)' % ','.join(parts) if parts else ''),
        reads='\n'.join(reads),
        fetches=' '.join(fetches),
        results=' '.join('%s %s;' % pair for pair in zip(types, results)),
        element=element,
        keep=' '.join(
            ['%s += %s;' % pair for pair in zip(parts, results)]
            + [
                'q%d[k] = %s;' % (o, result)
                for o, result in enumerate(results[len(parts) :])
            ]
        ),
        end=' '.join(
            'sums[%d] += %s;' % (s, part) for s, part in enumerate(parts)
        ),
    )


def _body(op, node, name):
    """The struct that the frame in sweep.c is instantiated with."""
    pattern = _pattern(node)
    arguments = (
        'const char *const *from, const npy_intp *steps, npy_intp '
        'n, double *sums, char *const *to'
    )
    stored = op.scalar_op.outputs[len(op.sums) :]
    return """
    struct body_%(name)s {
        enum { inputs = %(inputs)d, sums = %(sums)d, outputs = %(outputs)d,
               ndim = %(ndim)d, full = %(full)d };
        static const bool *broadcast()
        {
            static const bool bits[] = {%(bits)s};
            return bits;
        }
        static const char *kind() { return "%(kind)s"; }
        static const int *types()
        {
            static const int numbers[] = {%(types)s 0};
            return numbers;
        }
        static const int *sum_types()
        {
            static const int numbers[] = {%(sum_types)s 0};
            return numbers;
        }
        LO_WIDE static void unit(%(arguments)s)
        {
            %(unit)s
        }
        static void run(%(arguments)s)
        {
            %(run)s
        }
    };
    """ % dict(
        name=name,
        inputs=len(node.inputs),
        sums=len(op.sums),
        outputs=len(stored),
        ndim=len(pattern),
        full=_full_input(node),
        bits=', '.join(
            # An axis of length 1 everywhere is not broadcast along.
            'true' if one and not everywhere else 'false'
            for v in node.inputs
            for one, everywhere in zip(v.broadcastable, pattern)
        ),
        kind=''.join(_kind(v, pattern) for v in node.inputs),
        types=''.join('NPY_%s, ' % v.dtype.upper() for v in stored),
        sum_types=''.join('NPY_%s, ' % dtype.upper() for dtype in op.sums),
        arguments=arguments,
        unit=_loop(op, node, name, unit=True),
        run=_loop(op, node, name, unit=False),
    )
