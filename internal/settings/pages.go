package settings

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/pages"
)

// appearance is how pages look, and what differs where that does.
type appearance struct {
	pages  codegrant.Pages
	digest [sha256.Size]byte
}

// logoForHAProxy leaves room for the rest of a page in HAProxy's buffer.
const logoForHAProxy = 4 << 10

// pagesOf reads a design and tries it. What is wrong with a template is a fault of its file.
func (r *reader) pagesOf(d *design) (out appearance) {
	const key = "pages"
	if d == nil {
		return out
	}
	before, content := len(r.faults), len(r.content)
	p := codegrant.Pages{Name: d.Name, Colors: codegrant.PageColors(d.Colors), DarkColors: codegrant.PageColors(d.DarkColors)}
	if d.Logo != "" {
		p.Logo = r.readFile(key+".logo", d.Logo, false)
	}
	if len(p.Logo) > logoForHAProxy && r.has("spoe_listen") {
		r.warn(key+".logo", fmt.Sprintf("HAProxy passes on no page of more than its buffer, 16 KiB unless changed, and people then see a line of text; make the logo smaller than %d bytes, or tune.bufsize larger", logoForHAProxy))
	}
	if d.LogoDark != "" {
		p.LogoDark = r.readFile(key+".logo_dark", d.LogoDark, false)
	}
	if d.Templates != "" {
		p.Templates = r.folder(key+".templates", d.Templates)
	}
	if len(r.faults) > before || r.faulty(key) {
		return out
	}
	_, err := pages.New(pages.Design{
		Name: p.Name, Logo: p.Logo, LogoDark: p.LogoDark, Light: pages.Colors(p.Colors), Dark: pages.Colors(p.DarkColors), Templates: p.Templates,
	})
	if err == nil {
		written, _ := json.Marshal(d)
		out.pages, out.digest = p, sha256.Sum256(append(written, r.content[content:]...))
		return out
	}
	for _, leaf := range leaves(err) {
		f, ok := errors.AsType[*pages.Fault](leaf)
		switch {
		case !ok:
			r.fault(key, "%w", leaf)
		case f.File == "":
			r.fault(key+"."+f.Part, "%w", f.Err)
		default:
			r.faults = append(r.faults, Fault{filepath.Join(r.beside(d.Templates), f.File), f.Line, key + "." + f.Part, f.Err})
		}
	}
	return out
}

// folder reads the files of a folder, so that what is checked is what is used.
func (r *reader) folder(key, path string) fs.FS {
	dir := r.beside(path)
	r.files = append(r.files, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.fault(key, "%w", plain(err))
		return nil
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") { // such as those of a ConfigMap, beside its files
			continue
		}
		file := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			r.faults = append(r.faults, Fault{file, 0, key, errors.New("a folder of templates has no folders")})
			continue
		}
		text := r.readFile(key, file, false)
		part, err := w.CreateHeader(&zip.FileHeader{Name: entry.Name(), Method: zip.Store})
		if err == nil {
			_, err = part.Write(text)
		}
		if err != nil {
			r.fault(key, "%w", fmt.Errorf("%s: %w", entry.Name(), err))
		}
	}
	if err := w.Close(); err != nil {
		r.fault(key, "%w", err)
		return nil
	}
	files, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		r.fault(key, "%w", err)
		return nil
	}
	return files
}
