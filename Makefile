# Everything runs in .venv, which the first target that needs it builds from the lock.
# It takes python3 >= 3.11 with venv, and a package index (pip's own settings choose which).

PYTHON ?= python3
STORE ?=
JOBS ?= 3
DATA ?=
BENCH_ARGS ?= --write
PYTEST_ARGS ?=

BIN := .venv/bin
# The stamp carries the version, so that another PYTHON builds the environment anew.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP := .venv/.installed-$(VERSION)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint types generated docs format bench bench-adapters mutants soak test-migrate-matrix chaos-migrate bench-migrate bench-hnsw lock clean

help: ## list the targets
	@echo "make TARGET [PYTHON=$(PYTHON)]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml src/polyvec/_version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "polyvec needs python >= 3.11, this is " + sys.version)'
	@echo "installing requirements/dev.txt into .venv (python $(VERSION))"
	@[ -x $(BIN)/python$(VERSION) -a -x $(BIN)/pip ] || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## show polyvec on 2,000 real records (STORE=url for another store)
	@$(BIN)/polyvec demo $(STORE)

test: check ## check, then run all tests (JOBS=3, PYTEST_ARGS=...)
	@$(BIN)/python -m tests.services.weaviate # builds a server once, which takes minutes
	@$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

check: lint types generated docs ## lint, format, types, generated files, documentation

lint: $(STAMP)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "not formatted; run: make format"; $(BIN)/ruff format --diff --quiet | head -n 40; exit 1; }
	@echo "lint: ok"

types: $(STAMP)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pyright
	@echo "types: ok"

generated: $(STAMP)
	@$(BIN)/python tools/unasync.py --check
	@if [ -e tools/generate_docs.py ]; then $(BIN)/python tools/generate_docs.py --check; fi
	@echo "generated files: ok"

docs: $(STAMP) ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "docs: ok"

format: $(STAMP) ## rewrite generated files, sort imports, format
	@$(BIN)/python tools/unasync.py
	@if [ -e tools/generate_docs.py ]; then $(BIN)/python tools/generate_docs.py; fi
	@$(BIN)/ruff check --quiet --select I --fix
	@$(BIN)/ruff format --quiet

bench: $(STAMP) ## measure speed, as ratios
	@$(BIN)/python tests/benchmarks/run.py

bench-adapters: $(STAMP) ## measure the adapters against their vendors' clients (BACKENDS=...)
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_adapters.py --write $(BACKENDS)

mutants: $(STAMP) ## measure the conformance suite by seeded faults
	@$(BIN)/python -m tests.mutants.run

soak: $(STAMP) ## a million random operations against a model
	@$(BIN)/python tests/soak.py

test-migrate-matrix: $(STAMP) ## move 2,000 records from every store to every other and back
	@PYTHONPATH=. $(BIN)/python -m tests.migrate.there_and_back --write

chaos-migrate: $(STAMP) ## kill a migration 20 times and its target 5 times, then compare
	@PYTHONPATH=. $(BIN)/python -m tests.migrate.chaos --write

bench-migrate: $(STAMP) ## measure migrations against reading and writing alone
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_migrate.py --write

# An environment of its own: the peers are no dependency of anything else. One that does not
# install is told of in the report.
.venv-bench/.installed-$(VERSION): requirements/bench-hnsw.txt
	@[ -x .venv-bench/bin/python$(VERSION) ] || $(PYTHON) -m venv --clear .venv-bench
	@grep -v '^#' $< | while read -r pin; do \
		.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary "$$pin" || echo "not installed: $$pin"; done
	@touch $@

bench-hnsw: .venv-bench/.installed-$(VERSION) ## measure the graph index against its peers (DATA=file.parquet, BENCH_ARGS=--quick)
	@PYTHONPATH=.:src .venv-bench/bin/python tests/benchmarks/bench_hnsw.py $(if $(DATA),--data $(DATA)) $(BENCH_ARGS)

lock: $(STAMP) ## write requirements/dev.txt (LOCK_ARGS=--upgrade for newer versions)
	@UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		$${PIP_INDEX_URL:+--default-index "$$PIP_INDEX_URL"} $(LOCK_ARGS) \
		--extra testing --extra pgvector --extra chroma --extra qdrant --extra pinecone --extra serve --extra weaviate --extra milvus --extra hnsw --extra ray --group dev --output-file requirements/dev.txt pyproject.toml

clean: ## remove what the other targets made, .venv too
	@rm -rf .venv .venv-bench build dist site reports .coverage* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
