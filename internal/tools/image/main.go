// Command image makes container images of binaries, as a folder in the form of the Open
// Container Initiative: CA certificates, the binary and nothing else. It needs no engine and
// asks no registry, and the same binaries make the same image, byte for byte.
//
//	image -out FOLDER -version V -date SECONDS linux/amd64=codegrant linux/arm64=…
package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("image: ")
	out := flag.String("out", "", "folder to make")
	version := flag.String("version", "", "version of the program in the image")
	date := flag.Int64("date", 0, "when it was made, in seconds since 1970")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		log.Fatal("usage: image -out FOLDER -version V -date SECONDS linux/amd64=BINARY …")
	}
	digest, err := write(*out, *version, time.Unix(*date, 0).UTC(), flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(digest)
}

// write makes an index with an image for each platform, and returns its digest.
func write(out, version string, date time.Time, binaries []string) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, one := range binaries {
		platform, path, ok := strings.Cut(one, "=")
		system, architecture, ok2 := strings.Cut(platform, "/")
		if !ok || !ok2 {
			return v1.Hash{}, fmt.Errorf("%q is not of the form linux/amd64=BINARY", one)
		}
		binary, err := os.ReadFile(path)
		if err != nil {
			return v1.Hash{}, err
		}
		image, err := imageOf(binary, version, date, system, architecture)
		if err != nil {
			return v1.Hash{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: system, Architecture: architecture}},
		})
	}
	if err := os.RemoveAll(out); err != nil {
		return v1.Hash{}, err
	}
	if _, err := layout.Write(out, index); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

// imageOf is deploy/Containerfile's image.
func imageOf(binary []byte, version string, date time.Time, system, architecture string) (v1.Image, error) {
	content, err := files(date,
		file{"etc/ssl/certs/ca-certificates.crt", certificates(), 0o644},
		file{"codegrant", binary, 0o755},
	)
	if err != nil {
		return nil, err
	}
	layer, err := partial.UncompressedToLayer(content)
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: date}, CreatedBy: "CA certificates and codegrant"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = system, architecture, v1.Time{Time: date}
	config.Config = v1.Config{
		User: "65532:65532", Entrypoint: []string{"/codegrant"}, Cmd: []string{"serve", "--config", "/etc/codegrant/codegrant.yaml"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title": "codegrant", "org.opencontainers.image.version": version,
			"org.opencontainers.image.source": "https://github.com/codegrant/codegrant", "org.opencontainers.image.licenses": "MIT",
		},
	}
	return mutate.ConfigFile(image, config)
}

// certificates are the roots that Mozilla trusts, as the Go project keeps them.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a file of certificates cannot say what else has to hold
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}

type file struct {
	name    string
	content []byte
	mode    int64
}

// layer is a tar file, as partial.UncompressedLayer.
type layer []byte

func (l layer) DiffID() (v1.Hash, error) {
	hash, _, err := v1.SHA256(bytes.NewReader(l))
	return hash, err
}

func (l layer) Uncompressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l)), nil
}

func (l layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

func files(date time.Time, all ...file) (layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := make(map[string]bool)
	for _, f := range all {
		for i, c := range f.name {
			if dir := f.name[:i+1]; c == '/' && !made[dir] {
				made[dir] = true
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: date, Format: tar.FormatPAX}); err != nil {
					return nil, err
				}
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.content)), Mode: f.mode, ModTime: date, Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}
