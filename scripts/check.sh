#!/usr/bin/env bash
# Everything that is judged without running the product: formatting, vet,
# staticcheck, the module files, the shell scripts, and the rules of
# internal/repotest. Goes on after a finding, so that one run tells all.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root" || exit 1

status=0

# check NAME COMMAND... runs a command that prints its findings.
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		say "ok    $name"
	else
		say "FAIL  $name"
		[ -z "$output" ] || say "      ${output//$'\n'/$'\n'      }"
		status=1
	fi
}

formatted() {
	local files
	files=$(gofmt -l .) || return
	[ -z "$files" ] || { say "run make fmt:" && say "$files" && return 1; }
}

shell_scripts() {
	local scripts=(scripts/*.sh .ci/run) script
	for script in "${scripts[@]}"; do bash -n "$script" || return; done
	! have shellcheck || shellcheck "${scripts[@]}"
}

check gofmt formatted
check "shell scripts" shell_scripts

# The linter is pinned in a module of its own, so that no user of the library
# meets what it depends on.
mapfile -t list < <(modules)
staticcheck=$(go -C internal/tools tool -n staticcheck) || exit 1

for module in "${list[@]}"; do
	cd "$module" || exit 1
	name=$(label "$module")
	check "$name: go mod tidy" go mod tidy -diff
	check "$name: go mod verify" go mod verify
	[ -n "$(packages .)" ] || continue
	check "$name: go vet" go vet ./...
	check "$name: staticcheck" "$staticcheck" ./...
done

cd "$root" || exit 1
check "rules of the tree: imports, package comments, file sizes" go test ./internal/repotest
exit $status
