"""The installer of Theano: what it does, says, and leaves behind.

A script stands for pip and uv where these would do what they are asked to; in
the last part pip itself is asked, without a network.
"""

import fcntl
import os
import signal
import site
import subprocess
import sys
import sysconfig
import time
import types
import venv
import zipfile

import pytest

import lasagne_objectives
from lasagne_objectives.revival import runner, theano_installer
from lasagne_objectives.revival.theano_installer import MEANINGS, InstallationError, Workshop, main, meaning_of

# ---------------------------------------------------------------------------
# An environment without Theano, and a pip that installs there

PIP = """\
import os, signal, sys, time, zipfile
ask, arguments = sys.argv[1], sys.argv[2:]
wanted = arguments[-1].replace('==', '>=').split('>=')[0]
print(ask, *arguments)
if %(when)r == ask + ' ' + wanted:
    %(what)s
if ask == 'wheel':
    folder = arguments[arguments.index('--wheel-dir') + 1]
    os.mkdir(folder)
    with zipfile.ZipFile(os.path.join(folder, wanted + '-1.0-py3-none-any.whl'), 'w') as wheel:
        wheel.writestr(wanted + '/__init__.py', '')
else:
    for name in %(names)r:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        open(name, 'w').close()
if %(when)r == 'end of ' + ask + ' ' + wanted:
    %(what)s
"""


class Environment:
    """Where the installer believes to be: three folders and a pip.

    Parameters
    ----------
    folder : pathlib.Path
        An empty one.
    """

    def __init__(self, folder):
        self.purelib = folder / 'site-packages'
        self.scripts = folder / 'bin'
        self.user = folder / 'user'
        self.temporary = folder / 'tmp'
        for each in (self.purelib, self.scripts, self.temporary):
            each.mkdir()
        self.pip = folder / 'pip.py'
        # what Theano's wheel has: also a package named bin
        self.installed = [
            str(self.purelib / name)
            for name in ('theano/__init__.py', 'theano/tensor/basic.py', 'theano-1.0.5.dist-info/RECORD', 'bin/theano_cache.py')
        ] + [str(self.scripts / 'theano-cache')]
        self.root = folder
        self.does()

    def does(self, when='', what='pass'):
        """Have pip do something of Python's when it is asked for something."""
        self.pip.write_text(PIP % dict(when=when, what=what, names=self.installed))

    def fails(self, when, saying):
        """Have pip fail."""
        self.does(when, 'print(%r); sys.exit(1)' % saying)

    def files(self):
        return sorted(str(path) for path in self.root.rglob('*') if path != self.pip)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    here = Environment(tmp_path)
    monkeypatch.setattr(
        theano_installer,
        'sysconfig',
        types.SimpleNamespace(get_path=lambda name: str(getattr(here, name))),
    )
    monkeypatch.setattr(
        theano_installer,
        'site',
        types.SimpleNamespace(
            getusersitepackages=lambda: str(here.user / 'site-packages'),
            getuserbase=lambda: str(here.user),
            ENABLE_USER_SITE=False,
        ),
    )
    monkeypatch.setattr(theano_installer, 'theano_here', lambda: (None, None))
    monkeypatch.setattr(theano_installer, 'find_pip', lambda: [sys.executable, str(here.pip)])
    monkeypatch.setattr(theano_installer.tempfile, 'tempdir', str(here.temporary))
    return here


# ---------------------------------------------------------------------------
# What is done


def test_pip_gets_setuptools_builds_theano_and_installs_it(environment, monkeypatch, capsys):
    asked = []
    run = Workshop.run
    monkeypatch.setattr(Workshop, 'run', lambda self, command: asked.append(command[2:]) or run(self, command))
    before = environment.files()
    assert main() == 0
    out, err = capsys.readouterr()
    assert out.startswith('Installing Theano==1.0.5, less than a minute ...\nTheano 1.0.5 is installed, in ')
    assert out.endswith('Import lasagne_objectives before it.\n') and not err
    get, build, install, _ = asked
    assert get[:2] == ['wheel', '--no-deps'] and get[-1] == 'setuptools>=70.1'
    assert build[:2] == ['wheel', '--no-deps'] and build[-2:] == ['--no-build-isolation', 'Theano==1.0.5']
    assert install[:2] == ['install', '--no-deps'] and install[-1] == 'Theano==1.0.5'
    assert install[install.index('--find-links') + 1] == build[build.index('--wheel-dir') + 1]
    # and nothing else is in the environment, nor in the temporary folder
    new = set(environment.files()) - set(before)
    assert {path for path in new if not os.path.isdir(path)} == set(environment.installed)


def test_uv_serves_where_there_is_no_pip(environment, monkeypatch, capsys):
    monkeypatch.setattr(theano_installer, 'find_pip', lambda: None)
    monkeypatch.setattr(theano_installer, 'find_uv', lambda: [sys.executable, str(environment.pip)])
    asked = []
    run = Workshop.run
    monkeypatch.setattr(Workshop, 'run', lambda self, command: asked.append(command[2:]) or run(self, command))
    assert main() == 0
    assert asked[0] == ['pip', 'install', '--no-deps', '--python', sys.executable, 'Theano==1.0.5']
    assert 'Theano 1.0.5 is installed' in capsys.readouterr().out


def test_what_is_run_has_the_names_and_setuptools_and_the_path_of_before(environment, monkeypatch):
    """Also a sitecustomize of the user's is still imported."""
    folder = environment.root / 'users'
    folder.mkdir()
    (folder / 'sitecustomize.py').write_text('import sys; sys.users = True')
    code = (
        'import configparser, os, sys, tempfile; print(sys.users, configparser.SafeConfigParser().readfp.__name__, '
        'os.environ["PYTHONPATH"], tempfile.gettempdir())'
    )
    monkeypatch.setenv('PYTHONPATH', str(folder))
    with Workshop() as workshop:
        done = workshop.run([sys.executable, '-c', code])
        then, tools = (os.path.join(workshop.folder, name) for name in ('then', 'tools'))
        # before Python 3.12 it has the name, and warns, before or after it prints
        (words,) = [line.split() for line in done.stdout.splitlines() if line.startswith('True')]
        assert words[2:] == [os.pathsep.join([then, tools, str(folder)]), workshop.folder]
        monkeypatch.delenv('PYTHONPATH')
        done = workshop.run([sys.executable, '-c', code.replace('sys.users', '"alone"')])
        (words,) = [line.split() for line in done.stdout.splitlines() if line.startswith('alone')]
        assert words[2:] == [os.pathsep.join([then, tools]), workshop.folder]


def test_the_option_of_the_runner(monkeypatch, capsys):
    monkeypatch.setattr(theano_installer, 'main', lambda: 'done')
    monkeypatch.setattr(sys, 'argv', ['lasagne_objectives', '--install-theano'])
    with pytest.raises(SystemExit) as stopped:
        runner.main()
    assert stopped.value.code == 'done'
    monkeypatch.setattr(sys, 'argv', ['lasagne_objectives', '--install-theano', 'train.py'])
    with pytest.raises(SystemExit) as stopped:
        runner.main()
    assert stopped.value.code == 2
    assert '--install-theano is given alone, without a script' in capsys.readouterr().err


# ---------------------------------------------------------------------------
# What is there already


def test_nothing_is_done_where_theano_is(capsys):
    assert main() == 0
    assert capsys.readouterr().out == 'Nothing to do: Theano is installed, in %s.\n' % os.path.dirname(sys.modules['theano'].__file__)


@pytest.mark.parametrize(
    'version, result',
    [
        ('1.0.5', 0),
        ('1.0.5+2.gd3ad', 0),
        (None, 0),
        ('1.0.4', 'Theano was not installed: Theano 1.0.4 is in /there, but lasagne_objectives needs 1.0.5: '),
    ],
)
def test_another_theano_stays(monkeypatch, version, result):
    monkeypatch.setattr(theano_installer, 'theano_here', lambda: (version, '/there'))
    outcome = main()
    assert outcome == result or outcome == result + 'uninstall it, then do this again.'


def test_where_theano_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, 'theano')
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    assert theano_installer.theano_here() == (None, None)
    (tmp_path / 'theano').mkdir()
    theano_installer.importlib.invalidate_caches()
    assert theano_installer.theano_here() == (None, None)  # what uninstalling left
    (tmp_path / 'theano' / '__init__.py').touch()
    theano_installer.importlib.invalidate_caches()
    assert theano_installer.theano_here() == (None, str(tmp_path / 'theano'))
    (tmp_path / 'Theano-1.0.4.dist-info').mkdir()
    (tmp_path / 'Theano-1.0.4.dist-info' / 'METADATA').write_text('Name: Theano\nVersion: 1.0.4\n')
    theano_installer.importlib.invalidate_caches()
    assert theano_installer.theano_here() == ('1.0.4', str(tmp_path / 'theano'))


# ---------------------------------------------------------------------------
# What can be wrong: an error, and nothing is left


def test_neither_pip_nor_uv(environment, monkeypatch):
    monkeypatch.setattr(theano_installer, 'find_pip', lambda: None)
    monkeypatch.setattr(theano_installer, 'find_uv', lambda: None)
    assert main() == (
        'Theano was not installed: this environment has no pip, and there is no uv in the PATH: '
        'run %s -m ensurepip, then this again.' % sys.executable
    )


def test_pip_and_uv_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    for name in ('pip', 'uv'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    theano_installer.importlib.invalidate_caches()
    assert theano_installer.find_pip() is None and theano_installer.find_uv() is None
    for name in ('pip', 'uv'):
        (tmp_path / (name + '.py')).touch()
    theano_installer.importlib.invalidate_caches()
    assert theano_installer.find_pip()[:3] == [sys.executable, '-m', 'pip']
    assert theano_installer.find_uv() == [sys.executable, '-m', 'uv']
    (tmp_path / 'uv').touch(mode=0o755)
    assert theano_installer.find_uv() == [str(tmp_path / 'uv')]


def test_a_read_only_environment_is_refused_before_anything_is_built(environment, monkeypatch):
    # no mode of a folder keeps root from writing
    environment.purelib = environment.root / 'nowhere'
    monkeypatch.delattr(Workshop, 'run')
    outcome = main()
    assert outcome.startswith('Theano was not installed: %s cannot be written to. Make a virtual environment' % environment.purelib)
    # where pip would install for this user alone, it is pip's to say
    theano_installer.site.ENABLE_USER_SITE = True
    theano_installer.refuse_read_only()


@pytest.mark.parametrize(
    'said, meaning',
    [
        (
            'error: externally-managed-environment\n\n× This environment is externally managed',
            'this Python belongs to the operating system',
        ),
        (
            "WARNING: Retrying ... after connection broken by 'NewConnectionError'\nERROR: No matching distribution found for x",
            'cannot be reached',
        ),
        ("WARNING: ... 'ProxyError('Cannot connect to proxy.')'", 'cannot be reached'),
        ('error: Failed to fetch: `http://x`\n  cause: operation timed out', 'cannot be reached'),
        ('ERROR: No matching distribution found for Theano==1.0.5', 'does not have it'),
        ('error: No solution found when resolving dependencies', 'does not have it'),
        ("ERROR: Could not install packages due to an OSError: [Errno 30] Read-only file system: 'x'", 'cannot be written to'),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: 'x'", 'cannot be written to'),
        ('Segmentation fault', 'is above'),
        ('', 'is above'),
    ],
)
def test_what_pip_and_uv_say_is_explained(said, meaning):
    assert meaning in meaning_of(said)


def test_explanations_are_one_or_two_sentences():
    for _, meaning in MEANINGS:
        assert meaning.endswith('.') and meaning.count('. ') <= 1


@pytest.mark.parametrize('when', ['wheel setuptools', 'wheel Theano', 'install Theano', 'end of install Theano'])
def test_a_failure_leaves_nothing(environment, capsys, when):
    before = environment.files()
    environment.fails(when, 'ERROR: No matching distribution found')
    what = 'setuptools, which builds it,' if when == 'wheel setuptools' else 'Theano==1.0.5'
    assert main().startswith('Theano was not installed: %s could not be had: the package index does not have it' % what)
    assert environment.files() == before
    # pip's own words, and what it was asked
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith(when.replace('end of ', '').split()[0]) and err[1] == 'ERROR: No matching distribution found'


def test_a_failure_leaves_what_was_there(environment):
    """Also in folders of the names that Theano has."""
    for name in ('theano/__pycache__', 'bin'):
        (environment.purelib / name).mkdir(parents=True)
    (environment.purelib / 'bin' / 'mine.py').touch()
    (environment.purelib / 'theano' / 'link').symlink_to(environment.purelib / 'bin')
    before = environment.files()
    environment.fails('end of install Theano', '')
    assert main().endswith('is above.')
    assert environment.files() == before


def test_a_full_disk(environment, monkeypatch):
    def full(*arguments):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(zipfile.ZipFile, 'extractall', full)
    before = environment.files()
    assert main() == 'Theano was not installed: [Errno 28] No space left on device'
    assert environment.files() == before


def test_pip_puts_it_where_python_does_not_look(environment, monkeypatch):
    monkeypatch.setattr(Workshop, 'run', lambda *_: subprocess.CompletedProcess([], 1, ''))
    with pytest.raises(InstallationError, match="does not look: take target, prefix and root out of pip's settings"):
        theano_installer.place_of_new(Workshop())


# ---------------------------------------------------------------------------
# Stopped in the middle

WAIT = 'os.kill(os.getppid(), signal.%s); time.sleep(60)'


@pytest.fixture
def heeded():
    """Signals that whoever started the tests may have told them to ignore."""
    former = {number: signal.signal(number, signal.default_int_handler) for number in theano_installer.STOPS}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize('when', ['wheel setuptools', 'wheel Theano', 'end of install Theano'])
@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGHUP'])
def test_a_signal_leaves_nothing(environment, capsys, heeded, name, when):
    before = environment.files()
    handlers = [signal.getsignal(number) for number in theano_installer.STOPS]
    environment.does(when, WAIT % name)
    assert main() == 128 + getattr(signal, name)
    assert capsys.readouterr().err == 'Stopped: nothing was installed.\n'
    assert environment.files() == before
    assert [signal.getsignal(number) for number in theano_installer.STOPS] == handlers


def test_who_does_not_heed_it_is_killed_with_all_it_has_started(environment, monkeypatch, heeded):
    monkeypatch.setattr(theano_installer, 'GRACE', 0.1)
    # open in both, and locked until both are gone
    lock = environment.root / 'lock'
    what = (
        'import fcntl, subprocess; signal.signal(signal.SIGINT, signal.SIG_IGN); file = open(%r, "w"); '
        'fcntl.flock(file, fcntl.LOCK_EX); '
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], pass_fds=[file.fileno()]); " % str(lock)
    )
    environment.does('wheel Theano', what + WAIT % 'SIGINT')
    assert main() == 130
    with lock.open() as file:
        deadline = time.time() + 10
        while not is_free(file):
            assert time.time() < deadline
            time.sleep(0.05)


def is_free(file):
    """Whether nobody has a lock on a file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_what_was_started_not_to_be_stopped_goes_on(environment):
    """As with nohup."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        environment.does('wheel Theano', 'os.kill(os.getppid(), signal.SIGHUP)')
        assert main() == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


# ---------------------------------------------------------------------------
# A real environment, and pip itself, without a network


@pytest.fixture(scope='module')
def libraries(tmp_path_factory):
    """A folder with what an environment has after pip install, but Theano."""
    folder = tmp_path_factory.mktemp('libraries')
    import numpy

    beside = os.path.dirname(os.path.dirname(numpy.__file__))
    for name in ('numpy', 'numpy.libs'):
        if os.path.exists(os.path.join(beside, name)):
            (folder / name).symlink_to(os.path.join(beside, name))
    (folder / 'lasagne_objectives').symlink_to(os.path.dirname(lasagne_objectives.__file__))
    return folder


@pytest.fixture
def real(tmp_path, libraries, monkeypatch):
    """Runs the command in an environment of its own, with pip if asked."""
    venv.create(str(tmp_path / 'env'), symlinks=True)
    python = str(tmp_path / 'env' / 'bin' / 'python')
    for name in [name for name in os.environ if name.startswith(('PIP_', 'PYTHON'))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv('PYTHONPATH', str(libraries))
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)
    monkeypatch.setenv('PIP_NO_CACHE_DIR', '1')
    (tmp_path / 'tmp').mkdir()
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'tmp'))

    def install(pip=True, **settings):
        if pip:
            import pip

            purelib = sysconfig.get_path('purelib', vars={'base': str(tmp_path / 'env')})
            os.symlink(os.path.dirname(pip.__file__), os.path.join(purelib, 'pip'))
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        before = sorted(str(path) for path in tmp_path.rglob('*') if '__pycache__' not in str(path))
        done = subprocess.run(
            [python, '-m', 'lasagne_objectives', '--install-theano'],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            cwd=str(tmp_path),
        )
        after = sorted(str(path) for path in tmp_path.rglob('*') if '__pycache__' not in str(path))
        return done, [path for path in after if path not in before], python

    return install


def test_the_import_names_the_command(real, tmp_path):
    _, _, python = real(pip=False)
    done = subprocess.run([python, '-c', 'import lasagne_objectives'], stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 1
    assert done.stderr.endswith('run %s -m lasagne_objectives --install-theano\n' % python)


def test_an_environment_without_pip(real):
    done, new, python = real(pip=False)
    assert done.returncode == 1 and not new
    assert done.stderr.endswith('run %s -m ensurepip, then this again.\n' % python)


def test_no_network(real):
    done, new, _ = real(PIP_INDEX_URL='http://127.0.0.1:9/simple', PIP_RETRIES='1')
    assert done.returncode == 1 and not new
    assert 'the package index cannot be reached. Check the network' in done.stderr.splitlines()[-1]


def test_an_index_without_theano(real, tmp_path):
    done, new, _ = real(PIP_INDEX_URL=tmp_path.as_uri())
    assert done.returncode == 1 and not new
    assert 'the package index does not have it' in done.stderr.splitlines()[-1]


# A setuptools that does just what is needed here, and a Theano whose setup.py
# calls what the real one calls.
BUILD_META = '''
import os, runpy, zipfile

class Backend:
    def build_wheel(self, folder, settings=None, metadata=None):
        runpy.run_path('setup.py')
        name = 'theano-1.0.5-py3-none-any.whl'
        info = 'theano-1.0.5.dist-info/'
        with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
            wheel.writestr('theano/__init__.py', '')
            wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: Theano\\nVersion: 1.0.5\\nRequires-Dist: not-there\\n')
            wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
            wheel.writestr(info + 'RECORD', '')
        return name

__legacy__ = Backend()
'''
SETUP = '''
import configparser
with open('setup.cfg') as file:
    configparser.SafeConfigParser().readfp(file)
'''


@pytest.fixture
def index(tmp_path_factory):
    """A folder of these two, where pip finds them."""
    folder = tmp_path_factory.mktemp('index')
    with zipfile.ZipFile(str(folder / 'setuptools-99.0-py3-none-any.whl'), 'w') as wheel:
        info = 'setuptools-99.0.dist-info/'
        wheel.writestr('setuptools/__init__.py', '')
        wheel.writestr('setuptools/build_meta.py', BUILD_META)
        wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: setuptools\nVersion: 99.0\n')
        wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr(info + 'RECORD', '')
    with zipfile.ZipFile(str(folder / 'Theano-1.0.5.zip'), 'w') as sdist:
        for name, text in [
            ('setup.py', SETUP),
            ('setup.cfg', ''),
            ('PKG-INFO', 'Metadata-Version: 1.0\nName: Theano\nVersion: 1.0.5\n'),
            # pips of these years disagree on what its absence means
            ('pyproject.toml', '[build-system]\nrequires = []\nbuild-backend = "setuptools.build_meta:__legacy__"\n'),
        ]:
            sdist.writestr('Theano-1.0.5/' + name, text)
    return folder


def test_pip_installs_it(real, index):
    done, new, python = real(PIP_NO_INDEX='1', PIP_FIND_LINKS=str(index))
    assert done.returncode == 0, done.stderr
    assert 'Theano 1.0.5 is installed' in done.stdout
    folders = {os.path.relpath(path, os.path.dirname(python)).split(os.sep)[-2] for path in new if os.path.isfile(path)}
    assert folders == {'theano', 'theano-1.0.5.dist-info'}
    frozen = subprocess.run([python, '-m', 'pip', 'freeze'], stdout=subprocess.PIPE, universal_newlines=True).stdout
    assert 'Theano==1.0.5' in frozen.splitlines()  # not the path of a file that is gone
    again, new, _ = real(pip=False)
    assert again.returncode == 0 and again.stdout.startswith('Nothing to do: Theano is installed, in ') and not new


def test_the_places_are_those_of_python():
    """Not only where the tests above have it believe to be."""
    parts = theano_installer.parts_of_theano()
    folder = os.path.dirname(sys.modules['theano'].__file__)
    places = [sysconfig.get_path('purelib'), site.getusersitepackages()]
    assert (os.path.join(folder, 'tensor', 'basic.py') in parts) == (os.path.dirname(folder) in places)
