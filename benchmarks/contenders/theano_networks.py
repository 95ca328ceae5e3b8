"""The networks of networks.py in Theano, for both who use it."""

import lasagne_objectives  # noqa: F401 (lets Theano be imported)
import numpy as np
import theano
import theano.tensor as T
from theano.tensor.signal.pool import pool_2d

from networks import LEARNING_RATE, STEP, parameters_of

# Which loss of a contender a network is trained with.
LOSSES = {
    'digits': 'softmax_indices',
    'convolutions': 'softmax_indices',
    'tagger': 'tags',
    'many_classes': 'softmax_indices',
    'segmentation': 'pixels',
}


def _dense(x, weights, bias):
    return T.dot(x, weights) + bias


def _convolved(x, weights, bias, border='valid'):
    # filters as PyTorch has them
    maps = T.nnet.conv2d(x, weights, border_mode=border, filter_flip=False)
    return maps + bias.dimshuffle('x', 0, 'x', 'x')


def digits(x, weights_1, bias_1, weights_2, bias_2, weights_3, bias_3):
    hidden = T.nnet.relu(_dense(x, weights_1, bias_1))
    hidden = T.nnet.relu(_dense(hidden, weights_2, bias_2))
    return _dense(hidden, weights_3, bias_3)


def convolutions(x, filters_1, bias_1, filters_2, bias_2, *of_dense):
    maps = T.nnet.relu(_convolved(x, filters_1, bias_1))
    maps = pool_2d(maps, (2, 2), ignore_border=True)
    maps = T.nnet.relu(_convolved(maps, filters_2, bias_2))
    maps = pool_2d(maps, (2, 2), ignore_border=True)
    hidden = T.nnet.relu(_dense(maps.flatten(2), *of_dense[:2]))
    return _dense(hidden, *of_dense[2:])


def tagger(x, of_input, of_hidden, bias, weights, bias_of_tags):
    units = 100

    def step(drive, hidden, cell, of_hidden):
        gates = drive + T.dot(hidden, of_hidden)
        i, f, g, o = [gates[:, k * units : (k + 1) * units] for k in range(4)]
        cell = T.nnet.sigmoid(f) * cell + T.nnet.sigmoid(i) * T.tanh(g)
        return T.nnet.sigmoid(o) * T.tanh(cell), cell

    drives = _dense(x.dimshuffle(1, 0, 2), of_input, bias)
    nothing = T.zeros((x.shape[0], units))
    (hidden, _), _ = theano.scan(
        step, drives, [nothing, nothing], [of_hidden], strict=True
    )
    rows = hidden.dimshuffle(1, 0, 2).reshape((-1, units))
    return _dense(rows, weights, bias_of_tags)


many_classes = _dense


def segmentation(x, filters, bias):
    return _convolved(x, filters, bias, 'half')


def training(name, formulas, batch, targets):
    """The loss of a network, and the updates of its parameters.

    Parameters
    ----------
    name : str
        One of `networks.NETWORKS`.
    formulas : dict
        The globals of a contender.
    batch, targets : Theano variables

    Returns
    -------
    loss : Theano scalar
    updates : list of pairs
    """
    parameters = [theano.shared(array) for array in parameters_of(name)]
    loss = formulas[LOSSES[name]](globals()[name](batch, *parameters), targets)
    return loss, descent(loss, parameters)


def descent(loss, parameters):
    """The updates of parameters by gradient descent."""
    gradients = theano.grad(loss, parameters)
    rate = np.float32(LEARNING_RATE)
    return [
        (parameter, parameter - rate * gradient)
        for parameter, gradient in zip(parameters, gradients)
    ]


def compiled(case, formulas, values_type, targets_type):
    """The function that a case times.

    Parameters
    ----------
    case : cases.Case
    formulas : dict
        The globals of a contender.
    values_type, targets_type : Theano types

    Returns
    -------
    function
    """
    theano.config.floatX = 'float32'
    values, targets = values_type(), targets_type()
    if case.kind == STEP:
        loss, updates = training(case.loss, formulas, values, targets)
        return theano.function([values, targets], [loss], updates=updates)
    loss = formulas[LOSSES[case.loss]](values, targets)
    return theano.function(
        [values, targets], [loss, theano.grad(loss, values)]
    )
