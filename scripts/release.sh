#!/usr/bin/env bash
# Makes what a release has, in a folder: binaries with man pages and completions, packages for
# Debian and Red Hat, an OCI image, the Helm chart, a bill of materials for each binary, and
# checksums of all. Publishes nothing. The same commit makes the same files.
#
#   scripts/release.sh v1.2.3 [FOLDER]
#
# The commit is to have the tag; CODEGRANT_RELEASE_TRIAL=1 makes a release of any. PLATFORMS
# says for which systems.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${1:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || die "usage: scripts/release.sh v1.2.3 [FOLDER]"
number=${version#v}
out=$(realpath -m "${2:-$root/dist}")
read -ra platforms <<<"${PLATFORMS:-$released}"

cd "$root"
if [ -z "${CODEGRANT_RELEASE_TRIAL:-}" ]; then
	[ -z "$(git status --porcelain)" ] || die "there are changes that are not committed"
	[ "$(git describe --tags --exact-match 2>/dev/null)" = "$version" ] || die "this commit has no tag $version"
fi
[ ! -e "$out" ] || [ -f "$out/SHA256SUMS" ] || die "$out is there, and no release: name another folder"
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
