/* How many classes of every row rank before the target's class. */

/* The rank of a row that cannot be right. */
static const npy_int64 LO_NEVER = NPY_MAX_INT64;

template <typename real, typename index>
static int target_rank(PyArrayObject *values, PyArrayObject *indices,
                       PyArrayObject **ranks)
{
    const npy_intp rows = PyArray_DIM(values, 0);
    const npy_intp classes = PyArray_DIM(values, 1);
    if (lo_check_length(values, indices) ||
        lo_prepare(ranks, 1, &rows, NPY_INT64))
        return -1;
    npy_int64 *rank = (npy_int64 *)PyArray_DATA(*ranks);
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
            const npy_int64 target = lo_class<index>(indices, i);
            rank[i] = LO_NEVER;
            if (scratch == NULL || target < 0 || target >= classes)
                continue;
            const real *z = lo_row(values, i, scratch);
            const real score = z[target];
            /* Blocks that an int can count. */
            npy_int64 before = 0;
            int nan = 0;
            for (npy_intp from = 0; from < classes; from += 1 << 20) {
                const npy_intp to = from + (1 << 20) < classes
                                    ? from + (1 << 20) : classes;
                const npy_intp lower = target < to ? target : to;
                int above = 0;
                #pragma omp simd reduction(+:above) reduction(|:nan)
                for (npy_intp j = from; j < lower; j++) {
                    above += z[j] >= score;
                    nan |= z[j] != z[j];
                }
                #pragma omp simd reduction(+:above) reduction(|:nan)
                for (npy_intp j = lower > from ? lower : from; j < to; j++) {
                    above += z[j] > score;
                    nan |= z[j] != z[j];
                }
                before += above;
            }
            if (!nan)
                rank[i] = before;
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
