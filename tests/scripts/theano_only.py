"""Theano of 2014 without Lasagne: pooling, and a loop."""
import numpy
import theano
from theano import tensor as T
from theano.tensor.signal import downsample

image = T.matrix('image')
pooled = downsample.max_pool_2d(image, (2, 2), ignore_border=True)
total, _ = theano.scan(lambda row, before: before + row.sum(),
                       sequences=image,
                       outputs_info=T.constant(0., dtype=image.dtype))
f = theano.function([image], total)
print(pooled.ndim, f(numpy.ones((2, 3), theano.config.floatX)))
