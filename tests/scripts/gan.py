"""Two networks against each other, with 1 and 0 as targets."""
import numpy as np
import theano
import theano.tensor as T
import lasagne
from lasagne.layers import DenseLayer, InputLayer, get_all_params, get_output
from lasagne.nonlinearities import sigmoid
from lasagne.objectives import binary_crossentropy

rng = np.random.RandomState(5)
lasagne.random.set_rng(rng)
noise, real = T.matrix('noise'), T.matrix('real')
generator = DenseLayer(InputLayer((None, 3), noise), 2, nonlinearity=None)
critic = DenseLayer(DenseLayer(InputLayer((None, 2), real), 6), 1,
                    nonlinearity=sigmoid)

real_out = get_output(critic)
fake_out = get_output(critic, get_output(generator))
generator_loss = binary_crossentropy(fake_out, 1).mean()
critic_loss = (binary_crossentropy(real_out, 1)
               + binary_crossentropy(fake_out, 0)).mean()
updates = lasagne.updates.adam(
    generator_loss, get_all_params(generator, trainable=True), 0.05, 0.5)
updates.update(lasagne.updates.adam(
    critic_loss, get_all_params(critic, trainable=True), 0.05, 0.5))
train = theano.function([noise, real], [generator_loss, critic_loss],
                        updates=updates, allow_input_downcast=True)
for epoch in range(4):
    losses = [train(rng.rand(20, 3), 2 + rng.randn(20, 2)) for _ in range(5)]
    print('%.6f %.6f' % tuple(np.mean(losses, axis=0)))
