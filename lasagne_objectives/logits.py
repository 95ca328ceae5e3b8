"""Looks through graphs: from the output of a sigmoid or softmax to its input.

A loss of saturated probabilities is lost: they are 0 or 1 to the last bit.
The numbers that it needs are still in the graph, as the input of the
nonlinearity. :func:`find` finds them, however the nonlinearity is spelled
(:mod:`~lasagne_objectives.fractions`) and whatever has been done with its
elements since (:mod:`~lasagne_objectives.moves`). Nothing else is looked
through.
"""

import functools
from collections import namedtuple

import numpy as np
import theano
from theano import gof
import theano.scalar as scal
import theano.tensor as T
from theano.tensor.basic import MaxAndArgmax
from theano.tensor.elemwise import CAReduce, DimShuffle, Elemwise, Sum
from theano.tensor.nnet.nnet import LogSoftmax, Softmax, SoftmaxWithBias
from theano.tensor.nnet.sigm import ScalarSigmoid, ScalarSoftplus

from lasagne_objectives import fractions, moves
from lasagne_objectives.fractions import ONE, constant, plus, raised, times
from lasagne_objectives.kernels.elementwise import (
    CastBothWays,
    cast_both_ways,
    log1mexp,
    sigmoid_crossentropy,
    sigmoid_residual,
)
from lasagne_objectives.kernels.keep_rows import keep_rows
from lasagne_objectives.kernels.rows import along_axis, same_pattern
from lasagne_objectives.kernels.softmax_crossentropy import log_softmax
from lasagne_objectives.kernels.softmax_log_odds import softmax_log_odds


def find(variable):
    """Find the sigmoid or softmax whose output `variable` is.

    Parameters
    ----------
    variable : Theano tensor
        Probabilities: what would be a sigmoid if it is between 0 and 1 is one.

    Returns
    -------
    Sigmoid, SoftmaxRows, Product, Multiple, Arranged or None
        None if it is the output of neither, or of a softmax of which some
        classes have been left behind.
    """
    return Finder(is_probability=True).find(variable)


class Finder:
    """Finds sigmoids and softmaxes in variables that have much in common.

    Parameters
    ----------
    is_probability : bool
        Whether the variables are known to be between 0 and 1.
    """

    def __init__(self, is_probability=False):
        self.is_probability = is_probability
        # What was read of one is not read again for another.
        self.readers = {}
        self.likeness = _Likeness()

    def find(self, variable):
        """As the function :func:`find`."""
        first = None
        for reader in self._readers(_tolerance(variable)):
            found = reader.find(variable)
            if found is not None:
                first = first or found
                # log(exp(z) / exp(z).sum()) is no logit if z is one.
                if not any(map(reader.is_unstable_log, found.sources)):
                    return found
        return first

    def _readers(self, tolerance):
        """Those that find a sigmoid or softmax, then those of products."""
        # Logarithms in exponents are taken for logits, as they may well be, or
        # if that leads nowhere for the logarithms that they are.
        for depth in range(_MOST_LOGARITHMS):
            reader = self._reader(depth, tolerance, False)
            yield reader
            if not reader.stopped:
                break
        yield self._reader(depth, tolerance, True)

    def _reader(self, *how):
        if how not in self.readers:
            self.readers[how] = _Reader(
                *how, self.is_probability, self.likeness
            )
        return self.readers[how]


def _tolerance(variable):
    """By how much, relatively, two numbers may differ by rounding."""
    dtype = variable.dtype if variable.dtype == 'float64' else 'float32'
    return 4 * np.finfo(dtype).eps


# ---------------------------------------------------------------------------
# What is found


class Sigmoid(namedtuple('Sigmoid', 'scores sources')):
    """The sigmoid of `scores`, which are made of the variables `sources`."""

    kind, whole, is_exponential = 'sigmoid', None, False

    def logits(self):
        return self.scores

    def probabilities(self):
        """What was looked at, computed anew."""
        return sigmoid_residual(self.scores, T.zeros_like(self.scores))

    def log_odds(self):
        """``log(p / (1 - p))`` of what was looked at."""
        return self.scores

    def log_probabilities(self):
        """The logarithm of what was looked at."""
        return -sigmoid_crossentropy(self.scores, T.ones_like(self.scores))


class SoftmaxRows(namedtuple('SoftmaxRows', 'scores axis sources')):
    """The softmax of `scores` along an axis."""

    kind, is_exponential = 'softmax', False

    @property
    def whole(self):
        """The axis that holds the classes of a data point."""
        return self.axis

    @property
    def hoped(self):
        """The same, if reshapes keep it whole."""
        return self.axis

    def logits(self):
        return self.scores

    def kept(self, whole):
        """The logits, or log-probabilities if rows do not stay whole."""
        return keep_rows(self._base(), whole, self.axis)

    def conditions(self):
        """What must be true for rows to be whole."""
        return []

    def probabilities(self):
        """What was looked at, computed anew."""
        return along_axis(T.nnet.softmax, self._base(), self.axis)

    def log_odds(self):
        """``log(p / (1 - p))`` of what was looked at."""
        return softmax_log_odds(self._base(), self.axis)

    def log_probabilities(self):
        """The logarithm of what was looked at."""
        return log_softmax(self._base(), self.axis)

    def _base(self):
        """The logits in a type that rows are computed in."""
        dtype = self.scores.dtype
        return cast_both_ways(
            self.scores, 'float32' if dtype == 'float16' else dtype
        )


class Arranged(namedtuple('Arranged', 'parts arrange whole hoped')):
    """Outputs of nonlinearities moved, joined or chosen from.

    parts : what was found in their place
    arrange : a function that does the same with other variables
    whole : the axis that holds the classes of softmaxes; None where a
        data point may not have its classes in one row
    hoped : the same, if what is known when it is run tells that it does
    """

    is_exponential = False

    @property
    def kind(self):
        kinds = {part.kind for part in self.parts}
        return kinds.pop() if len(kinds) == 1 else 'mixed'

    @property
    def sources(self):
        return [source for part in self.parts for source in part.sources]

    def logits(self):
        return self._each(lambda part: part.logits())

    def kept(self, whole):
        """The logits, or log-probabilities if rows do not stay whole."""
        return self._each(lambda part: part.kept(whole))

    def conditions(self):
        """What must be true for rows to be whole."""
        conditions = [one for part in self.parts for one in part.conditions()]
        if self.whole is None:
            # Asked of logits, which are computed anyway: lengths.
            before, after = self.parts[0].logits(), self.logits()
            conditions.append(
                T.eq(
                    before.shape[self.parts[0].hoped],
                    after.shape[self.hoped],
                )
            )
        return conditions

    def probabilities(self):
        """What was looked at, computed anew."""
        return self._each(lambda part: part.probabilities())

    def log_odds(self):
        """``log(p / (1 - p))`` of what was looked at."""
        return self._each(lambda part: part.log_odds())

    def log_probabilities(self):
        """The logarithm of what was looked at."""
        return self._each(lambda part: part.log_probabilities())

    def _each(self, of):
        return self.arrange([of(part) for part in self.parts])


class Product(namedtuple('Product', 'logarithm sources is_exponential')):
    """A product of powers of such outputs: neither, but of known logarithm.

    is_exponential : whether there is none of them in it, an exponential alone
    """

    kind, whole = 'product', None

    def probabilities(self):
        """What was looked at, computed anew."""
        return T.exp(self.logarithm)

    def log_odds(self):
        """``log(p / (1 - p))`` of what was looked at."""
        return self.logarithm - log1mexp(self.logarithm)

    def log_probabilities(self):
        """The logarithm of what was looked at."""
        return self.logarithm


class Multiple(namedtuple('Multiple', 'product rest sources')):
    """A :class:`Product` times something of which nothing is known.

    A mask, say. The logarithm is that of the product plus that of the rest,
    which keeps the gradient of either from being 0 times infinity.
    """

    kind, whole = 'multiple', None

    @property
    def is_exponential(self):
        return self.product.is_exponential

    def probabilities(self):
        """What was looked at, computed anew."""
        return self.product.probabilities() * self.rest

    def log_probabilities(self):
        """The logarithm of what was looked at."""
        return self.product.log_probabilities() + T.log(self.rest)


def _arranged(arrangement, parts, pattern):
    """What is found where `parts` are arranged."""

    def arrange(variables):
        widest = scal.upcast(*[variable.dtype for variable in variables])
        return same_pattern(
            arrangement.arrange(
                [cast_both_ways(variable, widest) for variable in variables]
            ),
            pattern,
        )

    if all(part.kind == 'sigmoid' for part in parts):
        scores = arrange([part.logits() for part in parts])
        sources = [source for part in parts for source in part.sources]
        return Sigmoid(scores, sources)
    wholes = {part.whole for part in parts}
    whole = wholes.pop() if len(wholes) == 1 else None
    try:
        # Only a softmax has a class axis to follow, while it is known.
        whole = whole if whole is None else arrangement.follow(whole)
    except moves.Torn:
        return None
    if whole is not None and len(parts) > 1:
        # One class, repeated beside a part of several, is not a row of them.
        repeated = any(
            part.broadcastable[whole] != pattern[whole]
            for part in arrangement.parts
        )
        whole = None if repeated else whole
    hoped = _hoped(arrangement, parts) if whole is None else whole
    return Arranged(parts, arrange, whole, hoped)


def _hoped(arrangement, parts):
    """Where the classes of a softmax are if its rows turn out to be whole."""
    hoped = getattr(parts[0], 'hoped', None)
    if len(parts) > 1 or hoped is None:
        return None
    try:
        return (arrangement.hope or arrangement.follow)(hoped)
    except moves.Torn:
        return None


# ---------------------------------------------------------------------------
# Reading


#: What the powers of a product are powers of.
#:
#: kind : 'exp', the exponential of a variable; 'itself', the variable; 'e',
#:     Euler's number; 'sum', the sum of exponentials along an axis
#: variable : None for the last two
#: terms, axis : the powers that are summed, and along which axis
_Atom = namedtuple('_Atom', 'kind variable terms axis')

_EULER = 0

SOFTMAXES = Softmax, SoftmaxWithBias, LogSoftmax
LOGARITHMS = scal.Log, scal.Log1p

# One within the other: more is nobody's way to write a sigmoid.
_MOST_LOGARITHMS = 8

# Deeper expressions are somebody's network, not the spelling of a sigmoid: 16
# Ops, or 32 moves and choices.
_DEEPEST = 32

# Of what was too deep at first, no more is read again.
_MOST_AGAIN = 64


def _remembered(steps):
    """For methods of the reader, that they read a variable once.

    And once more where something below it was too deep to be read, and it is
    met again less deep. They take that many steps down.
    """

    def decorated(method):
        @functools.wraps(method)
        def remembering(self, variable, *depth):
            key = (method, variable) + depth
            result, cut_at = self.results.get(key, (None, None))
            if cut_at is None or self._may_read_again(cut_at):
                cut_before, self.cut = self.cut, False
                self.level += steps
                result = method(self, variable, *depth)
                self.level -= steps
                cut_at = self.level if self.cut else 0
                self.results[key] = result, cut_at
                self.cut = cut_before
            self.cut = self.cut or cut_at > 0
            return result

        return remembering

    return decorated


class _Likeness:
    """Tells whether variables are computed alike, when asked of many."""

    def __init__(self):
        self.looks, self.whole_looks = {}, {}

    def look(self, variable, levels=5):
        """A number, the same for what is computed alike; read quickly."""
        key = variable, levels
        if key not in self.looks:
            node = variable.owner
            inputs = node.inputs if node is not None and levels else []
            looks = [self.look(one, levels - 1) for one in inputs]
            self.looks[key] = _look(variable, looks)
        return self.looks[key]

    def whole_look(self, variable):
        """The same, of all that the variable is computed from."""
        waiting = [variable]
        while waiting:
            one = waiting[-1]
            inputs = [] if one.owner is None else one.owner.inputs
            unknown = [v for v in inputs if v not in self.whole_looks]
            waiting += unknown
            if not unknown:
                looks = [self.whole_looks[v] for v in inputs]
                self.whole_looks[waiting.pop()] = _look(one, looks)
        return self.whole_looks[variable]

    def same(self, one, two):
        """Whether :func:`same` says so of two variables that look alike."""
        # Layers of a deep network may look alike, down to its input.
        return self.whole_look(one) == self.whole_look(two) and same(one, two)


def _look(variable, looks):
    """What tells a variable from others, whose inputs look so."""
    node = variable.owner
    if isinstance(variable, theano.Constant):
        return hash(theano.Constant)
    if node is None:
        return hash(variable)
    return hash((type(node.op), variable.index) + tuple(looks))


class _Reader:
    """Reads variables as products of powers, and finds what these are.

    Parameters
    ----------
    depth : int
        How many logarithms within exponents are resolved.
    tolerance : float
        By how much, relatively, equal numbers may differ.
    products : bool
        Whether to be content with a product of what is looked for.
    is_probability : bool
        Whether what is found is known to be between 0 and 1.
    likeness : _Likeness
        What is known already of the variables.
    """

    def __init__(self, depth, tolerance, products, is_probability, likeness):
        self.depth, self.tolerance = depth, tolerance
        self.products, self.is_probability = products, is_probability
        self.atoms = [_Atom('e', None, None, None)]
        # What was read, by method and variable
        self.results = {}
        # Variables of which the exponential was read, by its powers
        self.exponents = {}
        # What the variables that are made here are made of
        self.origins = {}
        # How deep it reads now, and whether anything was too deep
        self.level, self.cut = 0, False
        self.times_again = 0
        self.likeness = likeness
        # Atoms that may be the same
        self.alike = {}
        # Whether a logarithm was left as it is
        self.stopped = False

    # What is found: of products, what they are the output of

    @_remembered(steps=0)
    def find(self, variable):
        product = self.value(variable, self.depth)
        return (
            self._sigmoid(product, variable)
            or self._softmax(product, variable)
            or self._complement(product, variable)
            or self._product(product, variable)
        )

    @_remembered(steps=1)
    def arranged(self, variable):
        """What is found behind moves, joins and choices alone."""
        arrangement = None if self._is_too_deep() else moves.see(variable)
        if arrangement is None:
            return None
        parts = []
        for part in arrangement.parts:
            found = self.find(part) or self._known(part, variable.dtype)
            if found is None or found.kind == 'multiple':
                return None
            parts.append(found)
        if not any(part.sources for part in parts):
            return None
        return _arranged(arrangement, parts, variable.broadcastable)

    def _known(self, part, dtype):
        """A number beside sigmoids and softmaxes is one of its log-odds."""
        number, *more = self.value(part, self.depth)
        if any(more) or not 0 <= number <= 1:
            return None
        with np.errstate(divide='ignore'):
            odds = np.log(number) - np.log1p(-number)
        scores = T.fill(part, T.constant(odds, dtype=dtype))
        return Sigmoid(same_pattern(scores, part.broadcastable), [])

    def _sigmoid(self, product, variable):
        odds = fractions.odds(product, self.tolerance)
        if odds is None or odds.factor <= 0 or not self._is_exp(odds):
            return None
        exponent, sources = self._logarithm(odds)
        return Sigmoid(laid_out(exponent, variable), sources)

    def _softmax(self, product, variable):
        if product.sums or not self._is_one(product.factor):
            return None
        behind = self._itself(product)
        if behind is not None:
            return self.arranged(behind)
        number = self._sum_below(product)
        if number is None:
            return None
        row = times(product, fractions.atom(number))
        axis = self.atoms[number].axis
        if not self._is_exp(row):
            return None
        exponent, sources = self._logarithm(row)
        summed, _ = self._logarithm(self._row(number))
        if not same(exponent, summed):
            return None
        scores = _without_max(exponent, axis)
        if scores is not exponent:
            sources = [scores]
        return SoftmaxRows(laid_out(scores, variable), axis, sources)

    def _complement(self, product, variable):
        """One minus a softmax, a product, or what is behind moves."""
        rest = self._one_minus(product)
        if rest is None:
            return None
        found = self._softmax(rest, variable) or self._product(rest, variable)
        # A product may be more than one, unless it leaves a probability.
        known = ['sigmoid', 'softmax']
        known += ['product', 'mixed'] if self.is_probability else []
        if found is None or found.kind not in known:
            return None
        return Sigmoid(-found.log_odds(), found.sources)

    def _one_minus(self, product):
        try:
            return self._plus(ONE, self._minus(product))
        except fractions.TooHard:
            return None

    def _product(self, product, variable):
        """A product of powers of sigmoids, softmaxes and exponentials."""
        if not self.products:
            return None
        product, others = self._without_others(product)
        try:
            product, rows = self._without_rows(product, variable)
            product, sigmoids = self._without_sigmoids(product, variable)
            outputs = rows + sigmoids
            parts = outputs + self._rest(product, variable, not outputs)
        except fractions.TooHard:
            return None
        sources = [source for _, made_of in parts for source in made_of]
        if not sources:
            return None
        logarithms = [logarithm for logarithm, _ in parts]
        logarithm = functools.reduce(T.add, logarithms)
        found = Product(logarithm, sources, is_exponential=not outputs)
        return self._multiple(found, others, variable) if others else found

    def _without_others(self, product):
        """A product without what no exponential is in, and that.

        Which is a list of sums, as products have them, and their powers.
        """
        powers, sums, others = dict(product.powers), dict(product.sums), []
        for number in product.powers:
            if self.atoms[number].kind == 'itself':
                base = ((((number, 1.0),), 1.0),)
                others.append((base, powers.pop(number)))
        for base in product.sums:
            if all(
                self.atoms[number].kind == 'itself' for number in _in(base)
            ):
                others.append((base, sums.pop(base)))
        if product.factor < 0:
            others.append(((((), -1.0),), 1.0))
        return fractions.Product(abs(product.factor), powers, sums), others

    def _multiple(self, found, others, variable):
        """A product times powers of sums of what is not known."""
        factors = [
            _power_of(self._sum_as(base, variable.dtype), power, None)
            for base, power in others
        ]
        rest = laid_out(functools.reduce(T.mul, factors), variable)
        sources = [
            source
            for base, _ in others
            for number in _in(base)
            for source in self._sources(self.atoms[number].variable)
        ]
        return Multiple(found, rest, found.sources + sources)

    def _sum_as(self, base, dtype):
        """A sum of a product, computed in a float type or a wider one."""
        return functools.reduce(
            T.add,
            [
                functools.reduce(
                    T.mul,
                    [
                        _power_of(self.atoms[number].variable, power, dtype)
                        for number, power in key
                    ],
                    T.constant(factor, dtype=dtype),
                )
                for key, factor in base
            ],
        )

    def _sources(self, variable):
        return self.origins.get(variable, [variable])

    def _without_rows(self, product, variable):
        """A product without its softmaxes; their logarithms and sources."""
        parts = []
        for number in list(filter(self._is_sum, product.powers)):
            row, power = self._row(number), -product.powers[number]
            if not self._is_exp(row) or not (
                0 < power <= self._times_within(row, product)
            ):
                raise fractions.TooHard
            softmax = times(row, self._inverse(fractions.atom(number)))
            product = times(product, raised(softmax, -power, self.tolerance))
            exponent, sources = self._logarithm(row)
            found = SoftmaxRows(
                laid_out(exponent, variable), self.atoms[number].axis, sources
            )
            parts.append((_scaled(found.log_probabilities(), power), sources))
        return product, parts

    def _without_sigmoids(self, product, variable):
        """A product without its sigmoids; their logarithms and sources."""
        parts = []
        for base, power in product.sums.items():
            odds = fractions.split(base)
            if (
                power > 0
                or odds is None
                or odds.factor <= 0
                or not self._is_exp(odds)
            ):
                raise fractions.TooHard
            # Of exp(z) / (1 + exp(z)) nothing must cancel in the logarithm.
            taken = min(self._times_within(odds, product), -power)
            product = times(product, raised(odds, -taken, self.tolerance))
            exponent, sources = self._logarithm(odds)
            exponent = laid_out(exponent, variable)
            for scores, count in (
                (-exponent, -power - taken),
                (exponent, taken),
            ):
                if count:
                    found = Sigmoid(scores, sources)
                    logarithm = _scaled(found.log_probabilities(), count)
                    parts.append((logarithm, sources))
        return product._replace(sums={}), parts

    def _rest(self, product, variable, alone):
        """The logarithm of what is left, and its sources."""
        if product.factor <= 0 or not self._is_exp(product):
            raise fractions.TooHard
        if not _key(product):
            return []
        if set(product.powers) <= {_EULER}:
            ((_, number),) = _key(product)
            return [(T.constant(number, dtype=variable.dtype), [])]
        if not alone:
            # It might cancel the other logarithms.
            raise fractions.TooHard
        exponent, sources = self._logarithm(product)
        return [(laid_out(exponent, variable), sources)]

    def _times_within(self, odds, product):
        """How often the powers of one product are among those of another."""
        return max(
            min(
                product.powers.get(number, 0) / power
                for number, power in odds.powers.items()
            ),
            0,
        )

    def _is_sum(self, number):
        return self.atoms[number].kind == 'sum'

    def _row(self, number):
        """What is summed along the axis of a sum."""
        return fractions.Product(1.0, dict(self.atoms[number].terms), {})

    def is_input(self, variable):
        """Whether it is an input, moved, or one minus that."""
        product = self.value(variable, self.depth)
        behind = self._itself(product)
        if behind is None:
            rest = self._one_minus(product)
            behind = rest and self._itself(rest)
        return behind is not None and moves.source(behind).owner is None

    def is_unstable_log(self, variable):
        """Whether it is the logarithm of exponentials, written as such."""
        if not moves.is_elementwise(variable, LOGARITHMS):
            return False
        (inside,) = variable.owner.inputs
        return not is_stable(inside) and any(
            one.kind in ('exp', 'sum')
            for one in self._atoms_in(self.value(inside, self.depth))
        )

    def _is_one(self, number):
        return fractions.close(number, 1, self.tolerance)

    def _is_exp(self, product):
        return all(
            self.atoms[number].kind in ('exp', 'e')
            for number in product.powers
        )

    def _itself(self, product):
        """The variable that a product is a multiple of, and no more."""
        atoms = [self.atoms[number] for number in product.powers]
        return (
            atoms[0].variable
            if [one.kind for one in atoms] == ['itself']
            and list(product.powers.values()) == [1]
            else None
        )

    def _sum_below(self, product):
        """The one sum of exponentials that a product is divided by."""
        sums = [
            number
            for number, power in product.powers.items()
            if self._is_sum(number) and power == -1
        ]
        return sums[0] if len(sums) == 1 else None

    # Logarithms of products of exponentials

    def _remember_exponent(self, variable, product):
        if not product.sums and product.factor > 0 and self._is_exp(product):
            self.exponents.setdefault(_key(product), variable)

    def _logarithm(self, product):
        """A variable whose exponential it is, and what that is made of."""
        for sign in 1, -1:
            key = _key(raised(product, sign, self.tolerance))
            if key in self.exponents:
                known = self.exponents[key]
                sources = self._sources(known)
                known = T.as_tensor_variable(known)
                return known if sign == 1 else -known, sources
        powers = dict(_key(product))
        number = powers.pop(_EULER, 0.0)
        variables = [self.atoms[atom].variable for atom in powers]
        terms = [
            _scaled(T.as_tensor_variable(variable), power)
            for variable, power in zip(variables, powers.values())
        ]
        total = functools.reduce(T.add, terms)
        if number:
            total = total + T.constant(number, dtype=total.dtype)
        sources = [
            source
            for variable in variables
            for source in self._sources(variable)
        ]
        return total, sources

    # Reading values

    def _atom(self, kind, variable=None, terms=None, axis=None):
        """The atom of that kind: the same for what is computed alike."""
        look = None if variable is None else self.likeness.look(variable)
        alike = self.alike.setdefault((kind, terms, axis, look), [])
        for number in alike:
            if variable is None or self.likeness.same(
                self.atoms[number].variable, variable
            ):
                return fractions.atom(number)
        alike.append(len(self.atoms))
        self.atoms.append(_Atom(kind, variable, terms, axis))
        return fractions.atom(alike[-1])

    @_remembered(steps=2)
    def value(self, variable, depth):
        """A variable as a product of powers."""
        number = number_of(variable)
        if number is not None:
            return constant(number)
        return self._read(self._value, variable, depth) or self._atom(
            'itself', variable
        )

    @_remembered(steps=2)
    def exponential(self, variable, depth):
        """The exponential of a variable as a product of powers."""
        number = number_of(variable)
        if number is not None:
            return fractions.atom(_EULER, number) if number else ONE
        product = self._read(self._exponential, variable, depth)
        if product is None:
            product = self._atom('exp', variable)
        self._remember_exponent(variable, product)
        return product

    def _read(self, read, variable, depth):
        if (
            variable.owner is None
            or variable.dtype not in T.float_dtypes
            or self._is_too_deep()
        ):
            return None
        try:
            return read(variable, depth)
        except fractions.TooHard:
            return None

    def _may_read_again(self, cut_at):
        """Something that was cut at that level."""
        if cut_at <= self.level or self.times_again == _MOST_AGAIN:
            return False
        self.times_again += 1
        return True

    def _is_too_deep(self):
        is_too_deep = self.level > _DEEPEST
        self.cut = self.cut or is_too_deep
        return is_too_deep

    def _value(self, variable, depth):
        node = variable.owner
        if isinstance(node.op, (Softmax, SoftmaxWithBias)):
            return self._row_of(node)
        if isinstance(node.op, Elemwise):
            read = _VALUES.get(type(node.op.scalar_op))
            if read is not None:
                product = read(self, node.inputs, depth)
                if product is not None:
                    return product
        summed = _kept_reduction(variable)
        if summed is not None and isinstance(summed.owner.op, Sum):
            return self._sum_of(variable, summed, depth)
        return self._moved(variable, depth) or self._chosen(variable)

    def _row_of(self, node):
        """A softmax, or the exponential of a logarithmic one."""
        scores = node.inputs[0]
        if isinstance(node.op, SoftmaxWithBias):
            scores = scores + node.inputs[1]
            self.origins[scores] = node.inputs
        row = self._atom('exp', scores)
        self._remember_exponent(scores, row)
        return times(row, raised(self._sum(row, 1), -1, self.tolerance))

    def _sum(self, row, axis):
        return self._atom('sum', terms=_terms(row), axis=axis)

    def _sum_of(self, variable, summed, depth):
        row = self.value(summed.owner.inputs[0], depth)
        axes = _reduced_axes(variable)
        if row.sums or len(axes) != 1 or not row.powers:
            return None
        # What is the same for all classes is a factor of their sum.
        of_each = {
            number: power
            for number, power in row.powers.items()
            if self.atoms[number].axis != axes[0]
        }
        common = {
            number: power
            for number, power in row.powers.items()
            if number not in of_each
        }
        each = fractions.Product(1.0, of_each, {})
        return times(row._replace(powers=common), self._sum(each, axes[0]))

    def _moved(self, variable, depth):
        """Moves of what was computed are computed of what was moved."""
        arrangement = self._move_of(variable)
        if arrangement is None:
            return None
        product = self.value(arrangement.parts[0], depth)
        if self._is_opaque(product, 'itself'):
            return None
        try:
            return self._moved_product(product, arrangement)
        except fractions.TooHard:
            # A sum, or a part of another shape: what arranged() is for.
            return None

    def _moved_exponential(self, variable, depth):
        arrangement = self._move_of(variable)
        if arrangement is None:
            return None
        (part,) = arrangement.parts
        product = self.exponential(part, depth)
        if self._is_opaque(product, 'exp'):
            return None
        try:
            return self._moved_product(product, arrangement)
        except fractions.TooHard:
            return self.value(arrangement.arrange([T.exp(part)]), depth)

    def _move_of(self, variable):
        arrangement = moves.see(variable)
        return (
            None
            if arrangement is None or len(arrangement.parts) != 1
            else arrangement
        )

    def _moved_product(self, product, arrangement):
        sums = [
            raised(
                plus(
                    [
                        self._moved_term(factor, dict(key), arrangement)
                        for key, factor in base
                    ],
                    self.tolerance,
                ),
                power,
                self.tolerance,
            )
            for base, power in product.sums.items()
        ]
        return times(
            self._moved_term(product.factor, product.powers, arrangement),
            *sums,
        )

    def _moved_term(self, factor, powers, arrangement):
        return times(
            constant(factor),
            *[
                raised(
                    self._moved_atom(number, arrangement),
                    power,
                    self.tolerance,
                )
                for number, power in powers.items()
            ],
        )

    def _moved_atom(self, number, arrangement):
        one = self.atoms[number]
        if one.kind == 'e':
            return fractions.atom(number)
        (part,) = arrangement.parts
        if (
            one.kind == 'sum'
            or one.variable.broadcastable != part.broadcastable
        ):
            raise fractions.TooHard
        moved = arrangement.arrange([one.variable])
        self.origins[moved] = self._sources(one.variable)
        product = self._atom(one.kind, moved)
        if one.kind == 'exp':
            self._remember_exponent(moved, product)
        return product

    def _is_opaque(self, product, kind):
        """Whether reading has told nothing of a variable but its name."""
        return (
            not product.sums
            and product.factor == 1
            and list(product.powers.values()) == [1]
            and self.atoms[list(product.powers)[0]].kind == kind
        )

    def _chosen(self, variable):
        """The sigmoid that several, joined or chosen from, are."""
        found = self.arranged(variable)
        if found is None or found.kind != 'sigmoid':
            return None
        self.origins[found.scores] = found.sources
        return self._sigmoid_of(self.exponential(found.scores, 0))

    def _sigmoid_of(self, odds):
        below = plus([ONE, self._inverse(odds)], self.tolerance)
        return self._inverse(below)

    def _inverse(self, product):
        return raised(product, -1, self.tolerance)

    def _minus(self, product):
        return product._replace(factor=-product.factor)

    def _plus(self, *products):
        return plus(products, self.tolerance)

    # Element-wise Ops: each takes their inputs, and how deep to read

    def _values(self, inputs, depth):
        return [self.value(one, depth) for one in inputs]

    def _add(self, inputs, depth):
        return self._plus(*self._values(inputs, depth))

    def _sub(self, inputs, depth):
        one, other = self._values(inputs, depth)
        return self._plus(one, self._minus(other))

    def _mul(self, inputs, depth):
        return times(*self._values(inputs, depth))

    def _div(self, inputs, depth):
        one, other = self._values(inputs, depth)
        return times(one, self._inverse(other))

    def _neg(self, inputs, depth):
        return self._minus(self.value(inputs[0], depth))

    def _inv(self, inputs, depth):
        return self._inverse(self.value(inputs[0], depth))

    def _sqr(self, inputs, depth):
        return raised(self.value(inputs[0], depth), 2, self.tolerance)

    def _pow(self, inputs, depth):
        power = number_of(inputs[1])
        return None if power is None else self._power(inputs, depth, power)

    def _sqrt(self, inputs, depth):
        return self._power(inputs, depth, 0.5)

    def _power(self, inputs, depth, power):
        product = self.value(inputs[0], depth)
        # A root of what may be negative is not the product of roots.
        if power != int(power) and not self._is_positive(product):
            return None
        return raised(product, power, self.tolerance)

    def _is_positive(self, product):
        factors = [product.factor] + [
            factor for base in product.sums for _, factor in base
        ]
        # What is a softmax behind joins and choices is no product of powers.
        return min(factors) > 0 and all(
            one.kind != 'itself' or self.arranged(one.variable)
            for one in self._atoms_in(product)
        )

    def _atoms_in(self, product):
        numbers = list(product.powers) + [
            number for base in product.sums for number in _in(base)
        ]
        return [self.atoms[number] for number in numbers]

    def _exp(self, inputs, depth):
        return self.exponential(inputs[0], depth)

    def _expm1(self, inputs, depth):
        return self._plus(self._exp(inputs, depth), constant(-1))

    def _of_sigmoid(self, inputs, depth):
        return self._sigmoid_of(self.exponential(inputs[0], depth))

    def _tanh(self, inputs, depth):
        # 2 sigmoid(2 z) - 1
        odds = raised(self.exponential(inputs[0], depth), 2, self.tolerance)
        twice = times(constant(2), self._sigmoid_of(odds))
        return self._plus(twice, constant(-1))

    def _last(self, inputs, depth):
        return self.value(inputs[-1], depth)

    def _cast(self, inputs, depth):
        product = self.value(inputs[0], depth)
        # Of an integer the cast is the float to go on with.
        return None if inputs[0].dtype in T.discrete_dtypes else product

    def _switch(self, inputs, depth):
        condition = number_of(inputs[0])
        one, other = self._values(inputs[1:], depth)
        if condition is not None:
            return one if condition else other
        difference = self._plus(one, self._minus(other))
        return one if difference.factor == 0 else None

    # Exponents

    def _exponential(self, variable, depth):
        node = variable.owner
        if isinstance(node.op, LogSoftmax):
            return self._row_of(node)
        if isinstance(node.op, Elemwise):
            read = _EXPONENTIALS.get(type(node.op.scalar_op))
            if read is None:
                return None
            product = read(self, node.inputs, depth)
            if isinstance(node.op.scalar_op, (scal.Add, scal.Sub)) and all(
                self._is_opaque(self.exponential(one, depth), 'exp')
                for one in node.inputs
            ):
                # There is no more to say of the summands than of their sum,
                # and it is the sum that its author has computed.
                self._remember_exponent(variable, product)
                return None
            return product
        return self._moved_exponential(variable, depth)

    def _exp_of_sum(self, inputs, depth):
        return times(*[self.exponential(one, depth) for one in inputs])

    def _exp_of_difference(self, inputs, depth):
        one, other = [self.exponential(one, depth) for one in inputs]
        return times(one, self._inverse(other))

    def _exp_of_minus(self, inputs, depth):
        return self._inverse(self.exponential(inputs[0], depth))

    def _exp_of_product(self, inputs, depth):
        numbers = [number_of(one) for one in inputs]
        others = [
            one for one, number in zip(inputs, numbers) if number is None
        ]
        if len(others) != 1:
            return None
        by = np.prod([number for number in numbers if number is not None])
        return raised(
            self.exponential(others[0], depth), float(by), self.tolerance
        )

    def _exp_of_quotient(self, inputs, depth):
        number = number_of(inputs[1])
        if not number:
            return None
        return raised(
            self.exponential(inputs[0], depth), 1 / number, self.tolerance
        )

    def _exp_of_view(self, inputs, depth):
        product = self.exponential(inputs[-1], depth)
        return None if self._is_opaque(product, 'exp') else product

    def _exp_of_log(self, inputs, depth):
        if not self._may_go_on(depth):
            return None
        return self.value(inputs[0], depth - 1)

    def _exp_of_log1p(self, inputs, depth):
        if not self._may_go_on(depth):
            return None
        return self._plus(ONE, self.value(inputs[0], depth - 1))

    def _exp_of_softplus(self, inputs, depth):
        if not self._may_go_on(depth):
            return None
        return self._plus(ONE, self.exponential(inputs[0], depth - 1))

    def _may_go_on(self, depth):
        self.stopped = self.stopped or depth == 0
        return depth > 0


_VALUES = {
    scal.Add: _Reader._add,
    scal.Sub: _Reader._sub,
    scal.Mul: _Reader._mul,
    scal.TrueDiv: _Reader._div,
    scal.Neg: _Reader._neg,
    scal.Inv: _Reader._inv,
    scal.Sqr: _Reader._sqr,
    scal.Pow: _Reader._pow,
    scal.Sqrt: _Reader._sqrt,
    scal.Exp: _Reader._exp,
    scal.Expm1: _Reader._expm1,
    scal.Tanh: _Reader._tanh,
    scal.Second: _Reader._last,
    scal.Identity: _Reader._last,
    scal.Cast: _Reader._cast,
    scal.Switch: _Reader._switch,
    CastBothWays: _Reader._cast,
    ScalarSigmoid: _Reader._of_sigmoid,
}

_EXPONENTIALS = {
    scal.Add: _Reader._exp_of_sum,
    scal.Sub: _Reader._exp_of_difference,
    scal.Mul: _Reader._exp_of_product,
    scal.TrueDiv: _Reader._exp_of_quotient,
    scal.Neg: _Reader._exp_of_minus,
    scal.Second: _Reader._exp_of_view,
    scal.Identity: _Reader._exp_of_view,
    scal.Cast: _Reader._exp_of_view,
    scal.Log: _Reader._exp_of_log,
    scal.Log1p: _Reader._exp_of_log1p,
    CastBothWays: _Reader._exp_of_view,
    ScalarSoftplus: _Reader._exp_of_softplus,
}


def _key(product):
    """The powers of a product of exponentials, its factor among them."""
    powers = dict(product.powers)
    powers[_EULER] = powers.get(_EULER, 0.0) + float(np.log(product.factor))
    return tuple(
        sorted((number, power) for number, power in powers.items() if power)
    )


def _in(base):
    """The atoms in a sum of a product."""
    return [number for key, _ in base for number, _ in key]


def _terms(product):
    return tuple(sorted(product.powers.items()))


def _scaled(variable, power):
    """A variable times a number, of the variable's type."""
    if power == 1:
        return variable
    if power == -1:
        return -variable
    dtype = (
        variable.dtype
        if variable.dtype in T.float_dtypes
        else theano.config.floatX
    )
    return variable * T.constant(power, dtype=dtype)


def _power_of(variable, power, dtype):
    """A variable to the power of a number, of a float type or a wider one."""
    if variable.dtype in T.discrete_dtypes:
        variable = variable.astype(dtype)
    exponent = T.constant(power, dtype=variable.dtype)
    return variable if power == 1 else variable**exponent


def number_of(variable):
    """The number that all elements of a variable are known to be, or None."""
    try:
        number = float(T.get_scalar_constant_value(variable, max_recur=4))
    except T.NotScalarConstantError:
        return None
    return number if np.isfinite(number) else None


def _wider(dtype, other):
    """The wider of two types; integers are no wider than any float."""
    return other if dtype in T.discrete_dtypes else scal.upcast(dtype, other)


def laid_out(scores, output):
    """Logits in the shape and pattern of an output, and its type or wider."""
    scores = T.as_tensor_variable(scores)
    scores = cast_both_ways(scores, _wider(scores.dtype, output.dtype))
    if any(
        one and not other
        for one, other in zip(scores.broadcastable, output.broadcastable)
    ):
        shape = [output.shape[axis] for axis in range(output.ndim)]
        scores = moves.alloc(scores, shape)
    return same_pattern(scores, output.broadcastable)


# ---------------------------------------------------------------------------
# What lies between predictions and logits


def is_input(variable):
    """Whether nothing but moves, or 1 - p, happened to an input."""
    reader = _Reader(0, _tolerance(variable), False, True, _Likeness())
    return reader.is_input(variable)


#: What a formula can be given instead of predictions.
#:
#: variables : these
#: sources : what they and the predictions are made of
#: inputs_of : a function that gives the inputs of a variable between the
#:     predictions and the sources that are between them as well, or sources
Seen = namedtuple('Seen', 'variables sources inputs_of')


def twin(variable, seen):
    """A variable once more, computed anew from what its logits are made of.

    It has no name, nor what users mark variables with: whoever replaces all
    variables of a name must not find it.
    """
    copies = {source: source for source in seen.sources}

    def copy(one):
        if one not in copies:
            carried = seen.inputs_of(one)
            copies[one] = one
            if carried:
                inputs = [
                    copy(v) if v in carried else v for v in one.owner.inputs
                ]
                node = one.owner.clone_with_new_inputs(inputs)
                copies[one] = anonymous(node.outputs[one.index])
        return copies[one]

    return copy(variable)


def carried(variable):
    """The inputs whose elements a variable is computed from, one by one."""
    arrangement = moves.see(variable)
    if arrangement is not None:
        return arrangement.parts
    if variable.owner is not None and isinstance(
        variable.owner.op, (Elemwise, Sum) + SOFTMAXES
    ):
        return variable.owner.inputs
    return []


def passed_over(variable, seen):
    """What a variable is computed from and, as seen, does not depend on.

    As `x` in ``p + 0 * x``. Nothing that is made of its logits alone.
    """
    done, leaves, variables = set(seen.sources), [], [variable]
    while variables:
        one = variables.pop()
        if one in done or getattr(one, 'dtype', '') not in T.float_dtypes:
            continue
        done.add(one)
        if seen.inputs_of(one) and not moves.is_dam(one):
            variables.extend(one.owner.inputs)
        else:
            leaves.append(one)
    return [one for one in leaves if _is_made_of_more(one, seen.sources)]


def _is_made_of_more(variable, sources):
    """Whether there is an input to it that is not behind the sources."""
    inputs = gof.graph.inputs([variable], blockers=sources)
    return any(
        one not in sources and not isinstance(one, theano.Constant)
        for one in inputs
    )


def anonymous(variable):
    """A new variable without the name and marks of that it is a copy of."""
    marks = variable.tag
    variable.name, variable.tag = None, gof.utils.scratchpad()
    if hasattr(marks, 'test_value'):
        variable.tag.test_value = marks.test_value
    return variable


def is_stable(variable):
    """Whether a variable is a sigmoid or softmax, and written as such."""
    node = variable.owner
    return node is not None and (
        isinstance(node.op, SOFTMAXES)
        or moves.is_elementwise(variable, ScalarSigmoid)
    )


# ---------------------------------------------------------------------------
# Softmaxes


def _inputs_of(variable, scalar_op):
    """The inputs of an element-wise `scalar_op`, or None if it is not that."""
    if moves.is_elementwise(variable, scalar_op):
        return variable.owner.inputs
    return None


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
