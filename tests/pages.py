"""The blocks of code on a page of the documentation, and running them.

A page is one program: its blocks run from top to bottom and share their
names. What is run, and what is not, follows from how a block is written:

* ``.. code-block:: python`` and ``.. testsetup::`` (which readers do not see)
  are executed,
* ``>>>`` is executed and must print what stands below it, as in a docstring,
* ``.. code-block:: text`` is what the block above it must have printed; its
  decimal numbers may differ a little, as they come from training,
* ``console`` is for a shell and ``none`` is a drawing, they are not run,
* a literal block after ``::`` is executed if it is Python, as Sphinx colours
  it as Python then.

Any other language is refused: nothing would run it.
"""

import ast
import contextlib
import doctest
import io
import os
import re
import textwrap
from collections import namedtuple
from functools import partial

import lasagne_objectives  # noqa: F401 (before theano)
import theano

from cases import PY

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Block = namedtuple('Block', 'language line source')

DIRECTIVE = re.compile(
    r' *\.\. (?:code-block:: *(?P<language>\S*)|'
    r'(?P<setup>testsetup)::)$'
)
MARKUP = re.compile(r' *\.\. ')
DECIMAL = re.compile(r'-?\d+\.\d+')
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def read(*path):
    with open(os.path.join(REPOSITORY, *path), encoding='utf-8') as file:
        return file.read()


def rst_files():
    """All pages, as paths from the repository."""
    found = [name for name in os.listdir(REPOSITORY) if name.endswith('.rst')]
    for folder, folders, names in os.walk(os.path.join(REPOSITORY, 'docs')):
        folders[:] = [name for name in folders if name != '_build']
        found += [os.path.relpath(os.path.join(folder, name), REPOSITORY) for name in names if name.endswith('.rst')]
    return sorted(found)


@contextlib.contextmanager
def ready_at_once():
    """Make the default mode one that needs no C compiler.

    Examples are about losses, not about modes. Theano keeps the default mode
    in this place, where nothing else would put the former one back.
    """
    former = theano.compile.mode.instantiated_default_mode
    theano.compile.mode.instantiated_default_mode = PY
    try:
        with theano.change_flags(mode='Mode', floatX='float64'):
            yield
    finally:
        theano.compile.mode.instantiated_default_mode = former


def _indent(line):
    return len(line) - len(line.lstrip())


def _is_inside(level, line):
    """Whether a line belongs to a block below one of that indentation."""
    return not line.strip() or _indent(line) > level


def _body(lines, start, belongs):
    """From `start`, the first line that has text until one that is not in."""
    end = start
    while end < len(lines) and belongs(lines[end]):
        end += 1
    return '\n'.join(lines[start:end]), end


def blocks(text):
    """The blocks of code of a page, in their order."""
    lines = text.splitlines()
    place = 0
    while place < len(lines):
        line = lines[place]
        directive = DIRECTIVE.match(line)
        literal = line.endswith('::') and not MARKUP.match(line)
        place += 1
        if line.lstrip().startswith('>>> '):
            start, language = place - 1, 'doctest'
            body, place = _body(lines, start, str.strip)
        elif directive or literal:
            start, level = place, _indent(line)
            while start < len(lines) and not lines[start].strip():
                start += 1
            body, place = _body(lines, start, partial(_is_inside, level))
            language = 'literal' if literal else directive.group('language') or 'python'
        else:
            continue
        yield Block(language, start, textwrap.dedent(body).rstrip() + '\n')


def is_python(source):
    """Whether a literal block is code: it parses, and does something."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    return any(isinstance(node, (ast.Call, ast.Import, ast.ImportFrom, ast.Assign)) for node in ast.walk(tree))


def alike(wanted, printed):
    """Whether two texts are equal but for a little in their decimals."""
    if DECIMAL.sub('#', wanted).split() != DECIMAL.sub('#', printed).split():
        return False
    return all(abs(float(a) - float(b)) <= 0.03 + 0.1 * abs(float(a)) for a, b in zip(DECIMAL.findall(wanted), DECIMAL.findall(printed)))


def _execute(source, line, page, names):
    """Run code, with the page's lines in tracebacks; return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile('\n' * line + source, page, 'exec'), names)
    return printed.getvalue()


def _check_doctest(block, page, names):
    test = doctest.DocTestParser().get_doctest(block.source, names, page, page, block.line)
    test.globs = names  # the parser took a copy
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    runner.run(test, out=report.write, clear_globs=False)
    assert runner.failures == 0, report.getvalue()


def run(page, setup=''):
    """Run all blocks of a page, after `setup`, and check what they print.

    Returns
    -------
    dict
        The names that the page has defined.
    """
    names = {'__name__': '__main__'}
    exec(setup, names)
    printed = None
    for block in blocks(read(page)):
        language, line, source = block
        where = '%s, line %d' % (page, line + 1)
        if language == 'doctest' or source.startswith('>>> '):
            _check_doctest(block, page, names)
        elif language == 'python' or (language == 'literal' and is_python(source)):
            printed = _execute(source, line, page, names)
        elif language == 'text':
            assert printed is not None, where + ': no code above prints this'
            assert alike(source, printed), '%s: printed was\n%s' % (where, printed)
        else:
            assert language in ('console', 'none', 'literal'), '%s: nothing runs %s' % (where, language)
    return names
