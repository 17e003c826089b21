# The commands of the repository. Each is a line here and a script that says what
# it does; run make to list them.

.DEFAULT_GOAL := help
.PHONY: help demo test full check fmt tidy bench fuzz cover site

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## run the demo: sign-in, two API backends, replica, on http://localhost:8080
	go run ./cmd/codegrant/demo

test: ## run all tests with the race detector, beside PostgreSQL, MariaDB, Redis and Chromium
	@scripts/test.sh

full: ## run all tests with the large samples of which make test runs small ones (an hour or more)
	@CODEGRANT_TEST_STOPS=20 CODEGRANT_TEST_FLOOD=15000 CODEGRANT_TEST_DUPLICATES=10000 CODEGRANT_PEOPLE=10000 CODEGRANT_MOVE_PEOPLE=50000 CODEGRANT_MOVE_REPORTED=1000000 CODEGRANT_ORDERS=200 CODEGRANT_TEST_PACKAGE=1 CODEGRANT_TEST_RELEASE=1 CODEGRANT_TEST_CLIENTS=all CODEGRANT_TEST_PROXIES=all CODEGRANT_TEST_TIMEOUT=60m scripts/test.sh
	@scripts/portable.sh

check: ## check formatting, vet, staticcheck, module files, imports and documentation
	@scripts/check.sh

fmt: ## format the Go code
	gofmt -w .

tidy: ## bring go.mod and go.sum of every module up to date
	@scripts/tidy.sh

bench: ## print how we compare, as ratios of one run
	@scripts/with-servers.sh go -C bench run ./cmd/ratios
	@go -C bench run ./cmd/load agents

fuzz: ## fuzz every target for FUZZTIME (10s) each
	@scripts/fuzz.sh

site: ## make a website of the documentation, in dist/site
	@scripts/site.sh

cover: ## print test coverage by package, and write coverage.html
	@scripts/cover.sh
