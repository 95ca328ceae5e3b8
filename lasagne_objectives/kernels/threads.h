/* Threads that sleep while there is nothing to do, one set for all kernels of
 * the process.
 *
 * Those of OpenMP wait actively, for some milliseconds after their work. In
 * these they keep a core from the threads of the BLAS: a step of a recurrent
 * network took half as long again. And where a core is busy otherwise, they
 * would all wait for the one that does not get it; here nobody waits for a
 * thread that has not begun.
 *
 * In C, with what GCC and clang have of atomic numbers: the headers of C++ for
 * all this took a sixth of a kernel's time to compile.
 */
#ifndef _WIN32
#include <signal.h>
#define LO_HAS_THREADS
#elif defined(__has_include)
#if __has_include(<pthread.h>)
#define LO_HAS_THREADS
#endif
#endif
#ifdef LO_ONE_THREAD  /* for a test */
#undef LO_HAS_THREADS
#endif
#ifdef LO_HAS_THREADS
#include <pthread.h>
#include <sched.h>
#include <time.h>
#endif

/* Add to a number that threads share; what it is then. */
template <typename number>
LO_INLINE number lo_advance(number *shared, number by)
{
#ifdef LO_HAS_THREADS
    return __atomic_add_fetch(shared, by, __ATOMIC_SEQ_CST);
#else
    return *shared += by;
#endif
}

/* Units of work. Each thread has a range of neighbours, for memory is fastest
 * where it is read on and on, and when that is done helps with the others'. */
struct lo_units {
    enum { RANGES = 64 };
    npy_intp count, length, portion;
    int ranges;
    /* What threads share. */
    npy_intp joined, begun[RANGES];

    lo_units(npy_intp count, int threads) : count(count), joined(0)
    {
        ranges = threads < RANGES ? threads : RANGES;
        length = (count + ranges - 1) / ranges;
        portion = length / 16 + 1;
        for (int range = 0; range < ranges; range++)
            begun[range] = range * length;
    }

    /* The range that a thread begins with. */
    int join()
    {
        return (int)(lo_advance<npy_intp>(&joined, 1) - 1) % ranges;
    }

    /* The next portion, of that range or of another, if there is one. */
    bool take(int *range, npy_intp *from, npy_intp *to)
    {
        for (int tried = 0; tried < ranges; tried++) {
            const npy_intp rest = count - *range * length;
            const npy_intp end = *range * length
                                 + (rest < length ? rest : length);
            *from = lo_advance(&begun[*range], portion) - portion;
            *to = *from + portion < end ? *from + portion : end;
            if (*from < end)
                return true;
            *range = (*range + 1) % ranges;
        }
        return false;
    }
};

/* Set by Python in a forked child. The threads of the parent do not exist
 * there, and waiting for them would never end. */
static const int *lo_forked = NULL;

#ifdef LO_HAS_THREADS

struct lo_pool {
    pthread_mutex_t mutex;
    pthread_cond_t begins, ends;
    /* How many threads there are beside the caller's. */
    int size;
    /* What is to be done, how many more may help, how many do. The numbers are
     * read without the mutex, too. */
    void (*call)(void *);
    void *work;
    bool busy;
    int wanted, helping;
    /* Where the thread is that is to be helped, and by how many. */
    int core, helpers;
};

/* Where Python keeps the pool: every compiled module looks there. */
static lo_pool **lo_pool_place = NULL;

/* How many there are to be, the caller's among them: what Python says. */
static int lo_most_threads = 1;

/* To wake a thread takes as long as some work does: so much time is worth
 * waiting for the next, and for the others at the end. */
static const double LO_SECONDS = 250e-6;

/* Of a clock that nobody sets. */
static double lo_seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

/* Wait actively, but not long, until there is some of something, or none. Where
 * another core is busy, who is waited for may have no core but this one. */
static void lo_await(const int *number, bool some)
{
    const double end = lo_seconds() + LO_SECONDS;
    while ((__atomic_load_n(number, __ATOMIC_SEQ_CST) > 0) != some &&
           lo_seconds() < end)
        sched_yield();
}

/* The core that the calling thread is on; -1 where nobody says. */
static int lo_core()
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Go to another core if this is that of the thread to be helped, and there is
 * one for each that helps: two on one core are no faster than one. A virtual
 * machine calls cores busy that sleep: its scheduler may leave both on one for
 * long. */
static void lo_leave(int core, int helpers)
{
#ifdef __linux__
    cpu_set_t all, others;
    if (lo_core() != core || sched_getaffinity(0, sizeof all, &all))
        return;
    others = all;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) >= helpers &&
        sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof all, &all);
#else
    (void)core, (void)helpers;
#endif
}

static void *lo_help(void *argument)
{
    lo_pool *pool = (lo_pool *)argument;
    for (;;) {
        lo_await(&pool->wanted, true);
        pthread_mutex_lock(&pool->mutex);
        if (pool->wanted == 0)
            pthread_cond_wait(&pool->begins, &pool->mutex);
        const int core = pool->core, helpers = pool->helpers;
        pthread_mutex_unlock(&pool->mutex);
        /* Before anybody waits for this thread, and also if it is late. */
        lo_leave(core, helpers);
        pthread_mutex_lock(&pool->mutex);
        const bool helps = pool->wanted > 0;
        if (helps) {
            lo_advance(&pool->wanted, -1);
            lo_advance(&pool->helping, 1);
        }
        void (*call)(void *) = pool->call;
        void *work = pool->work;
        pthread_mutex_unlock(&pool->mutex);
        if (!helps)
            continue;
        call(work);
        pthread_mutex_lock(&pool->mutex);
        if (lo_advance(&pool->helping, -1) == 0)
            pthread_cond_signal(&pool->ends);
        pthread_mutex_unlock(&pool->mutex);
    }
    return NULL;
}

/* The pool, without threads; NULL if there is no memory. */
static lo_pool *lo_new_pool()
{
    lo_pool *pool = (lo_pool *)calloc(1, sizeof(lo_pool));
    if (pool != NULL) {
        pthread_mutex_init(&pool->mutex, NULL);
        pthread_cond_init(&pool->begins, NULL);
        pthread_cond_init(&pool->ends, NULL);
    }
    return pool;
}

/* Have that many threads, or as many as there can be; with the GIL. */
static int lo_at_least(int threads)
{
    if (*lo_pool_place == NULL)
        *lo_pool_place = lo_new_pool();  /* to the very end */
    lo_pool *pool = *lo_pool_place;
    if (pool == NULL)
        return 1;
#ifndef _WIN32
    /* Signals are for the threads of Python. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    pthread_t thread;
    while (pool->size < threads - 1 &&
           pthread_create(&thread, NULL, lo_help, pool) == 0) {
        pthread_detach(thread);
        pool->size++;
    }
#ifndef _WIN32
    pthread_sigmask(SIG_SETMASK, &before, NULL);
#endif
    return threads - 1 < pool->size ? threads : pool->size + 1;
}

template <typename worker>
static void lo_call(void *work)
{
    (*(worker *)work)();
}

/* Call `work` by several threads at once, which share its units. */
template <typename worker>
static void lo_share(worker &work, int threads)
{
    lo_pool *pool = threads > 1 ? *lo_pool_place : NULL;
    if (pool != NULL) {
        pthread_mutex_lock(&pool->mutex);
        const bool busy = pool->busy;
        if (!busy) {
            pool->busy = true;
            pool->call = lo_call<worker>;
            pool->work = &work;
            pool->core = lo_core();
            pool->helpers = threads - 1;
            lo_advance(&pool->wanted, threads - 1);
        }
        pthread_mutex_unlock(&pool->mutex);
        if (busy)
            pool = NULL;  /* another thread of Python is using it */
    }
    if (pool != NULL)
        pthread_cond_broadcast(&pool->begins);
    work();
    if (pool != NULL) {
        pthread_mutex_lock(&pool->mutex);
        const bool alone = pool->wanted == threads - 1;
        __atomic_store_n(&pool->wanted, 0, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&pool->mutex);
        /* They may have been waiting for this core. */
        if (alone)
            sched_yield();
        lo_await(&pool->helping, false);
        pthread_mutex_lock(&pool->mutex);
        while (pool->helping > 0)
            pthread_cond_wait(&pool->ends, &pool->mutex);
        pool->busy = false;
        pthread_mutex_unlock(&pool->mutex);
    }
}

#else

template <typename worker>
static void lo_share(worker &work, int)
{
    work();
}

#endif

/* How many threads a sweep over so many elements is worth; with the GIL. */
static int lo_threads(npy_intp elements)
{
#ifdef LO_HAS_THREADS
    if (elements < 65536 || lo_forked == NULL || *lo_forked ||
        lo_pool_place == NULL)
        return 1;
    return lo_most_threads > 1 ? lo_at_least(lo_most_threads) : 1;
#else
    (void)elements;
    return 1;
#endif
}
