"""Compiling once what many tests look at: modes by name, and functions with named groups of outputs."""
import theano
import theano.tensor as T

MODES = ['FAST_RUN', 'FAST_COMPILE', 'no optimizer']


def mode_of(name):
    """'fast_run in Python' has the rewrites of FAST_RUN but no C: where rewriting is the question, that saves the compiling.

    It also leaves out fusion, which makes nodes of more inputs than NumPy's 32.
    """
    if name == 'fast_run in Python':
        return theano.compile.mode.Mode(linker='py', optimizer='fast_run').excluding('fusion')
    return theano.compile.mode.Mode(linker='py', optimizer=None) if name == 'no optimizer' else name


def tensor(dtype, ndim, name=None):
    return T.TensorType(dtype, (False,) * ndim)(name)


def with_gradient(loss, z):
    """The loss, and the derivative of its sum. Each element's or row's own gradient can be read off it."""
    return [loss, theano.grad(loss.sum(), z)]


class Results(object):
    """A compiled function with named groups of outputs, some of which may have failed to be built."""

    def __init__(self, inputs, groups, mode):
        self.failures = {name: group for name, group in groups.items() if isinstance(group, Exception)}
        self.names = [name for name in groups if name not in self.failures]
        self.lengths = [len(groups[name]) for name in self.names]
        outputs = [output for name in self.names for output in groups[name]]
        self.function = theano.function(inputs, outputs, mode=mode_of(mode), on_unused_input='ignore')

    def __call__(self, *inputs):
        """{name: its outputs}, or the exception where they could not be built."""
        outputs = iter(self.function(*inputs))
        results = {name: [next(outputs) for _ in range(length)] for name, length in zip(self.names, self.lengths)}
        results.update(self.failures)
        return results


def attempt(build, *arguments):
    try:
        return build(*arguments)
    except Exception as failure:  # whatever it is, the test that wanted this reports it
        return failure


def one_of(results, name):
    if isinstance(results[name], Exception):
        raise results[name]
    return results[name]
