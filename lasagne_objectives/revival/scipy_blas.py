"""A library for linking that passes calls of BLAS on to the one in SciPy.

NumPy and SciPy bring an OpenBLAS, but hide it: it is not in a folder where a
linker looks, and its functions have names of their own. Theano requires SciPy,
and ``scipy.linalg.cython_blas`` gives the address of each function of BLAS by
its true name, wherever SciPy comes from. So a small library with these names,
which looks the addresses up when it is loaded, is what Theano links.
"""

import hashlib
import os
import tempfile

__all__ = ['linker_flags']

# What Theano's C calls: by name, how many arguments, for which types of
# numbers, and whether it returns one. All arguments are pointers.
ROUTINES = [
    ('axpy', 6, 'sdcz', False),
    ('copy', 5, 'sdcz', False),
    ('dot', 5, 'sd', True),
    ('gemm', 13, 'sdcz', False),
    ('gemv', 11, 'sdcz', False),
    ('ger', 9, 'sd', False),
    ('scal', 4, 'sdcz', False),
    ('swap', 5, 'sdcz', False),
]
C_TYPES = {'s': 'float', 'd': 'double'}

CODE = """
#include <Python.h>

%(functions)s

/* The address that SciPy gives. Its name is the signature. */
static void *in_scipy(PyObject *capsules, const char *name) {
    PyObject *capsule = PyDict_GetItemString(capsules, name);
    if (capsule == NULL) Py_FatalError("scipy.linalg.cython_blas has changed");
    return PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule));
}

__attribute__((constructor)) static void look_up(void) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *module = PyImport_ImportModule("scipy.linalg.cython_blas");
    if (module == NULL) Py_FatalError("scipy.linalg.cython_blas is gone");
    PyObject *capsules = PyObject_GetAttrString(module, "__pyx_capi__");
    if (capsules == NULL) Py_FatalError("scipy.linalg.cython_blas is another");
    %(lookups)s
    Py_DECREF(capsules);
    PyGILState_Release(state);
}
"""

FUNCTION = """
typedef %(type)s (*%(name)s_type)(%(types)s);
static %(name)s_type %(name)s;
extern "C" %(type)s %(name)s_(%(parameters)s) {
    return %(name)s(%(arguments)s);
}
"""

LOOKUP = '%(name)s = (%(name)s_type)in_scipy(capsules, "%(name)s");\n    '


def code():
    """C++ code of the library.

    Returns
    -------
    str
    """
    functions = [
        {
            'name': letter + routine,
            'type': C_TYPES[letter] if returns else 'void',
            'types': ', '.join(['void *'] * count),
            'parameters': ', '.join('void *x%d' % i for i in range(count)),
            'arguments': ', '.join('x%d' % i for i in range(count)),
        }
        for routine, count, letters, returns in ROUTINES
        for letter in letters
    ]
    return CODE % {
        'functions': ''.join(FUNCTION % function for function in functions),
        'lookups': ''.join(LOOKUP % function for function in functions),
    }


def is_usable():
    """Whether there is a SciPy whose functions take integers of C's ``int``.

    Theano calls them with such.
    """
    try:
        from scipy.linalg import cython_blas
    except ImportError:
        return False
    names = {
        letter + routine
        for routine, _, letters, _ in ROUTINES
        for letter in letters
    }
    capsules = cython_blas.__pyx_capi__
    return names <= set(capsules) and '(int *,' in repr(capsules['dscal'])


def linker_flags(cmodule):
    """Make the library, unless it is there, and say how to link it.

    Parameters
    ----------
    cmodule : module
        ``theano.gof.cmodule``.

    Returns
    -------
    str
        A value for Theano's flag ``blas.ldflags``, empty if there is no
        compiler, no SciPy, or no folder for the library.
    """
    if not cmodule.config.cxx or not is_usable():
        return ''
    source = code()
    name = 'scipy_blas_' + digest(source)
    folder = place(cmodule.config.compiledir, name)
    if not folder:
        return ''
    file = 'lib%s.%s' % (name, cmodule.get_lib_extension())
    if not os.path.exists(os.path.join(folder, file)):
        build(cmodule, source, folder, file)
    return '-L%s -l%s' % (folder, name)


def digest(text):
    """A name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def place(compiledir, name):
    """Make the folder for the library.

    Theano splits its flag at blanks, so there may be none in the folder's
    name. If there are in that of Theano's cache, it is one for temporary
    files, by a name that stays: compiled modules look for the library there.

    Parameters
    ----------
    compiledir : str
        Theano's cache.
    name : str

    Returns
    -------
    str
        Empty if there is no folder that is only ours to write.
    """
    folder = os.path.join(compiledir, name)
    if not has_blank(folder):
        os.makedirs(folder, exist_ok=True)
        return folder
    folder = os.path.join(
        tempfile.gettempdir(), '%s_%s' % (name, digest(compiledir))
    )
    if has_blank(folder):
        return ''
    os.makedirs(folder, mode=0o700, exist_ok=True)
    is_ours = os.stat(folder).st_uid == getattr(os, 'getuid', int)()
    return folder if is_ours else ''


def has_blank(text):
    """Whether a text would be split."""
    return len(text.split()) > 1


def build(cmodule, source, folder, file):
    """Compile the library, and put it in its place when it is whole.

    Parameters
    ----------
    cmodule : module
        ``theano.gof.cmodule``.
    source : str
        Its code.
    folder, file : str
        Its place.
    """
    with tempfile.TemporaryDirectory(dir=folder) as workshop:
        cmodule.GCC_compiler.compile_str(
            os.path.splitext(file)[0],
            source,
            location=workshop,
            preargs=['-O2', '-fPIC'],
            py_module=False,
            hide_symbols=False,
        )
        # another process may be doing the same
        os.replace(os.path.join(workshop, file), os.path.join(folder, file))
