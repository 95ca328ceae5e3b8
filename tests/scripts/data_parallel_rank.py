"""One rank of test_data_parallel.py. Arguments: the folder with the batch, and how many rows of it each rank gets."""
import lasagne_objectives.compat  # noqa: F401 (before theano and lasagne)

import os
import sys

import lasagne
import numpy as np
import theano
from mpi4py import MPI

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, 'examples'))
import data_parallel  # noqa: E402

# ready at once; the test that runs the example itself has the compiled functions
theano.config.linker, theano.config.optimizer = 'py', 'None'


def network_of(parameters):
    network = lasagne.layers.InputLayer((None, 5))
    network = lasagne.layers.DenseLayer(network, 4, nonlinearity=lasagne.nonlinearities.tanh)
    network = lasagne.layers.DenseLayer(network, 3, nonlinearity=lasagne.nonlinearities.softmax)
    lasagne.layers.set_all_param_values(network, parameters)
    return network


def trained(comm, batch, shard, mode):
    """Train on this rank's rows; return the losses, and all parameters after the last step."""
    network = network_of([batch[name] for name in ('W1', 'b1', 'W2', 'b2')])
    train, update, _ = data_parallel.compile_functions(network, batch['learning_rate'])
    losses = [data_parallel.train_step(comm, train, update, shard, mode) for _ in range(batch['steps'])]
    return np.concatenate([losses] + [values.ravel() for values in lasagne.layers.get_all_param_values(network)])


comm = MPI.COMM_WORLD
folder, sizes = sys.argv[1], [int(size) for size in sys.argv[2:]]
batch = np.load(os.path.join(folder, 'batch.npz'))
start = sum(sizes[:comm.rank])
shard = [batch[name][start:start + sizes[comm.rank]] for name in ('images', 'labels', 'weights')]
results = {mode: comm.gather(trained(comm, batch, shard, mode)) for mode in data_parallel.MODES}
if comm.rank == 0:
    np.savez(os.path.join(folder, 'results.npz'), **results)
