"""Settles Theano's flags itself, as scripts for one's own machine do."""
import os
os.environ.setdefault('THEANO_FLAGS', 'floatX=float32')
os.environ['THEANO_FLAGS'] += ',exception_verbosity=high'
os.environ['THEANO_FLAGS'] += ',compute_test_value=ignore'

import theano
theano.config.optimizer = 'None'
theano.config.warn_float64 = 'ignore'

import lasagne
import theano.tensor as T

print(theano.config.floatX, theano.config.exception_verbosity,
      theano.config.optimizer)
loss = lasagne.objectives.squared_error(T.matrix(), T.imatrix())
print(loss.dtype)
