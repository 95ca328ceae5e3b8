"""Runs Theano's own tests on this Python and NumPy, as `make test-theano` does.

They are installed with Theano. Some fail where Theano runs unaided, on
CPython 3.10 with NumPy 1.21.6: fails_unaided.txt lists these, `--record`
writes it, keeping what it says of modules that are not run. What fails beside them must be explained in explained.txt, one line
each; anything else is an error. Other arguments are pytest's.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))
from headers import flags_with_headers  # noqa: E402

UNAIDED = os.path.join(HERE, 'fails_unaided.txt')
EXPLAINED = os.path.join(HERE, 'explained.txt')
CACHE = os.path.join(os.path.dirname(os.path.dirname(HERE)), '.theano', 'theanos_own')

MODULES = ['theano.tensor.tests.test_%s' % name for name in ['basic', 'opt', 'subtensor', 'elemwise']]
MODULES += ['theano.tensor.nnet.tests.test_nnet', 'theano.scan_module.tests.test_scan', 'theano.compile.tests.test_function_module']
MODULES += ['theano.gof.tests', 'theano.scalar.tests']


def run(arguments, modules):
    """Run the tests of modules: the names of all, and of those that fail."""
    # Compiled quickly: how well g++ optimises is not the question, and most is compiled for one call.
    flags = flags_with_headers('base_compiledir=%s,on_opt_error=raise,blas.ldflags=,gcc.cxxflags=-O0' % CACHE, os.path.dirname(CACHE))
    path = os.pathsep.join(filter(None, [HERE, os.environ.get('PYTHONPATH', '')]))
    environ = dict(os.environ, THEANO_FLAGS=flags, PYTHONPATH=path)
    # so that names begin with theano.; it is not this repository, whose settings are for its own tests
    site_packages = os.path.dirname(importlib.util.find_spec('theano').submodule_search_locations[0])
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, 'report.xml')
        command = [sys.executable, '-m', 'pytest', '-p', 'plugin', '-p', 'no:cacheprovider', '-q', '--disable-warnings', '--tb=short']
        command += ['--junitxml=' + report, '--rootdir=' + site_packages] + arguments
        command += ['--pyargs'] + modules
        subprocess.call(command, cwd=folder, env=environ)
        cases = list(ElementTree.parse(report).iter('testcase'))
    failed = [case for case in cases if case.find('failure') is not None or case.find('error') is not None]
    return name_of(cases), name_of(failed)


def name_of(cases):
    return {'%s::%s' % (case.get('classname'), case.get('name')) for case in cases}


def names_in(file):
    """The names in a list: the first word of each line that is no comment."""
    with open(file, encoding='utf-8') as lines:
        return {line.split()[0] for line in lines if line.strip() and not line.startswith('#')}


def record(ran, failed):
    names = names_in(UNAIDED) - ran | failed
    with open(UNAIDED, 'w', encoding='utf-8') as file:
        file.write('# What fails on CPython 3.10 with NumPy 1.21.6, where Theano runs unaided. Written by run.py --record.\n')
        file.write('\n'.join(sorted(names)) + '\n')


def main():
    modules = [name for name in sys.argv[1:] if name.startswith('theano.')] or MODULES
    arguments = [name for name in sys.argv[1:] if name not in modules + ['--record']]
    ran, failed = run(arguments, modules)
    if '--record' in sys.argv:
        record(ran, failed)
    new = failed - names_in(UNAIDED) - names_in(EXPLAINED)
    print(
        'Theano\'s own tests: %d ran, %d failed, of these %d not where Theano runs unaided, and %d unexplained'
        % (len(ran), len(failed), len(failed - names_in(UNAIDED)), len(new))
    )
    print('\n'.join(sorted(new)))
    sys.exit(bool(new) or not ran)


if __name__ == '__main__':
    main()
