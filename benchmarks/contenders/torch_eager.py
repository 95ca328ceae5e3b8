"""PyTorch as most use it."""

from contenders import torch_networks
from contenders.torch_functions import FORMULAS, call_of
from contenders.torch_functions import as_arrays, versions  # noqa: F401
from networks import NETWORKS


def prepare(case, scores, targets):
    if case.loss in NETWORKS:
        return torch_networks.call_of(case, scores, targets)
    return call_of(FORMULAS[case.loss], case, scores, targets)
