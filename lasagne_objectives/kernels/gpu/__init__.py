"""The kernels on the GPU, for Theano's backend ``theano.gpuarray``.

Importing this package registers them where that backend can be used. Where
it cannot, on a machine without libgpuarray, nothing is imported.
"""

import importlib.util

if importlib.util.find_spec('pygpu') is not None:  # pragma: no branch
    import lasagne_objectives.kernels.gpu.elemwise
    import lasagne_objectives.kernels.gpu.rewrites  # noqa: F401
