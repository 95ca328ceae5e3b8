"""The builtins of Python 2, as far as Python 3 has others.

What was a string of bytes is a string here, each of whose characters is a
byte: that of Latin-1. So a file has the length, the characters and the words
that it had, and is written as it was read. What is read at once from a file
opened as binary may be text or not: it is ``bytes`` that can be used as a
string, see :class:`Data`.
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
from collections.abc import ItemsView, KeysView, ValuesView

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


# ----------------------------------------------------------------------------
# Methods of dictionaries


def list_of(name):
    """``x.keys()`` and the like: a list where it would be a view."""

    def method(x, /, *args, **kwargs):
        result = getattr(x, name)(*args, **kwargs)
        return list(result) if isinstance(result, VIEWS) else result

    return method


def by_prefix(prefix, name):
    """``x.iterkeys()`` and the like, or what ``x`` has by that name."""

    def method(x, /, *args, **kwargs):
        own = getattr(x, prefix + name, None)
        if own is not None:
            return own(*args, **kwargs)
        result = getattr(x, name)(*args, **kwargs)
        return iter(result) if prefix == 'iter' else result

    return method


VIEWS = KeysView, ValuesView, ItemsView


def has_key(x, /, *args, **kwargs):
    """``x.has_key(key)``."""
    own = getattr(x, 'has_key', None)
    return args[0] in x if own is None else own(*args, **kwargs)


def next_then(x, *default):
    """``next``, of what only has a method of that name as well."""
    if not hasattr(type(x), '__next__') and hasattr(x, 'next'):
        return x.next()
    return next(x, *default)


def equals_none(x):
    """``x == None``, which for an array was one bool."""
    return x is None if isinstance(x, np.ndarray) else x == None  # noqa: E711


def differs_from_none(x):
    """``x != None``, likewise."""
    return (
        x is not None if isinstance(x, np.ndarray) else x != None  # noqa: E711
    )


# ----------------------------------------------------------------------------
# Sorting


def sort(x, /, cmp=None, key=None, reverse=False, **others):
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
    return str(x, 'latin-1') if isinstance(x, bytes) else x


class Data(bytes):
    """Bytes which are a string for files that are translated.

    ``data[0] == 'a'`` and ``data.split(' ')`` are what they were. To all
    others, libraries that are given such, they are bytes.
    """

    __hash__ = bytes.__hash__  # which is that of the string

    def __getitem__(self, key):
        item = bytes.__getitem__(self, key)
        if isinstance(item, bytes):
            return Data(item)
        return Data([item]) if for_python_2() else item

    def __iter__(self):
        items = bytes.__iter__(self)
        return (Data([item]) for item in items) if for_python_2() else items

    def __contains__(self, x):
        return bytes.__contains__(self, as_bytes(x))

    def __add__(self, other):
        return joined(self, other)

    def __radd__(self, other):
        return joined(other, self)

    def __mul__(self, times):
        return Data(bytes.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return bytes, (bytes(self),)


def joined(*parts):
    """The sum of two strings or bytes, one of which is :class:`Data`."""
    if not all(isinstance(part, (bytes, str)) for part in parts):
        return NotImplemented  # a list, or a bytearray, which knows bytes
    try:
        return Data(b''.join(map(as_bytes, parts)))
    except UnicodeEncodeError:
        return ''.join(map(as_text, parts))


def for_python_2():
    """Whether a method is called from a file that was translated."""
    frame = sys._getframe(2)
    # What is in this package acts for the file that calls it: map(ord, data).
    while frame.f_globals.get('__package__') == __package__:
        frame = frame.f_back
    return frame.f_builtins.get('__divide__') is divide


def compared(name):
    """A comparison of :class:`Data`, with strings as well."""

    def method(self, other):
        return getattr(str, name)(as_text(self), as_text(other))

    return method


def as_of_text(name):
    """A method of :class:`Data`, for Python 2 that of the string."""

    def method(self, *args, **kwargs):
        if for_python_2():
            return getattr(as_text(self), name)(*map(as_text, args), **kwargs)
        return getattr(bytes, name)(self, *args, **kwargs)

    return method


for _name in 'eq ne lt le gt ge'.split():
    setattr(Data, '__%s__' % _name, compared('__%s__' % _name))
for _name in vars(str):
    if hasattr(bytes, _name) and not _name.startswith('_'):
        setattr(Data, _name, as_of_text(_name))
for _name in 'format', '__format__', '__mod__', '__repr__', '__str__':
    setattr(Data, _name, as_of_text(_name))


def as_data(x):
    """Bytes as those that can be used as a string; else the thing itself."""
    if isinstance(x, tuple):
        return tuple(map(as_data, x))
    return Data(x) if type(x) is bytes else x


def on_bytes(function):
    """A function of bytes for strings of Python 2."""

    @functools.wraps(function)
    def function_then(*args, **kwargs):
        kwargs = {key: as_bytes(x) for key, x in kwargs.items()}
        return as_data(function(*map(as_bytes, args), **kwargs))

    return function_then


def on_text(function):
    """A function of strings, for those that are bytes as well."""

    @functools.wraps(function)
    def function_then(*args, **kwargs):
        return function(*map(as_text, args), **kwargs)

    return function_then


def is_in(x, container):
    """``x in container``, of which one may be bytes."""
    return (as_text(x) if isinstance(container, str) else x) in container


def join(separator, /, *args, **kwargs):
    """``separator.join(strings)``, some of which may be bytes."""
    if not isinstance(separator, (bytes, str)):
        return separator.join(*map(as_text, args), **kwargs)
    return as_text(separator).join(map(as_text, *args))


def translate(x, /, *args, **kwargs):
    """``x.translate(table, deleted)`` of a string."""
    if not isinstance(x, (bytes, str)):
        return x.translate(*args, **kwargs)
    table, deleted = map(as_text, (args + ('',))[:2])
    text = ''.join(c for c in as_text(x) if c not in deleted)
    return text if table is None else text.translate(table)


# What these encode and decode are bytes on both sides.
CODECS_OF_BYTES = {'base64', 'bz2', 'hex', 'zlib'}


def encode(x, /, *args, **kwargs):
    """``x.encode(...)``, from text to a string of bytes."""
    # of another class it is something else
    if not isinstance(x, (bytes, str)):
        return x.encode(*args, **kwargs)
    return encode_string(as_text(x), *args, **kwargs)


def decode(x, /, *args, **kwargs):
    """``x.decode(...)``, from a string of bytes to text."""
    if not isinstance(x, (bytes, str)):
        return x.decode(*args, **kwargs)
    return decode_string(x, *args, **kwargs)


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


class Reading:
    """What a file of bytes gives in Python 2: lines, and data."""

    def read(self, *args):
        return as_data(super().read(*args))

    def readline(self, *args):
        return as_text(super().readline(*args))

    def readlines(self, *args):
        return list(map(as_text, super().readlines(*args)))

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def write(self, x):
        return super().write(as_bytes(x))

    @property
    def plain(self):
        """The file as Python 3 reads it, for pickles."""
        return Plain(super())


class Plain:
    """A file by the methods of another class.

    Parameters
    ----------
    file : super
    """

    def __init__(self, file):
        for name in 'read', 'readinto', 'readline', 'write':
            setattr(self, name, getattr(file, name))


class TextBuffer(io.StringIO):
    """A string to write to, bytes as well."""

    def write(self, x):
        return super().write(as_text(x))


class DataBuffer(Reading, io.BytesIO):
    """Bytes to read from."""

    def getvalue(self):
        return as_data(super().getvalue())


FILES = TextFile, TextBuffer, Reading


class BinaryReader(Reading, io.BufferedReader):
    """A file that is opened as binary, to be read."""


class BinaryWriter(Reading, io.BufferedWriter):
    """One to be written: bytes, or a string of Python 2."""


class BinaryFile(Reading, io.BufferedRandom):
    """One for both."""


def open_then(name, mode='r', buffering=-1):
    """``open`` and ``file``."""
    newline = None if 'U' in mode else '\n'
    mode = mode.replace('U', '') or 'r'
    if 'b' not in mode:
        return text_file(name, mode, buffering, newline)
    raw = io.FileIO(name, mode.replace('b', ''))
    if '+' in mode:
        return BinaryFile(raw)
    return (BinaryReader if 'r' in mode else BinaryWriter)(raw)


def text_file(name, mode, buffering, newline='\n'):
    """A file that is not opened as binary: by its name, or its number."""
    at_once = buffering == 0 and mode[0] != 'r'
    return TextFile(
        io.open(name, mode + 'b', 0 if at_once else -1),
        encoding='latin-1',
        newline=newline,
        line_buffering=buffering == 1,
        write_through=at_once,
    )


class FileType(type):
    """Files of any class are of the type ``file``."""

    def __instancecheck__(cls, x):
        return isinstance(x, io.IOBase)


class file(metaclass=FileType):
    """``file``: a type, and what opens one."""

    def __new__(cls, name, mode='r', buffering=-1):
        return open_then(name, mode, buffering)


def print_function(*values, file=None, **options):
    """``print`` where it is imported from ``__future__``."""
    file = sys.stdout if file is None else file
    print(*[shown(x, file) for x in values], file=file, **options)


def print_statement(*values, end='\n', file=None):
    """``print`` as a statement.

    A comma at its end, of which fissix makes ``end=' '``, is a space once
    there is something behind it.
    """
    file = sys.stdout if file is None else file
    line, spaced = '', id(file) in _spaced
    for value in values:
        text = str(shown(value, file))
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


def shown(x, file):
    """What is printed of a value: 12 digits of a float, and bytes as text."""
    if type(x) is float:
        digits = '%.12g' % x
        return digits if set(digits) & set('.en') else digits + '.0'
    x = as_text(x)
    # the bytes themselves go to a file that the script has opened
    if isinstance(x, str) and not isinstance(file, FILES):
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


def buffer(x, offset=0, size=None):
    """``buffer``: a view of a part of bytes."""
    return memoryview(as_bytes(x))[offset:][:size]


def apply(function, args=(), kwargs=None):
    """``apply``."""
    return function(*args, **(kwargs or {}))


# Methods that a string, a list or a dictionary no longer has, or no longer has
# so. Whose method it is turns out when it is called.
METHODS = dict(
    decode=decode,
    encode=encode,
    has_key=has_key,
    join=join,
    translate=translate,
)
for _name in 'items', 'keys', 'values':
    METHODS[_name] = list_of(_name)
    METHODS['iter' + _name] = by_prefix('iter', _name)
    METHODS['view' + _name] = by_prefix('view', _name)

NAMES = dict(
    vars(builtins),
    **{'__%s__' % name: method for name, method in METHODS.items()},
    __differs_from_none__=differs_from_none,
    __divide__=divide,
    __divide_attribute__=divide_attribute,
    __divide_in_place__=divide_in_place,
    __divide_item__=divide_item,
    __equals_none__=equals_none,
    __in__=is_in,
    __key__=Key(),
    __sort__=sort,
    StandardError=Exception,
    apply=apply,
    basestring=(str, Data),
    buffer=buffer,
    bytes=str,
    cmp=compare,
    execfile=execfile,
    file=file,
    filter=filter_then,
    input=lambda prompt='': eval(input(prompt), sys._getframe(1).f_globals),
    intern=sys.intern,
    long=int,
    map=map_then,
    next=next_then,
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
