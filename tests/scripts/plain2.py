# -*- coding: utf-8 -*-
"""Plain Python 2, in the ways of 2012. Argument: a folder to write to."""
import base64
import binascii
import bz2
import collections
import ConfigParser
import cPickle
import gzip
import hashlib
import imp
import itertools
import math
import operator
import os
import random
import string
import struct
import subprocess
import sys
import types
import zipfile
import zlib
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


class Vocabulary:
    """Has methods of names that those of dictionaries have."""
    def __init__(self):
        self.numbers = {'a': 0}

    def iteritems(self):
        return self.numbers.iteritems()

    def keys(self):
        return 'own'

    def has_key(self, word):
        return 'own'

    def next(self, size=2):
        return size

    def join(self, words):
        return words

    def translate(self, word):
        return word


words = Vocabulary()
print list(words.iteritems()), words.keys(), words.has_key(1), words.next(),
print next(iter([5])), words.join(3), words.translate(4), words == None,
print words != None, None == None, 3 == None != 4
numbers = {'b': 1}
print numbers.values(), list(numbers.viewvalues()), numbers.itervalues().next(),
print sorted(numbers.viewkeys()), dict(numbers.viewitems()), numbers.has_key('a')
by_size = [1, 3, 2]
by_size.sort(cmp=lambda a, b: b - a)
print by_size, 'a.b,'.translate(None, '.,'), operator.div(7, 2),
print 'abc'.translate(string.maketrans('ab', 'xy')),
print 'abc'.translate(string.maketrans('a', 'x'), 'c')

# word vectors: text and numbers in one file
with open(name, 'wb') as out:
    out.write('2 2\nw1 ' + struct.pack('<2f', 1.5, -2.0) + '\nw2 ')
    out.write(struct.pack('<2f', 0.25, 3.0) + '\n\xff')
vectors = open(name, 'rb')
count, size = map(int, vectors.readline().split())
for _ in xrange(count):
    letters = []
    while True:
        letter = vectors.read(1)
        if letter == ' ':
            break
        if letter != '\n':
            letters.append(letter)
    print ''.join(letters), struct.unpack('<%df' % size, vectors.read(4 * size)),
rest = vectors.read()
print rest == '\n\xff', rest[1] == '\xff', map(ord, rest), len(rest), '\n' in rest,
print vectors.read() == '', isinstance(rest, basestring), rest.strip() == '\xff'
print rest[:1] in 'a\nb', rest[:1] not in string.letters, rest[:1] not in ['\n'],
print sorted(map(ord, collections.Counter(rest))), string.split(rest)[0] == '\xff',
print string.join([rest[:1], 'x']) == '\n x',
print '{0} {x}'.format(1, x=2), rest.format(1) == rest, random.Random(1).choice(rest) in rest
gathered = ['x']
gathered += rest
print map(ord, gathered), [1] * 2 == [1, 1]
print [ord(c) for c in rest], rest[:1] + 'x' == '\nx', 'x' + rest[:1] == 'x\n',
print {rest: 1}['\n\xff'], rest < 'z', rest * 2 == rest + rest, repr(rest[:1])
vectors.close()

with open(name, 'wb') as out:
    out.write('the cat \nthe dog\n')
for line in open(name, 'rb'):
    print " ".join([line.strip()]), line.split(' ')[1] in {'cat': 1},
lines = open(name, 'rb').readlines()
data = open(name, 'rb').read()
print lines, data.split('\n'), data.replace('the', 'a'), '%s' % data, data.upper()
print data.index('cat'), '[%3d]' % len(data), data.encode('hex')[:6], str(data[:3])

compressed = os.path.join(folder, 'text.gz')
out = gzip.open(compressed, 'w')
out.write('the cat\nthe dog\n')
out.close()
for line in gzip.open(compressed):
    print line.split(), line == 'the cat\n',
print gzip.open(compressed, 'r').readline() == 'the cat\n', gzip.open(compressed).read() == ''
out = gzip.open(compressed, 'wb')
cPickle.dump(['pickled'], out, -1)
out.close()
print cPickle.load(gzip.open(compressed, 'rb'))
out = bz2.BZ2File(compressed, 'w')
out.write('a line\n')
out.close()
print bz2.BZ2File(compressed).readlines(), bz2.decompress(bz2.compress('a')) == 'a'
out = zipfile.ZipFile(compressed, 'w')
out.writestr('inside', 'a b\xff\n')
out.close()
print zipfile.ZipFile(compressed).read('inside').split(' ')[0],
print [line == 'a b\xff\n' for line in zipfile.ZipFile(compressed).open('inside')]
print cPickle.loads(cPickle.dumps([rest])) == [rest], cPickle.dumps(1)[:1],
print struct.Struct('<h').unpack(struct.Struct('<h').pack(3)), struct.pack('2s', 'ab') + 'c'
cPickle.dump({'by': 'text'}, open(name, 'wb'))
print cPickle.load(open(name, 'rb')), cPickle.Unpickler(open(name, 'rb')).load()

process = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print process.communicate('to a process'.encode('utf-8'))[0].split(' '),
print subprocess.check_output(['echo', 'a b']).split(),
print repr(subprocess.check_output(['printf', r'a\r\nb'])), repr(subprocess.check_output(
    ['printf', r'a\r\nb'], universal_newlines=True))
process = subprocess.Popen('cat', shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
process.stdin.write('a line\n')
print process.stdout.readline() == 'a line\n', isinstance(process.stdout, file),
process.stdin.close()
print process.stdout.read(3) == '', process.wait()
process = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
print process.communicate('text\r\n')
print hashlib.md5('a').hexdigest(), zlib.decompress(zlib.compress('a' * 9)),
sha = hashlib.sha1()
sha.update('a')
print sha.hexdigest()[:9], base64.b64encode('ab'), base64.decodestring('YWI=\n'),
print zlib.crc32('a'), binascii.crc32('a') & 0xffffffff, zlib.adler32('a'),
print hashlib.new('sha1', 'a').hexdigest()[:4], sha.copy().digest()[:1] == '\x86', sha.digest_size

with open(name, 'w') as out:
    out.write('[net]\nunits = 3 ; a comment\nrate = 50%\nname = n%(units)s\n')
settings = ConfigParser.ConfigParser()
settings.readfp(open(name))
settings.set('net', 'more', '5%')
print settings.getint('net', 'units'), settings.get('net', 'rate'), settings.get('net', 'name'),
settings = ConfigParser.RawConfigParser()
settings.readfp(open(name))
print settings.get('net', 'name'), isinstance(open(name), file),
print isinstance(open(name, 'rb'), types.FileType)
with open(name + '.py', 'w') as out:
    out.write('print "imported",\nx = 7 / 2\n')
print imp.load_source('settings2', name + '.py').x, imp.new_module('m').__name__

written = StringIO()
written.write('a ')
written.write(open(name, 'rb').read()[:3])
print written.getvalue(), StringIO(open(name, 'rb').read()).readline(),
print StringIO(open(name, 'rb').read()).getvalue()[:2] == '[n', len(buffer('abc', 1, 1))
print >>written, 'naïve'
print written.getvalue()[-7:] == 'naïve\n', os.path.join('a', open(name, 'rb').read()[1:2])
for opened in open(name, 'wb'), gzip.open(name, 'wb'):
    print >>opened, 'naïve',
    opened.close()
    print open(name).read()[:2] == 'na',
out = open(name, 'w', 0)
print >>out, 'naïve', 1.0
print open(name).read() == 'naïve 1.0\n', open(name, 'r+').read(2), open(name, 'rb+').read(2)
sys.stdout.flush()
sys.stdout = os.fdopen(sys.stdout.fileno(), 'w', 0)
print 'naïve, at once', 3
