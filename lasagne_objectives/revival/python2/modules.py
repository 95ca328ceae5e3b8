"""The modules of Python 2, as far as Python 3 has others.

Files that are translated import these, see
:mod:`lasagne_objectives.revival.imports`; nobody else does.
"""

import functools
import importlib
import importlib.util
import io
import math
import random
import sys
import types
from importlib.machinery import PathFinder, SourceFileLoader

from fissix.fixes.fix_imports import MAPPING

from lasagne_objectives.revival import lent
from lasagne_objectives.revival.imports import builtins_with
from lasagne_objectives.revival.python2 import names
from lasagne_objectives.revival.python2.names import as_bytes, as_text
from lasagne_objectives.revival.python2.tree import TreeFinder
from lasagne_objectives.revival.renamed import give_names

__all__ = ['builtins_for']


# fissix lists what has only been renamed.
RENAMED = dict(
    MAPPING,
    exceptions='builtins',
    imp='imp' if importlib.util.find_spec('imp') else 'importlib',
    md5='hashlib',
    sets='builtins',
    urllib2='urllib.request',
)


class StandIns:
    """Stand-ins of modules by name, each made when it is asked for."""

    def __init__(self):
        self.made = {}

    def __contains__(self, name):
        if name in CHANGED:
            return True
        # what the script has by the name of a module that is gone is meant
        return name in RENAMED and importlib.util.find_spec(name) is None

    def __getitem__(self, name):
        if name not in self.made:
            now = importlib.import_module(RENAMED.get(name, name))
            module = self.made[name] = types.ModuleType(name, now.__doc__)
            give_names(module, now)
            vars(module).update(CHANGED.get(name, dict)())
        return self.made[name]


def builtins_for(futures):
    """Builtins of a file.

    Parameters
    ----------
    futures : set of str
        What it imports from ``__future__``.

    Returns
    -------
    dict
    """
    # Called in vain: there are no encodings by default any more, and an error
    # is forgotten by itself.
    lent.lend(
        sys,
        {
            'exc_clear': lambda: None,
            'setdefaultencoding': lambda encoding: None,
        },
    )
    return make_builtins(
        relative='absolute_import' not in futures,
        statement='print_function' not in futures,
    )


@functools.lru_cache(maxsize=None)
def make_builtins(relative, statement):
    """Those of :func:`builtins_for`, the same for all files.

    Parameters
    ----------
    relative : bool
        Whether what is beside a file in its package is imported first.
    statement : bool
        Whether ``print`` is a statement.
    """
    import_then = builtins_with(StandIns())['__import__']

    def import_relative(name, globals=None, locals=None, fromlist=(), level=0):
        package = (globals or {}).get('__package__')
        first = name.partition('.')[0]
        if relative and not level and package and beside(package, first):
            level = 1
        return import_then(name, globals, locals, fromlist, level)

    builtins = dict(names.NAMES, __import__=import_relative)
    if not statement:
        builtins['print'] = names.print_function
    return builtins


@functools.lru_cache(maxsize=None)
def beside(package, name):
    """Whether a package has a module of that name."""
    path = getattr(sys.modules.get(package), '__path__', None)
    full = '%s.%s' % (package, name)
    return path is not None and PathFinder.find_spec(full, path) is not None


# ----------------------------------------------------------------------------
# What each has beside, or instead of, what the module of Python 3 has


def pickle_then():
    """Pickles of Python 2, whose strings of bytes may be those of arrays."""
    import pickle

    class Unpickler(pickle.Unpickler):
        def __init__(self, file):
            super().__init__(binary(file), encoding='latin1')
            self.file = file  # closed when nobody has it

    def load(file):
        return pickle.load(binary(file), encoding='latin1')

    def loads(data):
        return pickle.loads(as_bytes(data), encoding='latin1')

    def dump(x, file, protocol=0):
        pickle.dump(x, binary(file), protocol)

    def dumps(x, protocol=0):
        return names.as_data(pickle.dumps(x, protocol))

    return {
        'load': load,
        'loads': loads,
        'dump': dump,
        'dumps': dumps,
        'Unpickler': Unpickler,
    }


def binary(file):
    """A file as pickles are read from it and written to it."""
    # text, sys.stdin for instance, is in a buffer
    return getattr(file, 'plain', getattr(file, 'buffer', file))


def string_io():
    """One function for text and for bytes."""

    def StringIO(content=''):
        is_data = isinstance(content, bytes)
        return (names.DataBuffer if is_data else names.TextBuffer)(content)

    return {'StringIO': StringIO}


def gzip_then():
    """Files that are of strings."""
    import gzip

    class GzipFile(names.Reading, gzip.GzipFile):
        pass

    def open(filename, mode='rb', compresslevel=9):
        return GzipFile(filename, mode, compresslevel)

    return {'GzipFile': GzipFile, 'open': open}


def bz2_then():
    """Files that are of strings."""
    import bz2

    class BZ2File(names.Reading, bz2.BZ2File):
        def __init__(self, filename, mode='r', buffering=0, compresslevel=9):
            super().__init__(filename, mode[0], compresslevel=compresslevel)

    return dict(of_bytes('bz2', 'compress decompress'), BZ2File=BZ2File)


def zipfile_then():
    """What is in an archive are strings."""
    import zipfile

    class ZipFile(zipfile.ZipFile):
        def open(self, name, mode='r', *args, **kwargs):
            file = super().open(name, mode, *args, **kwargs)
            return names.BinaryReader(file) if mode[0] == 'r' else file

        def writestr(self, name, data, *args, **kwargs):
            super().writestr(name, as_bytes(data), *args, **kwargs)

    return {'ZipFile': ZipFile}


def of_bytes(module, functions):
    """The functions of a module that are of bytes, for strings."""
    now = importlib.import_module(module)
    return {
        name: names.on_bytes(function)
        for name, function in methods(now, functions).items()
    }


def base64_then():
    """Strings in base 64."""
    coders = of_bytes('base64', 'b64decode b64encode decodebytes encodebytes')
    return dict(
        coders,
        decodestring=coders['decodebytes'],
        encodestring=coders['encodebytes'],
    )


def zlib_then():
    """Compressed strings, and sums with a sign."""
    functions = of_bytes('zlib', 'adler32 compress crc32 decompress')
    return dict(functions, **signed(functions, 'adler32 crc32'))


def binascii_then():
    """Strings of hexadecimal digits, and a sum with a sign."""
    functions = of_bytes('binascii', 'crc32 hexlify unhexlify')
    return dict(functions, **signed(functions, 'crc32'))


def signed(functions, chosen):
    """Some of the functions, whose results of 32 bits have a sign."""

    def with_sign(function):
        return lambda *args: (function(*args) ^ 0x80000000) - 0x80000000

    return {name: with_sign(functions[name]) for name in chosen.split()}


def struct_then():
    """Packed strings."""
    import struct

    class Struct(struct.Struct):
        pack = names.on_bytes(struct.Struct.pack)
        unpack = names.on_bytes(struct.Struct.unpack)
        unpack_from = names.on_bytes(struct.Struct.unpack_from)

    functions = of_bytes('struct', 'calcsize pack unpack unpack_from')
    return dict(functions, Struct=Struct)


class Hash:
    """What computes the hash of strings.

    Parameters
    ----------
    now : hash of hashlib
    """

    def __init__(self, now):
        self.now = now
        self.digest_size = now.digest_size
        self.hexdigest = now.hexdigest

    def update(self, x):
        self.now.update(as_bytes(x))

    def digest(self):
        return names.as_data(self.now.digest())

    def copy(self):
        return Hash(self.now.copy())


def hashlib_then():
    """Hashes of strings."""
    import hashlib

    def of_strings(function):
        return lambda *args: Hash(names.on_bytes(function)(*args))

    functions = methods(hashlib, 'md5 sha1 sha224 sha256 sha384 sha512')
    return dict(
        {name: of_strings(f) for name, f in functions.items()},
        new=lambda name, x='': Hash(hashlib.new(name, as_bytes(x))),
    )


def subprocess_then():
    """Processes that read and write strings."""
    import subprocess

    def in_latin_1(kwargs):
        """Newlines of any kind are those of text."""
        if kwargs.get('universal_newlines'):
            kwargs = dict(kwargs, encoding='latin-1')
        return kwargs

    class Input(names.BinaryWriter):
        """What a process reads is there as soon as it is written."""

        def write(self, x):
            written = super().write(x)
            self.flush()
            return written

    class Popen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            kwargs = in_latin_1(kwargs)
            super().__init__(*args, **kwargs)
            if 'encoding' not in kwargs:
                self.stdin = piped(Input, self.stdin)
                self.stdout = piped(names.BinaryReader, self.stdout)
                self.stderr = piped(names.BinaryReader, self.stderr)

        def communicate(self, input=None):
            text = isinstance(self.stdin, io.TextIOBase)
            given = as_text(input) if text else as_bytes(input)
            return names.as_data(super().communicate(given))

    def piped(file_class, pipe):
        if pipe is None:
            return None
        raw = pipe if isinstance(pipe, io.FileIO) else pipe.detach()
        return file_class(raw)

    def check_output(*args, **kwargs):
        kwargs = in_latin_1(kwargs)
        return names.as_data(subprocess.check_output(*args, **kwargs))

    return {'Popen': Popen, 'check_output': check_output}


def collections_then():
    """A counter of characters."""
    import collections

    class Counter(collections.Counter):
        def update(self, *args, **kwargs):
            super().update(*map(as_text, args), **kwargs)

    return {'Counter': Counter}


def os_then():
    """Files by their numbers."""
    return {'fdopen': names.open_then}


def load_source(name, path, file=None):
    """``imp.load_source``: import a file, of Python 2 as well."""
    finders = [f for f in sys.meta_path if isinstance(f, TreeFinder)]
    loaders = [finder.loader(name, path) for finder in finders]
    loader = next(filter(None, loaders), None) or SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imp_then():
    """What is in ``importlib`` now."""
    return {
        'load_source': load_source,
        'new_module': types.ModuleType,
        'reload': names.reload_then,
    }


def operator_then():
    """Division."""
    return {'div': names.divide, 'idiv': names.divide_in_place}


def configparser_then():
    """Parsers by the names, and of the files, that they had."""
    import configparser

    class Interpolation(configparser.BasicInterpolation):
        """A % alone is none."""

        def before_get(self, parser, section, option, value, defaults):
            if '%(' not in value:
                return value
            return super().before_get(parser, section, option, value, defaults)

        def before_set(self, parser, section, option, value):
            return value

    class Then:
        def __init__(self, *args, **kwargs):
            kwargs = dict(dict(inline_comment_prefixes=';'), **kwargs)
            super().__init__(*args, strict=False, **kwargs)

        def readfp(self, *args):
            self.read_file(*args)

    class RawConfigParser(Then, configparser.RawConfigParser):
        pass

    class ConfigParser(Then, configparser.ConfigParser):
        _DEFAULT_INTERPOLATION = Interpolation()

    return {
        'ConfigParser': ConfigParser,
        'RawConfigParser': RawConfigParser,
        'SafeConfigParser': ConfigParser,
    }


def itertools_then():
    """Iterators by the names that lists had."""
    import itertools

    return {
        'izip': zip,
        'imap': map,
        'ifilter': filter,
        'ifilterfalse': itertools.filterfalse,
        'izip_longest': itertools.zip_longest,
    }


def methods(owner, names):
    """What has one of the names, separated by spaces, by that name."""
    return {name: getattr(owner, name) for name in names.split()}


def string_then():
    """Methods of strings as functions, and letters."""
    import string

    functions = methods(
        str,
        'capitalize center count expandtabs find index ljust lower lstrip '
        'replace rfind rindex rjust rsplit rstrip split strip swapcase upper '
        'zfill',
    )
    functions = {name: names.on_text(f) for name, f in functions.items()}
    return dict(
        functions,
        atof=float,
        atoi=int,
        join=lambda words, between=' ': names.join(between, words),
        joinfields=lambda words, between=' ': names.join(between, words),
        letters=string.ascii_lowercase + string.ascii_uppercase,
        lowercase=string.ascii_lowercase,
        maketrans=str.maketrans,
        uppercase=string.ascii_uppercase,
    )


def urls():
    """What is in ``urllib.request``, ``urllib.parse`` and ``urllib.error``."""
    import urllib.error
    import urllib.parse
    import urllib.request

    return {
        name: value
        for module in (urllib.parse, urllib.error, urllib.request)
        for name, value in vars(module).items()
        if not name.startswith('_')
    }


def types_then():
    """Types by the names that those without one of their own had."""
    return {
        'BooleanType': bool,
        'ClassType': type,
        'DictType': dict,
        'FileType': names.file,
        'FloatType': float,
        'InstanceType': object,
        'IntType': int,
        'ListType': list,
        'LongType': int,
        'NoneType': type(None),
        'ObjectType': object,
        'SliceType': slice,
        'StringType': str,
        'StringTypes': names.NAMES['basestring'],
        'TupleType': tuple,
        'UnicodeType': names.unicode,
    }


def math_then():
    """Floats."""
    return {
        'floor': lambda x: float(math.floor(x)),
        'ceil': lambda x: float(math.ceil(x)),
    }


class Random(random.Random):
    """A generator that draws the numbers that Python 2 drew.

    The generator is the same, but Python 3 makes integers of its bits in
    another way. A seed that is no integer is hashed in another way, too.
    """

    def _randbelow(self, n):
        return int(self.random() * n)

    def seed(self, a=None, version=1):
        super().seed(a, version)

    def choice(self, sequence):
        return sequence[self._randbelow(len(sequence))]

    def shuffle(self, x, random=None):
        random = random or self.random
        for i in reversed(range(1, len(x))):
            j = int(random() * (i + 1))
            x[i], x[j] = x[j], x[i]


def random_then():
    """The functions of a generator of Python 2."""
    functions = methods(
        Random(),
        'betavariate choice expovariate gammavariate gauss getrandbits '
        'getstate lognormvariate normalvariate paretovariate randint random '
        'randrange sample seed setstate shuffle triangular uniform '
        'vonmisesvariate weibullvariate',
    )
    return dict(functions, Random=Random)


def csv_then():
    """Files opened as binary, which Python 2 asked for."""
    import csv

    class DictReader(csv.DictReader):
        def __init__(self, lines, *args, **kwargs):
            super().__init__(map(as_text, lines), *args, **kwargs)

    return {
        'DictReader': DictReader,
        'reader': lambda lines, *args, **kwargs: csv.reader(
            map(as_text, lines), *args, **kwargs
        ),
    }


def multiprocessing_then():
    """Processes that are forked, where there is a fork."""
    import multiprocessing

    methods = {'fork'} & set(multiprocessing.get_all_start_methods())
    context = multiprocessing.get_context(*methods)
    return {
        name: getattr(context, name)
        for name in multiprocessing.__all__
        if hasattr(context, name)
    }


def hashes():
    """The one hash that the module ``md5`` has."""
    return {'new': hashlib_then()['md5']}


def sets_then():
    """Sets by the names that they had before they were builtins."""
    return {'Set': set, 'ImmutableSet': frozenset}


def builtins_then():
    """The builtins themselves."""
    return names.NAMES


CHANGED = {
    'ConfigParser': configparser_then,
    'StringIO': string_io,
    '__builtin__': builtins_then,
    'base64': base64_then,
    'binascii': binascii_then,
    'bz2': bz2_then,
    'cPickle': pickle_then,
    'cStringIO': string_io,
    'collections': collections_then,
    'csv': csv_then,
    'gzip': gzip_then,
    'hashlib': hashlib_then,
    'imp': imp_then,
    'itertools': itertools_then,
    'math': math_then,
    'md5': hashes,
    'multiprocessing': multiprocessing_then,
    'operator': operator_then,
    'os': os_then,
    'pickle': pickle_then,
    'random': random_then,
    'sets': sets_then,
    'string': string_then,
    'struct': struct_then,
    'subprocess': subprocess_then,
    'types': types_then,
    'urllib': urls,
    'urllib2': urls,
    'zipfile': zipfile_then,
    'zlib': zlib_then,
}
