"""compat.py and revival/lasagne_names.py: Lasagne runs on Theano 1.0 and Python 3.11."""

import importlib.machinery
import importlib.util
import inspect
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import theano
import theano.tensor as T

import lasagne_objectives.compat  # noqa: F401 (so that Lasagne can be imported)
from cases import PY
from lasagne_objectives.revival import lasagne_names

DOWNSAMPLE = 'theano.tensor.signal.downsample'


def run_python(code):
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---------------------------------------------------------------------------
# The real thing, in a new process


def test_lasagne_can_be_imported():
    assert run_python("import lasagne_objectives.compat, lasagne;print(lasagne.__version__)") == '0.1'


def test_the_package_alone_changes_nothing():
    code = (
        "import inspect, sys; before = set(dir(inspect));"
        "import lasagne_objectives;"
        "print(set(dir(inspect)) == before, [name for name in sys.modules"
        " if 'downsample' in name or name.endswith('compat')"
        " and name.startswith('lasagne')])"
    )
    assert run_python(code) == 'True []'


def test_what_is_there_stays():
    code = (
        "import inspect, sys, types, lasagne_objectives;"
        "import theano.tensor.signal;"
        "inspect.getargspec = mine = lambda function: 'mine';"
        "name = 'theano.tensor.signal.downsample';"
        "theano.tensor.signal.downsample = types.ModuleType(name);"
        "sys.modules[name] = theano.tensor.signal.downsample;"
        "import lasagne_objectives.compat;"
        "print(inspect.getargspec is mine,"
        " dir(sys.modules[name]) == dir(types.ModuleType(name)))"
    )
    assert run_python(code) == 'True True'


def test_installing_twice_changes_nothing():
    code = (
        "import importlib, inspect, lasagne_objectives.compat as compat;"
        "from theano.tensor.signal import downsample as first;"
        "getargspec = inspect.getargspec; importlib.reload(compat);"
        "from theano.tensor.signal import downsample as second;"
        "print(first is second, getargspec is inspect.getargspec)"
    )
    assert run_python(code) == 'True True'


def test_lasagnes_networks_compute():
    import lasagne  # needs compat, so not among the imports above

    layer = lasagne.layers.InputLayer((2, 1, 6, 6))
    layer = lasagne.layers.Conv2DLayer(layer, 3, 3)
    layer = lasagne.layers.MaxPool2DLayer(layer, 2)
    layer = lasagne.layers.DenseLayer(layer, 4)
    x = T.tensor4()
    output = theano.function([x], lasagne.layers.get_output(layer, x))
    image = np.ones((2, 1, 6, 6), theano.config.floatX)
    assert output(image).shape == (2, 4)


def test_lasagnes_updates():
    """All functions of lasagne.updates, after a step from 1 along the gradient 2."""
    import lasagne

    expected = {
        'sgd': 1 - 0.1 * 2,
        'momentum': 1 - 0.1 * 2,
        'nesterov_momentum': 1 - 0.1 * 2 * (1 + 0.9),
        'adagrad': 1 - 0.1 * 2 / np.sqrt(2**2 + 1e-6),
        'rmsprop': 1 - 0.1 * 2 / np.sqrt((1 - 0.9) * 2**2 + 1e-6),
        'adadelta': 1 - 0.1 * 2 * np.sqrt(1e-6) / np.sqrt((1 - 0.95) * 2**2 + 1e-6),
        # the two averages, of which the bias of the start is taken away
        'adam': 1 - 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9) * (1 - 0.9) * 2 / (np.sqrt((1 - 0.999) * 2**2) + 1e-8),
    }
    variables = {name: theano.shared(np.ones(3)) for name in expected}
    updates = [getattr(lasagne.updates, name)((w**2).sum(), [w], learning_rate=0.1) for name, w in variables.items()]
    theano.function([], updates=[pair for one in updates for pair in one.items()], mode=PY)()
    for name, w in variables.items():
        np.testing.assert_allclose(w.get_value(), expected[name], rtol=1e-12, err_msg=name)


# ---------------------------------------------------------------------------
# What is provided, and taken away again


@pytest.fixture
def unaided(monkeypatch):
    """Without what lasagne_names may have provided."""
    lasagne_names.withdraw()
    for name in ['getargspec', 'ArgSpec']:
        monkeypatch.delattr(inspect, name, raising=False)
    yield
    lasagne_names.withdraw()
    monkeypatch.undo()
    lasagne_names.provide()  # for the tests that come after


def test_provided_and_withdrawn(unaided):
    before = list(sys.meta_path), dir(np), vars(time).get('__getattr__')
    assert lasagne_names.provided() == []
    lasagne_names.provide()
    lasagne_names.provide()  # once more is as good as once
    assert lasagne_names.provided() == ['inspect.getargspec'] and np.asscalar(np.ones(1)) == 1
    importlib.import_module('theano.tensor.signal.downsample')
    lent = ['numpy.asscalar'] * (np.lib.NumpyVersion(np.__version__) >= '1.23.0')
    assert lasagne_names.provided() == ['inspect.getargspec'] + lent + ['theano.tensor.signal.downsample']
    lasagne_names.withdraw()
    assert lasagne_names.provided() == [] and not hasattr(theano.tensor.signal, 'downsample') and not hasattr(inspect, 'ArgSpec')
    assert before == (list(sys.meta_path), dir(np), vars(time).get('__getattr__'))
    with pytest.raises(ImportError):
        importlib.import_module('theano.tensor.signal.downsample')
    lasagne_names.withdraw()  # nothing is left to be withdrawn


def test_what_others_provide_is_left_alone(unaided, monkeypatch):
    """A Theano before 1.0 has a downsample, and Python before 3.11 a getargspec."""
    monkeypatch.setattr(inspect, 'getargspec', 'old', raising=False)
    found = importlib.machinery.ModuleSpec(DOWNSAMPLE, None)
    other = types.SimpleNamespace(find_spec=lambda name, path, target: found if name == found.name else None)
    sys.meta_path.append(other)
    lasagne_names.provide()
    assert importlib.util.find_spec(DOWNSAMPLE) is found
    monkeypatch.setitem(sys.modules, DOWNSAMPLE, types.ModuleType(DOWNSAMPLE))
    lasagne_names.withdraw()
    sys.meta_path.remove(other)
    assert inspect.getargspec == 'old' and DOWNSAMPLE in sys.modules


# ---------------------------------------------------------------------------
# getargspec


def plain(a, b=1, *rest, **options):
    """A function of the kind that getargspec can describe."""


class Class:
    def method(self, a=2):
        """A method."""


@pytest.mark.parametrize(
    'function, expected',
    [
        (plain, (['a', 'b'], 'rest', 'options', (1,))),
        (lambda: None, ([], None, None, None)),
        (Class.method, (['self', 'a'], None, None, (2,))),
        (Class().method, (['self', 'a'], None, None, (2,))),
    ],
)
def test_getargspec(function, expected):
    with pytest.warns(DeprecationWarning, match='deprecated since Python 3'):
        spec = lasagne_names.getargspec(function)
    assert spec == expected
    assert spec._fields == ('args', 'varargs', 'keywords', 'defaults')


def annotated(a: int):
    """A function that getargspec cannot describe."""


def keyword_only(*, a):
    """Another one."""


@pytest.mark.parametrize('function', [annotated, keyword_only])
@pytest.mark.filterwarnings('ignore:inspect.getargspec:DeprecationWarning')
def test_getargspec_refuses_what_it_cannot_describe(function):
    with pytest.raises(ValueError, match='keyword-only'):
        lasagne_names.getargspec(function)


@pytest.mark.filterwarnings('ignore:inspect.getargspec:DeprecationWarning')
def test_getargspec_refuses_what_is_no_function():
    with pytest.raises(TypeError):
        lasagne_names.getargspec(1)


def test_inspect_has_it_now():
    assert hasattr(inspect, 'getargspec')
