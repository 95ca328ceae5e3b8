"""The table in the documentation of what each way to write an output layer costs in accuracy."""

import os
import re

import pytest

from test_training import FIGURES, script

layers = script('output_layers')


def cells(text):
    """The table's rows, without the header, as lists of cells."""
    return [re.findall('- (.*)', row) for row in text.split('   * ')[2:]]


def test_no_error_of_ours_in_the_table_is_large():
    """The one that was written last holds every row, and what it says of our losses is rounding."""
    with open(os.path.join(FIGURES, os.pardir, 'user', 'numerics_table.rst')) as table:
        rows = cells(table.read())
    assert [row[0] for row in rows] == [row[0] for row in layers.ROWS]
    for row in rows:
        assert all(float(error) < 5e-7 for error in row[2::2]), row
        assert set(row[1::2]) & {'NaN', 'inf'}, 'plain Theano does not need us there'


@pytest.mark.parametrize('row', range(0, len(layers.ROWS), 5))
def test_the_table_is_measured(row, monkeypatch):
    """A row of it, in the mode that is quick to compile."""
    monkeypatch.setattr(layers, 'ROWS', layers.ROWS[row : row + 1])
    monkeypatch.setattr(layers, 'MODES', {'no optimizer': layers.MODES['no optimizer']})
    ((name, plain, ours),) = cells(layers.table(layers.measure()))
    assert name == layers.ROWS[0][0]
    assert plain == 'NaN' and float(ours) < 5e-7
