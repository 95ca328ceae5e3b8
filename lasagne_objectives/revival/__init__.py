"""Lets Theano 1.0.5 and what was written for it run on today's Python.

Nothing of Theano's files, of Python or of NumPy is changed: what has gone
since is given to the modules that ask for it. The rooms, each for a thing
that has gone:

``imports``
    Has modules loaded with stand-ins, and repaired.
``numpy_then``, ``python_then``, ``include``
    The stand-ins: names of NumPy, modules of Python, headers of NumPy.
``repairs``, ``increments``, ``scipy_blas``
    Functions of Theano that need more than names.
``lasagne_names``, ``lent``, ``renamed``, ``replacement``
    What Lasagne and scripts miss, and our objectives in the place of
    Lasagne's.
``runner``, ``startup``
    ``python -m lasagne_objectives``.
``theano_installer``
    ``python -m lasagne_objectives --install-theano``.
"""

import importlib.util
import sys

import numpy as np

__all__ = ['demand_theano', 'prepare_theano']


def prepare_theano():
    """Make a following ``import theano`` work.

    It takes little where Theano still finds all that it looks for, but maybe
    a BLAS: before NumPy 1.22, which dropped ``blas_opt_info`` of its
    ``distutils``, and with a setuptools before 82, which dropped
    ``pkg_resources``. Python 3.11 and later have no NumPy as old as that.
    """
    from lasagne_objectives.revival import theano_finder

    if (
        np.lib.NumpyVersion(np.__version__) >= '1.22.0'
        or importlib.util.find_spec('pkg_resources') is None
    ):
        theano_finder.install()
    else:
        theano_finder.install_blas()


def demand_theano():
    """Say how to install Theano where it is missing.

    Raises
    ------
    ModuleNotFoundError
        If Theano is not installed.
    """
    if 'theano' in sys.modules:
        return
    spec = importlib.util.find_spec('theano')
    # a folder of that name without a file is a package, too, but not Theano
    if spec is not None and spec.origin is not None:
        return
    raise ModuleNotFoundError(
        "lasagne_objectives needs Theano 1.0.5, which is not installed%s: run "
        "%s -m lasagne_objectives --install-theano"
        % (
            ' (pip by itself cannot build it on Python 3.12 and later)'
            if sys.version_info >= (3, 12)
            else '',
            sys.executable,
        ),
        name='theano',
    )
