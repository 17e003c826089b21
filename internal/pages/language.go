package pages

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// texts are the catalogue: a folder for what belongs together, in it a file for each
// language, and a line of it for each text, in the order of en.txt.
//
//go:embed texts/*/*.txt
var texts embed.FS

// Languages are those that pages are in; the first is for everybody else.
var Languages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Portuguese, language.Dutch,
	language.Italian, language.Japanese, language.Korean, language.SimplifiedChinese,
}

var (
	matcher   = language.NewMatcher(Languages)
	catalogue = readTexts()
)

// readTexts returns what each English text is, in the order of Languages.
func readTexts() map[string][]string {
	all := make(map[string][]string)
	folders, err := fs.Glob(texts, "texts/*")
	if err != nil {
		panic(err) // the pattern is ours
	}
	for _, folder := range folders {
		english := lines(folder, Languages[0])
		for _, tag := range Languages {
			said := lines(folder, tag)
			for n, key := range english {
				if n < len(said) {
					all[key] = append(all[key], said[n])
				}
			}
		}
	}
	return all
}

// lines are the texts of a folder in a language.
func lines(folder string, tag language.Tag) []string {
	text, err := texts.ReadFile(folder + "/" + tag.String() + ".txt")
	if err != nil {
		panic(err) // it is compiled in
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
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

// LanguageOf is the language that a request asks for, as its tag: one of [Languages].
func LanguageOf(r *http.Request) string { return tongueOf(r).String() }

// say is a text of the catalogue in the language. What is not there stays as it is. The
// values come from elsewhere and are not translated, save moments ([time.Time]) and spans
// of time ([time.Duration]).
func (t tongue) say(text string, values ...any) string {
	if known, ok := catalogue[text]; ok && int(t) < len(known) {
		text = known[t]
	}
	if len(values) == 0 {
		return text // % is of the text's own, where no value goes into it
	}
	shown := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case time.Time:
			shown[i] = v.UTC().Format(t.say(moment))
		case time.Duration:
			shown[i] = span(v)
		default:
			shown[i] = plain(fmt.Sprint(v))
		}
	}
	return fmt.Sprintf(text, shown...)
}

// knows reports whether the catalogue has a text.
func knows(text string) bool { return len(catalogue[text]) > 0 }

// moment is how a point in time is written, as [time.Layout] is.
const moment = "2 January 2006, 15:04 UTC"

// span writes a span of time with the signs of units, which all languages have.
func span(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		of   time.Duration
		sign string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.of; n > 0 {
			parts = append(parts, fmt.Sprintf("%d\u00a0%s", n, unit.sign))
			d -= n * unit.of
		}
	}
	if len(parts) == 0 {
		return "0\u00a0s"
	}
	return strings.Join(parts, " ")
}

// plain takes out of a text from elsewhere what turns the direction of writing: words of
// ours around it would be shown in another order.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
			return -1
		}
		return r
	}, text)
}

// Text is one of our texts in the language that a request asks for, with values that come
// from elsewhere, moments or spans of time.
func Text(r *http.Request, text string, values ...any) string {
	return tongueOf(r).say(text, values...)
}
