"""bootstrap.py: importing the package makes Theano importable."""

import os
import subprocess
import sys

import numpy as np
import pytest
import theano

from lasagne_objectives import bootstrap

PACKAGE = os.path.dirname(bootstrap.__file__)
NEEDS_FLAG = not bootstrap.numpy_describes_blas()


def run_python(code, home, *options, flags='', **environ):
    """What a new Python prints, under a user who set nothing but this."""
    cache = "base_compiledir='%s'" % theano.config.base_compiledir
    environ = dict(os.environ, HOME=str(home), USERPROFILE=str(home), THEANO_FLAGS=','.join([cache] + flags.split()), **environ)
    if 'THEANORC' in environ and environ['THEANORC'] is None:
        del environ['THEANORC']
    command = [sys.executable] + list(options) + ['-c', code]
    done = subprocess.run(command, env=environ, cwd=str(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---------------------------------------------------------------------------
# The real thing, in a process that has imported nothing yet

PRINT_FLAGS = "import os, lasagne_objectives\nimport theano\nprint(theano.config.blas.ldflags)"


def test_theano_can_be_imported_after_the_package(tmp_path):
    printed = run_python(
        "import lasagne_objectives, theano; x = theano.tensor.dmatrix(); print(theano.function([x], x.dot(x))([[2]]))",
        tmp_path,
        THEANORC=None,
    )
    assert printed == '[[4.]]'


def test_only_the_flag_is_changed(tmp_path):
    code = (
        "import os; before = dict(os.environ); import lasagne_objectives;"
        "print([name for name in set(before) | set(os.environ)"
        " if before.get(name) != os.environ.get(name)])"
    )
    changed = "['THEANO_FLAGS']" if NEEDS_FLAG else "[]"
    assert run_python(code, tmp_path, THEANORC=None) == changed


def test_the_flag_in_theano_flags_stays(tmp_path):
    flags = 'floatX=float32 blas.ldflags=-lm'
    assert run_python(PRINT_FLAGS, tmp_path, flags=flags, THEANORC=None) == '-lm'


def test_the_flag_in_theanorc_stays(tmp_path):
    (tmp_path / '.theanorc').write_text('[blas]\nldflags = -lm\n')
    assert run_python(PRINT_FLAGS, tmp_path, THEANORC=None) == '-lm'


def test_the_flag_in_a_file_named_by_theanorc_stays(tmp_path):
    (tmp_path / 'first').write_text('[global]\nfloatX = float32\n')
    (tmp_path / 'second').write_text('[blas]\nldflags = -lm\n')
    theanorc = os.pathsep.join(['~/first', str(tmp_path / 'second')])
    assert run_python(PRINT_FLAGS, tmp_path, THEANORC=theanorc) == '-lm'


def test_other_settings_stay(tmp_path):
    code = "import lasagne_objectives, theano;print(theano.config.floatX, theano.config.optimizer)"
    (tmp_path / '.theanorc').write_text('[global]\noptimizer = None\n')
    assert run_python(code, tmp_path, flags='floatX=float32', THEANORC=None) == 'float32 None'


def test_nothing_is_changed_if_theano_is_there(tmp_path):
    code = "import os, theano; before = dict(os.environ);import lasagne_objectives; print(before == os.environ)"
    assert run_python(code, tmp_path, flags='blas.ldflags=') == 'True'


def test_asking_numpy_is_quiet(tmp_path):
    code = "import runpy; module = runpy.run_path(%r);print(module['numpy_describes_blas']())" % os.path.join(PACKAGE, 'bootstrap.py')
    printed = run_python(code, tmp_path, '-W', 'error::DeprecationWarning')
    assert printed == str(not NEEDS_FLAG)


# ---------------------------------------------------------------------------
# Its decisions, one by one


@pytest.fixture
def user(monkeypatch, tmp_path):
    """A user who set nothing, has not imported Theano, and has OpenBLAS."""
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('USERPROFILE', str(tmp_path))
    monkeypatch.delenv('THEANORC', raising=False)
    monkeypatch.delenv('THEANO_FLAGS', raising=False)
    monkeypatch.delitem(sys.modules, 'theano')
    monkeypatch.delitem(sys.modules, 'theano.configparser')
    monkeypatch.setattr(bootstrap, 'numpy_describes_blas', lambda: False)
    monkeypatch.setattr(bootstrap, 'find_blas', lambda: '-lopenblas')
    return monkeypatch


def flags_after_preparation():
    bootstrap.prepare_theano()
    return os.environ.get('THEANO_FLAGS')


def test_sets_the_flag(user):
    assert flags_after_preparation() == 'blas.ldflags=-lopenblas'


def test_sets_the_flag_once(user):
    first = flags_after_preparation()
    assert flags_after_preparation() == first


def test_sets_the_empty_flag_without_a_blas(user):
    user.setattr(bootstrap, 'find_blas', lambda: '')
    assert flags_after_preparation() == 'blas.ldflags='


def test_keeps_other_flags(user):
    user.setenv('THEANO_FLAGS', 'floatX=float32 # my graphics card')
    assert flags_after_preparation() == ('blas.ldflags=-lopenblas,floatX=float32 # my graphics card')


def test_leaves_a_numpy_alone_that_needs_nothing(user):
    user.setattr(bootstrap, 'numpy_describes_blas', lambda: True)
    assert flags_after_preparation() is None


def test_leaves_an_imported_theano_alone(user):
    user.setitem(sys.modules, 'theano', theano)
    assert flags_after_preparation() is None


def test_says_so_if_an_import_of_theano_has_failed(user):
    user.setitem(sys.modules, 'theano.configparser', theano.configparser)
    with pytest.raises(ImportError, match='import lasagne_objectives first'):
        bootstrap.prepare_theano()


@pytest.mark.parametrize('flags', ['blas.ldflags=', 'blas.ldflags=-lmkl_rt', 'floatX=float32, blas.ldflags=-lm'])
def test_leaves_a_flag_of_the_user_alone(user, flags):
    user.setenv('THEANO_FLAGS', flags)
    assert flags_after_preparation() == flags


@pytest.mark.parametrize('version', ['1.16.6', '1.21.6', '1.21.0rc1'])
def test_old_numpy_describes_its_blas(version):
    assert bootstrap.numpy_describes_blas(version)


@pytest.mark.parametrize('version', ['1.22.0', '1.23.5', '2.0.0'])
@pytest.mark.parametrize('described', [True, False])
def test_newer_numpy_is_asked(monkeypatch, version, described):
    import numpy.distutils.__config__ as config

    if described:
        monkeypatch.setattr(config, 'blas_opt_info', {}, raising=False)
    else:
        monkeypatch.delattr(config, 'blas_opt_info', raising=False)
    assert bootstrap.numpy_describes_blas(version) == described


def test_knows_this_numpy():
    import numpy.distutils.__config__ as config

    assert bootstrap.numpy_describes_blas(np.__version__) == hasattr(config, 'blas_opt_info')


@pytest.mark.parametrize(
    'text',
    [
        '',
        ',',
        'floatX=float32',
        'floatX=float32,device=cpu',
        ' floatX = float32 , cxx=',
        'blas.ldflags="-L/a,b -lblas",cxx=g++',
        "a.b=1,a.b=2",
        'a=b=c',
        'device=cpu # , cxx=',
        'novalue,device=cpu',
    ],
)
def test_parses_flags_as_theano_does(text):
    theanos = theano.configparser.parse_config_string(text, False)
    assert bootstrap.theano_flags(text) == theanos


@pytest.mark.parametrize(
    'theanorc, platform, expected',
    [
        (None, 'linux', ['~/.theanorc']),
        (None, 'win32', ['~/.theanorc', '~/.theanorc.txt']),
        ('', 'linux', ['']),
        ('a', 'win32', ['a']),
        (os.pathsep.join(['~/a', '/b']), 'linux', ['~/a', '/b']),
    ],
)
def test_knows_the_files_theano_reads(theanorc, platform, expected):
    expected = [os.path.expanduser(name) for name in expected]
    assert bootstrap.config_files(theanorc, platform) == expected


def test_reads_this_users_files_as_theano_does(monkeypatch, tmp_path):
    monkeypatch.setenv('THEANORC', os.pathsep.join([str(tmp_path), '~/x']))
    assert bootstrap.config_files(os.environ['THEANORC'], sys.platform) == theano.configparser.config_files_from_theanorc()


def test_flags_overrule_files(user, tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ncxx = from file\n[blas]\nldflags = %(HOME)s\n')
    user.setenv('THEANO_FLAGS', 'cxx=from flags')
    assert bootstrap.user_setting('cxx') == 'from flags'
    assert bootstrap.user_setting('blas.ldflags') == '%(HOME)s'
    assert bootstrap.user_setting('floatX') is None
    assert bootstrap.user_setting('gpuarray.preallocate') is None


# ---------------------------------------------------------------------------
# Looking for a BLAS


@pytest.mark.parametrize(
    'setting, platform, compiler', [(None, 'linux', 'g++'), (None, 'darwin', 'clang++'), ('icpc', 'linux', 'icpc'), ('', 'darwin', '')]
)
@pytest.mark.parametrize('linkable', [True, False])
def test_tries_the_compiler_theano_uses(monkeypatch, setting, platform, compiler, linkable):
    tried = []
    monkeypatch.setattr(bootstrap, 'user_setting', lambda name: setting)
    monkeypatch.setattr(sys, 'platform', platform)
    monkeypatch.setattr(bootstrap, 'links', lambda *args: tried.append(args) or linkable)
    assert bootstrap.find_blas() == ('-lopenblas' if linkable else '')
    assert tried == [(compiler, ['-lopenblas'])]


@pytest.fixture
def library(monkeypatch, tmp_path):
    """Builds a stand-in for a BLAS, libstandin, and returns its folder."""

    def build(result):
        source = tmp_path / 'standin.cpp'
        source.write_text('extern "C" double ddot_(int*, double*, int*, double*, int*) { return %s; }' % result)
        subprocess.check_call(['g++', '-shared', '-fPIC', str(source), '-o', str(tmp_path / 'libstandin.so')])
        return str(tmp_path)

    return build


def test_a_library_that_links_and_runs(library, monkeypatch):
    folder = library('30')
    monkeypatch.setenv('LD_LIBRARY_PATH', folder)
    assert bootstrap.links('g++', ['-L' + folder, '-lstandin'])


def test_a_library_that_links_but_is_not_found_again(library, monkeypatch):
    folder = library('30')
    monkeypatch.delenv('LD_LIBRARY_PATH', raising=False)
    assert not bootstrap.links('g++', ['-L' + folder, '-lstandin'])


def test_a_library_that_computes_nonsense(library, monkeypatch):
    folder = library('0')
    monkeypatch.setenv('LD_LIBRARY_PATH', folder)
    assert not bootstrap.links('g++', ['-L' + folder, '-lstandin'])


@pytest.mark.parametrize('compiler', ['g++', 'no such compiler', ''])
def test_no_such_library_or_compiler(compiler):
    assert not bootstrap.links(compiler, ['-lstandin'])
