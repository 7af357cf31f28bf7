# make demo    set up what is missing, then convert and validate the demo detector
# make test    set up what is missing, then run all checks and tests
# make coverage run the tests, slower, and tell which lines and branches they reach
# make docs    set up what is missing, then build the site of docs/ into build/site
# make setup   build .venv with the package in it; quick when nothing changed

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Test files that run at once; each worker builds the fixtures of its session. 0: one after the other.
WORKERS ?= 2
export MOBILEQ_PYTHON

.PHONY: setup setup-test demo test lint style unit coverage docs clean

setup: $(VENV)/.package
setup-test: $(VENV)/.test

$(VENV)/.package: pyproject.toml
	@python=$$(sh tools/find_python.sh) || exit 1; \
	if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null; then \
		rm -rf $(VENV); echo "Creating $(VENV) with $$python"; "$$python" -m venv $(VENV); \
	fi
	@echo "Installing mobileq and what it needs (about 0.6 GB) ..."
	@$(PIP) install --editable .
	@touch $@

# TensorFlow is for the second engine; it makes the environment 2.6 GB.
$(VENV)/.test: $(VENV)/.package
	@echo "Installing the test tools and TensorFlow (about 2 GB) ..."
	@$(PIP) install --editable '.[tensorflow,dev,docs]'
	@touch $@

$(VENV)/.docs: $(VENV)/.package
	@echo "Installing MkDocs (about 60 MB) ..."
	@$(PIP) install --editable '.[docs]'
	@touch $@

# A link or anchor that leads nowhere is an error (not with --quiet: MkDocs 1.6.1 counts no warnings
# then). NO_MKDOCS_2_WARNING: nothing of the theme's makers about other tools.
docs: $(VENV)/.docs
	$(BIN)/python tools/docs_schemas.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "build/site/index.html"

demo: setup
	$(BIN)/mobileq demo --output build/demo-bundle

# mypy is one of the tests as well: alone it would keep one core busy for most of a minute.
test: setup-test style unit

lint: style
	$(BIN)/mypy

style: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

unit: setup-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# Which lines and branches the tests reach. Following each of them makes Python half as fast again.
coverage: setup-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder \
		--cov --cov-report=term:skip-covered

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
