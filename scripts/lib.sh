# shellcheck shell=bash
# What the scripts share. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian keeps servers out of an ordinary user's PATH.
PATH=$PATH:/usr/sbin:/sbin

# The systems that releases are made for.
# shellcheck disable=SC2034 # for those who source this
released="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64"

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "$*" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# modules lists the folder of every Go module, the product's own first.
modules() {
	find "$root" \( -name '.?*' -o -name testdata -o -name node_modules \) -prune -o -name go.mod -print |
		sed 's|/go\.mod$||' | sort
}

# packages lists the packages of the module in folder $1; a module that only
# pins tools has none.
packages() { go -C "$1" list ./... 2>/dev/null; }

# label names folder $1 as a reader of the output knows it.
label() { if [ "$1" = "$root" ]; then say .; else say "${1#"$root"/}"; fi; }

# postgres_bin prints the folder of PostgreSQL's programs, which Debian leaves
# out of PATH, or nothing.
postgres_bin() {
	local initdb
	initdb=$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
	if [ -x "$initdb" ]; then dirname "$(readlink -f "$initdb")"; fi
}

# chromium_path prints the browser that the tests drive, or nothing.
chromium_path() {
	local name
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" && return
	done
	return 0
}
