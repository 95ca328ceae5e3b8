"""Prepares a process that ``python -m lasagne_objectives`` has started.

Python imports a module of this name by itself, before it runs a script. Any
Python that the script starts does so too, another version of it maybe, so
nothing happens here before Theano or Lasagne is imported.
"""

import atexit
import importlib.util
import os
import sys
from importlib.machinery import PathFinder

FOLDER = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(FOLDER))

# What Lasagne 0.1 imports of Theano and others do, too.
DOWNSAMPLE = 'theano.tensor.signal.downsample'

HINT = (
    "lasagne_objectives: Python 2 has that. If the script is Python 2, though "
    "it parses as Python 3, run it by python -m lasagne_objectives --python2"
)

# Who imports one of these may ask for what has gone.
OF_THEIR_TIME = 'theano', 'lasagne', 'nolearn', 'sklearn'


class StartupFinder:
    """Prepares imports of Theano and Lasagne when they are asked for.

    It acts before Theano is loaded and once more when it has been, never
    while it is: an error in it has a traceback of Theano's lines only.
    """

    def __init__(self):
        self.prepared = False
        self.installed = False

    def find_spec(self, name, path=None, target=None):
        if name == 'lasagne_objectives':
            # The runner may have found it in the current folder, where a
            # script does not look.
            return PathFinder.find_spec(name, [os.path.dirname(PACKAGE)])
        if name in OF_THEIR_TIME and not self.prepared:
            return self.prepare(name)
        if not self.installed and (
            name == DOWNSAMPLE or name.startswith('lasagne.')
        ):
            return self.install(name)
        return None

    def prepare(self, name):
        """Prepare for Theano, Lasagne and scripts, then find the module."""
        self.prepared = True
        # Another Python that the script starts may have neither Theano nor
        # the NumPy that preparing it takes.
        if importlib.util.find_spec('numpy') is not None:
            from lasagne_objectives.revival import lasagne_names

            lasagne_names.provide()
        return importlib.util.find_spec(name)

    def install(self, name):
        """Install everything, then find the module that was asked for."""
        self.installed = True
        import lasagne_objectives

        lasagne_objectives.install()
        return importlib.util.find_spec(name)

    def report(self):
        """Say in one line what was done."""
        provided, replaced, added = lent.used(), [], []
        names = sys.modules.get('lasagne_objectives.revival.lasagne_names')
        if names is not None:
            provided = names.provided()
        replacement = sys.modules.get('lasagne_objectives.revival.replacement')
        if replacement is not None:
            replaced, added = replacement.summary()
        parts = [
            ('provided', provided),
            ('replaced in lasagne.objectives', replaced or ['nothing']),
            ('added', added),
        ]
        return 'lasagne_objectives: ' + '; '.join(
            '%s: %s' % (part, ', '.join(names))
            for part, names in parts
            if names
        )


def load(name):
    """A module of this package alone, which as a whole would import NumPy."""
    full = 'lasagne_objectives.revival.' + name
    file = os.path.join(os.path.dirname(FOLDER), *name.split('.')) + '.py'
    spec = importlib.util.spec_from_file_location(full, file)
    module = sys.modules[full] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def say(sentence):
    """Say what is done, where the script's own words do not get mixed up."""
    print('lasagne_objectives: ' + sentence, file=sys.stderr)


def report_at_exit(finder):
    """Have the line printed when this process ends, whichever way."""
    process = os.getpid()

    def report():
        # Not again in a fork of this process. The script may have replaced
        # sys.stderr; Python itself has none if it was closed.
        if os.getpid() == process and sys.__stderr__ is not None:
            # of what Python has printed a traceback before
            if tree.looks_like_python_2(getattr(sys, 'last_value', None)):
                print(HINT, file=sys.__stderr__)
            print(finder.report(), file=sys.__stderr__)

    atexit.register(report)


lent = load('lent')
lent.lend_standard_library()
finder = StartupFinder()
# Taken away, so that processes which this one starts do not report.
reports = bool(os.environ.pop('LASAGNE_OBJECTIVES_REPORT', ''))
tree = load('python2.tree')
tree.install(
    everything=bool(os.environ.get('LASAGNE_OBJECTIVES_PYTHON2', '')),
    say=say if reports else len,
)
sys.meta_path.insert(0, finder)
if reports:
    report_at_exit(finder)

# What Python would have imported without us. If there is none, the error says
# so to Python, which expects it.
sys.path.remove(FOLDER)
del sys.modules['sitecustomize']
import sitecustomize  # noqa: E402,F401
