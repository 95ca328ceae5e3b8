# -*- coding: utf-8 -*-
"""Plain Python 2, in the ways of 2012. Argument: a folder to write to."""
import cPickle
import itertools
import math
import os
import random
import string
import sys
from StringIO import StringIO

import plain2_package.beside

reload(sys)
sys.setdefaultencoding('utf8')


def area((width, height), scale=1):
    return width * height / scale


class Countdown:
    def __init__(self, start):
        self.left = start

    def __iter__(self):
        return self

    def next(self):
        if self.left <= 0:
            raise StopIteration, 'done'
        self.left -= 1
        return self.left

    def __nonzero__(self):
        return False


def batches(n, size):
    order = range(n)
    random.shuffle(order)
    for i in xrange(n / size):
        yield order[i * size:(i + 1) * size]


folder = sys.argv[1]
random.seed(42)
print random.random(), random.randint(0, 100), random.choice(range(10)),
print random.sample(xrange(100), 5), random.gauss(0, 1), random.uniform(1, 2)
for batch in batches(10, 4):
    print batch, sum(batch) / len(batch)

print 7 / 2, -7 / 2, 7 / 2., 010, 10L, `1`, 1 <> 2, 2 ** 70, 3 / 2 * 1.0
down = Countdown(3)
print list(down), not down, area((3, 5), 2), down.left
down.left = 9
down.left /= 2
counts = [7, 8]
counts[0] /= 2
print down.left, counts
print round(2.5), round(-0.5), round(2.675, 2), 0.1 + 0.2, 1e16, 1.0, 1 / 3.
print math.floor(2.5), math.ceil(2.5), int(math.sqrt(50)), '%.3f' % (2 / 3.)
print map(None, [1, 2], [3]), filter(None, [0, 1]), zip([1], [2])
print sorted([3, 1, 2], cmp=lambda a, b: cmp(b, a)), reduce(max, [1, 5, 2])
print string.letters, string.join(['a', 'b'], '-'), string.zfill('7', 3)
print {'a': 1}.has_key('a'), dict(a=1).items(), [k for k in {'b': 2}.iterkeys()]
counts.sort(lambda a, b: b - a)
print counts, list(itertools.izip('ab', itertools.count()))

name = os.path.join(folder, 'text')
open(name, 'w').write('naïve Δ\n')
text = open(name).read()
print len(text), len(text.decode('utf8')), text, text.split()[0] == 'naïve',
print u'Δ'.encode('utf8') == 'Δ', 'Δ'.decode('utf8') == u'Δ', 'ab'.encode('hex')
cPickle.dump({'a': [1, 2]}, open(name, 'w'))
print cPickle.load(open(name)), StringIO('x y').read().split()
print isinstance('a', basestring), isinstance(3L, (int, long)), unicode(3)
exec 'y = 3'
print y
try:
    raise ValueError, 'bad'
except (ValueError, KeyError), e:
    print 'caught', e
print >>sys.stdout, 'end',
print
