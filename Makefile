# Everything is done inside .venv, which is made from requirements.lock on first use. No Docker, no system packages.

PYTHON ?= python3
WORKERS ?= 2
PORT_OFFSET ?= 0
VERBOSE ?=
ARGS ?=
FROM ?=
TO ?=
DRY_RUN ?=
SEEDS ?= 2000
SEED ?=
POLICY ?= safe
VECTORS ?=
SECONDS_EACH ?= 30

UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.made-from-lock
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help run stop logs demo token test webhooks-replay simulate model crash vectors fuzz lint format protos lock clean-data clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## run the whole stack until Ctrl-C (PORT_OFFSET=100 moves every port, VERBOSE=1 shows all logs)
	@$(BIN)/python -m dev run --port-offset $(PORT_OFFSET) $(if $(VERBOSE),--verbose)

stop: $(READY) ## stop the running stack
	@$(BIN)/python -m dev stop

logs: ## follow the logs of the running stack
	@tail -n 5 -F .run/logs/*.log

demo: $(READY) ## make three payments against the running stack and show what happens
	@$(BIN)/python -m dev demo

token: $(READY) ## print a member's token: make token USER=alice
ifeq ($(origin USER),command line)
	@$(BIN)/python -m dev token -- "$$USER"
else
	@echo "usage: make token USER=alice" >&2; exit 64
endif

test: $(READY) ## run the tests (ARGS="tests/stack -k watchdog" narrows, WORKERS=4 uses more processes)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

webhooks-replay: $(READY) ## handle stored callbacks again: FROM=2026-11-01 TO=2026-11-02, DRY_RUN=1 only says what would differ
	@set -a; . .run/env; set +a; \
		$(BIN)/python -m time_machine --from "$(FROM)" --to "$(TO)" $(if $(DRY_RUN),,--replay)

simulate: $(READY) ## simulate payments under faults: SEEDS=20000, or SEED=n tells the story of one, POLICY=fall_back_on_timeout shows a wrong one
	@$(BIN)/python -m proofs.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) --workers $(WORKERS) --policy $(POLICY)

model: $(READY) ## check every order of events in a model of the same rules (ARGS="--variant NAME" tells how a wrong one is caught)
	@$(BIN)/python -m proofs.model --workers $(WORKERS) $(ARGS)

crash: $(READY) ## kill the operations at every point, cut every commit, restart the database, kill the stack (minutes; ARGS="point create after-commit:3" tries one again)
ifneq ($(ARGS),)
	@$(BIN)/python -m proofs.crash $(ARGS)
else
	@$(BIN)/python -m proofs.crash matrix
	@$(BIN)/python -m proofs.crash commits
	@$(BIN)/python -m proofs.crash idempotency
	@$(BIN)/python -m proofs.crash database
	@$(BIN)/python -m proofs.crash stack
endif

vectors: $(READY) ## run other people's test vectors: VECTORS=folder
	@$(BIN)/python -m fuzz vectors "$(VECTORS)"

fuzz: $(READY) ## attack every parser and verifier: SECONDS_EACH=30 a target
	@$(BIN)/python -m fuzz all --seconds $(SECONDS_EACH)

lint: $(READY) ## check style, types, import rules, protos and the freshness of generated code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/buf lint
	@$(BIN)/python -m dev.generate_protos --check

format: $(READY) ## format the code and apply safe corrections
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

protos: $(READY) ## generate the Python code of the protos
	@$(BIN)/python -m dev.generate_protos

lock: $(READY) ## choose dependency versions again and write both lock files
	@$(COMPILE) --upgrade --extra dev --output-file requirements.lock
	@$(COMPILE) --constraints requirements.lock --output-file requirements-runtime.lock

clean-data: $(READY) ## forget the stack's database and what the sandboxes remember
	@$(BIN)/python -m dev clean-data

clean: ## remove the virtual environment and every cache (data and logs in .run stay)
	@test ! -x $(BIN)/python || $(BIN)/python -m dev clean-programs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is ten times faster; where it cannot be had, pip installs the same versions and checks the same hashes.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@echo "Making .venv from requirements.lock …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@($(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
		&& $(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock) \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@touch $@
