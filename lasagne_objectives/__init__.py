"""Training objectives for Theano: losses, their aggregation and accuracies.

The nine functions are importable from here and documented in
:mod:`lasagne_objectives.objectives`.
"""

from lasagne_objectives.bootstrap import prepare_theano

__version__ = '0.1.0'

# Must run before the first import of theano, that is before the next line.
prepare_theano()

import lasagne_objectives.kernels.merge  # noqa: E402,F401 (registers itself)
from lasagne_objectives.objectives import (  # noqa: E402
    aggregate, binary_accuracy, binary_crossentropy, binary_hinge_loss,
    categorical_accuracy, categorical_crossentropy, huber_loss,
    multiclass_hinge_loss, squared_error)

__all__ = [
    'binary_crossentropy',
    'categorical_crossentropy',
    'squared_error',
    'binary_hinge_loss',
    'multiclass_hinge_loss',
    'huber_loss',
    'aggregate',
    'binary_accuracy',
    'categorical_accuracy',
]
