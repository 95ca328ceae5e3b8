"""What Theano gives, value and dtype, to be compared with what it gave.

These are the places where a later Python or NumPy changes results without an
error. `python tests/then.py` records them in tests/data/then.json; that was
done on CPython 3.10 with NumPy 1.21.6, where Theano 1.0.5 runs unaided.
"""

import json
import os

import numpy as np
import theano
import theano.tensor as T
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'then.json')

INTEGERS = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64']
DTYPES = ['bool'] + INTEGERS + ['float16', 'float32', 'float64', 'complex64', 'complex128']
LINKERS = ['py', 'cvm']

# Whether what Theano looks for is all there, but maybe for pkg_resources.
UNAIDED = np.lib.NumpyVersion(np.__version__) < '1.22.0'

# Numbers at and beyond the borders of each type, and what users write.
NUMBERS = [s * 2**n + d for n in (0, 7, 8, 15, 16, 31, 32, 63, 64) for s in (1, -1) for d in (-1, 0, 1)]
NUMBERS += [200, 70000, True, 0.5, 1.1, 1e300, 1e-50, 3.4e38, 65504.0, 65520.0, float('inf'), float('nan'), 1j]
NUMBERS += [np.float16(1.1), np.float32(1.1), np.float64(1.1), np.int8(-3), np.uint8(200), np.bool_(True), np.array(1.1)]
LISTS = [[], [True, False], [1, 2], [200], [2**40, 1], [1, 2**63], [1.1, 2], [1, 1j], [np.float32(1.1), 1], [[1, 300], [2, 3]]]


def described(value):
    """Dtype, shape and bytes of a number or array."""
    value = np.asarray(value)
    return [str(value.dtype), list(value.shape), value.tobytes().hex()]


def outcome(function, *arguments):
    """What a call gives, or the name of its error."""
    try:
        results = function(*arguments)
    except Exception as error:
        return type(error).__name__
    return [described(result) for result in results] if isinstance(results, (list, tuple)) else described(results)


def mode(linker):
    # what is constant is to be computed, by that linker
    return theano.Mode(linker=linker, optimizer=None)


def constant(number, dtype=None):
    """The data of a constant."""
    return T.as_tensor_variable(number).data if dtype is None else T.constant(number, dtype=dtype).data


def filtered(kind, number, downcast):
    """What a type makes of a number that a user passes."""
    return kind.filter(number, allow_downcast=downcast)


def constants(floatX):
    """The dtype and value of numbers and lists."""
    with theano.change_flags(floatX=floatX):
        for position, number in enumerate(NUMBERS + LISTS):
            # NumPy 2 prints its numbers in another way
            yield 'no. %d' % position, outcome(constant, number)


def constants_of_a_dtype():
    """Numbers of which the user says what they are to be."""
    for dtype in INTEGERS + ['float32']:
        for number in [200, -1, 300, 70000, 2**31, 2**63, 2**64, 1.1, [300, -1]]:
            yield '%s as %s' % (number, dtype), outcome(constant, number, dtype)


def operands(floatX):
    """The type of the sum of a variable and a number."""
    with theano.change_flags(floatX=floatX):
        for dtype in DTYPES:
            for number in [1, 200, 70000, 2**40, 0.5, 1.1, 1e300]:
                yield '%s + %r' % (dtype, number), (T.TensorType(dtype, (False,))() + number).dtype


def arguments(floatX):
    """What a function or a shared variable makes of numbers of Python's."""
    with theano.change_flags(floatX=floatX):
        for dtype in INTEGERS + ['float16', 'float32', 'float64']:
            x = T.TensorType(dtype, ())('x')
            for number in [1, 200, -1, 2**31, 0.5, 1.1, 1e300]:
                for downcast in [None, True, False]:
                    what = '%r for %s, downcast %s' % (number, dtype, downcast)
                    yield what, outcome(filtered, x.type, number, downcast)
                    yield 'scalar ' + what, outcome(filtered, theano.scalar.Scalar(dtype), number, downcast)


def casts(linker):
    """Integers that do not fit wrap around."""
    values = np.array([200, -1, 70000, 2**40 + 5, 127, 128])
    x = T.lvector('x')
    outputs = [T.cast(x, dtype) for dtype in INTEGERS]
    if linker == 'py':
        outputs += [T.cast(x[0], dtype) for dtype in INTEGERS]
    function = theano.function([x], outputs, mode=mode(linker))
    yield 'cast', outcome(function, values)


def integers(linker):
    """Sums, differences, products and bits of narrow integers."""
    for dtype in ['int8', 'uint8', 'int16', 'uint16', 'int32']:
        x = T.TensorType(dtype, (False,))('x')
        outputs = [x + x, x - 1, x * 100, x + 100, -x, x // 3, x % 7, x**2, abs(x), x.sum(), x.prod(), x.max(), x & 6, ~x, T.minimum(x, 5)]
        outputs += [theano.tensor.elemwise.CAReduce(theano.scalar.and_)(x), x.cumsum(), x / 2, T.switch(x > 2, x, 7), T.clip(x, 1, 100)]
        function = theano.function([x], outputs, mode=mode(linker))
        yield dtype, outcome(function, np.array([1, 2, 100, 127, 64]).astype(dtype))


def reciprocals(linker):
    """Computed with all digits of their type."""
    for dtype in ['float32', 'float64', 'int8', 'int64']:
        x = T.TensorType(dtype, (False,))('x')
        function = theano.function([x], [T.inv(x), 1 / x, 1.1 / x], mode=mode(linker))
        yield dtype, outcome(function, np.array([1, 3, 7, 11, 13]).astype(dtype))


def floats(linker):
    """A float of Python's beside float32, in floatX float64 and float32."""
    for floatX in ['float64', 'float32']:
        with theano.change_flags(floatX=floatX):
            x = T.fvector('x')
            outputs = [x + 1.1, x * 0.1, x + 0.5, x / 3, x > 1.1, T.eq(x, 1.1), T.switch(x > 1, x, 1.1), T.maximum(x, 0.1), x - 16777217]
            function = theano.function([x], outputs, mode=mode(linker))
        yield floatX, outcome(function, np.float32([1, 1.1, 2, 0.3]))


def gradients(linker):
    """Gradients that name a type by a variable."""
    x = T.dvector('x')
    losses = [T.deg2rad(x), T.rad2deg(x), T.arctan(x), T.arcsin(x), T.arccosh(x + 2), T.arcsinh(x), T.arctanh(x)]
    losses += [theano.gradient.zero_grad(x) * x, T.inv(x), x.cumsum(), T.sqr(x)]
    yield 'float64', outcome(theano.function([x], [T.grad(loss.sum(), x) for loss in losses], mode=mode(linker)), [0.5, 0.25])
    n = T.lscalar('n')
    divided = theano.function([n], [T.ceil_intdiv(n, 3), T.ceil_intdiv(n, n - 1)], mode=mode(linker))
    yield 'ceil_intdiv', outcome(divided, 7)


def complex_numbers(linker):
    """Made, taken apart and counted."""
    x, y, z = T.dvector('x'), T.dvector('y'), T.zvector('z')
    made = T.complex(x, y)
    outputs = [made, made.real, made.imag, z.conj(), abs(z), made * z, made + 1, z.sum(), z.cumsum(), T.complex(x[0], y[0])]
    function = theano.function([x, y, z], outputs, mode=mode(linker))
    yield 'complex128', outcome(function, [3.0, 0.5], [4.0, -1.0], np.array([1 + 2j, 3 - 4j]))
    c = T.cvector('c')
    yield 'complex64', outcome(theano.function([c], [c.real, c.imag, c * c], mode=mode(linker)), np.complex64([1 + 2j, 3 - 4j]))


def indices(linker):
    """What advanced indices take, set and add, several times over."""
    x, i = T.dmatrix('x'), T.lvector('i')
    outputs = [x[i], T.set_subtensor(x[i], 7), T.inc_subtensor(x[i], 1), T.inc_subtensor(x[i], x[i]), T.grad(T.sqr(x[i]).sum(), x)]
    outputs += [x[i, i], T.inc_subtensor(x[i, i], 0.5), x[:, i], T.inc_subtensor(x[:, i], 2), T.set_subtensor(x[::2], 0), x[x > 2].sum()]
    function = theano.function([x, i], outputs, mode=mode(linker))
    yield 'of rows', outcome(function, np.arange(9.0).reshape(3, 3), [2, 0, -1, 2])
    yield 'outside', outcome(function, np.arange(9.0).reshape(3, 3), [3])
    v, small = T.fvector('v'), T.bvector('small')
    function = theano.function([v, small], [T.inc_subtensor(v[small], 1), T.inc_subtensor(v[small], v[small])], mode=mode(linker))
    yield 'of numbers', outcome(function, np.float32([1, 2, 3]), np.int8([0, 0, 2]))


def random_numbers(linker):
    """The same numbers, and streams that only advance where they are to."""
    streams = RandomStreams(42)
    numbers = [streams.uniform((3,)), streams.normal((2, 2)), streams.binomial((4,), p=0.3), streams.permutation((1,), n=5)]
    once = theano.function([], numbers, mode=mode(linker), no_default_updates=True)
    yield 'that stay', [outcome(once), outcome(once)]
    ever = theano.function([], numbers, mode=mode(linker))
    yield 'that advance', [outcome(ever), outcome(ever)]
    mrg = MRG_RandomStreams(42)
    numbers = [mrg.uniform((5,), nstreams=2), mrg.uniform((3,), nstreams=3, dtype='float64'), mrg.binomial((4,), p=0.3, nstreams=2)]
    function = theano.function([], numbers, mode=mode(linker))
    yield 'by MRG', [outcome(function), outcome(function)]


def loops(linker):
    """scan, with a state and a condition."""
    x = T.lvector('x')
    sums, updates = theano.scan(lambda a, b: (a + b, theano.scan_module.until(a > 3)), x, outputs_info=T.constant(0, dtype='int64'))
    yield 'until', outcome(theano.function([x], sums, updates=updates, mode=mode(linker)), np.arange(7))
    products = theano.scan(lambda a, b: a * b, T.cast(x, 'float64'), outputs_info=T.constant(1.0, dtype='float64'))[0]
    y = theano.clone(products, {x: x + 1})
    yield 'products', outcome(theano.function([x], y, mode=mode(linker)), np.arange(7))


# name -> what gives pairs (what, what Theano gives)
CASES = {}
for floatX in ['float64', 'float32', 'float16']:
    for cases in [constants, operands, arguments]:
        CASES['%s, floatX=%s' % (cases.__name__, floatX)] = lambda cases=cases, floatX=floatX: dict(cases(floatX))
for linker in LINKERS:
    # What is left out of C is the same C whatever the NumPy.
    numerical = [integers, reciprocals, floats, gradients, loops] if linker == 'py' else []
    for cases in numerical + [casts, complex_numbers, indices, random_numbers]:
        CASES['%s, linker=%s' % (cases.__name__, linker)] = lambda cases=cases, linker=linker: dict(cases(linker))
CASES['constants of a dtype'] = lambda: dict(constants_of_a_dtype())


def main():
    print('recording Theano %s on NumPy %s' % (theano.__version__, np.__version__))
    with open(RECORD, 'w') as file:
        json.dump({name: case() for name, case in CASES.items()}, file, indent=0, sort_keys=True)


if __name__ == '__main__':
    main()
