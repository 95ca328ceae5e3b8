"""Lets Lasagne run on Theano 1.0 and on Python 3.11.

Importing this module, before Lasagne, provides the two names that Lasagne
imports or calls and that have been removed since:

* ``theano.tensor.signal.downsample``, which Theano 1.0 calls ``pool``
* ``inspect.getargspec``, which Python 3.11 dropped

Where a name is there, it is left alone.

Examples
--------
>>> import lasagne_objectives.compat
>>> import lasagne
"""

from lasagne_objectives.revival import lasagne_names

__all__ = []

# For good: uninstall() takes nothing away once this module is imported.
lasagne_names.provide()
