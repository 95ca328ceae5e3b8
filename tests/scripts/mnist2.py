#!/usr/bin/env python
"""Softmax regression with a hidden layer, as tutorials had it in Python 2.

Usage: python mnist2.py DATASET [EPOCHS]
"""
import cPickle
import gzip
import os
import sys
import time

import numpy
import theano
import theano.tensor as T

import lasagne


def load_data(dataset):
    data_dir, data_file = os.path.split(dataset)
    print '... loading data from', data_file
    f = gzip.open(dataset, 'rb')
    train_set, valid_set = cPickle.load(f)
    f.close()

    def shared((data_x, data_y), borrow=True):
        shared_x = theano.shared(numpy.asarray(data_x, dtype=theano.config.floatX), borrow=borrow)
        shared_y = theano.shared(numpy.asarray(data_y, dtype=theano.config.floatX), borrow=borrow)
        return shared_x, T.cast(shared_y, 'int32')

    return map(shared, [train_set, valid_set])


def main(dataset, n_epochs=3, batch_size=20):
    (train_x, train_y), (valid_x, valid_y) = load_data(dataset)
    n_batches = train_x.get_value(borrow=True).shape[0] / batch_size
    lasagne.random.set_rng(numpy.random.RandomState(23455))

    index = T.lscalar()
    x = T.matrix('x')
    y = T.ivector('y')
    network = lasagne.layers.InputLayer((None, 16), x)
    network = lasagne.layers.DenseLayer(network, 16 / 2)
    network = lasagne.layers.DenseLayer(network, 4, nonlinearity=lasagne.nonlinearities.softmax)
    p = lasagne.layers.get_output(network)
    cost = lasagne.objectives.categorical_crossentropy(p, y).mean()
    params = lasagne.layers.get_all_params(network)
    updates = lasagne.updates.nesterov_momentum(cost, params, 0.1)
    rows = slice(index * batch_size, (index + 1) * batch_size)
    train = theano.function([index], cost, updates=updates, givens={x: train_x[rows], y: train_y[rows]})
    errors = theano.function([], T.mean(T.neq(T.argmax(p, axis=1), y)), givens={x: valid_x, y: valid_y})

    start_time = time.clock()
    for epoch in xrange(n_epochs):
        costs = [train(i) for i in xrange(n_batches)]
        print 'epoch %i, cost %.6f, errors %.4f %%' % (epoch + 1, numpy.mean(costs), errors() * 100)
    print >> sys.stderr, 'ran for %.1fs' % (time.clock() - start_time)


if __name__ == '__main__':
    if len(sys.argv) < 2:
        print __doc__
        sys.exit(1)
    main(sys.argv[1], *map(int, sys.argv[2:]))
