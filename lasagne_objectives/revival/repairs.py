"""Functions of Theano 1.0.5 that need more than names to be right again.

Each function here repairs the module that it is listed for, after that has
been loaded. They replace as little as possible, and say what for.
"""

import copy
import importlib
import importlib.util
import zlib

import numpy as np

from lasagne_objectives.revival.numpy_then import as_dtype
from lasagne_objectives.revival.scipy_blas import linker_flags

__all__ = ['lend_blas', 'repairs_of', 'wanted_anywhere']


def find_blas(cmodule):
    """NumPy 1.22 and later do not tell Theano what BLAS they were built with.

    So the default of the flag ``blas.ldflags`` is to link OpenBLAS, if that
    is installed for linking, else the BLAS inside SciPy. A plain ``-lblas``
    may be the reference implementation, which is slow.
    """
    from theano.configdefaults import try_blas_flag

    flag = type(cmodule.config.blas).ldflags
    flag.default = lambda: (
        try_blas_flag(['-lopenblas']) or linker_flags(cmodule)
    )


def lend_blas(cmodule):
    """Before NumPy 1.22: the BLAS that NumPy was built with is not installed.

    That of its wheels is inside of them, and not for linking.
    """
    flag = type(cmodule.config.blas).ldflags
    before = flag.default
    flag.default = lambda: before() or linker_flags(cmodule)


def multiply_empty_matrices(blas):
    """A product linked to a BLAS refused some matrices without elements.

    Their strides mean nothing; those of an axis of length 1 are not asked
    for either.
    """
    related = blas.GemmRelated
    for name, code in list(vars(related).items()):
        if isinstance(code, str) and ']==1)' in code:
            setattr(related, name, code.replace(']==1)', ']<=1)'))
    # so that what was compiled without this is not taken for it
    version = related.build_gemm_version
    related.build_gemm_version = lambda self: version(self) + (1,)


def hash_texts_alike(gof_op):
    """Python 3 hashes a text otherwise in each process.

    Theano makes of that the version of Ops whose code is in a file, such as
    ``DimShuffle``: they were compiled anew, and kept, in each process.
    """
    gof_op.hash = lambda texts: zlib.crc32('\n'.join(texts).encode())


def remember_without_properties(gof_cc):
    """An Op whose ``__props__`` is empty, as ``Dot22``'s, has a version, too.

    Theano takes the empty tuple for a missing version, and compiles such an
    Op anew in each process.
    """
    key_of = gof_cc.CLinker.cmodule_key_

    def cmodule_key_(self, fgraph, *arguments, **more):
        key = key_of(self, fgraph, *arguments, **more)
        if not key or key[0]:
            return key
        versions = tuple(versions_of(self.schedule(fgraph)))
        return (versions if all(versions) else (), key[1])

    gof_cc.CLinker.cmodule_key_ = cmodule_key_


def versions_of(nodes):
    """What Theano asks of the Ops and types of compiled code.

    Parameters
    ----------
    nodes : list of Apply

    Yields
    ------
    tuple
        It is empty if there is no version.
    """
    for node in nodes:
        if hasattr(node.op, 'c_code_cache_version_apply'):
            yield node.op.c_code_cache_version_apply(node)
        for variable in node.inputs + node.outputs:
            yield variable.type.c_code_cache_version()


def copy_random_states(raw_random):
    """NumPy 1.24 and later: a shallow copy shares the state of the original.

    So a stream that is not to advance did.
    """
    raw_random.copy = copy.deepcopy


def take_objects_as_dtypes(safe_asarray):
    """NumPy 2: a variable of Theano's, given as a dtype, stands for its own.

    ``gradient.zero_grad`` does that.
    """
    convert = safe_asarray._asarray

    def _asarray(a, dtype, order=None):
        return convert(a, as_dtype(dtype), order)

    safe_asarray._asarray = _asarray


def widen_masks(rng_mrg):
    """NumPy 2: an int32 with a mask beyond int32 is int64, as it was.

    Only the generator in Python computes so, the one in C does not.
    """
    next_value = rng_mrg.mrg_next_value

    def mrg_next_value(rstate, new_rstate, NORM, mask, offset):
        return next_value(rstate, new_rstate, NORM, np.int64(mask), offset)

    rng_mrg.mrg_next_value = mrg_next_value


def add_at_indices(subtensor):
    """NumPy 2 has no ``PyArray_MapIter``, in which the C code is written."""
    from lasagne_objectives.revival import increments

    for name in increments.__all__:
        method = getattr(increments, name)
        setattr(subtensor.AdvancedIncSubtensor1, name, method)


def compare_exactly(scalar):
    """NumPy 2: a Python float beside a float32 is one, and so equal to it.

    Theano compares them to find out whether rounding loses something: by
    itself it would make float32 of 1.1, and inf of 1e300. Integers that do
    not fit are an error, where they wrapped around.
    """

    class Exact(float):
        """A number whose equal is that to all its digits."""

        __hash__ = float.__hash__

        def __eq__(self, other):
            return np.float64(self) == other

    autocast = scalar.NumpyAutocaster.__call__
    filtered = scalar.Scalar.filter

    def exact_autocast(self, x):
        return autocast(self, Exact(x) if type(x) is float else x)

    def exact_filter(self, data, strict=False, allow_downcast=None):
        # Only a Python float may lose digits where it becomes floatX, and
        # only of one is Theano to see the type then.
        loses = allow_downcast is None and self.dtype == scalar.config.floatX
        if type(data) is float and not (allow_downcast or loses):
            data = np.float64(data)
        elif type(data) is int and -(2**63) <= data < 2**64:
            data = np.asarray(data)
        return filtered(self, data, strict, allow_downcast)

    scalar.NumpyAutocaster.__call__ = exact_autocast
    scalar.Scalar.filter = exact_filter


def compute_in_float64(scalar):
    """NumPy 2: ``float32(1) / x`` with a number of Python's is a float32.

    So is, without C, the reciprocal of float64 numbers then.
    """

    def impl(self, x):
        return np.float32(1) / (x if hasattr(x, 'dtype') else np.asarray(x))

    scalar.Inv.impl = impl


def wrap_integers(scalar):
    """NumPy 2: ``int8(200)`` is an error, and -1 no value for a uint8."""
    impl = scalar.Cast.impl

    def wrapping_impl(self, input):
        try:
            return impl(self, input)
        except OverflowError:
            return self.ctor(np.asarray(input).astype(self.o_type.dtype))

    scalar.Cast.impl = wrapping_impl
    # all bits set, which element-wise operations fill results with
    scalar.AND.identity = np.int64(-1)


def upcast_objects(scalar):
    """NumPy 2: ``tensor.ceil_intdiv`` gives variables for dtypes."""
    upcast = scalar.upcast
    scalar.upcast = lambda *dtypes: upcast(*map(as_dtype, dtypes))


# What Theano's convolutions in Python call of SciPy, and where that has it.
SIGNAL = {
    '_valfrommode': 'scipy.signal._signaltools',
    '_bvalfromboundary': 'scipy.signal._signaltools',
    '_convolve2d': 'scipy.signal._sigtools',
    'convolve': 'scipy.signal',
}


def find_signal(conv):
    """Convolve in Python with a SciPy that has renamed its private modules.

    It does so where there is no compiler, or no optimizer.
    """
    if conv.imported_scipy_signal or importlib.util.find_spec('scipy') is None:
        return

    def called(name, module):
        def function(*args, **kwargs):
            # imported when it is called: that takes a while
            function_now = getattr(importlib.import_module(module), name)
            return function_now(*args, **kwargs)

        return function

    for name, module in SIGNAL.items():
        setattr(conv, name, called(name, module))
    conv.imported_scipy_signal = True


def wanted_anywhere():
    """Repairs that are made on any Python 3 and NumPy.

    Of Theano's cache, which misses what it has compiled, and of convolutions,
    which ask SciPy for what has been renamed; each leaves alone what is well.

    Returns
    -------
    dict of str to list of callable
        By the module after which they are made.
    """
    return {
        'theano.gof.op': [hash_texts_alike],
        'theano.gof.cc': [remember_without_properties],
        'theano.tensor.nnet.conv': [find_signal],
        'theano.tensor.nnet.abstract_conv': [find_signal],
    }


def repairs_of(numpy_2):
    """Repairs by the module after which they are made.

    Parameters
    ----------
    numpy_2 : bool
        Whether NumPy is 2 or later.

    Returns
    -------
    dict of str to list of callable
    """
    repairs = {
        # The flags are read by then, and blas.ldflags not yet: its default is
        # computed when it is asked for.
        'theano.gof.cmodule': [find_blas],
        'theano.tensor.raw_random': [copy_random_states],
        'theano.tensor.blas': [multiply_empty_matrices],
        **wanted_anywhere(),
    }
    if numpy_2:
        repairs['theano.misc.safe_asarray'] = [take_objects_as_dtypes]
        repairs['theano.scalar.basic'] = [
            compare_exactly,
            compute_in_float64,
            wrap_integers,
            upcast_objects,
        ]
        repairs['theano.tensor.subtensor'] = [add_at_indices]
        repairs['theano.sandbox.rng_mrg'] = [widen_masks]
    return repairs
