"""Adds marked numbers of a sequence, with a recurrent layer."""
import numpy as np
import theano
import theano.tensor as T
import lasagne
from lasagne.layers import *

LENGTH, UNITS, BATCH = 6, 5, 8
rng = np.random.RandomState(7)
lasagne.random.set_rng(rng)


def gen_data():
    numbers = rng.uniform(size=(BATCH, LENGTH))
    marks = np.zeros((BATCH, LENGTH))
    for row in marks:
        row[rng.permutation(LENGTH)[:2]] = 1
    X = np.dstack([numbers, marks]).astype(theano.config.floatX)
    return X, (numbers * marks).sum(axis=1).astype(theano.config.floatX)


l_in = InputLayer((None, LENGTH, 2))
l_forward = RecurrentLayer(l_in, UNITS, grad_clipping=100,
                           nonlinearity=lasagne.nonlinearities.tanh)
l_out = DenseLayer(SliceLayer(l_forward, -1, 1), num_units=1,
                   nonlinearity=None)
target_values = T.vector('target_output')
predicted_values = get_output(l_out).flatten()
cost = T.mean(lasagne.objectives.squared_error(predicted_values, target_values))
all_params = get_all_params(l_out)
updates = lasagne.updates.adagrad(cost, all_params, 0.1)
train = theano.function([l_in.input_var, target_values], cost, updates=updates)

for epoch in range(4):
    print("cost = %.6f" % np.mean([train(*gen_data()) for _ in range(5)]))
