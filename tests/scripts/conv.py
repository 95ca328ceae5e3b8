"""A convolutional network, in a dictionary of layers."""
import collections

import numpy as np
import theano
import theano.tensor as T

import lasagne
import lasagne.objectives as obj
from lasagne import layers
from lasagne.nonlinearities import softmax

lasagne.random.set_rng(np.random.RandomState(1))
net = collections.OrderedDict()
net['input'] = layers.InputLayer((None, 1, 8, 8))
net['conv'] = layers.Conv2DLayer(net['input'], 4, 3, nonlinearity=None)
net['pool'] = layers.MaxPool2DLayer(net['conv'], 2)
net['prob'] = layers.DenseLayer(net['pool'], 2, nonlinearity=softmax)

images, labels = T.tensor4(), T.ivector()
p = layers.get_output(net['prob'], images)
loss = obj.aggregate(obj.categorical_crossentropy(p, labels))
params = layers.get_all_params(net['prob'], trainable=True)
updates = lasagne.updates.sgd(loss, params, learning_rate=0.1)
f = theano.function([images, labels], loss, updates=updates)

x = np.random.RandomState(1).rand(10, 1, 8, 8).astype(theano.config.floatX)
t = (np.arange(10) % 2).astype('int32')
x[t == 1, :, 3:5] += 1
history = [float(f(x, t)) for _ in range(30)]
print('loss fell:', history[-1] < history[0] / 2)
