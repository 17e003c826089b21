#!/usr/bin/env bash
# Brings go.mod and go.sum of every module up to date. The product's module comes
# first: the others follow what it requires.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t list < <(modules)
for module in "${list[@]}"; do
	say "$(label "$module")"
	go -C "$module" mod tidy || exit 1
done
