"""Derivatives of an Op through the same formula in Theano's own Ops.

A kernel gives its first derivative explicitly. Further ones are rare enough
to be left to Theano, which differentiates the formula written with its
standard Ops.
"""

import theano
from theano import gof
import theano.tensor as T
from theano.gradient import DisconnectedType


def _differentiable(variable):
    return variable.dtype in T.float_dtypes


def _fresh(inputs):
    """Stand-ins for `inputs`, all different and without a history."""
    return [_stand_in(variable.type(), variable) for variable in inputs]


def _stand_in(variable, original):
    """A variable with the test value of another, if Theano computes these."""
    if theano.config.compute_test_value != 'off':
        try:
            variable.tag.test_value = gof.op.get_test_value(original)
        except AttributeError:
            pass  # it has none: Theano will say so, as its flag tells it to
    return variable


def _substituted(variable, values):
    """Rebuild a formula of stand-ins on what they stand for.

    Unlike ``theano.clone`` it leaves alone whatever `values` are computed
    from: a copy could not be replaced together with its original any more.
    """
    if variable in values or variable.owner is None:
        return values.get(variable, variable)
    node = variable.owner
    inputs = [_substituted(v, values) for v in node.inputs]
    rebuilt = node.clone_with_new_inputs(inputs, strict=False)
    values.update(zip(node.outputs, rebuilt.outputs))
    return values[variable]


def pull_back(formula, inputs, gradient):
    """Gradients of ``formula(*inputs)`` with respect to each of `inputs`.

    Parameters
    ----------
    formula : callable
        Builds one Theano variable.
    inputs : list of Theano variables
        May contain one twice, or depend on each other: each is taken as an
        independent argument.
    gradient : Theano variable
        The gradient with respect to the result.

    Returns
    -------
    list
        A gradient for each input, disconnected where it is an integer.
    """
    arguments = _fresh(inputs)
    result = formula(*arguments)
    incoming = _stand_in(result.type(), gradient)
    wanted = [v for v in arguments if _differentiable(v)]
    found = theano.grad(
        None,
        wanted,
        known_grads={result: incoming},
        disconnected_inputs='ignore',
    )
    values = dict(zip(arguments, inputs))
    values[incoming] = T.cast(gradient, incoming.dtype)
    by_argument = {
        argument: _substituted(gradient, values)
        for argument, gradient in zip(wanted, found)
    }
    return [by_argument.get(v, DisconnectedType()()) for v in arguments]


def push_forward(formula, inputs, points):
    """Directional derivative of ``formula(*inputs)`` along `points`.

    Points are None for inputs that do not move.
    """
    arguments = _fresh(inputs)
    moving = [
        (v, point)
        for v, point in zip(arguments, points)
        if point is not None and _differentiable(v)
    ]
    if not moving:
        return None
    variables = [v for v, _ in moving]
    directions = [_stand_in(v.type(), point) for v, point in moving]
    derivative = T.Rop(formula(*arguments), variables, directions)
    values = dict(zip(arguments, inputs))
    values.update(zip(directions, [point for _, point in moving]))
    return _substituted(derivative, values)
