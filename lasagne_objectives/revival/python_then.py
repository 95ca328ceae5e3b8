"""Modules that Theano and Lasagne import, and that are gone.

Python, setuptools or NumPy have dropped them.

They have what is called of them, and are seen by these alone, see
:mod:`lasagne_objectives.revival.imports`.
"""

import functools
import importlib
import os
import shutil
import sysconfig
import types

import numpy as np

from lasagne_objectives.revival.numpy_then import NUMPY_2, make_numpy_then

__all__ = ['make_stand_ins']

INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'include')


@functools.lru_cache(maxsize=None)
def make_stand_ins():
    """Make all stand-ins of modules, once.

    Returns
    -------
    dict of str to module
        By full name, with that of NumPy itself.
    """
    stand_ins = {'numpy': make_numpy_then()}

    def provide(name, **names):
        stand_ins[name] = types.ModuleType(name)
        vars(stand_ins[name]).update(names)
        parent, _, last = name.rpartition('.')
        if parent in stand_ins:
            setattr(stand_ins[parent], last, stand_ins[name])

    # Python 3.12 has no distutils; that of setuptools need not be there.
    provide('distutils')
    provide('distutils.spawn', find_executable=shutil.which)
    provide(
        'distutils.sysconfig',
        get_config_h_filename=sysconfig.get_config_h_filename,
        get_config_var=sysconfig.get_config_var,
        get_python_inc=get_python_inc,
        get_python_lib=get_python_lib,
        get_python_version=sysconfig.get_python_version,
    )
    # NumPy has none on Python 3.12, and before it the one of NumPy 2 does not
    # know our headers. Theano finds no blas_opt_info in it, see blas.py.
    provide('numpy.distutils')
    provide('numpy.distutils.__config__')
    provide('numpy.distutils.misc_util', get_numpy_include_dirs=include_dirs)
    # NumPy 2.0 renamed it, and a later one took the old name away.
    provide('numpy.linalg.linalg', LinAlgError=np.linalg.LinAlgError)
    # Python 3.12 has no imp. theano.tests.breakpoint imports it, and calls
    # nothing of it where it is not asked to start a debugger.
    provide('imp')
    # setuptools 82 has none.
    provide('pkg_resources', __getattr__=of_pkg_resources)
    return stand_ins


# What of pkg_resources is called otherwise in Python: Theano's gpuarray.linalg
# names the error, and Lasagne 0.1 asks for its own version.
OF_METADATA = {
    'DistributionNotFound': 'PackageNotFoundError',
    'get_distribution': 'distribution',
}


def of_pkg_resources(name):
    """What is asked for of ``pkg_resources``: slow to import, so only then."""
    if name not in OF_METADATA:
        raise AttributeError("the stand-in of pkg_resources has no %r" % name)
    return getattr(
        importlib.import_module('importlib.metadata'), OF_METADATA[name]
    )


def get_python_inc(plat_specific=False):
    """What ``distutils.sysconfig.get_python_inc`` was."""
    return sysconfig.get_path('platinclude' if plat_specific else 'include')


def get_python_lib(plat_specific=False, standard_lib=False):
    """What ``distutils.sysconfig.get_python_lib`` was."""
    if standard_lib:
        return sysconfig.get_path('stdlib')
    return sysconfig.get_path('platlib' if plat_specific else 'purelib')


def include_dirs():
    """Folders of NumPy's headers, with ours in front of them.

    Ours include NumPy's, and add what NumPy 2 dropped.

    Returns
    -------
    list of str
    """
    return [INCLUDE] * NUMPY_2 + [np.get_include()]
