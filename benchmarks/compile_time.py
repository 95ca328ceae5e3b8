"""Compile time of a training function, ours against plain formulas.

    python benchmarks/compile_time.py

The function computes the loss of a network of two layers, or of a network of
networks.py, its gradient, and the update of the parameters by stochastic
gradient descent. It is compiled in a fresh process: with a Theano cache that
is empty (cold), then with the one this left behind (warm), that several times:
it takes a second, and varies by a tenth of it. The two take turns; the numbers
are medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import cases
from cpu import HERE, REPOSITORY, new_report, write
from networks import NETWORKS

CONTENDERS = ['ours', 'plain_theano']
LOSSES = [name for name, loss in cases.LOSSES.items() if loss.differentiable]
LOSSES += list(NETWORKS)

# in a round
WARM_STARTS = 5


def fresh_process(contender, loss, cache):
    """Compile in a new process; return the seconds of each step.

    Parameters
    ----------
    contender, loss : str
        One of `CONTENDERS` and one of `LOSSES`.
    cache : str
        A folder for Theano.

    Returns
    -------
    dict of str to float
    """
    flags = '%s,floatX=float32,base_compiledir=%s' % (
        os.environ.get('THEANO_FLAGS', ''),
        cache,
    )
    output = subprocess.check_output(
        [
            sys.executable,
            os.path.join(HERE, 'compile_once.py'),
            contender,
            loss,
        ],
        # An installed package has its bytecode, whatever is set here.
        env=dict(os.environ, THEANO_FLAGS=flags, PYTHONDONTWRITEBYTECODE=''),
    )
    return json.loads(output)


def run(losses, rounds):
    """Measure all, printing a line for each loss when it is done.

    Returns
    -------
    dict
        The report, fit for JSON.
    """
    report = new_report(rounds=rounds)
    print('seconds, medians of %d\n' % rounds)
    print(
        '%-16s %-5s' % ('loss', 'cache')
        + ''.join('%14s' % name for name in CONTENDERS + ['ours/plain'])
    )
    for loss in losses:
        results = take_turns(loss, rounds)
        for cache in ['cold', 'warm']:
            row = medians(results[cache])
            report['rows'].append(dict(row, loss=loss, cache=cache))
            total = [sum(row[name].values()) for name in CONTENDERS]
            print(
                '%-16s %-5s%14.2f%14.2f%14.2f'
                % (loss, cache, total[0], total[1], total[0] / total[1]),
                flush=True,
            )
    return report


def take_turns(loss, rounds):
    """All measurements of a loss: a list by cache and contender."""
    results = {
        cache: {name: [] for name in CONTENDERS} for cache in ['cold', 'warm']
    }
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(1 + WARM_STARTS):
                # each is first every other time
                for name in CONTENDERS[:: -1 if (number + turn) % 2 else 1]:
                    seconds = fresh_process(
                        name, loss, os.path.join(folder, name)
                    )
                    results['warm' if turn else 'cold'][name].append(seconds)
    return results


def medians(results):
    """Medians of each step, by contender."""
    return {
        name: {
            step: statistics.median(turn[step] for turn in turns)
            for step in turns[0]
        }
        for name, turns in results.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--losses', nargs='+', default=LOSSES, choices=LOSSES)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument(
        '--json',
        metavar='FILE',
        default=os.path.join(REPOSITORY, 'docs/benchmarks/compile_time.json'),
    )
    options = parser.parse_args()
    write(run(options.losses, options.rounds), options.json)
    print('written to', options.json)


if __name__ == '__main__':
    main()
