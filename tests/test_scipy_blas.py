"""revival/scipy_blas.py: Theano links the BLAS inside SciPy."""

import os
import subprocess
import sys
import tempfile
import types

import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.gof import cmodule
from theano.tensor import blas

from lasagne_objectives.revival import scipy_blas


@pytest.fixture(scope='module')
def linked():
    """Theano links SciPy's, as it does by itself where nothing else is installed."""
    before = theano.config.blas.ldflags
    theano.config.blas.ldflags = scipy_blas.linker_flags(cmodule)
    yield
    theano.config.blas.ldflags = before


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_every_product_is_that_of_numpy(linked, dtype):
    """Of matrices, of batches, of a matrix and a vector, of vectors, and the update by an outer product."""
    rng = np.random.RandomState(1)
    m, n, batch, v = [rng.randn(*shape).astype(dtype) for shape in [(3, 4), (4, 5), (2, 4, 3), (4,)]]
    sides = T.matrix(dtype=dtype), T.matrix(dtype=dtype), T.tensor3(dtype=dtype), T.vector(dtype=dtype)
    M, N, B, V = sides
    products = [T.dot(M, N), T.batched_dot(B, B.dimshuffle(0, 2, 1)), T.dot(M, V), T.dot(V, V), M + 2 * T.outer(T.dot(M, V), V)]
    expected = [m.dot(n), np.matmul(batch, batch.transpose(0, 2, 1)), m.dot(v), v.dot(v), m + 2 * np.outer(m.dot(v), v)]
    function = theano.function(sides, products, mode='FAST_RUN')
    ops = {type(node.op) for node in function.maker.fgraph.toposort()}
    assert {blas.Dot22, blas.BatchedDot} <= ops
    for ours, numpys in zip(function(m, n, batch, v), expected):
        np.testing.assert_allclose(ours, numpys, rtol=1e-5, atol=1e-6)
        assert ours.dtype == dtype


@pytest.fixture
def pretended(tmp_path):
    """Theano's module for compiling, which writes down what it is given to compile."""
    made = []

    def compile_str(name, source, location, **options):
        made.append(name)
        with open('%s/%s.so' % (location, name), 'w') as file:
            file.write(source)

    compiler = types.SimpleNamespace(compile_str=compile_str)
    config = types.SimpleNamespace(cxx='g++', compiledir=str(tmp_path))
    return types.SimpleNamespace(config=config, GCC_compiler=compiler, get_lib_extension=lambda: 'so', made=made)


def test_it_is_made_once(pretended, tmp_path):
    """In a folder of its own; what fails leaves no library behind."""
    flags = scipy_blas.linker_flags(pretended)
    assert flags == scipy_blas.linker_flags(pretended) and len(pretended.made) == 1
    folder, library = [flag[2:] for flag in flags.split()]
    (only,) = tmp_path.iterdir()
    assert folder == str(only) and [path.name for path in only.iterdir()] == ['lib%s.so' % library]
    pretended.config.cxx = ''
    assert scipy_blas.linker_flags(pretended) == ''


def test_a_cache_with_a_blank_in_its_name(pretended, tmp_path, monkeypatch):
    """Theano splits its flag there: the library is made elsewhere, if that is safe."""
    pretended.config.compiledir = str(tmp_path / 'my cache')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
    flags = scipy_blas.linker_flags(pretended)
    assert len(flags.split()) == 2 and flags == scipy_blas.linker_flags(pretended) and len(pretended.made) == 1
    (only,) = (tmp_path / 'temporary').iterdir()
    assert flags.startswith('-L%s ' % only) and only.stat().st_mode & 0o777 == 0o700
    if hasattr(os, 'getuid'):
        monkeypatch.setattr(os, 'getuid', lambda: only.stat().st_uid + 1)
        assert scipy_blas.linker_flags(pretended) == ''  # somebody else may have put anything there
        monkeypatch.undo()
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'also with a blank'))
    assert scipy_blas.linker_flags(pretended) == ''


@pytest.mark.parametrize('capsules', [{}, None, {'dscal': 'void (__pyx_t_blas_int *, d *, d *, __pyx_t_blas_int *)'}])
def test_a_scipy_that_does_not_serve(monkeypatch, capsules):
    """One without the functions, none at all, one with integers of 64 bits."""
    import scipy.linalg.cython_blas

    names = set(scipy.linalg.cython_blas.__pyx_capi__)
    if capsules is None:
        monkeypatch.setitem(sys.modules, 'scipy.linalg.cython_blas', None)
        monkeypatch.delattr(scipy.linalg, 'cython_blas')
    else:
        pretended = dict.fromkeys(names, '') if capsules else {}
        monkeypatch.setattr(scipy.linalg.cython_blas, '__pyx_capi__', dict(pretended, **capsules), raising=False)
    assert not scipy_blas.is_usable()


def test_batched_dot_where_no_blas_can_be_linked(monkeypatch):
    """In a new process, whose linker finds no OpenBLAS: what pip leaves one with."""
    code = (
        "import lasagne_objectives, theano.configdefaults as c; c.try_blas_flag = lambda flags: ''\n"
        "import theano.tensor as T, numpy as np; a, b = T.tensor3(), T.tensor3()\n"
        "print(T.batched_dot(a, b).eval({a: np.ones((2, 3, 4)), b: np.ones((2, 4, 5))}).sum())"
    )
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], stdout=subprocess.PIPE, universal_newlines=True)
    assert done.stdout == '120.0\n'
