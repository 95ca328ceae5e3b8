"""compat.py and shims.py: Lasagne runs on Theano 1.0 and Python 3.11."""

import importlib
import inspect
import subprocess
import sys
import types

import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.gof.graph import is_same_graph
from theano.tensor.signal import pool

import lasagne_objectives.compat  # noqa: F401 (so that Lasagne can be imported)
from lasagne_objectives import shims


def run_python(code):
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---------------------------------------------------------------------------
# The real thing, in a new process


def test_lasagne_can_be_imported():
    assert run_python("import lasagne_objectives.compat, lasagne;print(lasagne.__version__)") == '0.1'


def test_scan_runs_compiled():
    """The rest of the function is in C even where the loop cannot be."""
    assert (
        run_python(
            "import lasagne_objectives.compat, theano, theano.tensor as T;"
            "x = T.dvector();"
            "y, _ = theano.scan(lambda a, b: a + b, [x],"
            " outputs_info=[T.constant(0., dtype='float64')]);"
            "print(theano.function([x], y, mode='FAST_RUN')([1., 2.]).tolist())"
        )
        == '[1.0, 3.0]'
    )


def test_only_a_python_that_cannot_compile_the_loop_is_kept_from_it():
    name = 'theano.scan_module.scan_perform_ext'
    old, new, loaded = {}, {}, {name: 'loaded'}
    shims.loop_in_python((3, 10), old)
    shims.loop_in_python((3, 11), new)
    shims.loop_in_python((3, 11), loaded)
    assert old == {} and new == {name: None} and loaded == {name: 'loaded'}


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


# ---------------------------------------------------------------------------
# downsample


def test_downsample_is_imported_in_every_way():
    import theano.tensor.signal.downsample
    from theano.tensor.signal import downsample
    from theano.tensor.signal.downsample import max_pool_2d

    assert theano.tensor.signal.downsample is downsample
    assert downsample.max_pool_2d is max_pool_2d
    assert downsample.DownsampleFactorMax is shims.DownsampleFactorMax
    assert downsample.max_pool_2d_same_size is pool.max_pool_2d_same_size


@pytest.mark.parametrize(
    'options, modern',
    [
        ({'ignore_border': True}, {'ignore_border': True}),
        ({'ignore_border': False, 'st': (1, 2)}, {'ignore_border': False, 'stride': (1, 2)}),
        (
            {'ignore_border': True, 'padding': (1, 0), 'mode': 'average_inc_pad'},
            {'ignore_border': True, 'pad': (1, 0), 'mode': 'average_inc_pad'},
        ),
    ],
)
def test_max_pool_2d_is_pool_2d(options, modern, recwarn):
    image = np.random.RandomState(1).randn(1, 2, 5, 7)
    old = shims.max_pool_2d(T.constant(image), (2, 3), **options)
    op = shims.DownsampleFactorMax((2, 3), **options)
    assert is_same_graph(op(T.constant(image)), old)
    assert len(recwarn) == 0  # not even about names that Theano 1.0 dropped
    new = pool.pool_2d(T.constant(image), (2, 3), **modern)
    np.testing.assert_array_equal(old.eval(), new.eval())


@pytest.fixture
def signal(monkeypatch, tmp_path):
    """Builds a stand-in for the package theano.tensor.signal."""

    def build(*modules):
        folder = tmp_path / 'signal_stand_in'
        folder.mkdir()
        for name in ('__init__',) + modules:
            (folder / (name + '.py')).touch()
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, folder.name, raising=False)
        return importlib.import_module(folder.name)

    return build


def test_provides_downsample_where_it_is_missing(signal):
    package, modules = signal('pool'), {}
    shims.provide_downsample(package, modules)
    provided = modules['signal_stand_in.downsample']
    assert package.downsample is provided
    assert provided.max_pool_2d is shims.max_pool_2d


def test_keeps_downsample_where_it_is_imported(signal):
    package = signal('pool')
    modules = {'signal_stand_in.downsample': 'an old module'}
    shims.provide_downsample(package, modules)
    assert modules['signal_stand_in.downsample'] == 'an old module'
    assert not hasattr(package, 'downsample')


def test_keeps_downsample_where_it_can_be_imported(signal):
    package, modules = signal('pool', 'downsample'), {}
    shims.provide_downsample(package, modules)
    assert modules == {}
    assert not hasattr(package, 'downsample')


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
        spec = shims.getargspec(function)
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
        shims.getargspec(function)


@pytest.mark.filterwarnings('ignore:inspect.getargspec:DeprecationWarning')
def test_getargspec_refuses_what_is_no_function():
    with pytest.raises(TypeError):
        shims.getargspec(1)


def test_provides_getargspec_where_it_is_missing():
    stand_in = types.ModuleType('inspect')
    shims.provide_getargspec(stand_in)
    assert stand_in.getargspec is shims.getargspec
    assert stand_in.ArgSpec is shims.ArgSpec


def test_keeps_getargspec_where_it_is():
    stand_in = types.ModuleType('inspect')
    stand_in.getargspec = 'old'
    shims.provide_getargspec(stand_in)
    assert stand_in.getargspec == 'old'
    assert not hasattr(stand_in, 'ArgSpec')


def test_inspect_has_it_now():
    assert hasattr(inspect, 'getargspec')
