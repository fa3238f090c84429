# berth - thin front of CMake. `make help` tells the targets.
.DEFAULT_GOAL := help
BUILD ?= build/release
BIN := $(BUILD)/bin
JOBS ?= $(shell nproc)

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'

deps: ## install from Debian what is missing (as root, or through sudo)
	@infra/deps.sh

deps-dev: ## the same, with what format, lint and fuzz need
	@infra/deps.sh dev

build: deps ## build all programs into build/release/bin
	@[ -f $(BUILD)/build.ninja ] || cmake --preset release
	@cmake --build --preset release -j$(JOBS)

up: build ## one command: a private Redis, two balancers, the autoscaler and the first nodes; Ctrl-C stops all
	@$(BIN)/berth up --config infra/etc/berth.yaml

demo: build ## 400 players against a small fleet: it grows, all play, it shrinks; under 3 minutes
	@$(BIN)/berth demo

test: deps ## build and test everything, in release and under sanitizers
	@tests/run.sh

bench-%: build ## a benchmark, for example bench-pick
	@[ -x tests/bench/$*.sh ] || { echo "no such benchmark; there are:" $(patsubst tests/bench/%.sh,bench-%,$(wildcard tests/bench/*.sh)); exit 2; }
	@tests/bench/$*.sh

load: build ## whole journeys of PLAYERS=10000 on this machine; closing line "load: players=.. failed=.. ..."
	@BERTH_BIN=$(CURDIR)/$(BIN) PLAYERS=$(or $(PLAYERS),10000) loadtest/load.sh

test-redis: build ## ten failovers each by Sentinel (killed, stopped) and in a cluster whose slots move, under a running fleet; closing line "test-redis: passed"
	@for i in 1 2 3 4 5 6 7 8 9 10; do for what in sentinel stopped cluster; do \
	    python3 tests/e2e/redis_failover.py --build $(BUILD) $$what || exit 1; done; done; \
	    python3 tests/e2e/redis_setup.py --build $(BUILD) && python3 tests/e2e/doctor.py --build $(BUILD) && echo "test-redis: passed"

takeover: build ## the leading autoscaler killed and stopped at every moment of its work; closing line "takeover: passed"
	@BERTH_BIN=$(CURDIR)/$(BIN) tests/e2e/takeover.sh --every

aws: build ## the whole system on a made-up AWS by ec2, asg and cloudformation in turn; closing line "aws: passed"
	@for what in ec2 asg cloudformation; do \
	    BERTH_BIN=$(CURDIR)/$(BIN) BERTH_SOURCE=$(CURDIR) tests/e2e/aws.sh $$what || exit 1; \
	done; echo "aws: passed"

steady: build ## two balancers for ten minutes with every core busy: no failover, nobody lost; closing line "steady: passed"
	@tests/bench/failover.sh --steady 600

redis-away: build ## Redis away for 10 s under load: nobody lost, nothing launched, no room moved; closing line "redis-away: passed"
	@BERTH_BIN=$(CURDIR)/$(BIN) tests/e2e/redis_away.sh --away 10 --lost-after 3

SEEDS ?= 200
sim: build ## worlds in virtual time, all programs and every kind of fault; SEEDS=200; closing line "N passed, N failed"
	@$(BIN)/berth-sim --seeds 1..$(SEEDS) --jobs $(JOBS)

sim-long: build ## the same, 5,000 of them
	@$(BIN)/berth-sim --seeds 1..5000 --jobs $(JOBS)

sim-mutants: build ## bugs planted by a switch; closing line "mutants: N caught, 0 missed"
	@$(BIN)/berth-sim --mutants --jobs $(JOBS)

fault: build ## what can happen, to the real programs in networks of their own (as root; ONLY=name, LIST=1); closing line "N passed, N failed"
	@python3 tests/fault/run.py --build $(BUILD) $(if $(ONLY),--only $(ONLY)) $(if $(LIST),--list)

soak: build ## MINUTES=30 of churn, memory and descriptors before and after (as root); closing line "soak: minutes=.. rss_growth_kib=.. ..."
	@python3 tests/fault/soak.py --build $(BUILD) --minutes $(or $(MINUTES),30)

fuzz: deps-dev ## every reader of strangers' bytes fuzzed for SECONDS=60 each; closing line "fuzz: N targets, N crashes"
	@FUZZ_SECONDS=$(or $(SECONDS),$(FUZZ_SECONDS),60) tests/fuzz/run.sh

year: build ## a year of a small world under the shipped scripts, looked at every quarter of an hour: nothing is left in Redis
	@BERTH_YEAR_STEP_S=900 $(BUILD)/tests/test_year

coverage: deps ## what the tests reach, by room; FILES=1 for each file; closing line "coverage: lines=..% branches=..% tests=.."
	@FILES=$(FILES) tests/coverage.sh

format: deps-dev ## format all C files
	@git ls-files '*.c' '*.h' | xargs clang-format -i

lint: deps-dev ## is the format right, and clang-tidy content?
	@infra/lint.sh

manual: build ## write docs/configuration.md anew from the option tables
	@BERTH_WRITE_MANUAL=1 BERTH_SOURCE=$(CURDIR) $(BUILD)/tests/test_manual >/dev/null 2>&1 && echo "docs/configuration.md written"

package: build ## a Debian package, build/release/berth_VERSION_ARCH.deb
	@cd $(BUILD) && rm -f berth_*.deb && cpack >cpack.log 2>&1 || { tail -20 cpack.log; exit 1; }
	@ls $(BUILD)/berth_*.deb

install: build ## install programs, units and the example configuration (DESTDIR=, PREFIX=/usr)
	@DESTDIR='$(DESTDIR)' cmake --install $(BUILD) --prefix '$(or $(PREFIX),/usr)'

clean: ## remove everything that was built
	@rm -rf build

.PHONY: coverage year help deps deps-dev build up demo test test-redis load aws takeover redis-away fault soak fuzz format lint manual install package clean steady sim sim-long sim-mutants
