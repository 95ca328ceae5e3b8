"""Scripts in the ways of their time run untouched, and give the losses that they gave.

The losses of scripts in Python 3 are from a Python where Theano runs unaided, without the runner and with Lasagne's own objectives.
For scripts in Python 2 there is no such Python: theirs are of the first run by the runner. ``python tests/test_old_scripts.py`` writes all.
"""

import gzip
import json
import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

TESTS = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(TESTS, 'scripts')
LOSSES = os.path.join(TESTS, 'data', 'old_scripts.json')

# Python is quicker than compiling C, but there is no scan and no convolution in it.
QUICK = 'linker=py,optimizer=fast_compile'
NUMBER = re.compile(r'[0-9]+\.[0-9]{4,}')

# By name: its arguments and the flags of Theano.
RUNS = {
    'arguments2.py': (['-l', '.5', '-v', '--loss=binary_crossentropy', '-e3', '--sizes', '5,4', 'a', 'b'], QUICK),
    'gan.py': ([], QUICK),
    'guards.py': ([], QUICK),
    'mnist2.py': (['DATASET', '3'], QUICK),
    'nolearn_net.py': ([], QUICK),
    'recurrent.py': ([], QUICK),
}


def run(name, folder, runner=('-m', 'lasagne_objectives')):
    """The output of a script, and what it says on stderr."""
    arguments, flags = RUNS[name]
    dataset = os.path.join(str(folder), 'mnist.pkl.gz')
    if 'DATASET' in arguments:
        write_dataset(dataset)
    arguments = [dataset if argument == 'DATASET' else argument for argument in arguments]
    flags = ','.join(filter(None, [os.environ.get('THEANO_FLAGS'), flags]))
    done = subprocess.run(
        [sys.executable, *runner, os.path.join(SCRIPTS, name), *arguments],
        env=dict(os.environ, THEANO_FLAGS=flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def losses(out):
    return [float(number) for number in NUMBER.findall(out)]


@pytest.mark.parametrize('name', sorted(RUNS))
def test_a_script_gives_the_losses_that_it_gave(name, tmp_path):
    out, err = run(name, tmp_path)
    with open(LOSSES) as file:
        expected = json.load(file)[name]
    np.testing.assert_allclose(losses(out), expected, rtol=1e-4, atol=2e-6)
    assert ('%s is Python 2' % name in err) == name.endswith('2.py')
    assert 'replaced in lasagne.objectives: aggregate' in err.splitlines()[-1]


def test_what_a_script_in_python_2_was_asked_for(tmp_path):
    """An error has the lines of the user's own files, and a module's is translated, too."""
    command = [
        sys.executable,
        '-m',
        'lasagne_objectives',
        '-q',
        os.path.join(SCRIPTS, 'arguments2.py'),
        '--sizes',
        'x',
        '--loss',
        'squared_error',
    ]
    flags = ','.join(filter(None, [os.environ.get('THEANO_FLAGS'), QUICK]))
    done = subprocess.run(command, env=dict(os.environ, THEANO_FLAGS=flags), stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 1 and "raise ValueError, 'no sizes: %s' % error" in done.stderr
    assert 'arguments2_sizes.py", line 8, in parse' in done.stderr and done.stderr.endswith(
        "ValueError: no sizes: invalid literal for int() with base 10: 'x'\n"
    )


# ---------------------------------------------------------------------------
# Data as Python 2 pickled it


def pickled_array(array):
    """An array by protocol 2 of Python 2, which has strings of bytes; opcodes of the module pickletools, in this order."""
    kind, data = array.dtype.str[1:].encode(), array.tobytes()
    shape = b''.join(b'J' + struct.pack('<i', n) for n in array.shape)
    return (
        b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R'
        b'(K\x01(%st'
        % shape
        + b'cnumpy\ndtype\nU\x02%sK\x00K\x01\x87R' % kind
        + b'(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
        b'\x89T' + struct.pack('<i', len(data)) + data + b'tb'
    )


def write_dataset(path):
    """Two parts of images and labels, as the tutorials' mnist.pkl.gz has three."""
    rng = np.random.RandomState(1)
    pickled = b'\x80\x02'
    for n in (60, 20):
        y = rng.randint(0, 4, n)
        x = rng.rand(n, 16)
        x[np.arange(n), y] += 1
        pickled += pickled_array(x.astype('float32')) + pickled_array(y) + b'\x86'
    with gzip.open(path, 'wb') as file:
        file.write(pickled + b'\x86.')


def write_losses():
    """Write the file of losses. On a Python where Theano runs unaided; ``lasagne_objectives.compat`` lets it import Lasagne."""
    folder = os.path.dirname(LOSSES)
    unaided = ['-c', 'import sys, runpy, lasagne_objectives.compat; sys.argv[:1] = []; runpy.run_path(sys.argv[0], run_name="__main__")']
    record = {name: losses(run(name, folder, ['-m', 'lasagne_objectives'] if name.endswith('2.py') else unaided)[0]) for name in RUNS}
    os.unlink(os.path.join(folder, 'mnist.pkl.gz'))
    with open(LOSSES, 'w') as file:
        json.dump(record, file, indent=1)


if __name__ == '__main__':
    write_losses()
