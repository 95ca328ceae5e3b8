"""Finds Theano's modules, and has them loaded as in their time."""

import sys

from lasagne_objectives.revival.imports import ChangingFinder
from lasagne_objectives.revival.numpy_then import NUMPY_2
from lasagne_objectives.revival.python_then import make_stand_ins
from lasagne_objectives.revival.repairs import (
    lend_blas,
    repairs_of,
    wanted_anywhere,
)

__all__ = ['install', 'install_blas']

# The loop of scan in C, compiled when it is imported. Its source includes a
# header that Python 3.11 moved, and uses what NumPy 2 dropped. Where it cannot
# be imported, Theano takes the loop in Python: 5 % slower for a recurrent
# layer.
SCAN_LOOP = 'theano.scan_module.scan_perform_ext'
HAS_SCAN_LOOP = sys.version_info < (3, 11) and not NUMPY_2


class TheanoFinder(ChangingFinder):
    """Gives Theano's modules their stand-ins, and repairs them."""

    def __init__(self):
        super().__init__(is_theanos, make_stand_ins(), repairs_of(NUMPY_2))

    def find_spec(self, name, path=None, target=None):
        if name == SCAN_LOOP and not HAS_SCAN_LOOP:
            raise ModuleNotFoundError(
                "the loop of theano.scan cannot be compiled for this Python "
                "and NumPy; Theano takes the one in Python",
                name=name,
            )
        return super().find_spec(name, path, target)


class BlasFinder(ChangingFinder):
    """Gives Theano a BLAS, where Python and NumPy are of its time.

    With it comes what lets the Ops that are linked to it be found compiled,
    and SciPy, which may be newer.
    """

    def __init__(self):
        repairs = {'theano.gof.cmodule': [lend_blas], **wanted_anywhere()}
        super().__init__(repairs.__contains__, repairs=repairs)


def is_theanos(name):
    """Whether a module of that full name is one of Theano's."""
    return name.partition('.')[0] == 'theano'


def install():
    """Have Theano's modules prepared that are imported from now on."""
    if any(isinstance(finder, TheanoFinder) for finder in sys.meta_path):
        return
    if 'theano' not in sys.modules:
        # What an import has left behind that failed for want of this.
        for name in list(filter(is_theanos, sys.modules)):
            del sys.modules[name]
    sys.meta_path.insert(0, TheanoFinder())


def install_blas():
    """Have a Theano that is imported from now on find a BLAS."""
    if not any(isinstance(finder, BlasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, BlasFinder())
