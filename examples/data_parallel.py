"""Train the network of digits.py on several processes, which share each batch.

Run by MPI: mpiexec -n 2 python -m mpi4py examples/data_parallel.py
"""

import lasagne_objectives.compat  # noqa: F401 (before theano and lasagne)

import argparse
import time

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.nonlinearities import softmax
from mpi4py import MPI

from digits import build_network, load_data
from lasagne_objectives import (
    aggregate,
    categorical_accuracy,
    categorical_crossentropy,
)

MODES = ['mean', 'sum', 'normalized_sum']


def all_reduce(comm, arrays):
    """Add up each of some arrays over all ranks, in one message."""
    # In float64, where numbers of rows are exact, for any floatX. Everyone
    # gets the same bits, so that the networks of all ranks stay the same.
    sums = np.concatenate([np.ravel(array) for array in arrays]).astype(float)
    comm.Allreduce(MPI.IN_PLACE, sums)
    ends = np.cumsum([np.size(array) for array in arrays])
    return [
        part.reshape(np.shape(array)).astype(array.dtype)
        for part, array in zip(np.split(sums, ends[:-1]), arrays)
    ]


def compile_functions(network, learning_rate):
    """Compile what each rank does with its rows, and with everyone's sums."""
    images, labels = T.matrix('images'), T.ivector('labels')
    weights = T.vector('weights')
    # Dropout would drop other units for each number of ranks.
    predictions = lasagne.layers.get_output(
        network, images, deterministic=True
    )
    loss = categorical_crossentropy(predictions, labels)
    right = categorical_accuracy(predictions, labels)

    # Sums only: what 'mean' and 'normalized_sum' divide by is known when all
    # ranks have added up theirs.
    total = aggregate(loss, weights, mode='sum')
    params = lasagne.layers.get_all_params(network, trainable=True)
    sums = [total, loss.size, weights.sum()] + theano.grad(total, params)
    train = theano.function([images, labels, weights], sums)

    gradients = [param.type() for param in params]
    update = theano.function(
        gradients,
        updates=lasagne.updates.adam(gradients, params, learning_rate),
    )

    measure = theano.function(
        [images, labels],
        [aggregate(loss, mode='sum'), aggregate(right, mode='sum'), loss.size],
    )
    return train, update, measure


def train_step(comm, train, update, shard, mode):
    """Make a step on a batch that is spread over the ranks; tell its loss.

    The step that one process would make whose loss is ``aggregate(loss,
    weights, mode)`` of the whole batch. A rank may have no rows.
    """
    total, count, weight, *gradients = all_reduce(comm, train(*shard))
    divisor = {'mean': count, 'sum': 1, 'normalized_sum': weight}[mode]
    update(
        *[
            (gradient / divisor).astype(gradient.dtype)
            for gradient in gradients
        ]
    )
    return total / divisor


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, default=20)
    parser.add_argument('--batch-size', type=int, default=50)
    parser.add_argument('--mode', choices=MODES, default='normalized_sum')
    parser.add_argument('--learning-rate', type=float, default=0.002)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()

    comm = MPI.COMM_WORLD
    # The same seed gives every rank the same network and the same batches.
    rng = np.random.RandomState(options.seed)
    lasagne.random.set_rng(rng)
    (images, labels), validation, test = load_data(rng)
    # rarer digits weigh more
    weights = np.mean(np.bincount(labels)) / np.bincount(labels)[labels]
    weights = weights.astype(theano.config.floatX)

    # One rank compiles, then the others find it in Theano's cache. At once,
    # they would wait for the lock of the cache, many seconds each time.
    network = build_network(softmax)
    if comm.rank == 0:
        functions = compile_functions(network, options.learning_rate)
    compiled = comm.Ibarrier()
    while not compiled.Test():
        time.sleep(0.1)  # MPI itself would wait busily
    if comm.rank > 0:
        functions = compile_functions(network, options.learning_rate)
    train, update, measure = functions

    def share(rows):
        """This rank's share of some rows; shares may differ by one."""
        return np.array_split(rows, comm.size)[comm.rank]

    def measure_all(data):
        loss, right, count = all_reduce(comm, measure(*map(share, data)))
        return loss / count, right / count

    for epoch in range(options.epochs):
        order = rng.permutation(len(labels))
        losses = []
        for start in range(0, len(order), options.batch_size):
            mine = share(order[start : start + options.batch_size])
            shard = images[mine], labels[mine], weights[mine]
            losses.append(train_step(comm, train, update, shard, options.mode))
        results = np.mean(losses), *measure_all(validation)
        if comm.rank == 0:
            print(
                'epoch %2d: train loss %.4f, validation loss %.4f, '
                'top-1 %.3f' % (epoch + 1, *results),
                flush=True,
            )

    accuracy = measure_all(test)[1]
    if comm.rank == 0:
        print('test accuracy %.3f, number of ranks %d' % (accuracy, comm.size))


if __name__ == '__main__':
    main()
