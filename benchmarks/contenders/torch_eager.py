"""PyTorch as most use it."""

from contenders.torch_functions import FORMULAS, call_of
from contenders.torch_functions import as_arrays, versions  # noqa: F401


def prepare(case, scores, targets):
    return call_of(FORMULAS[case.loss], case, scores, targets)
