"""NumPy as Theano 1.0.5 knew it: the one of 2020.

A stand-in for the module, which Theano's modules have in the place of NumPy
(:mod:`lasagne_objectives.revival.imports`). It has all of NumPy, and what
that has dropped or changed since.
"""

import functools
import types
import warnings

import numpy as np

__all__ = [
    'NUMPY_2',
    'as_dtype',
    'changed_since',
    'make_numpy_then',
    'names_then',
]

NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= '2.0.0b1'

# What Theano calls by an old name, and what it is called now. The first four
# went with NumPy 1.24, where bool came back with 2.0; the others with 2.0.
RENAMED = {
    'bool': np.bool_,
    'complex': complex,
    'float': float,
    'int': int,
    'alltrue': np.all,
    'product': np.prod,
    'sometrue': np.any,
}


def make_numpy_then():
    """Make the stand-in for NumPy.

    Returns
    -------
    module
    """
    then = types.ModuleType('numpy', np.__doc__)
    # Copied, for names looked up by __getattr__ would cost Theano time.
    vars(then).update(vars(np))
    # some parts of NumPy are only there when they are asked for
    then.__getattr__ = lambda name: getattr(np, name)
    vars(then).update(RENAMED)
    if NUMPY_2:
        then.ComplexWarning = np.exceptions.ComplexWarning
        then.core = np._core
        then.cast = Cast()
        then.sctype2char = lambda dtype: np.dtype(dtype).char
        # As axis it means all of them. C calls that NPY_RAVEL_AXIS now, and
        # our header gives Theano's C code this value, too.
        then.MAXDIMS = -(2**31)
        then.asarray = wrapping(np.asarray)
        then.array = wrapping(np.array)
    return then


def names_then():
    """Names that NumPy had, for scripts that ask NumPy itself for them.

    Returns
    -------
    dict of str to object
    """
    return dict(
        RENAMED,
        # went with NumPy 1.24, or asscalar 1.23
        asscalar=lambda a: np.asarray(a).item(),
        long=int,
        object=object,
        str=str,
        unicode=str,
        # with 2.0
        Inf=np.inf,
        Infinity=np.inf,
        NaN=np.nan,
        NINF=-np.inf,
        PINF=np.inf,
        cast=Cast(),
        complex_=np.complex128,
        cumproduct=np.cumprod,
        float_=np.float64,
        infty=np.inf,
        string_=np.bytes_,
        unicode_=np.str_,
        # later
        in1d=lambda *args, **kwargs: np.isin(*args, **kwargs).ravel(),
        row_stack=np.vstack,
        **changed_since(),
    )


def changed_since():
    """Names that NumPy has, but no longer for all that they were for.

    Returns
    -------
    dict of str to object
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            np.fromstring(b'0', np.uint8)
    except ValueError:  # NumPy 2.3
        return {'fromstring': functools.partial(fromstring, np.fromstring)}
    return {}


def fromstring(of_text, string, dtype=float, count=-1, sep='', **more):
    """``numpy.fromstring``, also of bytes that are no text.

    Parameters
    ----------
    of_text : function
        NumPy's.
    string, dtype, count, sep, **more
        As for that.
    """
    if sep or more:
        return of_text(string, dtype, count, sep=sep, **more)
    data = string.encode('latin1') if isinstance(string, str) else string
    return np.frombuffer(data, dtype, count).copy()


class Cast:
    """What ``numpy.cast`` was: from a type to a function that casts to it."""

    def __getitem__(self, dtype):
        return lambda value: np.asarray(value).astype(as_dtype(dtype))


def as_dtype(dtype):
    """What NumPy takes as a dtype, from what it took as one.

    Theano passes variables and types of its own, whose attribute ``dtype`` is
    a string; NumPy 2 wants that to be a dtype.

    Parameters
    ----------
    dtype : object

    Returns
    -------
    object
    """
    if isinstance(dtype, (type, np.dtype)):
        return dtype
    return getattr(dtype, 'dtype', dtype)


def wrapping(convert):
    """Let integers that do not fit the dtype wrap around, as before NumPy 2.

    Parameters
    ----------
    convert : function
        ``np.asarray`` or ``np.array``.

    Returns
    -------
    function
        With the same arguments.
    """

    def converted(value, dtype=None, *args, **kwargs):
        dtype = as_dtype(dtype)
        try:
            return convert(value, dtype, *args, **kwargs)
        except OverflowError:
            whole = convert(value)
            if whole.dtype.kind not in 'iu' or is_beyond(whole, dtype):
                raise
            return convert(whole.astype(dtype), dtype, *args, **kwargs)

    return converted


def is_beyond(whole, dtype):
    """Whether integers did not even wrap, for they were none of C's ``long``.

    Theano relies on the error: ``T.constant(2**63)`` is uint64 by it.

    Parameters
    ----------
    whole : array
        The integers, as int64, or uint64 if one needs that.
    dtype : dtype or str
        What they were to become.

    Returns
    -------
    bool
    """
    return whole.dtype.kind == 'u' and np.dtype(dtype) not in (
        np.uint32,
        np.uint64,
    )
