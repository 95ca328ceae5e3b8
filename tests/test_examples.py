"""examples/: real, short runs of the scripts, as a user starts them."""

import os
import re
import subprocess
import sys

import pytest
from matplotlib.image import imread

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_digits(folder, *options):
    """Run the script in a folder and return the lines it prints.

    In float32: `make example` runs it in float64, and all that is compiled here serves for the next.
    """
    script = os.path.join(REPOSITORY, 'examples', 'digits.py')
    done = subprocess.run(
        [sys.executable, script] + list(options),
        cwd=str(folder),
        env=dict(os.environ, THEANO_FLAGS=os.environ['THEANO_FLAGS'] + ',floatX=float32'),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stderr
    assert '100%' in done.stderr  # the progress bar
    return done.stdout.splitlines()


def numbers(line):
    """The decimal numbers in a line of text."""
    return [float(number) for number in re.findall(r'-?\d+\.\d+', line)]


@pytest.mark.parametrize('loss', ['categorical_crossentropy', 'multiclass_hinge_loss', 'binary_hinge_loss'])
def test_digits_learns(tmp_path, loss):
    *epochs, test, last = run_digits(tmp_path, '--epochs', '15', '--loss', loss)
    assert len(epochs) == 15
    train_loss, validation_loss, top1, top3 = numbers(epochs[-1])
    assert train_loss < numbers(epochs[0])[0]
    assert validation_loss < numbers(epochs[0])[1]
    assert 0.9 < top1 <= top3 <= 1
    top1, top3 = numbers(test)
    assert 0.93 < top1 <= top3 <= 1

    assert last == 'learning curves saved in %s' % os.path.realpath(str(tmp_path / 'digits.png'))
    picture = imread(str(tmp_path / 'digits.png'))
    assert picture.shape[0] > 100 and picture.std() > 0.05  # not blank


def test_digits_obeys_its_other_options(tmp_path):
    options = ['--epochs', '2', '--batch-size', '100', '--seed', '5', '--learning-rate', '0.01', '--loss', 'huber_loss']
    first = run_digits(tmp_path, *options)
    assert len(first) == 4
    assert run_digits(tmp_path, *options) == first
    options[5] = '6'  # another seed
    assert run_digits(tmp_path, *options) != first


@pytest.mark.parametrize('loss', ['squared_error', 'binary_crossentropy'])
def test_digits_runs_with_the_other_losses(tmp_path, loss):
    assert len(run_digits(tmp_path, '--epochs', '1', '--loss', loss)) == 3


def test_digits_is_short_enough_to_read():
    with open(os.path.join(REPOSITORY, 'examples', 'digits.py')) as file:
        assert len(file.readlines()) < 140
