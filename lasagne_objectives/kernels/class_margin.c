/* By how much the best wrong class of every row beats the right one. */

/* The largest of z[from:to], and whether one of them is NaN. */
template <typename real>
LO_INLINE void lo_largest(const real *z, npy_intp from, npy_intp to,
                          real *largest, int *nan)
{
    real m = *largest;
    int found = *nan;
    #pragma omp simd reduction(max:m) reduction(|:found)
    for (npy_intp j = from; j < to; j++) {
        m = z[j] > m ? z[j] : m;
        found |= z[j] != z[j];
    }
    *largest = m;
    *nan = found;
}

template <typename real, typename index>
static int class_margin(PyArrayObject *values, PyArrayObject *indices,
                        PyArrayObject **margins, PyArrayObject **rivals)
{
    const npy_intp rows = PyArray_DIM(values, 0);
    const npy_intp classes = PyArray_DIM(values, 1);
    if (lo_check_classes<index>(values, indices) ||
        lo_prepare(margins, 1, &rows, lo_type<real>::number) ||
        lo_prepare(rivals, 1, &rows, NPY_INT64))
        return -1;
    real *margin = (real *)PyArray_DATA(*margins);
    npy_int64 *rival = (npy_int64 *)PyArray_DATA(*rivals);
    const int threads = lo_threads(rows * classes);
    bool out_of_memory = false;

    NPY_BEGIN_ALLOW_THREADS
    #pragma omp parallel num_threads(threads)
    {
        real *scratch = (real *)malloc((classes + 1) * sizeof(real));
        if (scratch == NULL)
            out_of_memory = true;
        #pragma omp for schedule(static)
        for (npy_intp i = 0; i < rows; i++) {
            if (scratch == NULL)
                continue;
            const real *z = lo_row(values, i, scratch);
            const npy_int64 target = lo_class<index>(indices, i);
            real best = -INFINITY;
            int nan = 0;
            lo_largest(z, 0, target, &best, &nan);
            lo_largest(z, target + 1, classes, &best, &nan);
            rival[i] = -1;
            for (npy_intp j = 0; j < classes; j++)
                if (j != target && (nan ? z[j] != z[j] : z[j] == best)) {
                    rival[i] = j;
                    break;
                }
            margin[i] = nan ? (real)NAN : best - z[target];
        }
        free(scratch);
    }
    NPY_END_ALLOW_THREADS

    if (out_of_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
