"""Lets Lasagne run on Theano 1.0 and on Python 3.11.

Importing this module, before Lasagne, provides the two names that Lasagne
imports or calls and that have been removed since:

* ``theano.tensor.signal.downsample``, which Theano 1.0 calls ``pool``
* ``inspect.getargspec``, which Python 3.11 dropped

Where a name is there, it is left alone. On Python 3.11 it also makes
``theano.scan``, and so every recurrent layer, loop in Python: the C loop of
Theano 1.0.5 includes a header that Python 3.11 has moved.

Examples
--------
>>> import lasagne_objectives.compat
>>> import lasagne
"""

from lasagne_objectives.runner import is_starting

__all__ = []

# On the way to the runner, where a sitecustomize may import this, Theano is
# not imported yet; Python is started anew there, and comes by again.
if not is_starting():
    from lasagne_objectives import shims

    # For good: uninstall() takes nothing away once this module is imported.
    shims.provide()
