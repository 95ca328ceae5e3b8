"""benchmarks/: that they run and report what they found; nothing is timed."""

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from then import UNAIDED

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCHMARKS = os.path.join(REPOSITORY, 'benchmarks')
# what is compiled stays for the next run of the tests
CACHE = os.path.join(REPOSITORY, '.theano', 'benchmarks')


def run(script, *arguments, **environ):
    """Run a script of the benchmarks; return the process that ended."""
    return subprocess.run(
        [sys.executable, os.path.join(BENCHMARKS, script)] + list(arguments),
        env=dict(os.environ, PYTHONPATH=REPOSITORY, **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


@pytest.fixture(scope='module')
def timed(tmp_path_factory):
    """What a tiny run printed, and its file."""
    filename = str(tmp_path_factory.mktemp('timed') / 'cpu.json')
    done = run(
        'cpu.py',
        '--quick',
        '--contenders',
        'ours',
        'plain_theano',
        '--losses',
        'squared_error',
        'top1',
        '--sizes',
        '6x3',
        '5',
        '--dtypes',
        'float32',
        '--threads',
        '1',
        '--cache',
        CACHE,
        '--json',
        filename,
        # what is compiled is not the question: compile nothing
        THEANO_FLAGS='cxx=',
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, filename


def test_rows_have_the_times_of_all_contenders(timed):
    with open(timed[1]) as file:
        report = json.load(file)
    assert [(row['loss'], row['kind'], row['size']) for row in report['rows']] == [
        ('squared_error', 'value', '6x3'),
        ('squared_error', 'value+gradient', '6x3'),
        ('top1', 'value', '6x3'),
        ('squared_error', 'value', '5'),
        ('squared_error', 'value+gradient', '5'),
    ]
    for row in report['rows']:
        assert row['failed'] == {}
        assert row['threads'] == 1 and row['dtype'] == 'float32'
        for name in ['ours', 'plain_theano']:
            low, high = row['quartiles'][name]
            assert 0 < low <= row['seconds'][name] <= high < 1
            assert row['calls'][name] >= 1 and row['cores'][name] > 0
    assert set(report['versions']) == {'ours', 'plain_theano'}
    assert report['versions']['ours']['lasagne_objectives']
    assert report['cpu'] and report['date'] and report['samples'] == 3


def test_the_table_can_be_printed_again(timed):
    printed, filename = timed
    table = run('table.py', filename)
    assert table.returncode == 0, table.stderr
    assert printed.startswith(table.stdout.rstrip('\n'))
    assert '/fastest' in printed and 'plain: ' in printed
    (line,) = [line for line in printed.splitlines() if line.startswith('top1')]
    assert line.split()[:5] == ['top1', 'value', '6x3', 'float32', '1']


def test_the_chart_is_the_same_each_time(timed, tmp_path):
    svgs = []
    for name in ['first.svg', 'second.svg']:
        done = run('chart.py', '--json', timed[1], '--threads', '1', '--svg', str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        svgs.append((tmp_path / name).read_bytes())
    assert svgs[0] == svgs[1] and len(svgs[0]) > 5000
    missing = run('chart.py', '--json', timed[1], '--threads', '7')
    assert missing.returncode == 1
    assert '--threads' in missing.stderr


def test_a_contender_that_cannot_start_is_named(tmp_path):
    done = run('cpu.py', '--contenders', 'jax_jit', '--python', 'jax_jit=' + str(tmp_path / 'python'), '--cache', CACHE)
    assert done.returncode == 1
    assert 'jax_jit' in done.stderr and 'make bench' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    'arguments',
    [
        ['--sizes', '12y3'],
        ['--sizes', '0x3'],
        ['--losses', 'top2'],
        ['--python', 'gcc=/usr/bin/gcc'],
        ['--losses', 'top1', '--sizes', '7'],
    ],
)
def test_bad_options_are_refused(arguments):
    done = run('cpu.py', *arguments)
    assert done.returncode != 0 and 'Traceback' not in done.stderr


def test_an_interpreter_that_is_not_there_is_refused(tmp_path):
    done = run('compile_time.py', '--then', str(tmp_path / 'python'))
    assert done.returncode != 0 and 'no interpreter' in done.stderr


def test_steps_of_whole_networks(tmp_path):
    filename = str(tmp_path / 'steps.json')
    # the others take minutes in Python
    networks = ['digits']
    done = run(
        'steps.py',
        '--quick',
        '--networks',
        *networks,
        '--contenders',
        'ours',
        'plain_theano',
        '--cache',
        CACHE,
        '--json',
        filename,
        # fused, its elements would be computed one by one
        THEANO_FLAGS='cxx=,optimizer_excluding=fusion',
    )
    # That the losses of both agree is part of it.
    assert done.returncode == 0, done.stdout + done.stderr
    with open(filename) as file:
        rows = json.load(file)['rows']
    assert [row['network'] for row in rows] == networks
    for row in rows:
        for name in ['ours', 'plain_theano']:
            assert 0 < row['loss'][name] < row['step'][name] < 10
    assert all(name in done.stdout for name in networks) and '%' in done.stdout


def test_compile_time(tmp_path):
    """Without a Python of Theano's time there are two contenders."""
    filename = str(tmp_path / 'compile_time.json')
    quick = ['--losses', 'digits', '--rounds', '1', '--warm-starts', '1', '--then', '', '--json', filename]
    done = run('compile_time.py', *quick, THEANO_FLAGS='cxx=,optimizer_excluding=fusion')
    assert done.returncode == 0, done.stderr
    with open(filename) as file:
        report = json.load(file)
    assert [(row['loss'], row['cache']) for row in report['rows']] == [('digits', 'cold'), ('digits', 'warm')]
    for row in report['rows']:
        for name in ['ours', 'plain_theano']:
            assert set(row[name]) == {'import', 'build', 'compile', 'collect'} and 0 < sum(row[name].values()) < 60
        assert 'theano_alone' not in row
    assert set(report['versions']) == {'ours', 'plain_theano'} and 'ours/plain' in done.stdout


def test_theano_alone_gets_nothing_of_this_package():
    """It runs where Python and NumPy are of its time, and else fails on the way through files of its own."""
    done = run('compile_once.py', 'theano_alone', 'digits', THEANO_FLAGS='cxx=,optimizer_excluding=fusion')
    if UNAIDED:
        assert done.returncode == 0, done.stderr
    else:
        *_, traceback = done.stderr.partition('Traceback')
        theanos = os.path.dirname(importlib.util.find_spec('theano').origin)
        assert done.returncode != 0 and os.path.join(theanos, '') in traceback
        assert 'revival' not in traceback and 'contenders.theano_alone' not in traceback


def test_the_tables_of_the_documentation_are_those_of_the_reports(tmp_path):
    done = run('pages.py', '--pages', str(tmp_path))
    assert done.returncode == 0, done.stderr
    pages = os.path.join(os.path.dirname(BENCHMARKS), 'docs', 'user')
    names = {'ways_table.rst', 'steps_table.rst', 'compile_time_table.rst'}
    assert set(os.listdir(str(tmp_path))) == names
    for name in names:
        with open(os.path.join(pages, name), encoding='utf-8') as page:
            assert page.read() == (tmp_path / name).read_text(encoding='utf-8')


# ---------------------------------------------------------------------------
# What needs no process


@pytest.fixture
def modules(monkeypatch):
    """The modules of the benchmarks, which scripts find in their folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    # the tests have a module of this name too; it comes back afterwards
    monkeypatch.delitem(sys.modules, 'cases', raising=False)
    before = set(sys.modules)
    import cases
    import cpu
    import table

    yield cases, cpu, table
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_full_table_is_the_one_of_the_issue(modules):
    cases, _, _ = modules
    rows = cases.table(list(cases.LOSSES), cases.KINDS, None, cases.DTYPES)
    of_one_type = [row for row in rows if row.dtype == 'float32']
    assert len(rows) == 2 * len(of_one_type) == len(set(rows))
    # three losses of rows, two accuracies, four element-wise losses
    assert len(of_one_type) == 3 * 5 * 2 + 2 * 5 + 4 * 2 * 2
    scores, targets = cases.data_of(cases.Case('softmax_dense', 'value+gradient', '4x3', 'float64'))
    assert scores.shape == targets.shape == (4, 3)
    assert targets.sum(axis=1) == pytest.approx(1)


def test_every_way_is_told_to_those_who_take_it(modules):
    cases, cpu, _ = modules
    rows = cases.ways(list(cases.WAYS))
    assert {row.loss for row in rows} == set(cases.WAYS) and len(rows) == len(set(rows))
    for name in set(cpu.OF_WAYS) - {'memory_copy', 'torch_eager'}:
        module = importlib.import_module('contenders.' + name)
        assert all(hasattr(module, way) for way in cases.WAYS)
    for case in rows:
        # As small as can be
        small = case._replace(size='x'.join('2' for _ in cases.shape_of(case.size)))
        scores, targets = cases.data_of(small)
        assert scores.ndim - targets.ndim == (cases.WAYS[case.loss].targets == 'classes')


def test_networks_end_with_their_scores(modules):
    cases, _, _ = modules
    import networks

    for name, network in networks.NETWORKS.items():
        for kind in networks.KINDS:
            values, targets = networks.data_of(cases.Case(name, kind, '', 'float32'))
            assert values.shape == (network.inputs if kind == networks.STEP else network.scores)
            assert targets.max() < network.scores[1]
        assert network.parameters[-1] == network.scores[1:2]
        assert [array.shape for array in networks.parameters_of(name)] == network.parameters


def test_results_that_differ_are_found(modules):
    _, cpu, _ = modules
    import numpy as np

    gradient = np.array([1.0, -2.0, 0.0])
    assert cpu.largest_difference([gradient], [gradient]) == 0
    assert cpu.largest_difference([gradient + 1e-3], [gradient]) == pytest.approx(5e-4)
    assert cpu.largest_difference([gradient[:2]], [gradient]) == float('inf')
    assert not cpu.largest_difference([gradient * np.nan], [gradient]) <= 1


def test_missed_goals_are_marked(modules):
    _, _, table = modules
    row = {
        'loss': 'softmax_indices',
        'kind': 'value+gradient',
        'size': '8192x1000',
        'seconds': {'ours': 2.4, 'torch_eager': 10.0, 'jax_jit': 9.0, 'memory_copy': 1.4},
    }
    assert table.misses(row) == []
    row['seconds']['ours'] = 8.5
    (missed,) = table.misses(row)
    for goal in ['/torch 0.85 > 0.5', '/fastest 0.94 > 0.9', '/copy 6.07']:
        assert goal in missed
    assert table.misses(dict(row, kind='value')) == []
