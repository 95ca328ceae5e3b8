"""Train on inputs a thousand times too large, with a learning rate a thousand times too large, and watch the loss.

Everybody does that once: the images were never scaled. The hidden layer saturates, the logits reach the thousands, the softmax is exactly
0 and 1. A loss that takes the logarithm of that is infinite, its gradient is NaN, and so is every parameter after that step. A loss that
is computed from the logits is as large as the mistake is, and training goes on.

Run it to draw docs/figures/saturated_training.png; tests/test_training.py runs the same training.
"""
import lasagne_objectives as lo  # before theano, which it makes importable

import os

import numpy as np
import theano
import theano.tensor as T
from sklearn.datasets import load_digits

EPOCHS, BATCH, HIDDEN, CLASSES, RATE = 50, 256, 32, 10, 100.


def plain_categorical_crossentropy(predictions, targets):
    """What the formula says, as it stands in many scripts."""
    return -T.log(predictions[T.arange(targets.shape[0]), targets])


def plain_binary_crossentropy(predictions, targets):
    return -targets * T.log(predictions) - (1 - targets) * T.log(1 - predictions)


def one_hot(labels):
    return T.extra_ops.to_one_hot(labels, CLASSES)


# Output layer, our loss, the plain one. The last batch is padded to full size, so each takes a slice of the layer's output.
TASKS = {
    'softmax': (T.nnet.softmax, lo.categorical_crossentropy, plain_categorical_crossentropy),
    'sigmoid': (lambda z: 1 / (1 + T.exp(-z)),
                lambda p, t: lo.binary_crossentropy(p, one_hot(t)),
                lambda p, t: plain_binary_crossentropy(p, one_hot(t).astype(p.dtype))),
}


def batches():
    """The digits times 1000, in batches of one size, with the number of rows of each that are data."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))
    images, labels = images[order].astype('float32') * 1000, labels[order].astype('int32')
    for start in range(0, len(labels), BATCH):
        rows = images[start:start + BATCH]
        padding = np.zeros((BATCH - len(rows), rows.shape[1]), rows.dtype)
        yield np.concatenate([rows, padding]), labels[start:start + BATCH]


@theano.change_flags(floatX='float32')
def training_step(task, ours, mode):
    """The compiled function that makes a step of gradient descent and gives the batch's loss, all in float32 as on a GPU."""
    layer, our_loss, plain_loss = TASKS[task]
    random = np.random.RandomState(1)
    parameters = [theano.shared(a.astype('float32')) for a in (random.randn(64, HIDDEN) / 8, np.zeros(HIDDEN),
                                                               random.randn(HIDDEN, CLASSES) / 6, np.zeros(CLASSES))]
    w1, b1, w2, b2 = parameters
    images, labels = T.fmatrix('images'), T.ivector('labels')
    predictions = layer(T.dot(T.tanh(T.dot(images, w1) + b1), w2) + b2)[:labels.shape[0]]
    loss = (our_loss if ours else plain_loss)(predictions, labels).mean()
    updates = [(p, T.cast(p - RATE * g, p.dtype)) for p, g in zip(parameters, theano.grad(loss, parameters))]
    return theano.function([images, labels], loss, updates=updates, mode=mode)


def train(task, ours, mode, epochs=EPOCHS):
    """The mean loss of every epoch."""
    step, data = training_step(task, ours, mode), list(batches())
    with np.errstate(all='ignore'):  # in Python NumPy would warn of what the figure is about
        return [float(np.mean([step(*batch) for batch in data])) for _ in range(epochs)]


def draw(filename):
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9, 6))
    for row, task in zip(figure.subplots(2, 2, sharex=True, sharey='row'), TASKS):
        for axes, mode in zip(row, ('FAST_RUN', 'FAST_COMPILE')):
            for ours, label, style in ((True, 'lasagne_objectives', 'C0-'), (False, 'the formula in plain Theano', 'C3-')):
                losses = np.array(train(task, ours, mode))
                epochs = np.arange(1, EPOCHS + 1)
                axes.plot(epochs, losses, style, label=label)
                if not np.isfinite(losses).all():
                    first = np.argmin(np.isfinite(losses))
                    axes.axvspan(first + 1, EPOCHS, color='C3', alpha=.15, label='NaN from epoch %d' % (first + 1))
            axes.set_title('%s, %s' % (task, mode))
            axes.legend(loc='upper right')
        row[0].set_ylabel('training loss')
    for axes in row:
        axes.set_xlabel('epoch')
    figure.tight_layout()
    figure.savefig(filename, dpi=100)


if __name__ == '__main__':
    draw(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'saturated_training.png'))
