"""The networks of networks.py in PyTorch."""

import torch
import torch.nn.functional as F

from cases import GRADIENT
from contenders import torch_functions
from contenders.torch_functions import tags
from networks import LEARNING_RATE, LOSS, parameters_of


def digits(x, weights_1, bias_1, weights_2, bias_2, weights_3, bias_3):
    hidden = F.relu(torch.addmm(bias_1, x, weights_1))
    hidden = F.relu(torch.addmm(bias_2, hidden, weights_2))
    return torch.addmm(bias_3, hidden, weights_3)


def convolutions(
    x, filters_1, bias_1, filters_2, bias_2, weights_1, bias_3, *of_output
):
    maps = F.max_pool2d(F.relu(F.conv2d(x, filters_1, bias_1)), 2)
    maps = F.max_pool2d(F.relu(F.conv2d(maps, filters_2, bias_2)), 2)
    hidden = F.relu(torch.addmm(bias_3, maps.flatten(1), weights_1))
    return many_classes(hidden, *of_output)


def tagger(x, of_input, of_hidden, bias, weights, bias_of_tags):
    nothing = torch.zeros(1, len(x), len(of_hidden))
    weights_of_lstm = [
        of_input.t(),
        of_hidden.t(),
        bias,
        torch.zeros_like(bias),  # it has two
    ]
    hidden, _, _ = torch.lstm(
        x,
        (nothing, nothing),
        weights_of_lstm,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=True,
        bidirectional=False,
        batch_first=True,
    )
    return many_classes(
        hidden.reshape(-1, len(of_hidden)), weights, bias_of_tags
    )


def many_classes(x, weights, bias):
    return torch.addmm(bias, x, weights)


def segmentation(x, filters, bias):
    return F.conv2d(x, filters, bias, padding=1)


def call_of(case, values, targets):
    """What a training loop does with a network, or with its loss.

    Parameters
    ----------
    case : cases.Case
    values, targets : NumPy arrays

    Returns
    -------
    function
    """
    loss_of = tags if case.loss == 'tagger' else F.cross_entropy
    targets = targets.astype('int64')  # it takes no other class indices
    if case.kind == LOSS:
        return torch_functions.call_of(
            loss_of, case._replace(kind=GRADIENT), values, targets
        )
    network = globals()[case.loss]
    values, targets = torch.from_numpy(values), torch.from_numpy(targets)
    parameters = [
        torch.from_numpy(array).requires_grad_()
        for array in parameters_of(case.loss)
    ]
    descent = torch.optim.SGD(parameters, LEARNING_RATE)

    def step():
        descent.zero_grad()
        loss = loss_of(network(values, *parameters), targets)
        loss.backward()
        descent.step()
        return [loss]

    return step
