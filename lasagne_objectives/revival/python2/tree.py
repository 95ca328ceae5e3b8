"""Finds files of a script's own tree that Python 3 cannot parse.

Own is what is neither Python's nor installed. A file that parses as Python 3
is never touched. Nothing of the package is imported before one is found that
does not, as the runner loads this file by itself, see
``startup/sitecustomize.py``.
"""

import os
import re
import sys
import sysconfig
import warnings
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location

__all__ = ['install', 'looks_like_python_2']

INSTALLED = 'site-packages', 'dist-packages'
OURS = 'fissix', 'lasagne_objectives'
PYTHONS = os.path.join(os.path.realpath(sysconfig.get_path('stdlib')), '')


# What only Python 2 has: modules, builtins and methods.
NAMES = set(
    'StringIO cPickle cStringIO ConfigParser Queue urllib2 urlparse izip imap '
    'urlretrieve urlopen basestring cmp execfile file long raw_input reduce '
    'reload unichr unicode xrange has_key iteritems iterkeys itervalues '
    'maxint setdefaultencoding letters'.split()
)


class TreeFinder:
    """Finds modules that are Python 2: a finder for ``sys.meta_path``.

    Parameters
    ----------
    everything : bool
        Whether to take all files in the script's folder, and in the current
        one, for Python 2, also those that parse as Python 3.
    say : callable
        Is called with a sentence on each file.
    """

    def __init__(self, everything, say):
        self.everything = everything
        self.say = say
        self.folders = {os.path.realpath(os.curdir)}
        # while Python looks for the script in a folder, it is not to be had
        self.main = sys.modules['__main__']

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, Python2Loader):
            return spec  # the script, which has been found already
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        loader = self.loader(name, spec.origin)
        return loader and spec_from_file_location(
            name,
            spec.origin,
            loader=loader,
            submodule_search_locations=spec.submodule_search_locations,
        )

    def main_finder(self, path):
        """Find what is to be run: a hook for ``sys.path_hooks``.

        Python asks these whether the script is an archive or a folder which
        has a module ``__main__`` in it, and runs that then.
        """
        self.folders.add(os.path.dirname(os.path.realpath(path)))
        loader = self.loader('__main__', path)
        if loader is None:
            raise ImportError("not a script in Python 2", path=path)
        return MainFinder(loader)

    def loader(self, name, file):
        """A loader that translates, or ``None`` for what needs none.

        Parameters
        ----------
        name : str
            The full name of the module.
        file : str
            Its path.
        """
        ours = name.partition('.')[0] in OURS
        if ours or not os.path.isfile(file) or not is_own(file):
            return None
        with open(file, 'rb') as opened:
            source = opened.read()
        # Theano's folder of what it compiled is full of empty modules.
        if not source or not self.is_meant(file) and parses(source):
            return None
        try:
            from fissix.pgen2.parse import ParseError
        except ImportError:
            self.say(
                "%s does not parse as Python 3. If it is Python 2, it is "
                "translated once fissix is installed, which the extra python2 "
                "of this package brings: run %s -m pip install fissix"
                % (file, sys.executable)
            )
            return None
        from lasagne_objectives.revival.python2 import translate

        try:
            code, builtins = translate.translated(source, file)
        except (ParseError, SyntaxError):
            return None  # neither: Python says what is wrong
        self.say("%s is Python 2, and translated in memory" % file)
        return Python2Loader(name, file, code, builtins, self.main)

    def is_meant(self, file):
        """Whether a file is to be taken for Python 2 even if it parses."""
        folder = os.path.dirname(os.path.realpath(file)) + os.sep
        return self.everything and any(
            folder.startswith(os.path.join(own, '')) for own in self.folders
        )


class Python2Loader(SourceFileLoader):
    """Loads a module, or the script, from code that was translated.

    Parameters
    ----------
    name, file : str
        What it loads.
    code : code
    builtins : dict
    main : module
        The script's.
    """

    def __init__(self, name, file, code, builtins, main):
        super().__init__(name, file)
        self.code = code
        self.builtins = builtins
        self.main = main
        self.module = None

    def create_module(self, spec):
        self.module = type(sys)(spec.name)
        self.module.__builtins__ = self.builtins
        return self.module

    def get_code(self, fullname):
        if self.module is None:
            # not imported: Python is going to run it as the script
            self.main.__builtins__ = self.builtins
        return self.code


class MainFinder:
    """Finds the script by the name of ``__main__``: an entry's finder.

    Parameters
    ----------
    loader : Python2Loader
    """

    def __init__(self, loader):
        self.loader = loader

    def find_spec(self, name, target=None):
        if name != '__main__':
            return None
        file = self.loader.path
        # Python has put the script there as if it were an archive.
        if file in sys.path:
            folder = os.path.dirname(os.path.realpath(file))
            sys.path[sys.path.index(file)] = folder
        spec = ModuleSpec(name, self.loader, origin=file)
        spec.has_location = True  # gives it a __file__
        return spec


def is_own(file):
    """Whether a file is the script's own: neither installed nor Python's."""
    file = os.path.realpath(file)
    return not (
        file.startswith(PYTHONS) or set(INSTALLED) & set(file.split(os.sep))
    )


def parses(source):
    """Whether bytes are a program in Python 3, or no program at all."""
    if b'\0' in source:
        return True
    with warnings.catch_warnings():
        # Python says it when it runs the file.
        warnings.simplefilter('ignore')
        try:
            compile(source, 'a file', 'exec', dont_inherit=True)
        except SyntaxError:
            return False
    return True


def looks_like_python_2(error):
    """Whether an error asks for what only Python 2 has.

    That is a name, or a module beside the one that imports it, in a package.

    Parameters
    ----------
    error : BaseException or None

    Returns
    -------
    bool
    """
    misses = isinstance(error, (AttributeError, ImportError, NameError))
    return misses and (
        not NAMES.isdisjoint(re.findall(r'\w+', str(error)))
        or isinstance(error, ModuleNotFoundError)
        and is_beside(error)
    )


def is_beside(error):
    """Whether the module that was not found lies beside a file that ran."""
    first = (error.name or '').partition('.')[0]
    folders, frame = set(), error.__traceback__
    while frame is not None:
        folders.add(os.path.dirname(frame.tb_frame.f_code.co_filename))
        frame = frame.tb_next
    return any(
        folder and first and PathFinder.find_spec(first, [folder]) is not None
        for folder in folders
    )


def install(everything, say):
    """Have Python 2 translated from now on.

    Parameters
    ----------
    everything, say
        Those of :class:`TreeFinder`.
    """
    finder = TreeFinder(everything, say)
    sys.meta_path.insert(0, finder)
    # behind that of archives
    sys.path_hooks.append(finder.main_finder)
