#!/usr/bin/env bash
# All tests of all modules, with the race detector, beside real servers. What the
# tests need is installed first where that may be done.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# With everything there, or on a machine whose verdict counts, a test that does
# not find its server fails: it must not pass for having been skipped.
if "$root/scripts/install.sh" || [ -n "${CI:-}" ]; then
	export CODEGRANT_TEST_REQUIRE=1
fi

race=()
# SQLite is C that was translated: to check each of its pointers, which comes with
# the race detector, takes a third of the time of whatever uses it.
[ "$(go env CGO_ENABLED)" = 0 ] || race=(-race -gcflags=modernc.org/...=-d=checkptr=0)
tests=("$root/scripts/gotest.sh" "${race[@]}" -shuffle=on "-timeout=${CODEGRANT_TEST_TIMEOUT:-18m}")
# shellcheck disable=SC2016 # the inner shell's own
exec "$root/scripts/with-servers.sh" bash -c 'people=0; "$1" || people=$?; shift; "$@" && exit "$people"' bash "$root/scripts/people.sh" "${tests[@]}"
