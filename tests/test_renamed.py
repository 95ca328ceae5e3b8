"""revival/renamed.py and lent.py: what scripts ask for by names of their time."""

import importlib
import importlib.util
import time
import types

import numpy as np
import pytest
import theano.tensor as T
from theano.gof.graph import is_same_graph
from theano.tensor.signal import pool

import lasagne_objectives.compat  # noqa: F401 (provides it)
from lasagne_objectives.revival import lent, renamed

# ---------------------------------------------------------------------------
# downsample


def test_downsample_is_imported_in_every_way():
    import theano.tensor.signal.downsample
    from theano.tensor.signal import downsample
    from theano.tensor.signal.downsample import max_pool_2d

    assert theano.tensor.signal.downsample is downsample
    assert downsample.max_pool_2d is max_pool_2d
    assert downsample.DownsampleFactorMax is renamed.DownsampleFactorMax
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
    old = renamed.max_pool_2d(T.constant(image), (2, 3), **options)
    op = renamed.DownsampleFactorMax((2, 3), **options)
    assert is_same_graph(op(T.constant(image)), old)
    assert len(recwarn) == 0  # not even about names that Theano 1.0 dropped
    new = pool.pool_2d(T.constant(image), (2, 3), **modern)
    np.testing.assert_array_equal(old.eval(), new.eval())


# ---------------------------------------------------------------------------
# Other modules


@pytest.mark.parametrize('name', ['theano.compat.python2x', 'theano.gof.python25'])
def test_what_theano_had_for_old_pythons(name):
    module = importlib.import_module(name)
    assert module.all is all and module.OrderedDict([(1, 2)]) == {1: 2}


def test_modules_that_are_elsewhere_now():
    import six
    import theano.gpuarray.type
    from theano.compat.six import iteritems
    from theano.compat.six.moves import xrange
    from theano.sandbox import gpuarray
    from theano.sandbox.gpuarray.type import GpuArrayType

    assert xrange is range and iteritems is six.iteritems
    assert GpuArrayType is theano.gpuarray.type.GpuArrayType
    assert gpuarray.__name__ == 'theano.sandbox.gpuarray' and gpuarray.GpuArrayType is GpuArrayType
    with pytest.raises(AttributeError, match='nothing'):
        gpuarray.nothing  # noqa: B018


@pytest.mark.parametrize('name', ['theano.sandbox.gpuarray.nowhere', 'theano.nowhere', 'sklearn.nowhere'])
def test_modules_that_never_were(name):
    with pytest.raises(ModuleNotFoundError, match='nowhere'):
        importlib.import_module(name)


@pytest.mark.parametrize('code', ['import theano.sandbox.cuda.dnn', 'from theano.sandbox import cuda'])
def test_the_old_gpu_backend_is_an_import_error(code):
    with pytest.raises(ImportError, match='there is no theano.sandbox.cuda.*take lasagne.layers.*theano.gpuarray'):
        exec(code, {})


@pytest.mark.parametrize('name', ['dnn', 'cuda_convnet', 'corrmm'])
def test_layers_on_the_old_gpu_backend_are_import_errors(name):
    import lasagne  # noqa: F401 (needs compat)

    with pytest.raises(ImportError, match='take lasagne.layers'):
        importlib.import_module('lasagne.layers.' + name)


# ---------------------------------------------------------------------------
# Of scikit-learn


def test_parts_of_scikit_learn():
    import sklearn.model_selection
    from sklearn.cross_validation import train_test_split
    from sklearn.externals import joblib
    from sklearn.grid_search import GridSearchCV

    assert GridSearchCV is sklearn.model_selection.GridSearchCV
    assert train_test_split is sklearn.model_selection.train_test_split
    assert joblib.dump is importlib.import_module('joblib').dump


@pytest.mark.parametrize('shuffle', [False, True])
def test_folds_know_the_data(shuffle):
    """As in scikit-learn 0.17, by hand: each point is tested once, and each fold has its share of each class."""
    from sklearn.cross_validation import KFold, StratifiedKFold

    plain = KFold(7, 3.0, shuffle=shuffle, random_state=1)
    assert len(plain) == 3
    assert sorted(np.concatenate([test for _, test in plain])) == list(range(7))
    assert all(set(train) | set(test) == set(range(7)) for train, test in plain)
    assert shuffle or [list(test) for _, test in plain] == [[0, 1, 2], [3, 4], [5, 6]]
    y = np.array([0, 0, 0, 0, 1, 1])
    assert [sorted(y[test]) for _, test in StratifiedKFold(y, n_folds=2, shuffle=shuffle)] == [[0, 0, 1]] * 2


# ---------------------------------------------------------------------------
# Names lent to modules


@pytest.fixture
def borrower():
    before = dict(lent._lent), set(lent._used)
    module = types.ModuleType('borrower')
    yield module
    lent._lent.clear()
    lent._lent.update(before[0])
    lent._used.clear()
    lent._used.update(before[1])


def test_lent_names_are_noted_and_not_listed(borrower):
    borrower.own = 1
    lent.lend(borrower, {'own': 2, 'other': 3, 'unused': 4})
    lent.lend(borrower, {'late': 5})  # it has been lent to
    assert (borrower.own, borrower.other) == (1, 3) and 'other' not in dir(borrower)
    assert 'borrower.other' in lent.used() and not {'borrower.own', 'borrower.unused'} & set(lent.used())
    with pytest.raises(AttributeError, match="module 'borrower' has no attribute 'late'"):
        borrower.late  # noqa: B018


def test_what_a_module_says_itself_comes_first(borrower):
    def __getattr__(name):
        if name == 'own':
            return 1
        raise AttributeError('its own words')

    borrower.__getattr__ = __getattr__
    lent.lend(borrower, {'own': 2, 'other': 3})
    assert (borrower.own, borrower.other) == (1, 3)
    with pytest.raises(AttributeError, match='its own words'):
        borrower.nothing  # noqa: B018


def test_names_in_the_place_of_others_go_again(borrower):
    borrower.name = 1
    before = dict(lent._lent)
    lent._lent.clear()
    lent.lend(borrower, {'name': 2}, instead=['name'])
    assert borrower.name == 2 and 'borrower.name' not in lent.used()
    lent.take_back()
    lent._lent.update(before)
    assert borrower.name == 1 and vars(borrower)['name'] == 1


def test_arrays_of_bytes():
    """np.fromstring reads them as it did, and numbers in text as it does."""
    assert np.fromstring(b'\x01\x02', np.uint8).tolist() == np.fromstring('\x01\x02', dtype='uint8').tolist() == [1, 2]
    assert np.fromstring(np.array([1.0, 2.5]).tobytes()).tolist() == [1, 2.5]
    assert np.fromstring('1 2', sep=' ').tolist() == [1, 2] and np.fromstring('1,2', int, 1, sep=',').tolist() == [1]
    read = np.fromstring(b'\x01\x02\x03', np.uint8, 2)
    read[0] = 7  # it is a copy
    assert read.tolist() == [7, 2]


def test_names_of_python_and_numpy():
    from collections import Iterable, OrderedDict, deque

    assert isinstance([], Iterable) and OrderedDict is not deque
    assert time.clock() <= time.clock()
    assert np.cast['int32'](2.7).dtype == 'int32' and np.cast['int32'](2.7) == 2
    assert isinstance(1.0, np.float) and np.zeros(1, np.bool).dtype == bool and np.Inf > 1 and np.product([2, 3]) == 6
    assert np.in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False] and np.asscalar(np.array([3])) == 3
