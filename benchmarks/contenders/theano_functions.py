"""What the two contenders that use Theano share."""

from functools import lru_cache

import lasagne_objectives  # noqa: F401 (lets Theano be imported)
import numpy as np
import theano
import theano.tensor as T
from theano.gof.cmodule import gcc_version

from cases import GRADIENT
from contenders import theano_networks
from networks import NETWORKS


def versions():
    return {
        'Theano': theano.__version__,
        'NumPy': np.__version__,
        'g++': gcc_version(),
    }


def compiler(formulas):
    """Make the function `prepare` of a contender.

    Parameters
    ----------
    formulas : dict
        Has for each loss of cases.py, by its name, a function that makes the
        scalar expression of scores and targets: the globals of a module.

    Returns
    -------
    function
    """

    @lru_cache(maxsize=None)
    def compiled(loss, kind, scores_type, targets_type):
        theano.config.floatX = scores_type.dtype
        scores, targets = scores_type(), targets_type()
        outputs = [formulas[loss](scores, targets)]
        if kind == GRADIENT:
            outputs.append(theano.grad(outputs[0], scores))
        return theano.function([scores, targets], outputs)

    def prepare(case, scores, targets):
        if case.loss in NETWORKS:
            step = theano_networks.compiled(
                case, formulas, type_of(scores), type_of(targets)
            )
            return lambda: step(scores, targets)
        # compiled once for all sizes, as a user's function is
        function = compiled(
            case.loss, case.kind, type_of(scores), type_of(targets)
        )
        return lambda: function(scores, targets)

    return prepare


def type_of(array):
    return T.TensorType(str(array.dtype), (False,) * array.ndim)


def as_arrays(result):
    return result
