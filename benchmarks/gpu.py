"""Time this package on a GPU, beside plain Theano, PyTorch and a copy.

    THEANO_FLAGS=device=cuda,floatX=float32 python benchmarks/gpu.py
    THEANO_FLAGS=... python benchmarks/gpu.py --losses top5 --sizes 256x1000

Runs on whatever GPU device Theano has, CUDA or OpenCL; PyTorch takes part if
it is installed and finds a card. Scores and targets are on the device before
the clock starts and results stay there; it stops when the device has finished.
`make bench-gpu` runs this on OpenCL on the CPU, which says little of a card.

Every timing is a process of its own: a kernel that crashes takes no more with
it than its own number, which is a dash in the table then.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time

import cases

CONTENDERS = ['ours', 'plain_theano', 'torch', 'copy']
SAMPLES = 15
SIZES = ['65536x10', '8192x1000', '32x50000']
# Before the clock starts: what compiles, allocates and wakes the device.
WARM_UP = 3


# ---------------------------------------------------------------------------
# In the process of a contender: a function that runs a case to its end


def theano_call(module):
    """A contender that uses Theano, with all its arrays on the device."""

    def prepare(case, scores, targets):
        import lasagne_objectives  # noqa: F401 (before theano)
        import importlib
        import theano

        formulas = importlib.import_module('contenders.' + module)
        z, t = theano.shared(scores), theano.shared(targets)
        outputs = [getattr(formulas, case.loss)(z, t)]
        if case.kind == cases.GRADIENT:
            outputs.append(theano.grad(outputs[0], z))
        function = theano.function([], [v.transfer(None) for v in outputs])

        def call():
            for result in function():
                result.sync()

        return call

    return prepare


def torch_call(case, scores, targets):
    """PyTorch on its card."""
    import torch
    from contenders import torch_functions

    function = torch_functions.call_of(
        torch_functions.FORMULAS[case.loss], case, scores, targets, 'cuda'
    )

    def call():
        function()
        torch.cuda.synchronize()

    return call


def copy_call(case, scores, targets):
    """A copy within the device: half of the bytes are read, half written."""
    import lasagne_objectives  # noqa: F401 (before theano)
    import pygpu
    from theano.gpuarray.type import get_context

    half = cases.bytes_moved(case, scores, targets) // 2
    source = pygpu.zeros((half // 4,), 'float32', context=get_context(None))
    target = source.copy()

    def call():
        target[:] = source
        target.sync()

    return call


PREPARE = {
    'ours': theano_call('ours'),
    'plain_theano': theano_call('plain_theano'),
    'torch': torch_call,
    'copy': copy_call,
}


def measure(contender, case):
    """The median of some calls, in seconds."""
    call = PREPARE[contender](case, *cases.data_of(case))
    for _ in range(WARM_UP):
        call()
    samples = []
    for _ in range(SAMPLES):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


# ---------------------------------------------------------------------------
# In the process that asks


def ask(*request):
    """The answer of another process to a request; None if it fails.

    It is the last line that it prints, whatever libraries print before. This
    process starts no device: its children could not, then.
    """
    done = subprocess.run(
        [
            sys.executable,
            os.path.abspath(__file__),
            '--answer',
            json.dumps(request),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict({'OMP_NUM_THREADS': '1'}, **os.environ),
    )
    if done.returncode != 0:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def answer(contender=None, case=None):
    """What a request is answered with: seconds, or the device's name."""
    if contender is None:
        return device()
    return measure(contender, cases.Case(**case))


def device():
    """What the device calls itself."""
    import lasagne_objectives  # noqa: F401 (before theano)
    import theano
    from theano.gpuarray.type import get_context

    return '%s (%s)' % (get_context(None).devname, theano.config.device)


def line(case, seconds):
    """A row of the table, in milliseconds; a dash for what failed."""
    words = ['%-16s %-14s %9s' % (case.loss, case.kind, case.size)]
    words += [
        '%9s'
        % ('-' if seconds[name] is None else '%.3f' % (1e3 * seconds[name]))
        for name in CONTENDERS
    ]
    return ' '.join(words)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--losses', nargs='+', choices=cases.LOSSES, default=list(cases.LOSSES)
    )
    parser.add_argument('--sizes', nargs='+', default=SIZES)
    parser.add_argument('--answer', help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.answer:
        print(json.dumps(answer(*json.loads(options.answer))))
        return
    name = ask()
    if name is None:
        raise SystemExit(
            "Theano has no GPU: set THEANO_FLAGS=device=cuda or, "
            "for OpenCL, device=opencl0:0."
        )
    print(
        '%s; %s; medians of %d, in ms\n'
        % (name, datetime.date.today(), SAMPLES)
    )
    print(
        ' '.join(
            ['%-16s %-14s %9s' % ('loss', 'what', 'size')]
            + ['%9s' % name[:9] for name in CONTENDERS]
        )
    )
    for case in cases.table(
        options.losses, cases.KINDS, options.sizes, ['float32']
    ):
        print(
            line(
                case, {name: ask(name, case._asdict()) for name in CONTENDERS}
            ),
            flush=True,
        )


if __name__ == '__main__':
    main()
