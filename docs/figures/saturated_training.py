"""Train on inputs a thousand times too large, and watch the loss.

Everybody does that once: the images were never scaled. The hidden layer
saturates, the logits reach the hundreds, the softmax is exactly 0 and 1. A
loss that takes the logarithm of that is infinite, its gradient is NaN, and so
is every parameter after that step. A loss that is computed from the logits is
as large as the mistake is, and training goes on.

Run it to draw docs/figures/saturated_training.png; tests/test_training.py runs
the same training.
"""

import lasagne_objectives  # before theano, which it makes importable

import os

import numpy as np
import theano
import theano.tensor as T
from sklearn.datasets import load_digits

EPOCHS, BATCH, HIDDEN, RATE = 50, 256, 32, 5.0


def plain_categorical_crossentropy(predictions, targets):
    """What the formula says, as it stands in many scripts."""
    return -T.log(predictions[T.arange(targets.shape[0]), targets])


LOSSES = {
    'lasagne_objectives': lasagne_objectives.categorical_crossentropy,
    'plain Theano': plain_categorical_crossentropy,
}


def batches():
    """The digits times 1000, in batches of one size: the last is padded."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))
    images, labels = (
        images[order].astype('float32') * 1000,
        labels[order].astype('int32'),
    )
    images = np.concatenate(
        [images, np.zeros((-len(images) % BATCH, images.shape[1]), 'float32')]
    )
    return [
        (images[start : start + BATCH], labels[start : start + BATCH])
        for start in range(0, len(images), BATCH)
    ]


@theano.change_flags(floatX='float32')
def training_step(loss_function, mode):
    """A step of gradient descent, which gives the batch's loss, in float32."""
    random = np.random.RandomState(1)
    parameters = [
        theano.shared(a.astype('float32'))
        for a in (
            random.randn(64, HIDDEN) / 8,
            np.zeros(HIDDEN),
            random.randn(HIDDEN, 10) / 6,
            np.zeros(10),
        )
    ]
    w1, b1, w2, b2 = parameters
    images, labels = T.fmatrix('images'), T.ivector('labels')
    outputs = T.nnet.softmax(T.dot(T.tanh(T.dot(images, w1) + b1), w2) + b2)
    loss = loss_function(
        outputs[: labels.shape[0]], labels
    ).mean()  # of the images, not of the padding
    updates = [
        (p, T.cast(p - RATE * g, p.dtype))
        for p, g in zip(parameters, theano.grad(loss, parameters))
    ]
    return theano.function([images, labels], loss, updates=updates, mode=mode)


def train(name, mode, epochs=None):
    """The loss of every step."""
    step, data = training_step(LOSSES[name], mode), batches()
    with np.errstate(
        all='ignore'
    ):  # in Python NumPy would warn of what the figure is about
        return np.array(
            [
                float(step(*batch))
                for _ in range(epochs or EPOCHS)
                for batch in data
            ]
        )


def draw(filename):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5))
    for axes, mode in zip(
        figure.subplots(1, 2, sharey=True), ('FAST_RUN', 'FAST_COMPILE')
    ):
        for name, colour, width in (
            ('lasagne_objectives', 'C0', 1),
            ('plain Theano', 'C3', 3),
        ):
            losses = train(name, mode)
            steps = np.arange(1, len(losses) + 1)
            axes.plot(steps, losses, colour, linewidth=width, label=name)
            if np.isnan(losses).any():
                end = np.argmax(
                    ~np.isfinite(losses)
                )  # where it stops being a number
                axes.plot(
                    steps[max(end - 1, 0)],
                    losses[max(end - 1, 0)],
                    'X',
                    color=colour,
                    markersize=10,
                )
                axes.axvspan(
                    steps[end],
                    steps[-1],
                    color=colour,
                    alpha=0.1,
                    label='plain Theano is inf or NaN',
                )
        axes.set(title=mode, xlabel='training step', xscale='log')
        axes.legend(loc='upper right')
    axes.figure.axes[0].set_ylabel('loss of the batch')
    figure.tight_layout()
    figure.savefig(filename, dpi=100)


if __name__ == '__main__':
    draw(
        os.path.join(
            os.path.dirname(os.path.abspath(__file__)),
            'saturated_training.png',
        )
    )
