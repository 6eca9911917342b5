# Greenery ELT. `make help` lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SET_UP := $(VENV)/set-up
LOCAL := $(BIN)/python -m devtools.local
# Values reach the programs by the environment alone, as they were typed: make would expand a `$` in what
# stands on its command line, and a shell what stands in a recipe. No recipe names a variable of the user's.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(eval override $(name) := $$(value $(name)))))
export AGAINST ARGS BY CONFIRM_SHRUNK DAY DAYS END FROM KEY LOGIN MODEL NAME PICTURES PYTHON REASON SAMPLE SLACK
export OPEN SOURCE TABLE TEST TO UNTIL USER_ID WORKERS YES
export GREENERY_DATA ?= ../shared/greenery
# becomes `python -m …` with the words of ARGS after the others
WITH_ARGS := $(BIN)/python -m devtools.local.with_args

.DEFAULT_GOAL := help
.PHONY: help setup run up slack scenario down dbt psql ci-changed warehouse-url replay-quarantine forget rollback release override rebuild report pictures demo reset test test-slow test-docker backup pin-images restore lint format lock bench-anomalies bench-dag bench-load bench-marts bench-runs

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

run: $(SET_UP) ## one run on demo data, or on SOURCE: a folder of CSV files, or postgresql://...
	@$(LOCAL) run

up: $(SET_UP) ## start scheduler and Airflow UI on loopback
	@$(LOCAL) up

slack: $(SET_UP) ## start a fake Slack that shows alerts in a browser; make run SLACK=local tells it
	@$(LOCAL) slack

scenario: $(SET_UP) ## break a demo run and show what Slack hears: make scenario NAME=null_key; no name lists them
	@$(LOCAL) scenario

down: $(SET_UP) ## stop all of these, and Postgres
	@$(LOCAL) down

dbt: $(SET_UP) ## run dbt into your own schemas: make dbt ARGS="build -s fct_orders"
	@$(WITH_ARGS) devtools.local dbt

psql: $(SET_UP) ## open psql on the warehouse (reads every schema); ARGS="-c 'select 1'"
	@$(WITH_ARGS) devtools.local psql

ci-changed: $(SET_UP) ## build and test changed models, and diff their marts: AGAINST=main SAMPLE=2021-02-10
	@$(LOCAL) ci-changed

warehouse-url: $(SET_UP) ## print a libpq URL that may read every schema
	@$(LOCAL) warehouse-url

replay-quarantine: $(SET_UP) ## try rows in quarantine again, of all tables or of TABLE=name
	@$(LOCAL) replay-quarantine

forget: $(SET_UP) ## remove a person for good: make forget USER_ID=...
	@$(LOCAL) forget

rollback: $(SET_UP) ## show the publication before the last one, and hold it: REASON="..." BY=name
	@$(LOCAL) rollback

release: $(SET_UP) ## let the next run publish again after a rollback
	@$(LOCAL) release

override: $(SET_UP) ## let a failing test through: TEST=name REASON="..." DAYS=7; alone: list them; TEST=name END=1
	@$(LOCAL) override

rebuild: $(SET_UP) ## have the next run build anew: DAY=2026-11-20, or MODEL=name KEY=value; YES=1 does not ask
	@$(LOCAL) rebuild

report: $(SET_UP) ## write the report of what is published: OPEN=1 opens it in a browser, TO=folder
	@$(LOCAL) report

pictures: $(SET_UP) ## take docs/report.png anew; needs Chromium or Chrome
	@$(LOCAL) pictures

demo: $(SET_UP) ## write demo landing files: make demo ARGS="--help"
	@$(WITH_ARGS) devtools.demo

reset: $(SET_UP) ## delete the local warehouse, Airflow's memory and the demo data
	@$(LOCAL) reset

# which tests stay together, and which come first: tests/conftest.py
PYTEST = $(WITH_ARGS) pytest -p tests.support.engine_coverage --numprocesses "$${WORKERS:-2}" --dist loadfile --no-loadscope-reorder
test: lint ## lint and the tests of every change (real data in GREENERY_DATA, default ../shared/greenery)
	@$(PYTEST) -m "not slow"

test-slow: $(SET_UP) $(VENV)/set-up-s3 $(VENV)/set-up-browser ## the long tests; ALL=1: those too that are not run before each landing
	@$(PYTEST) -m "slow$(if $(value ALL),, and not rare)"

test-docker: $(SET_UP) $(VENV)/set-up-s3 ## build the image and try docker-compose.yml on a real engine; ALL=1: with workers, and kills of them
	@docker info >/dev/null || { echo "No Docker engine answers." >&2; exit 1; }
	@$(BIN)/python -m pytest tests/docker $(if $(value ALL),,-m "not rare") --timeout=1200 --durations=0 --durations-min=5

bench-marts: $(SET_UP) ## CPU of one more day and of a full refresh; ARGS="1000000 5000000 20000000"
	@AIRFLOW_HOME="$$PWD/.local/airflow" $(WITH_ARGS) benchmarks.marts

bench-runs: $(SET_UP) ## what many runs in a row leave behind, in memory and on disk; ARGS="--runs 100"
	@$(WITH_ARGS) benchmarks.many_runs

bench-anomalies: $(SET_UP) ## false alarms and faults found by the tests of usual numbers, beside Elementary's method
	@$(WITH_ARGS) benchmarks.anomalies

bench-load: $(SET_UP) .venv-bench/set-up ## the loader beside its peers: make bench-load ARGS="--help"
	@$(WITH_ARGS) benchmarks.load

# the peers live by themselves, pinned, and never in what the project needs
.venv-bench/set-up: benchmarks/requirements.txt $(SET_UP)
	@"$$PYTHON" -m venv .venv-bench
	@VIRTUAL_ENV=.venv-bench $(BIN)/uv pip install --quiet --compile-bytecode --requirement benchmarks/requirements.txt \
	    || .venv-bench/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
	@touch $@

backup: ## save the warehouse and Airflow's memory of docker compose: make backup TO=folder
	@sh include/elt/docker/backup.sh save "$${TO:-backups/$$(date -u +%Y-%m-%dT%H%M%S)}"

pin-images: ## have .env name the base images by digest, as the registry has them now
	@sh include/elt/docker/pin.sh

restore: ## put a backup back: make restore FROM=folder
	@sh include/elt/docker/backup.sh restore "$${FROM:?Name the backup: make restore FROM=folder}"

lint: $(SET_UP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache >$(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 dbt

format: $(SET_UP) ## put Python and SQL into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --quiet dbt

# kept apart: 120 MB that only a landing folder in a bucket needs
$(VENV)/set-up-s3: $(SET_UP) requirements-s3-test.txt requirements-s3.txt
	@$(call install,requirements-s3-test.txt) || $(call install-by-pip,constraints.txt)
	@touch $@

# kept apart: 160 MB that only the tests of pages in a browser need
$(VENV)/set-up-browser: $(SET_UP) requirements-browser-test.txt
	@$(call install,requirements-browser-test.txt) || $(call install-by-pip,constraints.txt)
	@touch $@

setup: $(SET_UP) ## make .venv with everything pinned

# constraints.txt has every pin with its hashes; overrides.txt what is left out of them
install = VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --requirement $(1) \
	--constraint constraints.txt --override overrides.txt
# pip knows no overrides, so it takes the whole list as it stands and resolves nothing
install-by-pip = $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(1)

# uv takes seconds where pip takes a minute; where uv can't be had or can't reach the registry, pip may
$(SET_UP): requirements.txt requirements-dev.txt constraints.txt overrides.txt
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed; $$PYTHON is $$("$$PYTHON" --version). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV) ..." >&2
	@"$$PYTHON" -m venv $(VENV)
	@sed -n '/^uv==/,/[^\]$$/p' constraints.txt >$(VENV)/uv.txt
	@{ $(call install-by-pip,$(VENV)/uv.txt) && $(call install,requirements-dev.txt); } || $(call install-by-pip,constraints.txt)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --editable .
	@touch $(SET_UP)

lock: $(SET_UP) ## renew constraints.txt from the requirements
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --override overrides.txt requirements-dev.txt requirements-s3-test.txt requirements-celery.txt \
	    requirements-browser-test.txt \
	    --output-file constraints.txt
