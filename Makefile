# Needs Python 3.11+ (with venv) and make, nothing else; everything is kept in this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# make run needs less than the tools for developers, which bring all of it.
STAMP := $(VENV)/.installed
TO_RUN := $(or $(wildcard $(STAMP)),$(VENV)/.installed-to-run)
# What is imported is compiled then; the rest, which is most of it, never.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header

# make docs and docs-serve need a little more than make run.
TO_DOCUMENT := $(VENV)/.installed-to-document
SITE := build/site

# make run
HOST := 127.0.0.1
PORT ?= 8080
DATA_DIR ?= .scoreboard
WORKERS ?= 1

# make load-test, make test-hostile: what is not given is left to the script's own defaults
RATE ?=
CLIENTS ?=
DURATION ?=
DUPLICATES ?=
USERS ?=
BOARDS ?=
COMPARE ?=

# make chaos: what is not given is a drawn seed, 300,000 actions and 200 kills; with CLUSTER=1 or SENTINEL=1
# 100,000 actions and 60 faults, whose number is KILLS then; with SEASON=1 2,000 posts a second (RATE) for a minute
SEED ?=
ACTIONS ?=
KILLS ?=
CLUSTER ?=
SENTINEL ?=
SEASON ?=

# further options of the command behind a target
ARGS ?=

# Without the compiled files each of the hundreds of processes of a test run would compile the package.
unexport PYTHONDONTWRITEBYTECODE

# For two cores: most tests wait for servers half of their time. Each process takes its tests in a row.
TESTS := -m pytest -n 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test coverage check check-pages test-clients load-test bench bench-peers test-faults chaos lock docs docs-serve docs-renderer pictures release clean test-hostile rehearse-restore

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(TO_RUN) ## start everything on 127.0.0.1:8080 (PORT, HOST, DATA_DIR, WORKERS)
	@exec $(BIN)/scoreboard up --host $(HOST) --port $(PORT) --data-dir $(DATA_DIR) --workers $(WORKERS)

test: $(STAMP) ## run all tests on servers they start (ARGS="-k name", REDIS_SERVER=/path/to/redis-server)
	$(BIN)/python $(TESTS) $(ARGS)

test-faults: $(STAMP) ## the tests that stop and kill servers, then their long forms (15 minutes)
	EVERY_FAULT=1 $(BIN)/python $(TESTS) tests/faults $(ARGS)
	$(BIN)/python -m scripts.chaos steps
	$(BIN)/python -m scripts.chaos losses
	$(BIN)/python -m scripts.chaos lost-replies --loss reset
	$(BIN)/python -m scripts.chaos lost-replies --loss silence --every 20

# Of the faults only those that run the service in their own process: the others mostly wait for processes
# that tracing slows down, and many of these are killed.
coverage: $(STAMP) ## all tests but most of those of faults, and what of the package they run, in build/coverage
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run $(TESTS) tests/e2e tests/faults/test_cluster.py tests/faults/test_sentinel.py \
	  tests/integration tests/lua tests/unit tests/support $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage html --quiet --fail-under=0 --directory build/coverage/html
	$(BIN)/python -m coverage report $(if $(ARGS),--fail-under=0)

check: $(STAMP) ## lint, format, types, direction of imports, Lua, pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_lua.py
	@$(MAKE) --no-print-directory check-pages

# Only this needs Node.js. It is skipped without it, but not in CI, which has it.
check-pages: ## lint and format of the JavaScript and CSS, types of the client's; needs npm
	@if command -v npm >/dev/null; then \
	  { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund; } && \
	  node_modules/.bin/biome ci --colors=off --error-on-warnings && \
	  node_modules/.bin/tsc --project clients/javascript; \
	elif [ -n "$$CI" ]; then echo "The check of the pages needs npm, and there is none."; exit 1; \
	else echo "Skipped: the check of the pages' JavaScript and CSS, which needs Node.js with npm."; fi

test-clients: $(STAMP) ## every client against the conformance suite, with a table (ARGS="-k python")
	$(BIN)/python -m pytest clients/conformance $(ARGS)

load-test: $(STAMP) ## load a server and audit it (RATE, CLIENTS, DURATION, DUPLICATES, USERS, BOARDS, COMPARE)
	$(BIN)/python -m scripts.load_test $(if $(RATE),--rate $(RATE)) $(if $(CLIENTS),--clients $(CLIENTS)) \
	  $(if $(DURATION),--duration $(DURATION)) $(if $(DUPLICATES),--duplicates $(DUPLICATES)) \
	  $(if $(USERS),--users $(USERS)) $(if $(BOARDS),--boards $(BOARDS)) \
	  $(if $(COMPARE),--compare $(COMPARE)) $(ARGS)

bench: $(STAMP) ## measure every part, ten minutes on idle cores (ARGS="http fanout")
	$(BIN)/python -m scripts.bench $(ARGS)

bench-peers: $(STAMP) ## compare with what one would build instead; needs npm, installs the peers aside (ARGS)
	$(BIN)/python -m scripts.bench.peers $(ARGS)

chaos: $(STAMP) ## load a server while its parts are killed, then audit it (SEED, ACTIONS, KILLS, CLUSTER, SENTINEL, SEASON, REDIS_SERVER)
	$(BIN)/python -m scripts.chaos $(if $(SEASON),season,run) $(if $(SEED),--seed $(SEED)) \
	  $(if $(ACTIONS),--actions $(ACTIONS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEASON),$(if $(RATE),--rate $(RATE))) \
	  $(if $(CLUSTER),--redis cluster) $(if $(SENTINEL),--redis sentinel) $(ARGS)

rehearse-restore: $(STAMP) ## lose servers of our own and restore them by the commands of docs/backup.md (ARGS)
	$(BIN)/python -m scripts.rehearse_restore $(ARGS)

test-hostile: $(STAMP) ## attack a service of our own, with an honest client all the while (DURATION, SEED, ARGS="raw-http")
	$(BIN)/python -m scripts.hostile $(if $(DURATION),--seconds $(DURATION)) $(if $(SEED),--seed $(SEED)) $(ARGS)

clean: ## remove the virtual environment, what was built and the tools' caches; keeps .scoreboard and reports
	rm -rf $(VENV) node_modules build dist scoreboard.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache

lock: $(STAMP) ## renew requirements/*.txt: the newest versions that setup.cfg allows, with hashes
	$(LOCK) setup.cfg --extra dev --output-file requirements/dev.txt
	$(LOCK) setup.cfg --constraints requirements/dev.txt --output-file requirements/service.txt
	$(LOCK) setup.cfg --extra otel --constraints requirements/dev.txt --output-file requirements/otel.txt
	$(LOCK) setup.cfg --extra embedded --extra train --constraints requirements/dev.txt --output-file requirements/run.txt
	$(LOCK) setup.cfg --extra docs --constraints requirements/dev.txt --output-file requirements/docs.txt
	$(LOCK) requirements/build.in --constraints requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) scripts/bench/peers/fastapi_tutorial/requirements.in --constraints requirements/dev.txt \
	  --output-file scripts/bench/peers/fastapi_tutorial/requirements.txt

docs: $(TO_DOCUMENT) ## build the documents' site in build/site, with its links checked
	@$(BIN)/python -m scripts.docs_site lay-out
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@$(BIN)/python -m scripts.docs_site check

docs-serve: docs ## the same, on 127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) 8000

docs-renderer: $(STAMP) ## fetch the pinned Redoc, which shows /docs, from npm; needs npm
	@command -v npm >/dev/null || { echo "This needs Node.js with npm, and there is none."; exit 1; }
	$(BIN)/python -m scripts.renew_redoc

pictures: $(STAMP) ## take the pictures of the pages in docs/images anew; needs Chromium
	$(BIN)/python -m pytest tests/e2e/pictures.py

release: $(STAMP) ## build wheel and sdist in dist/ and try them in a clean environment
	scripts/check_release.sh

# A virtual environment with what the files of requirements/ list, and with this package.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
@echo "Installing into $(VENV)/, once; this takes a few minutes."
$(PYTHON) -m venv $(VENV)
$(PIP) --require-hashes $(foreach list,$(1),--requirement requirements/$(list).txt)
PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable . # setuptools warns at length of any such install
@touch $@
endef

$(STAMP): setup.cfg pyproject.toml requirements/dev.txt
	$(call install,dev)

$(TO_DOCUMENT): $(TO_RUN) requirements/docs.txt
	@echo "Installing what builds the site."
	@$(PIP) --require-hashes --requirement requirements/docs.txt
	@touch $@

$(VENV)/.installed-to-run: setup.cfg pyproject.toml requirements/run.txt requirements/build.txt
	$(call install,run build)
