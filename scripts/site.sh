#!/usr/bin/env bash
# Makes a website of the documentation, in a folder: searchable and with its diagrams, both
# without a network. Open its index.html, or serve the folder. At the top are the pages of
# this tree; those of each release (tags v*) are below, and a menu leads from one to another.
#
#	scripts/site.sh [FOLDER]
#
# MkDocs comes from the Python package index and Mermaid from npm, by the versions that
# site/ names, into a folder of the user's cache. MKDOCS names another mkdocs.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$(realpath -m "${1:-$root/dist/site}")
cd "$root"
have npm || die "the diagrams need npm: install nodejs and npm"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/codegrant-site/$(cat site/requirements.txt site/package-lock.json | sha256sum | cut -c1-16)
mkdocs=${MKDOCS:-$cache/python/bin/mkdocs}
if [ -z "${MKDOCS:-}" ] && [ ! -f "$cache/python.complete" ]; then
	have python3 || die "the site needs python3"
	python3 -m venv --clear "$cache/python"
	"$cache/python/bin/pip" install --quiet --disable-pip-version-check -r site/requirements.txt
	touch "$cache/python.complete"
fi
if [ ! -f "$cache/npm.complete" ]; then
	mkdir -p "$cache"
	cp site/package.json site/package-lock.json "$cache"
	(cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --silent)
	touch "$cache/npm.complete"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
paths=(README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs deploy/README.md examples)
export DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=true

# build VERSION PAGES FOLDER [FLAG] makes the pages of one version. They stand as in the
# repository, so that links between them stay as they are.
build() {
	mkdir -p "$2/assets"
	find "$2/examples" -type f ! -name '*.md' -delete 2>/dev/null || true
	cp "$cache/node_modules/mermaid/dist/mermaid.min.js" site/site.css "$2/assets/"
	cp "$cache/node_modules/iframe-worker/shim/index.js" "$2/assets/iframe-worker.js"
	# site/hooks.py puts every page into the menu.
	CODEGRANT_SITE_VERSION=$1 CODEGRANT_SITE_PAGES=$2 CODEGRANT_SITE_OUT=$3 "$mkdocs" build --quiet ${4:+"$4"} --clean -f site/mkdocs.yml
}

mapfile -t releases < <(git tag --list 'v*' --sort=-v:refname)
this=${CODEGRANT_SITE_VERSION:-$(git describe --tags --always 2>/dev/null || say unknown)}
export CODEGRANT_SITE_VERSIONS="$this ${releases[*]}"
mkdir "$work/this"
git ls-files -z --cached --others --exclude-standard -- "${paths[@]}" | tar --null --files-from=- -cf - | tar -xf - -C "$work/this"
build "$this" "$work/this" "$out" --strict
for release in "${releases[@]}"; do
	mkdir "$work/$release"
	git archive "$release" | tar -xf - -C "$work/$release" "${paths[@]}" 2>/dev/null || true # an old one may lack some
	build "$release" "$work/$release" "$out/$release"
done
say "$out/index.html"
