"""Installation of lasagne_objectives: all its metadata lives here."""

import os
import re
import sys

if not (3, 8) <= sys.version_info[:2] <= (3, 14):
    # python_requires below says the same to pip where it finds a wheel; here
    # it is said in words, also to who runs this file.
    sys.exit(
        "lasagne-objectives runs on CPython 3.8 to 3.14, this is Python "
        "%d.%d. Its foundation, Theano 1.0.5, has to be given what each "
        "Python has dropped since, which is done and tested for those "
        "versions. Install Python 3.14 and do the same with that."
        % tuple(sys.version_info[:2])
    )

# only where it can succeed
from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*path):
    with open(os.path.join(HERE, *path), encoding='utf-8') as file:
        return file.read()


def version():
    # read, not imported: importing the package imports Theano, which need not
    # be installed yet
    source = read('lasagne_objectives', '__init__.py')
    return re.search(r"^__version__ = '([^']+)'$", source, re.M).group(1)


python2 = [
    'fissix',  # translates the syntax
]

examples = [
    'Lasagne==0.1',
    'matplotlib',
    'scikit-learn',
    'tqdm',
]

mpi = examples + [
    'mpi4py',
    'openmpi',  # Open MPI itself, unless the system has an MPI in the PATH
]

tests = (
    mpi
    + python2
    + [
        'hypothesis',
        'mpmath',
        'pytest',
        'pytest-cov',
        'pytest-xdist',
    ]
)

# for Theano's own tests, which are installed with it
test_theano = [
    'parameterized',
    'pytest',
]

test_all = [
    'build',
    'tox>=4.11',
    'twine',
]

lint = [
    'ruff==0.17.6',  # another one has other rules and formats differently
]

docs = [
    'furo',
    'latex2mathml',
    'matplotlib',
    'numpydoc',
    'sphinx',
]
bench = [
    'matplotlib',
    'torch==2.13.0',
]

setup(
    name='lasagne-objectives',
    version=version(),
    description='The training objectives of Lasagne for Theano, numerically '
    'stable by construction',
    long_description=read('README.rst'),
    long_description_content_type='text/x-rst',
    author='the lasagne_objectives developers',
    license='MIT',
    keywords='deep learning neural networks loss functions theano lasagne',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.8',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: 3.14',
        'Programming Language :: Python :: Implementation :: CPython',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['lasagne_objectives*']),
    # sources of kernels, and what Python imports from a folder of the path,
    # which is no package; .ci/test-all checks that no file is left out
    package_data={
        '': ['*.c', '*.cluda', '*.h'],
        'lasagne_objectives.revival': [
            'include/numpy/*.h',
            'startup/sitecustomize.py',
        ],
    },
    python_requires='>=3.8,<3.15',
    install_requires=[
        'numpy>=1.17.3',
        # pip cannot build it on later versions, nor can we have it built from
        # here: `python -m lasagne_objectives --install-theano` can.
        'Theano==1.0.5; python_version < "3.12"',
        # what Theano itself requires
        'scipy>=0.14',
        'six>=1.9.0',
    ],
    extras_require={
        'examples': examples,
        'mpi': mpi,
        'python2': python2,
        'tests': tests,
        'test-theano': test_theano,
        'test-all': test_all,
        'lint': lint,
        'docs': docs,
        'bench': bench,
    },
    zip_safe=False,
)
