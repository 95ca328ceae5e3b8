"""What Lasagne on Theano 1.0 and on Python 3.11 misses.

Importing :mod:`lasagne_objectives.compat` provides it for good,
:func:`lasagne_objectives.install` until ``uninstall``. Theano is not imported
for it, but when the script does so.
"""

import collections
import functools
import importlib.machinery
import inspect
import sys
import warnings

from lasagne_objectives.revival.imports import ChangingFinder
from lasagne_objectives.revival.python_then import make_stand_ins

__all__ = ['provide', 'provided', 'withdraw']

DOWNSAMPLE = 'theano.tensor.signal.downsample'

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


def max_pool_2d(
    input, ds, ignore_border=None, st=None, padding=(0, 0), mode='max'
):
    """Theano 1.0's ``pool_2d`` with the argument names it had before.

    Parameters
    ----------
    input : Theano tensor
        Images, in the last two dimensions.
    ds, ignore_border, st, padding, mode
        What ``pool_2d`` calls `ws`, `ignore_border`, `stride`, `pad` and
        `mode`.

    Returns
    -------
    Theano tensor
        The pooled images.
    """
    from theano.tensor.signal import pool

    return pool.pool_2d(
        input,
        ws=ds,
        ignore_border=ignore_border,
        stride=st,
        pad=padding,
        mode=mode,
    )


def DownsampleFactorMax(
    ds, ignore_border=False, st=None, padding=(0, 0), mode='max'
):
    """What was an Op of pooling, to be called on images.

    Parameters
    ----------
    ds, ignore_border, st, padding, mode
        Those of :func:`max_pool_2d`.

    Returns
    -------
    callable
        From images to the pooled images.
    """
    return functools.partial(
        max_pool_2d,
        ds=ds,
        ignore_border=ignore_border,
        st=st,
        padding=padding,
        mode=mode,
    )


class DownsampleFinder:
    """Finds the module that ``theano.tensor.signal.downsample`` was.

    The last finder, so a Theano before 1.0 keeps its own. It is the loader,
    too.
    """

    def find_spec(self, name, path=None, target=None):
        if name == DOWNSAMPLE:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        return None  # as Python does

    def exec_module(self, module):
        from theano.tensor.signal import pool

        module.max_pool_2d = max_pool_2d
        module.max_pool_2d_same_size = pool.max_pool_2d_same_size
        module.DownsampleFactorMax = DownsampleFactorMax


def is_lasagnes(name):
    """Whether a module of that full name is one of Lasagne's."""
    return name.partition('.')[0] == 'lasagne'


_finder = DownsampleFinder()
_lasagne_finder = ChangingFinder(is_lasagnes, make_stand_ins())


def provide():
    """Provide what is missing, and leave alone what is there."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
        sys.meta_path.insert(0, _lasagne_finder)
    # Python 3.11 has neither.
    if not hasattr(inspect, 'getargspec'):
        inspect.getargspec = getargspec
        inspect.ArgSpec = ArgSpec


def provided():
    """What has been provided and, for a module, imported.

    Returns
    -------
    list of str
    """
    return ['inspect.getargspec'] * has_ours() + [DOWNSAMPLE] * (
        our_downsample() is not None
    )


def withdraw():
    """Take away again what :func:`provide` has provided."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        sys.meta_path.remove(_lasagne_finder)
    if our_downsample() is not None:
        del sys.modules[DOWNSAMPLE]
        del sys.modules['theano.tensor.signal'].downsample
    if has_ours():
        del inspect.getargspec, inspect.ArgSpec


def has_ours():
    """Whether ``inspect`` has the function of this module."""
    return getattr(inspect, 'getargspec', None) is getargspec


def our_downsample():
    """The module ``downsample`` that was made here, if it was imported."""
    module = sys.modules.get(DOWNSAMPLE)
    spec = getattr(module, '__spec__', None)
    loader = getattr(spec, 'loader', None)
    return module if isinstance(loader, DownsampleFinder) else None
