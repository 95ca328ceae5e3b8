"""Lets pytest run Theano's own tests, which were written for nose.

nose does not run on Python 3.10 and later, and pytest no longer runs tests
that are generators. What the tests use of nose, and of NumPy's support for
it, is little: it is given to them here.
"""

import functools
import inspect
import sys
import types
import unittest

import numpy.testing
import pytest

CASE = unittest.TestCase()


def module(name, **names):
    """Provide a module of that name, whatever is installed."""
    made = types.ModuleType(name)
    made.__path__ = []
    vars(made).update(names)
    sys.modules[name] = made


def attr(*marks):
    """nose's mark on a test, which nobody reads here."""
    return lambda function: function


def raises(*errors):
    """nose's decorator of a test that must end in one of these errors."""

    def decorate(function):
        @functools.wraps(function)
        def must_raise(*args):
            with pytest.raises(errors):
                function(*args)

        return must_raise

    return decorate


def skipif(condition, reason):
    """What was ``numpy.testing.dec.skipif``."""
    return unittest.skipIf(condition, reason)


def find_common_type(arrays, scalars):
    """The type of arrays, or if scalars are of a higher kind one of that kind that holds both."""
    array, scalar = numpy.result_type(*arrays), numpy.result_type(*scalars)
    higher = 'buifc'.index(scalar.kind) > 'buifc'.index(array.kind)
    return numpy.result_type(array, scalar) if higher else array


module('nose')
module('nose.plugins')
module('nose.plugins.attrib', attr=attr)
module('nose.plugins.skip', SkipTest=unittest.SkipTest)
module('nose.tools', raises=raises, assert_raises=CASE.assertRaises, assert_equal=CASE.assertEqual, assert_true=CASE.assertTrue)
numpy.testing.dec = types.SimpleNamespace(skipif=skipif)
if not hasattr(numpy, 'find_common_type'):  # went with NumPy 2
    numpy.find_common_type = find_common_type

# Theano, wherever it has to be prepared for this Python and NumPy.
import lasagne_objectives  # noqa: E402,F401

# The tests' own calls of unittest that Python 3.12 dropped.
for old, new in [
    ('assertEquals', 'assertEqual'),
    ('assertItemsEqual', 'assertCountEqual'),
    ('assert_', 'assertTrue'),
    ('assertRaisesRegexp', 'assertRaisesRegex'),
]:
    if not hasattr(unittest.TestCase, old):
        setattr(unittest.TestCase, old, getattr(unittest.TestCase, new))


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Make one test of a generator: all that it yields."""
    if not (name.startswith('test') and inspect.isgeneratorfunction(obj)):
        return None

    def run_all(*args):
        for check, *arguments in obj(*args):
            check(*arguments)

    # a plain function: pytest binds methods by their own objects
    method = isinstance(collector, pytest.Class)
    call = (lambda: run_all(collector.obj())) if method else run_all
    return pytest.Function.from_parent(collector, name=name, callobj=call)
