"""JAX with its compiler."""

import jax
import jax.numpy as jnp
import numpy as np

from cases import GRADIENT

jax.config.update('jax_enable_x64', True)


def versions():
    return {'JAX': jax.__version__, 'NumPy': np.__version__}


def softmax_indices(z, t):
    log_p = jax.nn.log_softmax(z)
    return -jnp.take_along_axis(log_p, t[:, None], axis=1).mean()


def softmax_dense(z, t):
    return -(t * jax.nn.log_softmax(z)).sum(axis=1).mean()


def sigmoid(z, t):
    return -(
        t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)
    ).mean()


def squared_error(z, t):
    return jnp.square(z - t).mean()


def huber(z, t):
    distance = jnp.abs(z - t)
    return jnp.where(distance <= 1, 0.5 * distance**2, distance - 0.5).mean()


def binary_hinge(z, t):
    return jax.nn.relu(1 - z * (2 * t - 1)).mean()


def multiclass_hinge(z, t):
    is_target = jnp.arange(z.shape[1]) == t[:, None]
    best_wrong = jnp.where(is_target, -jnp.inf, z).max(axis=1)
    correct = jnp.take_along_axis(z, t[:, None], axis=1)[:, 0]
    return jax.nn.relu(best_wrong - correct + 1).mean()


def top1(z, t):
    return (z.argmax(axis=1) == t).mean(dtype=z.dtype)


def top5(z, t):
    _, best = jax.lax.top_k(z, 5)
    return (best == t[:, None]).any(axis=1).mean(dtype=z.dtype)


FORMULAS = {
    function.__name__: function
    for function in [
        softmax_indices,
        softmax_dense,
        sigmoid,
        squared_error,
        huber,
        binary_hinge,
        multiclass_hinge,
        top1,
        top5,
    ]
}


def prepare(case, scores, targets):
    formula = FORMULAS[case.loss]
    function = jax.jit(
        jax.value_and_grad(formula)
        if case.kind == GRADIENT
        else lambda z, t: [formula(z, t)]
    )
    z, t = jnp.asarray(scores), jnp.asarray(targets)
    return lambda: jax.block_until_ready(function(z, t))


def as_arrays(result):
    return [np.asarray(array) for array in result]
