#!/usr/bin/env python
"""A multi-layer perceptron, after the pattern of Lasagne's mnist example."""
from __future__ import print_function

import sys
import time

import numpy as np
import theano
import theano.tensor as T

import lasagne


def build_mlp(input_var=None):
    l_in = lasagne.layers.InputLayer(shape=(None, 5), input_var=input_var)
    l_in_drop = lasagne.layers.DropoutLayer(l_in, p=0.1)
    l_hid1 = lasagne.layers.DenseLayer(
        l_in_drop, num_units=8,
        nonlinearity=lasagne.nonlinearities.rectify,
        W=lasagne.init.GlorotUniform())
    l_out = lasagne.layers.DenseLayer(
        l_hid1, num_units=3,
        nonlinearity=lasagne.nonlinearities.softmax)
    return l_out


def iterate_minibatches(inputs, targets, batchsize):
    assert len(inputs) == len(targets)
    for start_idx in range(0, len(inputs) - batchsize + 1, batchsize):
        excerpt = slice(start_idx, start_idx + batchsize)
        yield inputs[excerpt], targets[excerpt]


def main(num_epochs=500):
    rng = np.random.RandomState(42)
    lasagne.random.set_rng(rng)
    X_train = rng.randn(60, 5).astype(theano.config.floatX)
    y_train = X_train[:, :3].argmax(axis=1).astype(np.int32)

    input_var = T.matrix('inputs')
    target_var = T.ivector('targets')
    network = build_mlp(input_var)

    prediction = lasagne.layers.get_output(network)
    loss = lasagne.objectives.categorical_crossentropy(prediction, target_var)
    loss = loss.mean()
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.nesterov_momentum(
        loss, params, learning_rate=0.1, momentum=0.9)

    test_prediction = lasagne.layers.get_output(network, deterministic=True)
    test_acc = T.mean(T.eq(T.argmax(test_prediction, axis=1), target_var),
                      dtype=theano.config.floatX)
    train_fn = theano.function([input_var, target_var], loss, updates=updates)
    val_fn = theano.function([input_var, target_var], test_acc)

    for epoch in range(num_epochs):
        train_err = 0
        train_batches = 0
        start_time = time.time()
        for batch in iterate_minibatches(X_train, y_train, 20):
            inputs, targets = batch
            train_err += train_fn(inputs, targets)
            train_batches += 1
        print("Epoch {} of {} took {:.3f}s".format(
            epoch + 1, num_epochs, time.time() - start_time))
        print("  training loss:\t\t{:.6f}".format(train_err / train_batches))
    print("  accuracy:\t\t{:.2f} %".format(
        100 * float(val_fn(X_train, y_train))))


if __name__ == '__main__':
    if ('--help' in sys.argv) or ('-h' in sys.argv):
        print("Trains a neural network using Lasagne.")
        print("Usage: %s [EPOCHS]" % sys.argv[0])
    else:
        kwargs = {}
        if len(sys.argv) > 1:
            kwargs['num_epochs'] = int(sys.argv[1])
        main(**kwargs)
