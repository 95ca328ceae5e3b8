"""revival/python2/: scripts in Python 2."""

import importlib
import io
import os
import subprocess
import sys
import textwrap
import traceback
import types

import numpy as np
import pytest

from lasagne_objectives.revival import lent
from lasagne_objectives.revival.python2 import modules, names, translate, tree

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scripts')


@pytest.fixture(autouse=True)
def sys_as_it_was():
    """Without what is lent to sys for scripts in Python 2."""
    yield
    if sys in lent._lent:
        del lent._lent[sys], sys.__getattr__


def run(source, file='<a file>', **given):
    """Run Python 2 in this process, and return its names."""
    code, builtins = translate.translated(textwrap.dedent(source).encode(), file)
    scope = dict(given, __builtins__=builtins)
    exec(code, scope)
    return scope


def value(expression, **given):
    return run('value = ' + expression, **given)['value']


# ---------------------------------------------------------------------------
# Beside Python 2.7


def test_plain_python_gives_what_python_2_gave(tmp_path):
    """What Python 2.7 itself printed is in a file beside the script, from ``PYENV_VERSION=2.7.18 python2.7 plain2.py``."""
    with open(os.path.join(SCRIPTS, 'plain2.txt'), encoding='utf-8') as file:
        expected = file.read()
    script = os.path.join(SCRIPTS, 'plain2.py')
    environ = dict(os.environ, PYTHONIOENCODING='utf-8')
    command = [sys.executable, '-m', 'lasagne_objectives', script, str(tmp_path)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8')
    assert done.stdout == expected, done.stderr
    said = done.stderr.splitlines()
    assert said[0] == 'lasagne_objectives: %s is Python 2, and translated in memory' % script
    package = os.path.join(SCRIPTS, 'plain2_package')
    assert [line.count(package) for line in said[1:3]] == [1, 1]
    assert str(tmp_path) in said[3] and len(said) == 5
    assert not os.path.exists(os.path.join(package, '__pycache__', 'beside.cpython-%d%d.pyc' % sys.version_info[:2]))


def test_plain_python_in_this_process(tmp_path, folder, monkeypatch, capfd):
    script = os.path.join(SCRIPTS, 'plain2.py')
    # whoever opens it by its number closes it
    out = types.SimpleNamespace(write=sys.stdout.write, flush=sys.stdout.flush, fileno=lambda: os.dup(1))
    for name, value in ('argv', [script, str(tmp_path)]), ('path', [SCRIPTS] + sys.path), ('stdout', out):
        monkeypatch.setattr(sys, name, value)
    with open(script, encoding='utf-8') as file:
        source = file.read()
    run(source, script)
    sys.stdout.close()
    with open(os.path.join(SCRIPTS, 'plain2.txt'), encoding='utf-8') as file:
        assert capfd.readouterr().out == file.read()
    for name in list(sys.modules):
        if name.startswith(('plain2_package', 'settings2')):
            del sys.modules[name]


# ---------------------------------------------------------------------------
# What the same syntax meant


class Coder:
    """Has methods of names that those of strings have, too."""

    def encode(self, x):
        return 'encoded %d' % x

    def decode(self, x):
        return 'decoded %d' % x


class Old:
    """Has a division of its own, as Theano's variables have."""

    def __div__(self, other):
        return NotImplemented if other is None else 'own'

    def __rdiv__(self, other):
        return 'from the right'

    def __idiv__(self, other):
        return 'in place'


class OldIterator:
    """Iterates as iterators did."""

    def next(self):
        return 'next'


ONES = np.array([3, 4])


@pytest.mark.parametrize(
    'expression, expected',
    [
        ('7 / 2', 3),
        ('-7 / 2', -4),
        ('7 / 2.', 3.5),
        ('True / 2', 0),
        ('a / 2', [1, 2]),
        ('a / 2.', [1.5, 2.0]),
        ('a / [2, 3]', [1, 1]),
        ('a[0] / 2', 1),
        ('old / 2', 'own'),
        ('2 / old', 'from the right'),
        ('010 + 10L', 18),
        ('`1` + "a"', '1a'),
        ('round(2.5)', 3.0),
        ('round(-2.5)', -3.0),
        ('round(2.675, 2)', 2.67),
        ('round(1e300)', 1e300),
        ('round(float("inf"))', float('inf')),
        ('range(2.0)', [0, 1]),
        ('list(xrange(1, 3))', [1, 2]),
        ('map(None, [1], [2, 3])', [(1, 2), (None, 3)]),
        ('map(None, [1])', [1]),
        ('map(lambda a: a + 1, [1])', [2]),
        ('map(lambda a, b: (a, b), [1], [])', [(1, None)]),
        ('filter(None, [0, 1])', [1]),
        ('filter(None, (0, 1))', (1,)),
        ('filter(lambda c: c > "a", "abc")', 'bc'),
        ('zip([1], [2])', [(1, 2)]),
        ('sorted([1, 3, 2], lambda a, b: cmp(b, a))', [3, 2, 1]),
        ('sorted([1, 3, 2], cmp=lambda a, b: cmp(a, b), key=lambda a: -a)', [3, 2, 1]),
        ('sorted("ba", key=ord)', ['a', 'b']),
        ('dict(a=1).keys()[0]', 'a'),
        ('[k for k in dict(a=1).iterkeys()]', ['a']),
        ('apply(max, (1, 2))', 2),
        ('unicode("ab", "utf-8") + unicode(1)', 'ab1'),
        ('isinstance("a", unicode), isinstance(u"\u0394", unicode), isinstance(1, unicode)', (False, True, False)),
        ('"\u0394".decode("utf-8") == u"\u0394", len("\u0394")', (True, 2)),
        ('u"\u0394".encode("utf-8")', '\xce\x94'),
        ('"ab".encode("hex"), "6162".decode("hex")', ('6162', 'ab')),
        ('"ab".encode() + "c".decode()', 'abc'),
        ('coder.encode(1) + coder.decode(2)', 'encoded 1decoded 2'),
        ('unichr(0x394) == u"\u0394"', True),
        ('a == None, a != None, None == a, a is None, 1 < 2', (False, True, False, False, True)),
        ('3 == None, None != 3, None == None, 1 == None == 2', (False, True, True, False)),
        ('sorted({1: 2}.viewitems()), {1: 2}.has_key(1)', ([(1, 2)], True)),
        ('next(iter([1])), next(iter([]), 2), next(old_iterator)', (1, 2, 'next')),
        ('isinstance("a", basestring), buffer("ab")[1]', (True, 98)),
        ('bytes(5), isinstance("a", bytes)', ('5', True)),
    ],
)
def test_expressions(expression, expected):
    got = value(expression, a=ONES, old=Old(), coder=Coder(), old_iterator=OldIterator())
    assert (got.tolist() if isinstance(got, np.ndarray) else got) == expected
    assert isinstance(got, (np.ndarray, np.integer)) or type(got) is type(expected)


def test_the_future_division_is_todays():
    assert run('from __future__ import division\nx = 7 / 2\nx /= 2')['x'] == 1.75
    assert run('from __future__ import print_function, unicode_literals\nx = "\u0394"\nprint("a", end="")')['x'] == '\u0394'


def test_division_in_place():
    source = """
        class Box: pass
        calls = []
        def box(): calls.append(1); return b
        b = Box(); b.i = 7; box().i /= 2
        l = [7, 8, 9.]; l[0] /= 2; l[len(l) - 1] /= 2
        x = 7; x /= 2
        view = a[1:]; whole = a; a /= 2; f[0:1] /= 2
        old /= 2
        try: none / None
        except TypeError: failed = True
    """
    floats = np.array([3.0, 4.0])
    scope = run(source, a=np.array([3, 5]), f=floats, old=Old(), none=Old())
    assert (scope['b'].i, scope['l'], scope['x'], scope['calls'], scope['old']) == (3, [3, 8, 4.5], 3, [1], 'in place')
    assert scope['view'].tolist() == [2] and scope['whole'] is scope['a'] and floats.tolist() == [1.5, 4.0] and scope['failed']


def test_sorting_in_place():
    source = "l = [1, 3, 2]; l.sort(lambda a, b: b - a); m = [2, 1]; m.sort(key=abs, reverse=True); a.sort(0); m2 = [2, 1]; m2.sort()"
    scope = run(source, a=np.array([[2], [1]]))
    assert scope['l'] == [3, 2, 1] and scope['m'] == [2, 1] and scope['m2'] == [1, 2] and scope['a'].tolist() == [[1], [2]]


def test_lines_keep_their_numbers(tmp_path):
    file = tmp_path / 'lines.py'
    file.write_text("def f((a, b), (c, d)):\n    print a\n    return a / d\n\nf((1, 2), (3, 0))\n")
    with pytest.raises(ZeroDivisionError) as failed:
        run(file.read_text(), str(file))
    own = [frame for frame in traceback.extract_tb(failed.value.__traceback__) if frame.filename == str(file)]
    assert [(frame.lineno, frame.line) for frame in own] == [(5, 'f((1, 2), (3, 0))'), (3, 'return a / d')]


def test_tabs_reach_to_the_eighth_column():
    assert run("if 1:\n        x = 1\n\ty = 2\nprint x, y")['y'] == 2


@pytest.mark.parametrize('source', [b'x = "\xe4"\nprint x', b'# coding: latin-1\nx = "\xe4"\nprint x'])
def test_bytes_in_a_file(source):
    code, builtins = translate.translated(source, 'a file')
    scope = {'__builtins__': builtins}
    exec(code, scope)
    assert scope['x'] == '\xe4'


@pytest.mark.parametrize('source', [b'1 +', b'print "a" if'])
def test_what_is_neither(source):
    from fissix.pgen2.parse import ParseError

    with pytest.raises((ParseError, SyntaxError)):
        translate.translated(source, 'a file')


@pytest.mark.parametrize(
    'literal, expected',
    [(r"'Δ\xff'", 'Îÿ'), (r"u'Δ\xff'", 'Δÿ'), (r"'\xff'", 'ÿ'), (r"('Δ'" '\n' r" '\xff')", 'Îÿ')],
)
def test_literals_are_bytes(literal, expected):
    assert value(literal) == expected


# ---------------------------------------------------------------------------
# Printing, files and pickles


@pytest.mark.parametrize(
    'value, text', [(0.1 + 0.2, '0.3'), (1.0, '1.0'), (1e16, '1e+16'), (float('nan'), 'nan'), (-0.0, '-0.0'), (2, '2'), ([0.5], '[0.5]')]
)
def test_printing_numbers(value, text, capsys):
    run('print value', value=value)
    assert capsys.readouterr().out == text + '\n'


def test_printing_text(capsys):
    run('print "\u0394", u"\u0394",; print u"\xe4"; print "a\\n",; print "b"')
    run('from __future__ import print_function\nprint("c", end=" "); print()')
    assert capsys.readouterr().out == '\u0394 \u0394 \xe4\na\nb\nc \n'


def test_files(tmp_path):
    """The same bytes come and go, opened as binary or not, as strings or as bytes."""
    name = str(tmp_path / 'file')
    source = r"""
        open(name, 'w').write('\xff\r\n'); text = open(name, 'rU').read(); kept = file(name).read()
        binary = open(name, 'rb').read()
        f = open(name, 'wb'); f.write('a\xff'); f.write(binary); f.close(); again = open(name, 'rb').read()
        g = open(name, 'r+'); g.write(binary); g.close()
        h = open(name, 'rb+'); h.seek(0); first = h.read(1); h.close()
    """
    scope = run(source, name=name)
    assert scope['text'] == '\xff\n' and scope['kept'] == '\xff\r\n'
    assert scope['binary'] == b'\xff\r\n' and scope['again'] == b'a\xff\xff\r\n' and scope['first'] == b'\xff'


def test_data_are_bytes_to_those_who_are_not_in_python_2():
    data = names.Data(b'ab,c')
    assert (data[0], list(data), data.split(b','), data[:1] + b'x', b'x' + data[:1]) == (97, [97, 98, 44, 99], [b'ab', b'c'], b'ax', b'xa')
    assert data == b'ab,c' and {data: 1}[b'ab,c'] and 2 * data == b'ab,cab,c' and b'b' in data and repr(data) == "b'ab,c'"
    assert (data[:1] + '\u0394', '\u0394' + data[:1]) == ('a\u0394', '\u0394a')
    assert names.as_data((b'a', 1)) == (b'a', 1) and type(names.as_data((b'a', 1))[0]) is names.Data
    scope = run('x = map(ord, data), data % (), data[0] + "\\xe4", [c for c in data][0] == "a", "%s" % (data,)', data=data)
    assert scope['x'] == ([97, 98, 44, 99], 'ab,c', b'a\xe4', True, 'ab,c')


def test_text_in_a_file_is_printed_as_its_bytes(tmp_path):
    name = str(tmp_path / 'file')
    run('f = open(name, "w"); print >>f, "\u0394", data; f.close()', name=name, data=names.Data(b'a'))
    run('from __future__ import print_function\nf = open(name, "a", 1); print("\u0394", file=f); f.close()', name=name)
    with open(name, encoding='utf-8') as file:
        assert file.read() == '\u0394 a\n\u0394\n'


def test_text_of_processes():
    source = """
        import subprocess
        p = subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True); x = p.communicate()[0]
    """
    assert run(source, command=[sys.executable, '-c', 'print(1)'])['x'] == '1\n'


# (np.array([0, 1, 255], 'uint8'), 'caf\xc3\xa9', u'caf\xe9') with strings of bytes as Python 2 pickled them, by protocol 2; by hand.
PICKLED = (
    b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85U\x01b\x87Rq\x02'
    b'(K\x01K\x03\x85cnumpy\ndtype\nq\x03U\x02u1K\x00K\x01\x87Rq\x04(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
    b'\x89U\x03\x00\x01\xfftbU\x05caf\xc3\xa9X\x05\x00\x00\x00caf\xc3\xa9\x87q\x05.'
)


@pytest.mark.parametrize('module', ['cPickle', 'pickle'])
@pytest.mark.parametrize('mode', ['r', 'rb'])
@pytest.mark.filterwarnings('ignore')
def test_pickles_of_python_2(tmp_path, module, mode):
    file = tmp_path / 'pickle'
    file.write_bytes(PICKLED)
    source = """
        import %s as p, gzip
        loaded = p.load(open(name, mode)), p.loads(open(name, mode).read()), p.Unpickler(open(name, mode)).load()
        p.dump([1], open(name, 'w')); back = p.load(open(name)), p.loads(p.dumps(2, 2))
    """
    scope = run(source % module, name=str(file), mode=mode)
    for array, string, text in scope['loaded']:
        assert array.tolist() == [0, 1, 255] and (string, text) == ('caf\xc3\xa9', 'caf\xe9')
    assert scope['back'] == ([1], 2)


# ---------------------------------------------------------------------------
# Modules


@pytest.mark.parametrize(
    'source, expected',
    [
        ('from StringIO import StringIO\nx = StringIO("a").read()', 'a'),
        ('import cStringIO\nx = cStringIO.StringIO(open(name, "rb").read()).read()', b'a,b\n1,2\n'),
        ('from itertools import izip, imap\nx = list(izip([1], imap(abs, [-1])))', [(1, 1)]),
        ('import string\nx = string.join(string.split("a b"), "-"), string.letters[:2], string.ascii_lowercase[0]', ('a-b', 'ab', 'a')),
        ('import urllib, urlparse\nx = urllib.quote("a b"), urlparse.urlparse("s://h").netloc', ('a%20b', 'h')),
        ('import urllib2\nx = callable(urllib2.urlopen)', True),
        ('import urllib.parse\nx = urllib.parse.quote("a b")', 'a%20b'),
        ('import types\nx = isinstance("a", types.StringType), isinstance(1, types.IntType)', (True, True)),
        ('import math\nx = math.floor(2.5), math.ceil(2.5), math.sqrt(4)', (2.0, 3.0, 2.0)),
        ('import csv\nx = list(csv.reader(open(name, "rb")))', [['a', 'b'], ['1', '2']]),
        ('import csv\nx = [dict(row) for row in csv.DictReader(open(name, "rb"))]', [{'a': '1', 'b': '2'}]),
        ('import __builtin__\nx = __builtin__.range(1)', [0]),
        ('import Queue, ConfigParser, md5, sets\nx = md5.new("a").hexdigest()[:4], sets.Set([1]) == set([1])', ('0cc1', True)),
        ('import os.path\nx = os.path.basename("a/b")', 'b'),
        ('import sys\nreload(sys)\nsys.setdefaultencoding("utf8")\nsys.exc_clear()\nx = sys.maxint > 0', True),
        ('execfile(script)\nx = y', 3),
        ('scope = {}\nexecfile(script, scope)\nx = scope["y"]', 3),
        ('from multiprocessing import Pool\nimport multiprocessing\nx = multiprocessing.cpu_count() > 0', True),
    ],
)
def test_modules(tmp_path, source, expected):
    (tmp_path / 'table.csv').write_text('a,b\n1,2\n')
    (tmp_path / 'script.py').write_text('y = 7 / 2\nprint "a"')
    assert run(source, name=str(tmp_path / 'table.csv'), script=str(tmp_path / 'script.py'))['x'] == expected


def test_input(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', io.StringIO('1 + a\n'))
    assert value('input()', a=2) == 3


def test_random_numbers_are_those_of_python_2():
    """From ``python2.7 -c``; its integers are drawn otherwise than Python 3's."""
    source = """
        import random
        random.seed(42); x = range(10); random.shuffle(x)
        y = [random.randint(0, 99), random.choice('abcdef'), random.sample(range(50), 3), random.randrange(7)]
        random.seed('a word'); z = random.random(); r = random.Random(1); r.shuffle([1, 2], r.random)
    """
    scope = run(source)
    with open(os.path.join(SCRIPTS, 'random2.txt')) as file:
        assert repr([scope['x'], scope['y'], scope['z']]) == file.read().strip()


# ---------------------------------------------------------------------------
# Finding the files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of modules, on the path, whose finder says what it does."""
    said = []
    finder = tree.TreeFinder(False, said.append)
    monkeypatch.setattr(sys, 'meta_path', [finder] + sys.meta_path)
    monkeypatch.setattr(sys, 'path', [str(tmp_path)] + sys.path)
    before = set(sys.modules)
    yield types.SimpleNamespace(path=tmp_path, said=said, finder=finder)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], '__file__', None) and str(tmp_path) in sys.modules[name].__file__:
            del sys.modules[name]


def test_only_what_does_not_parse_is_translated(folder):
    (folder.path / 'three_here.py').write_text('x = 7 / 2')
    (folder.path / 'two_here.py').write_text('import three_here\nprint 1\nx = 7 / 2')
    import two_here

    assert two_here.x == 3 and two_here.three_here.x == 3.5
    assert folder.said == ['%s is Python 2, and translated in memory' % two_here.__file__]
    assert [path.name for path in (folder.path / '__pycache__').glob('two*')] == []
    (folder.path / 'two_here.py').write_text('print 1\nx = 9 / 2 # changed')
    assert importlib.reload(two_here).x == 4


def test_modules_beside_one_in_its_package(folder):
    """Come first, but where the file says ``absolute_import``."""
    package = folder.path / 'a_package'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'json.py').write_text('own = True')
    (package / 'implicit.py').write_text('import json, string\nprint json.own')
    (package / 'absolute.py').write_text('from __future__ import absolute_import\nimport json\nprint json.dumps')
    from a_package import absolute, implicit

    assert implicit.json.own and absolute.json.dumps and implicit.string.letters


def test_a_module_of_the_script_by_the_name_of_one_that_is_gone(folder):
    (folder.path / 'commands.py').write_text('own = True')
    (folder.path / 'uses_commands.py').write_text('import commands\nprint commands.own')
    assert importlib.import_module('uses_commands').commands.own


def test_everything_if_asked_to(folder):
    """In the folder of the script or below it; elsewhere only what does not parse."""
    folder.finder.everything = True
    (folder.path / 'both_here.py').write_text('x = 7 / 2')
    (folder.path / 'both_there.py').write_text('x = 7 / 2')
    assert importlib.import_module('both_here').x == 3.5
    folder.finder.main_finder(str(folder.path / 'both_there.py'))
    assert importlib.import_module('both_there').x == 3
    assert folder.finder.loader('fissix.refactor', str(folder.path / 'both_there.py')) is None


def test_empty_files_are_in_any_python(folder):
    """Theano's folder of what it compiled is full of them."""
    folder.finder.everything = True
    (folder.path / 'empty_here.py').write_text('')
    importlib.import_module('empty_here')
    assert folder.said == []


def test_warnings_of_a_file_are_left_to_python(recwarn):
    assert tree.parses(b'"\\d" is 1') and not len(recwarn)


def test_a_module_that_is_beside_is_missed(folder):
    """In a package, from a file that parses as Python 3."""
    package = folder.path / 'implicit_package'
    package.mkdir()
    for name, text in ('__init__', ''), ('user', 'import neighbour_here'), ('other', 'import nowhere_at_all'), ('neighbour_here', ''):
        (package / (name + '.py')).write_text(text)
    found = []
    for name in 'user', 'other':
        with pytest.raises(ImportError) as failed:
            importlib.import_module('implicit_package.' + name)
        found.append(tree.looks_like_python_2(failed.value))
    assert found == [True, False]
    assert not tree.looks_like_python_2(ImportError('cannot import name x', name='implicit_package'))
    assert not tree.looks_like_python_2(ModuleNotFoundError('no name'))
    assert tree.looks_like_python_2(NameError("name 'xrange' is not defined")) and not tree.looks_like_python_2(None)


def test_a_source_is_loaded_where_nothing_is_translated(tmp_path):
    (tmp_path / 'settings.py').write_text('x = 7 / 2')
    assert modules.load_source('settings_here', str(tmp_path / 'settings.py')).x == 3.5
    del sys.modules['settings_here']


def test_without_fissix(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, 'fissix.pgen2.parse', None)
    (folder.path / 'two_more.py').write_text('print 1')
    with pytest.raises(SyntaxError):
        importlib.import_module('two_more')
    assert 'does not parse as Python 3. If it is Python 2' in folder.said[0] and folder.said[0].endswith('-m pip install fissix')


def test_neither_python_2_nor_3(folder):
    (folder.path / 'neither_here.py').write_text('1 +')
    with pytest.raises(SyntaxError):
        importlib.import_module('neither_here')
    assert folder.said == []


def test_what_is_installed_is_not_the_scripts(folder):
    installed = folder.path / 'site-packages'
    installed.mkdir()
    (installed / 'two.py').write_text('print 1')
    assert not tree.is_own(str(installed / 'two.py')) and not tree.is_own(os.__file__)
    with pytest.raises(ImportError, match='not a script in Python 2'):
        folder.finder.main_finder(str(installed / 'two.py'))
    assert tree.parses(b'\0') and folder.finder.find_spec('nowhere_at_all') is None


def test_the_script_is_found_as_main(folder, monkeypatch):
    script = folder.path / 'script.py'
    script.write_text('print 1\nx = 7 / 2')
    main = folder.finder.main = types.ModuleType('__main__')
    monkeypatch.setattr(sys, 'path', [str(script), 'another'])
    finder = folder.finder.main_finder(str(script))
    assert finder.find_spec('another') is None and sys.path[0] == str(script)
    spec = finder.find_spec('__main__')
    assert sys.path == [str(folder.path), 'another'] and spec.origin == str(script) and spec.has_location
    assert finder.find_spec('__main__').loader is spec.loader  # asked again
    exec(spec.loader.get_code('__main__'), vars(main))
    assert main.x == 3
    monkeypatch.setattr(tree.PathFinder, 'find_spec', lambda name, path: spec)
    assert folder.finder.find_spec('__main__') is spec


def test_install(monkeypatch):
    monkeypatch.setattr(sys, 'meta_path', [])
    monkeypatch.setattr(sys, 'path_hooks', [])
    tree.install(True, print)
    (finder,) = sys.meta_path
    assert finder.everything and sys.path_hooks == [finder.main_finder]


def test_names_of_builtins_alone():
    assert names.as_bytes(b'a') == b'a' and names.as_text('a') == 'a' and 'json' not in modules.StandIns()
    assert names.decode(b'a') == 'a'
