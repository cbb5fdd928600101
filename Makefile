# The project's tasks; `make` alone lists them. Each one installs what it lacks first.

BUILD := .build
TOLLGATE := $(BUILD)/release/tollgate
# What `make demo` plays; one variable, so that the demonstration can move.
DEMO := Scripts/demo
# Tests that start and kill processes: they take every core, so they do not run beside others, as
# Scripts/test-in-halves knows too.
ALONE := TollgateTests
SWIFT_FORMAT := swift format
# Swift's runtime and libraries go into the program (ARCHITECTURE.md, "Dependencies").
STATIC := --static-swift-stdlib
# Generated code is its generator's business, not the formatter's.
SOURCES := find Package.swift Sources Tests -name '*.swift' -not -path '*/Generated/*' -print0

.DEFAULT_GOAL := help
# How long `make fuzz` runs.
SECONDS ?= 3600
# How many histories of 300 operations `make test-thorough` plays against each model of the ledger.
HISTORIES ?= 340
# The targets that `make test-thorough` builds, and the suites in them that run in part otherwise.
THOROUGH := AccountsTests,StorageContractTests
THOROUGH_SUITES := LedgerModelTests|KillPointTests|FaultFileSystemTests
# How often `make test-cluster` kills a primary.
CLUSTER_ROUNDS ?= 1
.PHONY: help run test test-one test-thorough test-cluster demo bench fuzz format lint
.PHONY: install-client proto clean prerequisites release address-sanitizer
.SUFFIXES:

help:  ## list these tasks
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: release  ## build and start everything on this machine (Ctrl-C drains and stops)
	@exec $(TOLLGATE) up

test: prerequisites  ## every test, then the unit tests again under the thread sanitizer
	@if [ -x Scripts/third-party-venv ]; then Scripts/third-party-venv; fi
	swift build --build-tests
	Scripts/test-in-halves
	swift test --skip-build --no-parallel --filter $(ALONE)
	Scripts/check-consumer
	Scripts/thread-sanitizer

test-one: prerequisites  ## one target's tests: make test-one TARGET=RPCTests [FILTER=regex]
	@test -n "$(TARGET)" || { echo 'say which: make test-one TARGET=KernelTests' >&2; exit 2; }
	TOLLGATE_SLICE=$(TARGET) swift test $(if $(FILTER),--filter '$(FILTER)')

test-thorough: prerequisites  ## what `make test` does in part: models, kills, faults [HISTORIES=n]
	TOLLGATE_SLICE=$(THOROUGH) swift build --build-tests
	TOLLGATE_SLICE=$(THOROUGH) \
	    TOLLGATE_TEST_HISTORIES=$(HISTORIES) TOLLGATE_TEST_STORED_HISTORIES=$(HISTORIES) \
	    TOLLGATE_TEST_EVERY_KILL=1 TOLLGATE_TEST_EVERY_FAULT=1 \
	    swift test --skip-build --no-parallel --filter '$(THOROUGH_SUITES)'

test-cluster: release  ## kill the primary of a PostgreSQL cluster under load [CLUSTER_ROUNDS=n]
	@Scripts/cluster-prerequisites
	@Scripts/test-cluster $(CLUSTER_ROUNDS)

address-sanitizer: prerequisites  ## the tests of what touches C's memory, memory watched
	Scripts/address-sanitizer

demo: release  ## play the whole loop with real processes and print the transcript
	@$(DEMO)

bench: release  ## measure rpc, store, audit, chat… into Benchmarks/results [NOTE=word]
	@Scripts/bench-prerequisites
	@Benchmarks/peers/build $(BUILD)/peers
	@mkdir -p Benchmarks/results
	@for name in rpc attachments store turnstile audit chat connections stream; do \
	    echo "bench $$name" && \
	    more=$$(test $$name = rpc && echo --allocations); \
	    $(TOLLGATE) bench $$name $$more --json --peers $(BUILD)/peers \
	        --date "$$(date -u +%F)" --note '$(NOTE)' >$(BUILD)/$$name.json && \
	    mv $(BUILD)/$$name.json Benchmarks/results/$$name.json || exit 1; \
	done

fuzz: prerequisites  ## feed the parsers with hostile bytes: make fuzz [SECONDS=3600]
	@Scripts/fuzz $(SECONDS)

format:  ## rewrite the sources in the project's format
	@$(SOURCES) | xargs -0 $(SWIFT_FORMAT) format --in-place --parallel

lint:  ## check format and lint rules; any finding fails
	@$(SOURCES) | xargs -0 $(SWIFT_FORMAT) lint --strict --parallel

install-client: prerequisites  ## libtollgate.so for C: make install-client PREFIX=/usr/local
	@test -n "$(PREFIX)" || { echo 'make install-client PREFIX=/usr/local' >&2; exit 2; }
	@Scripts/install-client "$(abspath $(PREFIX))"

proto: prerequisites  ## generate code from Proto/
	@Scripts/proto

clean:  ## remove what was built; data folders stay
	rm -rf $(BUILD) .build-proto .build-client

prerequisites:
	@Scripts/prerequisites

release: prerequisites
	@test -x $(TOLLGATE) || echo 'The first build takes about a quarter of an hour on two cores.'
	swift build -c release --product tollgate $(STATIC)
