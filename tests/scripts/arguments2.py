"""A network whose sizes are given, by one who takes sys.argv apart."""
import getopt, os, string, sys

import numpy as np, theano, theano.tensor as T
import lasagne
import arguments2_sizes

options, rest = getopt.getopt(sys.argv[1:], 'l:e:v', ['sizes=', 'loss='])
options = dict(options)
if options.has_key('-v'):
    print '%s: %d options, %s' % (os.path.basename(sys.argv[0]), len(options), string.join(rest, '+'))
sizes = arguments2_sizes.parse(options.get('--sizes', '4'))
loss = eval('lasagne.objectives.' + options['--loss'])
lasagne.random.set_rng(np.random.RandomState(2))
layer = lasagne.layers.InputLayer((None, 3))
for size in sizes:
    layer = lasagne.layers.DenseLayer(layer, size)
layer = lasagne.layers.DenseLayer(layer, 1, nonlinearity=lasagne.nonlinearities.sigmoid)
x, t = T.matrix(), T.ivector()
cost = loss(lasagne.layers.get_output(layer, x).flatten(), t).mean()
params = lasagne.layers.get_all_params(layer)
print sizes, len(params)
f = theano.function([x, t], cost, updates=lasagne.updates.sgd(cost, params, float(options['-l'])))
data = np.random.RandomState(2).randn(12, 3).astype(theano.config.floatX)
for epoch in range(int(options['-e'])):
    print '%d%%: %.6f' % (100 * (epoch + 1) / int(options['-e']), f(data, (data[:, 0] > 0).astype('int32')))
