/* A weighted mean, and what each data point has to do with it (averaged.py).
 */

/* How many data points there are. */
static npy_intp lo_count(PyArrayObject *values, int axis)
{
    npy_intp count = 1;
    for (int other = 0; other < PyArray_NDIM(values); other++)
        if (other != axis)
            count *= PyArray_DIM(values, other);
    return count;
}

/* weights / number: the derivatives of the mean with respect to the losses.
 * The number may be a product of some, too large or too small for float32. */
template <typename real>
static PyArrayObject *lo_shares(PyArrayObject *weights, double number)
{
    PyArrayObject *shares =
        (PyArrayObject *)PyArray_NewCopy(weights, NPY_CORDER);
    if (shares == NULL)
        return NULL;
    real *share = (real *)PyArray_DATA(shares);
    const npy_intp n = PyArray_SIZE(shares);
    for (npy_intp i = 0; i < n; i++)
        share[i] = (real)(share[i] / number);
    return shares;
}

/* sum(weights losses) / number. `same` says that all losses have one weight. */
template <typename real>
static int lo_mean(PyArrayObject *losses, PyArrayObject *weights, bool same,
                   double number, PyArrayObject **mean)
{
    PyArrayObject *in_order = PyArray_GETCONTIGUOUS(weights);
    if (in_order == NULL)
        return -1;
    const real *weight = (const real *)PyArray_DATA(in_order);
    const double sum = same ? *weight * lo_sum<false>(losses, weight)
                            : lo_sum<true>(losses, weight);
    Py_DECREF(in_order);
    return lo_return_number<real>(sum / number, mean);
}
