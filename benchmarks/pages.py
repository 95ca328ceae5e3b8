"""Write the tables of docs/user/kernels.rst from the reports of `make bench`.

    python benchmarks/pages.py

Reads docs/benchmarks/ways.json, steps.json and compile_time.json, and writes
a file of reStructuredText for each, docs/user/ways_table.rst and so on.
"""

import argparse
import json
import os

import cases
import table
from cpu import REPOSITORY
from networks import LOSS, NETWORKS, STEP

# Whom the tables name, beside us.
OTHERS = {'plain_theano': 'plain Theano', 'torch_eager': 'PyTorch'}


def ways(report):
    """Our time on each way and how it compares.

    Parameters
    ----------
    report : dict
        As cpu.py makes it.

    Returns
    -------
    heading : list of str
    rows : list of list of str
    """
    heading = ['way', 'size', 'ms', 'to plain', 'to PyTorch', 'to a copy']
    heading += ['to PyTorch, one thread']
    by_threads = {
        (row['loss'], row['size'], row['threads']): row
        for row in report['rows']
    }
    rows = []
    for (loss, size, threads), row in by_threads.items():
        if threads == 2:
            found = table.ratios(row)
            alone = table.ratios(by_threads[loss, size, 1])
            shown = [table.number(row['seconds']['ours'], 1e3)]
            shown += ['%.2f' % found[ratio] for ratio in ('/plain', '/torch')]
            shown += ['%.1f' % found['/copy'], '%.2f' % alone['/torch']]
            rows.append([cases.WAYS[loss].title, size] + shown)
    return heading, rows


def steps(report):
    """The time of a step of each network, and the loss's share of it."""
    heading = ['network', 'ours: step, ms', 'loss, ms', 'share']
    for name in OTHERS.values():
        heading += [name + ': step, ms', 'share']
    rows = []
    for row in report['rows']:
        shown = [NETWORKS[row['network']].title]
        for name in ['ours'] + list(OTHERS):
            step, loss = row[STEP][name], row[LOSS][name]
            shown.append('%.1f' % (1e3 * step))
            if name == 'ours':
                shown.append(table.number(loss, 1e3))
            shown.append('%.1f %%' % (100 * loss / step))
        rows.append(shown)
    return heading, rows


# The columns of compile_time: two on the Python of all benchmarks, and, where
# they were measured, two on that on which Theano runs by itself.
COMPILERS = {
    'ours': 'ours',
    'plain_theano': 'plain Theano, repaired by this package',
    'ours_then': 'ours',
    'theano_alone': 'Theano by itself',
}


def compile_time(report):
    """Seconds until a network can be trained, in a new process."""
    rows = [row for row in report['rows'] if row['loss'] in NETWORKS]
    names = [name for name in COMPILERS if name in report['versions']]
    heading = ['network', 'cache']
    for name in names:
        heading.append(
            '%s (Python %s)' % (COMPILERS[name], python(report, name))
        )
    shown = []
    for row in rows:
        seconds = ['%.2f' % sum(row[name].values()) for name in names]
        shown.append([NETWORKS[row['loss']].title, row['cache']] + seconds)
    return heading, shown


def python(report, name):
    """The version of a contender's Python, without its last number."""
    return report['versions'][name]['Python'].rpartition('.')[0]


def written(name, report, heading, rows):
    """A table in reStructuredText, and where and when it was measured.

    Parameters
    ----------
    name : str
        Of the report.
    report : dict
    heading : list of str
    rows : list of list of str

    Returns
    -------
    str
    """
    lines = ['.. Written by benchmarks/pages.py from %s.json.' % name, '']
    lines += ['.. list-table::', '   :header-rows: 1', '   :class: small', '']
    for row in [heading] + rows:
        for number, cell in enumerate(row):
            lines.append('   %s - %s' % (' ' if number else '*', cell))
    lines += ['', 'Measured on %(cpu)s, %(date)s.' % report]
    return '\n'.join(lines) + '\n'


TABLES = {'ways': ways, 'steps': steps, 'compile_time': compile_time}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    docs = os.path.join(REPOSITORY, 'docs')
    parser.add_argument('--reports', default=os.path.join(docs, 'benchmarks'))
    parser.add_argument('--pages', default=os.path.join(docs, 'user'))
    options = parser.parse_args()
    for name, make in TABLES.items():
        with open(os.path.join(options.reports, name + '.json')) as file:
            report = json.load(file)
        page = os.path.join(options.pages, name + '_table.rst')
        with open(page, 'w', encoding='utf-8') as file:
            file.write(written(name, report, *make(report)))
        print('written to', page)


if __name__ == '__main__':
    main()
