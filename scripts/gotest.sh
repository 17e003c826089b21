#!/usr/bin/env bash
# Runs go test over every module, goes on after a failure, and closes with the
# number of packages that passed and failed. Arguments are go test's flags.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

status=0
mapfile -t list < <(modules)
for module in "${list[@]}"; do
	[ -n "$(packages "$module")" ] || continue
	say "== module $(label "$module")"
	go -C "$module" test "$@" ./... 2>&1 | tee -a "$output" || status=1
done

passed=$(grep -c '^ok ' "$output")
failed=$(grep -c '^FAIL[[:space:]].' "$output")
# A module that go could not load at all fails without naming a package.
[ $status = 0 ] || [ "$failed" != 0 ] || failed=1
say ""
say "packages: $passed passed, $failed failed"
exit $status
