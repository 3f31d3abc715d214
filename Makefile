# `make up` starts everything, `make test` checks everything; both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q

.PHONY: help setup up test test-full lint format locks protos clean

help:            ## show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'

setup: $(VENV)/.stack dashboard/web/dist/index.html  ## install what `make up` needs into .venv and build the page

$(VENV)/bin/python:
	@echo "==> creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 setup")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.stack: requirements/stack.lock pyproject.toml | $(VENV)/bin/python
	@echo "==> installing the locked packages (a minute the first time)"
	@$(PIP) install --require-hashes -r requirements/stack.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements/development.lock $(VENV)/.stack
	@echo "==> installing the locked packages for tests"
	@$(PIP) install --require-hashes -r requirements/development.lock
	@touch $@

up: setup        ## run the whole product on this machine; one Ctrl-C stops it
	@$(BIN)/quotad up $(ARGS)

locks: $(VENV)/.development  ## resolve the lock files again from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --custom-compile-command "make locks" -p 3.11 pyproject.toml -o requirements/production.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --custom-compile-command "make locks" -p 3.11 --extra embedded --extra page -c requirements/production.lock pyproject.toml -o requirements/stack.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --custom-compile-command "make locks" -p 3.11 --all-extras -c requirements/stack.lock pyproject.toml -o requirements/development.lock

protos: $(VENV)/.development  ## generate the gRPC stubs again
	@PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. protos/quota/v1/quota.proto
