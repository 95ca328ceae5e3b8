"""Runs Theano's own tests on this Python and NumPy, as `make test-theano` does.

They are installed with Theano. Some fail where Theano runs unaided, on
CPython 3.10 with NumPy 1.21.6: fails_unaided.txt lists these, `--record`
writes it. What fails beside them must be explained in explained.txt, one line
each; anything else is an error. Other arguments are pytest's.
"""

import os
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
UNAIDED = os.path.join(HERE, 'fails_unaided.txt')
EXPLAINED = os.path.join(HERE, 'explained.txt')
CACHE = os.path.join(os.path.dirname(os.path.dirname(HERE)), '.theano', 'theanos_own')

MODULES = ['tensor.tests.test_%s' % name for name in ['basic', 'opt', 'subtensor', 'elemwise']]
MODULES += ['tensor.nnet.tests.test_nnet', 'scan_module.tests.test_scan', 'compile.tests.test_function_module', 'gof.tests', 'scalar.tests']


def run(arguments):
    """Run the tests: the names of all, and of those that fail."""
    flags = 'base_compiledir=%s,on_opt_error=raise,blas.ldflags=' % CACHE
    path = os.pathsep.join(filter(None, [HERE, os.environ.get('PYTHONPATH', '')]))
    environ = dict(os.environ, THEANO_FLAGS=flags, PYTHONPATH=path)
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, 'report.xml')
        command = [sys.executable, '-m', 'pytest', '-p', 'plugin', '-p', 'no:cacheprovider', '-q', '--disable-warnings', '--tb=short']
        command += ['--junitxml=' + report] + arguments + ['--pyargs'] + ['theano.' + name for name in MODULES]
        # not this repository, whose settings are for its own tests
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


def main():
    arguments = sys.argv[1:]
    record = '--record' in arguments
    if record:
        arguments.remove('--record')
    ran, failed = run(arguments)
    if record:
        with open(UNAIDED, 'w', encoding='utf-8') as file:
            file.write('\n'.join(sorted(failed)) + '\n')
    new = failed - names_in(UNAIDED) - names_in(EXPLAINED)
    print(
        'Theano\'s own tests: %d ran, %d failed, of these %d not where Theano runs unaided, and %d unexplained'
        % (len(ran), len(failed), len(failed - names_in(UNAIDED)), len(new))
    )
    print('\n'.join(sorted(new)))
    sys.exit(bool(new) or not ran)


if __name__ == '__main__':
    main()
