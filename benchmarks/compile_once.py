"""Compile one training function and print how long that took, as JSON.

    python benchmarks/compile_once.py CONTENDER LOSS

compile_time.py runs this, in a fresh process each time.
"""

import time

start = time.perf_counter()

import importlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

import numpy as np  # noqa: E402

import cases  # noqa: E402
import networks  # noqa: E402

contender = importlib.import_module('contenders.' + sys.argv[1])

import theano  # noqa: E402 (after ours, which makes it importable)
import theano.tensor as T  # noqa: E402

from contenders import theano_networks  # noqa: E402
from contenders.theano_functions import type_of  # noqa: E402

imported = time.perf_counter()

BATCH, INPUTS, HIDDEN, OUTPUTS = 128, 784, 256, 10


def layer(x, inputs, outputs):
    """The output of a layer, and its parameters."""
    weights, bias = [
        theano.shared(
            np.random.RandomState(3)
            .normal(size=shape, scale=0.1)
            .astype('float32')
        )
        for shape in [(inputs, outputs), (outputs,)]
    ]
    return T.dot(x, weights) + bias, [weights, bias]


def two_layers(loss, x, t):
    """Loss and updates of a network of two layers."""
    hidden, parameters = layer(x, INPUTS, HIDDEN)
    scores, more = layer(T.nnet.relu(hidden), HIDDEN, OUTPUTS)
    parameters += more
    value = loss(scores, t)
    gradients = theano.grad(value, parameters)
    return value, [
        (parameter, parameter - np.float32(0.01) * gradient)
        for parameter, gradient in zip(parameters, gradients)
    ]


def main():
    name = sys.argv[2]
    of_network = name in networks.NETWORKS
    if of_network:
        batch, targets = networks.data_of(
            cases.Case(name, networks.STEP, '', 'float32')
        )
    else:
        size = '%dx%d' % (BATCH, OUTPUTS)
        _, targets = cases.data_of(
            cases.Case(name, cases.GRADIENT, size, 'float32')
        )
        batch = np.zeros((BATCH, INPUTS), 'float32')
    begun = time.perf_counter()
    x, t = type_of(batch)(), type_of(targets)()
    if of_network:
        value, updates = theano_networks.training(name, vars(contender), x, t)
    else:
        value, updates = two_layers(getattr(contender, name), x, t)
    built = time.perf_counter()
    function = theano.function([x, t], value, updates=updates)
    compiled = time.perf_counter()
    function(batch, targets)  # it works
    print(
        json.dumps(
            {
                'import': imported - start,
                'build': built - begun,
                'compile': compiled - built,
            }
        )
    )


if __name__ == '__main__':
    main()
