/* Read one class of every data point; write some classes of every one. */

/* The class of a data point that an index names, NULL if it names none. */
template <typename real, typename index>
LO_INLINE real *lo_named(const lo_points &points, char *const *at, int which,
                         int indices, int i)
{
    const npy_int64 j = (npy_int64)lo_point<index>(points, at, indices, i);
    return j >= 0 && j < points.classes
        ? &lo_point<real>(points, at, which, i)
          + j * (points.across[which] / (npy_intp)sizeof(real))
        : NULL;
}

template <typename element, typename index>
struct lo_pick_points {
    typedef element real;
    enum { VALUES, INDICES, PICKED };

    void visit(const lo_points &points, char *const *at, int count) const
    {
        for (int i = 0; i < count; i++) {
            const real *value = lo_named<real, index>(points, at, VALUES,
                                                      INDICES, i);
            lo_point<real>(points, at, PICKED, i) = value ? *value : 0;
        }
    }
};

template <typename real, typename index>
static int pick_class(int axis, PyArrayObject *values, PyArrayObject *indices,
                      bool strict, PyArrayObject **picked)
{
    typedef lo_pick_points<real, index> kernel;
    if ((strict ? lo_check_classes<index>(values, axis, indices)
                : lo_check_shape(values, indices, axis, "class indices")) ||
        lo_prepare_points(picked, values, axis, lo_type<real>::number))
        return -1;
    lo_points points;
    lo_begin(&points, values, axis);
    lo_add(&points, kernel::INDICES, indices, -1);
    lo_add(&points, kernel::PICKED, *picked, -1);
    return lo_visit_points(kernel(), &points);
}

template <typename element, typename index>
struct lo_place_points {
    typedef element real;
    enum { RESULT, INDICES, VALUES };
    /* Whether the result is to begin with zeros. */
    bool anew;

    void visit(const lo_points &points, char *const *at, int count) const
    {
        if (anew)
            clear(points, at[RESULT], count);
        for (int i = 0; i < count; i++) {
            real *value = lo_named<real, index>(points, at, RESULT, INDICES,
                                                i);
            if (value != NULL)
                *value += lo_point<real>(points, at, VALUES, i);
        }
    }

    /* Zeros, side by side as they lie. */
    static void clear(const lo_points &points, char *result, int count)
    {
        const npy_intp along = points.along[RESULT];
        const npy_intp across = points.across[RESULT];
        const bool by_rows = across < along;
        const npy_intp inner = by_rows ? points.classes : count;
        const npy_intp outer = by_rows ? count : points.classes;
        const npy_intp step = by_rows ? across : along;
        for (npy_intp a = 0; a < outer; a++) {
            char *to = result + a * (by_rows ? along : across);
            if (step == (npy_intp)sizeof(real))
                memset(to, 0, inner * sizeof(real));
            else
                for (npy_intp b = 0; b < inner; b++)
                    *(real *)(to + b * step) = 0;
        }
    }
};

/* Add values to the class of each data point that an index names; `anew` to
 * zeros of the layout of `like`. */
template <typename real, typename index>
static int place_classes(int axis, PyArrayObject *like,
                         PyArrayObject *indices, PyArrayObject *values,
                         bool strict, bool anew, PyArrayObject **result)
{
    typedef lo_place_points<real, index> kernel;
    if ((strict ? lo_check_classes<index>(like, axis, indices)
                : lo_check_shape(like, indices, axis, "class indices")) ||
        lo_check_shape(like, values, axis, "values") ||
        (anew && lo_prepare_like(result, like, false)))
        return -1;
    lo_points points;
    lo_begin(&points, *result, axis);
    lo_add(&points, kernel::INDICES, indices, -1);
    lo_add(&points, kernel::VALUES, values, -1);
    const kernel work = {anew};
    return lo_visit_points(work, &points);
}
