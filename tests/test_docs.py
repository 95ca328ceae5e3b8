"""The documentation: its code runs, prints what it says, and is current."""

import os
import re

import lasagne_objectives
import pytest

import pages
from pages import read

# Pages whose blocks are pieces of a program, with what they leave out.
SETUP = {
    os.path.join('docs', 'user', 'kernels.rst'): """
import numpy as np, theano, theano.tensor as T
import lasagne_objectives as lo
x, w = T.matrix('x'), theano.shared(np.eye(2))
loss = lo.aggregate(lo.categorical_crossentropy(
    T.nnet.softmax(T.dot(x, w)), T.zeros_like(x[:, 0], dtype='int32')))
train = theano.function([x], loss)
""",
    os.path.join('docs', 'user', 'gpu.rst'): """
import numpy as np, theano, theano.tensor as T
from lasagne_objectives import aggregate, categorical_crossentropy
all_images, all_labels = np.zeros((256, 3), 'float32'), np.zeros(256)
network_of, updates = T.nnet.softmax, []
x = T.fmatrix('x')
train = theano.function([x], x.sum())
""",
    os.path.join('docs', 'user', 'running_old_scripts.rst'): """
def train_the_old_way():
    pass
""",
}


def pages_with_code():
    # The README's sample is run as users run it, further down.
    return [page for page in pages.rst_files() if page != 'README.rst' and list(pages.blocks(read(page)))]


@pytest.mark.parametrize('page', pages_with_code())
def test_code_on_the_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pictures are saved there
    with pages.ready_at_once():
        pages.run(page, SETUP.get(page, ''))
    lasagne_objectives.uninstall()  # what a page may have installed


# The machinery of these tests ------------------------------------------------

PAGE = '''
Title
=====

.. code-block:: python

    x = 2

    print('%.2f' % x)

.. code-block:: text

    2.01

>>> x
2

Then::

    x = x + 1

And a list

* with ::

        make test

* and

  >>> x + 1
  4

.. note:: no code
'''


def test_blocks_are_found():
    found = [(block.language, block.source) for block in pages.blocks(PAGE)]
    assert found == [
        ('python', "x = 2\n\nprint('%.2f' % x)\n"),
        ('text', '2.01\n'),
        ('doctest', '>>> x\n2\n'),
        ('literal', 'x = x + 1\n'),
        ('literal', 'make test\n'),
        ('doctest', '>>> x + 1\n4\n'),
    ]


def test_a_page_is_one_program(monkeypatch):
    monkeypatch.setattr(pages, 'read', lambda page: PAGE)
    assert pages.run('page.rst')['x'] == 3


@pytest.mark.parametrize(
    'old, new, complaint',
    [
        ('2.01', '2.50', 'page.rst, line 13: printed was'),
        ('  4', '  5', 'Expected:'),
        ('x + 1\n\nAnd', 'y + 1\n\nAnd', "name 'y'"),
        (':: python', ':: ruby', 'line 7: nothing runs ruby'),
        (':: python', ':: console', 'no code above prints this'),
    ],
)
def test_pages_that_are_wrong_are_found(monkeypatch, old, new, complaint):
    assert old in PAGE
    monkeypatch.setattr(pages, 'read', lambda page: PAGE.replace(old, new))
    with pytest.raises((AssertionError, NameError), match=complaint):
        pages.run('page.rst')


@pytest.mark.parametrize(
    'wanted, printed, equal',
    [
        ('loss 0.50, n 3', 'loss 0.52,  n 3', True),
        ('loss 0.50, n 3', 'loss 0.60, n 3', False),
        ('loss 0.50, n 3', 'loss 0.50, n 4', False),
        ('loss 0.50', 'Loss 0.50', False),
        ('1.0 2.0', '1.0', False),
    ],
)
def test_output_may_differ_a_little_in_decimals(wanted, printed, equal):
    assert pages.alike(wanted, printed) == equal


# README.rst ------------------------------------------------------------------


def sample():
    """The Python code in the README."""
    return '\n'.join(block.source for block in pages.blocks(read('README.rst')) if block.language == 'python').strip()


def test_the_sample_is_short():
    assert 0 < len(sample().splitlines()) <= 15


def test_the_sample_learns(capsys):
    exec(compile(sample(), 'README.rst', 'exec'), {})
    printed = re.fullmatch(r'loss (.*), top-3 accuracy (.*)\n', capsys.readouterr().out)
    loss, accuracy = [float(number) for number in printed.groups()]
    assert loss < 0.5 < 0.95 < accuracy


def test_readme_names_the_supported_versions():
    # setup.py is where they are decided, Travis where they are tested
    versions = re.findall(r'Python :: (3\.\d+)', read('setup.py'))
    assert versions == re.findall(r'"(3\.\d+)"', read('.travis.yml'))
    assert 'CPython %s and %s' % (', '.join(versions[:-1]), versions[-1]) in read('README.rst')


def test_changes_describe_this_version():
    assert '\n%s (' % lasagne_objectives.__version__ in read('CHANGES.rst')


# The page for contributors ---------------------------------------------------

CONTRIBUTING = os.path.join('docs', 'contributing.rst')


def source_files():
    """Python files and pages in which an objective may be named."""
    for top in ('lasagne_objectives', 'tests', 'docs'):
        for folder, _, names in os.walk(os.path.join(pages.REPOSITORY, top)):
            folder = os.path.relpath(folder, pages.REPOSITORY)
            # Prose may name all objectives or not.
            if folder not in (os.path.join('docs', 'user'), os.path.join('docs', '_build')):
                yield from (os.path.join(folder, name) for name in names if name.endswith(('.py', '.rst')))
    yield 'CHANGES.rst'


def files_in_the_steps():
    """The files that the steps to add an objective name."""
    steps = read(CONTRIBUTING).split('Adding an objective')[1]
    steps = steps.split('\nWhat a change brings')[0]
    return set(re.findall(r'``([\w/]+\.[a-z]+)``', steps))


def test_steps_name_each_file_to_be_changed():
    objectives = lasagne_objectives.__all__
    with_all = {path for path in source_files() if all(name in read(path) for name in objectives)}
    assert 'docs/api.rst' in with_all  # the search finds something
    assert with_all <= files_in_the_steps()


@pytest.mark.parametrize('name', lasagne_objectives.__all__)
def test_files_that_the_steps_name_exist(name):
    for path in files_in_the_steps():
        path = os.path.join(pages.REPOSITORY, path.replace('NAME', name))
        assert os.path.exists(path), path


def test_map_shows_every_room():
    package = os.path.join(pages.REPOSITORY, 'lasagne_objectives')
    rooms = [name for name in os.listdir(package) if name.endswith('.py') and not name.startswith('__')]
    assert 'objectives.py' in rooms
    for room in rooms:
        assert '\n``%s``\n' % room in read(CONTRIBUTING), room
