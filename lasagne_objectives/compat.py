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

import collections
import importlib.machinery
import importlib.util
import inspect
import sys
import warnings

import theano.tensor.signal
from theano.tensor.signal import pool

__all__ = []

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
    warnings.warn("inspect.getargspec() is deprecated since Python 3.0, use "
                  "inspect.signature() or inspect.getfullargspec()",
                  DeprecationWarning, stacklevel=2)
    spec = inspect.getfullargspec(func)
    if spec.kwonlyargs or spec.annotations:
        raise ValueError("Function has keyword-only parameters or "
                         "annotations, use inspect.signature() API which can "
                         "support them")
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def max_pool_2d(input, ds, ignore_border=None, st=None, padding=(0, 0),
                mode='max'):
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
    return pool.pool_2d(input, ws=ds, ignore_border=ignore_border, stride=st,
                        pad=padding, mode=mode)


def make_downsample():
    """Build the module that ``theano.tensor.signal.downsample`` was.

    Returns
    -------
    module
    """
    spec = importlib.machinery.ModuleSpec('theano.tensor.signal.downsample',
                                          loader=None)
    downsample = importlib.util.module_from_spec(spec)
    downsample.max_pool_2d = max_pool_2d
    downsample.max_pool_2d_same_size = pool.max_pool_2d_same_size
    downsample.DownsampleFactorMax = pool.Pool
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
        package.downsample = modules[name] = make_downsample()


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
        # None makes its import an ImportError, after which Theano takes the
        # loop written in Python.
        modules.setdefault('theano.scan_module.scan_perform_ext', None)


provide_getargspec(inspect)
loop_in_python(sys.version_info[:2], sys.modules)
provide_downsample(theano.tensor.signal, sys.modules)
