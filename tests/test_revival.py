"""revival/: Theano 1.0.5 on this Python and NumPy, and nobody else notices."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import theano

import lasagne_objectives
import then
from lasagne_objectives import revival
from lasagne_objectives.revival import imports, increments, numpy_then, python_then, repairs, theano_finder
from then import UNAIDED

PACKAGE = os.path.dirname(lasagne_objectives.__file__)


def run_python(code, *options, fails=False, **environ):
    """What a new Python prints, which has imported nothing yet."""
    flags = os.environ['THEANO_FLAGS'] + ',on_opt_error=raise'
    environ = dict(os.environ, **dict({'THEANO_FLAGS': flags}, **environ))
    command = [sys.executable] + list(options) + ['-c', code]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert bool(done.returncode) == fails, done.stderr
    return done.stderr if fails else done.stdout.strip()


# ---------------------------------------------------------------------------
# What it computes


@pytest.mark.parametrize('name', then.CASES)
@pytest.mark.filterwarnings('ignore')
def test_theano_gives_what_it_gave(name, monkeypatch):
    """Values and dtypes, to the last bit, as recorded on Python 3.10 with NumPy 1.21."""
    monkeypatch.setattr(theano.config, 'on_opt_error', 'raise')
    with open(then.RECORD) as file:
        expected = json.load(file)[name]
    assert json.loads(json.dumps(then.CASES[name]())) == expected


# ---------------------------------------------------------------------------
# The real thing, in a process that has imported nothing yet


def test_theano_can_be_imported_after_the_package():
    code = "import lasagne_objectives, theano; x = theano.tensor.dmatrix(); print(theano.function([x], x.dot(x))([[2]]))"
    assert run_python(code) == '[[4.]]'


def test_scan_needs_nothing_else():
    code = (
        "import lasagne_objectives, theano, theano.tensor as T;"
        "x = T.dvector();"
        "y, _ = theano.scan(lambda a, b: a + b, [x], outputs_info=[T.constant(0., dtype='float64')]);"
        "print(theano.function([x], y, mode='FAST_RUN')([1., 2.]).tolist())"
    )
    assert run_python(code) == '[1.0, 3.0]'


def test_the_process_keeps_what_it_has():
    """Its environment, NumPy's names, and its modules but for those of Theano, Python, and what Theano imports."""
    code = (
        "import os, sys, numpy as np\n"
        "names, environ, path = set(dir(np)), dict(os.environ), list(sys.path)\n"
        "import lasagne_objectives, theano, theano.sandbox.rng_mrg\n"
        # NumPy's distutils of that time imports setuptools, which adds a folder of its own to the path
        "if %s: sys.path[:] = [folder for folder in sys.path if not folder.endswith('_vendor')]\n"
        "print(sorted(set(dir(np)) - names), os.environ == environ, sys.path == path)\n"
        "gone = 'distutils', 'imp', 'pkg_resources', 'numpy.distutils', 'numpy.linalg.linalg'\n"
        "stand_ins = [name for name in gone if name in sys.modules and not getattr(sys.modules[name], '__file__', None)]\n"
        "print(stand_ins, [name for name, module in sys.modules.items() if module is None and name.startswith('theano')])"
    )
    names, modules = run_python(code % UNAIDED, '-W', 'ignore').splitlines()
    # a part of NumPy that Theano imports is a name of NumPy's then
    assert names.endswith('True True') and not {'product', 'complex', 'cast', 'alltrue'} & set(names.split("'"))
    assert modules == '[] []'


@pytest.mark.skipif(sys.version_info < (3, 12), reason='Python still has it')
def test_others_do_not_find_what_python_has_dropped():
    code = "import lasagne_objectives, theano, sys\nsys.modules['setuptools'] = sys.modules['_distutils_hack'] = None\nimport imp"
    assert "No module named 'imp'" in run_python(code, fails=True)


def test_importing_the_package_imports_no_theano():
    code = "import sys, lasagne_objectives; print('theano' in sys.modules, 'squared_error' in dir(lasagne_objectives))"
    assert run_python(code) == 'False True'


def test_a_module_of_theano_that_is_imported_later_is_prepared():
    code = "import lasagne_objectives, theano; from theano.sandbox import rng_mrg; print(rng_mrg.np.product is rng_mrg.np.prod)"
    assert UNAIDED or run_python(code, '-W', 'ignore') == 'True'


@pytest.mark.skipif(UNAIDED, reason='Theano is imported without help')
def test_an_import_of_theano_that_failed_before_does_no_harm():
    code = (
        # NumPy's and setuptools' versions make it an error of many kinds
        "try:\n    import theano\nexcept Exception as error:\n    print(type(error).__name__)\n"
        "import lasagne_objectives, theano\nprint(theano.tensor.constant(1.5).eval())"
    )
    assert run_python(code, '-W', 'ignore').splitlines()[1:] == ['1.5']


def test_without_theano():
    """The import says in one sentence what to do, and a part of the package that was imported for the runner says so later."""
    hide = "import sys, importlib.util as u; find = u.find_spec; u.find_spec = lambda name: None if name == 'theano' else find(name)\n"
    last = run_python(hide + "import lasagne_objectives", fails=True).splitlines()[-1]
    assert last.startswith('ModuleNotFoundError: lasagne_objectives needs Theano 1.0.5, which is not installed')
    assert last.endswith('run %s -m lasagne_objectives --install-theano' % sys.executable)
    assert run_python(hide + "sys.argv[:] = ['-m']\nimport lasagne_objectives; print('there')") == 'there'


@pytest.mark.parametrize('found', [None, types.SimpleNamespace(origin=None), types.SimpleNamespace(origin='a file')])
def test_theano_is_demanded(monkeypatch, found):
    revival.demand_theano()  # it is imported
    monkeypatch.delitem(sys.modules, 'theano')
    monkeypatch.setattr('importlib.util.find_spec', lambda name: found)
    if found and found.origin:
        revival.demand_theano()
    else:
        with pytest.raises(ModuleNotFoundError, match='--install-theano'):
            revival.demand_theano()


def test_names_of_the_package(monkeypatch):
    """They come when they are asked for, and on the way to the runner Theano is not demanded."""
    monkeypatch.setattr(revival, 'demand_theano', None)
    monkeypatch.setattr(sys, 'argv', ['-m', 'lasagne_objectives'])
    spec = importlib.util.spec_from_file_location('lasagne_objectives', lasagne_objectives.__file__)
    package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    assert {'squared_error', 'objectives', 'install', '__version__'} <= set(dir(package))
    get = package.__getattr__
    assert get('squared_error') is get('objectives').squared_error and get('install').__name__ == 'install'
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        get('nothing')


@pytest.mark.parametrize('numpy_2', [True, False])
def test_repairs_by_the_version_of_numpy(numpy_2):
    assert ('theano.scalar.basic' in repairs.repairs_of(numpy_2)) == numpy_2
    assert 'theano.tensor.raw_random' in repairs.repairs_of(numpy_2)


def test_theanos_files_are_as_they_were():
    """No module of Theano's is loaded from elsewhere, and tools find its source."""
    import inspect

    assert inspect.getsource(theano.scalar.basic).startswith('"""')
    assert theano.scalar.basic.__loader__.get_filename('theano.scalar.basic') == theano.scalar.basic.__file__
    assert not theano.__file__.startswith(PACKAGE)


@pytest.mark.parametrize('flags, expected', [('blas.ldflags=-lm', '-lm'), ('blas.ldflags=', '')])
def test_the_users_blas_stays(flags, expected):
    code = "import lasagne_objectives, theano; print(theano.config.blas.ldflags)"
    assert run_python(code, THEANO_FLAGS=flags) == expected


# ---------------------------------------------------------------------------
# When it acts


COMPILES_WHAT = """
import lasagne_objectives, theano, theano.tensor as T
x, y = T.fmatrices('xy')
f = theano.function([x, y], [T.dot(x, y).T, T.alloc(y[0, 0], y.shape[1], x.shape[0])])
print(*sorted(type(node.op).__name__ for node in f.maker.fgraph.toposort()))
print(theano.gof.cc.get_module_cache().stats[2])
"""


def test_a_second_process_finds_all_compiled(tmp_path):
    """Theano compiled anew, in each process, Ops without properties and those whose code is in a file."""
    flags = 'floatX=float32,gcc.cxxflags=-O0,base_compiledir=%s' % tmp_path
    ops, compiled = run_python(COMPILES_WHAT, THEANO_FLAGS=flags).split('\n')
    assert {'Alloc', 'DimShuffle', 'Dot22'} <= set(ops.split()) and int(compiled) > 3
    assert run_python(COMPILES_WHAT, THEANO_FLAGS=flags).split('\n') == [ops, '0']


@pytest.mark.parametrize('version, known', [((1,), True), ((), False)])
def test_an_op_without_a_version_has_none(version, known):
    class Linker:
        def cmodule_key_(self, fgraph):
            return ((), 'signature') if fgraph else None

        def schedule(self, fgraph):
            return fgraph

    repairs.remember_without_properties(types.SimpleNamespace(CLinker=Linker))
    op = types.SimpleNamespace(c_code_cache_version_apply=lambda node: version)
    node = types.SimpleNamespace(op=op, inputs=[theano.tensor.scalar()], outputs=[])
    of_type = node.inputs[0].type.c_code_cache_version()
    assert Linker().cmodule_key_([node]) == ((version, of_type) if known else (), 'signature')
    assert Linker().cmodule_key_(None) is None


@pytest.fixture
def meta_path(monkeypatch):
    """Without the finder that this process has installed."""
    path = [finder for finder in sys.meta_path if not isinstance(finder, (theano_finder.TheanoFinder, theano_finder.BlasFinder))]
    monkeypatch.setattr(sys, 'meta_path', path)
    return path


@pytest.mark.parametrize(
    'version, setuptools, finder',
    [('1.17.3', True, 'BlasFinder'), ('1.21.6', False, 'TheanoFinder'), ('1.22.0', True, 'TheanoFinder'), ('2.5.0', True, 'TheanoFinder')],
)
def test_little_happens_where_nothing_but_a_blas_is_missing(monkeypatch, meta_path, version, setuptools, finder):
    monkeypatch.setattr(np, '__version__', version)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: setuptools or None)
    before = list(meta_path)
    revival.prepare_theano()
    revival.prepare_theano()  # twice is once
    assert type(meta_path[0]).__name__ == finder and meta_path[1:] == before


def test_it_forgets_what_a_failed_import_left(monkeypatch, meta_path):
    modules = {name: module for name, module in sys.modules.items() if not theano_finder.is_theanos(name)}
    left = types.ModuleType('theano.configparser')
    monkeypatch.setattr(sys, 'modules', dict(modules, **{'theano.configparser': left}))
    theano_finder.install()
    assert 'theano.configparser' not in sys.modules and 'numpy' in sys.modules


@pytest.mark.parametrize('name, expected', [('theano', True), ('theano.tensor', True), ('theanos', False), ('lasagne', False)])
def test_is_theanos(name, expected):
    assert theano_finder.is_theanos(name) == expected


@pytest.mark.parametrize('has_loop', [True, False])
def test_the_loop_of_scan(monkeypatch, has_loop):
    monkeypatch.setattr(theano_finder, 'HAS_SCAN_LOOP', has_loop)
    finder = theano_finder.TheanoFinder()
    monkeypatch.setattr(sys, 'meta_path', [finder] + sys.meta_path)
    if has_loop:
        assert finder.find_spec(theano_finder.SCAN_LOOP, theano.scan_module.__path__).name == theano_finder.SCAN_LOOP
    else:
        with pytest.raises(ModuleNotFoundError, match='takes the one in Python'):
            finder.find_spec(theano_finder.SCAN_LOOP)


@pytest.mark.parametrize('there', [True, False])
@pytest.mark.parametrize('repair', [repairs.find_blas, repairs.lend_blas])
def test_a_blas_is_looked_for(monkeypatch, repair, there):
    """First an OpenBLAS for linking, or what NumPy tells of; the BLAS inside SciPy comes after it."""
    found = '-lopenblas' * there
    parameter = types.SimpleNamespace(default=lambda: found)
    blas = type('Blas', (), {'ldflags': parameter})()
    monkeypatch.setattr('theano.configdefaults.try_blas_flag', lambda flags: found)
    monkeypatch.setattr(repairs, 'linker_flags', lambda cmodule: 'that of SciPy')
    repair(types.SimpleNamespace(config=types.SimpleNamespace(blas=blas)))
    assert parameter.default() == (found or 'that of SciPy')


# ---------------------------------------------------------------------------
# Its parts


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that imports what has gone."""
    folder = tmp_path / 'of_that_time'
    folder.mkdir()
    (folder / '__init__.py').write_text('')
    (folder / 'later.py').write_text(
        'import gone.by as by\nimport gone, os.path\nfrom gone.by import name\n'
        'def inside():\n    import json.decoder\n    from gone import by\n    from . import later\n    return by, json, later\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in ['of_that_time', 'of_that_time.later']:
        sys.modules.pop(name, None)


@pytest.fixture
def stand_ins():
    gone, by = types.ModuleType('gone'), types.ModuleType('gone.by')
    gone.by, by.name = by, 'name'
    return {'gone': gone, 'gone.by': by}


def test_stand_ins_are_seen_by_the_modules_that_get_them(package, stand_ins, monkeypatch):
    repaired = []
    finder = imports.ChangingFinder(lambda name: name.startswith('of_that_time'), stand_ins, {'of_that_time.later': [repaired.append]})
    monkeypatch.setattr(sys, 'meta_path', [finder] + sys.meta_path)
    later = importlib.import_module('of_that_time.later')
    assert later.gone is stand_ins['gone'] and later.by is stand_ins['gone.by'] and later.name == 'name'
    assert later.inside() == (stand_ins['gone.by'], json, later)
    assert repaired == [later]
    assert 'gone' not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('gone')


def test_a_loader_that_makes_its_own_modules(package, monkeypatch):
    class Loader:
        def create_module(self, spec):
            return made

        def exec_module(self, module):
            module.ran = True

    made, loader = types.ModuleType('made'), Loader()
    spec = importlib.machinery.ModuleSpec('made', loader)
    others = types.SimpleNamespace(find_spec=lambda name, path, target: spec)
    finder = imports.ChangingFinder('made'.__eq__)
    monkeypatch.setattr(sys, 'meta_path', [finder, others])
    importlib.import_module('made')
    assert sys.modules.pop('made') is made and made.ran and made.__builtins__ is finder.builtins
    assert vars(loader) == {}


def test_what_needs_no_stand_in_is_imported(stand_ins):
    imported = imports.builtins_with({'os': stand_ins['gone']})['__import__']
    assert imported('os') is stand_ins['gone']
    assert imported('os.path') is stand_ins['gone'] and imported('os.path', fromlist=('join',)) is os.path
    assert imported('json.decoder') is json
    with pytest.raises(ModuleNotFoundError, match="'os.nowhere'"):
        imported('os.nowhere')


def test_nothing_need_be_changed(package, monkeypatch):
    finder = imports.ChangingFinder('of_that_time'.__eq__)
    monkeypatch.setattr(sys, 'meta_path', [finder, object()] + sys.meta_path)
    module = importlib.import_module('of_that_time')
    assert module.__file__ == str(package / '__init__.py')
    assert finder.find_spec('other') is None and finder.find_spec('nowhere_at_all') is None


def test_a_package_without_a_file_has_nothing_to_change(tmp_path, monkeypatch):
    (tmp_path / 'folder_only').mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    finder = imports.ChangingFinder(lambda name: True)
    monkeypatch.setattr(sys, 'meta_path', [finder] + sys.meta_path)
    spec = finder.find_spec('folder_only')
    assert list(spec.submodule_search_locations) == [str(tmp_path / 'folder_only')]
    assert finder.find_spec('nowhere_at_all') is None


def test_numpy_then_is_numpy_otherwise(monkeypatch):
    monkeypatch.setattr(numpy_then, 'NUMPY_2', False)
    then_numpy = numpy_then.make_numpy_then()
    assert then_numpy.float32 is np.float32 and then_numpy.random is np.random and then_numpy.__version__ == np.__version__
    assert then_numpy.product is np.prod and then_numpy.bool is np.bool_ and then_numpy.complex is complex
    assert not hasattr(then_numpy, 'no_such_name')


def test_numpy_2_as_it_was(monkeypatch):
    """Also where this NumPy is older: its parts are the same."""
    monkeypatch.setattr(numpy_then, 'NUMPY_2', True)
    for name, value in [('exceptions', types.SimpleNamespace(ComplexWarning=UserWarning)), ('_core', np)]:
        monkeypatch.setattr(np, name, getattr(np, name, value), raising=False)
    then_numpy = numpy_then.make_numpy_then()
    assert issubclass(then_numpy.ComplexWarning, Warning) and then_numpy.core is np._core
    assert then_numpy.sctype2char('float32') == 'f' and then_numpy.MAXDIMS == -(2**31)
    assert then_numpy.cast['float32'](1.5).dtype == 'float32'
    assert then_numpy.cast[theano.scalar.float64]([1]).dtype == 'float64'


def raises_for_large(value, dtype=None, **options):
    """np.asarray of NumPy 2: what does not fit is an error."""
    if dtype is not None and np.any(np.asarray(np.asarray(value) != np.asarray(value).astype(dtype))):
        raise OverflowError
    return np.asarray(value, dtype, **options)


@pytest.mark.parametrize(
    'value, dtype, expected',
    [
        (200, 'int8', -56),
        (-1, 'uint8', 255),
        ([300, 1], np.dtype('uint8'), [44, 1]),
        (2**63 + 1, 'uint32', 1),
        (-1, 'uint64', 2**64 - 1),
        (3, None, 3),
    ],
)
def test_integers_wrap(value, dtype, expected):
    wrapped = numpy_then.wrapping(raises_for_large)(value, dtype)
    assert wrapped.tolist() == expected and (dtype is None or wrapped.dtype == dtype)


@pytest.mark.parametrize('value, dtype', [(2**63, 'int8'), (2**63, 'int64'), (1.5, 'int8')])
def test_what_did_not_wrap_is_still_an_error(value, dtype):
    with pytest.raises(OverflowError):
        numpy_then.wrapping(raises_for_large)(value, dtype)


@pytest.mark.parametrize(
    'dtype, expected', [('int8', 'int8'), (float, float), (np.dtype('int8'), 'int8'), (theano.scalar.int8, 'int8'), (None, None)]
)
def test_as_dtype(dtype, expected):
    assert numpy_then.as_dtype(dtype) == expected


def test_modules_that_have_gone():
    stand_ins = python_then.make_stand_ins()
    sysconfig = stand_ins['distutils.sysconfig']
    assert os.path.exists(os.path.join(sysconfig.get_python_inc(), 'Python.h'))
    assert os.path.isdir(sysconfig.get_python_inc(plat_specific=True))
    assert os.path.exists(os.path.join(sysconfig.get_python_lib(standard_lib=1), 'json'))
    assert {sysconfig.get_python_lib(), sysconfig.get_python_lib(plat_specific=1)} <= set(sys.path + [sysconfig.get_python_lib()])
    assert stand_ins['numpy'].distutils.misc_util is stand_ins['numpy.distutils.misc_util']
    assert stand_ins['numpy.linalg.linalg'].LinAlgError is np.linalg.LinAlgError
    assert stand_ins['pkg_resources'].get_distribution('theano').version == '1.0.5'
    assert issubclass(stand_ins['pkg_resources'].DistributionNotFound, Exception)
    with pytest.raises(AttributeError, match="no 'WorkingSet'"):
        print(stand_ins['pkg_resources'].WorkingSet)


@pytest.mark.parametrize('numpy_2', [True, False])
def test_headers(monkeypatch, numpy_2):
    monkeypatch.setattr(python_then, 'NUMPY_2', numpy_2)
    *ours, numpys = python_then.include_dirs()
    assert numpys == np.get_include() and len(ours) == numpy_2
    assert all(os.path.exists(os.path.join(folder, 'numpy', 'arrayobject.h')) for folder in ours + [numpys])


# What the repairs for NumPy 2 do to Theano is in the record above; here, that they are right on any NumPy.


@pytest.mark.parametrize('names', [['arrayobject', 'npy_3kcompat'], ['npy_3kcompat', 'arrayobject']])
def test_headers_in_any_order(names, tmp_path):
    """NumPy 2.0 has functions by the names that its headers had before."""
    source = tmp_path / 'headers.cpp'
    source.write_text('#include <Python.h>\n' + ''.join('#include <numpy/%s.h>\n' % name for name in names))
    folders = ['-I' + folder for folder in theano.gof.cmodule.std_include_dirs()]
    subprocess.check_call([theano.config.cxx, '-fsyntax-only', '-w'] + folders + [str(source)])


def test_masks_are_wide():
    seen = []
    module = types.SimpleNamespace(mrg_next_value=lambda *args: seen.append(args))
    repairs.widen_masks(module)
    module.mrg_next_value('state', 'new', 'NORM', 0xFFFFFFFF, 1)
    assert seen == [('state', 'new', 'NORM', 0xFFFFFFFF, 1)] and seen[0][3].dtype == 'int64'


def test_objects_as_dtypes():
    module = types.SimpleNamespace(_asarray=lambda a, dtype, order: (a, dtype, order))
    repairs.take_objects_as_dtypes(module)
    assert module._asarray(1, theano.scalar.int8) == (1, 'int8', None)
    module = types.SimpleNamespace(upcast=lambda *dtypes: dtypes)
    repairs.upcast_objects(module)
    assert module.upcast('int8', theano.tensor.lscalar()) == ('int8', 'int64')


def test_random_states_are_copied_deep():
    module = types.SimpleNamespace()
    repairs.copy_random_states(module)
    state = np.random.RandomState(1)
    assert module.copy(state).randint(100) == state.randint(100)


class Increment(theano.tensor.subtensor.AdvancedIncSubtensor1):
    """The Op with our C code, whatever the NumPy."""


repairs.add_at_indices(types.SimpleNamespace(AdvancedIncSubtensor1=Increment))

# types of x, of what is added, the shape of x, and of what is added to three rows
INCREMENTS = [
    ('float32', 'float32', (4, 5), (3, 5)),
    ('float64', 'float32', (4, 5), (5,)),
    ('float64', 'int8', (6,), (3,)),
    ('int8', 'int64', (4, 2, 3), (3, 1, 3)),
    ('uint16', 'uint8', (2, 3, 2, 2), (1, 3, 1, 2)),
    ('float64', 'float64', (4, 0), (3, 0)),
]


@pytest.mark.parametrize('inplace', [False, True])
@pytest.mark.parametrize('x_type, y_type, shape, added', INCREMENTS)
def test_rows_are_added_at_indices(x_type, y_type, shape, added, inplace):
    variables = [
        theano.tensor.TensorType(dtype, (False,) * ndim)() for dtype, ndim in [(x_type, len(shape)), (y_type, len(added)), ('int32', 1)]
    ]
    inputs = [theano.In(variables[0], mutable=inplace), *variables[1:]]
    output = Increment(inplace=inplace)(*variables)
    function = theano.function(inputs, output, mode=theano.Mode('c', None), accept_inplace=True)
    random = np.random.RandomState(1)
    for index in [[1, 0, 1], [-1, 1, -2], [0, 0, 0], []]:
        for layout in [lambda a: a, np.asfortranarray, lambda a: a[::-1]]:
            x, y = layout(random.randint(-9, 99, shape).astype(x_type)), random.randint(-9, 99, added).astype(y_type)
            if y.ndim < x.ndim or len(y) in (1, len(index)):
                expected = x.copy()
                np.add.at(expected, np.array(index, int), y.astype(x_type))
                before = x.copy()
                result = function(x, y, np.int32(index))
                np.testing.assert_array_equal(result, expected)
                assert result.dtype == x_type
                np.testing.assert_array_equal(x, expected if inplace else before)


def test_the_code_that_adds_rows_is_written():
    """Also where a compiled module is at hand already and Theano would not ask for it."""
    x, y, at = theano.tensor.dmatrix(), theano.tensor.fmatrix(), theano.tensor.lvector()
    added, put = [theano.tensor.subtensor.AdvancedIncSubtensor1(set_instead_of_inc=sets)(x, y, at).owner for sets in (False, True)]
    given = 'name', ['x', 'y', 'at'], ['out'], {'params': 'params', 'fail': 'FAILED;'}
    assert '*(npy_float64 *)x1 += (npy_float64)*(const npy_float32 *)y1;' in increments.c_code(added.op, added, *given)
    with pytest.raises(NotImplementedError):
        increments.c_code(put.op, put, *given)
    assert increments.c_support_code(added.op) == '' and increments.c_code_cache_version(added.op)


def test_indices_and_shapes_that_do_not_fit():
    x, y, i = theano.tensor.dmatrix(), theano.tensor.dmatrix(), theano.tensor.lvector()
    function = theano.function([x, y, i], Increment()(x, y, i), mode=theano.Mode('c', None))
    for index in [[3], [-4], [0, 3]]:
        with pytest.raises(IndexError, match='out of bounds for axis 0 with size 3'):
            function(np.ones((3, 2)), np.ones((1, 2)), index)
    for shape in [(2, 2), (1, 3), (0, 2)]:
        with pytest.raises(ValueError, match='of what is added has length'):
            function(np.ones((3, 2)), np.ones(shape), [0])


@pytest.mark.parametrize('dtype, sets', [('float32', True), ('float16', False), ('complex64', False)])
def test_what_numpy_sets_and_adds(dtype, sets):
    x = theano.tensor.TensorType(dtype, (False,))()
    output = Increment(set_instead_of_inc=sets)(x, x[:2], [0, 0])
    assert theano.function([x], output)(np.arange(1, 4).astype(dtype)).tolist() == ([2, 2, 3] if sets else [4, 2, 3])


@pytest.fixture
def scalar():
    """A copy of what the repairs of theano.scalar.basic change."""
    original = theano.scalar.basic
    names = {name: type(name, (getattr(original, name),), {}) for name in ['NumpyAutocaster', 'Scalar', 'Inv', 'Cast', 'AND']}
    return types.SimpleNamespace(config=theano.config, **names)


def test_numbers_are_compared_exactly(scalar):
    repairs.compare_exactly(scalar)
    autocast = scalar.NumpyAutocaster(('float16', 'float32', 'float64'))
    for number in [1.1, 0.5, 1e300, np.array(1.1)]:
        assert float(autocast(number)) == float(number) or theano.config.floatX != 'float64'
    assert scalar.NumpyAutocaster(('int8', 'int16'))(200).dtype == 'int16'
    assert scalar.Scalar('float32').filter(0.5, allow_downcast=False) == 0.5
    assert scalar.Scalar('int8').filter(200, allow_downcast=True) == -56
    for dtype, number in [('float32', 1.1), ('int8', 200), ('int64', 2**70)]:
        with pytest.raises(TypeError):
            scalar.Scalar(dtype).filter(number, allow_downcast=False)


def test_reciprocals_and_casts(scalar):
    repairs.compute_in_float64(scalar)
    repairs.wrap_integers(scalar)
    for one in [3, 3.0, np.float64(3), np.int64(3)]:
        assert scalar.Inv.impl(None, one) == 1 / 3
    assert scalar.Inv.impl(None, 1 + 2j) == 1 / (1 + 2j)
    assert scalar.Inv.impl(None, np.float32(3)).dtype == 'float32'
    cast = scalar.Cast(theano.scalar.int8)
    assert cast.impl(100) == 100 and cast.impl(200) == -56 and scalar.AND.identity == -1


# ---------------------------------------------------------------------------
# Convolutions


def correlated(x, w):
    """One filter of one image with one channel, flipped as in a convolution, where it fits."""
    rows, columns = x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1
    flipped = w[::-1, ::-1]
    return np.array([[(x[i : i + w.shape[0], j : j + w.shape[1]] * flipped).sum() for j in range(columns)] for i in range(rows)])


@pytest.mark.parametrize('mode', [theano.Mode('py', None), theano.Mode('cvm', 'fast_run')], ids=['Python', 'C'])
@pytest.mark.parametrize('interface', ['today', 'then'])
@pytest.mark.filterwarnings('ignore')
def test_convolutions(interface, mode):
    """Theano's convolution in Python asks SciPy for names that this has moved, and the older Op in C includes a header that is gone."""
    from theano.tensor.nnet import conv

    x, w = theano.tensor.dtensor4(), theano.tensor.dtensor4()
    result = (conv.conv2d if interface == 'then' else theano.tensor.nnet.conv2d)(x, w)
    rng = np.random.RandomState(0)
    image, kernel = rng.randn(5, 6), rng.randn(2, 3)
    (((got,),),) = theano.function([x, w], [result], mode=mode)(image[None, None], kernel[None, None])
    np.testing.assert_allclose(got, correlated(image, kernel), rtol=1e-12)


@pytest.mark.parametrize('there, scipy', [(True, True), (False, False)])
def test_signal_is_left_alone(monkeypatch, there, scipy):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: scipy or None)
    module = types.SimpleNamespace(imported_scipy_signal=there)
    repairs.find_signal(module)
    assert vars(module) == {'imported_scipy_signal': there}


def test_signal_is_found():
    conv = types.SimpleNamespace(imported_scipy_signal=False)
    repairs.find_signal(conv)
    assert conv.convolve([1.0, 2.0], [3.0]).tolist() == [3, 6] and conv.imported_scipy_signal
