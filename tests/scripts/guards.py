"""Takes what is there: the usual guards of scripts that ran on GPUs."""
import time
from collections import Iterable

import numpy as np
import theano
import theano.tensor as T

try:
    import theano.sandbox.cuda
    theano.sandbox.cuda.use('gpu0')
except ImportError:
    print('no GPU')
import lasagne
try:
    from lasagne.layers.dnn import Conv2DDNNLayer as ConvLayer
except ImportError:
    try:
        from lasagne.layers.cuda_convnet import Conv2DCCLayer as ConvLayer
    except ImportError:
        from lasagne.layers import DenseLayer as ConvLayer
try:
    from theano.compat.python2x import OrderedDict
except ImportError:
    OrderedDict = dict
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams

start = time.clock()
lasagne.random.set_rng(np.random.RandomState(3))
net = OrderedDict()
net['in'] = lasagne.layers.InputLayer((None, 4))
net['out'] = ConvLayer(net['in'], 2, nonlinearity=lasagne.nonlinearities.sigmoid)
assert isinstance(net, Iterable)
x, t = T.matrix(), T.imatrix()
noise = MRG_RandomStreams(1).normal(x.shape, std=0.1)
p = lasagne.layers.get_output(net['out'], x + noise)
loss = lasagne.objectives.binary_crossentropy(p, t).mean()
params = lasagne.layers.get_all_params(net['out'])
train = theano.function([x, t], loss, updates=lasagne.updates.sgd(loss, params, 1.))
data = np.cast[theano.config.floatX](np.random.RandomState(3).randn(10, 4))
for _ in range(3):
    print('%.6f' % train(data, np.asarray(data[:, :2] > 0, np.int).astype('int32')))
assert time.clock() >= start
