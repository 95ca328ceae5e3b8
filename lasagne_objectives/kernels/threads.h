/* Threads that sleep while there is nothing to do, one set for all kernels of
 * the process.
 *
 * Those of OpenMP wait actively, for some milliseconds after their work. In
 * these they keep a core from the threads of the BLAS: a step of a recurrent
 * network took half as long again. And where a core is busy otherwise, they
 * would all wait for the one that does not get it; here nobody waits for a
 * thread that has not begun.
 */
#if defined(_OPENMP) && __cplusplus >= 201103L
#define LO_HAS_THREADS
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#ifndef _WIN32
#include <signal.h>
#endif
typedef std::atomic<npy_intp> lo_counter;
#else
typedef npy_intp lo_counter;
#endif

/* Units of work. Each thread has a range of neighbours, for memory is fastest
 * where it is read on and on, and when that is done helps with the others'. */
struct lo_units {
    enum { RANGES = 64 };
    npy_intp count, length, portion;
    int ranges;
    lo_counter joined, begun[RANGES];

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
        return (int)((joined += 1) - 1) % ranges;
    }

    /* The next portion, of that range or of another, if there is one. */
    bool take(int *range, npy_intp *from, npy_intp *to)
    {
        for (int tried = 0; tried < ranges; tried++) {
            const npy_intp rest = count - *range * length;
            const npy_intp end = *range * length
                                 + (rest < length ? rest : length);
            *from = (begun[*range] += portion) - portion;
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
    std::mutex mutex;
    std::condition_variable begins, ends;
    /* How many threads there are beside the caller's. */
    int size;
    /* What is to be done, how many more may help, how many do. */
    void (*call)(void *);
    void *work;
    bool busy;
    std::atomic<int> wanted, helping;

    lo_pool() : size(0), call(NULL), work(NULL), busy(false), wanted(0),
                helping(0) {}
};

/* Where Python keeps the pool: every compiled module looks there. */
static lo_pool **lo_pool_place = NULL;

/* To wake a thread takes as long as some work does: so much time is worth
 * waiting for the next, and for the others at the end. */
enum { LO_MICROSECONDS = 250 };

/* Wait actively, but not long, until there is some of something, or none. */
static void lo_await(const std::atomic<int> &number, bool some)
{
    typedef std::chrono::steady_clock clock;
    const clock::time_point end = clock::now()
        + std::chrono::microseconds(LO_MICROSECONDS);
    while ((number > 0) != some && clock::now() < end)
        continue;
}

static void lo_help(lo_pool *pool)
{
    for (;;) {
        lo_await(pool->wanted, true);
        std::unique_lock<std::mutex> lock(pool->mutex);
        while (pool->wanted == 0)
            pool->begins.wait(lock);
        pool->wanted--;
        pool->helping++;
        void (*call)(void *) = pool->call;
        void *work = pool->work;
        lock.unlock();
        call(work);
        lock.lock();
        if (--pool->helping == 0)
            pool->ends.notify_one();
    }
}

/* Have that many threads, or as many as there can be; with the GIL. */
static int lo_at_least(int threads)
{
    if (*lo_pool_place == NULL)
        *lo_pool_place = new (std::nothrow) lo_pool;  /* to the very end */
    lo_pool *pool = *lo_pool_place;
    if (pool == NULL)
        return 1;
#ifndef _WIN32
    /* Signals are for the threads of Python. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
        while (pool->size < threads - 1) {
            std::thread(lo_help, pool).detach();
            pool->size++;
        }
    } catch (const std::system_error &) {
        /* as many as there are */
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
        std::lock_guard<std::mutex> lock(pool->mutex);
        if (pool->busy)
            pool = NULL;  /* another thread of Python is using it */
        else {
            pool->busy = true;
            pool->call = lo_call<worker>;
            pool->work = &work;
            pool->wanted = threads - 1;
        }
    }
    if (pool != NULL)
        pool->begins.notify_all();
    work();
    if (pool != NULL) {
        std::unique_lock<std::mutex> lock(pool->mutex);
        pool->wanted = 0;
        lock.unlock();
        lo_await(pool->helping, false);
        lock.lock();
        while (pool->helping > 0)
            pool->ends.wait(lock);
        pool->busy = false;
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
    const int threads = omp_get_max_threads();
    return threads > 1 ? lo_at_least(threads) : 1;
#else
    (void)elements;
    return 1;
#endif
}
