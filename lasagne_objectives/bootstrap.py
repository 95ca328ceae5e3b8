"""Makes ``import theano`` work where NumPy no longer tells of its BLAS.

Theano 1.0.5 finds its default for the flag ``blas.ldflags`` in
``numpy.distutils.__config__.blas_opt_info``, which NumPy 1.22 dropped: on
Python 3.11, whose oldest NumPy is 1.23, ``import theano`` dies with an
AttributeError. If the flag is set, Theano does not look. So
:func:`prepare_theano` sets it, in the environment variable that Theano reads
when it is imported.
"""

import configparser
import os
import shlex
import subprocess
import sys
import tempfile
import warnings

import numpy as np

__all__ = ['prepare_theano']

# A dot product by BLAS: says by its exit status whether that was right.
BLAS_PROGRAM = """
extern "C" double ddot_(int*, double*, int*, double*, int*);
int main()
{
    int length = 5, step = 1;
    double x[5] = {0, 1, 2, 3, 4};
    return ddot_(&length, x, &step, x, &step) == 30. ? 0 : 1;
}
"""


def prepare_theano():
    """Set Theano's flag ``blas.ldflags`` if ``import theano`` needs it.

    Does nothing if Theano is imported already, if NumPy has what Theano looks
    for, or if the user has set the flag. Otherwise the flag is put into the
    environment variable ``THEANO_FLAGS``: to link OpenBLAS if that is
    installed for linking, else empty, with which Theano calls the BLAS inside
    NumPy.

    Raises
    ------
    ImportError
        If the flag is needed, but comes too late for Theano to read it.
    """
    if 'theano' in sys.modules or numpy_describes_blas():
        return
    if user_setting('blas.ldflags') is not None:
        return
    if 'theano.configparser' in sys.modules:
        # Left behind by an import that failed, it has read its flags and does
        # not look again.
        raise ImportError(
            "theano was imported before lasagne_objectives, which failed "
            "because NumPy %s has no blas_opt_info, and cannot be tried again "
            "in the same process. Start Python anew and import "
            "lasagne_objectives first." % np.__version__
        )
    # At the front, for a '#' makes Theano ignore the rest of its flags.
    flags = ['blas.ldflags=' + find_blas(), os.environ.get('THEANO_FLAGS', '')]
    os.environ['THEANO_FLAGS'] = ','.join(filter(None, flags))


def numpy_describes_blas(version=np.__version__):
    """Whether NumPy has the ``blas_opt_info`` that Theano reads.

    Parameters
    ----------
    version : str
        NumPy's version.

    Returns
    -------
    bool
    """
    major, minor = version.split('.')[:2]
    if (int(major), int(minor)) < (1, 22):
        return True  # known without importing numpy.distutils, which is slow
    # Later ones have it only if built so; the wheels are not. The warning is
    # that numpy.distutils is deprecated; Theano imports it all the same.
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        import numpy.distutils.__config__ as config
    return hasattr(config, 'blas_opt_info')


def user_setting(name):
    """What the user's Theano configuration says, read as Theano reads it.

    Parameters
    ----------
    name : str
        Full name of a setting, such as ``'blas.ldflags'`` or ``'cxx'``.

    Returns
    -------
    str or None
        The value, which may be empty, or ``None`` if the user set none.
    """
    flags = theano_flags(os.environ.get('THEANO_FLAGS', ''))
    if name in flags:
        return flags[name]
    section, _, option = name.rpartition('.')
    # raw, because only Theano knows the values that %(...)s may stand for
    parser = configparser.RawConfigParser()
    parser.read(config_files(os.environ.get('THEANORC'), sys.platform))
    return parser.get(section or 'global', option, fallback=None)


def theano_flags(text):
    """Parse the value of ``THEANO_FLAGS``.

    Parameters
    ----------
    text : str
        Pairs ``name=value``, separated by commas, quoted as in a shell.

    Returns
    -------
    dict of str to str
        The last value of every name.
    """
    words = shlex.shlex(text, posix=True)
    words.whitespace = ','
    words.whitespace_split = True
    pairs = (word.strip().partition('=') for word in words)
    return {name: value for name, equals, value in pairs if equals}


def config_files(theanorc, platform):
    """Names of the configuration files that Theano reads.

    Parameters
    ----------
    theanorc : str or None
        Value of the environment variable ``THEANORC``.
    platform : str
        Value of ``sys.platform``.

    Returns
    -------
    list of str
        The later ones overrule the earlier. They need not exist.
    """
    if theanorc is not None:
        names = theanorc.split(os.pathsep)
    elif platform == 'win32':
        names = ['~/.theanorc', '~/.theanorc.txt']
    else:
        names = ['~/.theanorc']
    return [os.path.expanduser(name) for name in names]


def find_blas():
    """Find the linker flags of a fast BLAS.

    Returns
    -------
    str
        The flags, or an empty string if no BLAS can be linked that is sure to
        be as fast as the one inside NumPy. A plain ``-lblas`` is not: it may
        be the reference implementation.
    """
    compiler = user_setting('cxx')
    if compiler is None:
        compiler = 'clang++' if sys.platform == 'darwin' else 'g++'
    if links(compiler, ['-lopenblas']):
        return '-lopenblas'
    return ''


def links(compiler, flags):
    """Whether a program that uses BLAS can be linked, and then runs.

    Finding the library's file would not do: linking needs another name of it
    than running, and the linker and the loader look in different folders.

    Parameters
    ----------
    compiler : str
        A C++ compiler, which need not exist.
    flags : list of str
        Flags for the linker.

    Returns
    -------
    bool
    """
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, 'program.cpp')
        program = os.path.join(folder, 'program.exe')  # the name Windows needs
        with open(source, 'w') as file:
            file.write(BLAS_PROGRAM)
        return succeeds(
            [compiler, source, '-o', program] + flags
        ) and succeeds([program])


def succeeds(command):
    """Whether a command runs and its exit status is 0, whatever it prints.

    Parameters
    ----------
    command : list of str
        The program and its arguments.

    Returns
    -------
    bool
    """
    try:
        return (
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ).returncode
            == 0
        )
    except OSError:
        # There is no such program, or none may be run from that folder, as
        # some administrators decide for temporary files.
        return False
