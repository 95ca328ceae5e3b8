/* Data points and their classes, in arrays of any shape and layout.
 *
 * A kernel computes something of the classes of each data point. Of its
 * arrays, some have an axis for the classes; all have the same further axes,
 * of the data points. Two ways lead through them:
 *
 *     row     one data point, where its many classes lie side by side
 *     tile    LO_LANES data points, the vector units working on one class of
 *             many, where the data points lie side by side (pixels) or where
 *             classes are few
 */

enum { LO_LANES = 32, LO_ARRAYS = 5 };

/* As many bytes of tiles are loaded before they are worked on: memory is
 * fastest where it is read on and on. */
enum { LO_STRIP = 16384 };

/* The bytes of a cache line, where tiles begin. */
enum { LO_LINE = 64 };

/* Where the classes of a data point lie far apart, each on a page of memory of
 * its own, several tiles are loaded all the same, if they fit into the cache:
 * a page that has been looked up is used for all of them. Of LO_PAGES or so a
 * processor has the addresses at hand: on more of them, twice as many tiles are
 * loaded, and to have the next ones fetched takes longer than it helps. */
enum { LO_ABREAST = 4, LO_PAGES = 80, LO_CACHED = 1 << 19 };

/* One axis of the data points: its length, and for each array the bytes from
 * one to the next. */
struct lo_axis {
    npy_intp length, steps[LO_ARRAYS];
};

struct lo_points {
    npy_intp classes;
    int ndim;
    lo_axis axes[LO_AXES];
    /* For each array: its first byte, and the bytes between classes. */
    char *data[LO_ARRAYS];
    npy_intp across[LO_ARRAYS];
    /* Tiles lie along the last axis. */
    npy_intp lanes, runs, along[LO_ARRAYS];
};

/* Class indices ----------------------------------------------------------- */

/* The smallest and the largest of the numbers in an array. */
template <typename index>
static void lo_extremes(const char *data, int ndim, const npy_intp *shape,
                        const npy_intp *strides, index *least, index *most)
{
    if (ndim > 1) {
        for (npy_intp i = 0; i < shape[0]; i++)
            lo_extremes(data + i * strides[0], ndim - 1, shape + 1,
                        strides + 1, least, most);
        return;
    }
    const npy_intp n = ndim == 0 ? 1 : shape[0];
    const npy_intp step = ndim == 0 ? 0 : strides[0];
    index low = *least, high = *most;
    if (step == (npy_intp)sizeof(index)) {
        const index *indices = (const index *)data;
        #pragma omp simd reduction(min:low) reduction(max:high)
        for (npy_intp i = 0; i < n; i++) {
            low = indices[i] < low ? indices[i] : low;
            high = indices[i] > high ? indices[i] : high;
        }
    } else
        for (npy_intp i = 0; i < n; i++) {
            const index j = *(const index *)(data + i * step);
            low = j < low ? j : low;
            high = j > high ? j : high;
        }
    *least = low;
    *most = high;
}

/* Refuse indices that name no class. */
template <typename index>
static int lo_check_classes(PyArrayObject *values, int axis,
                            PyArrayObject *indices)
{
    if (lo_check_shape(values, indices, axis, "class indices"))
        return -1;
    if (PyArray_SIZE(indices) == 0)
        return 0;
    /* In their own type: uint64 reaches beyond what int64 can say. */
    index least = *(const index *)PyArray_DATA(indices), most = least;
    lo_extremes((const char *)PyArray_DATA(indices), PyArray_NDIM(indices),
                PyArray_DIMS(indices), PyArray_STRIDES(indices), &least,
                &most);
    const npy_intp classes = PyArray_DIM(values, axis);
    if (least >= 0 && (npy_uint64)most < (npy_uint64)classes)
        return 0;
    const bool is_signed = (index)-1 < 0;
    PyErr_Format(PyExc_IndexError,
                 is_signed
                 ? "class index out of range: the smallest is %lld, the "
                   "largest is %lld, the number of classes is %lld"
                 : "class index out of range: the smallest is %llu, the "
                   "largest is %llu, the number of classes is %lld",
                 (long long)least, (long long)most, (long long)classes);
    return -1;
}

/* Ways through arrays ----------------------------------------------------- */

/* Register the array number `which`; `axis` is that of the classes if it has
 * one, else -1. Those that are NULL are not given, or not wanted. */
static void lo_add(lo_points *points, int which, PyArrayObject *array,
                   int axis)
{
    points->data[which] = array == NULL ? NULL : (char *)PyArray_DATA(array);
    points->across[which] = 0;
    int n = 0;
    for (int each = 0; array != NULL && each < PyArray_NDIM(array); each++)
        if (each == axis)
            points->across[which] = PyArray_STRIDE(array, each);
        else
            points->axes[n++].steps[which] = PyArray_STRIDE(array, each);
    for (; n < points->ndim; n++)
        points->axes[n].steps[which] = 0;
}

/* Begin with the array number 0, of which there is one value a class. */
static void lo_begin(lo_points *points, PyArrayObject *values, int axis)
{
    points->classes = PyArray_DIM(values, axis);
    points->ndim = 0;
    for (int each = 0; each < PyArray_NDIM(values); each++)
        if (each != axis)
            points->axes[points->ndim++].length = PyArray_DIM(values, each);
    lo_add(points, 0, values, axis);
    for (int which = 1; which < LO_ARRAYS; which++)
        lo_add(points, which, NULL, -1);
}

/* Whether an axis follows another without a gap, in every array. */
static bool lo_continues(const lo_axis &outer, const lo_axis &inner)
{
    for (int which = 0; which < LO_ARRAYS; which++)
        if (outer.steps[which] != inner.length * inner.steps[which])
            return false;
    return true;
}

/* As few axes as possible, from the largest steps to the smallest; the last
 * is the one to lay tiles along. */
static void lo_arrange(lo_points *points)
{
    npy_intp steps[LO_AXES];
    int order[LO_AXES], n = 0;
    lo_axis axes[LO_AXES];
    for (int each = 0; each < points->ndim; each++)
        steps[each] = points->axes[each].steps[0];
    lo_order(points->ndim, steps, order);
    for (int place = 0; place < points->ndim; place++) {
        const lo_axis &next = points->axes[order[place]];
        if (next.length == 1)
            continue;
        if (n > 0 && lo_continues(axes[n - 1], next)) {
            const npy_intp length = axes[n - 1].length;
            axes[n - 1] = next;
            axes[n - 1].length *= length;
        } else
            axes[n++] = next;
    }
    if (n == 0) {
        axes[0] = lo_axis();
        axes[n++].length = 1;
    }
    /* Neighbours too few to fill a tile: the longest axis is better. */
    int longest = n - 1;
    for (int each = 0; each < n && axes[n - 1].length < LO_LANES / 2; each++)
        if (axes[each].length > axes[longest].length)
            longest = each;
    const lo_axis last = axes[longest];
    axes[longest] = axes[n - 1];
    axes[n - 1] = last;
    points->ndim = n;
    points->runs = 1;
    for (int each = 0; each < n; each++) {
        points->axes[each] = axes[each];
        if (each < n - 1)
            points->runs *= axes[each].length;
    }
    points->lanes = last.length;
    memcpy(points->along, last.steps, sizeof points->along);
}

/* Where a run of data points is in every array, from one of its lanes on. */
LO_INLINE void lo_locate(const lo_points &points, npy_intp run, npy_intp lane,
                         char **at)
{
    for (int which = 0; which < LO_ARRAYS; which++)
        at[which] = points.data[which] + lane * points.along[which];
    for (int axis = points.ndim - 2; axis >= 0; axis--) {
        const npy_intp i = run % points.axes[axis].length;
        run /= points.axes[axis].length;
        for (int which = 0; which < LO_ARRAYS; which++)
            at[which] += i * points.axes[axis].steps[which];
    }
}

/* The number of the data point `i` of a tile, in an array without classes. */
template <typename element>
LO_INLINE element &lo_point(const lo_points &points, char *const *at,
                            int which, npy_intp i)
{
    return *(element *)(at[which] + i * points.along[which]);
}

/* Load the numbers of a tile of data points; beyond `count` 0, or the one that
 * all have. */
template <typename element, typename number>
LO_INLINE void lo_load_points(const lo_points &points, char *const *at,
                              int which, int count, number *numbers)
{
    if (points.along[which] == 0) {
        const number one = (number)*(const element *)at[which];
        for (int i = 0; i < LO_LANES; i++)
            numbers[i] = one;
        return;
    }
    if (count == LO_LANES &&
        points.along[which] == (npy_intp)sizeof(element)) {
        const element *from = (const element *)at[which];
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            numbers[i] = (number)from[i];
        return;
    }
    for (int i = 0; i < LO_LANES; i++)
        numbers[i] = i < count
            ? (number)lo_point<element>(points, at, which, i) : 0;
}

template <typename element>
LO_INLINE void lo_store_points(const lo_points &points, char *const *at,
                               int which, int count, const element *numbers)
{
    if (count == LO_LANES && points.along[which] == (npy_intp)sizeof(element))
        memcpy(at[which], numbers, LO_LANES * sizeof(element));
    else
        for (int i = 0; i < count; i++)
            lo_point<element>(points, at, which, i) = numbers[i];
}

/* Numbers of two registers, by their places in both. */
#ifdef __clang__
#define LO_SHUFFLE(a, b, mask, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define LO_SHUFFLE(a, b, mask, ...) \
    __builtin_shuffle(a, b, (mask){__VA_ARGS__})
#endif

/* Registers of 16 bytes, which nearly any processor has; `low` and `high` take
 * numbers of two by turns, from their first and their last halves. */
template <typename real> struct lo_vector;

template <> struct lo_vector<npy_float32> {
    enum { SIZE = 4 };
    typedef npy_float32 type __attribute__((vector_size(16)));
    typedef npy_int32 mask __attribute__((vector_size(16)));
    static type low(type a, type b)
    {
        return LO_SHUFFLE(a, b, mask, 0, 4, 1, 5);
    }
    static type high(type a, type b)
    {
        return LO_SHUFFLE(a, b, mask, 2, 6, 3, 7);
    }
};

template <> struct lo_vector<npy_float64> {
    enum { SIZE = 2 };
    typedef npy_float64 type __attribute__((vector_size(16)));
    typedef npy_int64 mask __attribute__((vector_size(16)));
    static type low(type a, type b)
    {
        return LO_SHUFFLE(a, b, mask, 0, 2);
    }
    static type high(type a, type b)
    {
        return LO_SHUFFLE(a, b, mask, 1, 3);
    }
};

/* Turn as many numbers of as many rows over as a register has; rows are so many
 * bytes apart. */
template <typename real>
LO_INLINE void lo_turn_registers(const char *from, npy_intp step_from,
                                 char *to, npy_intp step_to)
{
    typedef lo_vector<real> vector;
    enum { SIZE = vector::SIZE };
    typename vector::type rows[SIZE], mixed[SIZE];
    for (int i = 0; i < SIZE; i++)
        memcpy(&rows[i], from + i * step_from, sizeof rows[i]);
    for (int round = 1; round < SIZE; round *= 2) {
        for (int i = 0; i < SIZE / 2; i++) {
            mixed[2 * i] = vector::low(rows[i], rows[i + SIZE / 2]);
            mixed[2 * i + 1] = vector::high(rows[i], rows[i + SIZE / 2]);
        }
        for (int i = 0; i < SIZE; i++)
            rows[i] = mixed[i];
    }
    for (int i = 0; i < SIZE; i++)
        memcpy(to + i * step_to, &rows[i], sizeof rows[i]);
}

/* The side of a square, whose place is found once for all of its numbers. */
enum { LO_SIDE = 4 };

/* Turn a square of numbers over. */
template <typename real>
LO_INLINE void lo_turn_square(const char *from, npy_intp step_from, char *to,
                              npy_intp step_to)
{
    enum { SIZE = lo_vector<real>::SIZE, BYTES = sizeof(real) };
    for (int i = 0; i < LO_SIDE; i += SIZE)
        for (int j = 0; j < LO_SIDE; j += SIZE)
            lo_turn_registers<real>(from + i * step_from + j * BYTES,
                                    step_from, to + j * step_to + i * BYTES,
                                    step_to);
}

#ifdef __AVX__
/* By registers of 32 bytes, which have room for a side of float64: numbers
 * change places with their neighbours in each half, then the halves do. */
template <>
LO_METHOD void lo_turn_square<npy_float64>(const char *from,
                                           npy_intp step_from, char *to,
                                           npy_intp step_to)
{
    typedef npy_float64 type __attribute__((vector_size(32)));
    typedef npy_int64 mask __attribute__((vector_size(32)));
    /* memcpy() would go by halves. */
    typedef type anywhere __attribute__((aligned(8), may_alias));
    type rows[LO_SIDE], mixed[LO_SIDE];
    for (int i = 0; i < LO_SIDE; i++)
        rows[i] = *(const anywhere *)(from + i * step_from);
    for (int i = 0; i < LO_SIDE; i += 2) {
        mixed[i] = LO_SHUFFLE(rows[i], rows[i + 1], mask, 0, 4, 2, 6);
        mixed[i + 1] = LO_SHUFFLE(rows[i], rows[i + 1], mask, 1, 5, 3, 7);
    }
    for (int i = 0; i < LO_SIDE / 2; i++) {
        rows[i] = LO_SHUFFLE(mixed[i], mixed[i + 2], mask, 0, 1, 4, 5);
        rows[i + 2] = LO_SHUFFLE(mixed[i], mixed[i + 2], mask, 2, 3, 6, 7);
    }
    for (int i = 0; i < LO_SIDE; i++)
        *(anywhere *)(to + i * step_to) = rows[i];
}
#endif

/* Turn `n` classes of as many data points over as a square has rows: from an
 * array into a tile, or back. Of each is said how many bytes are between
 * classes, and between the rows of a square. The last square may begin before
 * the end of the one before it. */
template <typename real>
LO_INLINE void lo_turn_over(npy_intp n, const char *from, npy_intp class_from,
                            npy_intp step_from, char *to, npy_intp class_to,
                            npy_intp step_to)
{
    for (npy_intp j = 0; j < n; j += LO_SIDE) {
        const npy_intp first = j + LO_SIDE <= n ? j : n - LO_SIDE;
        lo_turn_square<real>(from + first * class_from, step_from,
                             to + first * class_to, step_to);
    }
}

/* Where a data point of a strip has its first class, in tiles of `n`. */
template <typename real>
LO_INLINE real *lo_lane(real *tiles, npy_intp n, npy_intp lane)
{
    return tiles + (lane - lane % LO_LANES) * n + lane % LO_LANES;
}

/* Load the classes of `count` data points as tiles[class * LO_LANES + point],
 * one tile after the other. */
template <typename real>
LO_INLINE void lo_load_tiles(const lo_points &points, char *const *at,
                             int which, npy_intp count, real *tiles)
{
    const npy_intp n = points.classes, along = points.along[which];
    const npy_intp across = points.across[which];
    const npy_intp full = count - count % LO_LANES;
    const char *from = at[which];
    enum { STEP = LO_LANES * sizeof(real) };
    if (along == (npy_intp)sizeof(real)) {
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp lane = 0; lane < full; lane += LO_LANES)
                memcpy(tiles + lane * n + j * LO_LANES,
                       from + j * across + lane * along,
                       LO_LANES * sizeof(real));
    } else if (across == (npy_intp)sizeof(real) && n >= LO_SIDE) {
        for (npy_intp lane = 0; lane < full; lane += LO_SIDE)
            lo_turn_over<real>(n, from + lane * along, across, along,
                               (char *)lo_lane(tiles, n, lane), STEP, STEP);
    } else
        /* By eights, whose addresses fit into the registers. */
        for (npy_intp lane = 0; lane < full; lane += 8) {
            real *tile = lo_lane(tiles, n, lane);
            for (npy_intp j = 0; j < n; j++)
                for (int i = 0; i < 8; i++)
                    tile[j * LO_LANES + i] = *(const real *)(
                        from + (lane + i) * along + j * across);
        }
    if (full == count)
        return;
    /* A tile that is not full repeats its last data point. */
    for (npy_intp j = 0; j < n; j++)
        for (npy_intp i = full; i < full + LO_LANES; i++)
            tiles[full * n + j * LO_LANES + i - full] = *(const real *)(
                from + (i < count ? i : count - 1) * along + j * across);
}

template <typename real>
LO_INLINE void lo_store_tiles(const lo_points &points, char *const *at,
                              int which, npy_intp count, const real *tiles)
{
    const npy_intp n = points.classes, along = points.along[which];
    const npy_intp across = points.across[which];
    npy_intp done = 0;
    char *to = at[which];
    enum { STEP = LO_LANES * sizeof(real) };
    if (along == (npy_intp)sizeof(real)) {
        done = count - count % LO_LANES;
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp lane = 0; lane < done; lane += LO_LANES)
                memcpy(to + j * across + lane * along,
                       tiles + lane * n + j * LO_LANES,
                       LO_LANES * sizeof(real));
    } else if (across == (npy_intp)sizeof(real) && n >= LO_SIDE) {
        done = count - count % LO_SIDE;
        for (npy_intp lane = 0; lane < done; lane += LO_SIDE)
            lo_turn_over<real>(n, (const char *)lo_lane(tiles, n, lane), STEP,
                               STEP, to + lane * along, across, along);
    }
    for (npy_intp lane = done; lane < count; lane++) {
        const real *tile = lo_lane(tiles, n, lane);
        for (npy_intp j = 0; j < n; j++)
            *(real *)(to + lane * along + j * across) = tile[j * LO_LANES];
    }
}

/* The classes of one data point side by side: as they lie, or copied. */
template <typename real>
LO_INLINE const real *lo_load_row(const lo_points &points, char *const *at,
                                  int which, real *copy)
{
    const npy_intp across = points.across[which];
    if (across == (npy_intp)sizeof(real))
        return (const real *)at[which];
    for (npy_intp j = 0; j < points.classes; j++)
        copy[j] = *(const real *)(at[which] + j * across);
    return copy;
}

/* Whether an array is given whose classes do not lie side by side. */
LO_INLINE bool lo_is_apart(const lo_points &points, char *const *at,
                           int which, size_t size)
{
    return which >= 0 && at[which] != NULL &&
        points.across[which] != (npy_intp)size;
}

/* Work on one data point as a row. */
template <typename kernel, typename real>
LO_INLINE void lo_work_row(const kernel &work, const lo_points &points,
                           char *const *at, real *scratch)
{
    const npy_intp n = points.classes;
    const int second = work.second(), result = work.result();
    real *to = result < 0 ? NULL
        : lo_is_apart(points, at, result, sizeof(real)) ? scratch + 2 * n
        : (real *)at[result];
    work.row(points, at, lo_load_row(points, at, 0, scratch),
             second < 0 ? NULL
             : lo_load_row<real>(points, at, second, scratch + n), to);
    if (lo_is_apart(points, at, result, sizeof(real)))
        for (npy_intp j = 0; j < n; j++)
            *(real *)(at[result] + j * points.across[result]) = to[j];
}

/* Have a tile fetched whose points lie side by side, `ahead` points on. */
template <typename real>
LO_INLINE void lo_fetch_tile(const lo_points &points, char *const *at,
                             int which, npy_intp ahead)
{
    if (which < 0 || points.along[which] != (npy_intp)sizeof(real))
        return;
    const char *from = at[which] + ahead * sizeof(real);
    for (npy_intp j = 0; j < points.classes; j++)
        lo_fetch(from + j * points.across[which], LO_LANES * sizeof(real));
}

/* Whether data points lie side by side, and their classes on many pages. */
template <typename kernel>
LO_INLINE bool lo_on_many_pages(const kernel &work, const lo_points &points)
{
    typedef typename kernel::real real;
    const bool reads_two = work.second() >= 0;
    const bool writes = work.result() >= 0 && points.data[work.result()];
    return points.along[0] == (npy_intp)sizeof(real) &&
        points.classes * (1 + reads_two + writes) > LO_PAGES;
}

/* Work on `count` data points as tiles. */
template <typename kernel, typename real>
LO_INLINE void lo_work_tiles(const kernel &work, const lo_points &points,
                             char *const *at, npy_intp count, real *scratch)
{
    const npy_intp n = points.classes;
    const npy_intp whole = (count + LO_LANES - 1) / LO_LANES * LO_LANES;
    const int second = work.second(), result = work.result();
    const bool fetch = !lo_on_many_pages(work, points);
    real *others = scratch + whole * n;
    lo_load_tiles(points, at, 0, count, scratch);
    if (second >= 0)
        lo_load_tiles(points, at, second, count, others);
    for (npy_intp lane = 0; lane < count; lane += LO_LANES) {
        char *here[LO_ARRAYS];
        const npy_intp rest = count - lane;
        for (int which = 0; which < LO_ARRAYS; which++)
            here[which] = at[which] + lane * points.along[which];
        if (fetch) {  /* of the next strip, which is as wide */
            lo_fetch_tile<real>(points, here, 0, count);
            lo_fetch_tile<real>(points, here, second, count);
        }
        work.tile(points, here, (int)(rest < LO_LANES ? rest : LO_LANES),
                  scratch + lane * n, others + lane * n);
    }
    if (result >= 0 && at[result] != NULL)
        lo_store_tiles(points, at, result, count, scratch);
}

/* Whether data points are rows rather than tiles: of many classes, if they lie
 * side by side. */
template <typename kernel>
static bool lo_by_rows(const lo_points &points)
{
    typedef typename kernel::real real;
    return kernel::only_rows ||
        (points.classes > (npy_intp)(kernel::few / sizeof(real)) &&
         (points.across[0] == (npy_intp)sizeof(real) ||
          llabs((long long)points.across[0]) <=
          llabs((long long)points.along[0])));
}

/* How many data points to take tiles of at once, at most a thread's share. */
template <typename kernel>
static npy_intp lo_strip(const kernel &work, const lo_points &points,
                         int threads)
{
    const npy_intp tile = sizeof(typename kernel::real) * LO_LANES
                          * (points.classes + 1);
    const npy_intp share = points.lanes * points.runs / (LO_LANES * threads);
    const npy_intp abreast = lo_on_many_pages(work, points) ? 2 * LO_ABREAST
                                                            : LO_ABREAST;
    const npy_intp wide = LO_CACHED / tile < abreast ? LO_CACHED / tile
                                                     : abreast;
    npy_intp tiles = LO_STRIP / tile > wide ? LO_STRIP / tile : wide;
    if (tiles > share)
        tiles = share;
    return LO_LANES * (tiles > 1 ? tiles : 1);
}

/* What a kernel is for the sweep: its type of numbers, and
 *
 *     second()   the number of a second array with classes to read, or -1
 *     result()   that of the array with classes to write, or -1
 *     row(points, at, first, second, result)
 *                works on the classes of one data point
 *     tile(points, at, count, first, second)
 *                on those of up to LO_LANES; the result takes the place of
 *                the first
 *     few        of how many bytes of classes row() is faster; it may count on
 *                LO_LAST classes
 *
 * It says of the numbers what differs from this, which reads one array with
 * classes and writes none. */
struct lo_kernel {
    enum { only_rows = false, few = 192 };

    int second() const { return -1; }
    int result() const { return -1; }
};

/* A kernel that has no tile(). */
struct lo_kernel_of_rows : lo_kernel {
    enum { only_rows = true };

    template <typename real>
    void tile(const lo_points &, char *const *, int, real *, const real *)
        const {}
};

/* The largest class of each data point of a tile. */
template <typename real>
LO_INLINE void lo_largest_of_tile(npy_intp n, const real *z, real *m)
{
    for (int i = 0; i < LO_LANES; i++)
        m[i] = -INFINITY;
    for (npy_intp j = 0; j < n; j++) {
        const real *column = z + j * LO_LANES;
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++)
            m[i] = column[i] > m[i] ? column[i] : m[i];
    }
}

/* Of more classes it takes longer to look at all than to read one. */
enum { LO_LOOKED_AT = 32 };

/* The number of each data point of a tile that a class index names, 0 where it
 * names none. */
template <typename real>
LO_INLINE void lo_pick_of_tile(npy_intp n, const real *z, const int *target,
                               real *picked)
{
    if (n > LO_LOOKED_AT) {
        for (int i = 0; i < LO_LANES; i++)
            picked[i] = target[i] < 0 ? 0
                : z[(npy_intp)target[i] * LO_LANES + i];
        return;
    }
    for (int i = 0; i < LO_LANES; i++)
        picked[i] = 0;
    for (int j = 0; j < n; j++) {
        const real *column = z + (npy_intp)j * LO_LANES;
        #pragma omp simd
        for (int i = 0; i < LO_LANES; i++) {
            /* Read in any case: not all processors read under a condition. */
            const real x = column[i];
            picked[i] = j == target[i] ? x : picked[i];
        }
    }
}

/* The data points in strips of some width, which threads share. */
struct lo_strips {
    const lo_points &points;
    const npy_intp width, along;
    lo_units units;

    lo_strips(const lo_points &points, npy_intp width, int threads)
        : points(points), width(width),
          along((points.lanes + width - 1) / width),
          units(points.runs * along, threads) {}

    /* Have `visit(at, count)` called for those of one thread. */
    template <typename visitor>
    void each(const visitor &visit)
    {
        int range = units.join();
        npy_intp from, to;
        while (units.take(&range, &from, &to))
            for (npy_intp unit = from; unit < to; unit++) {
                char *at[LO_ARRAYS];
                const npy_intp lane = unit % along * width;
                const npy_intp rest = points.lanes - lane;
                lo_locate(points, unit / along, lane, at);
                visit(at, rest < width ? rest : width);
            }
    }
};

/* What a kernel does with a strip, as a row or as tiles. */
template <typename kernel>
struct lo_work {
    const kernel &work;
    const lo_points &points;
    bool by_rows;
    typename kernel::real *scratch;

    LO_METHOD void operator()(char *const *at, npy_intp count) const
    {
        if (by_rows)
            lo_work_row(work, points, at, scratch);
        else
            lo_work_tiles(work, points, at, count, scratch);
    }
};

/* One thread's part in working on data points. */
template <typename kernel>
struct lo_worker {
    typedef typename kernel::real real;
    const kernel &work;
    const bool by_rows;
    lo_strips strips;
    bool out_of_memory;

    lo_worker(const kernel &work, const lo_points &points, bool by_rows,
              npy_intp width, int threads)
        : work(work), by_rows(by_rows), strips(points, width, threads),
          out_of_memory(false) {}

    void operator()()
    {
        const lo_points &points = strips.points;
        /* From the beginning of a cache line, for tiles to fill whole ones. */
        void *memory = malloc(3 * (points.classes + 1) * strips.width
                              * sizeof(real) + LO_LINE);
        if (memory == NULL) {
            out_of_memory = true;
            return;
        }
        real *scratch = (real *)((char *)memory + LO_LINE
                                 - (size_t)memory % LO_LINE);
        const lo_work<kernel> visit = {work, points, by_rows, scratch};
        strips.each(visit);
        free(memory);
    }
};

/* Have all data points worked on, by threads and without the GIL. */
template <typename kernel>
static int lo_sweep_points(const kernel &work, lo_points *arrays)
{
    lo_arrange(arrays);
    const lo_points &points = *arrays;
    const bool by_rows = lo_by_rows<kernel>(points);
    const int threads = lo_threads(points.runs * points.lanes
                                   * points.classes);
    const npy_intp width = by_rows ? 1
                                   : lo_strip(work, points, threads);
    lo_worker<kernel> worker(work, points, by_rows, width, threads);

    NPY_BEGIN_ALLOW_THREADS
    lo_share(worker, threads);
    NPY_END_ALLOW_THREADS

    if (worker.out_of_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* What a kernel that finds the classes itself does with a strip. */
template <typename kernel>
struct lo_visit {
    const kernel &work;
    const lo_points &points;

    LO_METHOD void operator()(char *const *at, npy_intp count) const
    {
        work.visit(points, at, (int)count);
    }
};

/* One thread's part in visiting data points. */
template <typename kernel>
struct lo_visitor {
    enum { WIDTH = 256 };
    const kernel &work;
    lo_strips strips;

    lo_visitor(const kernel &work, const lo_points &points, int threads)
        : work(work), strips(points, WIDTH, threads) {}

    void operator()()
    {
        const lo_visit<kernel> visit = {work, strips.points};
        strips.each(visit);
    }
};

/* Have `work.visit(points, at, count)` called for all data points, whose
 * classes it finds itself. */
template <typename kernel>
static int lo_visit_points(const kernel &work, lo_points *arrays)
{
    lo_arrange(arrays);
    const lo_points &points = *arrays;
    const int threads = lo_threads(points.runs * points.lanes
                                   * points.classes);
    lo_visitor<kernel> visitor(work, points, threads);

    NPY_BEGIN_ALLOW_THREADS
    lo_share(visitor, threads);
    NPY_END_ALLOW_THREADS
    return 0;
}
