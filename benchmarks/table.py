"""The table of timings as text: `python benchmarks/table.py FILE.json`.

Times are in milliseconds; ratios below 1 mean that we are faster.
"""

import json
import sys

import cases

SHORT = {
    'ours': 'ours',
    'plain_theano': 'plain',
    'torch_eager': 'torch',
    'torch_compile': 'compile',
    'jax_jit': 'jax',
    'memory_copy': 'copy',
}
RATIOS = ['/torch', '/fastest', '/copy']

# The goals, for values with gradients and for accuracies.
HALF_OF_TORCH = ['8192x1000', '256x1000', '32x50000', '65536x10']
NEAR_A_COPY = ['softmax_indices', 'softmax_dense', 'squared_error']


def heading(report):
    """What was measured where, and the columns.

    Parameters
    ----------
    report : dict
        As cpu.py makes it.

    Returns
    -------
    str
    """
    columns = [
        '%-16s %-14s %12s %-7s %3s' % ('loss', 'what', 'size', 'type', 'thr')
    ]
    columns += ['%9s' % SHORT[name] for name in report['contenders']]
    columns += ['%9s' % ratio for ratio in RATIOS]
    where = '%s, %d cores, load %.1f; %s; medians of %d, in ms' % (
        report['cpu'],
        report['cores'],
        report['load before'],
        report['date'],
        report['samples'],
    )
    if report['load before'] > 0.5:
        where += (
            '\nOther work is running on this machine: the ratios are '
            'less reliable.'
        )
    return where + '\n\n' + ' '.join(columns)


def line(report, row):
    """One row of the table, ending with the goals that it misses."""
    words = [
        '%-16s %-14s %12s %-7s %3d'
        % (row['loss'], row['kind'], row['size'], row['dtype'], row['threads'])
    ]
    for name in report['contenders']:
        words.append('%9s' % number(row['seconds'].get(name), 1e3))
    found = ratios(row)
    words += ['%9s' % number(found.get(ratio)) for ratio in RATIOS]
    return ' '.join(words + misses(row))


def number(value, factor=1):
    """Three or more digits, or a dash for what is missing."""
    if value is None:
        return '-'
    value = factor * value
    return '%.*f' % (4 if value < 0.1 else 2, value)


def ratios(row):
    """Our time relative to PyTorch's, the fastest other's and the copy's."""
    seconds = row['seconds']
    if 'ours' not in seconds:
        return {}
    others = [
        time
        for name, time in seconds.items()
        if name not in ('ours', 'memory_copy')
    ]
    to = {
        '/torch': seconds.get('torch_eager'),
        '/plain': seconds.get('plain_theano'),
        '/copy': seconds.get('memory_copy'),
        '/fastest': min(others) if others else None,
    }
    return {name: seconds['ours'] / time for name, time in to.items() if time}


def misses(row):
    """The goals that a row misses, in words."""
    loss = cases.LOSSES.get(row['loss']) or cases.WAYS[row['loss']]
    if row['kind'] == cases.VALUE and loss.differentiable:
        return []
    limits = {'/fastest': 0.9}
    if row['size'] in HALF_OF_TORCH or row['loss'] in cases.WAYS:
        limits['/torch'] = 0.5
    if row['size'] == '8192x1000' and row['loss'] in NEAR_A_COPY:
        limits['/copy'] = 2.5
    if row['size'] == '128x10':
        limits['/plain'] = 1
    found = ratios(row)
    missed = [
        '%s %.2f > %g' % (ratio, found[ratio], limit)
        for ratio, limit in limits.items()
        if found.get(ratio, 0) > limit
    ]
    return ['! ' + ', '.join(missed)] if missed else []


def remarks(report):
    """What stands below the table: misses, failures, versions."""
    rows = report['rows']
    lines = [
        '',
        '%d of %d rows miss a goal (marked !).'
        % (sum(bool(misses(row)) for row in rows), len(rows)),
    ]
    for row in rows:
        what = '%(loss)s, %(kind)s, %(size)s, %(dtype)s, %(threads)d' % row
        for name, reason in sorted(row['failed'].items()):
            lines.append('%s, %s failed: %s' % (what, name, reason.strip()))
        for name, cores in sorted(row['cores'].items()):
            if cores > row['threads'] + 0.3:
                lines.append(
                    '%s, %s kept %.1f cores busy' % (what, name, cores)
                )
    for name, versions in report['versions'].items():
        lines.append(
            '%s: %s'
            % (
                SHORT[name],
                ', '.join('%s %s' % pair for pair in sorted(versions.items())),
            )
        )
    return '\n'.join(lines)


def main():
    with open(sys.argv[1]) as file:
        report = json.load(file)
    print(heading(report), end='\n\n')
    for row in report['rows']:
        print(line(report, row))
    print(remarks(report))


if __name__ == '__main__':
    main()
