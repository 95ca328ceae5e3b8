"""The process of one contender: does what it is told, one thing at a time.

Reads requests from its standard input and answers on its standard output,
each a line of JSON; cpu.py sends them. Between them it is blocked, so that
the contenders do not disturb each other.
"""

import importlib
import json
import math
import os
import sys
import time
import traceback

import numpy as np

from cases import Case, data_of

# A sample of short calls repeats them, to be long against the clock's noise.
SAMPLE_SECONDS = 0.002

# Before each sample come calls that are not timed. They fetch the data back
# into the caches.
WARM_UP_SECONDS = 0.008

# Threads that wait actively do so for some time after their work: those of
# PyTorch for more than 10 ms of an AMD EPYC. The next contender has its turn
# when they sleep. The clock of a process may be behind by a tick of 4 ms.
REST_SECONDS = 0.01
AT_REST = 0.2

# Nobody waits longer, for OMP_WAIT_POLICY=active has no end.
RESTS = 100


class Worker(object):
    """One contender and the case that it is prepared for."""

    def __init__(self, contender):
        self.contender = importlib.import_module('contenders.' + contender)
        self.call = None

    def versions(self):
        """Python's version and those of what the contender uses."""
        return dict(
            self.contender.versions(), Python='%d.%d.%d' % sys.version_info[:3]
        )

    def prepare(self, case):
        """Make the data, compile, and call once."""
        case = Case(**case)
        self.call = self.contender.prepare(case, *data_of(case))
        self.call()

    def save(self, folder):
        """Save the results in a folder; list the files."""
        names = []
        for array in self.contender.as_arrays(self.call()):
            names.append(os.path.join(folder, '%d.npy' % len(names)))
            np.save(names[-1], array)
        return names

    def calibrate(self):
        """How many calls make a sample, and how many come before it."""
        seconds = min(self.sample(1)['seconds'] for _ in range(3))
        warm_up = int(math.ceil(WARM_UP_SECONDS / seconds))
        if seconds > 10 * WARM_UP_SECONDS:
            warm_up = 0  # such a call warms itself up
        return {
            'calls': int(math.ceil(SAMPLE_SECONDS / seconds)),
            'warm_up': warm_up,
        }

    def sample(self, calls, warm_up=0):
        """Seconds of a call, and how many cores it kept busy."""
        call = self.call
        for _ in range(warm_up):
            call()
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - start
        cores = (time.process_time() - cpu) / seconds
        rest()
        return {'seconds': seconds / calls, 'cores': cores}


def rest():
    """Wait until the threads of this process sleep."""
    for _ in range(RESTS):
        cpu, start = time.process_time(), time.perf_counter()
        time.sleep(REST_SECONDS)
        seconds = time.perf_counter() - start
        if time.process_time() - cpu <= AT_REST * seconds:
            return


def serve(worker, requests, replies):
    """Answer requests to the end. What fails is answered with the reason.

    Parameters
    ----------
    worker : Worker
    requests, replies : text files
    """
    for line in requests:
        request = json.loads(line)
        try:
            action = getattr(worker, request.pop('do'))
            reply = {'result': action(**request)}
        except Exception:
            reply = {'error': traceback.format_exc()}
        replies.write(json.dumps(reply) + '\n')
        replies.flush()


def main():
    # what libraries print must not come between the replies
    replies = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    serve(Worker(sys.argv[1]), sys.stdin, replies)


if __name__ == '__main__':
    main()
