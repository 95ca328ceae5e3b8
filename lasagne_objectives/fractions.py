"""Writes what element-wise Ops compute as a product of powers.

Every way to spell a sigmoid or a softmax is a fraction of exponentials.
Multiplied out and reduced they are all the same: a sigmoid is
``1 / (1 + exp(-z))``, its complement ``exp(-z) / (1 + exp(-z))``, a softmax
``exp(z) / sum(exp(z))``. This is the school algebra that brings them to that
form. Theano's own rewrites reduce fractions too, but know neither exponentials
nor complements, and take longer: for the 24 spellings of
``tests/test_never_worse.py`` its ``canonicalize`` takes 20 ms (median; at most
53), all that :func:`lasagne_objectives.logits.find` does 0.5 (at most 0.9).
"""

import functools
from collections import namedtuple


#: ``factor * prod(atom ** power) * prod(sum ** power)``
#:
#: factor : float
#: powers : dict from an atom (a number, whose meaning is the reader's) to its
#:     power
#: sums : dict from a sum to its power. A sum is a tuple of terms, each the
#:     items of a dict of powers, sorted, and a factor. The first is 1.
Product = namedtuple('Product', 'factor powers sums')

ONE = Product(1.0, {}, {})

# Beyond it a sum is no sigmoid's denominator, and takes long to multiply out.
MOST_TERMS = 16


class TooHard(Exception):
    """The result is not such a product, or it is too long."""


def constant(value):
    """A number."""
    return Product(float(value), {}, {})


def atom(number, power=1.0):
    """A power of an atom."""
    return Product(1.0, {number: power}, {})


def close(x, y, tolerance):
    """Whether two numbers are equal to a few roundings."""
    return abs(x - y) <= tolerance * max(abs(x), abs(y))


def times(*products):
    """The product of products."""
    return functools.reduce(_times, products)


def _times(one, two):
    return Product(
        one.factor * two.factor,
        _combined(one.powers, two.powers),
        _combined(one.sums, two.sums),
    )


def _combined(one, two, sign=1):
    """The powers of a product, or with the sign -1 of a quotient."""
    powers = dict(one)
    for base, power in two.items():
        powers[base] = powers.get(base, 0.0) + sign * power
    return {base: power for base, power in powers.items() if power}


def raised(product, power, tolerance):
    """``product ** power``."""
    if product.factor == 0 and power < 0:
        raise TooHard
    if product.factor < 0 and power != int(power):
        raise TooHard
    return Product(
        product.factor**power,
        _scaled(product.powers, power, tolerance),
        _scaled(product.sums, power, tolerance),
    )


def _scaled(powers, by, tolerance):
    """Powers times a number: a tenth of ten, rounded, is one."""
    scaled = {base: power * by for base, power in powers.items()}
    return {
        base: float(round(power))
        if close(power, round(power), tolerance)
        else power
        for base, power in scaled.items()
        if power
    }


def plus(products, tolerance):
    """The sum of products, common sums taken out."""
    products = [product for product in products if product.factor]
    if not products:
        return constant(0)
    common = {}
    for base in {base for product in products for base in product.sums}:
        common[base] = min(product.sums.get(base, 0) for product in products)
    summands = {}
    for product in products:
        rest = _combined(product.sums, common, -1)
        for key, factor in _multiplied_out(product._replace(sums=rest)):
            summands.setdefault(key, []).append(factor)
    terms = {}
    for key, factors in summands.items():
        total = sum(factors)
        # What cancels leaves at most its rounding error.
        if abs(total) > tolerance * max(map(abs, factors)):
            terms[key] = total
    result = _from_terms(terms)
    return result._replace(sums=_combined(result.sums, common))


def _multiplied_out(product):
    """The terms of a product, sums multiplied out."""
    terms = {_key(product.powers): product.factor}
    for base, power in product.sums.items():
        if power != int(power) or power > MOST_TERMS:
            raise TooHard
        for _ in range(int(power)):
            longer = {}
            for key, factor in terms.items():
                for more, by in base:
                    one = _key(_combined(dict(key), dict(more)))
                    longer[one] = longer.get(one, 0) + factor * by
            terms = longer
            if len(terms) > MOST_TERMS:
                raise TooHard
    return terms.items()


def _key(powers):
    return tuple(sorted(powers.items()))


def _from_terms(terms):
    if not terms:
        return constant(0)
    first = functools.reduce(_lower, terms)
    factor, powers = terms[first], dict(first)
    if len(terms) == 1:
        return Product(factor, powers, {})
    reduced = tuple(
        sorted(
            (_key(_combined(dict(key), powers, -1)), by / factor)
            for key, by in terms.items()
        )
    )
    return Product(factor, powers, {reduced: 1})


def _lower(one, two):
    """The first of two terms in an order that common factors do not change.

    So ``1 + exp(z)`` and ``exp(-z) + 1`` become multiples of the same sum.
    """
    ratio = _combined(dict(one), dict(two), -1)
    return one if ratio[min(ratio)] < 0 else two


def split(base):
    """``x`` of a sum that is ``1 + x``, or None."""
    first, *others = [Product(factor, dict(key), {}) for key, factor in base]
    if len(others) != 1:
        return None
    return others[0] if not first.powers else first


def odds(product, tolerance):
    """``x`` of a product that is ``x / (1 + x)``, or None."""
    bases = list(product.sums)
    if len(bases) != 1 or product.sums[bases[0]] != -1 or len(bases[0]) != 2:
        return None
    numerator = product._replace(sums={})
    terms = [Product(factor, dict(key), {}) for key, factor in bases[0]]
    for one, other in terms, terms[::-1]:
        if one.powers == numerator.powers and close(
            one.factor, numerator.factor, tolerance
        ):
            return times(one, raised(other, -1, tolerance))
    return None
