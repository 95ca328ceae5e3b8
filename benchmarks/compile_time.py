"""Compile time of a training function, ours against plain formulas.

    python benchmarks/compile_time.py

The function computes the loss of a network of two layers, or of a network of
networks.py, its gradient, and the update of the parameters by stochastic
gradient descent. It is compiled in a fresh process: with a Theano cache that
is empty (cold), then with the one this left behind (warm), that several times:
it takes a second, and varies by a tenth of it. The contenders take turns; the
numbers are medians.

Plain Theano is there twice: on the Python of all benchmarks, where it runs by
what this package repairs, and, for the networks, by itself on a Python and a
NumPy of its time (.bench/then), with our package beside it on the same.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import cases
from cpu import HERE, REPOSITORY, new_report, write
from networks import NETWORKS

LOSSES = [name for name, loss in cases.LOSSES.items() if loss.differentiable]
LOSSES += list(NETWORKS)

# What compile_once.py calls the contenders.
NOW = {'ours': 'ours', 'plain_theano': 'plain_theano'}
THEN = {'ours_then': 'ours', 'theano_alone': 'theano_alone'}

# `make bench` makes it, if it finds a Python for that.
PYTHON_THEN = os.path.join(REPOSITORY, '.bench/then/bin/python')

# in a round
WARM_STARTS = 5


def contenders(loss, then):
    """Who compiles a loss.

    Parameters
    ----------
    loss : str
        One of `LOSSES`.
    then : str
        An interpreter on which Theano runs by itself, or empty.

    Returns
    -------
    dict of str to tuple of str
        By name, the interpreter and what compile_once.py calls it.
    """
    found = {name: (sys.executable, called) for name, called in NOW.items()}
    if loss in NETWORKS and then:
        found.update({name: (then, called) for name, called in THEN.items()})
    return found


def fresh_process(python, contender, loss, cache):
    """Compile in a new process; return what that found.

    Parameters
    ----------
    python : str
        The interpreter.
    contender, loss : str
        One that compile_once.py knows, and one of `LOSSES`.
    cache : str
        A folder for Theano.

    Returns
    -------
    dict
        The seconds of each step, and versions.
    """
    flags = '%s,floatX=float32,base_compiledir=%s' % (
        os.environ.get('THEANO_FLAGS', ''),
        cache,
    )
    output = subprocess.check_output(
        [python, os.path.join(HERE, 'compile_once.py'), contender, loss],
        # An installed package has its bytecode, whatever is set here.
        env=dict(os.environ, THEANO_FLAGS=flags, PYTHONDONTWRITEBYTECODE=''),
    )
    return json.loads(output)


def run(losses, then, rounds, warm_starts):
    """Measure all, printing a line for each loss when it is done.

    Returns
    -------
    dict
        The report, fit for JSON.
    """
    report = new_report(rounds=rounds, versions={})
    print('seconds, medians of %d\n' % rounds)
    names = list(NOW) + ['ours/plain']
    if then:
        names += list(THEN) + ['ours/alone']
    print(
        '%-16s %-5s' % ('loss', 'cache') + ('%14s' * len(names)) % tuple(names)
    )
    for loss in losses:
        by_name = contenders(loss, then)
        results = take_turns(loss, by_name, rounds, warm_starts)
        for cache in ['cold', 'warm']:
            row = medians(results[cache])
            report['rows'].append(dict(row, loss=loss, cache=cache))
            print('%-16s %-5s%s' % (loss, cache, line(row)), flush=True)
        for name, turns in results['warm'].items():
            report['versions'][name] = turns[0]['versions']
    return report


def line(row):
    """The totals of all, and our time as a ratio, of each Python."""
    totals = [sum(seconds.values()) for seconds in row.values()]
    shown = ''
    for ours, plain in zip(totals[::2], totals[1::2]):
        shown += '%14.2f%14.2f%14.2f' % (ours, plain, ours / plain)
    return shown


def take_turns(loss, by_name, rounds, warm_starts):
    """All measurements of a loss: a list by cache and contender."""
    results = {
        cache: {name: [] for name in by_name} for cache in ['cold', 'warm']
    }
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(1 + warm_starts):
                # each is first every other time
                for name in list(by_name)[:: -1 if (number + turn) % 2 else 1]:
                    found = fresh_process(
                        *by_name[name], loss, os.path.join(folder, name)
                    )
                    results['warm' if turn else 'cold'][name].append(found)
    return results


def medians(results):
    """Medians of each step, by contender."""
    return {
        name: {
            step: statistics.median(turn['seconds'][step] for turn in turns)
            for step in turns[0]['seconds']
        }
        for name, turns in results.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--losses', nargs='+', default=LOSSES, choices=LOSSES)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--warm-starts', type=int, default=WARM_STARTS)
    parser.add_argument(
        '--then',
        metavar='PYTHON',
        default=PYTHON_THEN if os.path.exists(PYTHON_THEN) else '',
        help="where Theano runs by itself (%(default)r); '' leaves that out",
    )
    parser.add_argument(
        '--json',
        metavar='FILE',
        default=os.path.join(REPOSITORY, 'docs/benchmarks/compile_time.json'),
    )
    options = parser.parse_args()
    if options.then and not shutil.which(options.then):
        parser.error('--then: there is no interpreter %s' % options.then)
    report = run(
        options.losses, options.then, options.rounds, options.warm_starts
    )
    write(report, options.json)
    print('written to', options.json)


if __name__ == '__main__':
    main()
