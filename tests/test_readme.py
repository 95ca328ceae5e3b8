"""README.rst: its sample runs, and what it says of versions is so."""

import os
import re
import textwrap

import lasagne_objectives

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(*path):
    with open(os.path.join(REPOSITORY, *path), encoding='utf-8') as file:
        return file.read()


def sample():
    """The Python code in the README."""
    blocks = re.findall(r'\.\. code-block:: python\n\n((?:    .*\n|\n)+)',
                        read('README.rst'))
    assert len(blocks) == 1
    return textwrap.dedent(blocks[0]).strip()


def test_the_sample_is_short():
    assert len(sample().splitlines()) <= 15


def test_the_sample_runs_and_learns(capsys):
    names = {}
    exec(compile(sample(), 'README.rst', 'exec'), names)
    printed = re.fullmatch(r'loss (.*), top-3 accuracy (.*)\n',
                           capsys.readouterr().out)
    loss, accuracy = [float(number) for number in printed.groups()]
    assert loss < 0.5 < 0.95 < accuracy


def test_readme_names_the_supported_versions():
    # setup.py is where they are decided, Travis where they are tested
    versions = re.findall(r'Python :: (3\.\d+)', read('setup.py'))
    assert versions == re.findall(r'"(3\.\d+)"', read('.travis.yml'))
    assert 'CPython %s and %s' % (', '.join(versions[:-1]),
                                  versions[-1]) in read('README.rst')


def test_changes_describe_this_version():
    assert '\n%s (' % lasagne_objectives.__version__ in read('CHANGES.rst')
