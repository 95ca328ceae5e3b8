"""Time this package, side by side with others, on the CPU.

    python benchmarks/cpu.py                      the full table
    python benchmarks/cpu.py --losses top5 --sizes 256x1000 --quick
    python benchmarks/cpu.py --ways               the ways people take

`make bench` sets up what this needs and runs it. Each row of the table is one
run, in which the contenders take turns on the same data after their results
were found to agree; its numbers are medians. Written to docs/benchmarks (the
full table) or .bench (a part of it) as JSON, from which chart.py draws.

All get the same number of threads: OMP_NUM_THREADS, for plain Theano with its
flag openmp for its element-wise functions, torch.set_num_threads for PyTorch,
and NPROC for the threads of XLA, together with its flag
xla_cpu_multi_thread_eigen.
"""

import argparse
from collections import OrderedDict
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import cases
import table

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(HERE)
CONTENDERS = [
    'ours',
    'plain_theano',
    'torch_eager',
    'torch_compile',
    'jax_jit',
    'memory_copy',
]
# Those who have been told of the ways.
OF_WAYS = ['ours', 'plain_theano', 'torch_eager', 'memory_copy']
SAMPLES = 15

# Differences of the results, relative to the largest: float32 sums of
# millions, as some form them, are no better.
TOLERANCE = {'float32': 2e-4, 'float64': 1e-8}

HOW_TO_MEND = (
    "`make bench` sets up what is needed; --python %s=PATH names "
    "another interpreter, and --contenders leaves some out."
)


class Failure(Exception):
    """A contender could not do what it was asked."""


# ---------------------------------------------------------------------------
# Contenders, each a process


class Contender(object):
    """The process of a contender, which worker.py runs in.

    Parameters
    ----------
    name : str
        A module in contenders/.
    python : str
        The interpreter that has what it needs.
    threads : int
        How many threads it may use.
    cache : str
        Folder for what it compiles.
    openmp : bool
        Whether plain Theano has its flag openmp set.
    """

    def __init__(self, name, python, threads, cache, openmp):
        self.name = name
        if not os.path.exists(python):
            raise SystemExit(
                "There is no %s, which %s should run in. %s"
                % (python, name, HOW_TO_MEND % name)
            )
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, 'worker.py'), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, **environment(name, threads, cache, openmp)),
        )

    def send(self, action, **arguments):
        """Have something begun, without waiting for it."""
        try:
            self.process.stdin.write(
                json.dumps(dict(arguments, do=action)) + '\n'
            )
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: receive tells

    def receive(self):
        """Wait for what was begun, and return its result."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                "%s ended with status %d; what it said is above. "
                "%s"
                % (self.name, self.process.wait(), HOW_TO_MEND % self.name)
            )
        reply = json.loads(line)
        if 'error' in reply:
            raise Failure(reply['error'])
        return reply['result']

    def ask(self, action, **arguments):
        self.send(action, **arguments)
        return self.receive()

    def close(self):
        """End the process: it does so when there are no more requests."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def environment(name, threads, cache, openmp):
    """What keeps a contender's threads to their number, and where it caches.

    Parameters
    ----------
    name : str
    threads : int
    cache : str
    openmp : bool

    Returns
    -------
    dict of str to str
        Environment variables.
    """
    several = threads > 1
    theano_flags = '%s,openmp=%s,base_compiledir=%s' % (
        os.environ.get('THEANO_FLAGS', ''),
        several and openmp and name == 'plain_theano',
        os.path.join(cache, 'theano-' + name),
    )
    return {
        'OMP_NUM_THREADS': str(threads),
        'MKL_NUM_THREADS': str(threads),
        'OPENBLAS_NUM_THREADS': str(threads),
        'NPROC': str(threads),
        'XLA_FLAGS': '--xla_cpu_multi_thread_eigen=' + str(several).lower(),
        'JAX_PLATFORMS': 'cpu',
        'THEANO_FLAGS': theano_flags,
        'TORCHINDUCTOR_CACHE_DIR': os.path.join(cache, 'torch'),
        'TORCHINDUCTOR_COMPILE_THREADS': '1',
    }


@contextlib.contextmanager
def started(names, pythons, threads, cache, openmp=True):
    """The contenders by name, as processes that end with the block."""
    with contextlib.ExitStack() as stack:
        contenders = OrderedDict()
        for name in names:
            contender = Contender(name, pythons[name], threads, cache, openmp)
            stack.callback(contender.close)
            contenders[name] = contender
        yield contenders


# ---------------------------------------------------------------------------
# One row


def time_case(contenders, case, samples):
    """Time a case: prepare all, compare their results, take turns.

    Parameters
    ----------
    contenders : dict of str to Contender
    case : cases.Case
    samples : int
        How often each has its turn.

    Returns
    -------
    dict
        The row, fit for JSON.
    """
    row = dict(case._asdict(), seconds={}, quartiles={}, cores={}, calls={})
    failed = prepare(contenders, case)
    failed.update(compare(without(contenders, failed), case))
    contenders = without(contenders, failed)
    plans = {
        name: contender.ask('calibrate')
        for name, contender in contenders.items()
    }
    turns = take_turns(contenders, plans, samples)
    for name, results in turns.items():
        seconds = [result['seconds'] for result in results]
        row['seconds'][name] = statistics.median(seconds)
        row['quartiles'][name] = list(np.percentile(seconds, [25, 75]))
        row['cores'][name] = statistics.median(
            result['cores'] for result in results
        )
        row['calls'][name] = plans[name]['calls']
    row['failed'] = failed
    return row


def without(contenders, names):
    return OrderedDict(
        (name, contender)
        for name, contender in contenders.items()
        if name not in names
    )


def prepare(contenders, case):
    """Prepare a case, all at the same time: nothing is timed yet.

    Returns
    -------
    dict of str to str
        Why some contenders could not.
    """
    failed = {}
    for contender in contenders.values():
        contender.send('prepare', case=case._asdict())
    for name, contender in contenders.items():
        try:
            contender.receive()
        except Failure as failure:
            failed[name] = str(failure)
    return failed


def compare(contenders, case):
    """Compare the results of all with those of the first.

    Returns
    -------
    dict of str to str
        What differs, by the contender that differs.
    """
    failed, reference = {}, None
    with tempfile.TemporaryDirectory() as folder:
        for name, contender in contenders.items():
            arrays = [
                np.load(file) for file in contender.ask('save', folder=folder)
            ]
            if not arrays:
                continue
            if reference is None:
                first, reference = name, arrays
            difference = largest_difference(arrays, reference)
            if not difference <= TOLERANCE[case.dtype]:  # NaN is too large
                failed[name] = (
                    "its result differs from that of %s by %.2g "
                    "of the largest number in it" % (first, difference)
                )
    return failed


def largest_difference(arrays, references):
    """How far results are from others, relative to the largest number."""
    if [a.shape for a in arrays] != [r.shape for r in references]:
        return float('inf')
    return max(
        abs(a - r).max() / max(abs(r).max(), np.finfo(r.dtype).tiny)
        for a, r in zip(arrays, references)
    )


def take_turns(contenders, plans, samples):
    """Let each contender have a sample, and again, with a rotating start.

    Parameters
    ----------
    contenders : dict of str to Contender
    plans : dict of str to dict
        For each contender what its `calibrate` returned.
    samples : int

    Returns
    -------
    dict of str to list of dict
        All that its `sample` returned.
    """
    order = list(contenders)
    results = {name: [] for name in order}
    for _ in range(samples):
        for name in order:
            results[name].append(contenders[name].ask('sample', **plans[name]))
        order = order[1:] + order[:1]
    return results


# ---------------------------------------------------------------------------
# The table


def run(options):
    """Time what the options ask for, printing each row when it is done.

    Returns
    -------
    dict
        The report, fit for JSON.
    """
    rows = (
        cases.ways(options.ways)
        if options.ways
        else cases.table(
            options.losses, options.kinds, options.sizes, options.dtypes
        )
    )
    if not rows:
        raise SystemExit(
            "no such case: row-wise losses need sizes such as "
            "256x1000, and accuracies have no gradient"
        )
    report = new_report(
        cores=os.cpu_count(),
        system=platform.platform(),
        samples=options.samples,
        contenders=options.contenders,
        versions={},
    )
    print(table.heading(report), end='\n\n')
    for threads in options.threads:
        with started(
            options.contenders, options.python, threads, options.cache
        ) as contenders:
            report['versions'] = {
                name: contender.ask('versions')
                for name, contender in contenders.items()
            }
            for case in rows:
                row = dict(
                    time_case(contenders, case, options.samples),
                    threads=threads,
                )
                report['rows'].append(row)
                print(table.line(report, row), flush=True)
    return report


def new_report(**more):
    """When and where something is measured, and more about it."""
    return dict(
        {
            'date': datetime.date.today().isoformat(),
            'cpu': cpu_model(),
            'load before': os.getloadavg()[0],
            'rows': [],
        },
        **more,
    )


def cpu_model():
    """What the processor calls itself."""
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    except FileNotFoundError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def write(report, filename):
    os.makedirs(os.path.dirname(os.path.abspath(filename)), exist_ok=True)
    with open(filename, 'w') as file:
        json.dump(report, file, indent=1, sort_keys=True)
        file.write('\n')


def parse(arguments):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )

    def subset(name, choices):
        parser.add_argument(
            '--' + name,
            nargs='+',
            metavar=name.upper(),
            choices=choices,
            default=choices,
            help='some of ' + ', '.join(choices),
        )

    subset('losses', list(cases.LOSSES))
    subset('kinds', cases.KINDS)
    subset('dtypes', cases.DTYPES)
    subset('contenders', CONTENDERS)
    parser.add_argument(
        '--sizes',
        nargs='+',
        metavar='SIZE',
        type=size,
        help='any, such as %s' % ', '.join(cases.SIZES),
    )
    parser.add_argument(
        '--ways',
        nargs='*',
        metavar='WAYS',
        choices=list(cases.WAYS),
        help='instead of these, ways that people take: all, or some of '
        + ', '.join(cases.WAYS),
    )
    parser.add_argument('--threads', nargs='+', type=int, default=[1, 2])
    parser.add_argument(
        '--python',
        action='append',
        default=[],
        metavar='CONTENDER=PATH',
        help="the interpreter of a contender, if not this "
        "one (for JAX: .bench/jax/bin/python)",
    )
    add_options_of_timing(parser)
    options = parser.parse_args(arguments)
    if options.ways is not None:
        options.ways = options.ways or list(cases.WAYS)
        options.contenders = [
            name for name in options.contenders if name in OF_WAYS
        ]
    if options.json is None:
        options.json = default_file(parser, options)
    options.python = interpreters(parser, options)
    return options


def add_options_of_timing(parser):
    """Those of every script whose contenders take turns."""
    parser.add_argument('--samples', type=int, default=SAMPLES)
    parser.add_argument(
        '--quick',
        action='store_const',
        dest='samples',
        const=3,
        default=SAMPLES,
        help='3 samples: to see that it works',
    )
    parser.add_argument(
        '--cache',
        metavar='FOLDER',
        type=os.path.abspath,
        default=os.path.join(REPOSITORY, '.bench'),
        help='for what is compiled (default: .bench)',
    )
    parser.add_argument('--json', metavar='FILE')


def size(text):
    """Check a size of the command line."""
    if not all(length > 0 for length in cases.shape_of(text)):
        raise ValueError
    return text


def default_file(parser, options):
    """The file in the documentation for the full table, else one aside."""
    parts = [
        'losses',
        'kinds',
        'dtypes',
        'contenders',
        'sizes',
        'threads',
        'samples',
    ]
    if options.ways is not None:
        parts.remove('contenders')
    full = options.ways in (None, list(cases.WAYS)) and are_defaults(
        parser, options, parts
    )
    name = 'cpu.json' if options.ways is None else 'ways.json'
    return report_file(name, full)


def are_defaults(parser, options, parts):
    """Whether nothing was chosen of these options."""
    return all(
        getattr(options, part) == parser.get_default(part) for part in parts
    )


def report_file(name, full):
    """Where a report is written: only a full one in the documentation."""
    folder = 'docs/benchmarks' if full else '.bench'
    return os.path.join(REPOSITORY, folder, name)


def interpreters(parser, options):
    """The interpreter of each contender."""
    pythons = dict.fromkeys(CONTENDERS, sys.executable)
    pythons['jax_jit'] = os.path.join(REPOSITORY, '.bench/jax/bin/python')
    for pair in options.python:
        name, equals, path = pair.partition('=')
        if name not in CONTENDERS or not equals:
            parser.error(
                "--python takes CONTENDER=PATH with a contender of "
                "%s, got %r" % (', '.join(CONTENDERS), pair)
            )
        pythons[name] = path
    return pythons


def main(arguments=None):
    options = parse(arguments)
    report = run(options)
    write(report, options.json)
    print(table.remarks(report))
    print('written to', options.json)
    return 1 if any(row['failed'] for row in report['rows']) else 0


if __name__ == '__main__':
    sys.exit(main())
