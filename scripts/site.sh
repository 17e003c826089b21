#!/usr/bin/env bash
# Makes a website of the documentation, in a folder: searchable and with its diagrams, both
# without a network. Open its index.html, or serve the folder.
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

# The pages stand as in the repository, so that links between them stay as they are.
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
git ls-files -z --cached --others --exclude-standard -- README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md 'docs/*' 'deploy/README.md' 'examples/*.md' |
	tar --null --files-from=- -cf - | tar -xf - -C "$pages"
mkdir -p "$pages/assets"
cp "$cache/node_modules/mermaid/dist/mermaid.min.js" "$pages/assets/"
cp "$cache/node_modules/iframe-worker/shim/index.js" "$pages/assets/iframe-worker.js"

# Every page is in the menu, in the order and under the headings of README's index.
export CODEGRANT_SITE_PAGES=$pages CODEGRANT_SITE_OUT=$out
export CODEGRANT_SITE_VERSION=${CODEGRANT_SITE_VERSION:-$(git describe --tags --always 2>/dev/null || say unknown)}
DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=true "$mkdocs" build --quiet --strict --clean -f site/mkdocs.yml
say "$out/index.html"
