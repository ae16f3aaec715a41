# `make repro` and `make test` need only Git and Python 3.11 to 3.13. They set up .venv if it is missing, a lock file changed
# or the folder was moved. In an environment of your own, `dvc repro` and `pytest` do the same.

PYTHON ?= python3
BIN := .venv/bin
WITH_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
# pip compiles on one core, compileall on all. Some libraries contain files that no supported Python compiles.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-compile
BYTECODE := $(BIN)/python -m compileall -qq -j 0 .venv/lib || true

# The scripts of a virtual environment contain the path of its folder. If that path changed, or its Python is missing, .venv
# is rebuilt. If pyvenv.cfg has no `command`, another tool created .venv, and it stays.
BROKEN := $(shell test ! -e .venv/pyvenv.cfg || { test -x $(BIN)/python && \
	{ ! grep -q '^command = ' .venv/pyvenv.cfg || grep -qF ' $(CURDIR)/.venv' .venv/pyvenv.cfg; }; } || echo yes)
ifeq ($(BROKEN),yes)
.PHONY: .venv/.ready
endif
# Many tests wait for subprocesses; the tests of a file share fixtures.
PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: repro test test-slow test-kernels mutation lint format lock sbom clean

repro: .venv/.ready  ## run the pipeline with params.yaml: train, evaluate, package
	$(WITH_VENV) dvc repro
	@echo
	@$(WITH_VENV) gogooku3 summary

test: .venv/.ready-dev lint  ## lint, types, import contracts and tests
	$(WITH_VENV) pytest $(PARALLEL)

test-slow: .venv/.ready-dev  ## the tests that take minutes: the demo in another folder, recovery, kills, faults
	$(WITH_VENV) pytest $(PARALLEL) -m slow

test-kernels: .venv/.ready-dev  ## the CUDA kernels on a CPU, in Triton's interpreter; installs Triton if torch did not
	$(BIN)/python -c 'import triton' 2>/dev/null || $(PIP) triton
	$(WITH_VENV) pytest tests/model/test_fused_selection.py

mutation: .venv/.ready-dev  ## changes in the code that no test notices, from a sample: at most 30 minutes
	$(WITH_VENV) python benchmarks/mutation.py

lint: .venv/.ready-dev
	$(WITH_VENV) ruff check
	$(WITH_VENV) ruff format --check
	$(WITH_VENV) mypy
	$(WITH_VENV) lint-imports

format: .venv/.ready-dev
	$(WITH_VENV) ruff check --fix
	$(WITH_VENV) ruff format

# torch pins the CUDA packages that its build needs. Locked here, they would be installed for CPU builds too.
CUDA := cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
# Where it is installed, jsonschema loads it with every chart, in 1.4 seconds; it only checks IRIs. The SBOM tool brings it.
SLOW := rfc3987-syntax lark
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	--custom-compile-command "make lock"

lock: .venv/.ready-dev  ## update the lock files after an edit of pyproject.toml; UPGRADE=--upgrade for newer versions
	$(WITH_VENV) $(COMPILE) $(UPGRADE) $(CUDA:%=--no-emit-package %) pyproject.toml --output-file requirements.lock
	$(WITH_VENV) $(COMPILE) $(UPGRADE) $(SLOW:%=--no-emit-package %) --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	sed -nE "s/^([a-z0-9-]+)==([^ ]+).*/\1: '\2'/p" requirements.lock > locks/libs.yaml

sbom: .venv/.ready-dev  ## build/sbom.json: the locked libraries as a CycloneDX SBOM, for scanners; needs no network
	mkdir -p build
	$(WITH_VENV) cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json

clean:
	rm -rf .venv build

# Checks Python's version before any download; pip itself would report a library that it does not find.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# Without activation, `.venv/bin/dvc repro` would run its stages with another `python`, or find none.
define ON_PATH
import os, sys; b = os.path.join(sys.prefix, "bin"); p = os.environ.get("PATH", os.defpath).split(os.pathsep); \
b in p or os.environ.update(PATH=os.pathsep.join([b, *p]))
endef

# torch is installed first and alone, so that an extra index with a CPU build serves only this package.
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "error: Python 3.11, 3.12 or 3.13 is needed, and \`$(PYTHON)\` is" \
		"$$($(PYTHON) --version 2>&1 | grep ^Python || echo not one)"; \
		echo "hint: name one of them, as in \`make $(or $(MAKECMDGOALS),repro) PYTHON=python3.12\`"; exit 1; } >&2
	@echo "Installing $$(grep -c == requirements.lock) libraries into .venv: minutes the first time"
	$(PYTHON) -m venv $(BROKEN:yes=--clear) .venv
	$(PIP) "$$(grep '^torch==' requirements.lock)"
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@echo '$(ON_PATH)' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/on_path.pth"
	$(BYTECODE)
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	$(PIP) --no-deps --requirement requirements-dev.lock  # nothing but what is locked
	$(BYTECODE)
	touch $@
