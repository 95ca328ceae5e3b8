"""Inputs a thousand times too large: training with these losses goes on, with the plain formulas it ends in NaN."""

import importlib.util
import os

import numpy as np
import pytest

from compiled import MODES

# What runs here is measured by other tests; to measure it again takes half as long as to run it.
pytestmark = pytest.mark.no_cover

FIGURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'docs', 'figures')


def script(name):
    """A script of the documentation, as a module."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(FIGURES, name + '.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


training = script('saturated_training')


@pytest.mark.parametrize('mode', [mode for mode in MODES if mode != 'no optimizer'])
def test_training_on_saturating_inputs(mode):
    losses = training.train('lasagne_objectives', mode)
    assert losses.shape == (50 * 8,)  # epochs of eight batches
    assert np.isfinite(losses).all()
    # After the first wild steps it even learns: a loss that is finite because nothing moves would not do.
    assert losses[-80:].mean() < losses[:80].max() / 2
    assert np.isnan(training.train('plain Theano', mode)[-1])


def test_the_figure_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(training, 'EPOCHS', 3)
    training.draw(str(tmp_path / 'figure.png'))
    assert (tmp_path / 'figure.png').stat().st_size > 10000
