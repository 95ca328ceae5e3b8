"""The documentation: its code runs, prints what it says, and is current."""

import os
import re

import lasagne_objectives
import pytest
import theano

import pages
from cases import PY
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
"""}


def pages_with_code():
    return [page for page in pages.rst_files()
            if list(pages.blocks(read(page)))]


@pytest.mark.parametrize('page', pages_with_code())
def test_code_on_the_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pictures are saved there
    # The pages are about losses, not about modes: the default one becomes
    # one that is ready at once, without a C compiler. Theano keeps it here.
    monkeypatch.setattr(theano.compile.mode, 'instantiated_default_mode',
                        PY)
    with theano.change_flags(mode='Mode', floatX='float64'):
        pages.run(page, SETUP.get(page, ''))


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
    assert found == [('python', "x = 2\n\nprint('%.2f' % x)\n"),
                     ('text', '2.01\n'), ('doctest', '>>> x\n2\n'),
                     ('literal', 'x = x + 1\n'), ('literal', 'make test\n'),
                     ('doctest', '>>> x + 1\n4\n')]


def test_a_page_is_one_program(monkeypatch):
    monkeypatch.setattr(pages, 'read', lambda page: PAGE)
    assert pages.run('page.rst')['x'] == 3


@pytest.mark.parametrize('old, new, complaint', [
    ('2.01', '2.50', 'page.rst, line 13: printed was'),
    ('  4', '  5', 'Expected:'),
    ('x + 1\n\nAnd', 'y + 1\n\nAnd', "name 'y'"),
    (':: python', ':: ruby', 'line 7: nothing runs ruby'),
    (':: python', ':: console', 'no code above prints this')])
def test_pages_that_are_wrong_are_found(monkeypatch, old, new, complaint):
    assert old in PAGE
    monkeypatch.setattr(pages, 'read', lambda page: PAGE.replace(old, new))
    with pytest.raises((AssertionError, NameError), match=complaint):
        pages.run('page.rst')


@pytest.mark.parametrize('wanted, printed, equal', [
    ('loss 0.50, n 3', 'loss 0.52,  n 3', True),
    ('loss 0.50, n 3', 'loss 0.60, n 3', False),
    ('loss 0.50, n 3', 'loss 0.50, n 4', False),
    ('loss 0.50', 'Loss 0.50', False), ('1.0 2.0', '1.0', False)])
def test_output_may_differ_a_little_in_decimals(wanted, printed, equal):
    assert pages.alike(wanted, printed) == equal


# README.rst ------------------------------------------------------------------

def sample():
    """The Python code in the README."""
    return '\n'.join(block.source for block in pages.blocks(read('README.rst'))
                     if block.language == 'python').strip()


def test_the_sample_is_short():
    assert 0 < len(sample().splitlines()) <= 15


def test_the_sample_learns(capsys):
    exec(compile(sample(), 'README.rst', 'exec'), {})
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
