"""install(): the objectives in place of lasagne.objectives, and back."""

import importlib
import importlib.util
import inspect
import pickle
import subprocess
import sys
import threading

import pytest
import theano.tensor.signal

import lasagne_objectives
from lasagne_objectives import objectives
from lasagne_objectives.revival import lasagne_names, replacement

LASAGNES = ['aggregate', 'binary_crossentropy', 'categorical_crossentropy', 'squared_error']
ADDED = ['align_targets', 'binary_accuracy', 'binary_hinge_loss', 'categorical_accuracy', 'huber_loss', 'multiclass_hinge_loss']


def run_python(code):
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def state():
    """All that install() may change."""
    places = [
        dict(vars(inspect)),
        dict(vars(theano.tensor.signal)),
        list(sys.meta_path),
        sys.modules.get('theano.tensor.signal.downsample', 'none'),
    ]
    if 'lasagne.objectives' in sys.modules:
        places.append(dict(vars(sys.modules['lasagne.objectives'])))
    return places


# A module like Lasagne 0.1's, which is imported only where a test wants it.
SOURCE = '''
__all__ = ['squared_error', 'aggregate', 'more']

def squared_error(a, b):
    return 'old'

def aggregate(loss, weights=None, mode='mean'):
    return squared_error(loss, weights)

def more():
    return 'more'
'''


@pytest.fixture
def lasagne(monkeypatch, tmp_path):
    """A stand-in for Lasagne that is installed, but not imported."""
    folder = tmp_path / 'lasagne'
    folder.mkdir()
    (folder / '__init__.py').touch()
    (folder / 'objectives.py').write_text(SOURCE)
    for name in list(sys.modules):
        if name.split('.')[0] == 'lasagne':
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    lasagne_objectives.uninstall()
    for name in ['lasagne', 'lasagne.objectives', 'lasagne.layers']:
        sys.modules.pop(name, None)


def is_ours(module):
    return all(getattr(module, name) is getattr(objectives, name) for name in LASAGNES + ADDED)


def test_before_lasagne_is_imported(lasagne):
    lasagne_objectives.install()
    assert 'lasagne' not in sys.modules
    import lasagne.objectives

    assert is_ours(lasagne.objectives)
    assert lasagne.objectives.more() == 'more'


def test_after_lasagne_is_imported(lasagne):
    import lasagne.objectives as module

    old = dict(vars(module))
    lasagne_objectives.install()
    assert sys.modules['lasagne.objectives'] is module
    assert is_ours(module)
    lasagne_objectives.uninstall()
    assert dict(vars(module)) == old
    assert module.squared_error(1, 2) == 'old'


def test_threads_install_once(lasagne):
    """However they take turns."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            threads = [threading.Thread(target=lasagne_objectives.install) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            finders = sys.meta_path.count(replacement._finder)
            lasagne_objectives.uninstall()
            assert finders == 1
    finally:
        sys.setswitchinterval(interval)


def test_its_source_is_found_before_it_is_imported(lasagne):
    lasagne_objectives.install()
    spec = importlib.util.find_spec('lasagne.objectives')
    assert spec.loader.get_source('lasagne.objectives') == SOURCE


def test_it_is_still_lasagnes_module(lasagne):
    lasagne_objectives.install()
    import lasagne.objectives as module

    assert module.__file__ == str(lasagne / 'objectives.py')
    assert module.__name__ == module.__spec__.name == 'lasagne.objectives'
    assert module.__loader__ is module.__spec__.loader
    assert inspect.getsource(module) == SOURCE


def test_undone_after_an_import_in_between(lasagne):
    before = state()
    lasagne_objectives.install()
    import lasagne.objectives as module

    lasagne_objectives.uninstall()
    after = state()
    assert after.pop() == dict(vars(module))
    assert after == before
    assert module.aggregate(1) == 'old'
    assert not set(ADDED) & set(vars(module))
    assert module.__all__ == ['squared_error', 'aggregate', 'more']


def test_undone_before_lasagne_is_imported(lasagne):
    lasagne_objectives.install()
    lasagne_objectives.uninstall()
    import lasagne.objectives

    assert lasagne.objectives.squared_error(1, 2) == 'old'


def test_everything_is_imported_by_a_star(lasagne):
    lasagne_objectives.install()
    names = {}
    exec('from lasagne.objectives import *', names)
    del names['__builtins__']
    assert sorted(names) == sorted(objectives.__all__ + ['more'])


def test_a_module_that_does_not_list_its_names(lasagne):
    (lasagne / 'objectives.py').write_text('also = 1')
    lasagne_objectives.install()
    names = {}
    exec('from lasagne.objectives import *', names)
    assert {'also', 'huber_loss'} <= set(names)


@pytest.mark.parametrize('times', [1, 2, 5])
def test_often_is_once(lasagne, times):
    import lasagne.objectives  # noqa: F401

    before = state()
    for _ in range(times):
        lasagne_objectives.install()
    installed = state()
    lasagne_objectives.install()
    assert state() == installed != before
    for _ in range(times):
        lasagne_objectives.uninstall()
        assert state() == before


def test_nested(lasagne):
    import lasagne.objectives as module

    before = state()
    with lasagne_objectives.install():
        installed = state()
        with lasagne_objectives.install():
            assert is_ours(module)
        assert state() == installed
    assert state() == before


def test_undone_after_an_error(lasagne):
    before = state()
    with pytest.raises(ZeroDivisionError):
        with lasagne_objectives.install():
            raise ZeroDivisionError
    assert state() == before


def test_reloaded(lasagne):
    import lasagne.objectives as module

    before = set(vars(module))
    lasagne_objectives.install()
    importlib.reload(module)
    assert is_ours(module)
    lasagne_objectives.uninstall()
    assert set(vars(module)) == before
    assert module.squared_error(1, 2) == 'old'


def test_imported_anew(lasagne):
    lasagne_objectives.install()
    import lasagne.objectives as first

    del sys.modules['lasagne.objectives']
    second = importlib.import_module('lasagne.objectives')
    assert first is not second and is_ours(first) and is_ours(second)
    lasagne_objectives.uninstall()
    assert first.aggregate(1) == second.aggregate(1) == 'old'


def test_pickles_that_name_lasagne(lasagne):
    import lasagne.objectives as module

    old = pickle.dumps(module.squared_error)
    with lasagne_objectives.install():
        assert pickle.loads(old) is objectives.squared_error
        new = pickle.dumps(module.squared_error)
    assert pickle.loads(new) is objectives.squared_error
    assert pickle.loads(old) is module.squared_error


def test_a_lasagne_without_objectives(lasagne):
    (lasagne / 'objectives.py').unlink()
    lasagne_objectives.install()
    with pytest.raises(ImportError, match='lasagne.objectives'):
        importlib.import_module('lasagne.objectives')


def test_objectives_that_cannot_be_imported(lasagne):
    (lasagne / 'objectives.py').write_text('1 / 0')
    lasagne_objectives.install()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module('lasagne.objectives')
    assert 'lasagne.objectives' not in sys.modules


def test_summary(lasagne):
    assert replacement.summary() == ([], [])
    lasagne_objectives.install()
    assert replacement.summary() == ([], [])
    import lasagne.objectives  # noqa: F401

    added = sorted(set(LASAGNES + ADDED) - {'aggregate', 'squared_error'})
    assert replacement.summary() == (['aggregate', 'squared_error'], added)
    lasagne_objectives.uninstall()
    assert replacement.summary() == ([], [])


# ---------------------------------------------------------------------------
# What Lasagne needs to run


@pytest.fixture
def unaided(monkeypatch):
    """Without what Lasagne needs, and the module that provides it for good not imported."""
    lasagne_names.withdraw()
    monkeypatch.delitem(sys.modules, 'lasagne_objectives.compat', raising=False)
    yield
    lasagne_names.provide()  # for the tests that come after


def test_what_lasagne_needs_comes_and_goes(lasagne, unaided):
    before = state()
    lasagne_objectives.install()
    importlib.import_module('theano.tensor.signal.downsample')
    ours = ['inspect.getargspec'] * (sys.version_info >= (3, 11))
    assert lasagne_names.provided() == ours + ['theano.tensor.signal.downsample']
    lasagne_objectives.uninstall()
    assert state() == before


@pytest.mark.parametrize('order', ['before', 'between'])
def test_compat_is_for_good(lasagne, unaided, order):
    if order == 'before':
        importlib.import_module('lasagne_objectives.compat')
    lasagne_objectives.install()
    importlib.import_module('lasagne_objectives.compat')
    lasagne_objectives.uninstall()
    assert lasagne_names._lasagne_finder in sys.meta_path and hasattr(inspect, 'getargspec')
    # once more: there is nothing left to undo
    lasagne_objectives.install()
    lasagne_objectives.uninstall()
    assert lasagne_names._lasagne_finder in sys.meta_path and hasattr(inspect, 'getargspec')


# ---------------------------------------------------------------------------
# The real thing, in a new process


def test_lasagne():
    assert (
        run_python(
            "import lasagne_objectives, sys;"
            "lasagne_objectives.install();"
            "print('lasagne' in sys.modules);"
            "import lasagne;"
            "from lasagne.objectives import huber_loss, align_targets;"
            "print(huber_loss is lasagne_objectives.huber_loss);"
            "lasagne_objectives.uninstall();"
            "print(sorted(lasagne.objectives.__all__),"
            " hasattr(lasagne.objectives, 'huber_loss'),"
            " lasagne.objectives.aggregate.__module__)"
        )
        == "False\nTrue\n%s False lasagne.objectives" % LASAGNES
    )


def test_without_lasagne():
    """Then the script's own import says so."""
    assert (
        run_python(
            "import sys; sys.modules['lasagne'] = None\n"
            "import lasagne_objectives; lasagne_objectives.install()\n"
            "try:\n"
            "    import lasagne\n"
            "except ImportError as error:\n"
            "    print(error.name)\n"
            "lasagne_objectives.uninstall()"
        )
        == 'lasagne'
    )


def test_the_package_alone_installs_nothing():
    """Nothing at all where Theano finds all it looks for, else one finder that concerns Theano alone."""
    code = (
        "import sys; before = list(sys.meta_path); import lasagne_objectives.objectives;"
        "ours = [type(f) for f in sys.meta_path if f not in before and type(f).__module__.startswith('lasagne_objectives')];"
        "print({each.__name__ for each in ours} - {'TheanoFinder', 'BlasFinder'})"
    )
    assert run_python(code) == 'set()'
