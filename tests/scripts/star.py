"""One output unit, losses and accuracies of Lasagne's development version."""
import numpy as np
import theano
import theano.tensor as T
from lasagne.init import Constant
from lasagne.layers import *
from lasagne.nonlinearities import sigmoid
from lasagne.objectives import *
from lasagne.updates import adam

X, y = T.matrix(), T.ivector()
net = DenseLayer(InputLayer((None, 4), X), 1, W=Constant(0.01),
                 nonlinearity=sigmoid)
p = get_output(net).flatten()

losses = [aggregate(binary_crossentropy(p, y)),
          aggregate(binary_hinge_loss(p, y, log_odds=False), mode='sum'),
          aggregate(huber_loss(p, y, delta=0.5)),
          squared_error(p, y).mean()]
cost = sum(losses)
acc = binary_accuracy(p, y).mean()
train = theano.function([X, y], losses + [acc],
                        updates=adam(cost, get_all_params(net), 0.1),
                        allow_input_downcast=True)

rng = np.random.RandomState(0)
data = rng.randn(40, 4)
labels = (data[:, 0] > 0).astype('int32')
for i in range(30):
    results = train(data, labels)
print('shapes', [np.shape(r) for r in results], 'learnt', results[-1] > 0.9)
