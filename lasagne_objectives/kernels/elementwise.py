"""Element-wise kernels: scalar Ops that Theano vectorises, fuses and lifts.

Each is a scalar formula with a gradient of its own. Theano's ``Elemwise``
provides broadcasting, shapes, second derivatives, ``R_op``, fusion with what
comes before and after, and the GPU.

Products follow one rule here: a factor of zero wins over an infinite one
(0 * inf = 0), NaN wins over everything. It is what the limits of the losses
ask for.
"""

import functools
import zlib

import numpy as np
import theano.scalar as scal
from theano.tensor.elemwise import Elemwise


class Kernel(scal.ScalarOp):
    """A scalar Op of floats with a vectorised NumPy form beside its C code.

    Subclasses give `nin`, `numpy_form` and `code`, in which x, y and out
    stand for the operands and the result and real for their type.
    """

    def __init__(
        self, output_types_preference=scal.upgrade_to_float, name=None
    ):
        super().__init__(output_types_preference, name=name)
        # Elemwise imports the function by this path where no C is compiled.
        self.nfunc_spec = (
            '%s.%s' % (__name__, self.numpy_form.__name__),
            self.nin,
            1,
        )

    def impl(self, *values):
        return self.numpy_form(*values)

    def vectorised(self):
        """The same for a C kernel, whose functions (simd.h) it may call."""
        return self

    def c_code_cache_version(self):
        # Made of the text, so that it changes with it.
        return (zlib.crc32(self.code.encode()),)

    def c_code(self, node, name, inputs, outputs, sub):
        # C++ overloads exp, log and log1p; OpenCL and CUDA do as well.
        names = dict(
            zip('xyz', inputs),
            out=outputs[0],
            real=node.outputs[0].type.dtype_specs()[1],
        )
        return self.code % names


def _silent(function):
    """The infinities and NaN of these formulas are meant: do not warn."""

    @functools.wraps(function)
    def silenced(*arrays):
        with np.errstate(all='ignore'):
            return function(*arrays)

    return silenced


# ---------------------------------------------------------------------------
# Products in which zero wins


@_silent
def product_numpy(x, y):
    """``x * y`` where 0 times infinity is 0."""
    result = np.multiply(x, y)
    zero_wins = np.isnan(result) & ~np.isnan(x) & ~np.isnan(y)
    return np.where(zero_wins, np.zeros_like(result), result)


class Product(Kernel):
    """``x * y`` where 0 times infinity is 0."""

    nin = 2
    numpy_form = staticmethod(product_numpy)
    # 0 * inf is the only NaN of operands whose sum is a number. The result
    # may take the place of an operand: it is written last. No && here and
    # below, nor tests of one operand, which can be constant: the compiler
    # makes branches of these, and vectorises only loops without.
    code = """
        {
            const %(real)s xy = %(x)s * %(y)s, sum = %(x)s + %(y)s;
            %(out)s = (xy != xy) & (sum == sum) ? 0 : xy;
        }
    """

    def grad(self, inputs, output_gradients):
        x, y = inputs
        (g,) = output_gradients
        return [scalar_product(g, y), scalar_product(g, x)]


scalar_product = Product(name='product')
product = Elemwise(scalar_product, name='product')


@_silent
def xlogy_numpy(x, y):
    """``x * log(y)`` where 0 log 0 is 0."""
    zero_wins = np.equal(x, 0) & np.equal(y, 0)
    return np.where(zero_wins, np.zeros_like(x), np.multiply(x, np.log(y)))


class XLogY(Kernel):
    """``x * log(y)`` where 0 log 0 is 0."""

    nin = 2
    numpy_form = staticmethod(xlogy_numpy)
    code = """
        %(out)s = %(x)s == 0 && %(y)s == 0 ? 0 : %(x)s * log(%(y)s);
    """

    def grad(self, inputs, output_gradients):
        x, y = inputs
        (g,) = output_gradients
        return [
            scalar_product(g, scal.log(y)),
            scalar_product(g, scalar_xdivy(x, y)),
        ]


scalar_xlogy = XLogY(name='xlogy')
xlogy = Elemwise(scalar_xlogy, name='xlogy')


@_silent
def xlog1py_numpy(x, y):
    """``x * log(1 + y)`` where 0 log 0 is 0."""
    zero_wins = np.equal(x, 0) & np.equal(y, -1)
    return np.where(zero_wins, np.zeros_like(x), np.multiply(x, np.log1p(y)))


class XLog1PY(Kernel):
    """``x * log(1 + y)`` where 0 log 0 is 0, to the digits of a small y."""

    nin = 2
    numpy_form = staticmethod(xlog1py_numpy)
    code = """
        %(out)s = %(x)s == 0 && %(y)s == -1 ? 0 : %(x)s * log1p(%(y)s);
    """

    def grad(self, inputs, output_gradients):
        x, y = inputs
        (g,) = output_gradients
        one = y.zeros_like() + 1
        return [
            scalar_product(g, scal.log1p(y)),
            scalar_product(g, scalar_xdivy(x, one + y)),
        ]


scalar_xlog1py = XLog1PY(name='xlog1py')
xlog1py = Elemwise(scalar_xlog1py, name='xlog1py')


@_silent
def xdivy_numpy(x, y):
    """``x / y`` where 0 / 0 is 0."""
    result = np.true_divide(x, y)
    zero_wins = np.equal(x, 0) & np.equal(y, 0)
    return np.where(zero_wins, np.zeros_like(result), result)


class XDivY(Kernel):
    """``x / y`` where 0 / 0 is 0."""

    nin = 2
    numpy_form = staticmethod(xdivy_numpy)
    code = """
        %(out)s = %(x)s == 0 && %(y)s == 0 ? 0 : %(x)s / %(y)s;
    """

    def grad(self, inputs, output_gradients):
        x, y = inputs
        (g,) = output_gradients
        return [
            scalar_xdivy(g, y),
            -scalar_product(g, scalar_xdivy(scalar_xdivy(x, y), y)),
        ]


scalar_xdivy = XDivY(name='xdivy')
xdivy = Elemwise(scalar_xdivy, name='xdivy')


# ---------------------------------------------------------------------------
# Sigmoid cross-entropy


@_silent
def sigmoid_crossentropy_numpy(z, t):
    """``log(1 + exp(-|z|)) + ((1 - t) z if z > 0 else -t z)``."""
    return np.log1p(np.exp(-np.abs(z))) + product_numpy(
        np.where(np.greater(z, 0), 1 - t, -t), z
    )


class SigmoidCrossentropy(Kernel):
    """``-t log s(z) - (1 - t) log(1 - s(z))`` for the sigmoid ``s``.

    No term can overflow or cancel: the exponential is of a negative number,
    and for targets 0 and 1 one of the two terms is zero.
    """

    nin = 2
    numpy_form = staticmethod(sigmoid_crossentropy_numpy)
    code = """
        {
            const %(real)s weight = %(x)s > 0 ? 1 - %(y)s : -%(y)s;
            %(real)s linear = weight * %(x)s;
            if (linear != linear && weight == weight && %(x)s == %(x)s)
                linear = 0;
            %(out)s = log1p(exp(-fabs(%(x)s))) + linear;
        }
    """

    def grad(self, inputs, output_gradients):
        z, t = inputs
        (g,) = output_gradients
        return [g * scalar_sigmoid_residual(z, t), scalar_product(g, -z)]

    def vectorised(self):
        return _vectorised_sigmoid_crossentropy


scalar_sigmoid_crossentropy = SigmoidCrossentropy(name='sigmoid_crossentropy')
sigmoid_crossentropy = Elemwise(
    scalar_sigmoid_crossentropy, name='sigmoid_crossentropy'
)


class _VectorisedSigmoidCrossentropy(SigmoidCrossentropy):
    code = """
        {
            const %(real)s weight = %(x)s > 0 ? 1 - %(y)s : -%(y)s;
            const %(real)s product = weight * %(x)s, sum = weight + %(x)s;
            const %(real)s linear = (product != product) & (sum == sum)
                ? 0 : product;
            const %(real)s below = -fabs(%(x)s);
            %(out)s = linear + log1p_of_fraction(exp_of_negative(below));
        }
    """


_vectorised_sigmoid_crossentropy = _VectorisedSigmoidCrossentropy()


@_silent
def sigmoid_residual_numpy(z, t):
    """``s(z) - t`` for the sigmoid ``s``."""
    e = np.exp(-np.abs(z))
    smaller = e / (1 + e)
    return np.where(np.greater(z, 0), (1 - t) - smaller, smaller - t)


class SigmoidResidual(Kernel):
    """``s(z) - t`` for the sigmoid ``s``, relatively exact for t = 0 and 1.

    Works with the smaller of ``s(z)`` and ``1 - s(z)``, so that ``s(z) - 1``
    is never the difference of two numbers close to 1.
    """

    nin = 2
    numpy_form = staticmethod(sigmoid_residual_numpy)
    code = """
        {
            const %(real)s e = exp(-fabs(%(x)s));
            const %(real)s smaller = e / (1 + e);
            %(out)s = %(x)s > 0 ? (1 - %(y)s) - smaller : smaller - %(y)s;
        }
    """

    def grad(self, inputs, output_gradients):
        z, _ = inputs
        (g,) = output_gradients
        # The derivative of the sigmoid is s(z) (1 - s(z)).
        slope = -(
            scalar_sigmoid_residual(z, z.zeros_like())
            * scalar_sigmoid_residual(z, z.zeros_like() + 1)
        )
        return [g * slope, -g]

    def vectorised(self):
        return _vectorised_sigmoid_residual


scalar_sigmoid_residual = SigmoidResidual(name='sigmoid_residual')
sigmoid_residual = Elemwise(scalar_sigmoid_residual, name='sigmoid_residual')


class _VectorisedSigmoidResidual(SigmoidResidual):
    code = """
        {
            const %(real)s below = -fabs(%(x)s);
            const %(real)s e = exp_of_negative(below);
            const %(real)s smaller = e * (1 / (1 + e));
            %(out)s = %(x)s > 0 ? (1 - %(y)s) - smaller : smaller - %(y)s;
        }
    """


_vectorised_sigmoid_residual = _VectorisedSigmoidResidual()


# ---------------------------------------------------------------------------
# Squared error


@_silent
def squared_difference_numpy(a, b):
    """``(a - b)**2``."""
    return np.square(np.subtract(a, b))


class SquaredDifference(Kernel):
    """``(a - b)**2``."""

    nin = 2
    numpy_form = staticmethod(squared_difference_numpy)
    code = """
        {
            const %(real)s difference = %(x)s - %(y)s;
            %(out)s = difference * difference;
        }
    """

    def grad(self, inputs, output_gradients):
        a, b = inputs
        (g,) = output_gradients
        slope = 2 * g * (a - b)
        return [slope, -slope]


scalar_squared_difference = SquaredDifference(name='squared_difference')
squared_difference = Elemwise(
    scalar_squared_difference, name='squared_difference'
)


# ---------------------------------------------------------------------------
# Logarithms


@_silent
def log1mexp_numpy(x):
    """``log(1 - exp(x))``."""
    return np.log(-np.expm1(x))


class Log1MExp(Kernel):
    """``log(1 - exp(x))``, log of the complement of a log-probability.

    Where no gradient comes in, none goes out.
    """

    nin = 1
    numpy_form = staticmethod(log1mexp_numpy)
    code = """
        %(out)s = log(-expm1(%(x)s));
    """

    def grad(self, inputs, output_gradients):
        (x,) = inputs
        (g,) = output_gradients
        # Not to overflow where x is denormal, and so is the gradient.
        tiny = scal.constant(np.finfo(x.type.dtype).tiny, dtype=x.type.dtype)
        below = scal.expm1(-x)
        below = scal.switch(scal.lt(below, tiny), tiny, below)
        return [-scalar_product(g, scal.true_div(tiny.ones_like(), below))]


scalar_log1mexp = Log1MExp(name='log1mexp')
log1mexp = Elemwise(scalar_log1mexp, name='log1mexp')


# ---------------------------------------------------------------------------
# Margins


@_silent
def log_odds_numpy(p):
    """``log(p / (1 - p))``."""
    return np.log(p) - np.log1p(-p)


class LogOddsOfProbability(Kernel):
    """``log(p / (1 - p))``; where no gradient comes in, none goes out."""

    nin = 1
    numpy_form = staticmethod(log_odds_numpy)
    code = """
        %(out)s = log(%(x)s) - log1p(-%(x)s);
    """

    def grad(self, inputs, output_gradients):
        (p,) = inputs
        (g,) = output_gradients
        one = p.zeros_like() + 1
        return [scalar_product(g, one / (p * (one - p)))]


scalar_log_odds_of_probability = LogOddsOfProbability(
    name='log_odds_of_probability'
)
log_odds_of_probability = Elemwise(
    scalar_log_odds_of_probability, name='log_odds_of_probability'
)


@_silent
def positive_part_numpy(x):
    """``max(0, x)``."""
    return np.maximum(x, 0)


class PositivePart(Kernel):
    """``max(0, x)``, with the slope 1/2 at 0."""

    nin = 1
    numpy_form = staticmethod(positive_part_numpy)
    # Written so that NaN fails the comparison and passes through.
    code = """
        %(out)s = %(x)s <= 0 ? 0 : %(x)s;
    """

    def grad(self, inputs, output_gradients):
        (x,) = inputs
        (g,) = output_gradients
        return [scalar_product(g, scalar_step(x))]


scalar_positive_part = PositivePart(name='positive_part')
positive_part = Elemwise(scalar_positive_part, name='positive_part')


@_silent
def step_numpy(x):
    """0 below 0, 1/2 at 0, 1 above; NaN stays."""
    return (np.sign(x) + 1) / 2


class Step(Kernel):
    """0 below 0, 1/2 at 0, 1 above; NaN stays."""

    nin = 1
    numpy_form = staticmethod(step_numpy)
    code = """
        {
            const %(real)s below = %(x)s < 0 ? 0 : 1;
            const %(real)s number = %(x)s == 0 ? 0.5f : below;
            %(out)s = %(x)s == %(x)s ? number : %(x)s;
        }
    """

    def grad(self, inputs, output_gradients):
        (x,) = inputs
        return [x.zeros_like()]


scalar_step = Step(name='step')
step = Elemwise(scalar_step, name='step')


# ---------------------------------------------------------------------------
# Huber


@_silent
def huber_numpy(d, delta):
    """``d**2 / 2`` to ``|d| = delta``, then ``delta (|d| - delta / 2)``."""
    size = np.abs(d)
    clipped = np.minimum(size, delta)
    return clipped * (size - clipped / 2)


class Huber(Kernel):
    """``d**2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``.

    Both are ``c (|d| - c / 2)`` with ``c = min(|d|, delta)``.
    """

    nin = 2
    numpy_form = staticmethod(huber_numpy)
    code = """
        {
            const %(real)s size = fabs(%(x)s);
            const %(real)s clipped = size <= %(y)s ? size : %(y)s;
            %(out)s = clipped * (size - clipped / 2);
        }
    """

    def grad(self, inputs, output_gradients):
        d, delta = inputs
        (g,) = output_gradients
        return [
            g * scal.clip(d, -delta, delta),
            g * scalar_positive_part(scal.abs_(d) - delta),
        ]


scalar_huber = Huber(name='huber')
huber = Elemwise(scalar_huber, name='huber')


# ---------------------------------------------------------------------------
# Types


class CastBothWays(scal.Cast):
    """A cast to another float type whose gradient is cast back.

    Theano's own leaves the gradient in the wider type: a float16 network
    would be trained with float32 gradients, and a float32 one in float64.
    """

    def grad(self, inputs, output_gradients):
        (x,) = inputs
        (g,) = output_gradients
        if x.type in scal.discrete_types:
            return [x.zeros_like(dtype=g.type.dtype)]
        return [scal.cast(g, x.type.dtype)]


def to_float16_numpy(array):
    """Cast a whole array, where no C is compiled."""
    return np.asarray(array, dtype='float16')


def to_float32_numpy(array):
    """Cast a whole array, where no C is compiled."""
    return np.asarray(array, dtype='float32')


def to_float64_numpy(array):
    """Cast a whole array, where no C is compiled."""
    return np.asarray(array, dtype='float64')


def cast_both_ways(tensor, dtype):
    """Cast a tensor to a float type, its gradient back to the tensor's."""
    if tensor.dtype == dtype:
        return tensor
    cast = CastBothWays(
        scal.get_scalar_type(dtype), name='cast_both_ways_%s' % dtype
    )
    return Elemwise(
        cast,
        name=cast.name,
        nfunc_spec=('%s.to_%s_numpy' % (__name__, dtype), 1, 1),
    )(tensor)


def is_cast_both_ways(tensor):
    """Whether a tensor comes of :func:`cast_both_ways`."""
    return tensor.owner is not None and isinstance(
        getattr(tensor.owner.op, 'scalar_op', None), CastBothWays
    )
