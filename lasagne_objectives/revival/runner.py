"""Runs a script of Lasagne with the objectives of this package.

``python -m lasagne_objectives train.py`` starts Python anew, the way
``python train.py`` does, with the folder ``startup`` on its path, from which
Python imports ``sitecustomize`` before anything else. Running the script in
this process would be an imitation of Python. So it is Python that runs it:
``sys.argv``, ``sys.path`` and ``__main__``, exit codes, signals and tracebacks
are its own, Theano is not imported before the script imports it, and the
processes that the script starts are prepared as well.
"""

import argparse
import ctypes
import itertools
import os
import re
import signal
import subprocess
import sys

__all__ = ['main']

STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'startup')

# Tells the startup of the script's process, and no other, to report at exit.
REPORT = 'LASAGNE_OBJECTIVES_REPORT'
# Tells it, and those of its processes, to take all for Python 2.
PYTHON2 = 'LASAGNE_OBJECTIVES_PYTHON2'


def main():
    """Run what the command line says. Does not return."""
    parser = argparse.ArgumentParser(
        prog='python -m lasagne_objectives',
        usage='%(prog)s [-h] [-q] [-2] script.py | -m module | -c command '
        '[argument ...]\n       %(prog)s --install-theano',
        description="Run a script as Python does, with Theano and Lasagne "
        "made importable and the functions of lasagne.objectives "
        "replaced by those of lasagne_objectives.",
        epilog="Python's own options go before -m lasagne_objectives.",
    )
    parser.add_argument(
        '-q',
        '--quiet',
        action='store_true',
        help="do not say at the end, on stderr, what was "
        "provided and replaced",
    )
    parser.add_argument(
        '-2',
        '--python2',
        action='store_true',
        help="take all files of the script for Python 2, also those that "
        "parse as Python 3",
    )
    parser.add_argument(
        '--install-theano',
        action='store_true',
        help="install Theano 1.0.5, by pip or uv, where it is missing: by "
        "themselves they cannot build it on Python 3.12 and later",
    )
    own = list(itertools.takewhile(is_own_option, sys.argv[1:]))
    options, unknown = parser.parse_known_args(own)
    if unknown:
        parser.error(
            "unrecognized arguments: %s; Python's own options go before -m "
            "lasagne_objectives" % ' '.join(unknown)
        )
    script = sys.argv[1 + len(own) :]
    if options.install_theano:
        if script:
            parser.error("--install-theano is given alone, without a script")
        from lasagne_objectives.revival import theano_installer

        sys.exit(theano_installer.main())
    if not script:
        parser.print_help(sys.stderr)
        sys.exit(2)
    if sys.flags.ignore_environment or sys.flags.no_site:
        parser.error(
            "Python's options -E, -I and -S keep it from preparing "
            "anything for the script: leave them out"
        )
    before = python_options(sys.argv)
    if before is None:
        parser.error(
            "it starts Python anew, as it was started: start it as python -m "
            "lasagne_objectives, or call lasagne_objectives.install()"
        )
    command = [sys.executable] + before + script
    environ = environment(os.environ, options.quiet, options.python2)
    hand_over(command, environ)


def is_own_option(argument):
    """Whether an argument is none of Python's ways to say what to run."""
    return (
        argument.startswith('-')
        and argument != '-'
        and argument[:2] not in ('-c', '-m')
    )


def original_arguments():
    """What Python was started with.

    Returns
    -------
    list of str
    """
    if hasattr(sys, 'orig_argv'):
        return sys.orig_argv
    # Python 3.8 and 3.9 only tell it to C.
    argc, argv = ctypes.c_int(), ctypes.POINTER(ctypes.c_wchar_p)()
    ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(argc), ctypes.byref(argv))
    return argv[: argc.value]


def python_options(argv):
    """What stood before ``-m lasagne_objectives`` on the command line.

    These are options of Python, and maybe a program that runs programs, such
    as ``-m cProfile``.

    Parameters
    ----------
    argv : list of str
        ``sys.argv``: one item, and what stood after it.

    Returns
    -------
    list of str or None
        ``None`` if the command line does not say that, for the runner was
        started in another way.
    """
    options = original_arguments()[1:]
    del options[len(options) + 1 - len(argv) :]
    if options[-1:] == ['lasagne_objectives']:
        options[-2:] = [''.join(options[-2:])]
    # -m may end a group of short options, and have its value behind it
    match = re.fullmatch(
        '(-[a-zA-Z]*)mlasagne_objectives', ''.join(options[-1:])
    )
    if match is None:
        return None
    group = match.group(1)
    return options[:-1] + [group] * (group != '-')


def environment(inherited, quiet, python2):
    """The environment of the script's process.

    Parameters
    ----------
    inherited : mapping of str to str
        ``os.environ``.
    quiet : bool
        Whether it is not to report at its end.
    python2 : bool
        Whether all its files are Python 2.

    Returns
    -------
    dict of str to str
    """
    environ = dict(inherited)
    # An empty entry would be the current folder.
    path = [STARTUP, environ.get('PYTHONPATH', '')]
    environ['PYTHONPATH'] = os.pathsep.join(filter(None, path))
    environ[REPORT] = '' if quiet else '1'
    if python2:
        environ[PYTHON2] = '1'
    return environ


def hand_over(command, environ, windows=os.name == 'nt'):
    """Become another program. Does not return.

    Parameters
    ----------
    command : list of str
        The program and its arguments.
    environ : dict of str to str
        Its environment.
    windows : bool
        Whether this is Windows, whose ``exec`` starts a process beside this
        one, for which nobody waits.
    """
    if not windows:
        os.execve(command[0], command, environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's
    sys.exit(subprocess.call(command, env=environ))
