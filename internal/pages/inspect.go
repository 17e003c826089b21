package pages

import (
	"bytes"
	"html/template"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// problem is what is wrong with a page, and what to look for in a template.
type problem struct{ text, needle string }

// place is where in the files a problem is likely to be.
func (p problem) place(files map[string]string, specific string) (file string, line int) {
	if p.needle != "" {
		for _, name := range []string{specific, contentFile, pageFile} {
			if i := strings.Index(strings.ToLower(files[name]), p.needle); i >= 0 {
				return name, lineAt(files[name], i)
			}
		}
	}
	return firstOf(files, specific), 0
}

// look says what keeps a rendered page from being one: what people need and do not find,
// and what its policy lets no browser do.
func look(body []byte, p layout, style template.CSS) []problem {
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return []problem{{"is not HTML: " + err.Error(), ""}}
	}
	v := &inspection{count: make(map[string]int)}
	v.walk(root, style)
	for _, one := range []struct{ name, why string }{
		{"h1", "one heading"}, {"main", "one main element, which screen readers go to"}, {"title", "one title"}, {"style", "one style element, with {{.Style}}"},
	} {
		if v.count[one.name] != 1 {
			v.add("must have "+one.why, "<"+one.name)
		}
	}
	if v.lang != p.Language {
		v.add(`must state its language: <html lang="{{.Language}}">`, "<html")
	}
	text := squeeze(v.text.String())
	for _, shown := range p.needed() {
		if !strings.Contains(text, squeeze(shown)) {
			v.add("does not show "+quoted(shown), "")
		}
	}
	for _, form := range p.forms() {
		if !slices.ContainsFunc(v.forms, form.is) {
			v.add("lacks the form that posts to "+form.action+" with "+form.fieldNames(), "<form")
		}
	}
	for _, form := range v.forms {
		if !slices.ContainsFunc(p.forms(), func(own postForm) bool { return own.action == form.action }) || form.method != "post" {
			v.add("has a form of its own, which its policy does not let browsers send", "<form")
		}
	}
	return v.found
}

// needed is what a page is for, and is to be seen whatever else it says.
func (l layout) needed() []string {
	out := []string{l.Correlation}
	if l.Form.Question != "" { // somebody is asked to agree to it
		out = append(append(out, l.Message), l.Details...)
	}
	return out
}

// postForm is a form of a page: where it goes, and what it says.
type postForm struct {
	action, method string
	fields         []Field
	inputs         []string // names of what people fill in
}

// is reports whether another form says the same, or more.
func (f postForm) is(other postForm) bool {
	if f.action != other.action || other.method != "post" {
		return false
	}
	for _, field := range f.fields {
		if !slices.Contains(other.fields, field) {
			return false
		}
	}
	for _, name := range f.inputs {
		if !slices.ContainsFunc(other.fields, func(field Field) bool { return field.Name == name }) {
			return false
		}
	}
	return true
}

func (f postForm) fieldNames() string {
	names := slices.Clone(f.inputs)
	if len(f.fields)+len(names) == 0 {
		return "a button"
	}
	for _, field := range f.fields {
		names = append(names, field.Name)
	}
	return strings.Join(names, ", ")
}

// forms are those that a page is to have.
func (l layout) forms() []postForm {
	var out []postForm
	if l.Form.URL != "" {
		f := postForm{action: l.Form.URL}
		if l.Form.Question != "" {
			f.fields = []Field{{"question", l.Form.Question}, {"answer", "allow"}, {"answer", "deny"}}
		}
		out = append(out, f)
	}
	add := func(forms []Form) {
		for _, f := range forms {
			one := postForm{action: f.URL, fields: f.Fields}
			for _, input := range f.Inputs {
				one.inputs = append(one.inputs, input.Name)
			}
			out = append(out, one)
		}
	}
	for _, s := range l.Sections {
		add(s.Forms)
		for _, i := range s.Items {
			add(i.Forms)
		}
	}
	return out
}

type inspection struct {
	found []problem
	count map[string]int
	lang  string
	forms []postForm
	text  strings.Builder
}

func (v *inspection) add(text, needle string) { v.found = append(v.found, problem{text, needle}) }

func (v *inspection) walk(root *html.Node, style template.CSS) {
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "title" {
			v.text.WriteString(n.Data)
			v.text.WriteByte(' ')
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "title", "h1":
			if n.Namespace == "" && strings.TrimSpace(textOf(n)) != "" {
				v.count[n.Data]++
			}
		case "main":
			v.count["main"]++
		case "html":
			v.lang = attr(n, "lang")
		case "style":
			if v.count["style"]++; textOf(n) != string(style) {
				v.add("has a style of its own, which its policy does not let browsers apply; write <style>{{.Style}}</style>, and put the rest into style.css", "<style")
			}
		case "script", "iframe", "object", "embed", "base", "link", "frame", "frameset", "applet":
			v.add("has the element "+n.Data+", which its policy does not let browsers use", "<"+n.Data)
		case "form":
			v.forms = append(v.forms, formOf(n))
		case "img":
			if !has(n, "alt") {
				v.add(`has a picture without a text for those who cannot see it (alt="")`, "<img")
			}
		}
		v.attributes(n)
	}
}

func (v *inspection) attributes(n *html.Node) {
	for _, a := range n.Attr {
		value := strings.ToLower(strings.TrimSpace(a.Val))
		scheme, _, absolute := strings.Cut(value, ":")
		absolute = absolute && !strings.ContainsAny(scheme, "/?#")
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "http-equiv", a.Key == "srcset", a.Key == "formaction":
			v.add("has the attribute "+a.Key+", which its policy does not let browsers follow", " "+a.Key)
		case a.Key == "src" && scheme != "data":
			v.add("loads "+quoted(a.Val)+"; pages load nothing from elsewhere, use a data: URL", "src=")
		case a.Key == "href" && absolute && !slices.Contains([]string{"http", "https", "mailto", "tel"}, scheme):
			v.add("has a link to "+quoted(a.Val), "href=")
		}
	}
}

// formOf reads a form as a browser would send it, save what people fill in.
func formOf(form *html.Node) postForm {
	f := postForm{action: attr(form, "action"), method: strings.ToLower(attr(form, "method"))}
	submits := false
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || !slices.Contains([]string{"input", "button", "select", "textarea"}, n.Data) {
			continue
		}
		kind := attr(n, "type")
		submits = submits || n.Data == "button" && (kind == "" || kind == "submit") || n.Data == "input" && kind == "submit"
		if name := attr(n, "name"); name != "" {
			f.fields = append(f.fields, Field{name, attr(n, "value")})
		}
	}
	if !submits {
		f.method = "" // nobody can send it
	}
	return f
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// squeeze has one blank for each run of them.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

func quoted(text string) string {
	if r := []rune(text); len(r) > 60 {
		text = string(r[:60]) + "…"
	}
	return "“" + text + "”"
}
