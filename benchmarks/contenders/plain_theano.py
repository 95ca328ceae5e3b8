"""Theano without this package: the textbook formula, or Lasagne 0.2's."""

import lasagne_objectives  # noqa: F401 (lets Theano be imported)
import theano
import theano.tensor as T

from contenders import theano_functions
from contenders.theano_functions import (  # noqa: F401
    as_arrays,
    versions,
)


def softmax_indices(z, t):
    return T.nnet.categorical_crossentropy(T.nnet.softmax(z), t).mean()


softmax_dense = softmax_indices


def sigmoid(z, t):
    return T.nnet.binary_crossentropy(T.nnet.sigmoid(z), t).mean()


def squared_error(z, t):
    return T.sqr(z - t).mean()


def huber(z, t):
    distance = abs(z - t)
    return T.switch(
        distance <= 1, 0.5 * T.sqr(distance), distance - 0.5
    ).mean()


def binary_hinge(z, t):
    return T.nnet.relu(1 - z * (2 * t - 1)).mean()


def multiclass_hinge(z, t):
    classes = z.shape[1]
    one_hot = T.extra_ops.to_one_hot(t, classes)
    correct = z[one_hot.nonzero()]
    rest = T.reshape(z[(1 - one_hot).nonzero()], (-1, classes - 1))
    return T.nnet.relu(T.max(rest, axis=1) - correct + 1).mean()


def top1(z, t):
    return T.eq(T.argmax(z, axis=-1), t).mean(dtype=theano.config.floatX)


def top5(z, t):
    best = T.argsort(z, axis=-1)[:, -5:]
    return T.any(T.eq(best, T.shape_padright(t)), axis=-1).mean(
        dtype=theano.config.floatX
    )


prepare = theano_functions.compiler(globals())
