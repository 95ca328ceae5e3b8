"""Theano without this package: the textbook formula, or Lasagne 0.2's."""

import lasagne_objectives  # noqa: F401 (lets Theano be imported)
import numpy as np
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


def _rows(z):
    """What T.nnet.softmax and the formulas above take: rows of classes."""
    return z.dimshuffle(0, 2, 3, 1).reshape((-1, z.shape[1]))


def pixels(z, t):
    return softmax_indices(_rows(z), t.flatten())


pixels_as_rows = pixels


def pixels_soft(z, t):
    return softmax_dense(_rows(z), _rows(t))


def pixels_hinge(z, t):
    return multiclass_hinge(_rows(z), t.flatten())


def pixels_top5(z, t):
    return top5(_rows(z), t.flatten())


def tags(z, t):
    t = t.flatten()
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(z), t)
    mask = T.cast(T.gt(t, 0), z.dtype)
    return (loss * mask).sum() / mask.sum()


def sequences(z, t):
    return tags(z.reshape((-1, 200)), t)


def time_first(z, t):
    return sequences(z.dimshuffle(1, 0, 2), t.T)


columns = softmax_indices


def one_hot_bytes(z, t):
    return softmax_dense(z, T.cast(t, z.dtype))


def chosen_rows(z, t):
    rows = np.arange(0, 8192, 2)
    return softmax_indices(z[rows], t[rows])


def class_weights(z, t):
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(z), t)
    return (loss * T.arange(1, 11, dtype=z.dtype)[t]).mean()


one_output = sigmoid

prepare = theano_functions.compiler(globals())
