"""Those who are timed. Each module gives three functions:

``versions()``
    the versions of what it uses, by name.
``prepare(case, scores, targets)``
    a function without arguments that computes the case: what a user would
    call, with the data at hand in the form a user would have it in.
``as_arrays(result)``
    NumPy arrays of what that function returned: the value, and the gradient
    if there is one. Empty if nothing is computed.
"""

import logging

# Theano warns of the BLAS it is given here, NumPy's; no loss uses BLAS.
logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
