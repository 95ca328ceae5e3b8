# Each command sets up what it needs, in .venv, and is quick the next time.
# PYTHON=/path/to/python chooses the interpreter, ARGS=... adds arguments.

export PYTHON
python = .venv/bin/python

help:
	@echo "make example      train a network on handwritten digits, with a picture"
	@echo "make example-mpi  the same on RANKS=2 MPI processes that share each batch"
	@echo "make test         run all tests, with coverage"
	@echo "make test-gpu     the numerical ones on the GPU backend, by OpenCL"
	@echo "make test-all     and those of the built package, on all Pythons found"
	@echo "make test-theano  Theano's own tests, beside what they gave in their time"
	@echo "make lint         check the code's style"
	@echo "make bench        time the losses beside PyTorch, JAX and plain Theano"
	@echo "make docs         build the documentation into docs/_build/html"
	@echo "make clean        remove all that these made"

example:
	@bash .ci/setup examples
	$(python) examples/digits.py $(ARGS)

RANKS = 2
# Open MPI's root is usually that of a container, with few cores.
example-mpi: export OMPI_ALLOW_RUN_AS_ROOT = 1
example-mpi: export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
example-mpi:
	@bash .ci/setup mpi
	PATH="$(CURDIR)/.venv/bin:$$PATH" mpiexec -n $(RANKS) --oversubscribe \
		$(python) -m mpi4py examples/data_parallel.py $(ARGS)

test:
	@bash .ci/setup tests
	$(python) -m pytest --numprocesses 2 --dist loadfile --cov --cov-fail-under 100 $(ARGS)

# OpenCL on the CPU, which any machine has. The files that take longest first.
gpu_tests = $(addprefix tests/test_, $(addsuffix .py, looked_through numerics \
    objectives)) $(wildcard tests/gpu/test_*.py) $(addprefix tests/test_, \
    $(addsuffix .py, citizenship runtime_errors training chains kernels \
    moved_rows stable logits output_layers))
gpu_flags = device=opencl0:0,floatX=float32
# Little is computed in the C around the kernels: compile it quickly.
quickly = gcc.cxxflags=-O0 -march=x86-64
gpu_python = .venv-gpu/bin/python

test-gpu:
	@bash .ci/setup-gpu
	@rm -f .coverage-gpu*
	THEANO_FLAGS='$(gpu_flags),$(quickly)' $(gpu_python) .ci/test-gpu $(gpu_tests) \
		$(if $(ARGS), -- $(ARGS))
	$(gpu_python) -m coverage combine --quiet --rcfile .ci/coverage-gpu.cfg
	$(gpu_python) -m coverage report --rcfile .ci/coverage-gpu.cfg --fail-under 100

test-all:
	@bash .ci/setup test-all
	@bash .ci/test-all $(ARGS)

test-theano:
	@bash .ci/setup test-theano
	$(python) tests/theanos_own/run.py $(ARGS)

lint:
	@bash .ci/setup lint
	$(python) -m ruff check
	$(python) -m ruff format --check

bench-gpu:
	@bash .ci/setup-gpu
	THEANO_FLAGS=$(gpu_flags) $(gpu_python) benchmarks/gpu.py $(or $(ARGS),--sizes 128x10)

docs:
	@bash .ci/setup docs
	$(python) -m sphinx -W --keep-going -b html docs docs/_build/html

bench:
	@bash benchmarks/setup
	.bench/python/bin/python benchmarks/cpu.py $(ARGS)
ifndef ARGS
	.bench/python/bin/python benchmarks/cpu.py --ways
	.bench/python/bin/python benchmarks/steps.py
	.bench/python/bin/python benchmarks/compile_time.py
	.bench/python/bin/python benchmarks/chart.py
	.bench/python/bin/python benchmarks/pages.py
endif

clean:
	rm -rf .venv .venv-gpu .theano .tox .bench .hypothesis .pytest_cache \
	    .ruff_cache .coverage .coverage.* .coverage-gpu*
	rm -rf build dist *.egg-info docs/_build docs/generated digits.png
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help example example-mpi test test-gpu test-all test-theano lint docs \
    bench bench-gpu clean
