#!/usr/bin/env bash
# Runs every fuzz target for a short while each: FUZZTIME (10s) as go test's
# -fuzztime. Without this, go test replays the seeds only.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

status=0
passed=0
failed=0
mapfile -t targets < <(grep -roHE --include='*_test.go' --exclude-dir='.?*' --exclude-dir=testdata \
	'^func Fuzz[A-Za-z0-9_]+' "$root" | sort)
for target in "${targets[@]}"; do
	package=$(dirname "${target%%:*}")
	name=${target##*func }
	say "== $(label "$package") $name"
	if go -C "$package" test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10s}" .; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1)) status=1
	fi
done

say ""
say "fuzz targets: $passed passed, $failed failed"
exit $status
