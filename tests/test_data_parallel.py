"""examples/data_parallel.py: any number of ranks trains as one process does."""

import os
import shutil
import subprocess
import sys

import lasagne_objectives.compat  # noqa: F401 (before theano and lasagne)

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T

from cases import PY
from lasagne_objectives import aggregate, categorical_crossentropy

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(os.path.dirname(HERE), 'examples', 'data_parallel.py')


def run_on_ranks(ranks, script, *arguments):
    """Run a script on so many ranks and return the lines it prints."""
    # the mpiexec that pip installed beside this Python, else the system's
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH']
    mpiexec = shutil.which('mpiexec', path=path)
    assert mpiexec, "no mpiexec: pip install '.[mpi]', or install Open MPI"
    # Containers are run by root, and have fewer cores than ranks.
    environ = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1', OMP_NUM_THREADS='1')
    command = [mpiexec, '-n', str(ranks), '--oversubscribe', sys.executable, '-m', 'mpi4py', script]
    done = subprocess.run(
        command + [str(argument) for argument in arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope='module')
def batch():
    """Seven rows for a small network, where its parameters start, and how it is trained."""
    rng = np.random.RandomState(3)
    return dict(
        images=rng.randn(7, 5),
        labels=np.int32([0, 2, 1, 1, 0, 2, 2]),
        weights=3 * rng.rand(7),
        W1=rng.randn(5, 4),
        b1=rng.randn(4),
        W2=rng.randn(4, 3),
        b2=rng.randn(3),
        learning_rate=0.05,
        steps=4,
    )


def trained_by_one_process(batch, mode):
    """The losses and the parameters at the end, as anyone would train without MPI."""
    W1, b1, W2, b2 = params = [theano.shared(batch[name]) for name in ('W1', 'b1', 'W2', 'b2')]
    predictions = T.nnet.softmax(T.dot(T.tanh(T.dot(batch['images'], W1) + b1), W2) + b2)
    loss = aggregate(categorical_crossentropy(predictions, batch['labels']), batch['weights'], mode)
    train = theano.function([], loss, updates=lasagne.updates.adam(loss, params, batch['learning_rate']), mode=PY)
    losses = [train() for _ in range(batch['steps'])]
    return np.concatenate([losses] + [param.get_value().ravel() for param in params])


@pytest.fixture(scope='module', params=[[7], [5, 2], [4, 0, 3]], ids=str)
def of_ranks(request, batch, tmp_path_factory):
    """What training with each mode gives, where each rank has so many rows of the batch."""
    folder = tmp_path_factory.mktemp('ranks')
    np.savez(str(folder / 'batch.npz'), **batch)
    run_on_ranks(len(request.param), os.path.join(HERE, 'scripts', 'data_parallel_rank.py'), folder, *request.param)
    with np.load(str(folder / 'results.npz')) as results:
        return dict(results, ranks=len(request.param))


@pytest.mark.parametrize('mode', ['mean', 'sum', 'normalized_sum'])
def test_ranks_train_as_one_process_does(of_ranks, batch, mode):
    alone = trained_by_one_process(batch, mode)
    assert of_ranks[mode].shape == (of_ranks['ranks'],) + alone.shape
    for of_rank in of_ranks[mode]:
        np.testing.assert_array_equal(of_rank, of_ranks[mode][0])
        np.testing.assert_allclose(of_rank, alone, rtol=1e-10, atol=1e-12)
    assert alone[batch['steps'] - 1] < 0.95 * alone[0]  # it was training


def test_example_prints_the_same_on_two_ranks_as_on_one():
    # the last of an epoch's batches is a single row, and one of the ranks has none
    options = ['--epochs', '4', '--batch-size', '333', '--learning-rate', '0.02', '--mode', 'mean']
    *epochs, last = run_on_ranks(2, EXAMPLE, *options)
    *epochs_alone, last_alone = run_on_ranks(1, EXAMPLE, *options)
    assert len(epochs) == 4 and epochs == epochs_alone
    accuracy, ranks = last.split(', ')
    assert 0.85 < float(accuracy.split()[-1]) <= 1
    assert ranks == 'number of ranks 2'
    assert last_alone == accuracy + ', number of ranks 1'
