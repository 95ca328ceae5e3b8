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
    configparser.RawConfigParser.readfp = configparser.RawConfigParser.read_file

# What Python would have imported without us, see startup/sitecustomize.py.
sys.path.remove(%r)
del sys.modules['sitecustomize']
import sitecustomize
"""

# What stops a program in the middle. Windows has two of them.
STOPS = [
    getattr(signal, name)
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
    if hasattr(signal, name)
]

MAKE_AN_ENVIRONMENT = (
    "make a virtual environment of your own (%s -m venv FOLDER), and install "
    "lasagne_objectives and Theano with its Python" % sys.executable
)

# From what pip or uv say when they fail to what it means and how to mend it.
# The first that fits, for pip says of an index that it cannot reach also that
# it has no such package.
MEANINGS = [
    (
        'externally.managed',
        "this Python belongs to the operating system, which lets nobody "
        "install into it: " + MAKE_AN_ENVIRONMENT,
    ),
    (
        'connection|connect |timed out|proxy|SSLError|Failed to fetch',
        "the package index cannot be reached: see whether the network is "
        "there, and whether the index and the proxy are right that pip (pip "
        "config list) or uv are told to use",
    ),
    (
        'No matching distribution|not found in the package registry'
        '|no versions? of|not found in the provided package locations',
        "the package index does not have it: name one that has, as pip's "
        "index-url or in UV_DEFAULT_INDEX",
    ),
    (
        'Read-only file system|Permission denied',
        "what has to be written to cannot be: " + MAKE_AN_ENVIRONMENT,
    ),
]


class InstallationError(Exception):
    """Says why Theano could not be installed, and the cure."""


class Stopped(BaseException):
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
    except InstallationError as error:
        return "Theano was not installed: %s." % error
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
            "%s -m ensurepip, then this again" % sys.executable
        )
    print("Installing %s, less than a minute ..." % THEANO, flush=True)
    with workshop() as folder:
        if pip is not None:
            install_by_pip(pip, folder)
        else:
            install_by_uv(uv, folder)
        place = place_of_new(folder)
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
            "it, then do this again" % (version, folder, VERSION)
        )


def refuse_read_only():
    """Say at once what pip would say after having built Theano."""
    folder = sysconfig.get_path('purelib')
    # Where there is a user site pip installs there instead.
    if not os.access(folder, os.W_OK) and not site.ENABLE_USER_SITE:
        raise InstallationError(
            "%s cannot be written to: %s" % (folder, MAKE_AN_ENVIRONMENT)
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


def install_by_pip(pip, folder):
    """Install by pip, with a setuptools that the environment is spared.

    In an environment for building, which pip makes, it would import no
    ``sitecustomize`` but its own.
    """
    tools = os.path.join(folder, 'tools')
    wheels = os.path.join(folder, 'wheels')
    get = pip + ['wheel', '--no-deps', '--wheel-dir']
    run(get + [tools, SETUPTOOLS], folder, 'setuptools, which builds it')
    # A wheel is an archive of what belongs into a folder of the path.
    with zipfile.ZipFile(only_file(tools)) as archive:
        archive.extractall(tools)
    run(get + [wheels, '--no-build-isolation', THEANO], folder, THEANO)
    run(pip + ['install', '--no-deps', only_file(wheels)], folder, THEANO)


def only_file(folder):
    """The path of the wheel in a folder."""
    (path,) = glob.glob(os.path.join(glob.escape(folder), '*.whl'))
    return path


def install_by_uv(uv, folder):
    """Install by uv, whose environments for building heed PYTHONPATH."""
    run(
        uv + ['pip', 'install', '--no-deps', '--python', sys.executable]
        + [THEANO],
        folder,
        THEANO,
    )


def place_of_new(folder):
    """The folder of Theano, asked of a Python that starts now.

    This one may not look where pip has made the first folder of its user's.
    """
    command = "import importlib.util as u; print(u.find_spec('theano').origin)"
    done = run_quietly([sys.executable, '-c', command], folder)
    if done.returncode:
        raise InstallationError(
            "it has been put where %s does not look: take target, prefix and "
            "root out of pip's settings (pip config list)" % sys.executable
        )
    return os.path.dirname(done.stdout.strip())


def run(command, folder, what):
    """Run pip or uv, and explain why if it fails.

    Parameters
    ----------
    command : list of str
        Its program and arguments.
    folder : str
        The temporary one.
    what : str
        What it is to get, for the error.
    """
    done = run_quietly(command, folder)
    if done.returncode:
        raise InstallationError(explain(done.stdout, what))


def explain(output, what):
    """Make an error's text of what pip or uv have said.

    Parameters
    ----------
    output : str
        All of it.
    what : str
        What they were to get.

    Returns
    -------
    str
    """
    for pattern, meaning in MEANINGS:
        if re.search(pattern, output, re.IGNORECASE):
            said = re.findall(r'^error: (.*\S)', output, re.I | re.M)[-1:]
            return "%s; %s%s" % (
                "could not get or install " + what,
                meaning,
                "".join(" (it said: %s)" % line for line in said),
            )
    return "could not get or install %s:\n%s\nNothing was left behind" % (
        what,
        '\n'.join(output.splitlines()[-20:]),
    )


def run_quietly(command, folder):
    """Run a program to its end, or stop it when this one is stopped.

    Parameters
    ----------
    command : list of str
        The program and its arguments.
    folder : str
        The temporary one, also for what the program itself would leave in
        the temporary folder of the system.

    Returns
    -------
    subprocess.CompletedProcess
        With all that it printed.
    """
    # A group of its own, that its own processes can be stopped with it.
    process = subprocess.Popen(
        command,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors='replace',
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        stop(process)
        raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def environment(folder):
    """The environment of a program that builds.

    Parameters
    ----------
    folder : str
        The temporary one.

    Returns
    -------
    dict of str to str
    """
    path = [os.path.join(folder, name) for name in ('then', 'tools')]
    # An empty entry would be the current folder.
    path += filter(None, [os.environ.get('PYTHONPATH')])
    return dict(os.environ, PYTHONPATH=os.pathsep.join(path), TMPDIR=folder)


# ----------------------------------------------------------------------------
# What is left behind: nothing


@contextlib.contextmanager
def workshop():
    """A temporary folder; what fails in it leaves nothing of Theano behind."""
    before = parts_of_theano()
    folder = tempfile.mkdtemp(prefix='install-theano-')
    former = {number: signal.getsignal(number) for number in STOPS}
    try:
        for number in STOPS:
            # what was started not to be stopped so, stays so
            if former[number] != signal.SIG_IGN:
                signal.signal(number, raise_stopped)
        write_sitecustomize(folder)
        yield folder
    except BaseException:
        ignore_stops()
        remove(parts_of_theano() - before)
        raise
    finally:
        ignore_stops()
        shutil.rmtree(folder, ignore_errors=True)
        for number in STOPS:
            signal.signal(number, former[number])


def raise_stopped(number, frame):
    """Handle a signal."""
    raise Stopped(number)


def ignore_stops():
    """Let what cleans up end, however often it is asked to stop."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def stop(process):
    """End a process and those that it has started.

    Parameters
    ----------
    process : subprocess.Popen
        Who leads a group of its own.
    """
    ignore_stops()
    # Windows has no groups. First asked, that it may clean up after itself.
    kill = getattr(os, 'killpg', os.kill)
    for number in (signal.SIGINT, getattr(signal, 'SIGKILL', signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)


def write_sitecustomize(folder):
    """Write what restores the names that Theano's ``setup.py`` calls."""
    then = os.path.join(folder, 'then')
    os.mkdir(then)
    with open(os.path.join(then, 'sitecustomize.py'), 'w') as file:
        file.write(SITECUSTOMIZE % then)


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
