"""setup.py: what it refuses, and that it imports nothing to be installed."""

import configparser
import json
import os
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import lasagne_objectives
from lasagne_objectives.revival.theano_installer import THEANO

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_setup(code):
    """Run code in a new Python, beside setup.py."""
    return subprocess.run(
        [sys.executable, '-c', code], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )


@pytest.mark.parametrize('version', [(3, 7), (3, 15), (4, 0)])
def test_other_pythons_are_told_why(version):
    done = run_setup(
        "import runpy, sys; sys.version_info = %r;runpy.run_path('setup.py', run_name='__main__')" % (version + (0, 'final', 0),)
    )
    assert done.returncode == 1
    assert 'runs on CPython 3.8 to 3.14' in done.stderr
    assert 'this is Python %d.%d' % version in done.stderr
    assert 'Install Python 3.14' in done.stderr


# setuptools need not be there where the package runs, and so not here
SETUP = """
import json, runpy, sys, types
sys.modules['setuptools'] = types.SimpleNamespace(
    find_packages=lambda **names: names, setup=lambda **given: print(json.dumps(given)))
runpy.run_path('setup.py', run_name='__main__')
assert not {'theano', 'lasagne_objectives'} & sys.modules.keys()
"""


@pytest.fixture(scope='module')
def given():
    """What setup.py gives to setuptools, without importing the package."""
    done = run_setup(SETUP)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_version_is_that_of_the_package(given):
    assert given['version'] == lasagne_objectives.__version__ == '0.1.0'


PYTHONS = ['3.8', '3.9', '3.10', '3.11', '3.12', '3.13', '3.14']


def read(*path):
    with open(os.path.join(REPOSITORY, *path)) as file:
        return file.read()


@pytest.fixture(scope='module')
def required(given):
    """Tells what is required on a Python: names, and their versions."""
    requirements = list(map(Requirement, given['install_requires']))
    return lambda python: {
        each.name: each.specifier for each in requirements if each.marker is None or each.marker.evaluate({'python_version': python})
    }


def test_every_place_lists_the_same_pythons(given):
    assert re.findall(r'Python :: (3\.\d+)', ' '.join(given['classifiers'])) == PYTHONS
    everyone = ['3.%d' % minor for minor in range(20)] + ['2.7', '4.0']
    assert [python for python in everyone if python in SpecifierSet(given['python_requires'])] == PYTHONS
    assert re.search(r'^supported="(.*)"$', read('.ci', 'pythons'), re.M).group(1).split() == PYTHONS[::-1]
    assert re.findall(r'^  - "(3\.\d+)"$', read('.travis.yml'), re.M) == PYTHONS


def test_theano_is_required_where_pip_can_build_it(required):
    for python in PYTHONS:
        can = Version(python) < Version('3.12')
        assert ('Theano' in required(python)) == can
        # what Theano itself requires, and nothing else: nobody is bound to
        # versions of the past
        assert required(python).keys() - {'Theano'} == {'numpy', 'scipy', 'six'}
        assert all(bound.operator == '>=' for name in ('numpy', 'scipy', 'six') for bound in required(python)[name])


def test_the_installer_installs_the_theano_that_is_required(required):
    assert str(required('3.11')['Theano']) == THEANO.replace('Theano', '')


def test_tox_has_the_oldest_and_the_newest_numpy_of_every_python(required):
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(os.path.join(REPOSITORY, 'setup.cfg'))
    names = ['py' + python.replace('.', '') for python in PYTHONS]
    assert settings['tox:tox']['env_list'] == '{%s}-{oldest,newest}' % ','.join(names)
    # the newest is the one that pip takes if nothing is said
    oldest = dict(line.split(': numpy==') for line in settings['testenv']['deps'].split('\n') if line)
    assert list(oldest) == [name + '-oldest' for name in names]
    for python, numpy in zip(PYTHONS, oldest.values()):
        assert numpy in required(python)['numpy']
    assert list(oldest.values()) == sorted(oldest.values(), key=Version)
