"""How wrong a loss gets, by output layer and mode of compilation.

Run it to write docs/user/numerics_table.rst. Each cell is the largest error,
from an actual run in float32, of a loss and of its gradient, relative to the
true value or to 1, whichever is larger; true is what 50 digits say. The logits
are 0, 0.001, 0.01, ... 10 000 and their negatives. "Plain" is Theano's own
T.nnet.binary_crossentropy or T.nnet.categorical_crossentropy, or the formula
of the hinge.
"""

import lasagne_objectives as lo  # before theano, which it makes importable

import os
import sys
from collections import OrderedDict

import numpy as np
import theano
import theano.tensor as T

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, 'tests'))

import oracle  # noqa: E402 (from the tests)
from ways import SIGMOIDS, SOFTMAXES  # noqa: E402

MODES = OrderedDict(
    [
        ('FAST_RUN', 'FAST_RUN'),
        ('FAST_COMPILE', 'FAST_COMPILE'),
        (
            'no optimizer',
            theano.compile.mode.Mode(linker='py', optimizer=None),
        ),
    ]
)
MAGNITUDES = np.concatenate([[0], 10.0 ** np.arange(-3, 5), [20, 40, 90, 300]])


def plain_hinge(p, t):
    return T.maximum(0, 1 - (2 * t - 1) * T.log(p / (1 - p)))


def our_hinge(p, t):
    return lo.binary_hinge_loss(p, t, log_odds=False)


BINARY = (
    lo.binary_crossentropy,
    T.nnet.binary_crossentropy,
    oracle.binary_of_sigmoid,
)
CATEGORICAL = (
    lo.categorical_crossentropy,
    T.nnet.categorical_crossentropy,
    oracle.categorical_of_softmax,
)
HINGE = our_hinge, plain_hinge, oracle.hinge_of_sigmoid

# (how the predictions are written, in reStructuredText; how they are made;
# our loss, the plain one, the true one)
ROWS = [
    ('``%s``' % code, way) + BINARY
    for code, way in SIGMOIDS.items()
    if '.0' not in code
]
ROWS += [
    ('``T.nnet.sigmoid(z)[:n]``', lambda z: T.nnet.sigmoid(z)[: z.shape[0]])
    + BINARY,
    (
        '``T.nnet.sigmoid(z).reshape(...)``',
        lambda z: T.nnet.sigmoid(z).reshape((1, -1)).reshape(z.shape),
    )
    + BINARY,
    ('``T.nnet.sigmoid(z)``, hinge of the log-odds', T.nnet.sigmoid) + HINGE,
]
ROWS += [
    ('``%s``' % code, way) + CATEGORICAL
    for code, way in SOFTMAXES.items()
    if 'dimshuffle' not in code
]
ROWS += [
    ('``T.nnet.softmax(z)[:n]``', lambda z: T.nnet.softmax(z)[: z.shape[0]])
    + CATEGORICAL,
    (
        '``T.nnet.softmax(z)[indices]``',
        lambda z: T.nnet.softmax(z)[T.arange(z.shape[0])],
    )
    + CATEGORICAL,
    (
        '``T.nnet.softmax(z).reshape(...)``',
        lambda z: T.nnet.softmax(z).reshape((1, -1, 5)).reshape(z.shape),
    )
    + CATEGORICAL,
]


def case(true_loss):
    """Logits and targets: each with each, or rows of five with each class."""
    z = np.concatenate([MAGNITUDES, -MAGNITUDES]).astype('float32')
    if true_loss is not oracle.categorical_of_softmax:
        return [
            a.copy()
            for a in np.broadcast_arrays(
                z[:, None], np.array([0, 1], 'float32')
            )
        ]
    patterns = np.array(
        [[1, -0.5, 0.3, 0, -1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]
    )
    rows = (z[:, None, None] * patterns).reshape(-1, 5).astype('float32')
    return np.repeat(rows, 5, axis=0), np.tile(
        np.arange(5, dtype='int32'), len(rows)
    )


def largest_error(way, loss, true_loss, mode):
    """Over the loss and its gradient, over all cases. NaN is the largest."""
    logits, targets = case(true_loss)
    z, t = (
        T.fmatrix('z'),
        T.TensorType(str(targets.dtype), (False,) * targets.ndim)('t'),
    )
    value = loss(way(z), t)
    with theano.change_flags(floatX='float32'), np.errstate(all='ignore'):
        got = theano.function(
            [z, t], [value, theano.grad(value.sum(), z)], mode=mode
        )(logits, targets)
    errors = [
        oracle.error(a, true) / np.maximum(1, true.size)
        for a, true in zip(got, oracle.exact(true_loss, logits, targets))
    ]
    return max(
        np.nan_to_num(error, nan=np.inf, posinf=1e300).max()
        for error in errors
    )


def shown(error):
    return (
        'NaN'
        if error == np.inf
        else 'inf'
        if error == 1e300
        else '0'
        if error == 0
        else '%.0e' % error
    )


def measure():
    """{row: [plain and ours for each mode]}, as shown in the table."""
    return OrderedDict(
        (
            row,
            [
                shown(largest_error(way, loss, true_loss, mode))
                for mode in MODES.values()
                for loss in (plain, ours)
            ],
        )
        for row, way, ours, plain, true_loss in ROWS
    )


def table(cells):
    """The measured cells as a table in reStructuredText."""
    lines = [
        '.. Written by docs/figures/output_layers.py, from an actual run.',
        '',
        '.. list-table::',
        '   :header-rows: 1',
        '   :class: small',
        '',
    ]
    header = ['predictions'] + [
        '%s, %s' % (mode, whose)
        for mode in MODES
        for whose in ('plain', 'ours')
    ]
    for row in [header] + [[name] + values for name, values in cells.items()]:
        lines += [
            '%s %s' % ('   * -' if i == 0 else '     -', cell)
            for i, cell in enumerate(row)
        ]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    with open(
        os.path.join(HERE, os.pardir, 'user', 'numerics_table.rst'), 'w'
    ) as output:
        output.write(table(measure()))
