# The commands of docs/: each installs what it needs first, and says so.
.PHONY: run build dist test lint bench dev isolation-mutants help

run: build ## start Seam on http://127.0.0.1:3000
	@scripts/models.sh
	@exec target/release/seam serve

build: ## target/release/seam, which runs from any directory with nothing beside it
	@scripts/setup.sh build
	@scripts/build.sh

dist: ## target/dist/seam: the same, as fast as it gets, in half an hour of building
	@scripts/setup.sh build
	@scripts/build.sh --dist

test: ## every test: Rust, and the real server in a browser
	@scripts/setup.sh build test
	@scripts/test.sh

isolation-mutants: ## takes away each guard between tenants in turn; the isolation suite must notice
	@scripts/setup.sh build test
	@scripts/isolation_mutants.sh

lint: ## formatting, layers, clippy for both targets, dependencies
	@scripts/setup.sh build lint
	@scripts/lint.sh

dev: ## rebuilds and reloads on every change, on a seeded demo
	@scripts/setup.sh build
	@scripts/dev.sh

bench: ## the benchmarks, with a table of results
	@scripts/setup.sh build bench
	@scripts/build.sh
	@scripts/build.sh --dist
	@scripts/models.sh
	@scripts/bench.sh

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile
