"""Kernels on the GPU of rows that a reshape would copy.

See moved_rows.py for the CPU's, which they share most with.
"""

import zlib

from theano.gpuarray.basic_ops import GpuKernelBase

from lasagne_objectives.kernels import c_kernel
from lasagne_objectives.kernels.gpu.cluda import read
from lasagne_objectives.kernels.moved_rows import OfMovedRows, operands_of

# Around the call of the kernel, of the matrix or of the array.
_FRAME = """
{
    PyGpuArrayObject *rows[] = {%(operands)s};
    PyArrayObject *shapes[] = {%(shapes)s};
    PyGpuArrayObject *made[%(results)d] = {NULL};
    const int axis = lo_arrange_rows(%(count)d, rows, shapes);
    bool lost = %(missing)s;
    if (!lost)
        %(kernel)s
    lost = lost || %(returned)s;
    %(forgotten)s
    if (lost) { %(fail)s }
}
"""


class GpuMovedRows(GpuKernelBase, OfMovedRows):
    """The same on the GPU."""

    _f16_ok = True

    def gpu_kernels(self, node, name):
        return self.kernel.gpu_kernels(self._of_matrix(node.inputs), name)

    def c_headers(self):
        return self.kernel.c_headers()

    def c_header_dirs(self):
        return self.kernel.c_header_dirs()

    def c_support_code(self):
        return (
            self.kernel.c_support_code()
            + read('reshape.h')
            + c_kernel.read('moved_rows.h')
        )

    def c_code_cache_version(self):
        text = self.c_support_code()
        # the frame, and what fills it in
        text += read('moved_rows.py') + c_kernel.read('moved_rows.py')
        version = self.kernel.c_code_cache_version()
        return version + (zlib.crc32(text.encode()),)

    def c_code(self, node, name, inputs, outputs, sub):
        pairs = operands_of(inputs, node.inputs)
        arrays = pairs[: self.kernel.operands]
        flags = [flag for flag, _ in pairs[len(arrays) :]]
        rows = ['rows[%d]' % i for i in range(len(arrays))]
        made = ['made[%d]' % i for i in range(len(outputs))]
        call = self.kernel.call(
            self._of_matrix(node.inputs),
            name,
            rows + flags,
            made,
            'axis',
            'lost = true;',
        )
        return _FRAME % dict(
            self.around(node, arrays, rows, made, outputs),
            kernel=call,
            fail=sub['fail'],
        )
