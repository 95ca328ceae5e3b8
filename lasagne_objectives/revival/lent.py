"""Names that modules no longer have, or not as they had them, lent to them.

A module that is asked for a name which it does not have asks its function
``__getattr__``. So a name is lent without being put into the module: who lists
its names sees none, and which ones were used can be told.

This file imports nothing of the package, for the runner loads it by itself
before anything else, see ``startup/sitecustomize.py``.
"""

import collections
import collections.abc
import time

__all__ = ['lend', 'lend_standard_library', 'take_back', 'used']


def lend(module, names, instead=()):
    """Give a module names that it may be asked for.

    Parameters
    ----------
    module : module
        What it has itself stays, but for `instead`.
    names : dict of str to object
    instead : iterable of str
        Those of the names that stand in the place of the module's own. Who
        uses them is not told: ``import *`` asks for all that a module has.
    """
    if module in _lent:
        return
    own = {name: vars(module)[name] for name in instead}
    vars(module).update((name, names[name]) for name in own)
    before = vars(module).get('__getattr__', None)

    def __getattr__(name):
        if before is not None:
            try:
                return before(name)
            except AttributeError:
                if name not in names:
                    raise
        if name not in names:
            raise AttributeError(
                "module %r has no attribute %r" % (module.__name__, name)
            )
        _used.add('%s.%s' % (module.__name__, name))
        return names[name]

    module.__getattr__ = __getattr__
    _lent[module] = before, own


def lend_standard_library():
    """Lend what scripts ask Python's modules for that these have dropped."""
    # Python 3.10 has these in collections.abc only.
    abstract = {
        name: getattr(collections.abc, name)
        for name in collections.abc.__all__
    }
    lend(collections, abstract)
    # Python 3.8 has none; it was the CPU time but on Windows.
    lend(time, {'clock': time.process_time})


def take_back():
    """Undo all that :func:`lend` did."""
    while _lent:
        module, (before, own) = _lent.popitem()
        vars(module).update(own)
        if before is None:
            del module.__getattr__
        else:
            module.__getattr__ = before
    _used.clear()


def used():
    """The names that were asked for.

    Returns
    -------
    list of str
    """
    return sorted(_used)


# From modules to what they had: the function __getattr__ or None, and names.
_lent = {}
_used = set()
