"""This package, called as its documentation says."""

import lasagne_objectives as lo  # before theano, which it makes importable
import theano.tensor as T

from contenders import theano_functions
from contenders.theano_functions import as_arrays  # noqa: F401


def versions():
    return dict(theano_functions.versions(), lasagne_objectives=lo.__version__)


def softmax_indices(z, t):
    return lo.aggregate(lo.categorical_crossentropy(T.nnet.softmax(z), t))


softmax_dense = softmax_indices


def sigmoid(z, t):
    return lo.aggregate(lo.binary_crossentropy(T.nnet.sigmoid(z), t))


def squared_error(z, t):
    return lo.aggregate(lo.squared_error(z, t))


def huber(z, t):
    return lo.aggregate(lo.huber_loss(z, t))


def binary_hinge(z, t):
    return lo.aggregate(lo.binary_hinge_loss(z, t, log_odds=True))


def multiclass_hinge(z, t):
    return lo.aggregate(lo.multiclass_hinge_loss(z, t))


def top1(z, t):
    return lo.aggregate(lo.categorical_accuracy(z, t))


def top5(z, t):
    return lo.aggregate(lo.categorical_accuracy(z, t, top_k=5))


prepare = theano_functions.compiler(globals())
