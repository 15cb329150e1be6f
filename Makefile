# Needs Python 3.11+ (with venv) and make, nothing else; everything is kept in this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header

# make run
HOST := 127.0.0.1
PORT ?= 8080
DATA_DIR ?= .scoreboard
WORKERS ?= 1

# make load-test: what is not given is left to the script's own defaults
RATE ?=
CLIENTS ?=
DURATION ?=
DUPLICATES ?=
USERS ?=
BOARDS ?=
COMPARE ?=

# make chaos: what is not given is a drawn seed, 300,000 actions and 200 kills
SEED ?=
ACTIONS ?=
KILLS ?=

# further options of the command behind a target
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test coverage check check-pages load-test bench test-faults chaos lock release clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP) ## start everything on 127.0.0.1:8080 (PORT, HOST, DATA_DIR, WORKERS)
	@exec $(BIN)/scoreboard up --host $(HOST) --port $(PORT) --data-dir $(DATA_DIR) --workers $(WORKERS)

test: $(STAMP) ## run all tests on servers they start (ARGS="-k name", REDIS_SERVER=/path/to/redis-server)
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-faults: $(STAMP) ## the tests that stop and kill servers, then their long forms (15 minutes)
	$(BIN)/python -m pytest -n 2 tests/faults $(ARGS)
	$(BIN)/python -m scripts.chaos steps
	$(BIN)/python -m scripts.chaos losses
	$(BIN)/python -m scripts.chaos lost-replies --loss reset
	$(BIN)/python -m scripts.chaos lost-replies --loss silence --every 20

coverage: $(STAMP) ## the same tests, and what of the package they run, in build/coverage (ARGS as for test)
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest -n 2 $(ARGS)
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
check-pages: ## lint and format of the pages' JavaScript and CSS; needs npm
	@if command -v npm >/dev/null; then \
	  { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund; } && \
	  node_modules/.bin/biome ci --colors=off --error-on-warnings; \
	elif [ -n "$$CI" ]; then echo "The check of the pages needs npm, and there is none."; exit 1; \
	else echo "Skipped: the check of the pages' JavaScript and CSS, which needs Node.js with npm."; fi

load-test: $(STAMP) ## load a server and audit it (RATE, CLIENTS, DURATION, DUPLICATES, USERS, BOARDS, COMPARE)
	$(BIN)/python -m scripts.load_test $(if $(RATE),--rate $(RATE)) $(if $(CLIENTS),--clients $(CLIENTS)) \
	  $(if $(DURATION),--duration $(DURATION)) $(if $(DUPLICATES),--duplicates $(DUPLICATES)) \
	  $(if $(USERS),--users $(USERS)) $(if $(BOARDS),--boards $(BOARDS)) \
	  $(if $(COMPARE),--compare $(COMPARE)) $(ARGS)

bench: $(STAMP) ## measure every part, ten minutes on idle cores (ARGS="http fanout")
	$(BIN)/python -m scripts.bench $(ARGS)

chaos: $(STAMP) ## load a server while its parts are killed, then audit it (SEED, ACTIONS, KILLS, REDIS_SERVER)
	$(BIN)/python -m scripts.chaos run $(if $(SEED),--seed $(SEED)) \
	  $(if $(ACTIONS),--actions $(ACTIONS)) $(if $(KILLS),--kills $(KILLS)) $(ARGS)

clean: ## remove the virtual environment and the tools' caches; keeps .scoreboard
	rm -rf $(VENV) node_modules build dist reports .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

lock: $(STAMP) ## renew requirements/*.txt: the newest versions that setup.cfg allows, with hashes
	$(LOCK) setup.cfg --extra dev --output-file requirements/dev.txt
	$(LOCK) setup.cfg --constraints requirements/dev.txt --output-file requirements/service.txt
	$(LOCK) requirements/build.in --constraints requirements/dev.txt --output-file requirements/build.txt

release: $(STAMP) ## build wheel and sdist in dist/ and try them in a clean environment
	scripts/check_release.sh

$(STAMP): setup.cfg pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
