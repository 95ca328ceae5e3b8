"""Draw the timings of docs/benchmarks/cpu.json as docs/figures/cpu_speed.svg.

    python benchmarks/chart.py

One panel for each size, one line for each loss: its value and gradient, or
its value where it has no gradient. A dot for each contender says how long it
took, relative to us.
"""

import argparse
from collections import OrderedDict
import json
import os

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

import cases
from cpu import REPOSITORY

# Colours that colour-blind readers can tell apart (Okabe and Ito, 2008), and
# shapes for those who print without colour.
STYLES = {
    'ours': ('lasagne_objectives', 'o', '#D55E00'),
    'plain_theano': ('plain Theano', 's', '#999999'),
    'torch_eager': ('PyTorch', '^', '#0072B2'),
    'torch_compile': ('torch.compile', 'v', '#56B4E9'),
    'jax_jit': ('JAX jit', 'D', '#009E73'),
    'memory_copy': ('copy of as many bytes', '|', '#000000'),
}


def drawn(rows, dtype, threads):
    """The rows to draw: one for each loss and size."""
    return [
        row
        for row in rows
        if (row['dtype'], row['threads']) == (dtype, threads)
        and (
            row['kind'] == cases.GRADIENT
            or not cases.LOSSES[row['loss']].differentiable
        )
        and 'ours' in row['seconds']
    ]


def draw_panel(axes, rows):
    """Draw the rows of one size.

    Parameters
    ----------
    axes : matplotlib Axes
    rows : list of dict
    """
    for height, row in enumerate(rows):
        for name, seconds in row['seconds'].items():
            label, marker, colour = STYLES[name]
            axes.plot(
                seconds / row['seconds']['ours'],
                height,
                marker,
                color=colour,
                label=label,
                markersize=7,
                zorder=3 if name == 'ours' else 2,
            )
    axes.set_xscale('log')
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: '%g' % x))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels(
        [
            '%s (%s)'
            % (
                cases.LOSSES[row['loss']].title,
                milliseconds(row['seconds']['ours']),
            )
            for row in rows
        ]
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis='x', alpha=0.3)
    axes.axvline(1, color=STYLES['ours'][2], linewidth=1, zorder=1)
    axes.set_title(
        rows[0]['size'].replace('x', ' × '), loc='left', fontsize='medium'
    )


def milliseconds(seconds):
    """Two digits: 0.0074 ms, 2.4 ms, 38 ms."""
    return '%s ms' % ('%.0f' if seconds >= 0.01 else '%.2g') % (1e3 * seconds)


def draw(report, dtype, threads):
    """Draw the report that cpu.py wrote.

    Parameters
    ----------
    report : dict
    dtype : str
    threads : int

    Returns
    -------
    matplotlib Figure
    """
    rows = drawn(report['rows'], dtype, threads)
    if not rows:
        raise SystemExit(
            "the file has no timings of ours for %s and %d "
            "threads; --dtype and --threads name others" % (dtype, threads)
        )
    sizes = OrderedDict.fromkeys(row['size'] for row in rows)
    panels = [[row for row in rows if row['size'] == size] for size in sizes]
    figure = Figure(
        figsize=(9, 1.2 + sum(0.8 + 0.26 * len(panel) for panel in panels)),
        layout='constrained',
    )
    all_axes = figure.subplots(
        len(panels),
        1,
        sharex=True,
        squeeze=False,
        gridspec_kw={'height_ratios': [len(panel) for panel in panels]},
    )[:, 0]
    for axes, panel in zip(all_axes, panels):
        draw_panel(axes, panel)
        axes.tick_params(axis='x', labelbottom=True, labelsize='small')
    all_axes[-1].set_xlabel(
        'time relative to lasagne_objectives, whose own is in brackets'
    )
    figure.suptitle(
        'Value and gradient of the mean, or accuracy: %s, '
        'threads: %d\n%s, %s'
        % (dtype, threads, report['cpu'], report['date']),
        fontsize='medium',
    )
    handles = {
        label: handle
        for axes in all_axes
        for handle, label in zip(*axes.get_legend_handles_labels())
    }
    labels = [style[0] for style in STYLES.values() if style[0] in handles]
    # below the label of the axis; matplotlib 3.7 has a place for that, older
    # ones have not
    all_axes[-1].legend(
        [handles[label] for label in labels],
        labels,
        loc='upper center',
        bbox_to_anchor=(0.5, 0),
        borderaxespad=4,
        ncol=3,
        frameon=False,
    )
    return figure


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--dtype', default='float32', choices=cases.DTYPES)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument(
        '--json',
        metavar='FILE',
        default=os.path.join(REPOSITORY, 'docs/benchmarks/cpu.json'),
    )
    parser.add_argument(
        '--svg',
        metavar='FILE',
        default=os.path.join(REPOSITORY, 'docs/figures/cpu_speed.svg'),
    )
    options = parser.parse_args()
    with open(options.json) as file:
        report = json.load(file)
    # The same timings always make the same file.
    with rc_context({'svg.hashsalt': 'lasagne_objectives'}):
        draw(report, options.dtype, options.threads).savefig(
            options.svg, metadata={'Date': None}
        )
    print('drawn in', options.svg)


if __name__ == '__main__':
    main()
