"""Installs Theano 1.0.5: ``python -m lasagne_objectives --install-theano``.

Theano's ``setup.py`` calls two names of ``configparser`` that Python 3.12
dropped, so neither pip nor uv can build it there. Both can where these names
are: in a Python that imports a ``sitecustomize`` which restores them. So it is
they who install Theano, from the index, through the proxy and with the cache
that their user has chosen.

The environment gains Theano and nothing else. What builds it comes into a
folder that vanishes, and after a failure all that was written vanishes too.
"""

import contextlib
import glob
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

__all__ = ['main']

VERSION = '1.0.5'
THEANO = 'Theano==' + VERSION

# The first one that makes wheels without the package wheel.
SETUPTOOLS = 'setuptools>=70.1'

SITECUSTOMIZE = """\
import configparser
import sys

# Python 3.12 dropped both.
if not hasattr(configparser, 'SafeConfigParser'):
    configparser.SafeConfigParser = configparser.ConfigParser
    raw = configparser.RawConfigParser
    raw.readfp = raw.read_file

# What Python would have imported without us, see startup/sitecustomize.py.
sys.path.remove(%r)
del sys.modules['sitecustomize']
import sitecustomize
"""

# What stops a program in the middle. Windows has only two of them.
STOPS = [
    getattr(signal, name)
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
    if hasattr(signal, name)
]

# How long one that is stopped may take to clean up after itself, in seconds.
GRACE = 5

MAKE_AN_ENVIRONMENT = (
    "Make a virtual environment of your own (%s -m venv FOLDER), and install "
    "lasagne_objectives and Theano with its Python." % sys.executable
)

# What pip or uv say when they fail, what it means and how to mend it. The
# first that fits counts, for pip says of an index that it cannot reach also
# that it has no such package.
MEANINGS = [
    (
        'externally.managed',
        "this Python belongs to the operating system, which lets nobody "
        "install into it. " + MAKE_AN_ENVIRONMENT,
    ),
    (
        'connection|connect |timed out|proxy|SSLError|Failed to fetch',
        "the package index cannot be reached. Check the network, and the "
        "index and the proxy in the settings of pip (pip config list) or uv.",
    ),
    (
        'No matching distribution|No solution found',
        "the package index does not have it, or a setting hides it. Check "
        "the index in the settings of pip (pip config list) or uv.",
    ),
    (
        'Read-only file system|Permission denied',
        "the environment cannot be written to. " + MAKE_AN_ENVIRONMENT,
    ),
    ('', "what pip or uv said of it is above."),
]


class InstallationError(Exception):
    """Says why Theano could not be installed, and the cure."""


class Stopped(Exception):
    """A signal has asked this program to stop."""


def main():
    """Install Theano, and say what was done.

    Returns
    -------
    int or str
        What ``sys.exit`` takes: 0, the text of an error, or the status of a
        program that a signal has stopped.
    """
    try:
        print(install())
    except (InstallationError, OSError) as error:
        return "Theano was not installed: %s" % error
    except Stopped as stop:
        print("Stopped: nothing was installed.", file=sys.stderr)
        return 128 + stop.args[0]
    return 0


def install():
    """Install Theano where there is none.

    Returns
    -------
    str
        What was done.
    """
    version, folder = theano_here()
    if folder is not None:
        refuse_another(version, folder)
        return "Nothing to do: Theano is installed, in %s." % folder
    refuse_read_only()
    pip, uv = find_pip(), find_uv()
    if pip is None and uv is None:
        raise InstallationError(
            "this environment has no pip, and there is no uv in the PATH: run "
            "%s -m ensurepip, then this again." % sys.executable
        )
    print("Installing %s, less than a minute ..." % THEANO, flush=True)
    with Workshop() as workshop:
        if pip is not None:
            install_by_pip(pip, workshop)
        else:
            install_by_uv(uv, workshop)
        place = place_of_new(workshop)
    return (
        "Theano %s is installed, in %s. Import lasagne_objectives before it."
        % (VERSION, place)
    )


# ----------------------------------------------------------------------------
# What is there


def theano_here():
    """Find Theano without importing it.

    Returns
    -------
    version : str or None
        ``None`` if it has not been installed, but lies in the path.
    folder : str or None
        ``None`` if there is none.
    """
    spec = importlib.util.find_spec('theano')
    # A folder without code is what an uninstallation has left.
    if spec is None or spec.origin is None:
        return None, None
    try:
        version = importlib.metadata.version('Theano')
    except importlib.metadata.PackageNotFoundError:
        version = None
    return version, os.path.dirname(spec.origin)


def refuse_another(version, folder):
    """Do not replace a Theano that is not the one: somebody may need it."""
    # of a checkout the version goes on behind it
    if version is not None and not version.startswith(VERSION):
        raise InstallationError(
            "Theano %s is in %s, but lasagne_objectives needs %s: uninstall "
            "it, then do this again." % (version, folder, VERSION)
        )


def refuse_read_only():
    """Say at once what pip would say after having built Theano."""
    folder = sysconfig.get_path('purelib')
    # Where there is a user site pip installs there instead.
    if not os.access(folder, os.W_OK) and not site.ENABLE_USER_SITE:
        raise InstallationError(
            "%s cannot be written to. %s" % (folder, MAKE_AN_ENVIRONMENT)
        )


def find_pip():
    """The command that is pip of this environment, ``None`` without one."""
    if importlib.util.find_spec('pip') is None:
        return None
    return [
        sys.executable,
        '-m',
        'pip',
        '--disable-pip-version-check',
        '--no-input',  # nobody would see the question
    ]


def find_uv():
    """The command that is uv, ``None`` without one."""
    if shutil.which('uv'):
        return [shutil.which('uv')]
    if importlib.util.find_spec('uv') is not None:
        return [sys.executable, '-m', 'uv']
    return None


# ----------------------------------------------------------------------------
# What is done


def install_by_pip(pip, workshop):
    """Install by pip, with a setuptools that the environment is spared.

    In an environment for building, which pip makes, it would import no
    ``sitecustomize`` but its own.
    """
    tools = os.path.join(workshop.folder, 'tools')
    wheels = os.path.join(workshop.folder, 'wheels')
    get = pip + ['wheel', '--no-deps', '--wheel-dir']
    run(get + [tools, SETUPTOOLS], workshop, 'setuptools, which builds it,')
    # A wheel is an archive of what belongs into a folder of the path.
    (wheel,) = glob.glob(os.path.join(glob.escape(tools), '*.whl'))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tools)
    run(get + [wheels, '--no-build-isolation', THEANO], workshop, THEANO)
    # By its name, not its path, which pip would remember and freeze.
    run(
        pip
        + ['install', '--no-deps', '--no-index', '--find-links', wheels]
        + ['--only-binary', 'Theano', THEANO],
        workshop,
        THEANO,
    )


def install_by_uv(uv, workshop):
    """Install by uv, whose environments for building heed PYTHONPATH."""
    run(
        uv
        + ['pip', 'install', '--no-deps', '--python', sys.executable]
        + [THEANO],
        workshop,
        THEANO,
    )


def place_of_new(workshop):
    """The folder of Theano, asked of a Python that starts now.

    This one may not look where pip has made the first folder of its user's.
    """
    command = "import importlib.util as u; print(u.find_spec('theano').origin)"
    done = workshop.run([sys.executable, '-c', command])
    if done.returncode:
        raise InstallationError(
            "it has been put where %s does not look: take target, prefix and "
            "root out of pip's settings (pip config list)." % sys.executable
        )
    return os.path.dirname(done.stdout.strip())


def run(command, workshop, what):
    """Run pip or uv, and explain why if it fails.

    Parameters
    ----------
    command : list of str
        Its program and arguments.
    workshop : Workshop
        Where.
    what : str
        What it is to get, for the error.
    """
    done = workshop.run(command)
    if done.returncode:
        print(*done.stdout.splitlines()[-20:], sep='\n', file=sys.stderr)
        raise InstallationError(
            "%s could not be had: %s" % (what, meaning_of(done.stdout))
        )


def meaning_of(output):
    """What it means that pip or uv have failed with these words."""
    return next(
        meaning
        for pattern, meaning in MEANINGS
        if re.search(pattern, output, re.IGNORECASE)
    )


# ----------------------------------------------------------------------------
# What is left behind: nothing


class Workshop:
    """A temporary folder, and programs that run in it.

    A context. What fails in it, or is stopped by a signal, leaves nothing of
    Theano behind. Signals are noted, and heeded between two steps or while a
    program runs, that they cannot interrupt the cleaning.
    """

    def __enter__(self):
        self.before = parts_of_theano()
        self.stopped_by = None
        # what was started so that a signal does not stop it, stays so
        self.handlers = {
            number: signal.signal(number, self.note)
            for number in STOPS
            if signal.getsignal(number) != signal.SIG_IGN
        }
        self.folder = tempfile.mkdtemp(prefix='install-theano-')
        self.path = [os.path.join(self.folder, x) for x in ('then', 'tools')]
        os.mkdir(self.path[0])
        with open(os.path.join(self.path[0], 'sitecustomize.py'), 'w') as file:
            file.write(SITECUSTOMIZE % self.path[0])
        return self

    def __exit__(self, error, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            if error is not None:
                remove(parts_of_theano() - self.before)
        finally:
            for number, handler in self.handlers.items():
                signal.signal(number, handler)

    def note(self, number, frame):
        """Handle a signal."""
        self.stopped_by = number

    def run(self, command):
        """Run a program to its end, or stop it when this one is stopped.

        Parameters
        ----------
        command : list of str
            The program and its arguments.

        Returns
        -------
        subprocess.CompletedProcess
            With all that it printed.
        """
        process = subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            errors='replace',
            # a group of its own, that its processes can be stopped with it
            start_new_session=True,
        )
        output = None
        while output is None and self.stopped_by is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, _ = process.communicate(timeout=0.2)
        if self.stopped_by is not None:
            stop(process)
            raise Stopped(self.stopped_by)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def environment(self):
        """The environment of a program that builds.

        Returns
        -------
        dict of str to str
        """
        # An empty entry would be the current folder.
        path = self.path + list(filter(None, [os.environ.get('PYTHONPATH')]))
        return dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(path),
            # also for what it would leave there when it is stopped
            TMPDIR=self.folder,
        )


def stop(process):
    """End a process and those that it has started.

    Parameters
    ----------
    process : subprocess.Popen
        Who leads a group of its own.
    """
    # Windows has no groups. First asked, that it may clean up after itself.
    kill = getattr(os, 'killpg', os.kill)
    for number in (signal.SIGINT, getattr(signal, 'SIGKILL', signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    process.stdout.close()


def parts_of_theano():
    """What there is of Theano in the folders that pip installs to.

    Returns
    -------
    set of str
        Files and folders, with all that is in them.
    """
    # Its two programs are in a package named bin.
    patterns = [
        os.path.join(glob.escape(folder), name)
        for folder in (
            sysconfig.get_path('purelib'),
            site.getusersitepackages(),
        )
        for name in ('theano', '[Tt]heano-*', 'bin')
    ] + [
        os.path.join(glob.escape(folder), 'theano-*')
        for folder in (
            sysconfig.get_path('scripts'),
            os.path.join(site.getuserbase(), 'bin'),
        )
    ]
    found = set()
    for pattern in patterns:
        for path in glob.glob(pattern):
            found.add(path)
            for folder, folders, files in os.walk(path):
                found.update(os.path.join(folder, x) for x in folders + files)
    return found


def remove(paths):
    """Remove files, and folders that are empty then.

    Parameters
    ----------
    paths : set of str
        Files and folders.
    """
    # what is in a folder before the folder
    for path in sorted(paths, reverse=True):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
