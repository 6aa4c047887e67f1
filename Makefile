# The daily commands; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
TIME ?= 900
KILLS ?= 160
CONTROLPLANE := tests/controlplane/run.sh

.PHONY: help prepare prepare-build build demo serve demo-cluster test chart-test test-mail kill sim mutants check rules crds openapi conditions schemathesis controlplane bench bench-server clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

prepare: ## install what a fresh machine lacks (root), or say what to install
	@tests/prepare.sh test

prepare-build:
	@tests/prepare.sh build

build: prepare-build ## the debug binary
	$(CARGO) build --locked

demo: build ## the stories of every product by command line: no cluster, no root, from an empty folder
	@examples/first-team/demo.sh target/debug/seatkeeper
	@examples/service/demo.sh target/debug/seatkeeper

serve: build ## an account service with one account of every profile, until Ctrl-C
	@examples/service/serve.sh target/debug/seatkeeper

demo-cluster: build controlplane ## the same by helm, kubectl and the operator on a real API server
	@$(CONTROLPLANE) with examples/first-team/demo-cluster.sh target/debug/seatkeeper
	@$(CONTROLPLANE) with examples/service/demo-cluster.sh target/debug/seatkeeper

test: prepare ## everything that the README promises, on a real control plane and both databases
	@tests/kstatus/build.sh >/dev/null
	$(CARGO) build --locked --tests
	$(CONTROLPLANE) with tests/charts/rights.sh $(CARGO) test --locked --no-fail-fast
	SEATKEEPER_TEST_DATABASE=postgres $(CARGO) test --locked --no-fail-fast --test it -- server_ contract_service --skip server_flood

chart-test: build controlplane ## install, upgrade, roll back and uninstall the charts with helm; SLICE=1: install and uninstall
	@$(CONTROLPLANE) with tests/charts/run.sh target/debug/seatkeeper $(if $(SLICE),slice)

test-mail: ## sending mails to a real mail server, which is installed if root asks
	@tests/mail/run.sh

kill: prepare ## SIGKILL operator and service at KILLS points (160; all) of a story on the real thing
	$(CARGO) build --locked --tests
	SEATKEEPER_KILL=$(KILLS) $(CONTROLPLANE) with $(CARGO) test --locked --test it -- kill::whatever_is --nocapture

sim: prepare-build ## one story, every call of it gone wrong in every way: all (SEEDS=0), the first SEEDS, or one (SEED=) with its history
	SEATKEEPER_SIM_SEEDS=$(or $(SEEDS),0) $(if $(SEED),SEATKEEPER_SIM_SEED=$(SEED)) $(CARGO) test --locked --test it -- simulation::sweep::one_fault --nocapture

mutants: controlplane ## break each guard in a copy of the sources: the tests must notice; SLICE=2: only two of them
	@$(CONTROLPLANE) with tests/mutants/run.sh $(if $(SLICE),--slice $(SLICE))

check: prepare-build ## format, lints, generated files, who may name whom: the quick half
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --features bench-floor --bench server -- -D warnings
	$(CARGO) test --locked --test it -- architecture:: charts:: crds:: openapi::the_committed conditions::
	@if $(CARGO) tree --locked -e normal -i aws-lc-rs 2>/dev/null | grep -q .; then \
		echo 'error: aws-lc-rs is in the tree; ring is the only TLS provider' >&2; exit 1; fi

rules: ## the table rule -> tests
	@tests/rules.sh

crds: build ## write crds/ and the chart of the definitions anew from the types
	target/debug/seatkeeper crds --output-dir crds
	cp crds/*.yaml charts/seatkeeper-crds/files/

openapi: build ## write docs/openapi.json anew from the operations and types
	target/debug/seatkeeper openapi --output docs/openapi.json

conditions: build ## write docs/conditions.md anew from the reasons
	target/debug/seatkeeper conditions --output docs/conditions.md

schemathesis: build ## check the service against its contract, for TIME seconds (900)
	@tests/prepare.sh contract
	@tests/schemathesis/run.sh target/debug/seatkeeper $(TIME)

controlplane: prepare ## build kube-apiserver, etcd, kubectl and helm for the tests, once
	@tests/controlplane/build.sh >/dev/null
	@tests/controlplane/helm/build.sh >/dev/null

bench: prepare-build ## time and memory of a plan of up to 100 000 people: reported only (its growth is a test)
	$(CARGO) bench --locked --bench plan

bench-server: prepare ## the account service against its floors, on both databases, and its memory: reported only
	SEATKEEPER_POSTGRES_FSYNC=on $(CARGO) bench --locked --features bench-floor --bench server

clean: ## delete what was built here
	$(CARGO) clean
	rm -rf .demo
