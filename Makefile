# Needs python3 (3.11 or newer) and make; everything else goes into .venv, which belongs to this file.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Both names: an older pip takes the constraints of an isolated build from the first, a newer one from the second.
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(PY) -m pip --disable-pip-version-check -qq
NOX := PATH="$(CURDIR)/$(BIN):$$PATH" $(PY) -m nox --no-stop-on-first-error

.DEFAULT_GOAL := help
.PHONY: help demo test lint types contracts tree docs bench bench-smoke performance wheel lowest api pins clean FORCE

help:
	@echo "make demo         fifty cameras and their events, against the emulator"
	@echo "make test         everything that must hold before a merge"
	@echo "make lint         ruff and its formatter          make types     mypy, basedpyright, completeness"
	@echo "make contracts    the layers                      make tree      the tests that need the source tree"
	@echo "make docs         the documentation               make bench     the benchmarks"
	@echo "make performance  fleets against other clients, into docs/performance.md"
	@echo "make wheel        the tests against the wheel     make lowest    with the oldest dependencies, and coverage"
	@echo "make api          renew the snapshot of the API   make pins      renew the constraints"
	@echo "make clean        remove what was made, .venv included"

demo: $(VENV)/.runtime
	@$(BIN)/aiorekostream demo

test: $(VENV)/.dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PY) tools/lanes.py

lint types contracts tree docs lowest: $(VENV)/.dev
	@$(NOX) -s $@

bench-smoke: $(VENV)/.dev
	@$(NOX) -s bench

wheel: $(VENV)/.dev
	@$(NOX) -t wheel

bench: $(VENV)/.dev
	-@$(PIP) install --upgrade --target $(VENV)/contenders capo-rekognition uvloop pydantic
	@for file in bench/*.py; do echo "== $$file"; $(PY) "$$file" || exit 1; done

# A contender that does not install takes no part. It has a folder of its own, so that nothing here depends on it.
performance: $(VENV)/.dev
	-@$(PIP) install --upgrade --target $(VENV)/contenders capo-rekognition
	@$(PY) bench/performance.py --with $(VENV)/contenders --docs docs

api: $(VENV)/.dev
	@$(PY) -m tests.api.signatures

pins: $(VENV)/.home
	@$(PY) tools/pins.py

clean:
	rm -rf $(VENV) .nox build dist docs/_build .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that was made for another place, or whose interpreter is gone, is made anew.
ifneq ($(CURDIR),$(shell $(PY) -c 'print(open("$(VENV)/.home").read(), end="")' 2>/dev/null))
$(VENV)/.home: FORCE
endif

$(VENV)/.home:
	@python=$$(tools/find-python) && "$$python" -m venv --clear $(VENV)
	@printf %s "$(CURDIR)" > $@

$(VENV)/.runtime: $(VENV)/.home pyproject.toml constraints.txt
	@echo "installing aiorekostream into $(VENV)"
	@$(PIP) install -e '.[cli]'
	@touch $@

# The Makefile itself names the packages of JavaScript.
$(VENV)/.dev: $(VENV)/.home pyproject.toml constraints.txt Makefile
	@echo "installing aiorekostream and its tools into $(VENV)"
	@$(PIP) install pip
	@$(PIP) install -e '.[cli,redis]' --group dev
	-@if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --ignore-scripts --no-save \
		--prefix $(VENV)/javascript $(foreach name,rekognition sqs s3 kinesis,@aws-sdk/client-$(name)@3.1142.0); fi
	@touch $(VENV)/.runtime $@
