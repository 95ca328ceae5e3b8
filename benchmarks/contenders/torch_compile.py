"""PyTorch with its compiler, for the very shapes it is called with."""

import torch

from contenders.torch_functions import FORMULAS, call_of
from contenders.torch_functions import as_arrays, versions  # noqa: F401


def prepare(case, scores, targets):
    # forgets the other shapes: PyTorch compiles a function for a few only
    torch._dynamo.reset()
    formula = torch.compile(FORMULAS[case.loss], dynamic=False)
    return call_of(formula, case, scores, targets)
