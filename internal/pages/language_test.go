package pages

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

var aMoment = time.Date(2026, 2, 3, 14, 5, 0, 0, time.UTC)

// TestLanguagesAreComplete: each text is there in each language, takes the same values, and
// is another one than in English.
func TestLanguagesAreComplete(t *testing.T) {
	folders, _ := fs.Glob(texts, "texts/*")
	if len(folders) < 5 {
		t.Fatalf("the catalogue has %d folders", len(folders))
	}
	where := make(map[string]string)
	for _, folder := range folders {
		keys := lines(folder, Languages[0])
		for _, key := range keys {
			if where[key] != "" {
				t.Errorf("%q is in %s and in %s", key, where[key], folder)
			}
			where[key] = folder
		}
		for i, tag := range Languages {
			if said := lines(folder, tag); len(said) != len(keys) {
				t.Errorf("%s has %d texts in %s, want %d", folder, len(said), tag, len(keys))
			}
			for _, key := range keys {
				said := tongue(i).say(key)
				switch {
				case strings.TrimSpace(said) != said || said == "":
					t.Errorf("%s: %q is %q", tag, key, said)
				case strings.Count(said, "%s") != strings.Count(key, "%s") || strings.Count(said, "%") != strings.Count(said, "%s"):
					t.Errorf("%s: %q takes other values: %q", tag, key, said)
				case i > 0 && said == key:
					t.Errorf("%s: %q is not translated", tag, key)
				}
			}
		}
	}
}

// TestPagesSayNothingElse renders each page in a language whose texts are all in brackets:
// what is outside of them would be in English everywhere.
func TestPagesSayNothingElse(t *testing.T) {
	invented := make(map[string][]string)
	for key := range catalogue {
		invented[key] = []string{"⟦" + key + "⟧"}
	}
	invented[moment] = []string{"⟦02.01.06⟧"}
	real := catalogue
	catalogue = invented
	defer func() { catalogue = real }()
	said := make(map[string]bool)
	inBrackets := regexp.MustCompile(`⟦[^⟦⟧]*⟧`)
	for _, view := range Examples() {
		w := httptest.NewRecorder()
		Render(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, view)
		root, err := html.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type != html.TextNode || n.Parent.Data == "style" {
				continue
			}
			text := n.Data
			for range 3 { // texts are within texts
				for _, one := range inBrackets.FindAllString(text, -1) {
					said[strings.Trim(one, "⟦⟧")] = true
				}
				text = inBrackets.ReplaceAllString(text, "x")
			}
			for _, value := range valuesOf(view) {
				text = strings.ReplaceAll(text, value, "")
			}
			if rest := strings.Trim(text, "x“”, \n"); rest != "" {
				t.Errorf("%T says %q, which the catalogue lacks", view, rest)
			}
		}
	}
	if len(said) < 60 {
		t.Errorf("only %d texts were seen", len(said))
	}
}

// valuesOf are the texts that a view was given, the longest first.
func valuesOf(view View) []string {
	var out []string
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			out = append(out, v.String())
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Int:
			if name := v.Type().Name(); name != "int" {
				out = append(out, name)
			}
		case reflect.Int64:
			out = append(out, span(time.Duration(v.Int())))
		}
	}
	walk(reflect.ValueOf(view))
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// TestEveryViewHasAnExample: what has none is not tried with anybody's templates.
func TestEveryViewHasAnExample(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`func \(v (\w+)\) layout\(`).FindAllStringSubmatch(string(source), -1) {
			found++
			if !slices.ContainsFunc(Examples(), func(v View) bool { return reflect.TypeOf(v).Name() == m[1] }) {
				t.Errorf("%s has no example", m[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("found %d views", found)
	}
}

func TestLanguageOfARequest(t *testing.T) {
	for _, tt := range []struct{ query, header, want string }{
		{"", "", "en"}, {"", "de", "de"}, {"", "de-CH,fr;q=0.9", "de"}, {"", "sv, fr;q=0.5", "fr"}, {"", "sv", "en"}, {"", "pt-BR", "pt"}, {"", "es-419", "es"},
		{"", "zh-CN", "zh-Hans"}, {"", "zh-TW", "zh-Hans"}, {"", "zh-Hant", "zh-Hans"}, {"", "ja-JP,ja;q=0.9", "ja"}, {"", "ko", "ko"}, {"", "en-GB,de;q=0.9", "en"}, {"", "*", "en"}, {"", "nonsense;q=x", "en"},
		{"lang=it", "de", "it"}, {"ui_locales=nl+de", "fr", "nl"}, {"ui_locales=xx+de", "fr", "de"}, {"lang=es&ui_locales=de", "", "es"}, {"lang=%00", "de", "de"},
		{"", strings.Repeat("de,", 400), "en"},
	} {
		r := &http.Request{URL: &url.URL{RawQuery: tt.query}, Header: http.Header{"Accept-Language": {tt.header}}}
		if got := tongueOf(r).String(); got != tt.want {
			t.Errorf("?%s, %q: %s, want %s", tt.query, tt.header, got, tt.want)
		}
	}
}

// TestPagesInEveryLanguage: the words, the language that a screen reader is told, and what
// comes from elsewhere as it is.
func TestPagesInEveryLanguage(t *testing.T) {
	for i, tag := range Languages {
		for _, view := range Examples() {
			r := httptest.NewRequest("GET", "/?lang="+tag.String(), nil)
			w := httptest.NewRecorder()
			Render(w, r, http.StatusOK, view)
			body := w.Body.String()
			if w.Header().Get("Content-Language") != tag.String() || !strings.Contains(body, `<html lang="`+tag.String()+`" dir="ltr">`) {
				t.Errorf("%T: %s", view, w.Header().Get("Content-Language"))
			}
			if title := view.layout(tongue(i)).Title; title == "" || !strings.Contains(body, "<h1>"+title+"</h1>") {
				t.Errorf("%T in %s has no heading %q", view, tag, title)
			}
			if strings.Contains(body, "%!") || strings.Contains(body, "%s") {
				t.Errorf("%T in %s: %s", view, tag, body)
			}
		}
	}
	w := httptest.NewRecorder()
	Render(w, httptest.NewRequest("GET", "/?lang=de", nil), http.StatusOK, AskForAgent{Client: "%s<b>", Place: "p", Resource: "r"})
	if body := w.Body.String(); !strings.Contains(body, "“%s&lt;b&gt;” möchte r in Ihrem Namen verwenden.") {
		t.Errorf("what a stranger wrote is taken for more than text: %s", body)
	}
}

// TestOthersTextsAreKnown: what packages of ours have told people by Text and AgentRefused is
// in the catalogue.
func TestOthersTextsAreKnown(t *testing.T) {
	for _, tt := range []struct {
		files, says string
		least       int
	}{
		{"../../flash.go", `Message: "([^"]+)"`, 10},
		{"../../*.go", `pages\.Text\(r, "([^"]+)"`, 1},
		{"../../broker/*.go", `faulty\("[a-z_]+", "([A-Z][^"]+)"\)`, 6},
		{"../../upstream/consent.go", `(?:u\.(?:tell|turnedAway)\(w, r, |again = )"([^"]+)"`, 4},
	} {
		files, err := filepath.Glob(tt.files)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(tt.says).FindAllStringSubmatch(string(source), -1) {
				if strings.HasPrefix(m[1], "PKCE ") {
					continue // told to programs alone
				}
				if found++; !knows(m[1]) {
					t.Errorf("%s: the catalogue lacks %q", file, m[1])
				}
			}
		}
		if found < tt.least {
			t.Errorf("%s: found %d texts, want %d at least", tt.files, found, tt.least)
		}
	}
}

// TestOneVoice: a language speaks to people in one form of address, in one variety, and with
// one word for a thing, on all pages.
func TestOneVoice(t *testing.T) {
	for tag, other := range map[string]string{
		"de":      `(?i)\b(du|dich|dein\w*)\b|einlog|Login`,
		"es":      `\b(tú|tu|tus|puedes|haz)\b`,
		"fr":      `(?i)(^|[ ’])(tu|toi|ton|tes|ta)([ .,]|$)`,
		"it":      `(?i)\b(Lei|le viene|acceda|riprovi|contatti l|inserisca|scelga|controlli)\b|\bsu[oaei]i? account`,
		"ja":      `ログイン|ログアウト|ブラウザ([^ー]|$)`,
		"ko":      `귀하|고객`,
		"nl":      `(?i)\b(je|jij|jouw)\b|inlog|ingelogd|\blog\b|klantenservice`,
		"pt":      `palavra-passe|[Ii]nici\w+ sessão|sessão iniciada|aplicaç|utilizador|\bcontacte\b|elimin|foram guardad`,
		"zh-Hans": `[,?]|:[^/]|帐户`,
	} {
		found := regexp.MustCompile(other)
		files, _ := fs.Glob(texts, "texts/*/"+tag+".txt")
		if len(files) < 5 {
			t.Errorf("%s: %d files", tag, len(files))
		}
		for _, file := range files {
			said, err := fs.ReadFile(texts, file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(said)) {
				if found.MatchString(line) && !strings.Contains(line, "2006") {
					t.Errorf("%s: %q is in another voice than the rest (%s)", file, strings.TrimSpace(line), found.FindString(line))
				}
			}
		}
	}
}

// TestMoments: points in time and spans of it are written as the language does.
func TestMoments(t *testing.T) {
	for tag, want := range map[string]string{"en": "Signed in on 3 February 2026, 14:05 UTC", "de": "Angemeldet am 3.2.2026, 14:05 UTC", "ja": "サインイン: 2026年2月3日 14:05 UTC"} {
		r := httptest.NewRequest("GET", "/?lang="+tag, nil)
		if got := Text(r, "Signed in on %s", aMoment.In(time.FixedZone("", 3600))); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s", 90 * time.Second: "1 min 30 s", 26 * time.Hour: "26 h", time.Hour + 5*time.Minute: "1 h 5 min"} {
		if got := strings.ReplaceAll(span(d), "\u00a0", " "); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestS722_DirectionOfStrangers: what a stranger wrote turns no words of ours around.
func TestS722_DirectionOfStrangers(t *testing.T) {
	const turning = "x\u202e\u2066\u200f\u061cy"
	for _, view := range []View{
		AskForAgent{Client: turning, Place: turning, Document: turning, Resource: turning, Scopes: []string{turning}, SignedInAs: turning},
		Agreements{List: []Agreement{{Client: turning, Place: turning, Resource: turning, Scopes: []string{turning}}}, SignedInAs: turning},
		Sessions{SignedInAs: turning, List: []Session{{Browser: turning, System: turning, Address: turning}, {Browser: turning}, {System: turning}}},
		AgentRefused{Reason: turning}, StepUpFailed{Level: turning, Reached: turning}, Denied{SignedInAs: turning},
	} {
		w := httptest.NewRecorder()
		Render(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, view)
		if body := w.Body.String(); strings.ContainsAny(body, "\u202e\u2066\u200f\u061c") || !strings.Contains(body, "xy") {
			t.Errorf("%T: %q", view, body)
		}
	}
}

func FuzzLanguage(f *testing.F) {
	f.Add("lang=de", "fr;q=0.5, de")
	f.Add("ui_locales=a+b+c", "*;q=0")
	f.Fuzz(func(t *testing.T, query, header string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{"Accept-Language": {header}}}
		if got := tongueOf(r); int(got) < 0 || int(got) >= len(Languages) {
			t.Errorf("language %d", got)
		}
	})
}
