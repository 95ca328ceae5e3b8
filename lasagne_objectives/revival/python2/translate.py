"""Translates Python 2 to code of Python 3.

fissix, the maintained lib2to3, translates the syntax. What the same syntax
meant in Python 2 becomes calls of functions in
:mod:`lasagne_objectives.revival.python2.names`. Lines keep their numbers, so
that tracebacks show the user's own.
"""

import ast
import functools
import io
import re
import tokenize

from fissix.refactor import RefactoringTool

from lasagne_objectives.revival.python2.modules import builtins_for
from lasagne_objectives.revival.python2.names import METHODS

__all__ = ['translated']

# Those that keep lines where they are, and are not about names, which
# Python 2 gets from its builtins and modules.
FIXERS = (
    'except exec funcattrs getcwdu metaclass methodattrs ne next nonzero '
    'numliterals paren print raise renames repr sys_exc throw tuple_params '
    'xreadlines'
).split()

# fissix unpacks a parameter that is a tuple on a line which it inserts.
UNPACKS = re.compile(r'\s*\(.*\) = xxx_todo_changeme\d*$')


def translated(source, file):
    """Translate a file.

    Parameters
    ----------
    source : bytes
        What is in it.
    file : str
        Its path, for tracebacks.

    Returns
    -------
    code : code
    builtins : dict
        What it is to run with.

    Raises
    ------
    fissix.pgen2.parse.ParseError or SyntaxError
        If it is no Python 2.
    """
    encoding = encoding_of(source)
    text = io.StringIO(source.decode(encoding), newline=None).read()
    text = str(tool().refactor_string(text + '\n', file))
    tree = parsed(text)
    futures = futures_of(tree)
    if 'unicode_literals' not in futures:
        make_bytes(tree, text, encoding)
    put_lines_back(tree, text)
    tree = Meaning('division' not in futures).visit(tree)
    ast.fix_missing_locations(tree)
    code = compile(tree, file, 'exec', dont_inherit=True)
    return code, builtins_for(futures)


def encoding_of(source):
    """The encoding that a file declares, UTF-8 or else Latin-1 by itself."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return 'latin-1'
    return encoding


@functools.lru_cache(maxsize=None)
def tool():
    """The translator of fissix, which takes a while to make."""
    return RefactoringTool(['fissix.fixes.fix_' + name for name in FIXERS])


def parsed(text):
    """Parse Python 3, where a tab may reach to the next multiple of 8."""
    try:
        return ast.parse(text)
    except TabError:
        indented = re.compile('^[ \t]+', re.MULTILINE)
        text = indented.sub(lambda match: match.group().expandtabs(8), text)
        return ast.parse(text)


def put_lines_back(tree, text):
    """Give all that is below an inserted line the number that it had."""
    number, numbers = 0, [0]
    for line in text.split('\n'):
        number += not UNPACKS.match(line)
        numbers.append(number)
    for node in ast.walk(tree):
        if hasattr(node, 'lineno'):
            node.lineno = numbers[node.lineno]
            node.end_lineno = numbers[node.end_lineno]


def futures_of(tree):
    """What is imported from ``__future__``.

    Returns
    -------
    set of str
    """
    return {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == '__future__'
        for alias in node.names
    }


def make_bytes(tree, text, encoding):
    """Make strings of bytes of literals: each character is a byte.

    Parameters
    ----------
    tree : ast.Module
    text : str
        Of which it was parsed.
    encoding : str
        That of the file.
    """
    for node in ast.walk(tree):
        value = getattr(node, 'value', None)
        if isinstance(node, ast.Constant) and isinstance(value, str):
            literal = node.kind is None and not value.isascii()
            segment = literal and ast.get_source_segment(text, node)
            # a byte may be written as an escape, which it stays
            if segment and not segment.isascii():
                escaped = escape_bytes(segment, encoding)
                node.value = ast.literal_eval('(%s)' % escaped)


def escape_bytes(text, encoding):
    """Write what is not ASCII as the escapes of its bytes."""

    def escape(match):
        return ''.join('\\x%02x' % x for x in match.group().encode(encoding))

    return re.sub('[^\0-\x7f]+', escape, text)


class Meaning(ast.NodeTransformer):
    """Puts calls in the place of what meant something else in Python 2.

    Parameters
    ----------
    divide : bool
        Whether ``/`` divides integers to an integer.
    """

    def __init__(self, divide):
        self.divide = divide

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if self.divide and isinstance(node.op, ast.Div):
            return call('__divide__', node, node.left, node.right)
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if not (self.divide and isinstance(node.op, ast.Div)):
            return node
        target, value = node.target, node.value
        if isinstance(target, ast.Name):
            now = ast.copy_location(ast.Name(target.id, ast.Load()), target)
            result = call('__divide_in_place__', node, now, value)
            return ast.copy_location(ast.Assign([target], result), node)
        # what stands before the operator is to be computed once
        if isinstance(target, ast.Attribute):
            kind, key = '__divide_attribute__', ast.Constant(target.attr)
        else:
            key = ast.Name('__key__', ast.Load())
            key = ast.Subscript(key, target.slice, ast.Load())
            kind = '__divide_item__'
        key = ast.copy_location(key, target)
        changed = call(kind, node, target.value, key, value)
        return ast.copy_location(ast.Expr(changed), node)

    def visit_Call(self, node):
        self.generic_visit(node)
        method = getattr(node.func, 'attr', None)
        compares = node.args or any(k.arg == 'cmp' for k in node.keywords)
        if method in METHODS or method == 'sort' and compares:
            node.args.insert(0, node.func.value)
            name = ast.Name('__%s__' % method, ast.Load())
            node.func = ast.copy_location(name, node.func)
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        sides = [node.left] + node.comparators
        nones = [side for side in sides if is_none(side)]
        if len(sides) == 2 and len(nones) == 1:
            (other,) = [side for side in sides if side not in nones]
            if isinstance(node.ops[0], ast.Eq):
                return call('__equals_none__', node, other)
            if isinstance(node.ops[0], ast.NotEq):
                return call('__differs_from_none__', node, other)
        # bytes know strings in them; a string knows no bytes
        if len(sides) == 2 and not isinstance(node.left, ast.Constant):
            if isinstance(node.ops[0], ast.In):
                return call('__in__', node, *sides)
            if isinstance(node.ops[0], ast.NotIn):
                found = call('__in__', node, *sides)
                return ast.copy_location(ast.UnaryOp(ast.Not(), found), node)
        return node


def is_none(node):
    """Whether a node is the constant ``None``."""
    return isinstance(node, ast.Constant) and node.value is None


def call(function, node, *arguments):
    """A call of a function by its name, at the place of a node."""
    name = ast.copy_location(ast.Name(function, ast.Load()), node)
    return ast.copy_location(ast.Call(name, list(arguments), []), node)
