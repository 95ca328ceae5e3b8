"""Settings of every test run."""

import os
import shlex

import pytest

from headers import flags_with_headers

# Scripts as people write them, which tests run; --doctest-modules would
# import them.
collect_ignore = ['scripts']


def pytest_configure(config):
    """Give each worker a Theano cache of its own.

    Sharing one, the workers would wait for each other's lock on it. The cache
    stays in the repository, so the next run need not compile again. This hook
    runs before any test module, and so before Theano, which reads the flag
    when it is imported. Each environment of tox has its own caches, as what
    was compiled with one NumPy does not run with another.
    """
    worker = os.environ.get('TEST_CACHE') or os.environ.get('PYTEST_XDIST_WORKER', 'main')
    cache = os.path.join(str(config.rootpath), '.theano', os.environ.get('TOX_ENV_NAME', ''), worker)
    # At the end, where it overrules the flag that a worker inherits from the
    # process that started it. What else the user set stays.
    flags = [os.environ.get('THEANO_FLAGS', ''), 'base_compiledir=' + shlex.quote(cache)]
    os.environ['THEANO_FLAGS'] = flags_with_headers(','.join(filter(None, flags)), os.path.dirname(cache))
    # PoCL, for the tests on the GPU, keeps what it compiles as well.
    os.environ['POCL_CACHE_DIR'] = os.path.join(cache, 'pocl')
    config.pluginmanager.register(QuickDocstrings())


@pytest.fixture(autouse=True)
def default_mode_stays():
    """Put the default mode back after each test.

    Once a function has been compiled under ``change_flags(mode=...)``, Theano
    keeps that mode as the default for the rest of the process.
    """
    from theano.compile import mode  # not before the flags are set

    former = mode.instantiated_default_mode
    yield
    mode.instantiated_default_mode = former


class QuickDocstrings:
    """Examples in docstrings run without a C compiler.

    A plugin, as a fixture of this file would serve the tests beside it only.
    """

    @pytest.fixture(autouse=True)
    def quick_docstring(self, request):
        if isinstance(request.node, pytest.DoctestItem):
            from pages import ready_at_once  # imports Theano: not before now

            with ready_at_once():
                yield
        else:
            yield


def pytest_collection():
    """Make theano importable for test modules that import it first.

    Not in the hook above: coverage is not measured yet when that runs.
    """
    import lasagne_objectives  # noqa: F401
    import device

    if device.ON_GPU:
        device.demand_gpu()
        device.compile_what_is_on_the_gpu()
        device.compile_kernels_when_wanted()
        device.mend_scalars()
