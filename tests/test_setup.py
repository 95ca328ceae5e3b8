"""setup.py: what it refuses, and that it imports nothing to be installed."""

import configparser
import os
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_setup(code):
    """Run code in a new Python, beside setup.py."""
    return subprocess.run(
        [sys.executable, '-c', code], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )


@pytest.mark.parametrize('version', [(3, 7), (3, 12), (3, 13), (4, 0)])
def test_other_pythons_are_told_why(version):
    done = run_setup(
        "import runpy, sys; sys.version_info = %r;runpy.run_path('setup.py', run_name='__main__')" % (version + (0, 'final', 0),)
    )
    assert done.returncode == 1
    assert 'runs on CPython 3.8 to 3.11' in done.stderr
    assert 'this is Python %d.%d' % version in done.stderr
    assert 'Install Python 3.11' in done.stderr


def test_the_version_is_read_without_importing_the_package():
    done = run_setup(
        "import runpy, sys; sys.argv = ['setup.py', '--version'];"
        "runpy.run_path('setup.py', run_name='__main__');"
        "assert 'theano' not in sys.modules;"
        "assert 'lasagne_objectives' not in sys.modules"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '0.1.0'


def environments_of_tox():
    """The NumPy of every environment that setup.cfg tells tox to make."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(os.path.join(REPOSITORY, 'setup.cfg'))
    pins = [line.split(': numpy==') for line in settings['testenv']['deps'].split('\n') if line]
    return {name: numpy for names, numpy in pins for name in names.split(',')}


def test_tox_has_the_oldest_and_the_newest_numpy_of_every_python():
    with open(os.path.join(REPOSITORY, 'setup.py')) as file:
        setup = file.read()
    requirements = [Requirement(text) for text in re.findall(r"'(numpy[<>=].*)'", setup)]
    pythons = re.findall(r'Python :: (3\.\d+)', setup)
    environments = environments_of_tox()
    assert len(environments) == 2 * len(pythons) == 8
    for python in pythons:
        (required,) = [each.specifier for each in requirements if each.marker.evaluate({'python_version': python})]
        name = 'py' + python.replace('.', '')
        oldest, newest = environments[name + '-oldest'], environments[name + '-newest']
        assert Version(oldest) < Version(newest)
        assert oldest in required and newest in required
        # setup.py refuses what comes after the newest
        major, minor, _ = newest.split('.')
        assert '%s.%d' % (major, int(minor) + 1) not in required
