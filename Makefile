# `make repro` and `make test` need nothing but Git and Python 3.11 to 3.13: they set up .venv when it is missing or
# when a lock file changed. In an environment of your own, `dvc repro` and `pytest` do the same work.

PYTHON ?= python3
BIN := .venv/bin
WITH_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
# Many tests wait for the commands that they run; a file's tests share what it makes.
PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: repro test test-slow lint format lock clean

repro: .venv/.ready  ## train and package what params.yaml says
	$(WITH_VENV) dvc repro

test: .venv/.ready-dev lint  ## lint, types, import contracts and tests
	$(WITH_VENV) pytest $(PARALLEL)

test-slow: .venv/.ready-dev  ## the tests that take minutes: the whole demo elsewhere, releases brought back, kills, faults
	$(WITH_VENV) pytest $(PARALLEL) -m slow

lint: .venv/.ready-dev
	$(WITH_VENV) ruff check
	$(WITH_VENV) ruff format --check
	$(WITH_VENV) mypy
	$(WITH_VENV) lint-imports

format: .venv/.ready-dev
	$(WITH_VENV) ruff check --fix
	$(WITH_VENV) ruff format

# torch names the CUDA packages that its build needs, version by version; locked here, they would come to machines
# whose build needs none.
CUDA := cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	--custom-compile-command "make lock"

lock: .venv/.ready-dev  ## pin anew after an edit of pyproject.toml; add UPGRADE=--upgrade for newer versions
	$(WITH_VENV) $(COMPILE) $(UPGRADE) $(CUDA:%=--no-emit-package %) pyproject.toml --output-file requirements.lock
	$(WITH_VENV) $(COMPILE) $(UPGRADE) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	sed -nE "s/^([a-z0-9-]+)==([^ ]+).*/\1: '\2'/p" requirements.lock > locks/libs.yaml

clean:
	rm -rf .venv build

# torch comes first and by itself: an index that also carries a CPU build is then asked for that one package only.
.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.lock
	touch $@
