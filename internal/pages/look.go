package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"unicode"
)

// Design is how pages look, where they are not to look as they do without one.
type Design struct {
	// Name is that of the service, in the title of windows and in place of a logo. At
	// most 60 characters.
	Name string

	// Logo is a picture above each page: SVG, PNG, JPEG, WebP or GIF, of at most 32 KiB.
	// LogoDark is in its place for people who have things dark.
	Logo, LogoDark []byte

	// Light and Dark are the colors. A Light.Accent without a Dark one has one follow.
	Light, Dark Colors

	// Templates are files that take the place of ours, such as page.html, denied.html and
	// style.css.
	Templates fs.FS
}

// Look is a design that was checked. It is safe for concurrent use.
type Look struct {
	name       string
	logo, dark template.URL
	style      template.CSS
	policy     string
	all        *template.Template            // every page
	of         map[string]*template.Template // those of one view alone
	brief      sync.Map                      // pages that are the same for everybody
}

var (
	//go:embed page.html
	source string
	//go:embed page.css
	sheet string

	plainLook = mustNew(Design{})
)

func mustNew(d Design) *Look {
	l, err := New(d)
	if err != nil {
		panic(err) // it is compiled in
	}
	return l
}

// Fault is what is wrong with a design.
type Fault struct {
	Part string // name, logo, logo_dark, colors, dark_colors, templates
	File string // of the templates; empty: none
	Line int    // of the file; 0: the whole
	Err  error
}

func (f *Fault) Error() string {
	where := f.Part
	if f.File != "" {
		where += ": " + f.File
	}
	if f.Line > 0 {
		where += fmt.Sprintf(":%d", f.Line)
	}
	return where + ": " + f.Err.Error()
}

// Unwrap returns the reason.
func (f *Fault) Unwrap() error { return f.Err }

const (
	maxName = 60
	maxLogo = 32 << 10
)

// New checks a design: each template is tried with every page that it is for, in every
// language. The error joins a [*Fault] for each thing that is wrong.
func New(d Design) (*Look, error) {
	var faults []error
	fault := func(part string, err error) {
		if err != nil {
			faults = append(faults, &Fault{Part: part, Err: err})
		}
	}
	l := &Look{name: d.Name}
	if len([]rune(d.Name)) > maxName || strings.ContainsFunc(d.Name, unicode.IsControl) || strings.TrimSpace(d.Name) != d.Name {
		fault("name", fmt.Errorf("it must have at most %d characters, all printable", maxName))
	}
	var err error
	l.logo, err = picture(d.Logo)
	fault("logo", err)
	l.dark, err = picture(d.LogoDark)
	fault("logo_dark", err)
	if len(d.LogoDark) > 0 && len(d.Logo) == 0 {
		fault("logo_dark", errors.New("it replaces logo in the dark scheme, and logo is not set; set logo, too"))
	}
	if len(d.Logo) > 0 && d.Name == "" {
		fault("logo", errors.New("people who cannot see the logo need its text; set name, too"))
	}
	day, err := d.Light.fill(light)
	fault("colors", err)
	if d.Light.Accent != "" && d.Dark.Accent == "" && err == nil {
		card := d.Dark.Card
		if _, err := parseColor(card); err != nil {
			card = dark.Card
		}
		d.Dark.Accent = inTheDark(d.Light.Accent, card)
	}
	night, err := d.Dark.fill(dark)
	fault("dark_colors", err)

	files, wrong := read(d.Templates)
	faults = append(faults, wrong...)
	own := sheet
	if text, ok := files[styleFile]; ok {
		own = text
	}
	// Proxies that are told a page in a variable, as HAProxy is, can pass on no line
	// breaks; between tags they do not count, but the policy has a hash of the style.
	l.style = template.CSS(strings.ReplaceAll(":root { color-scheme: light dark; "+day.css()+"}\n@media (prefers-color-scheme: dark) { :root { "+night.css()+"} }\n"+own, "\n", " "))
	pin := sha256.Sum256([]byte(l.style))
	l.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(pin[:]) + "'; "
	if l.logo != "" || len(files) > 0 {
		l.policy += "img-src data:; "
	}
	l.policy += "frame-ancestors 'none'; base-uri 'none'; form-action "
	faults = append(faults, l.parse(files)...)
	if len(faults) == 0 && len(files) > 0 {
		faults = l.try(files)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return l, nil
}

// picture is a file as a URL that has all of it.
func picture(file []byte) (template.URL, error) {
	if len(file) == 0 {
		return "", nil
	}
	kind := http.DetectContentType(file)
	switch kind {
	case "image/png", "image/jpeg", "image/webp", "image/gif":
	default:
		if !isSVG(file) {
			return "", fmt.Errorf("it is not an SVG, PNG, JPEG, WebP or GIF image")
		}
		kind = "image/svg+xml"
	}
	if len(file) > maxLogo {
		return "", fmt.Errorf("it has %d bytes, and every page carries it; make it at most %d", len(file), maxLogo)
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(file)), nil
}

// isSVG reports whether a file is XML whose element is svg. As a picture, browsers run
// nothing in it and load nothing for it.
func isSVG(file []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(file))
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if start, ok := token.(xml.StartElement); ok {
			return start.Name.Local == "svg" && start.Name.Space == "http://www.w3.org/2000/svg"
		}
	}
}

// nameOf is what templates of a view are called: of SignInFailed, sign-in-failed.
func nameOf(v View) string {
	var b strings.Builder
	for i, c := range reflect.TypeOf(v).Name() {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
