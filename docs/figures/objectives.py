"""Draw every objective and its gradient over the predictions.

Run it to draw docs/figures/objectives/*.svg. What is drawn are the functions
of this package, run by Theano, not formulas written once more.
"""

import lasagne_objectives as lo  # before theano, which it makes importable

import os

import numpy as np
import theano
import theano.tensor as T
from matplotlib.figure import Figure

import style
from style import BLUE, GREEN, GREY, ORANGE

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'objectives')

x = T.vector('x')
FIRST = T.zeros_like(x, dtype='int32')  # the class of every target
DIFFERENCES = np.linspace(-3.5, 3.5, 301)
PROBABILITIES = np.linspace(0, 1, 301)[1:-1]
LOG_ODDS = np.linspace(-4, 4, 300)


def run(loss, numbers):
    """The loss and its gradient at each of the numbers that `x` stands for."""
    gradient = theano.grad(
        loss.astype('float64').sum(), x, disconnected_inputs='ignore'
    )
    return theano.function([x], [loss, gradient], mode='FAST_COMPILE')(numbers)


def scores(x, *others):
    """Rows of classes: class 0 has the score `x`, the others are fixed."""
    return T.stack([x] + [T.zeros_like(x) + other for other in others], axis=1)


def draw_column(axes, numbers, losses, xlabel):
    """Losses above, their gradients below.

    `losses` maps what the legend says to a colour and a loss made of `x`.
    """
    value, gradient = axes
    for place, (label, (colour, loss)) in enumerate(losses.items()):
        for panel, line in zip(axes, run(loss, numbers)):
            # dashes let a line be seen that lies below another
            panel.plot(
                numbers,
                line,
                color=colour,
                label=label,
                linestyle='-' if place == 0 else (0, (5, 1 + place)),
            )
    gradient.set_xlabel(xlabel)
    value.margins(x=0)


def picture(value, gradient, *columns):
    """A figure with a column for each of (numbers, losses, label of x).

    `value` and `gradient` set what the panels above and below show.
    """
    figure = Figure(figsize=(5, 4.6), layout='constrained')
    panels = figure.subplots(
        2, len(columns), sharex='col', sharey='row', squeeze=False
    )
    for axes, column in zip(panels.T, columns):
        draw_column(axes, *column)
    panels[0, 0].set(**dict({'ylabel': 'loss'}, **value))
    panels[1, 0].set(**dict({'ylabel': 'gradient'}, **gradient))
    if len(columns[0][1]) > 1:
        panels[0, 0].legend()
    return figure


def binary_crossentropy():
    def losses(p):
        return {
            't = 1': (BLUE, lo.binary_crossentropy(p, 1)),
            't = 0': (ORANGE, lo.binary_crossentropy(p, 0)),
            't = 0.7': (GREEN, lo.binary_crossentropy(p, 0.7)),
        }

    return picture(
        {'ylim': (-0.2, 6.2)},
        {'ylim': (-6, 6)},
        (PROBABILITIES, losses(x), 'prediction p'),
        (LOG_ODDS, losses(T.nnet.sigmoid(x)), 'logit z, p = sigmoid(z)'),
    )


def categorical_crossentropy():
    def loss(p):
        return {'': (BLUE, lo.categorical_crossentropy(p, FIRST))}

    return picture(
        {'ylim': (-0.2, 6.2)},
        {'ylim': (-6, 0.3)},
        (PROBABILITIES, loss(scores(x, 0)), "p of the target's class"),
        (
            LOG_ODDS,
            loss(T.nnet.softmax(scores(x, 0, 0))),
            "logit of the target's class,\nthose of two others being 0",
        ),
    )


def squared_error():
    return picture(
        {},
        {},
        (
            DIFFERENCES,
            {'': (BLUE, lo.squared_error(x, 0))},
            'prediction - target',
        ),
    )


def binary_hinge_loss():
    def losses(p, log_odds):
        return {
            't = %d' % t: (
                colour,
                lo.binary_hinge_loss(p, t, log_odds=log_odds),
            )
            for t, colour in ((1, BLUE), (0, ORANGE))
        }

    return picture(
        {'ylim': (-0.2, 6.2)},
        {'ylim': (-12, 12)},
        (LOG_ODDS, losses(x, True), 'log-odds,\nlog_odds=True'),
        (PROBABILITIES, losses(x, False), 'probability,\nlog_odds=False'),
    )


def multiclass_hinge_loss():
    losses = {
        'delta = %s' % delta: (
            colour,
            lo.multiclass_hinge_loss(scores(x, 0.0, 1.0), FIRST, delta),
        )
        for delta, colour in ((1, BLUE), (0.5, ORANGE))
    }
    return picture(
        {},
        {},
        (
            np.linspace(-2, 4, 300),
            losses,
            "score of the target's class,\nthose of two others being 0 and 1",
        ),
    )


def huber_loss():
    losses = {
        'delta = %s' % delta: (colour, lo.huber_loss(x, 0, delta))
        for delta, colour in ((1, BLUE), (0.5, ORANGE), (2, GREEN))
    }
    losses['squared error / 2'] = GREY, lo.squared_error(x, 0) / 2
    return picture({}, {}, (DIFFERENCES, losses, 'prediction - target'))


def aggregate():
    """Four losses with weights: what each contributes to the scalar."""
    losses, weights = (
        np.array([1.0, 4.0, 2.0, 3.0]),
        np.array([1.0, 1.0, 0.5, 0.0]),
    )
    modes = {'mean': BLUE, 'normalized_sum': GREEN, 'sum': ORANGE}
    figure = Figure(figsize=(5, 4.6), layout='constrained')
    above, below = figure.subplots(2, 1)
    for place, (mode, colour) in enumerate(modes.items()):
        loss, share = run(lo.aggregate(x, weights, mode), losses)
        above.bar(place, loss, 0.6, color=colour)
        above.text(place, loss + 0.15, '%.2f' % loss, ha='center')
        below.bar(
            np.arange(4) + (place - 1) * 0.27,
            share,
            0.25,
            color=colour,
            label=mode,
        )
    above.set(
        ylabel='aggregated loss',
        xticks=range(3),
        ylim=(0, 7),
        xticklabels=["'%s'" % mode for mode in modes],
    )
    below.set(
        ylabel='gradient',
        ylim=(0, 1.1),
        xticks=range(4),
        xticklabels=[
            'loss %g\nweight %g' % pair for pair in zip(losses, weights)
        ],
    )
    below.legend()
    for axes in (above, below):
        axes.grid(False, axis='x')
    return figure


def binary_accuracy():
    accuracies = {
        't = 1': (BLUE, lo.binary_accuracy(x, 1)),
        't = 0': (ORANGE, lo.binary_accuracy(x, 0)),
    }
    return picture(
        {'ylabel': 'accuracy'},
        {'ylim': (-1, 1)},
        (PROBABILITIES, accuracies, 'prediction p, threshold=0.5'),
    )


def categorical_accuracy():
    accuracies = {
        'top_k=%d' % k: (
            colour,
            lo.categorical_accuracy(scores(x, 0.0, 1.0, 2.0), FIRST, top_k=k),
        )
        for k, colour in ((1, BLUE), (2, ORANGE), (3, GREEN))
    }
    return picture(
        {'ylabel': 'accuracy'},
        {'ylim': (-1, 1)},
        (
            np.linspace(-1, 3, 401),
            accuracies,
            "score of the target's class,\nthose of others being 0, 1 and 2",
        ),
    )


def main():
    style.apply()
    os.makedirs(FOLDER, exist_ok=True)
    for name in lo.__all__:
        style.save(globals()[name](), os.path.join(FOLDER, name + '.svg'))


if __name__ == '__main__':
    main()
