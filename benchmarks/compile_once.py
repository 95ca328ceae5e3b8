"""Compile one training function and print how long that took, as JSON.

    python benchmarks/compile_once.py CONTENDER LOSS

compile_time.py runs this, in a fresh process each time. What Python takes to
look through all its objects for garbage is counted apart: it does that now and
then, and whether once more before all is done is a matter of a few objects.

The contender theano_alone is plain Theano to which this package lends nothing.
"""

import gc
import time


class Stopwatch:
    """The seconds of each step, and of the full collections in all of them."""

    def __init__(self):
        self.steps, self.collecting = {}, 0.0
        self.begun = self.collection_begun = time.perf_counter()
        gc.callbacks.append(self._collect)

    def _collect(self, phase, information):
        if information['generation'] < 2:
            return
        if phase == 'start':
            self.collection_begun = time.perf_counter()
        else:
            took = time.perf_counter() - self.collection_begun
            self.collecting += took
            self.begun += took

    def skip(self):
        """Count what has been done since the last step for none."""
        self.begun = time.perf_counter()

    def stop(self, step):
        """End a step; the next begins."""
        self.steps[step] = time.perf_counter() - self.begun
        self.skip()


watch = Stopwatch()

import importlib  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import types  # noqa: E402

import numpy as np  # noqa: E402

import cases  # noqa: E402
import networks  # noqa: E402

contender = 'contenders.' + sys.argv[1]
if sys.argv[1] == 'theano_alone':
    # What the modules of plain Theano import to have Theano repaired.
    name = 'lasagne_objectives'
    sys.modules[name] = types.ModuleType(name)
    contender = 'contenders.plain_theano'

# Before the contender, so that all import Theano in the same order: what
# memory Python gives back to the system on the way, and asks for again,
# depends on the order, and takes up to 0.03 s.
from contenders import theano_networks  # noqa: E402
from contenders.theano_functions import type_of  # noqa: E402

import theano  # noqa: E402
import theano.tensor as T  # noqa: E402

contender = importlib.import_module(contender)

watch.stop('import')

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
    return value, theano_networks.descent(value, parameters)


def main():
    name = sys.argv[2]
    of_network = name in networks.NETWORKS
    kind = networks.STEP if of_network else cases.GRADIENT
    batch, targets = cases.data_of(
        cases.Case(name, kind, '%dx%d' % (BATCH, OUTPUTS), 'float32')
    )
    if not of_network:  # those were scores
        batch = np.zeros((BATCH, INPUTS), 'float32')
    watch.skip()
    x, t = type_of(batch)(), type_of(targets)()
    if of_network:
        value, updates = theano_networks.training(name, vars(contender), x, t)
    else:
        value, updates = two_layers(getattr(contender, name), x, t)
    watch.stop('build')
    function = theano.function([x, t], value, updates=updates)
    watch.stop('compile')
    function(batch, targets)  # it works
    versions = dict(contender.versions(), Python=platform.python_version())
    # With none, products are NumPy's.
    versions['links a BLAS'] = bool(theano.config.blas.ldflags)
    seconds = dict(watch.steps, collect=watch.collecting)
    print(json.dumps({'seconds': seconds, 'versions': versions}))


if __name__ == '__main__':
    main()
