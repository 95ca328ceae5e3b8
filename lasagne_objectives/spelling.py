"""Writes the sigmoids and softmaxes that predictions are made of as such.

Predictions that are no sigmoid or softmax may be made of some: clipped, with
noise, beside something else. They keep the loss of what they are. But
``T.exp(z) / (1 + T.exp(z))`` in them is infinity over infinity for a large
`z`, unless an optimizer sees what it is. So it is written anew, as the sigmoid
that :func:`lasagne_objectives.logits.find` finds. The user's graph stays as it
is: :func:`respelled` makes another.
"""

import theano
import theano.scalar as scal
import theano.tensor as T
from theano.tensor.basic import MaxAndArgmax
from theano.tensor.elemwise import CAReduce, Elemwise

from lasagne_objectives import logits, moves
from lasagne_objectives.kernels.elementwise import cast_both_ways

# Deeper expressions are somebody's network, not what became of its output: 8
# Ops, or 16 moves and choices.
_DEEPEST = 16


def respelled(variable):
    """A variable with the sigmoids and softmaxes in it written as such.

    Parameters
    ----------
    variable : Theano tensor

    Returns
    -------
    logits.Seen or None
        None if they are already, or there are none.
    """
    writer = _Writer()
    anew = writer.written(variable)
    if anew is variable:
        return None
    return logits.Seen([anew], writer.kept, _inputs)


def settled(variables, found):
    """What a formula is given of what was found, as far as not known stable.

    Logits are left as they are: somebody may ask for their gradient. What is
    compared in choices is written anew, and whatever a sigmoid or softmax is
    multiplied by, or an exponential is of.
    """
    product = found.product if found.kind == 'multiple' else found
    writer = _Writer(
        () if product.is_exponential else product.sources,
        discrete_only=not (product.is_exponential or found.kind == 'multiple'),
    )
    return [writer.written(variable) for variable in variables]


class _Writer:
    """Writes variables anew, each once.

    Parameters
    ----------
    sources : list
        Variables to be left as they are.
    discrete_only : bool
        Whether only that is written anew of which integers or booleans are
        computed.
    """

    def __init__(self, sources=(), discrete_only=False):
        self.results = {source: source for source in sources}
        self.discrete_only = discrete_only
        self.kept = []
        self.finder = logits.Finder()

    def written(self, variable, depth=0):
        """The variable written anew, itself if there is nothing to write."""
        if variable not in self.results:
            self.results[variable] = variable
            if (
                depth <= _DEEPEST
                and isinstance(variable.type, T.TensorType)
                and not logits.is_stable(variable)
            ):
                self.results[variable] = self._anew(variable, depth)
        return self.results[variable]

    def _anew(self, variable, depth):
        depth += 1 if moves.see(variable) else 2
        found = None if self.discrete_only else self._find(variable)
        if found is not None:
            self.kept += found.sources
            return _output(found, variable)
        undone = _undone(variable)
        if undone is not None:
            anew = self.written(undone, depth)
            self.kept += [undone] if anew is undone else []
            return _as(anew, variable)
        inputs = _inputs(variable)
        anew = [self._input(one, depth) for one in inputs]
        unchanged = [one for one, new in zip(inputs, anew) if one is new]
        if len(unchanged) == len(inputs):
            return variable
        self.kept += unchanged
        node = variable.owner.clone_with_new_inputs(anew)
        return logits.anonymous(node.outputs[variable.index])

    def _find(self, variable):
        """The sigmoid or softmax that is computed, or the logarithm of one."""
        # What has only been moved is written where it was computed.
        if (
            variable.owner is None
            or _is_discrete(variable)
            or moves.see(variable) is not None
        ):
            return None
        is_logarithm = moves.is_elementwise(variable, logits.LOGARITHMS)
        found = self.finder.find(T.exp(variable) if is_logarithm else variable)
        return None if found is None or found.is_exponential else found

    def _input(self, variable, depth):
        if self.discrete_only and _is_discrete(variable):
            return _Writer().written(variable, depth)
        return self.written(variable, depth)


def _is_discrete(variable):
    return (
        isinstance(variable.type, T.TensorType)
        and variable.dtype in T.discrete_dtypes
    )


def _output(found, variable):
    if moves.is_elementwise(variable, logits.LOGARITHMS):
        output = found.log_probabilities()
    else:
        output = found.probabilities()
    return _as(output, variable)


def _undone(variable):
    """`x` of what only does something to `x` and undoes it, or None.

    ``exp(log(x))`` and ``1 / (1 / x)``, whose gradients are 0 times infinity
    at 0, and ``1 - (1 - x)``, which loses the digits of a small `x`.
    """
    if moves.is_elementwise(variable, scal.Exp):
        (logarithm,) = variable.owner.inputs
        if moves.is_elementwise(logarithm, scal.Log):
            return logarithm.owner.inputs[0]
    number, inside = _number_over(variable)
    if number:
        other, x = _number_over(inside)
        if other == number:
            return x
    return _undone_sum(variable)


def _number_over(variable):
    """The number of a number divided by something, and that; or None twice."""
    if moves.is_elementwise(variable, scal.Inv):
        return 1.0, variable.owner.inputs[0]
    if moves.is_elementwise(variable, scal.TrueDiv):
        number = logits.number_of(variable.owner.inputs[0])
        if number:
            return number, variable.owner.inputs[1]
    return None, None


def _undone_sum(variable):
    """`x` where numbers added to `x` and signs cancel."""
    x, shift, sign, shifts = variable, 0.0, 1, 0
    while moves.is_elementwise(x, _LINEAR):
        inputs = x.owner.inputs
        numbers = [logits.number_of(one) for one in inputs]
        unknown = [one for one, n in zip(inputs, numbers) if n is None]
        if len(unknown) != 1 or _is_discrete(unknown[0]):
            break
        is_difference = moves.is_elementwise(x, scal.Sub)
        signs = [1] + [-1 if is_difference else 1] * (len(inputs) - 1)
        if moves.is_elementwise(x, scal.Neg):
            signs = [-1]
        terms = [s * n for s, n in zip(signs, numbers) if n is not None]
        shift += sign * sum(terms)
        shifts += any(terms)
        sign *= signs[numbers.index(None)]
        (x,) = unknown
    return x if shifts and shift == 0 and sign == 1 else None


def _as(anew, variable):
    anew = cast_both_ways(anew, variable.dtype)
    return logits.laid_out(anew, variable)


def _inputs(variable):
    """The inputs of an Op that is looked into."""
    node = variable.owner
    is_open = node is not None and (
        isinstance(node.op, _OPEN) or moves.see(variable) is not None
    )
    return node.inputs if is_open else []


_LINEAR = scal.Add, scal.Sub, scal.Neg, scal.Cast
_OPEN = (
    Elemwise,
    CAReduce,
    MaxAndArgmax,
    theano.compile.ViewOp,
) + logits.SOFTMAXES
