#!/usr/bin/env bash
# Coverage of the product by its own tests: a line per package and the total on
# the screen, each line of code in coverage.html, and at the end the security
# requirements that have a test of their own, by id.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root" || exit 1

scripts/install.sh
scripts/with-servers.sh go test -coverpkg=./... -coverprofile=coverage.out ./... >/dev/null || exit 1
go tool cover -html=coverage.out -o coverage.html

# A block that tests of several packages ran is listed once for each of them.
awk 'NR > 1 {
		blocks[$1] = $2
		if ($3 > 0) run[$1] = $2
	}
	END {
		for (block in blocks) {
			package = block
			sub("/[^/]*$", "", package)
			all[package] += blocks[block]
			ran[package] += run[block]
		}
		for (package in all) printf "%5.1f %%  %s\n", 100 * ran[package] / all[package], package
	}' coverage.out | sort -k 3
go tool cover -func=coverage.out | awk 'END {printf "%6s %%  in all\n", $NF + 0}'

say ""
say "tests by security requirement:"
grep -rohE --include='*_test.go' 'TestS[0-9]{3}_[A-Za-z0-9_]+' . | sort -u |
	awk '{
			rest = $0
			while (match(rest, /S[0-9][0-9][0-9]_/)) {
				tests[substr(rest, RSTART, 4)] = tests[substr(rest, RSTART, 4)] " " $0
				rest = substr(rest, RSTART + 5)
			}
		}
		END { for (id in tests) print id tests[id] }' | sort
