#!/usr/bin/env bash
# Makes 10,000 people, or CODEGRANT_PEOPLE of them, and compares what comes out of
# every part with what their pool says. Each of them signs in, changes and is
# refreshed at the gateway; the other tests say what share of them they take.
#
# Without the race detector: nearly all of the time goes into cryptography and
# into databases, and make test has a sample of the same people with it.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export CODEGRANT_PEOPLE=${CODEGRANT_PEOPLE:-10000}
say "== $CODEGRANT_PEOPLE people"
exec go -C "$root" test -timeout=15m -count=1 -run='^TestS270_' . ./gateway ./replica/sqlreplica ./directory ./cmd/codegrant/internal/inspect
