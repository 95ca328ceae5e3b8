"""Inputs a thousand times too large: training with these losses goes on, with the plain formulas it ends in NaN."""
import importlib.util
import os

import numpy as np
import pytest

FIGURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'docs', 'figures')


def script(name):
    """A script of the documentation, as a module."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(FIGURES, name + '.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


training = script('saturated_training')


@pytest.mark.parametrize('mode', ['FAST_RUN', 'FAST_COMPILE'])
@pytest.mark.parametrize('task', training.TASKS)
def test_training_on_saturating_inputs(task, mode):
    losses = training.train(task, True, mode)
    assert len(losses) == 50
    assert np.isfinite(losses).all()
    assert np.isnan(training.train(task, False, mode)).any()
    # After the first wild steps it even learns: a loss that is finite because nothing moves would not do.
    assert np.mean(losses[-10:]) < max(losses[:10])


def test_the_figure_is_drawn(tmp_path, monkeypatch):
    """With fewer epochs than the real one."""
    monkeypatch.setattr(training, 'EPOCHS', 3)
    monkeypatch.setattr(training.train, '__defaults__', (3,))
    filename = tmp_path / 'figure.png'
    training.draw(str(filename))
    assert filename.stat().st_size > 10000
