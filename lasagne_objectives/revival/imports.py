"""Has modules of Theano's loaded with what was there in their time.

Theano 1.0.5 imports modules and names that Python and NumPy have dropped
since. Giving these back to Python or NumPy would show every other package of
the process a past that is over, so they are given to Theano's modules alone:
each is run with builtins of its own, in which ``__import__`` knows the
stand-ins. Python takes the builtins of a module's functions from its globals,
so that serves an import inside of a function, too, whenever it is called.

After a module has run it may be repaired: a function of it replaced by one
that computes on this Python and NumPy what it did on those of its time.
"""

import builtins
import copy
import importlib
import sys
import types

__all__ = ['ChangingFinder', 'builtins_with']


class ChangingFinder:
    """Finds modules as the other finders do, and has them changed.

    A finder for ``sys.meta_path``. A module is loaded by its own loader, so
    that a traceback shows the lines it would show without us; only where it
    is repaired, there is one of ours among them.

    Parameters
    ----------
    concerns : callable
        From the full name of a module to whether it is to be changed.
    stand_ins : dict of str to module, optional
        What the module is to import instead, see :func:`builtins_with`.
    repairs : dict of str to list of callable, optional
        By the full name of a module, what to call with it after it has run.
    """

    def __init__(self, concerns, stand_ins=None, repairs=None):
        self.concerns = concerns
        self.builtins = builtins_with(stand_ins or {})
        self.repairs = repairs or {}

    def find_spec(self, name, path=None, target=None):
        if not self.concerns(name):
            return None
        spec = self.find_spec_elsewhere(name, path, target)
        # a namespace package has nothing that runs
        if spec is not None and spec.loader is not None:
            spec.loader = self.changing(spec.loader, self.repairs.get(name))
        return spec

    def find_spec_elsewhere(self, name, path, target):
        """Ask the finders that come after this one."""
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            find_spec = getattr(finder, 'find_spec', None)
            spec = find_spec and find_spec(name, path, target)
            if spec is not None:
                return spec
        return None

    def changing(self, loader, repairs):
        """Make a loader change the module that it loads.

        Parameters
        ----------
        loader : loader
            It stays as it is, for others may have it, too.
        repairs : list of callable or None

        Returns
        -------
        loader
            A copy.
        """
        create_module, exec_module = loader.create_module, loader.exec_module
        loader = copy.copy(loader)

        def create(spec):
            module = create_module(spec)
            if module is None:
                module = types.ModuleType(spec.name)
            # For these Python would take its own, once it runs the module.
            module.__builtins__ = self.builtins
            return module

        def execute(module):
            exec_module(module)
            for repair in repairs:
                repair(module)

        loader.create_module = create
        if repairs:
            loader.exec_module = execute
        return loader


# Runs without a trace: what fails while it is imported shows a traceback, from
# which Python takes the lines of its own importing, known by these names.
FILE = '<frozen importlib._bootstrap>'
IMPORT = """
def _call_with_frames_removed(name, *arguments, **more):
    return stand_in(name, *arguments, **more) or __import__(
        name, *arguments, **more)
"""


def builtins_with(stand_ins):
    """Builtins whose ``__import__`` knows the stand-ins of modules.

    Parameters
    ----------
    stand_ins : dict of str to module
        By full name. The package of a stand-in is one, too, and has it as an
        attribute.

    Returns
    -------
    dict
        A value for the global ``__builtins__`` of a module.
    """

    def stand_in(name, globals=None, locals=None, fromlist=(), level=0):
        """What an import gives, or None where no stand-in has a part in it."""
        package = name.partition('.')[0]
        if level or package not in stand_ins:
            return None
        if name not in stand_ins:
            # in a package that has a stand-in, a module that needs none
            module = importlib.import_module(name)
            return module if fromlist else stand_ins[package]
        return stand_ins[name if fromlist else package]

    namespace = {'stand_in': stand_in}
    exec(compile(IMPORT, FILE, 'exec'), namespace)
    return dict(
        vars(builtins), __import__=namespace['_call_with_frames_removed']
    )
