"""What Lasagne and scripts miss on Theano 1.0 and on today's Python.

Importing :mod:`lasagne_objectives.compat` provides it for good,
:func:`lasagne_objectives.install` until ``uninstall``. Theano is not imported
for it, but when the script does so.
"""

import collections
import inspect
import sys
import warnings

import numpy as np

from lasagne_objectives.revival import lent, renamed
from lasagne_objectives.revival.imports import ChangingFinder
from lasagne_objectives.revival.numpy_then import changed_since, names_then
from lasagne_objectives.revival.python_then import make_stand_ins

__all__ = ['provide', 'provided', 'withdraw']

ArgSpec = collections.namedtuple('ArgSpec', 'args varargs keywords defaults')


def getargspec(func):
    """What ``inspect.getargspec`` was until Python 3.10.

    Parameters
    ----------
    func : function or method
        What to look at.

    Returns
    -------
    ArgSpec
        Named tuple of the names of the arguments, the names of the ``*`` and
        the ``**`` argument or ``None``, and the tuple of defaults or ``None``.

    Raises
    ------
    ValueError
        If the function has keyword-only arguments or annotations, for which
        the result has no place.
    """
    warnings.warn(
        "inspect.getargspec() is deprecated since Python 3.0, use "
        "inspect.signature() or inspect.getfullargspec()",
        DeprecationWarning,
        stacklevel=2,
    )
    spec = inspect.getfullargspec(func)
    if spec.kwonlyargs or spec.annotations:
        raise ValueError(
            "Function has keyword-only parameters or "
            "annotations, use inspect.signature() API which can "
            "support them"
        )
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def is_lasagnes(name):
    """Whether a module of that full name is one of Lasagne's."""
    return name.partition('.')[0] == 'lasagne'


_lasagne_finder = ChangingFinder(is_lasagnes, make_stand_ins())


def provide():
    """Provide what is missing, and leave alone what is there."""
    renamed.provide()
    lent.lend_standard_library()
    lent.lend(np, names_then(), instead=changed_since())
    if _lasagne_finder not in sys.meta_path:
        sys.meta_path.insert(0, _lasagne_finder)
    # Python 3.11 has neither.
    if not hasattr(inspect, 'getargspec'):
        inspect.getargspec = getargspec
        inspect.ArgSpec = ArgSpec


def provided():
    """What has been provided and, but for functions of ``inspect``, used.

    Returns
    -------
    list of str
    """
    return (
        ['inspect.getargspec'] * has_ours() + lent.used() + renamed.imported()
    )


def withdraw():
    """Take away again what :func:`provide` has provided."""
    renamed.withdraw()
    lent.take_back()
    if _lasagne_finder in sys.meta_path:
        sys.meta_path.remove(_lasagne_finder)
    if has_ours():
        del inspect.getargspec, inspect.ArgSpec


def has_ours():
    """Whether ``inspect`` has the function of this module."""
    return getattr(inspect, 'getargspec', None) is getargspec
