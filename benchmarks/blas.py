"""Times products of matrices by each BLAS that Theano can be given.

    python benchmarks/blas.py ['-L/some/folder -lopenblas' ...]

NumPy's is what Theano calls if its flag ``blas.ldflags`` is empty, SciPy's
what ``lasagne_objectives`` has it link where no OpenBLAS is installed.
Arguments are values of the flag: other libraries to compare with. Each is
timed in a process of its own. Prints milliseconds, in float32 the least of
several calls, of a product and of its gradient with respect to both sides.
"""

import json
import os
import subprocess
import sys
import timeit

import lasagne_objectives  # noqa: F401 (before theano)

import numpy as np

NUMPYS, SCIPYS = 'NumPy', 'SciPy'

# By name: the shapes of both sides.
PRODUCTS = {
    'dot': [(1024, 1024), (1024, 1024)],
    'batched_dot': [(64, 128, 128), (64, 128, 128)],
    'batched_dot, small': [(512, 16, 16), (512, 16, 16)],
    'matrix @ vector': [(2048, 2048), (2048,)],
    'conv2d': [(32, 16, 32, 32), (32, 16, 3, 3)],
}


def measure():
    """Milliseconds by name, ``None`` for what does not compile."""
    return {
        name + what: milliseconds(name, shapes, differentiate)
        for name, shapes in PRODUCTS.items()
        for what, differentiate in [('', False), (', gradient', True)]
    }


def milliseconds(name, shapes, differentiate):
    """The time of one product, or of its gradient."""
    import theano
    import theano.tensor as T

    function = {
        'dot': T.dot,
        'batched_dot': T.batched_dot,
        'matrix @ vector': T.dot,
        'conv2d': T.nnet.conv2d,
    }[name.partition(',')[0]]
    rng = np.random.RandomState(1)
    sides = [theano.shared(rng.randn(*shape).astype('f')) for shape in shapes]
    result = function(*sides)
    if differentiate:
        result = T.grad((result**2).sum(), sides)
    try:
        compiled = theano.function([], result)
    except Exception as error:
        if 'undefined symbol' not in str(error):
            raise
        return None
    compiled()
    timer = timeit.Timer(compiled)
    calls = max(1, int(0.1 / timer.timeit(1)))
    return 1000 * min(timer.repeat(9, calls)) / calls


def measure_elsewhere(flag):
    """The same in a new process, with this value of the flag."""
    flags = [os.environ.get('THEANO_FLAGS', ''), 'floatX=float32']
    if flag != SCIPYS:
        flags.append('blas.ldflags=' + flag * (flag != NUMPYS))
    environ = dict(os.environ, THEANO_FLAGS=','.join(filter(None, flags)))
    command = [sys.executable, __file__, '--measure']
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE)
    done.check_returncode()
    return json.loads(done.stdout)


def main(flags):
    """Print a row for each product, a column for each BLAS."""
    names = [NUMPYS, SCIPYS] + flags
    columns = [measure_elsewhere(flag) for flag in names]
    print(' ' * 30, *('%10s' % name[-10:] for name in names))
    for row in columns[0]:
        times = [column[row] for column in columns]
        cells = [
            '%10s' % ('fails' if t is None else '%.3f' % t) for t in times
        ]
        print('%-30s' % row, *cells)


if __name__ == '__main__':
    if sys.argv[1:] == ['--measure']:
        print(json.dumps(measure()))
    else:
        main(sys.argv[1:])
