"""The ways people write a sigmoid and a softmax in Theano, those that the contract lists: name -> function of the logits.

A softmax also takes the axis that holds the classes.
"""

from collections import OrderedDict

import theano.tensor as T


def on_matrix(function, z, axis):
    """What only knows the rows of a matrix, on any axis of any tensor: the way Lasagne users do it, with dimshuffle and reshape."""
    axis %= z.ndim
    if z.ndim == 2 and axis == 1:
        return function(z)
    last = [a for a in range(z.ndim) if a != axis] + [axis]
    moved = z.dimshuffle(last)
    p = function(moved.reshape((-1, moved.shape[-1]))).reshape(moved.shape, ndim=z.ndim)
    return p.dimshuffle([last.index(a) for a in range(z.ndim)])


def nnet_softmax(z, axis=-1):
    return on_matrix(T.nnet.softmax, z, axis)


def exp_logsoftmax(z, axis=-1):
    return on_matrix(lambda rows: T.exp(T.nnet.logsoftmax(rows)), z, axis)


def exp_over_sum(z, axis=-1):
    e = T.exp(z)
    return e / e.sum(axis=axis, keepdims=True)


def exp_over_sum_written_twice(z, axis=-1):
    return T.exp(z) / T.exp(z).sum(axis=axis, keepdims=True)


def exp_over_sum_dimshuffled(z, axis=-1):
    axis %= z.ndim
    rest = iter(range(z.ndim - 1))
    e = T.exp(z)
    return e / T.sum(e, axis=axis).dimshuffle(['x' if a == axis else next(rest) for a in range(z.ndim)])


def exp_minus_max(z, axis=-1):
    e = T.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def exp_minus_max_written_twice(z, axis=-1):
    def e():
        return T.exp(z - T.max(z, axis=axis, keepdims=True))

    return e() / T.sum(e(), axis=axis, keepdims=True)


SIGMOIDS = OrderedDict(
    [
        ('T.nnet.sigmoid(z)', T.nnet.sigmoid),
        ('1 / (1 + exp(-z))', lambda z: 1 / (1 + T.exp(-z))),
        ('1.0 / (1.0 + exp(-z))', lambda z: 1.0 / (1.0 + T.exp(-z))),
        ('1 / (exp(-z) + 1)', lambda z: 1 / (T.exp(-z) + 1)),
    ]
)

SOFTMAXES = OrderedDict(
    [
        ('T.nnet.softmax(z)', nnet_softmax),
        ('exp(T.nnet.logsoftmax(z))', exp_logsoftmax),
        ('e / e.sum()', exp_over_sum),
        ('exp(z) / exp(z).sum()', exp_over_sum_written_twice),
        ('e / e.sum().dimshuffle()', exp_over_sum_dimshuffled),
        ('e / e.sum(), e = exp(z - max)', exp_minus_max),
        ('exp(z - max) / exp(z - max).sum()', exp_minus_max_written_twice),
    ]
)
