"""Time a step of training of whole networks, and the loss's share of it.

    python benchmarks/steps.py
    python benchmarks/steps.py --networks digits tagger --quick

`make bench` runs it. For each network of networks.py, once with the losses of
this package, once with the textbook formulas in plain Theano and once in
PyTorch: the time of a step (loss, gradients, and gradient descent), and that
of the loss and its gradient for scores that are there already. The contenders
take turns in processes of their own; the numbers are medians. Written to
docs/benchmarks/steps.json, a part of it or a quick run to .bench.
"""

import argparse
import sys

from cases import Case
from cpu import (
    add_options_of_timing,
    are_defaults,
    new_report,
    report_file,
    started,
    time_case,
    write,
)
from networks import KINDS, LOSS, NETWORKS, STEP
from table import SHORT

CONTENDERS = ['ours', 'plain_theano', 'torch_eager']


def run(options):
    """Time what the options ask for, printing each network when it is done.

    Returns
    -------
    dict
        The report, fit for JSON.
    """
    report = new_report(samples=options.samples, threads=options.threads)
    print(
        '%(cpu)s, threads: %(threads)d, load %(load before).1f; %(date)s; '
        'medians of %(samples)d, in ms\n' % report
    )
    print(heading(options.contenders), end='\n\n')
    python = dict.fromkeys(options.contenders, sys.executable)
    for name in options.networks:
        row = {'network': name, 'failed': {}}
        for kind in KINDS:
            # Their own processes, which do not keep what is not needed. Theano
            # as it is by default: with its flag openmp a step takes longer, as
            # threads of OpenMP and of the BLAS are in each other's way.
            with started(
                options.contenders,
                python,
                options.threads,
                options.cache,
                openmp=False,
            ) as contenders:
                timed = time_case(
                    contenders,
                    Case(name, kind, '', 'float32'),
                    options.samples,
                )
            row[kind] = timed['seconds']
            row['failed'].update(timed['failed'])
        report['rows'].append(row)
        print(line(row, options.contenders), flush=True)
    return report


def heading(contenders):
    """The columns: of each contender a step, the loss, and its share."""
    columns = ['%-14s' % 'network']
    for name in contenders:
        columns.append('%9s %9s %6s' % (SHORT[name], '- loss', 'share'))
    return ' '.join(columns)


def line(row, contenders):
    """One network of the table.

    Parameters
    ----------
    row : dict
        The medians of `STEP` and of `LOSS`, by contender.
    contenders : list of str

    Returns
    -------
    str
    """
    words = ['%-14s' % row['network']]
    for name in contenders:
        if name in row['failed']:
            words.append('%26s' % 'failed')
            continue
        step, loss = row[STEP][name], row[LOSS][name]
        words.append(
            '%9.2f %9.3f %5.1f%%' % (1e3 * step, 1e3 * loss, 100 * loss / step)
        )
    return ' '.join(words)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = list(NETWORKS)
    parser.add_argument('--networks', nargs='+', default=names, choices=names)
    parser.add_argument(
        '--contenders', nargs='+', default=CONTENDERS, choices=CONTENDERS
    )
    parser.add_argument('--threads', type=int, default=2)
    add_options_of_timing(parser)
    options = parser.parse_args(arguments)
    if options.json is None:
        parts = ['networks', 'contenders', 'threads', 'samples']
        options.json = report_file(
            'steps.json', are_defaults(parser, options, parts)
        )
    report = run(options)
    for row in report['rows']:
        for name, reason in sorted(row['failed'].items()):
            print('%s, %s failed: %s' % (row['network'], name, reason))
    write(report, options.json)
    print('written to', options.json)
    return 1 if any(row['failed'] for row in report['rows']) else 0


if __name__ == '__main__':
    sys.exit(main())
