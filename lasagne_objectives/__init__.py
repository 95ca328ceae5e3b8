"""Training objectives for Theano: losses, their aggregation and accuracies.

The nine functions are importable from here and documented in
:mod:`lasagne_objectives.objectives`.
"""

from lasagne_objectives.runner import is_starting

__version__ = '0.1.0'

# `python -m lasagne_objectives` imports this file on its way to the runner,
# which does nothing but start Python anew. Theano, and a GPU with it, would be
# started for nothing, and with other flags than the script may set.
if not is_starting():
    from lasagne_objectives.bootstrap import prepare_theano

    # Must run before the first import of theano, that is before the next line.
    prepare_theano()

    # These two register themselves with Theano.
    import lasagne_objectives.kernels.gpu
    import lasagne_objectives.kernels.merge  # noqa: F401
    from lasagne_objectives.objectives import (
        aggregate,
        binary_accuracy,
        binary_crossentropy,
        binary_hinge_loss,
        categorical_accuracy,
        categorical_crossentropy,
        huber_loss,
        multiclass_hinge_loss,
        squared_error,
    )
    from lasagne_objectives.replacement import (  # noqa: F401
        install,
        uninstall,
    )

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
