"""The runner: python -m lasagne_objectives runs scripts as Python does."""

import collections
import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import time
import types
import zipfile

import pytest
import theano

import lasagne_objectives
from lasagne_objectives.revival import lasagne_names, runner

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPTS = os.path.join(REPOSITORY, 'tests', 'scripts')
PACKAGE = os.path.dirname(lasagne_objectives.__file__)
RUNNER = ['-m', 'lasagne_objectives']


def run_python(*arguments, cwd, **options):
    """Run Python, and return its exit code, its output and its errors."""
    done = subprocess.run(
        [sys.executable] + list(arguments), cwd=str(cwd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **options
    )
    return done.returncode, done.stdout, done.stderr


# ---------------------------------------------------------------------------
# Scripts in the public way, untouched

LASAGNES = 'aggregate, binary_crossentropy, categorical_crossentropy, squared_error'
ADDED = 'align_targets, binary_accuracy, binary_hinge_loss, categorical_accuracy, huber_loss, multiclass_hinge_loss'
NOTHING = 'lasagne_objectives: replaced in lasagne.objectives: nothing'


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user's settings: run all in Python, for the C would be compiled."""

    def settings(*lines):
        text = '[global]\nbase_compiledir = %s\n' % (theano.config.base_compiledir)
        (tmp_path / '.theanorc').write_text(text + '\n'.join(lines))

    settings('linker = py', 'optimizer = fast_compile')
    monkeypatch.setenv('THEANORC', str(tmp_path / '.theanorc'))
    monkeypatch.delenv('THEANO_FLAGS')
    return settings


def run_script(name, *arguments, cwd, quiet=False):
    return run_python(*RUNNER + ['-q'] * quiet, os.path.join(SCRIPTS, name), *arguments, cwd=cwd)


def succeeds(name, *arguments, cwd):
    """Run a script that must succeed: what it prints, and the last line."""
    code, out, err = run_script(name, *arguments, cwd=cwd)
    assert code == 0, err
    return out, err.splitlines()[-1]


def test_a_dense_network_by_attribute(user, tmp_path):
    out, last = succeeds('dense.py', '12', cwd=tmp_path)
    assert out.count('Epoch') == 12
    assert float(out.split()[-2]) > 80  # per cent
    assert 'replaced in lasagne.objectives: %s;' % LASAGNES in last
    assert last.endswith('added: ' + ADDED)


def test_everything_imported_by_a_star(user, tmp_path):
    out, _ = succeeds('star.py', cwd=tmp_path)
    assert out == 'shapes [(), (), (), (), ()] learnt True\n'


def test_convolution_and_pooling(user, tmp_path):
    # convolution is in C only, pooling wrong in Theano's Python
    user('optimizer = fast_run', '[gcc]', 'cxxflags = ' + theano.config.gcc.cxxflags)
    out, last = succeeds('conv.py', cwd=tmp_path)
    assert out == 'loss fell: True\n'
    assert 'theano.tensor.signal.downsample; ' in last


def test_a_script_that_sets_theanos_flags(user, tmp_path):
    """Also the flags that Theano only reads when it is imported."""
    out, _ = succeeds('flags.py', cwd=tmp_path)
    assert out == 'float32 high None\nfloat32\n'


def test_a_script_without_lasagne(user, tmp_path):
    out, last = succeeds('theano_only.py', cwd=tmp_path)
    assert out == '2 [3. 6.]\n'
    assert last.endswith('downsample; replaced in lasagne.objectives: nothing')


def test_workers_are_prepared_and_do_not_report(user, tmp_path):
    code, out, err = run_script('workers.py', cwd=tmp_path)
    assert code == 0, err
    assert out == ("fork ['lasagne_objectives.objectives']\nspawn ['lasagne_objectives.objectives']\n")
    assert err.count('lasagne_objectives: ') == 1


@pytest.fixture
def plain(tmp_path_factory, monkeypatch):
    """Lets Lasagne 0.1 be imported by Python itself, without the runner."""
    folder = tmp_path_factory.mktemp('plain')
    (folder / 'sitecustomize.py').write_text('import lasagne_objectives.compat\n')
    path = [str(folder), REPOSITORY]
    return lambda: monkeypatch.setenv('PYTHONPATH', os.pathsep.join(path))


def test_a_script_that_fails_halfway(user, plain, tmp_path):
    done = run_script('fails.py', cwd=tmp_path, quiet=True)
    loud = run_script('fails.py', cwd=tmp_path)
    plain()
    assert done == run_python(os.path.join(SCRIPTS, 'fails.py'), cwd=tmp_path)
    assert done[0] == 1 and done[1] == 'epoch 0 fine 1\n'
    assert done[2].endswith('KeyError: 1\n')
    assert loud[2].startswith(done[2] + 'lasagne_objectives: ')


def test_theanos_own_errors_are_not_ours(user, tmp_path):
    code, out, err = run_python(*RUNNER, '-q', '-c', 'import theano', cwd=tmp_path, env=dict(os.environ, THEANO_FLAGS='floatX=float1'))
    assert code == 1
    assert 'Invalid value ("float1")' in err.splitlines()[-1]
    assert 'lasagne_objectives' not in err


# ---------------------------------------------------------------------------
# As if Python had run it: the same script both ways

LOOK = """
import os, sys
print(__name__, __file__, __package__, __doc__, __builtins__)
print(sys.argv, sys.path[0], sys.modules['__main__'].__dict__ is globals())
print(getattr(__spec__, 'name', None), type(__loader__))
print([path for path in sys.path if path != sys.argv[-1]])
print(sorted(globals()), list(sys.flags), sys.warnoptions, sys._xoptions)
print(sys.stdout.write_through, sys.stdin.read(), os.environ['THEANO_FLAGS'])
print([name for name in ('theano', 'numpy', 'lasagne_objectives',
                         'sitecustomize') if name in sys.modules])
"""

# name -> its text. The names are what is run, by different ways to run it.
PROGRAMS = {
    'look': LOOK,
    'exits': "import sys; sys.exit(3)",
    'exits_large': "raise SystemExit(259)",
    'exits_none': "raise SystemExit",
    'exits_string': "raise SystemExit('a complaint')",
    'exits_tuple': "raise SystemExit((1, 2))",
    'exits_hard': "import os; os._exit(5)",
    'interrupted': ("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT); time.sleep(9)"),
    'killed': "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    'raises': "def f():\n    1 / 0\n\nprint('before', flush=True)\nf()",
    'chains': ("try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('b') from e"),
    'no_module': "import lasagne_nowhere",
    'no_syntax': "print('a'\n\n1 +",
    'hooked': ("import sys\nsys.excepthook = lambda *error: print(error[:2])\n1 / 0"),
    'stack': "import traceback; traceback.print_stack()",
    'warns': "import warnings; warnings.warn('careful')",
    'atexit': "import atexit; atexit.register(print, 'end'); 1 / 0",
}


@pytest.fixture(scope='module')
def programs(tmp_path_factory):
    """A folder of the programs: files, modules, folders, zip files."""
    folder = tmp_path_factory.mktemp('programs')
    for name, text in PROGRAMS.items():
        (folder / (name + '.py')).write_text(text)
    for inside in ['folder', 'package']:
        (folder / inside).mkdir()
        (folder / inside / '__main__.py').write_text(LOOK)
        (folder / inside / 'module.py').write_text(LOOK)
    (folder / 'package' / '__init__.py').touch()
    (folder / 'empty').mkdir()
    with zipfile.ZipFile(str(folder / 'file.zip'), 'w') as archive:
        archive.writestr('__main__.py', LOOK)
    return folder


def same_both_ways(folder, arguments, options=(), **others):
    """Assert that the runner and Python do the same, and return what."""
    done = run_python(*options, *RUNNER, '-q', *arguments, cwd=folder, **others)
    assert done == run_python(*options, *arguments, cwd=folder, **others)
    return done


@pytest.mark.parametrize('name', sorted(PROGRAMS))
def test_runs_a_script_as_python_does(programs, name):
    same_both_ways(programs, [name + '.py', '-q', '--own', '-m', 'args', ''], stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    'arguments',
    [
        ['folder'],
        ['file.zip', 'a'],
        ['empty'],
        ['nowhere.py'],
        [os.path.join('package', 'module.py')],
        ['-m', 'look', '-h'],
        ['-mlook'],
        ['-m', 'package', 'a'],
        ['-m', 'package.module'],
        ['-m', 'nowhere'],
        ['-m', 'empty'],
        ['-m'],
        ['-c', 'import sys; print(sys.argv, sys.path[0], __name__); 1 / 0', '-c'],
        ['-cprint(1)'],
        ['-c'],
        ['-', 'a'],
    ],
    ids=' '.join,
)
def test_runs_all_that_python_runs(programs, arguments):
    code, out, _ = same_both_ways(programs, arguments, input='print(2)')
    assert out or code


@pytest.mark.parametrize(
    'options', [['-u'], ['-O', '-W', 'error'], ['-X', 'dev', '-bB'], ['-i'], ['-m', 'cProfile', '-o', os.devnull]], ids=' '.join
)
def test_options_of_python_go_before(programs, options):
    _, out, _ = same_both_ways(programs, ['look.py', 'a'], options, input='')
    assert "['look.py', 'a']" in out


@pytest.mark.parametrize(
    'command, expected', [(['-Om', 'lasagne_objectives'], '1'), (['-mlasagne_objectives'], '0'), (['-OOmlasagne_objectives'], '2')]
)
def test_options_of_python_in_a_group(programs, command, expected):
    code = 'import sys; print(sys.flags.optimize)'
    done = run_python(*command, '-q', '-c', code, cwd=programs)
    assert done == (0, expected + '\n', '')


def test_another_sitecustomize_has_its_turn(programs, tmp_path, monkeypatch):
    (tmp_path / 'sitecustomize.py').write_text('import builtins\nbuiltins.customized = True')
    path = [str(tmp_path), os.environ.get('PYTHONPATH', '')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, path)))
    code = "import sitecustomize; print(customized, sitecustomize.__file__)"
    _, out, _ = same_both_ways(programs, ['-c', code])
    assert out == 'True %s\n' % (tmp_path / 'sitecustomize.py')


def test_a_sitecustomize_that_imports_compat(programs, tmp_path, monkeypatch):
    """As the one that lets Lasagne be imported without the runner."""
    (tmp_path / 'sitecustomize.py').write_text('import lasagne_objectives.compat')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(tmp_path), REPOSITORY]))
    code, out, err = run_python(*RUNNER, '-q', '-c', 'print(1)', cwd=programs)
    assert (code, out) == (0, '1\n') and 'Error' not in err, err


def test_a_script_that_installs_by_itself(user, tmp_path):
    code = 'import lasagne_objectives, sys; lasagne_objectives.install(); print([type(f).__name__ for f in sys.meta_path[:6]])'
    out = run_python(*RUNNER, '-q', '-c', code, cwd=tmp_path)[1]
    assert out.count('ChangingFinder') == 2 and 'StartupFinder' in out


def test_a_script_that_uses_up_its_arguments(user, tmp_path):
    code = 'import sys; sys.argv[:] = []; import theano; print(sys.argv)'
    code, out, err = run_python(*RUNNER, '-q', '-c', code, cwd=tmp_path)
    assert (code, out) == (0, '[]\n'), err


def test_the_package_of_the_current_folder_serves_the_script(tmp_path):
    """In a clone nothing need be installed to run scripts of elsewhere."""
    script = tmp_path / 'script.py'
    script.write_text('import lasagne_objectives as package\nprint(package.__file__)')
    environ = dict(os.environ)
    environ.pop('PYTHONPATH', None)
    code, out, err = run_python(*RUNNER, str(script), cwd=REPOSITORY, env=environ)
    assert code == 0, err
    assert os.path.samefile(out.strip(), os.path.join(REPOSITORY, 'lasagne_objectives', '__init__.py'))


# ---------------------------------------------------------------------------
# The last line


def test_the_last_line_is_the_last(programs):
    code, out, err = run_python(*RUNNER, 'atexit.py', cwd=programs)
    assert (code, out) == (1, 'end\n')
    assert err.splitlines()[-2:] == ['ZeroDivisionError: division by zero', NOTHING]


@pytest.mark.parametrize(
    'code',
    [
        "import sys; sys.stderr = None",
        "import os; pid = os.fork(); pid and os.waitpid(pid, 0)",
        "import subprocess as s, sys; s.call([sys.executable, '-c', '0'])",
    ],
)
def test_the_last_line_is_printed_once(tmp_path, code):
    code, out, err = run_python(*RUNNER, '-c', code, cwd=tmp_path)
    assert (code, out) == (0, '')
    assert err == NOTHING + '\n'


# ---------------------------------------------------------------------------
# The command line


def test_help(tmp_path):
    code, out, err = run_python(*RUNNER, '-h', cwd=tmp_path)
    assert (code, err) == (0, '')
    assert out.startswith('usage: python -m lasagne_objectives [-h] [-q] [-2] ')
    assert run_python(*RUNNER, cwd=tmp_path) == (2, '', out)


@pytest.mark.parametrize(
    'command, message',
    [
        (RUNNER + ['-v', 'a.py'], "unrecognized arguments: -v; Python's own options go before -m lasagne_objectives"),
        ([os.path.join(REPOSITORY, 'lasagne_objectives'), 'a.py'], 'start it as python -m lasagne_objectives'),
        (['-E'] + RUNNER + ['a.py'], '-E, -I and -S keep it from'),
    ],
)
def test_what_it_refuses(tmp_path, command, message):
    # where -E hides the package, it is found in the current folder
    code, out, err = run_python(*command, cwd=REPOSITORY)
    assert (code, out) == (2, '')
    # Theano, where it is imported, may warn of something before.
    assert '\nusage: ' in '\n' + err and message in err


# ---------------------------------------------------------------------------
# Its parts, in this process


@pytest.fixture
def command_line(monkeypatch):
    """Pretend that Python was started by this, and found the module or not."""

    def pretend(original, argv):
        monkeypatch.setattr(runner, 'original_arguments', lambda: original)
        monkeypatch.setattr(sys, 'argv', argv)

    return pretend


@pytest.mark.parametrize(
    'options, expected',
    [
        ('-m lasagne_objectives', []),
        ('-mlasagne_objectives', []),
        ('-u -W ignore -m lasagne_objectives', ['-u', '-W', 'ignore']),
        ('-bum lasagne_objectives', ['-bu']),
        ('-O -umlasagne_objectives', ['-O', '-u']),
        ('-m pdb -m lasagne_objectives', ['-m', 'pdb']),
        ('/bin/coverage run -m lasagne_objectives', ['/bin/coverage', 'run']),
        ('-m my_lasagne_objectives', None),
        ('-m other', None),
        ('other', None),
        ('lasagne_objectives', None),
        ('', None),
    ],
)
@pytest.mark.parametrize('after', [[], ['a.py', '-m', 'lasagne_objectives']])
def test_python_options(command_line, options, expected, after):
    command_line(['python'] + options.split() + after, ['-m'] + after)
    assert runner.python_options(sys.argv) == expected


def test_original_arguments():
    code = "from lasagne_objectives.revival.runner import original_arguments\nprint(original_arguments()[1:])"
    _, out, err = run_python('-W', 'ignore', '-c', code, '\xe9', '', cwd=REPOSITORY)
    assert out == repr(['-W', 'ignore', '-c', code, '\xe9', '']) + '\n', err


def test_original_arguments_before_python_3_10(monkeypatch):
    expected = runner.original_arguments()
    monkeypatch.delattr(sys, 'orig_argv', raising=False)
    assert runner.original_arguments() == expected and len(expected) > 0


@pytest.mark.parametrize('quiet, python2', [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize('before', [None, '', 'a' + os.pathsep + 'b'])
def test_main_starts_python(command_line, monkeypatch, quiet, python2, before):
    started = []
    monkeypatch.setattr(runner, 'hand_over', lambda *args: started.append(args))
    monkeypatch.delenv('PYTHONPATH', raising=False)
    if before is not None:
        monkeypatch.setenv('PYTHONPATH', before)
    options = ['-q'] * quiet + ['--python2'] * python2
    command_line(['python', '-u', '-m', 'lasagne_objectives'] + options + ['a.py', '-q'], ['__main__.py'] + options + ['a.py', '-q'])
    runpy.run_path(os.path.join(PACKAGE, '__main__.py'))
    ((command, environ),) = started
    assert command == [sys.executable, '-u', 'a.py', '-q']
    assert environ.pop('LASAGNE_OBJECTIVES_REPORT') == ('' if quiet else '1')
    assert environ.pop('LASAGNE_OBJECTIVES_PYTHON2', '') == '1' * python2
    path = environ.pop('PYTHONPATH').split(os.pathsep)
    assert path[0] == os.path.join(PACKAGE, 'revival', 'startup')
    assert path[1:] == (['a', 'b'] if before else [])
    assert environ == {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}


@pytest.mark.parametrize(
    'arguments, ignore_environment, code', [([], 0, 2), (['-h'], 0, 0), (['-x', 'a.py'], 0, 2), (['a.py'], 1, 2), (['a.py'], 0, 2)]
)
def test_main_refuses(command_line, monkeypatch, capsys, arguments, ignore_environment, code):
    command_line(['python', 'other.py'] + arguments, ['other.py'] + arguments)
    monkeypatch.setattr(sys, 'flags', types.SimpleNamespace(ignore_environment=ignore_environment, no_site=0))
    with pytest.raises(SystemExit) as exit:
        runner.main()
    assert exit.value.code == code
    captured = capsys.readouterr()
    assert 'usage: python -m lasagne_objectives' in (captured.err if code else captured.out)


def test_hand_over_becomes_the_program(monkeypatch):
    class Became(Exception):
        """Raised in the place of what does not return."""

    def execve(*args):
        raise Became(*args)

    monkeypatch.setattr(os, 'execve', execve)
    with pytest.raises(Became) as became:
        runner.hand_over(['python', 'a.py'], {'a': 'b'}, windows=False)
    assert became.value.args == ('python', ['python', 'a.py'], {'a': 'b'})


def test_hand_over_waits_on_windows(monkeypatch):
    ignored = []
    monkeypatch.setattr(signal, 'signal', lambda *args: ignored.append(args))
    environ = dict(os.environ, A='b')
    command = [sys.executable, '-c', "import os, sys; sys.exit(4 if os.environ['A'] == 'b' else 5)"]
    with pytest.raises(SystemExit) as exit:
        runner.hand_over(command, environ, windows=True)
    assert exit.value.code == 4
    assert ignored == [(signal.SIGINT, signal.SIG_IGN)]


# ---------------------------------------------------------------------------
# What Python imports at the start, in this process


@pytest.fixture
def startup(monkeypatch, tmp_path):
    """Runs startup/sitecustomize.py, with another such file behind it."""

    def start(report):
        monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
        monkeypatch.setattr(sys, 'path_hooks', list(sys.path_hooks))
        folder = os.path.join(PACKAGE, 'revival', 'startup')
        monkeypatch.setattr(sys, 'path', [folder, str(tmp_path)] + sys.path)
        (tmp_path / 'sitecustomize.py').write_text('other = True')
        for name in ['sitecustomize', 'lasagne_objectives.revival.lent', 'lasagne_objectives.revival.python2.tree']:
            monkeypatch.setitem(sys.modules, name, None)
        for module in [collections, time]:
            monkeypatch.setattr(module, '__getattr__', None, raising=False)
            monkeypatch.delattr(module, '__getattr__')
        monkeypatch.setenv('LASAGNE_OBJECTIVES_REPORT', report)
        registered = []
        monkeypatch.setattr('atexit.register', registered.append)
        names = runpy.run_path(os.path.join(folder, 'sitecustomize.py'))
        assert sys.path[0] == str(tmp_path)
        assert sys.modules['sitecustomize'].other
        assert sys.meta_path[0] is names['finder']
        assert 'LASAGNE_OBJECTIVES_REPORT' not in os.environ
        return names['finder'], registered

    return start


def test_quiet_startup_registers_nothing(startup):
    assert startup('')[1] == []


@pytest.mark.parametrize('report, said', [('', ''), ('1', 'lasagne_objectives: a sentence\n')])
def test_startup_says_what_is_translated(startup, capsys, report, said):
    startup(report)
    sys.meta_path[1].say('a sentence')
    assert capsys.readouterr().err == said


def test_startup_reports_at_exit(startup, monkeypatch, capsys):
    importlib.import_module('lasagne_objectives.revival.replacement')
    finder, (report,) = startup('1')
    monkeypatch.setattr(sys, '__stderr__', None)
    report()
    monkeypatch.setattr(sys, '__stderr__', sys.stderr)
    report()
    captured = capsys.readouterr()
    assert captured == ('', finder.report() + '\n')
    with monkeypatch.context() as forked:
        forked.setattr(os, 'getpid', lambda: -1)
        report()
    assert capsys.readouterr() == ('', '')


def test_startup_reports_before_anything_is_imported(startup, monkeypatch):
    finder, _ = startup('')
    monkeypatch.delitem(sys.modules, 'lasagne_objectives.revival.replacement', raising=False)
    monkeypatch.delitem(sys.modules, 'lasagne_objectives.revival.lasagne_names', raising=False)
    assert finder.report() == NOTHING


@pytest.mark.parametrize(
    'error, hints',
    [
        (NameError("name 'xrange' is not defined"), 1),
        (ModuleNotFoundError("No module named 'cPickle'"), 1),
        (AttributeError("'dict' object has no attribute 'iteritems'"), 1),
        (NameError("name 'nothing' is not defined"), 0),
        (KeyError('xrange'), 0),
    ],
)
def test_what_only_python_2_has_is_hinted_at(startup, monkeypatch, capsys, error, hints):
    _, (report,) = startup('1')
    monkeypatch.setattr(sys, '__stderr__', sys.stderr)
    monkeypatch.setattr(sys, 'last_value', error, raising=False)
    report()
    assert capsys.readouterr().err.count('run it by python -m lasagne_objectives --python2') == hints


def test_a_script_that_parses_is_python_2_if_one_says_so(tmp_path):
    (tmp_path / 'parses.py').write_text('import sys\nprint(sum(xrange(4)) / 4, sys.argv)')
    code, out, err = run_python(*RUNNER, 'parses.py', cwd=tmp_path)
    assert code == 1 and "name 'xrange' is not defined" in err and '--python2' in err.splitlines()[-2]
    code, out, err = run_python(*RUNNER, '-q', '--python2', 'parses.py', 'a', cwd=tmp_path)
    assert (code, out, err) == (0, "(1, ['parses.py', 'a'])\n", '')


def test_the_report_names_what_was_used(tmp_path):
    code = 'from collections import Iterable; import time, theano; time.clock()'
    code, _, err = run_python(*RUNNER, '-c', code, cwd=tmp_path)
    gone = ['collections.Iterable'] * (sys.version_info >= (3, 10)) + ['time.clock']
    assert code == 0 and ', '.join(gone) + '; replaced in lasagne.objectives: nothing' in err


def test_startup_finds_this_package_wherever_it_is(startup, monkeypatch):
    finder, _ = startup('')
    monkeypatch.setattr(sys, 'path', [])
    spec = importlib.util.find_spec('lasagne_objectives.revival.runner')
    assert spec.origin == runner.__file__
    assert finder.find_spec('lasagne_objectives').origin == lasagne_objectives.__file__
    assert finder.find_spec('os') is None


@pytest.mark.parametrize('name', ['theano', 'lasagne', 'nolearn', 'sklearn'])
@pytest.mark.parametrize('there', [True, False])
def test_startup_prepares_once_where_there_is_numpy(startup, monkeypatch, name, there):
    finder, _ = startup('')
    provided = []
    monkeypatch.setattr(lasagne_names, 'provide', lambda: provided.append(1))
    monkeypatch.setattr(importlib.util, 'find_spec', {'numpy': there or None, name: 'the spec'}.get)
    assert finder.find_spec(name) == 'the spec'
    assert finder.find_spec(name) is None  # of another finder
    assert provided == [1] * there


@pytest.mark.parametrize('name', ['lasagne.layers', 'theano.tensor.signal.downsample'])
def test_startup_installs_once(startup, monkeypatch, name):
    finder, _ = startup('')
    installed = []
    monkeypatch.setattr(lasagne_objectives, 'install', lambda: installed.append(name), raising=False)
    monkeypatch.setattr(importlib.util, 'find_spec', {name: 'a spec'}.get)
    assert finder.find_spec(name) == 'a spec'
    assert finder.find_spec(name) is None
    assert installed == [name]
