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
import sys

__all__ = ['ChangingFinder']


class ChangingFinder:
    """Finds modules as the other finders do, and has them changed.

    A finder for ``sys.meta_path``.

    Parameters
    ----------
    concerns : callable
        From the full name of a module to whether it is to be changed.
    before, after : callable, optional
        Called with the module before and after it has run.
    """

    def __init__(self, concerns, before=None, after=None):
        self.concerns = concerns
        self.before = before
        self.after = after

    def find_spec(self, name, path=None, target=None):
        if not self.concerns(name):
            return None
        spec = self.find_spec_elsewhere(name, path, target)
        # a namespace package has nothing that runs
        if spec is not None and spec.loader is not None:
            spec.loader = ChangingLoader(spec.loader, self.before, self.after)
        return spec

    def find_spec_elsewhere(self, name, path, target):
        """Ask the finders that come after this one."""
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            find_spec = getattr(finder, 'find_spec', None)
            spec = find_spec and find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


class ChangingLoader:
    """Loads a module as another loader does, and changes it.

    Parameters
    ----------
    loader : loader
        The one of the module itself.
    before, after : callable or None
        Those of :class:`ChangingFinder`.
    """

    def __init__(self, loader, before, after):
        self.loader = loader
        self.before = before
        self.after = after

    def __getattr__(self, name):
        # what asks a module's spec for its source, before it is imported
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        # what reads source or data asks the module for its loader
        module.__loader__ = module.__spec__.loader = self.loader
        if self.before:
            self.before(module)
        self.loader.exec_module(module)
        if self.after:
            self.after(module)


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

    def import_then(name, globals=None, locals=None, fromlist=(), level=0):
        if level or name.partition('.')[0] not in stand_ins:
            return builtins.__import__(
                name, globals, locals, fromlist, level
            )
        if name not in stand_ins:
            # in a package that has a stand-in, a module that needs none
            module = builtins.__import__(name, globals, locals, fromlist)
            if fromlist:
                return module
        return stand_ins[name if fromlist else name.partition('.')[0]]

    return dict(vars(builtins), __import__=import_then)
