"""The headers that all of Theano's modules include, compiled once.

They, and what debuggers are told of them, are half of g++'s work. Where options differ it reads the headers as always, and
so does clang, which would refuse what is not for it.
"""

import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

INCLUDED = ['Python.h', 'iostream', 'math.h', 'string.h', 'stdlib.h', 'numpy/arrayobject.h', 'numpy/arrayscalars.h']


def flags_with_headers(flags, folder):
    """THEANO_FLAGS for this process and all that it starts, once the headers are compiled for them.

    Parameters
    ----------
    flags : str
        Those that the user has given.
    folder : str
        Where the headers stay for the next run of the tests.
    """
    cxxflags = ''.join(re.findall('gcc.cxxflags=([^,]*)', flags))
    # There already, by the process that started this one; or Theano would split the path.
    if '-include ' in cxxflags or ' ' in folder:
        return flags
    # not before coverage is measured: nothing here imports NumPy or the package
    compiler = ''.join(re.findall('cxx=([^,]*)', flags))
    state = '%s %s %s %s' % (sys.version, importlib.metadata.version('numpy'), cxxflags, compiler)
    file = os.path.join(folder, 'headers-' + hashlib.md5(state.encode()).hexdigest()[:12], 'theano.hpp')
    if not os.path.exists(file):
        subprocess.check_call([sys.executable, __file__, file], env=dict(os.environ, THEANO_FLAGS=flags))
    return '%s,gcc.cxxflags=%s' % (flags, (cxxflags + ' -g0 -include ' + file).strip())


def compile_all(file):
    """Compile the headers with the options of Theano's own modules, and with those of our kernels."""
    import lasagne_objectives  # noqa: F401 (before theano)
    import theano
    from lasagne_objectives.kernels.c_kernel import CKernel
    from theano.gof import cmodule

    folder = os.path.dirname(file)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    made = tempfile.mkdtemp(dir=os.path.dirname(folder))
    header = os.path.join(made, os.path.basename(file))
    with open(header, 'w') as text:
        text.writelines('#include <%s>\n' % name for name in INCLUDED)
    compiler = theano.config.cxx
    takes_result = compiler and 'clang' not in compiler
    if takes_result:
        os.mkdir(header + '.gch')
    own = ['-O3', '-fno-math-errno'] + cmodule.GCC_compiler.compile_args() + ['-fPIC', '-fvisibility=hidden', '-g0']
    own += ['-I' + include for include in cmodule.std_include_dirs()]
    for name, args in [('theano', []), ('kernels', CKernel().c_compile_args())] if takes_result else []:
        made_of_it = ['-x', 'c++-header', header, '-o', os.path.join(header + '.gch', name)]
        subprocess.call(shlex.split(compiler) + args + own + made_of_it)
    try:
        os.rename(made, folder)
    except OSError:  # another process was quicker
        shutil.rmtree(made)


if __name__ == '__main__':
    compile_all(sys.argv[1])
