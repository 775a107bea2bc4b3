# Two commands work on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := src tests bench clients conformance examples

.PHONY: help setup demo test endurance lint fmt bench conformance proofs receivers visibility providers clients

help: ## What there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(VENV)/ready ## The environment everything else uses

$(VENV)/ready: requirements/all.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## The whole story in one terminal
	$(BIN)/toolgate demo

test: setup ## All tests
	$(BIN)/python -m pytest -n 2

endurance: setup ## Kills, reloads and garbage at full count (minutes)
	TOOLGATE_KILLS=20 $(BIN)/python -m pytest tests/endurance tests/faults

.PHONY: differential
differential: setup ## 50,000 requests judged by imported Traefik policies and by another reading of them
	TOOLGATE_DIFFERENTIAL=50000 $(BIN)/python -m pytest tests/imports/test_traefik_differential.py

proofs: setup ## 10,000 tamperings found, and Go's own libraries believe the ledger (needs Go)
	TOOLGATE_TAMPERINGS=10000 $(BIN)/python -m pytest tests/proofs tests/ledger/test_ledger_tampering.py

receivers: setup .tools/kafka .tools/otelcol ## Sinks against a real broker and collector (needs Go, Maven, Java 17)
	$(BIN)/python -m pytest tests/receivers

.tools/kafka: tests/receivers/kafka/pom.xml
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(abspath $@)
	@touch $@

.tools/otelcol: tests/receivers/collector/builder.yaml
	GOBIN=$(abspath .tools/bin) go install go.opentelemetry.io/collector/cmd/builder@v0.139.0
	GOFLAGS=-p=2 .tools/bin/builder --config $<
	@touch $@

providers: setup ## Against a certified OpenID provider, and Keycloak where Java and Maven are
	TOOLGATE_PROVIDERS=1 $(BIN)/python -m pytest tests/providers

lint: setup ## Format, lint, types, import contracts
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_requirements.py

fmt: setup ## Format
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: setup ## Measure against nginx (needs nginx and wrk); PEERS=1 adds other gateways
	$(BIN)/python -m bench $(if $(PEERS),--peers,)

visibility: setup ## 100,000 generated policies: what a list hides is what every call denies (minutes)
	$(BIN)/python -m pytest tests/policy/test_policy_lists.py --hypothesis-profile=full

conformance: setup ## The official suite direct and through the gateway; installs Node and servers into .tools
	$(BIN)/python -m conformance

clients: setup ## Nine real clients at real servers through the gateway; installs them into .tools
	$(BIN)/python -m clients
