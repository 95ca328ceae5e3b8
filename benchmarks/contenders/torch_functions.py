"""What the contenders that use PyTorch share."""

import os

import numpy as np
import torch
import torch.nn.functional as F

from cases import GRADIENT

torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))


def versions():
    return {'PyTorch': torch.__version__, 'NumPy': np.__version__}


def binary_hinge(z, t):
    return F.relu(1 - z * (2 * t - 1)).mean()


def multiclass_hinge(z, t):
    # F.multi_margin_loss is another loss: it sums over the wrong classes
    t = t.unsqueeze(1)
    best_wrong = z.scatter(1, t, -torch.inf).max(1, keepdim=True).values
    return F.relu(best_wrong - z.gather(1, t) + 1).mean()


def top1(z, t):
    return (z.argmax(1) == t).to(z.dtype).mean()


def top5(z, t):
    best = z.topk(5, 1).indices
    return (best == t.unsqueeze(1)).any(1).to(z.dtype).mean()


def tags(z, t):
    loss = F.cross_entropy(z, t.reshape(-1), reduction='none')
    mask = (t.reshape(-1) > 0).to(z.dtype)
    return (loss * mask).sum() / mask.sum()


def pixels_as_rows(z, t):
    rows = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
    return F.cross_entropy(rows, t.reshape(-1))


def sequences(z, t):
    return tags(z.reshape(-1, 200), t)


def time_first(z, t):
    return sequences(z.transpose(0, 1), t.T)


def chosen_rows(z, t):
    rows = torch.arange(0, 8192, 2)
    return F.cross_entropy(z[rows], t[rows])


def class_weights(z, t):
    weights = torch.arange(1, 11, dtype=z.dtype)
    # PyTorch's own mean divides by the weights of the targets
    loss = F.cross_entropy(z, t, weight=weights, reduction='sum')
    return loss / len(t)


def one_hot_bytes(z, t):
    return F.cross_entropy(z, t.to(z.dtype))


FORMULAS = {
    'softmax_indices': F.cross_entropy,
    'softmax_dense': F.cross_entropy,
    'sigmoid': F.binary_cross_entropy_with_logits,
    'squared_error': F.mse_loss,
    'huber': F.huber_loss,
    'binary_hinge': binary_hinge,
    'multiclass_hinge': multiclass_hinge,
    'top1': top1,
    'top5': top5,
    'pixels': F.cross_entropy,
    'pixels_soft': F.cross_entropy,
    'pixels_hinge': multiclass_hinge,
    'pixels_top5': top5,
    'pixels_as_rows': pixels_as_rows,
    'sequences': sequences,
    'time_first': time_first,
    'columns': F.cross_entropy,
    'chosen_rows': chosen_rows,
    'class_weights': class_weights,
    'one_hot_bytes': one_hot_bytes,
    'one_output': F.binary_cross_entropy_with_logits,
}


def call_of(formula, case, scores, targets, device='cpu'):
    """What a training loop, or a validation loop, does with a loss.

    Parameters
    ----------
    formula : function
        The loss of scores and targets.
    case : Case
    scores, targets : NumPy arrays
    device : str
        Where to compute.

    Returns
    -------
    function
    """
    z, t = [torch.from_numpy(array).to(device) for array in (scores, targets)]
    if not t.is_floating_point() and t.dim() < z.dim():
        t = t.long()  # PyTorch takes no other class indices

    def value():
        with torch.no_grad():
            return [formula(z, t)]

    def value_and_gradient():
        z.grad = None
        loss = formula(z, t)
        loss.backward()
        return [loss, z.grad]

    if case.kind == GRADIENT:
        z.requires_grad_()
        return value_and_gradient
    return value


def as_arrays(result):
    return [tensor.detach().numpy() for tensor in result]
