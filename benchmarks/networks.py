"""What steps.py trains: the networks, their parameters and their data.

Imports NumPy only, because every contender's environment imports this.
"""

from collections import OrderedDict, namedtuple

import numpy as np

#: A network: the shape of a batch, of its scores and of its parameters, and
#: what it is called in print. Axis 1 of the scores is that of the classes.
Network = namedtuple('Network', 'inputs scores parameters title')

NETWORKS = OrderedDict(
    [
        (
            'digits',
            Network(
                (500, 784),
                (500, 10),
                [(784, 800), (800,), (800, 800), (800,), (800, 10), (10,)],
                '784-800-800-10, batch 500',
            ),
        ),
        (
            'convolutions',
            Network(
                (128, 1, 28, 28),
                (128, 10),
                [
                    (32, 1, 5, 5),
                    (32,),
                    (32, 32, 5, 5),
                    (32,),
                    (512, 256),
                    (256,),
                    (256, 10),
                    (10,),
                ],
                'small convolutional, batch 128',
            ),
        ),
        (
            'tagger',
            Network(
                (32, 100, 50),
                (3200, 20),
                [(50, 400), (100, 400), (400,), (100, 20), (20,)],
                'LSTM tagger, 32 of 100 steps',
            ),
        ),
        (
            'many_classes',
            Network(
                (32, 300),
                (32, 50000),
                [(300, 50000), (50000,)],
                'linear, 50 000 classes, batch 32',
            ),
        ),
        (
            'segmentation',
            Network(
                (4, 16, 256, 256),
                (4, 21, 256, 256),
                [(21, 16, 3, 3), (21,)],
                'segmentation, 4 of 256×256, 21 classes',
            ),
        ),
    ]
)

#: A step of training, and of it the loss with its gradient for the scores.
STEP, LOSS = KINDS = ['step', 'loss']

LEARNING_RATE = 0.01


def parameters_of(name):
    """The parameters that everyone begins with.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.

    Returns
    -------
    list of float32 arrays
    """
    random = np.random.RandomState(3)
    return [
        random.uniform(-0.1, 0.1, shape).astype('float32')
        for shape in NETWORKS[name].parameters
    ]


def data_of(case):
    """Make a batch and its targets, or scores and targets.

    Parameters
    ----------
    case : cases.Case
        Its loss is one of `NETWORKS`, its kind one of `KINDS`.

    Returns
    -------
    values, targets : arrays
    """
    network = NETWORKS[case.loss]
    random = np.random.RandomState(1)
    shape = network.inputs if case.kind == STEP else network.scores
    points = network.scores[:1] + network.scores[2:]
    if case.loss == 'tagger':
        points = network.inputs[:2]
    targets = random.randint(0, network.scores[1], points).astype('int32')
    return random.standard_normal(shape).astype('float32'), targets
