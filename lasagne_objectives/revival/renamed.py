"""Modules that scripts import under names of their time.

What Theano 1.0 or scikit-learn has under another name, or in another form, is
found under the old one. What Theano 1.0 no longer has is an ``ImportError``,
as it is for a module that never was, so that a script which has something in
its place takes that.
"""

import functools
import importlib
import importlib.machinery
import importlib.util
import sys

__all__ = ['give_names', 'imported', 'provide', 'withdraw']


class RenamedFinder:
    """Finds modules by the names that they had.

    The last finder, so that whoever has such a module keeps it. It is the
    loader, too.
    """

    def find_spec(self, name, path=None, target=None):
        if name in FILLED or module_now(name) is not None:
            # a package, for some have modules in them
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return None  # as Python does

    def exec_module(self, module):
        name = module.__name__
        if name in FILLED:
            vars(module).update(FILLED[name]())
            return
        give_names(module, importlib.import_module(module_now(name)))


def give_names(module, now):
    """Give a module the names of another.

    Parameters
    ----------
    module, now : module
        The one that gets names, and the one that has them.
    """
    # not all names of six.moves are there before they are asked for
    module.__getattr__ = functools.partial(getattr, now)
    vars(module).update(
        (key, value)
        for key, value in vars(now).items()
        if key == '__all__' or not key.startswith('__')
    )


class RefusingFinder:
    """Refuses modules that are gone: the first finder.

    Theano 1.0 has a file in the place of its old GPU backend. It raises what
    no script expects, unittest's ``SkipTest``, or not even that where nose is
    not installed.
    """

    def find_spec(self, name, path=None, target=None):
        if name == 'theano.sandbox.cuda':
            raise ImportError(
                "there is no theano.sandbox.cuda: it was Theano's old GPU "
                "backend, and Theano 1.0 has none of it. On the CPU nothing "
                "is needed in its place (instead of lasagne.layers.dnn, "
                "cuda_convnet and corrmm take lasagne.layers), on a GPU it "
                "is theano.gpuarray.",
                name=name,
            )
        return None


def module_now(name):
    """The full name that a module has now.

    Parameters
    ----------
    name : str
        The one it had.

    Returns
    -------
    str or None
        ``None`` if there is none.
    """
    for then, now in RENAMED.items():
        if name == then or name.startswith(then + '.'):
            now += name[len(then) :]
            return now if importlib.util.find_spec(now) else None
    return None


# Theano 0.9 moved its GPU backend out of the sandbox, 0.8 dropped its copy of
# six. scikit-learn 0.20 and 0.23 dropped the others.
RENAMED = {
    'theano.sandbox.gpuarray': 'theano.gpuarray',
    'theano.compat.six': 'six',
    'sklearn.grid_search': 'sklearn.model_selection',
    'sklearn.externals.joblib': 'joblib',
}


# ----------------------------------------------------------------------------
# Those with other contents


def max_pool_2d(
    input, ds, ignore_border=None, st=None, padding=(0, 0), mode='max'
):
    """Theano 1.0's ``pool_2d`` with the argument names it had before.

    Parameters
    ----------
    input : Theano tensor
        Images, in the last two dimensions.
    ds, ignore_border, st, padding, mode
        What ``pool_2d`` calls `ws`, `ignore_border`, `stride`, `pad` and
        `mode`.

    Returns
    -------
    Theano tensor
        The pooled images.
    """
    from theano.tensor.signal import pool

    return pool.pool_2d(
        input,
        ws=ds,
        ignore_border=ignore_border,
        stride=st,
        pad=padding,
        mode=mode,
    )


def DownsampleFactorMax(
    ds, ignore_border=False, st=None, padding=(0, 0), mode='max'
):
    """What was an Op of pooling, to be called on images.

    Parameters
    ----------
    ds, ignore_border, st, padding, mode
        Those of :func:`max_pool_2d`.

    Returns
    -------
    callable
        From images to the pooled images.
    """
    return functools.partial(
        max_pool_2d,
        ds=ds,
        ignore_border=ignore_border,
        st=st,
        padding=padding,
        mode=mode,
    )


def downsample():
    """Names of what Theano 0.9 renamed ``pool``."""
    from theano.tensor.signal import pool

    return {
        'max_pool_2d': max_pool_2d,
        'max_pool_2d_same_size': pool.max_pool_2d_same_size,
        'DownsampleFactorMax': DownsampleFactorMax,
    }


def python_2_5():
    """Names that Theano had of its own while Python 2.4 had not all."""
    import builtins
    import collections
    import itertools

    return {
        'all': builtins.all,
        'any': builtins.any,
        'combinations': itertools.combinations,
        'Counter': collections.Counter,
        'defaultdict': collections.defaultdict,
        'deque': collections.deque,
        'OrderedDict': collections.OrderedDict,
        'partial': functools.partial,
        'product': itertools.product,
    }


class Folds:
    """What iterates over pairs of indices, for training and for testing.

    As the objects of ``sklearn.cross_validation`` did, which knew the data.

    Parameters
    ----------
    splitter : object of sklearn.model_selection
    y : array
        The targets, or anything as long.
    """

    def __init__(self, splitter, y):
        self.splitter = splitter
        self.y = y

    def __iter__(self):
        return self.splitter.split(self.y, self.y)

    def __len__(self):
        return self.splitter.get_n_splits(self.y, self.y)


def KFold(n, n_folds=3, shuffle=False, random_state=None):
    """``KFold`` of scikit-learn before 0.20: of `n` data points."""
    return folds('KFold', range(n), n_folds, shuffle, random_state)


def StratifiedKFold(y, n_folds=3, shuffle=False, random_state=None):
    """``StratifiedKFold`` of scikit-learn before 0.20: of the targets `y`."""
    return folds('StratifiedKFold', y, n_folds, shuffle, random_state)


def folds(kind, y, n_folds, shuffle, random_state):
    """Folds as today's scikit-learn makes them."""
    from sklearn import model_selection

    # today's refuses a random state that it would not use
    state = random_state if shuffle else None
    splitter = getattr(model_selection, kind)(
        int(n_folds), shuffle=shuffle, random_state=state
    )
    return Folds(splitter, y)


def cross_validation():
    """Names of what scikit-learn 0.20 has replaced by ``model_selection``."""
    from sklearn import model_selection

    return {
        'KFold': KFold,
        'StratifiedKFold': StratifiedKFold,
        'cross_val_predict': model_selection.cross_val_predict,
        'cross_val_score': model_selection.cross_val_score,
        'train_test_split': model_selection.train_test_split,
    }


FILLED = {
    'theano.tensor.signal.downsample': downsample,
    'theano.compat.python2x': python_2_5,
    'theano.gof.python25': python_2_5,
    'sklearn.cross_validation': cross_validation,
}


# ----------------------------------------------------------------------------
# What is provided

_renamed = RenamedFinder()
_refusing = RefusingFinder()


def provide():
    """Have modules found by their old names from now on."""
    if _renamed not in sys.meta_path:
        sys.meta_path.append(_renamed)
        sys.meta_path.insert(0, _refusing)


def withdraw():
    """Undo :func:`provide`."""
    if _renamed in sys.meta_path:
        sys.meta_path.remove(_renamed)
        sys.meta_path.remove(_refusing)
    for name in imported():
        del sys.modules[name]
        parent, _, last = name.rpartition('.')
        vars(sys.modules.get(parent, sys)).pop(last, None)


def imported():
    """The modules of old names that were imported.

    Returns
    -------
    list of str
    """
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if isinstance(getattr(module, '__loader__', None), RenamedFinder)
    )
