package pages

import (
	"embed"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// texts are the catalogue: a file for each language, and a line of it for each text, in
// the order of en.txt.
//
//go:embed texts/*.txt
var texts embed.FS

// Languages are those that pages are in; the first is for everybody else.
var Languages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Portuguese, language.Dutch,
	language.Italian, language.Japanese, language.Korean, language.SimplifiedChinese,
}

var (
	matcher   = language.NewMatcher(Languages)
	catalogue = read()
)

// read returns what each English text is, in the order of Languages.
func read() map[string][]string {
	all := make(map[string][]string)
	var english []string
	for i, tag := range Languages {
		text, err := texts.ReadFile("texts/" + tag.String() + ".txt")
		if err != nil {
			panic(err) // it is compiled in
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if i == 0 {
			english = lines
		}
		for n, key := range english {
			if n < len(lines) {
				all[key] = append(all[key], lines[n])
			}
		}
	}
	return all
}

// maxHeader is more than browsers send, and bounds what is parsed of a stranger's.
const maxHeader = 512

// tongue is a place in Languages.
type tongue int

// tongueOf is the language that a request asks for: by lang or ui_locales in its query, or
// else by Accept-Language. English is for those who ask for none of ours.
func tongueOf(r *http.Request) tongue {
	var asked []language.Tag
	add := func(text string) {
		if text == "" || len(text) > maxHeader {
			return
		}
		if tags, _, err := language.ParseAcceptLanguage(text); err == nil {
			asked = append(asked, tags...)
		}
	}
	if r.URL != nil && r.URL.RawQuery != "" && len(r.URL.RawQuery) <= 16<<10 {
		query := r.URL.Query()
		add(query.Get("lang"))
		for tag := range strings.FieldsSeq(query.Get("ui_locales")) {
			if len(asked) < 16 {
				add(tag)
			}
		}
	}
	add(r.Header.Get("Accept-Language"))
	if len(asked) == 0 {
		return 0
	}
	_, i, confidence := matcher.Match(asked...)
	if confidence == language.No {
		return 0
	}
	return tongue(i)
}

func (t tongue) String() string { return Languages[t].String() }

// separator stands between a text of the catalogue and what goes into it.
const separator = "\x00"

// phrase is a text with values, which come from elsewhere and are never translated.
func phrase(text string, values ...string) string {
	for i, v := range values {
		values[i] = strings.ReplaceAll(v, separator, "")
	}
	return strings.Join(append([]string{text}, values...), separator)
}

// say is a text in the language. What the catalogue does not have stays as it is: it is of
// the application's, or of a stranger's.
func (t tongue) say(text string) string {
	key, rest, composed := strings.Cut(text, separator)
	if known, ok := catalogue[key]; ok && int(t) < len(known) {
		key = known[t]
	}
	if !composed {
		return key // % is of the text's own, where no value goes into it
	}
	var values []any
	for v := range strings.SplitSeq(rest, separator) {
		values = append(values, v)
	}
	return fmt.Sprintf(key, values...)
}

// in is the page in a language.
func (l layout) in(t tongue) layout {
	l.Language = t.String()
	l.Title, l.Message = t.say(l.Title), t.say(l.Message)
	l.Details, l.Links = slices.Clone(l.Details), slices.Clone(l.Links)
	for i := range l.Details {
		l.Details[i] = t.say(l.Details[i])
	}
	for i := range l.Links {
		l.Links[i].Text = t.say(l.Links[i].Text)
	}
	l.Form.Text, l.Form.Other = t.say(l.Form.Text), t.say(l.Form.Other)
	l.Who, l.Reference = t.say("Signed in as"), t.say("Does it not go away? Tell the people who run this service, with this reference:")
	return l
}

// Text is one of our texts in the language that a request asks for, with values that come
// from elsewhere.
func Text(r *http.Request, text string, values ...string) string {
	return tongueOf(r).say(phrase(text, values...))
}
