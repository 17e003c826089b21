package pages

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// everyView is each page with all that it can say.
var everyView = []View{
	SignInFailed{Message: "x", TryAgain: "/", Correlation: "x"}, SignedIn{Next: "/"}, ConfirmSignOut{Action: "/", Stay: "/"},
	Unavailable{TryAgain: "/", Correlation: "x"}, Denied{SignedInAs: "x", Home: "/", Switch: "/", Correlation: "x"},
	StepUpFirst{SignIn: "/", Home: "/"}, NotFound{Home: "/"}, StepUpFailed{Details: []string{"x"}, TryAgain: "/", Home: "/"}, FromElsewhere{Home: "/"},
	AskForAgent{Place: "x", Resource: "x", Scopes: []string{"x"}, Action: "/", Question: "x"}, AskForAgent{Client: "x", Document: "x", Place: "x", Resource: "x"},
	AgentRefused{Reason: "x"},
}

// TestLanguagesAreComplete: each text is there in each language, takes the same values, and
// is another one than in English; and no page says anything that the catalogue lacks.
func TestLanguagesAreComplete(t *testing.T) {
	english, _ := texts.ReadFile("texts/en.txt")
	keys := strings.Split(strings.TrimSuffix(string(english), "\n"), "\n")
	for i, tag := range Languages {
		text, err := texts.ReadFile("texts/" + tag.String() + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"); len(lines) != len(keys) {
			t.Errorf("%s has %d texts, want %d", tag, len(lines), len(keys))
		}
		seen := make(map[string]string)
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
			seen[said] = key
		}
	}
	for _, view := range everyView {
		l := view.layout()
		all := append([]string{l.Title, l.Message, l.Form.Text, l.Form.Other}, l.Details...)
		for _, link := range l.Links {
			all = append(all, link.Text)
		}
		for _, text := range all {
			key, _, _ := strings.Cut(text, separator)
			if _, ok := catalogue[key]; !ok && key != "" && key != "x" {
				t.Errorf("%T: the catalogue lacks %q", view, key)
			}
		}
	}
}

func TestLanguageOfARequest(t *testing.T) {
	for _, tt := range []struct{ query, header, want string }{
		{"", "", "en"}, {"", "de", "de"}, {"", "de-CH,fr;q=0.9", "de"}, {"", "sv, fr;q=0.5", "fr"}, {"", "sv", "en"}, {"", "pt-BR", "pt"}, {"", "es-419", "es"},
		{"", "zh-CN", "zh-Hans"}, {"", "ja-JP,ja;q=0.9", "ja"}, {"", "ko", "ko"}, {"", "en-GB,de;q=0.9", "en"}, {"", "*", "en"}, {"", "nonsense;q=x", "en"},
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
		for _, view := range everyView {
			r := httptest.NewRequest("GET", "/?lang="+tag.String(), nil)
			w := httptest.NewRecorder()
			Render(w, r, http.StatusOK, view)
			body := w.Body.String()
			if w.Header().Get("Content-Language") != tag.String() || !strings.Contains(body, `<html lang="`+tag.String()+`">`) {
				t.Errorf("%T: %s", view, w.Header().Get("Content-Language"))
			}
			if title := tongue(i).say(view.layout().Title); !strings.Contains(body, "<h1>"+title+"</h1>") {
				t.Errorf("%T in %s has no heading %q", view, tag, title)
			}
			if strings.ContainsAny(body, separator) || strings.Contains(body, "%!") || strings.Contains(body, "%s") {
				t.Errorf("%T in %s: %s", view, tag, body)
			}
		}
	}
	w := httptest.NewRecorder()
	Render(w, httptest.NewRequest("GET", "/?lang=de", nil), http.StatusOK, AskForAgent{Client: "%s\x00<b>", Place: "p", Resource: "r"})
	if body := w.Body.String(); !strings.Contains(body, "“%s&lt;b&gt;” möchte r in Ihrem Namen verwenden.") {
		t.Errorf("what a stranger wrote is taken for more than text: %s", body)
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
