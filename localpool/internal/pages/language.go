package pages

import (
	"net/http"
	"strings"
	"time"
)

// language is one that managed login knows.
type language struct {
	Code string // as lang and HTML have it
	Name string // as the links of terms have it

	texts map[string]string // by the English ones; nil: English itself
}

// text is a text of the pages in the language, with a value in the place of {}.
func (l language) text(english string, value ...string) string {
	text := english
	if in := l.texts[english]; in != "" {
		text = in
	}
	for _, v := range value {
		text = strings.Replace(text, "{}", v, 1)
	}
	return text
}

var languages = readLanguages(mustRead("languages.txt"))

// readLanguages reads a table with a column for each language, of which English is the
// first: codes, names, and then texts.
func readLanguages(table string) map[string]language {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	codes, names := strings.Split(lines[0], "|"), strings.Split(lines[1], "|")
	all := make(map[string]language, len(codes))
	for i, code := range codes {
		l := language{Code: code, Name: names[i]}
		if i > 0 {
			l.texts = make(map[string]string, len(lines))
			for _, line := range lines[2:] {
				texts := strings.Split(line, "|")
				l.texts[texts[0]] = texts[i]
			}
		}
		all[strings.ToLower(code)] = l
	}
	return all
}

const (
	langCookie   = "lang"
	langLifetime = 365 * 24 * time.Hour
)

// language is that of a request, or the one that the browser was shown before.
func (p *Pages) language(w http.ResponseWriter, r *http.Request) language {
	if l, ok := languages[strings.ToLower(r.URL.Query().Get("lang"))]; ok {
		http.SetCookie(w, &http.Cookie{
			Name: langCookie, Value: l.Code, Path: "/", MaxAge: int(langLifetime / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
			Secure: strings.HasPrefix(p.place.Here(r), "https:"),
		})
		return l
	}
	if c, err := r.Cookie(langCookie); err == nil {
		if l, ok := languages[strings.ToLower(c.Value)]; ok {
			return l
		}
	}
	return languages["en"]
}
