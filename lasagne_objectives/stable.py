"""Losses that are functions of logits where the predictions have them.

A loss that is simply built on the recovered logits no longer contains the
predictions: replacing them afterwards (``theano.clone``, ``givens``) would
silently give the old loss. So the loss is built as one node,
:class:`FromLogits`, that takes both and knows both formulas. When a function
is compiled, before any other rewrite, the node looks whether its predictions
still are made of its logits, and becomes the formula of the one or of the
other. Without an optimizer it decides when its thunk is made.
"""

import functools
from collections import namedtuple

import numpy as np
import theano
from theano import gof
import theano.tensor as T
from theano.compile import optdb
from theano.gradient import DisconnectedType
from theano.scan_module.scan_op import Scan

from lasagne_objectives import logits, spelling
from lasagne_objectives.kernels.derivatives import pull_back, push_forward
from lasagne_objectives.kernels.elementwise import (
    cast_both_ways,
    sigmoid_residual,
)
from lasagne_objectives.kernels.rows import along_axis, same_pattern


class _OwnKind:
    """Makes named tuples equal only to tuples of their own class."""

    def __eq__(self, other):
        return type(self) is type(other) and tuple.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash((type(self), tuple(self)))


# ---------------------------------------------------------------------------
# What a formula can be given instead of predictions


class _Link(_OwnKind):
    """From predictions to what the formula is given, and back.

    Subclasses say by `of` what that is of what :func:`logits.find` found, None
    if it does not serve, and by `predictions` what predictions are made of it.
    """

    #: How many variables it is
    count = 1

    def see(self, predictions, found):
        """All that is known of it, a :class:`logits.Seen`, or None."""
        wanted = None if found is None else self.of(found)
        if wanted is None:
            return None
        wanted = spelling.settled(wanted, found)
        return logits.Seen(wanted, found.sources, logits.carried)

    def find(self, predictions):
        """The variables that the formula is given, or None."""
        seen = self.see(predictions, self.search(predictions))
        return None if seen is None else seen.variables

    def search(self, predictions):
        """Find what :meth:`see` chooses from."""
        return logits.find(predictions)


class LogOdds(_Link, namedtuple('LogOdds', '')):
    """``log(p / (1 - p))`` of predictions that are taken one by one."""

    def of(self, found):
        return None if found.kind == 'multiple' else [found.log_odds()]

    def predictions(self, log_odds):
        return sigmoid_residual(log_odds, T.zeros_like(log_odds))


class SoftmaxLogits(_Link, namedtuple('SoftmaxLogits', 'axis')):
    """The input of a softmax, for predictions taken by rows of classes."""

    def of(self, found):
        is_whole = found.kind == 'softmax' and found.whole == self.axis
        return [found.logits()] if is_whole else None

    def predictions(self, logits_):
        return along_axis(T.nnet.softmax, logits_, self.axis)


class RowsOfLogits(_Link, namedtuple('RowsOfLogits', 'axis')):
    """The input of a softmax that reshapes may have torn.

    Together with whether its rows are whole, which may be known no sooner
    than when it is run; where they are not, log-probabilities.
    """

    count = 2

    def of(self, found):
        if getattr(found, 'hoped', None) != self.axis:
            return None
        conditions = found.conditions() or [T.constant(np.array(True))]
        whole = functools.reduce(T.and_, conditions)
        return [found.kept(whole), whole]

    def predictions(self, kept, whole):
        return T.switch(
            whole, along_axis(T.nnet.softmax, kept, self.axis), T.exp(kept)
        )


class SigmoidLogits(_Link, namedtuple('SigmoidLogits', '')):
    """The input of a sigmoid, to be ranked: it serves no derivative."""

    def of(self, found):
        return [found.logits()] if found.kind == 'sigmoid' else None


class LogProbabilities(_Link, namedtuple('LogProbabilities', 'of_all')):
    """``log(p)``, where classes may not stand in the rows of one softmax.

    Of all that has a logarithm, or of outputs of nonlinearities alone.
    """

    def of(self, found):
        others = ['multiple'] if self.of_all else ['multiple', 'product']
        return None if found.kind in others else [found.log_probabilities()]

    def predictions(self, log_probabilities):
        return T.exp(log_probabilities)


class Factors(_Link, namedtuple('Factors', '')):
    """The logarithm of one factor of the predictions, and the other."""

    count = 2

    def of(self, found):
        if found.kind != 'multiple':
            return None
        return [found.product.log_probabilities(), found.rest]

    def predictions(self, logarithm, rest):
        return T.exp(logarithm) * rest


class Respelled(_Link, namedtuple('Respelled', '')):
    """Predictions, with what they are made of written in a stable way."""

    def see(self, predictions, found):
        return spelling.respelled(predictions)

    def search(self, predictions):
        return None

    def predictions(self, respelled):
        return respelled


# ---------------------------------------------------------------------------
# Pairs of formulas


class Formulas(_OwnKind, namedtuple('Formulas', 'stable plain options count')):
    """A loss of logits and the same loss of predictions.

    stable, plain : functions of a module
        Called with the logits or the predictions, further operands, and the
        options by keyword.
    options : tuple of (name, value) pairs
    count : int
        How many variables the logits are.
    """

    def unread(self, count):
        """Positions of operands that the formula of the logits ignores."""
        return set()

    def directions(self, count):
        """As :meth:`PushForward.directions` says: none."""
        return []

    def from_logits(self, *operands):
        return self.stable(*operands, **dict(self.options))

    def from_predictions(self, predictions, *operands):
        operands = operands[self.count :]
        return self.plain(predictions, *operands, **dict(self.options))


class PullBack(_OwnKind, namedtuple('PullBack', 'formulas link position')):
    """The gradients of both formulas with respect to one operand.

    Operands are those of `formulas` and the gradient with respect to its
    result. The first positions mean the logits; in the formula of the
    predictions these count as what the predictions were made of.
    """

    @property
    def count(self):
        return self.link.count

    def unread(self, count):
        return self.formulas.unread(count - 1)

    def directions(self, count):
        return self.formulas.directions(count - 1)

    def from_logits(self, *operands):
        return pull_back(
            self.formulas.from_logits, operands[:-1], operands[-1]
        )[self.position]

    def from_predictions(self, predictions, *operands):
        *operands, gradient = operands
        through, *gradients = pull_back(
            self.formulas.from_predictions, [predictions] + operands, gradient
        )
        numbers = list(range(self.count))
        made = [(self.link.predictions, numbers, through)]
        for number, moving in self.formulas.directions(len(operands)):
            positions = numbers + list(moving.values())
            direction = self._direction(moving)
            made.append((direction, positions, gradients[number]))
        total = gradients[self.position]
        for formula, positions, its in made:
            if self.position in positions:
                inputs = [operands[position] for position in positions]
                more = pull_back(formula, inputs, its)
                total = total + more[positions.index(self.position)]
        return total

    def _direction(self, moving):
        """The direction of the predictions, of the logits and theirs."""

        def formula(*variables):
            points = dict(zip(moving, variables[self.count :]))
            return push_forward(
                self.link.predictions,
                variables[: self.count],
                [points.get(number) for number in range(self.count)],
            )

        return formula


class PushForward(_OwnKind, namedtuple('PushForward', 'formulas moving')):
    """The derivative of both formulas along given directions.

    Operands are those of `formulas`, then a direction for each of the
    positions in `moving`, counted with the predictions as 0 and the logits
    as 1.
    """

    def unread(self, count):
        # A gradient of 0 would meet, on the way back through what the
        # direction of the predictions was made of, infinite slopes.
        inner = count - len(self.moving)
        of_predictions = {inner} if self.moving[0] == 0 else set()
        return self.formulas.unread(inner) | of_predictions

    @property
    def count(self):
        return self.formulas.count

    def directions(self, count):
        """Positions of directions of predictions, and what they come of.

        Of each a dict from the number of a logit to the position of its
        direction.
        """
        inner = count - len(self.moving)
        moving = {
            number - 1: inner + i
            for i, number in enumerate(self.moving)
            if 1 <= number <= self.count
        }
        own = [(inner, moving)] if self.moving[0] == 0 and moving else []
        return self.formulas.directions(inner) + own

    def _split(self, operands):
        count = len(operands) - len(self.moving)
        points = dict(zip(self.moving, operands[count:]))
        return operands[:count], points

    def from_logits(self, *operands):
        inputs, points = self._split(operands)
        return push_forward(
            self.formulas.from_logits,
            inputs,
            [points.get(position + 1) for position in range(len(inputs))],
        )

    def from_predictions(self, predictions, *operands):
        inputs, points = self._split(operands)
        return push_forward(
            self.formulas.from_predictions,
            (predictions,) + inputs,
            [points.get(position) for position in range(len(inputs) + 1)],
        )


# ---------------------------------------------------------------------------
# The Op


class FromLogits(gof.Op):
    """A loss of predictions, computed from their logits.

    Inputs are the predictions, their twin (the same once more), the logits
    found for them (as many variables as the link says) and the operands of
    the formulas. The node stands for the formula of the predictions, whatever
    they are replaced with; as long as they are made of the logits it is
    computed, and differentiated, by the formula of the logits.

    The twin is for ``theano.scan``, which replaces, in the gradient of its
    step, all that equals a result of the step by an input with the result
    that it has kept: the predictions and the twin alike. Who replaces the
    predictions otherwise (``theano.clone``, ``givens``) names one variable.
    """

    __props__ = ('link', 'formulas')

    def __init__(self, link, formulas):
        self.link = link
        self.formulas = formulas

    def make_node(self, predictions, twin, *operands):
        # Only the type is wanted, which needs no test values.
        with theano.change_flags(compute_test_value='off'):
            result = self.formulas.from_logits(*operands)
        return gof.Apply(
            self, [predictions, twin] + list(operands), [result.type()]
        )

    def _is_made_of_logits(self, predictions, twin, *operands):
        found = self.link.find(predictions)
        if found is None:
            return logits.is_input(predictions) and logits.same(
                predictions, twin
            )
        return all(map(logits.same, found, operands))

    def _is_derivative(self):
        """Whether the formula of the predictions reads the logits too.

        That of a derivative does: for how the predictions were made of them.
        """
        return not isinstance(self.formulas, Formulas)

    def resolve(self, node):
        """The formula that a node is to be computed by, and its inputs."""
        predictions, _, *operands = node.inputs
        if self._is_made_of_logits(*node.inputs):
            return self.formulas.from_logits, operands
        return self.formulas.from_predictions, [predictions] + operands

    def expand(self, node):
        """The node's result, built by the formula that it resolves to."""
        formula, inputs = self.resolve(node)
        if not self._is_derivative():
            # Predictions replaced by others: these may have logits too.
            found = self.link.find(node.inputs[0])
            if found is not None:
                formula = self.formulas.from_logits
                inputs = found + node.inputs[2 + self.link.count :]
        # Logits may be of a wider type than the predictions.
        (result,) = node.outputs
        value = cast_both_ways(formula(*inputs), result.dtype)
        return same_pattern(value, result.broadcastable)

    def prepare_node(self, node, storage_map, compute_map, impl):
        # Without an optimizer nothing has replaced the node: it compiles its
        # formula for itself, with the predictions still as they were written.
        if impl == 'py':
            formula, inputs = self.resolve(node)
            arguments = [variable.type() for variable in inputs]
            with theano.change_flags(compute_test_value='off'):
                node.tag.formula = theano.function(
                    arguments,
                    formula(*arguments),
                    on_unused_input='ignore',
                    mode=theano.Mode(linker='py', optimizer=None),
                )

    def perform(self, node, inputs, output_storage):
        function = node.tag.formula
        predictions, _, *operands = inputs
        # The formula of the logits does without the predictions.
        if len(function.maker.inputs) > len(operands):
            operands = [predictions] + operands
        output_storage[0][0] = np.asarray(
            function(*operands), dtype=node.outputs[0].dtype
        )

    def connection_pattern(self, node):
        _, _, *operands = node.inputs
        made_of_logits = self._is_made_of_logits(*node.inputs)
        unread = self.formulas.unread(len(operands)) if made_of_logits else []
        connected = [
            operand.dtype in T.float_dtypes and position not in unread
            for position, operand in enumerate(operands)
        ]
        # An accuracy is constant in everything: the predictions may ask too.
        constant = node.outputs[0].dtype in T.discrete_dtypes
        if not (constant or made_of_logits or self._is_derivative()):
            connected[: self.link.count] = [False] * self.link.count
        return [[constant or not made_of_logits], [False]] + [
            [one] for one in connected
        ]

    def L_op(self, inputs, outputs, output_gradients):
        predictions, twin, *operands = inputs
        (gradient,) = output_gradients
        if outputs[0].dtype in T.discrete_dtypes:
            gradients = [
                variable.zeros_like()
                if variable.dtype in T.float_dtypes
                else DisconnectedType()()
                for variable in [predictions] + operands
            ]
        elif self._is_made_of_logits(*inputs):
            unread = self.formulas.unread(len(operands))
            gradients = [DisconnectedType()()] + [
                FromLogits(
                    self.link, PullBack(self.formulas, self.link, position)
                )(predictions, twin, *(operands + [gradient]))
                if variable.dtype in T.float_dtypes and position not in unread
                else DisconnectedType()()
                for position, variable in enumerate(operands)
            ]
        else:
            gradients = pull_back(
                self.formulas.from_predictions,
                [predictions] + operands,
                gradient,
            )
            if not self._is_derivative():
                for position in range(self.link.count):
                    gradients[position + 1] = DisconnectedType()()
        return gradients[:1] + [DisconnectedType()()] + gradients[1:]

    def R_op(self, inputs, eval_points):
        result = self(*inputs)
        if result.dtype in T.discrete_dtypes:
            return [result.zeros_like()]
        predictions, twin, *operands = inputs
        point, twin_point, *points = eval_points

        def plain(points):
            inputs = [predictions] + operands
            return push_forward(self.formulas.from_predictions, inputs, points)

        if not self._is_made_of_logits(*inputs):
            return [plain([point] + points)]
        aside = _difference(point, twin_point)
        terms = [
            self._push_forward(
                inputs, [point if aside is None else None] + points
            ),
            plain([aside] + [None] * len(operands)),
        ]
        terms = [term for term in terms if term is not None]
        return [sum(terms[1:], terms[0]) if terms else None]

    def _push_forward(self, inputs, points):
        """The derivative as a node of its own. The twin has no direction."""
        moving = tuple(
            position
            for position, variable in enumerate(inputs[:1] + inputs[2:])
            if points[position] is not None
            and variable.dtype in T.float_dtypes
        )
        if not moving:
            return None
        op = FromLogits(self.link, PushForward(self.formulas, moving))
        return op(*(inputs + [points[position] for position in moving]))


class FlatIn(gof.Op):
    """A result as it is, with gradients of 0 for variables beside it.

    The logits of ``p + 0 * x`` are without `x`. But whoever asks for the
    gradient with respect to `x` is owed the zeros that the plain formula
    gives, not an error.
    """

    __props__ = ()
    view_map = {0: [0]}

    def make_node(self, result, *others):
        return gof.Apply(self, [result] + list(others), [result.type()])

    def expand(self, node):
        return node.inputs[0]

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0]

    def L_op(self, inputs, outputs, output_gradients):
        return output_gradients + [other.zeros_like() for other in inputs[1:]]

    def R_op(self, inputs, eval_points):
        along = eval_points[0]
        return [inputs[0].zeros_like() if along is None else along]


def _flat_in(others, loss):
    # The gradients of accuracies are 0 for whatever they are made of.
    if not others or loss.dtype in T.discrete_dtypes:
        return loss
    return FlatIn()(loss, *others)


def _difference(point, twin_point):
    """Where predictions move other than as they are made of the logits.

    So they do where a derivative along the predictions themselves is asked
    for. None if they do not.
    """
    if point is None or twin_point is None:
        return point
    return None if logits.same(point, twin_point) else point - twin_point


def from_logits(predictions, *operands, plain, stable, **options):
    """A loss of `predictions`, computed from the logits behind them, if any.

    Parameters
    ----------
    predictions, *operands : Theano tensors
    plain : function
        The loss of the predictions.
    stable : list of (link, function)
        The loss of what the link finds; the first that finds something is
        used.
    **options
        Passed to the functions by keyword.
    """
    options = tuple(sorted(options.items()))
    found = logits.find(predictions)
    for link, formula in stable + [(Respelled(), plain)]:
        seen = link.see(predictions, found)
        if seen is not None:
            formulas = Formulas(formula, plain, options, link.count)
            twin = logits.twin(predictions, seen)
            inputs = [predictions, twin] + seen.variables + list(operands)
            loss = FromLogits(link, formulas)(*inputs)
            return _flat_in(logits.passed_over(predictions, seen), loss)
    return plain(predictions, *operands, **dict(options))


# ---------------------------------------------------------------------------
# The rewrite


_UNRESOLVED = FromLogits, FlatIn


class ResolveLogits(gof.Optimizer):
    """Replace every :class:`FromLogits` by the formula that it stands for.

    Runs before anything else: later the predictions would no longer look
    as their author wrote them.
    """

    def add_requirements(self, fgraph):
        fgraph.attach_feature(gof.toolbox.ReplaceValidate())

    def apply(self, fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, _UNRESOLVED):
                fgraph.replace_validate(
                    node.outputs[0],
                    node.op.expand(node),
                    reason='resolve_logits',
                )
            elif isinstance(node.op, Scan) and _has_unresolved(node.op):
                fgraph.replace_all_validate(
                    list(zip(node.outputs, self._resolved_scan(node))),
                    reason='resolve_logits',
                )

    def _resolved_scan(self, node):
        # Later rewrites move parts of the step function out of the loop, and
        # would part the predictions from their logits.
        step = gof.FunctionGraph(node.op.inputs, node.op.outputs, clone=True)
        self.optimize(step)
        scan = Scan(step.inputs, step.outputs, node.op.info)
        return scan(*node.inputs, return_list=True)


def _has_unresolved(scan):
    return any(
        isinstance(node.op, _UNRESOLVED)
        or isinstance(node.op, Scan)
        and _has_unresolved(node.op)
        for node in gof.graph.io_toposort(scan.inputs, scan.outputs)
    )


optdb.register(
    'resolve_logits', ResolveLogits(), -0.5, 'fast_run', 'fast_compile'
)
