#!/usr/bin/env bash
# Makes what a release has, in a folder: binaries with man pages and completions, packages for
# Debian and Red Hat, an OCI image, the Helm chart, a bill of materials for each binary, and
# checksums of all. Publishes nothing. The same commit makes the same files.
#
#   scripts/release.sh --tag v1.2.3           makes the signed tag; pushes nothing
#   scripts/release.sh v1.2.3 [FOLDER]        builds from a commit that has this tag
#   scripts/release.sh --dry-run …            checks, says what it would do, and does nothing
#
# CODEGRANT_RELEASE_TRIAL=1 builds a release of any commit. PLATFORMS names the systems.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage="usage: scripts/release.sh [--dry-run] [--tag] v1.2.3 [FOLDER]"
dry='' tags=''
while [[ ${1:-} == --* ]]; do
	case $1 in
	--dry-run) dry=1 ;;
	--tag) tags=1 ;;
	*) die "$usage" ;;
	esac
	shift
done
version=${1:-}
[[ $version =~ ^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$ ]] || die "$usage"
major=${BASH_REMATCH[1]}
[ $# -le 2 ] && { [ -z "$tags" ] || [ $# = 1 ]; } || die "$usage"
number=${version#v}
out=$(realpath -m "${2:-$root/dist}")
read -ra platforms <<<"${PLATFORMS:-$released}"

cd "$root"

# Faults are reported all at once, before anything is done.
faults=()
fault() { faults+=("$*"); }
refuse() {
	[ ${#faults[@]} -gt 0 ] || return 0
	printf '%s\n' "${faults[@]}" >&2
	exit 1
}
# clean looks at what the go command would compile besides, too, whatever git hides. Nothing that
# is committed imports a folder that is ignored as a whole.
clean() {
	[ -z "$(git status --porcelain -uall)" ] || fault "there are changes that are not committed"
	local hidden
	hidden=$(git status --porcelain -uall --ignored=matching -- '*.go' go.work | sed -n '/\/$/d; s/^!! //p')
	[ -z "$hidden" ] || fault "there are files that git ignores and the go command does not: ${hidden//$'\n'/, }"
}

# signature prints the signature at the end of the tag. A message can have its first line.
signature() {
	local text
	text=$(git for-each-ref --format='%(contents:signature)' "refs/tags/$version")
	[[ $text =~ ^-----BEGIN\ ([A-Z ]+)-----$'\n' && ${text%"${text##*[![:space:]]}"} == *$'\n'"-----END ${BASH_REMATCH[1]}-----" ]] && echo "$text"
}

# signed checks the tag of this commit. Any tag has a name, and only a signed one says who made
# it. Whether the signature is good, git verify-tag says to those who have the public key. The
# name is the one that was signed: any reference can lead to the tag of another version.
signed() {
	if [ "$(git rev-parse -q --verify "refs/tags/$version^{commit}")" != "$(git rev-parse HEAD)" ]; then
		fault "this commit has no tag $version: make it with scripts/release.sh --tag $version"
	elif [ -z "$(signature)" ]; then
		fault "the tag $version has no signature: delete it, and make it with scripts/release.sh --tag $version"
	elif [ "$(git for-each-ref --format='%(tag)' "refs/tags/$version")" != "$version" ]; then
		fault "the tag $version was signed as another one: delete it, and make it with scripts/release.sh --tag $version"
	fi
}

if [ -n "$tags" ]; then
	clean
	[ "$(git rev-parse HEAD)" = "$(git rev-parse -q --verify refs/heads/main)" ] || fault "this commit is not the newest of the branch main"
	! git rev-parse -q --verify "refs/tags/$version" >/dev/null || fault "there is a tag $version already"
	grep -qE "^## ${version//./\\.} - [0-9]{4}-[0-9]{2}-[0-9]{2}\$" CHANGELOG.md || fault "CHANGELOG.md has no heading: ## $version - $(date -u +%F)"
	[ -z "$(sed -n '/^## Unreleased$/,/^## v/p' CHANGELOG.md | grep -v '^#' | tr -d '[:space:]')" ] || fault "CHANGELOG.md has changes under Unreleased: move them to $version"
	[ "$major" -lt 2 ] || grep -qE "^module .*/v$major\$" go.mod || fault "go get finds $version only if the module in go.mod ends with /v$major"
	refuse
	if [ -n "$dry" ]; then
		say "would run: git tag -s $version -m $version"
		say "commit: $(git log -1 --format='%h %s')"
		exit 0
	fi
	git tag -s "$version" -m "$version"
	signed
	if [ ${#faults[@]} -gt 0 ]; then # git may succeed without the key
		git tag -d "$version" >/dev/null
		die "git could not sign the tag: set user.signingkey, and gpg.format for a key of SSH"
	fi
	say "tag $version is made. Publish it with: git push origin main $version"
	exit 0
fi

if [ -z "${CODEGRANT_RELEASE_TRIAL:-}" ]; then
	clean
	signed
fi
[ ! -e "$out" ] || [ -f "$out/SHA256SUMS" ] || fault "$out is there, and no release: name another folder"
refuse
if [ -n "$dry" ]; then
	say "would build $version in $out, from: $(git log -1 --format='%h %s')"
	say "for: ${platforms[*]}"
	exit 0
fi
rm -rf "$out"
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# What has a time in it has that of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export CGO_ENABLED=0 GOFLAGS=-trimpath GOTOOLCHAIN=${GOTOOLCHAIN:-local}

# Tools by version, as the checksum database knows them. NFPM and CYCLONEDX name others.
# Later versions of nfpm need modules that no proxy has.
nfpm=${NFPM:-go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2}
cyclonedx=${CYCLONEDX:-go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0}

archive() { # FILE FOLDER NAME...
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$2" -cf - "${@:3}" | gzip -n9 >"$1"
}

say "pages and completions"
go build -o "$stage/here" ./cmd/codegrant
mkdir -p "$stage/man" "$stage/completions"
"$stage/here" man --dir "$stage/man"
"$stage/here" completion bash >"$stage/completions/codegrant.bash"
"$stage/here" completion zsh >"$stage/completions/_codegrant"
"$stage/here" completion fish >"$stage/completions/codegrant.fish"

images=()
for platform in "${platforms[@]}"; do
	say "$platform"
	system=${platform%/*} architecture=${platform#*/}
	name=codegrant_${number}_${system}_${architecture}
	folder=$stage/$name
	mkdir -p "$folder"
	program=codegrant
	[ "$system" != windows ] || program=codegrant.exe
	GOOS=$system GOARCH=$architecture go build -ldflags="-s -w -X main.version=$version" -o "$folder/$program" ./cmd/codegrant
	$cyclonedx bin -json -noserial -notimestamp -version "$version" -output "$out/$name.cdx.json" "$folder/$program"
	cp LICENSE README.md "$folder"
	cp -r "$stage/man" "$stage/completions" "$folder"
	archive "$out/$name.tar.gz" "$stage" "$name"
	if [ "$system" = linux ]; then
		images+=("$platform=$folder/$program")
		gzip -n9 "$folder"/man/*
		for packager in deb rpm; do
			STAGE=$folder ARCH=$architecture VERSION=$number \
				$nfpm package --config deploy/packages/nfpm.yaml --packager $packager --target "$out/"
		done
	fi
done

if [ ${#images[@]} -gt 0 ]; then
	say "image"
	go -C internal/tools run ./image -out "$stage/image" -version "$version" -date "$SOURCE_DATE_EPOCH" "${images[@]}" >"$stage/digest"
	say "image $(cat "$stage/digest")"
	archive "$out/codegrant_${number}_image.tar.gz" "$stage/image" .
fi

say "chart"
mkdir -p "$stage/chart"
cp -r deploy/helm/codegrant "$stage/chart"
sed -i "s/^version: .*/version: $number/; s/^appVersion: .*/appVersion: \"$version\"/" "$stage/chart/codegrant/Chart.yaml"
archive "$out/codegrant-chart-$number.tgz" "$stage/chart" codegrant

cd "$out"
sha256sum -- * >"$stage/SHA256SUMS"
mv "$stage/SHA256SUMS" .
say "in $out:"
ls -l "$out"
