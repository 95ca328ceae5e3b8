"""setup.py: what it refuses, and that it imports nothing to be installed."""

import os
import subprocess
import sys

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_setup(code):
    """Run code in a new Python, beside setup.py."""
    return subprocess.run([sys.executable, '-c', code],
                          cwd=REPOSITORY, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)


@pytest.mark.parametrize('version', [(3, 7), (3, 12), (3, 13), (4, 0)])
def test_other_pythons_are_told_why(version):
    done = run_setup("import runpy, sys; sys.version_info = %r;"
                     "runpy.run_path('setup.py', run_name='__main__')"
                     % (version + (0, 'final', 0),))
    assert done.returncode == 1
    assert 'runs on CPython 3.8 to 3.11' in done.stderr
    assert 'this is Python %d.%d' % version in done.stderr
    assert 'Install Python 3.11' in done.stderr


def test_the_version_is_read_without_importing_the_package():
    done = run_setup("import runpy, sys; sys.argv = ['setup.py', '--version'];"
                     "runpy.run_path('setup.py', run_name='__main__');"
                     "assert 'theano' not in sys.modules;"
                     "assert 'lasagne_objectives' not in sys.modules")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '0.1.0'
