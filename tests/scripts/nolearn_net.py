"""A regression with nolearn's NeuralNet."""
import lasagne
import numpy as np
from lasagne import layers
from lasagne.updates import nesterov_momentum
from nolearn.lasagne import NeuralNet

rng = np.random.RandomState(11)
lasagne.random.set_rng(rng)
X = rng.randn(60, 4).astype(np.float32)
y = X.sum(axis=1, keepdims=True) / 2


class Decay(object):
    """Lowers the learning rate, as on_epoch_finished."""

    def __call__(self, nn, train_history):
        rate = nn.update_learning_rate
        rate.set_value(np.cast['float32'](rate.get_value() * 0.9))


import theano
net = NeuralNet(
    layers=[('input', layers.InputLayer), ('hidden', layers.DenseLayer),
            ('output', layers.DenseLayer)],
    input_shape=(None, 4), hidden_num_units=6,
    output_nonlinearity=None, output_num_units=1,
    update=nesterov_momentum, update_momentum=0.9,
    update_learning_rate=theano.shared(np.float32(0.05)),
    regression=True, on_epoch_finished=[Decay()], max_epochs=4, verbose=0)
net.fit(X, y)
for row in net.train_history_:
    print('%.6f %.6f' % (row['train_loss'], row['valid_loss']))
