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
PACKAGE = os.path.dirname(FOLDER)

# Imports that need install(), besides those inside of Lasagne.
SHIMS = [
    'theano.scan_module.scan_perform_ext',
    'theano.tensor.signal.downsample',
]


class StartupFinder:
    """Prepares imports of Theano and Lasagne when they are asked for.

    It acts before Theano is loaded and once more when it has been, never
    while it is: an error in it has a traceback of Theano's lines only.
    """

    def __init__(self):
        self.provided = []
        self.installed = False

    def find_spec(self, name, path=None, target=None):
        if name == 'lasagne_objectives':
            # The runner may have found it in the current folder, where a
            # script does not look.
            return PathFinder.find_spec(name, [os.path.dirname(PACKAGE)])
        if name == 'theano':
            # Another Python that the script starts may have neither Theano
            # nor the NumPy that preparing it takes.
            if importlib.util.find_spec('numpy') is not None:
                self.prepare_theano()
        elif not self.installed and (
            name in SHIMS or name.startswith('lasagne.')
        ):
            return self.install(name)
        return None

    def prepare_theano(self):
        """Let Theano be imported, with the flags the script has set by now."""
        flags = os.environ.get('THEANO_FLAGS')
        load_bootstrap().prepare_theano()
        if os.environ.get('THEANO_FLAGS') != flags:
            self.provided.append('blas.ldflags')

    def install(self, name):
        """Install everything, then find the module that was asked for."""
        self.installed = True
        import lasagne_objectives

        lasagne_objectives.install()
        spec = importlib.util.find_spec(name)
        if spec is None:
            # That it cannot be imported is what was installed.
            raise ModuleNotFoundError('No module named %r' % name, name=name)
        return spec

    def report(self):
        """Say in one line what was done."""
        provided, replaced, added = self.provided, [], []
        if 'lasagne_objectives.replacement' in sys.modules:
            replacement = sys.modules['lasagne_objectives.replacement']
            shims, replaced, added = replacement.summary()
            provided = provided + shims
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


def load_bootstrap():
    """Load a module of the package by itself.

    Importing it would import the package, and so Theano.
    """
    spec = importlib.util.spec_from_file_location(
        'lasagne_objectives_bootstrap', os.path.join(PACKAGE, 'bootstrap.py')
    )
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    return bootstrap


def report_at_exit(finder):
    """Have the line printed when this process ends, whichever way."""
    process = os.getpid()

    def report():
        # Not again in a fork of this process. The script may have replaced
        # sys.stderr; Python itself has none if it was closed.
        if os.getpid() == process and sys.__stderr__ is not None:
            print(finder.report(), file=sys.__stderr__)

    atexit.register(report)


finder = StartupFinder()
sys.meta_path.insert(0, finder)
# Taken away, so that processes which this one starts do not report.
if os.environ.pop('LASAGNE_OBJECTIVES_REPORT', ''):
    report_at_exit(finder)

# What Python would have imported without us. If there is none, the error says
# so to Python, which expects it.
sys.path.remove(FOLDER)
del sys.modules['sitecustomize']
import sitecustomize  # noqa: E402,F401
