#!/usr/bin/env bash
# Compiles everything for each system that releases are made for, and for one whose words
# have 32 bits: the library runs on more than what the tests run on.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
read -ra platforms <<<"$released linux/386"
status=0
for platform in "${platforms[@]}"; do
	if CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} go build ./...; then
		say "ok  $platform"
	else
		warn "FAIL  $platform"
		status=1
	fi
done
exit $status
