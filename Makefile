# `make repro` and `make test` need nothing but Git and Python 3.11 to 3.13: they set up .venv when it is missing, when a
# lock file changed or when the folder was moved. In an environment of your own, `dvc repro` and `pytest` do the same work.

PYTHON ?= python3
BIN := .venv/bin
WITH_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
PIP := $(BIN)/python -m pip --disable-pip-version-check install

# The scripts of a virtual environment hold the path of its folder. Where that is another one now, or where its Python is
# gone, .venv is made anew. Without `command` in pyvenv.cfg another tool has made it, and it stays.
BROKEN := $(shell test ! -e .venv/pyvenv.cfg || { test -x $(BIN)/python && \
	{ ! grep -q '^command = ' .venv/pyvenv.cfg || grep -qF ' $(CURDIR)/.venv' .venv/pyvenv.cfg; }; } || echo yes)
ifeq ($(BROKEN),yes)
.PHONY: .venv/.ready
endif
# Many tests wait for the commands that they run; a file's tests share what it makes.
PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: repro test test-slow lint format lock clean

repro: .venv/.ready  ## train and package what params.yaml says
	$(WITH_VENV) dvc repro
	@echo
	@$(WITH_VENV) gogooku3 summary

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

# Python's version is looked at before anything is downloaded: pip itself names a library that it does not find.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# In a shell that was not activated, `.venv/bin/dvc repro` would run its stages by another `python`, or find none.
define ON_PATH
import os, sys; b = os.path.join(sys.prefix, "bin"); p = os.environ.get("PATH", os.defpath).split(os.pathsep); \
b in p or os.environ.update(PATH=os.pathsep.join([b, *p]))
endef

# torch comes first and by itself: an index that also carries a CPU build is then asked for that one package only.
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
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	$(PIP) --requirement requirements-dev.lock
	touch $@
