package pages

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The files that a design may have, beside those that are called as a view is.
const (
	pageFile    = "page.html"    // the frame of every page
	contentFile = "content.html" // what is in it
	styleFile   = "style.css"
)

// maxFile bounds a file of a design.
const maxFile = 64 << 10

// read returns the files of a folder by name.
func read(folder fs.FS) (map[string]string, []error) {
	if folder == nil {
		return nil, nil
	}
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, []error{&Fault{Part: "templates", Err: err}}
	}
	var faults []error
	files := make(map[string]string)
	known := append(slices.Collect(maps.Keys(byName())), "page", "content")
	slices.Sort(known)
	for _, entry := range entries {
		name := entry.Name()
		fault := func(line int, format string, args ...any) {
			faults = append(faults, &Fault{"templates", name, line, fmt.Errorf(format, args...)})
		}
		if strings.HasPrefix(name, ".") || path.Ext(name) == ".md" {
			continue
		}
		if view, ok := strings.CutSuffix(name, ".html"); name != styleFile && (!ok || !slices.Contains(known, view)) {
			fault(0, "no page is called so; there are %s, each with .html, and %s", strings.Join(known, ", "), styleFile)
			continue
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			fault(0, "%w", err)
			continue
		}
		if len(text) > maxFile {
			fault(0, "it has %d bytes; make it at most %d", len(text), maxFile)
			continue
		}
		files[name] = string(text)
		if name == styleFile {
			for _, m := range unwantedStyle.FindAllStringIndex(string(text), -1) {
				fault(lineAt(string(text), m[0]), "%q: pages load nothing from elsewhere; use pictures as data: URLs", text[m[0]:m[1]])
			}
		}
	}
	if len(files) == 0 && len(faults) == 0 {
		faults = append(faults, &Fault{Part: "templates", Err: errors.New("the folder has no template")})
	}
	return files, faults
}

// unwantedStyle is what a style sheet of a page cannot have.
var unwantedStyle = regexp.MustCompile(`(?i)</style|@import|url\(\s*(?:["']?\s*)(?:[^"'d\s]|d[^a])`)

func lineAt(text string, at int) int { return strings.Count(text[:at], "\n") + 1 }

// byName are the views, by the name of their templates, with examples of each.
func byName() map[string][]View {
	all := make(map[string][]View)
	for _, v := range Examples() {
		all[nameOf(v)] = append(all[nameOf(v)], v)
	}
	return all
}

// parse makes the templates: ours, and in their place those of the files.
func (l *Look) parse(files map[string]string) []error {
	var faults []error
	own := template.Must(template.New(pageFile).Parse(source))
	put := func(into *template.Template, as, file string) {
		t := into
		if as != into.Name() {
			t = into.New(file)
		}
		t, err := t.Parse(files[file])
		if err == nil && as != into.Name() {
			_, err = into.AddParseTree(as, t.Tree)
		}
		if err != nil {
			faults = append(faults, located(err, file))
		}
	}
	if _, ok := files[pageFile]; ok {
		put(own, pageFile, pageFile)
	}
	if _, ok := files[contentFile]; ok {
		put(own, "content", contentFile)
	}
	if len(faults) > 0 {
		return faults
	}
	l.of = make(map[string]*template.Template)
	for name := range byName() {
		if _, ok := files[name+".html"]; !ok {
			continue
		}
		one := template.Must(own.Clone())
		put(one, "content", name+".html")
		l.of[name] = one.Lookup(pageFile)
	}
	l.all = own.Lookup(pageFile)
	return faults
}

// inTemplate finds the line in what html/template says.
var inTemplate = regexp.MustCompile(`^(?:html/)?template: ?([\w.-]+):(\d+)(?::\d+)?: ?`)

// located is an error of a template as a fault of its file.
func located(err error, file string) *Fault {
	text := err.Error()
	fault := &Fault{Part: "templates", File: file, Err: err}
	m := inTemplate.FindStringSubmatch(text)
	if m == nil {
		return fault
	}
	if strings.Contains(m[1], ".") {
		fault.File = m[1]
	}
	fault.Line, _ = strconv.Atoi(m[2])
	text = strings.TrimPrefix(text, m[0])
	if i := strings.Index(text, ">: "); i >= 0 && strings.HasPrefix(text, "executing ") {
		text = text[i+3:]
	}
	fault.Err = errors.New(text)
	return fault
}

// try renders every page that the files are for, in every language, and looks at it.
func (l *Look) try(files map[string]string) []error {
	var faults []error
	seen := make(map[string]bool)
	add := func(f *Fault) {
		if !seen[f.Error()] {
			seen[f.Error()] = true
			faults = append(faults, f)
		}
	}
	all := files[pageFile] != "" || files[contentFile] != "" || files[styleFile] != ""
	for name, views := range byName() {
		specific := name + ".html"
		if !all && files[specific] == "" {
			continue
		}
		for _, view := range views {
			for t := range Languages {
				var body bytes.Buffer
				filled := l.filled(view, tongue(t))
				if err := l.execute(&body, view, filled); err != nil {
					f := located(err, specific)
					if _, ok := files[f.File]; !ok {
						f.File, f.Line = firstOf(files, specific), 0
					}
					add(f)
					break
				}
				found := look(body.Bytes(), filled, l.style)
				for _, p := range found {
					file, line := p.place(files, specific)
					add(&Fault{"templates", file, line, fmt.Errorf("the page %s %s", name, p.text)})
				}
				if len(found) > 0 {
					break
				}
			}
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}

// firstOf is the file that a page is most likely made by.
func firstOf(files map[string]string, specific string) string {
	for _, name := range []string{specific, contentFile, pageFile} {
		if _, ok := files[name]; ok {
			return name
		}
	}
	return styleFile
}
