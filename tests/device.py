"""Which device the tests run on, for `make test-gpu`, and what it changes for them.

The tests are the same on the GPU: Theano's flag ``device`` decides. Few of them know of it, and what they ask is here.
"""

import pytest
import theano

ON_GPU = theano.config.device != 'cpu'


def demand_gpu():
    """Refuse to test on the CPU what is meant for the GPU, where Theano could not start it."""
    if not theano.gpuarray.pygpu_activated:
        pytest.exit('Theano could not start the device %s; what it says is above.' % theano.config.device, returncode=1)


of_the_cpu = pytest.mark.skipif(ON_GPU, reason='asserts what only the C kernels of the CPU do, or a process without a GPU')

# Of the arrays on the device Theano's scan asks for what only CUDA's have.
by_scan = pytest.mark.skipif(theano.config.device.startswith('opencl'), reason="Theano's scan does not run on OpenCL")


def _is_on_gpu(node):
    return any(type(variable.type).__name__ == 'GpuArrayType' for variable in node.inputs + node.outputs)


def works_on_gpu(function):
    """Whether a compiled function does anything on the GPU; without an optimizer none does."""
    return any(map(_is_on_gpu, function.maker.fgraph.apply_nodes))


def compile_what_is_on_the_gpu():
    """Let what is meant to run in Python run on the GPU all the same.

    Theano's Ops on the GPU exist in C only: FAST_COMPILE, and a linker that takes Python, would fail on all of them. They alone are
    compiled there.
    """
    make_thunk = theano.gof.Op.make_thunk

    def compiled_on_gpu(self, node, storage_map, compute_map, no_recycling, impl=None):
        return make_thunk(self, node, storage_map, compute_map, no_recycling, None if _is_on_gpu(node) else impl)

    theano.gof.Op.make_thunk = compiled_on_gpu


def compile_kernels_when_wanted():
    """Spare the kernels for arrays of more than 4 GiB, two of five of each element-wise Op.

    The flag says that they need not be compiled before one of these comes.
    """
    GpuElemwise = theano.gpuarray.elemwise.GpuElemwise

    def spared(self, node, name, sub, c_code=GpuElemwise.c_init_code_struct):
        return c_code(self, node, name, sub).replace('GE_CONVERT_F16', 'GE_CONVERT_F16 | GE_NOADDR64')

    GpuElemwise.c_init_code_struct = spared


def mend_scalars():
    """Let T.maximum, T.minimum and casts to bool compile for OpenCL.

    Theano writes NaN as `nan("")` in the former and asks `x ? 1 : 0` of a float in the latter, which takes the process with it. Of the
    library nothing uses them, but graphs of the tests do.
    """
    for scalar_op in type(theano.scalar.maximum), type(theano.scalar.minimum), theano.scalar.Cast:

        def mended(self, node, name, inputs, outputs, sub, c_code=scalar_op.c_code):
            return c_code(self, node, name, inputs, outputs, sub).replace('nan("")', 'NAN').replace(') ? 1 : 0;', ') != 0;')

        scalar_op.c_code = mended
        # What was compiled without this does not serve.
        scalar_op.c_code_cache_version = lambda self: (1, 'mended')
