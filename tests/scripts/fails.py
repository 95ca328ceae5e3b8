"""Stops in its second epoch."""
import lasagne
import numpy as np
import theano
import theano.tensor as T

x, t = T.vector('x'), T.vector('t')
loss = lasagne.objectives.aggregate(lasagne.objectives.squared_error(x, t))
f = theano.function([x, t], loss, allow_input_downcast=True)


def evaluate(epoch):
    value = f(np.ones(3), np.zeros(3))
    return {0: 'fine'}[epoch] + ' %g' % value


for epoch in range(3):
    print('epoch', epoch, evaluate(epoch))
