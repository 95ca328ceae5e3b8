"""The builtins of Python 2, as far as Python 3 has others.

What was a string of bytes is a string here, each of whose characters is a
byte: that of Latin-1. So a file has the length, the characters and the words
that it had, and is written as it was read. What was read from a file opened
as binary is ``bytes``.
"""

import builtins
import codecs
import decimal
import functools
import importlib
import io
import itertools
import math
import operator
import sys

import numpy as np

__all__ = ['NAMES', 'as_bytes', 'as_text', 'print_function']

# ----------------------------------------------------------------------------
# Division


def is_whole(x):
    """Whether Python 2 divided by rounding down: integers and arrays of them.

    Also a list beside an array, which becomes one.
    """
    if isinstance(x, (int, np.integer, np.bool_)):
        return True
    return isinstance(x, (np.ndarray, list, tuple)) and (
        np.asarray(x).dtype.kind in 'biu'
    )


def divide(a, b):
    """``a / b`` in Python 2."""
    # a method of this name is another class's own division: Theano's, say
    for x, other, name in [(a, b, '__div__'), (b, a, '__rdiv__')]:
        method = getattr(type(x), name, None)
        if method is not None:
            result = method(x, other)
            if result is not NotImplemented:
                return result
    if is_whole(a) and is_whole(b):
        return a // b
    return a / b


def divide_in_place(a, b):
    """What ``a`` is after ``a /= b`` in Python 2."""
    method = getattr(type(a), '__idiv__', None)
    if method is not None:
        return method(a, b)
    if not isinstance(a, np.ndarray):
        return divide(a, b)
    whole = is_whole(a) and is_whole(b)
    return (operator.ifloordiv if whole else operator.itruediv)(a, b)


def divide_item(whole, key, b):
    """``whole[key] /= b``."""
    whole[key] = divide_in_place(whole[key], b)


def divide_attribute(whole, name, b):
    """``whole.name /= b``."""
    setattr(whole, name, divide_in_place(getattr(whole, name), b))


class Key:
    """Gives what is between brackets: ``Key()[1:2]`` is ``slice(1, 2)``."""

    def __getitem__(self, key):
        return key


def round_away(number, digits=0):
    """``round``: a float, and a half is rounded away from zero."""
    number = float(number)
    if not math.isfinite(number):
        return number
    with decimal.localcontext() as context:
        context.prec = 400  # every float has all its digits
        unit = decimal.Decimal(1).scaleb(-digits)
        return float(
            decimal.Decimal(number).quantize(unit, decimal.ROUND_HALF_UP)
        )


# ----------------------------------------------------------------------------
# Lists


def listed(function):
    """A function whose iterator became a list."""

    @functools.wraps(function)
    def function_then(*args):
        return list(function(*args))

    return function_then


def range_then(*args):
    """``range``: a list, and floats are cut to integers."""
    return list(range(*map(int, args)))


def map_then(function, *iterables):
    """``map``: a list, as long as the longest, of tuples for ``None``."""
    if len(iterables) == 1:
        return list(
            iterables[0] if function is None else map(function, iterables[0])
        )
    rows = itertools.zip_longest(*iterables)
    return list(
        rows if function is None else itertools.starmap(function, rows)
    )


def filter_then(function, iterable):
    """``filter``: a list, but a string or a tuple of such."""
    kept = filter(function, iterable)
    if isinstance(iterable, str):
        return ''.join(kept)
    return tuple(kept) if isinstance(iterable, tuple) else list(kept)


def compare(a, b):
    """``cmp``: -1, 0 or 1."""
    return (a > b) - (a < b)


def sorted_then(iterable, cmp=None, key=None, reverse=False):
    """``sorted``, which took a function that compares."""
    return sorted(iterable, key=key_of(cmp, key), reverse=reverse)


def sort(x, cmp=None, key=None, reverse=False, **others):
    """``x.sort(...)`` with arguments without a name."""
    if not isinstance(x, list):  # an array, whose first argument is the axis
        return x.sort(cmp)
    return x.sort(key=key_of(cmp, key), reverse=reverse)


def key_of(cmp, key):
    """What sorts as a function that compares, and a key, do."""
    if cmp is None:
        return key
    as_key = functools.cmp_to_key(cmp)
    return as_key if key is None else lambda x: as_key(key(x))


# ----------------------------------------------------------------------------
# Text and bytes


def as_bytes(x):
    """The bytes that a string of Python 2 was."""
    return x.encode('latin-1') if isinstance(x, str) else x


def as_text(x):
    """The string of Python 2 that bytes were."""
    return x.decode('latin-1') if isinstance(x, bytes) else x


# What these encode and decode are bytes on both sides.
CODECS_OF_BYTES = {'base64', 'bz2', 'hex', 'zlib'}


def encode(x, *args, **kwargs):
    """``x.encode(...)``, from text to a string of bytes."""
    # of another class it is something else
    of = encode_string if isinstance(x, str) else type(x).encode
    return of(x, *args, **kwargs)


def decode(x, *args, **kwargs):
    """``x.decode(...)``, from a string of bytes to text."""
    of = decode_string if isinstance(x, (bytes, str)) else type(x).decode
    return of(x, *args, **kwargs)


def encode_string(x, encoding='ascii', errors='strict'):
    """What ``encode`` is for a string."""
    if encoding in CODECS_OF_BYTES:
        return as_text(codecs.encode(as_bytes(x), encoding))
    return as_text(x.encode(encoding, errors))


def decode_string(x, encoding='ascii', errors='strict'):
    """What ``decode`` is for a string."""
    if encoding in CODECS_OF_BYTES:
        return as_text(codecs.decode(as_bytes(x), encoding))
    return as_bytes(x).decode(encoding, errors)


class UnicodeType(type):
    """Text is told from bytes by a character that is no byte."""

    def __instancecheck__(cls, x):
        return isinstance(x, str) and any(ord(letter) > 255 for letter in x)


class unicode(metaclass=UnicodeType):
    """Makes text of anything, or of bytes in an encoding."""

    def __new__(cls, x='', encoding=None, errors='strict'):
        if encoding is None and not isinstance(x, bytes):
            return str(x)
        return as_bytes(x).decode(encoding or 'ascii', errors)


class TextFile(io.TextIOWrapper):
    """A file that is not binary: each byte is a character."""

    def write(self, x):
        return super().write(as_text(x))


class BinaryFile(io.BufferedWriter):
    """A file to write bytes to, or a string of Python 2."""

    def write(self, x):
        return super().write(as_bytes(x))


def open_then(name, mode='r', buffering=-1):
    """``open`` and ``file``."""
    newline = None if 'U' in mode else '\n'
    mode = mode.replace('U', '') or 'r'
    if 'b' not in mode:
        raw = io.open(name, mode + 'b')
        return TextFile(raw, encoding='latin-1', newline=newline)
    if '+' in mode or mode[0] == 'r':
        return io.open(name, mode)
    return BinaryFile(io.FileIO(name, mode))


def print_function(*values, **options):
    """``print`` where it is imported from ``__future__``."""
    print(*map(shown, values), **options)


def print_statement(*values, end='\n', file=None):
    """``print`` as a statement.

    A comma at its end, of which fissix makes ``end=' '``, is a space once
    there is something behind it.
    """
    file = sys.stdout if file is None else file
    line, spaced = '', id(file) in _spaced
    for value in values:
        text = str(shown(value))
        line += ' ' * spaced + text
        spaced = text[-1:] not in ('\n', '\t')
    _spaced.discard(id(file))
    if end != ' ':
        line += end
    elif spaced:
        _spaced.add(id(file))
    file.write(line)


# The files in which a print ended in a comma, by their identity.
_spaced = set()


def shown(x):
    """What is printed of a value: 12 digits of a float, and bytes as text."""
    if type(x) is float:
        digits = '%.12g' % x
        return digits if set(digits) & set('.en') else digits + '.0'
    if isinstance(x, str) and not x.isascii():
        try:
            return as_bytes(x).decode('utf-8')
        except UnicodeError:
            return x
    return x


# ----------------------------------------------------------------------------
# The rest


def execfile(name, names=None):
    """``execfile``: runs a file, of Python 2 as well."""
    from lasagne_objectives.revival.python2.translate import translated

    with io.open(name, 'rb') as file:
        code, builtins = translated(file.read(), name)
    if names is None:
        names = sys._getframe(1).f_globals
    names.setdefault('__builtins__', builtins)
    exec(code, names)


def reload_then(module):
    """``reload``, of ``sys`` without a trace."""
    # done to get at sys.setdefaultencoding
    return module if module is sys else importlib.reload(module)


def apply(function, args=(), kwargs=None):
    """``apply``."""
    return function(*args, **(kwargs or {}))


NAMES = dict(
    vars(builtins),
    __decode__=decode,
    __divide__=divide,
    __divide_attribute__=divide_attribute,
    __divide_in_place__=divide_in_place,
    __divide_item__=divide_item,
    __encode__=encode,
    __key__=Key(),
    __sort__=sort,
    StandardError=Exception,
    apply=apply,
    basestring=str,
    buffer=memoryview,
    cmp=compare,
    execfile=execfile,
    file=open_then,
    filter=filter_then,
    input=lambda prompt='': eval(input(prompt), sys._getframe(1).f_globals),
    intern=sys.intern,
    long=int,
    map=map_then,
    open=open_then,
    print=print_statement,
    range=range_then,
    raw_input=input,
    reduce=functools.reduce,
    reload=reload_then,
    round=round_away,
    sorted=sorted_then,
    unichr=chr,
    unicode=unicode,
    xrange=lambda *args: range(*map(int, args)),
    zip=listed(zip),
)
