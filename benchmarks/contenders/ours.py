"""This package, called as its documentation says."""

import lasagne_objectives as lo  # before theano, which it makes importable
import numpy as np
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


def _softmax(z, axis):
    e = T.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def pixels(z, t):
    return lo.aggregate(lo.categorical_crossentropy(_softmax(z, 1), t, axis=1))


pixels_soft = pixels


def pixels_hinge(z, t):
    return lo.aggregate(lo.multiclass_hinge_loss(z, t, axis=1))


def pixels_top5(z, t):
    return lo.aggregate(lo.categorical_accuracy(z, t, top_k=5, axis=1))


def pixels_as_rows(z, t):
    rows = z.dimshuffle(0, 2, 3, 1).reshape((-1, z.shape[1]))
    return softmax_indices(rows, t.flatten())


def _of_each_step(z):
    rows = T.nnet.softmax(z.reshape((-1, 200)))
    return rows.reshape(z.shape)


def sequences(z, t):
    loss = lo.categorical_crossentropy(_of_each_step(z), t)
    return lo.aggregate(loss, T.gt(t, 0), 'normalized_sum')


def time_first(z, t):
    p = _of_each_step(z.dimshuffle(1, 0, 2))
    loss = lo.categorical_crossentropy(p, t.T)
    return lo.aggregate(loss, T.gt(t.T, 0), 'normalized_sum')


def tags(z, t):
    p = T.nnet.softmax(z).reshape((t.shape[0], t.shape[1], 20))
    loss = lo.categorical_crossentropy(p, t)
    return lo.aggregate(loss, T.gt(t, 0), 'normalized_sum')


columns = one_hot_bytes = softmax_indices


def chosen_rows(z, t):
    rows = np.arange(0, 8192, 2)
    return softmax_indices(z[rows], t[rows])


def class_weights(z, t):
    loss = lo.categorical_crossentropy(T.nnet.softmax(z), t)
    return lo.aggregate(loss, T.arange(1, 11, dtype=z.dtype)[t])


def one_output(z, t):
    z = T.addbroadcast(z, 1)  # as the output of a layer of one unit is
    return lo.aggregate(lo.binary_crossentropy(T.nnet.sigmoid(z), t[:, 0]))


prepare = theano_functions.compiler(globals())
