"""Training objectives for Theano: losses, their aggregation and accuracies.

The nine functions are importable from here and documented in
:mod:`lasagne_objectives.objectives`.
"""

import importlib
import sys

from lasagne_objectives import revival

__version__ = '0.1.0'

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

# Must run before the first import of theano.
revival.prepare_theano()

# `python -m lasagne_objectives` imports this file, too, on its way to the
# runner, which may be asked to install Theano.
if sys.argv[:1] != ['-m']:
    revival.demand_theano()


# The functions are imported when they are asked for, and Theano with them: a
# script that is run by the runner imports this file in order to import Theano.
def __getattr__(name):
    if name == 'objectives':
        return importlib.import_module('lasagne_objectives.objectives')
    if name in __all__:
        return getattr(__getattr__('objectives'), name)
    if name in ('install', 'uninstall'):
        from lasagne_objectives.revival import replacement

        return getattr(replacement, name)
    raise AttributeError('module %r has no attribute %r' % (__name__, name))


def __dir__():
    return sorted({*globals(), *__all__, 'objectives', 'install', 'uninstall'})
