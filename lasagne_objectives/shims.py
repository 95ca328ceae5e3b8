"""What Lasagne on Theano 1.0 and on Python 3.11 misses.

Importing :mod:`lasagne_objectives.compat` provides it for good,
:func:`lasagne_objectives.install` until ``uninstall``.
"""

import collections
import functools
import importlib.machinery
import importlib.util
import inspect
import sys
import warnings

import theano.tensor.signal
from theano.tensor.signal import pool

__all__ = ['provide']

# The module that compiles the loop of theano.scan.
SCAN_LOOP = 'theano.scan_module.scan_perform_ext'

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


class DownsampleLoader:
    """Makes the module that ``theano.tensor.signal.downsample`` was."""

    def create_module(self, spec):
        return None  # as Python does

    def exec_module(self, module):
        module.max_pool_2d = max_pool_2d
        module.max_pool_2d_same_size = pool.max_pool_2d_same_size
        module.DownsampleFactorMax = DownsampleFactorMax


def make_downsample(name):
    """Build the module that ``theano.tensor.signal.downsample`` was.

    Parameters
    ----------
    name : str
        Its full name.

    Returns
    -------
    module
    """
    spec = importlib.machinery.ModuleSpec(name, DownsampleLoader())
    downsample = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(downsample)
    return downsample


def provide_getargspec(module):
    """Add ``getargspec`` and its ``ArgSpec``, if missing.

    Parameters
    ----------
    module : module
        The module ``inspect``, or a stand-in for it.
    """
    if not hasattr(module, 'getargspec'):
        module.getargspec = getargspec
        module.ArgSpec = ArgSpec


def provide_downsample(package, modules):
    """Add the module ``downsample`` to Theano's signal package, if missing.

    Parameters
    ----------
    package : module
        ``theano.tensor.signal``, or a stand-in for it.
    modules : dict
        ``sys.modules``, or a stand-in for it.
    """
    name = package.__name__ + '.downsample'
    # A Theano before 1.0 has it, though perhaps not imported yet.
    if name not in modules and importlib.util.find_spec(name) is None:
        package.downsample = modules[name] = make_downsample(name)


def loop_in_python(version, modules):
    """Keep ``theano.scan`` from compiling its loop where that must fail.

    Parameters
    ----------
    version : tuple of int
        Of Python.
    modules : dict
        ``sys.modules``, or a stand-in for it.
    """
    if version >= (3, 11):
        # After an ImportError Theano takes the loop written in Python, and
        # None makes the import one.
        modules.setdefault(SCAN_LOOP, None)


def provide():
    """Provide what is missing, and leave alone what is there."""
    provide_getargspec(inspect)
    loop_in_python(sys.version_info[:2], sys.modules)
    provide_downsample(theano.tensor.signal, sys.modules)


# All that provide() may add: what that makes work, and the dictionary and key
# where it is put.
PLACES = [
    ('inspect.getargspec', vars(inspect), 'getargspec'),
    ('inspect.getargspec', vars(inspect), 'ArgSpec'),
    ('theano.scan', sys.modules, SCAN_LOOP),
    (
        'theano.tensor.signal.downsample',
        sys.modules,
        'theano.tensor.signal.downsample',
    ),
    (
        'theano.tensor.signal.downsample',
        vars(theano.tensor.signal),
        'downsample',
    ),
]
