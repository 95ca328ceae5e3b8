"""What a function compiled for the GPU still does elsewhere.

Theano moves what it can to the GPU and leaves the rest on the host, silently:
one Op without a form for the GPU, and a batch goes back and forth.
:func:`transfers` lists where a compiled function does so.
"""

from collections import namedtuple

import theano
from theano.scan_module.scan_op import Scan
from theano.tensor.opt import MakeVector


class Transfer(namedtuple('Transfer', 'kind variable node')):
    """One array that leaves the GPU, comes to it, or is computed elsewhere.

    Attributes
    ----------
    kind : str
        'to the GPU', 'to the host', 'between GPUs' or 'on the host'.
    variable : Theano variable
        What is moved, or what is computed on the host.
    node : Theano apply node
        What moves or computes it.
    """

    __slots__ = ()

    def __str__(self):
        return '%s: %s, of type %s, by %s' % (
            self.kind,
            self.variable,
            self.variable.type,
            self.node.op,
        )


_MOVES = {
    'GpuFromHost': 'to the GPU',
    'HostFromGpu': 'to the host',
    'GpuToGpu': 'between GPUs',
}


def transfers(function):
    """What a compiled function moves between host and GPU.

    Lists each array that is moved, and each Op that works on an array on the
    host. Scalars are left out (a mean loss comes back as one number), and so
    is the arithmetic of shapes, which Theano always does on the host.

    Parameters
    ----------
    function : compiled Theano function

    Returns
    -------
    list of Transfer
        In the order of execution; empty if all arrays stay on the GPU. The
        steps of a ``theano.scan`` are looked into.

    Examples
    --------
    Without a GPU everything is done on the host:

    >>> import numpy as np
    >>> import theano
    >>> from lasagne_objectives import squared_error
    >>> from lasagne_objectives.gpu import transfers
    >>> x = theano.shared(np.zeros(3), target='cpu')
    >>> loss = theano.function([], squared_error(x, 1).mean())
    >>> {transfer.kind for transfer in transfers(loss)}
    {'on the host'}
    """
    return _transfers(function.maker.fgraph)


def _transfers(fgraph):
    found = []
    for node in fgraph.toposort():
        kind = _MOVES.get(type(node.op).__name__)
        if kind is None and _works_on_host(node):
            found.append(Transfer('on the host', node.outputs[0], node))
        elif kind is not None and _is_data(node.inputs[0]):
            found.append(Transfer(kind, node.inputs[0], node))
        if isinstance(node.op, Scan):
            found += _transfers(node.op.fn.maker.fgraph)
    return found


def _works_on_host(node):
    """Whether a node reads an array on the host, and nothing on the GPU."""
    return (
        not isinstance(node.op, (theano.compile.Shape, theano.compile.Shape_i))
        and any(_is_data(variable) for variable in node.inputs)
        and not any(_is_on_gpu(v) for v in node.inputs + node.outputs)
    )


def _is_on_gpu(variable):
    # Asked by name: the GPU backend is not imported for the asking.
    return type(variable.type).__name__ == 'GpuArrayType'


def _is_data(variable):
    """Whether a variable is an array, other than of lengths.

    Constants are none: they are where they are needed from the start.
    """
    return _is_computed_array(variable) and not _is_lengths(variable)


def _is_computed_array(variable):
    return getattr(variable, 'ndim', 0) > 0 and not isinstance(
        variable, theano.Constant
    )


def _is_lengths(variable):
    """Whether a vector is a shape, or computed of shapes alone."""
    if variable.owner is None:
        return False
    if isinstance(variable.owner.op, (theano.compile.Shape, MakeVector)):
        return True
    arrays = list(filter(_is_computed_array, variable.owner.inputs))
    return arrays != [] and all(map(_is_lengths, arrays))
