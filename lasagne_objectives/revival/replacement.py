"""Puts the objectives in place of Lasagne's, and Lasagne's back.

The module ``lasagne.objectives`` stays what it is, only functions in it are
replaced. So it does not matter who has imported the module, and under which
name; what else a version of Lasagne has in it stays; and pickles, which name
a function by its module, find it.
"""

import contextlib
import sys
import threading

from lasagne_objectives import objectives
from lasagne_objectives.revival import lasagne_names
from lasagne_objectives.revival.imports import ChangingFinder

__all__ = ['install', 'uninstall']

# What scripts import from lasagne.objectives: the functions, and its helper.
NAMES = objectives.__all__ + ['align_targets']

# The value of a name that is not there.
MISSING = object()


def install():
    """Put the objectives of this package in place of ``lasagne.objectives``.

    From now on ``lasagne.objectives`` has the nine functions of this package
    and ``align_targets``, be it imported already or later. A function that
    was taken out of it before, by ``from lasagne.objectives import ...``,
    stays Lasagne's. Lasagne need not be installed; it is made to run on
    Theano 1.0 and on Python 3.11 as by importing
    :mod:`lasagne_objectives.compat`.

    Calling it again changes nothing.

    Returns
    -------
    context manager
        At the end of a ``with`` statement it undoes what this call did, which
        is nothing if the functions were in place already.

    See Also
    --------
    uninstall : undoes it.

    Examples
    --------
    >>> import lasagne_objectives
    >>> with lasagne_objectives.install():
    ...     import lasagne
    ...     lasagne.objectives.huber_loss is lasagne_objectives.huber_loss
    True
    """
    undo = contextlib.ExitStack()
    with _lock:
        if _finder not in sys.meta_path:
            undo.callback(uninstall)
            lasagne_names.provide()
            sys.meta_path.insert(0, _finder)
            if 'lasagne.objectives' in sys.modules:
                replace(sys.modules['lasagne.objectives'])
    return undo


def uninstall():
    """Undo :func:`install`, however often that was called.

    ``lasagne.objectives`` has again what it had. What was provided to let
    Lasagne run is taken away, unless :mod:`lasagne_objectives.compat` has
    been imported. Where nothing is installed, nothing happens.
    """
    with _lock:
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
            if 'lasagne_objectives.compat' not in sys.modules:
                lasagne_names.withdraw()
        restore(_functions)


def summary():
    """What :func:`install` has done so far.

    Returns
    -------
    replaced, added : list of str
        The functions that were replaced in ``lasagne.objectives``, and those
        that it did not have.
    """
    added = {what for what, *_, before in _functions if before is MISSING}
    replaced = {what for what, *_ in _functions} - added - {'__all__'}
    return sorted(replaced), sorted(added)


def replace(module):
    """Put our functions into a module, and remember what it had.

    Parameters
    ----------
    module : module
        ``lasagne.objectives``, or a stand-in for it.
    """
    namespace = vars(module)
    ours = {name: getattr(objectives, name) for name in NAMES}
    if '__all__' in namespace:
        # Lasagne 0.1 lists its four functions, an import of * wants all.
        ours['__all__'] = sorted({*namespace['__all__'], *objectives.__all__})
    _functions.extend(remember((name, namespace, name) for name in ours))
    namespace.update(ours)


def remember(places):
    """Note what is in places that are going to change.

    Parameters
    ----------
    places : iterable of (what, dictionary, key)

    Returns
    -------
    list of (what, dictionary, key, value)
        The value is ``MISSING`` where there is none.
    """
    return [
        (what, namespace, name, namespace.get(name, MISSING))
        for what, namespace, name in places
    ]


def restore(remembered):
    """Put back what was there, the last change first, and forget it.

    Parameters
    ----------
    remembered : list of (what, dictionary, key, value)
    """
    while remembered:
        _, namespace, name, before = remembered.pop()
        if before is MISSING:
            namespace.pop(name, None)
        else:
            namespace[name] = before


# Threads may install and uninstall at once.
_lock = threading.RLock()

# What is installed: the finder on sys.meta_path, and what lasagne.objectives
# had before.
_finder = ChangingFinder(
    'lasagne.objectives'.__eq__, repairs={'lasagne.objectives': [replace]}
)
_functions = []
