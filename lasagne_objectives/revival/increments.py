"""C code that adds rows at indices, for ``AdvancedIncSubtensor1``.

Theano's own is written in NumPy's ``PyArray_MapIter``, which NumPy 2 has taken
away. Theano falls back to ``np.add.at`` then, which is up to six times slower
where what it adds is rows: the gradient of an embedding. Setting, not adding,
NumPy does faster than Theano did.
"""

__all__ = ['c_code', 'c_code_cache_version', 'c_support_code']

# For numbers that C adds as they are; half precision, complex numbers and
# truth values are left to NumPy.
ADDED_BY_C = {
    *('%sint%d' % (sign, n) for sign in ('', 'u') for n in (8, 16, 32, 64)),
    'float32',
    'float64',
}

# Of x, y and index, to which %(out)s is added.
CODE = """
{
    const npy_intp *shape, *strides;
    npy_intp y_strides[%(ndim)d];
    PyArrayObject *index = (PyArrayObject *)PyArray_FROMANY(
        (PyObject *)%(index)s, NPY_INTP, 1, 1,
        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
    if (index == NULL) %(fail)s
    const npy_intp *at = (const npy_intp *)PyArray_DATA(index);
    const npy_intp count = PyArray_DIM(index, 0);

    if (%(params)s->inplace) {
        if (%(x)s != %(out)s) {
            Py_XDECREF(%(out)s);
            Py_INCREF(%(x)s);
            %(out)s = %(x)s;
        }
    } else {
        Py_XDECREF(%(out)s);
        %(out)s = (PyArrayObject *)PyArray_NewCopy(%(x)s, NPY_ANYORDER);
        if (%(out)s == NULL) { Py_DECREF(index); %(fail)s }
    }
    shape = PyArray_DIMS(%(out)s);
    strides = PyArray_STRIDES(%(out)s);

    /* what is added is repeated along axes of length 1, or that it lacks */
    for (int d = 0; d < %(ndim)d; d++) {
        const int e = d - (%(ndim)d - %(y_ndim)d);
        const npy_intp length = d == 0 ? count : shape[d];
        const npy_intp given = e < 0 ? 1 : PyArray_DIM(%(y)s, e);
        if (given != length && given != 1) {
            PyErr_Format(PyExc_ValueError,
                         "axis %%d of what is added has length %%zd, "
                         "expected %%zd", e, given, length);
            Py_DECREF(index);
            %(fail)s
        }
        y_strides[d] = given == 1 ? 0 : PyArray_STRIDE(%(y)s, e);
    }
    /* before anything is changed */
    for (npy_intp i = 0; i < count; i++)
        if (at[i] < -shape[0] || at[i] >= shape[0]) {
            PyErr_Format(PyExc_IndexError,
                         "index %%zd is out of bounds for axis 0 with "
                         "size %%zd", at[i], shape[0]);
            Py_DECREF(index);
            %(fail)s
        }
    for (npy_intp i = 0; i < count; i++) {
        const npy_intp row = at[i] < 0 ? at[i] + shape[0] : at[i];
        char *x0 = (char *)PyArray_DATA(%(out)s) + row * strides[0];
        const char *y0 = (const char *)PyArray_DATA(%(y)s) + i * y_strides[0];
        %(add)s
    }
    Py_DECREF(index);
}
"""

# Over one more axis.
LOOP = """
for (npy_intp i%(d)d = 0; i%(d)d < shape[%(d)d]; i%(d)d++) {
    char *x%(d)d = x%(before)d + i%(d)d * strides[%(d)d];
    const char *y%(d)d = y%(before)d + i%(d)d * y_strides[%(d)d];
    %(inside)s
}
"""


def add(ndim, x_type, y_type):
    """C code that adds a row: as many loops as it has axes."""
    code = '*(%s *)x%d += (%s)*(const %s *)y%d;' % (
        (x_type, ndim - 1, x_type, y_type, ndim - 1)
    )
    for d in range(ndim - 1, 0, -1):
        code = LOOP % {'d': d, 'before': d - 1, 'inside': code}
    return code


def c_code(self, node, name, inputs, outputs, sub):
    """The Op's code in C, for what is added by C."""
    x, y, _ = [variable.type for variable in node.inputs]
    if self.set_instead_of_inc or not {x.dtype, y.dtype} <= ADDED_BY_C:
        raise NotImplementedError('NumPy does it')
    return CODE % {
        'x': inputs[0],
        'y': inputs[1],
        'index': inputs[2],
        'out': outputs[0],
        'ndim': x.ndim,
        'y_ndim': y.ndim,
        'add': add(x.ndim, 'npy_' + x.dtype, 'npy_' + y.dtype),
        'params': sub['params'],
        'fail': sub['fail'],
    }


def c_code_cache_version(self):
    """Unlike any of Theano's."""
    return ('lasagne_objectives', 1)


def c_support_code(self):
    """None: Theano's own is what does not compile."""
    return ''
