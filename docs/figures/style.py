"""How all figures of the objectives and of the tutorial look."""

import matplotlib

BLUE, ORANGE, GREEN, GREY = '#1f6fb4', '#d9660a', '#2e8b57', '#777777'


def apply():
    """Calm lines, and letters that can be read on a phone."""
    matplotlib.rcParams.update(
        {
            'axes.grid': True,
            'grid.color': '#e4e4e4',
            'axes.axisbelow': True,
            'axes.spines.top': False,
            'axes.spines.right': False,
            'axes.edgecolor': GREY,
            'axes.labelsize': 11,
            'axes.titlesize': 11,
            'xtick.color': '#333333',
            'ytick.color': '#333333',
            'xtick.labelsize': 10,
            'ytick.labelsize': 10,
            'legend.fontsize': 10,
            'legend.frameon': False,
            'axes.prop_cycle': matplotlib.cycler(color=[BLUE, ORANGE, GREEN]),
            'lines.linewidth': 2,
            'font.size': 11,
            # the same file from every run
            'svg.hashsalt': 'lasagne_objectives',
        }
    )


def save(figure, filename):
    """Write an SVG without a date, which git would see change."""
    figure.savefig(filename, metadata={'Date': None})
