# Every target sets up what it needs, inside this folder: python3 (3.11 or newer), make and git are enough.

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench lab docs test-lowest lock hooks clean

BENCHMARKS := engine investigation slices signals logs onset_coverage healthy ledger corruption

BIN := .venv/bin
READY := .venv/.ready
LOWEST_READY := .venv-lowest/.ready
# Settings of the person's own (mirrors, caches) still reach uv through its environment variables.
UV := UV_NO_PROGRESS=1 $(BIN)/uv --quiet
COMPILE := UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv --quiet --no-config pip compile --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --upgrade
# On all cores; a file's tests stay together, as they share what is dear to make.
PYTEST := -m pytest --numprocesses auto --dist loadfile
# Many tests start a Python of their own: it reads bytecode that is kept, whatever the environment says of keeping it.
KEEPING := PYTHONDONTWRITEBYTECODE=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Investigate a failure on real flight data and say where the report lies
	@$(BIN)/mortis demo --out build/demo

test: $(READY) ## Run the tests, on all cores
	@$(KEEPING) $(BIN)/python $(PYTEST)

check: $(READY) ## Lint, formatting, types, import order, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

format: $(READY) ## Format the code and mend what the linter can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## Run the benchmarks
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit; done

lab: $(READY) ## Score the diagnosis over 300 made cases and renew its page in the docs
	@$(BIN)/mortis lab score --cases 300 --seed 6000 --jobs 2 --page docs/score.md

docs: $(READY) ## Build the documentation into site/; a warning is an error
	$(BIN)/zensical build --clean --strict

test-lowest: $(LOWEST_READY) ## Run the tests with the lowest versions that pyproject.toml allows
	@$(KEEPING) .venv-lowest/bin/python $(PYTEST)

lock: $(READY) ## Renew the lock file with the newest versions allowed
	$(COMPILE) pyproject.toml --extra demo --extra lab --extra models --extra postgres --group dev --output-file requirements/lock.txt
	echo uv | $(COMPILE) - --output-file requirements/bootstrap.txt

hooks: $(READY) ## Run the checks before every commit
	$(BIN)/pre-commit install

clean: ## Remove everything that was set up or built here
	rm -rf .venv .venv-lowest .venv-mlflow build dist site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements/lock.txt requirements/bootstrap.txt requirements/setup.sh pyproject.toml
	@sh requirements/setup.sh .venv
	@$(UV) pip sync --python $(BIN)/python --require-hashes requirements/lock.txt
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(LOWEST_READY): $(READY) pyproject.toml
	@sh requirements/setup.sh .venv-lowest
	@$(UV) pip install --python .venv-lowest/bin/python --upgrade --resolution lowest-direct --group test --editable '.[demo,lab,postgres]'
	@touch $@
