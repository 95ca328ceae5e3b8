"""Train a small network on the 1797 handwritten digits of scikit-learn."""

import lasagne_objectives.compat  # noqa: F401 (before theano and lasagne)

import argparse
import os

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.nonlinearities import linear, rectify, sigmoid, softmax
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import tqdm, trange

from lasagne_objectives import objectives


def with_one_hot(loss, **options):
    """Let an element-wise loss compare all ten outputs with the label."""
    return lambda p, t: loss(p, T.extra_ops.to_one_hot(t, 10), **options)


# Each loss with what the last layer of the network must compute for it.
LOSSES = {
    'categorical_crossentropy': (softmax, objectives.categorical_crossentropy),
    'multiclass_hinge_loss': (linear, objectives.multiclass_hinge_loss),
    'binary_crossentropy': (
        sigmoid,
        with_one_hot(objectives.binary_crossentropy),
    ),
    'binary_hinge_loss': (
        linear,
        with_one_hot(objectives.binary_hinge_loss, log_odds=True),
    ),
    'squared_error': (linear, with_one_hot(objectives.squared_error)),
    'huber_loss': (linear, with_one_hot(objectives.huber_loss)),
}


def load_data(rng):
    """Split the digits into those to train, to validate and to test with."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(theano.config.floatX)
    order = rng.permutation(len(labels))
    return [
        (images[part], labels[part].astype('int32'))
        for part in np.split(order, [1000, 1400])
    ]


def build_network(nonlinearity):
    network = lasagne.layers.InputLayer((None, 64))
    network = lasagne.layers.DenseLayer(network, 128, nonlinearity=rectify)
    network = lasagne.layers.DropoutLayer(network, p=0.2)
    return lasagne.layers.DenseLayer(network, 10, nonlinearity=nonlinearity)


def compile_functions(loss_name, learning_rate):
    """Compile what trains on a batch and what measures without training."""
    nonlinearity, loss_function = LOSSES[loss_name]
    network = build_network(nonlinearity)
    images, labels = T.matrix('images'), T.ivector('labels')
    outputs = lasagne.layers.get_output(network, images)
    loss = objectives.aggregate(loss_function(outputs, labels))
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.adam(loss, params, learning_rate)
    train = theano.function([images, labels], loss, updates=updates)

    # the same without dropout
    outputs = lasagne.layers.get_output(network, images, deterministic=True)
    loss = objectives.aggregate(loss_function(outputs, labels))
    top1, top3 = [
        objectives.aggregate(
            objectives.categorical_accuracy(outputs, labels, top_k=k)
        )
        for k in (1, 3)
    ]
    measure = theano.function([images, labels], [loss, top1, top3])
    return train, measure


def save_picture(filename, history):
    """Draw the losses on the left and the accuracies on the right."""
    epochs, history = range(1, len(history) + 1), np.array(history)
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    left.plot(epochs, history[:, :2], label=['train', 'validation'])
    left.set(title='loss', xlabel='epoch')
    right.plot(epochs, history[:, 2:], label=['top-1', 'top-3'])
    right.set(title='validation accuracy', xlabel='epoch')
    left.legend()
    right.legend()
    figure.savefig(filename)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, default=40)
    parser.add_argument('--batch-size', type=int, default=50)
    parser.add_argument(
        '--loss', choices=sorted(LOSSES), default='categorical_crossentropy'
    )
    parser.add_argument('--learning-rate', type=float, default=0.002)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()

    rng = np.random.RandomState(options.seed)
    lasagne.random.set_rng(rng)
    (images, labels), validation, test = load_data(rng)
    train, measure = compile_functions(options.loss, options.learning_rate)

    history = []
    for epoch in trange(options.epochs, desc='training', unit='epoch'):
        order = rng.permutation(len(labels))
        batches = [
            order[start : start + options.batch_size]
            for start in range(0, len(order), options.batch_size)
        ]
        train_loss = np.mean([train(images[b], labels[b]) for b in batches])
        history.append((train_loss, *measure(*validation)))
        tqdm.write(
            'epoch %2d: train loss %.4f, validation loss %.4f, '
            'top-1 %.3f, top-3 %.3f' % (epoch + 1, *history[-1])
        )

    print('test accuracy: top-1 %.3f, top-3 %.3f' % tuple(measure(*test)[1:]))
    save_picture('digits.png', history)
    print('learning curves saved in', os.path.abspath('digits.png'))


if __name__ == '__main__':
    main()
