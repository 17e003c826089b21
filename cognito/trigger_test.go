package cognito

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func encodePayload(t testing.TB, v any) string {
	t.Helper()
	var raw strings.Builder
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(raw.String())))
}

func TestParseTriggerError(t *testing.T) {
	// The text makes plus signs and slashes in base64.
	const german = "Bitte nutzen Sie Ihre Dienstadresse. ÿ>>>>>????ÿ"
	single := encodePayload(t, german)
	if !strings.Contains(single, "+") || !strings.Contains(single, "/") {
		t.Fatalf("payload %s has no plus sign or slash in it", single)
	}
	many := encodePayload(t, map[string]string{"en": "Use your work address.", "de": german})
	both := map[string]string{"en": "Use your work address.", "de": german}
	one := map[string]string{"": german}
	tests := []struct {
		name, description string
		want              TriggerError
	}{
		{"single message", "PreSignUp failed with error no@" + single, TriggerError{"PreSignUp", "no", one}},
		{"messages by language", "PreSignUp failed with error no@" + many, TriggerError{"PreSignUp", "no", both}},
		{"Cognito's period", "PreSignUp failed with error no@" + many + ".", TriggerError{"PreSignUp", "no", both}},
		{"Cognito's period and space", "PreSignUp failed with error no@" + many + ". ", TriggerError{"PreSignUp", "no", both}},
		{"another trigger", "PreAuthentication failed with error no@" + many, TriggerError{"PreAuthentication", "no", both}},
		{"no text", "PreSignUp failed with error @" + many, TriggerError{"PreSignUp", "", both}},
		{"unpadded", "PreSignUp failed with error no@" + strings.TrimRight(single, "=") + ". ", TriggerError{"PreSignUp", "no", one}},
		{"URL-safe", "PreSignUp failed with error no@" + strings.NewReplacer("+", "-", "/", "_").Replace(single), TriggerError{"PreSignUp", "no", one}},
		{"plus signs became spaces", "PreSignUp failed with error no@" + strings.ReplaceAll(single, "+", " ") + ". ", TriggerError{"PreSignUp", "no", one}},
		{"line breaks", "PreSignUp failed with error no@" + single[:20] + "\r\n" + single[20:] + "\n", TriggerError{"PreSignUp", "no", one}},
		{"line breaks became spaces", "PreSignUp failed with error no@" + many[:20] + " " + many[20:], TriggerError{"PreSignUp", "no", both}},
		{"address before the payload", "PreSignUp failed with error bob@example.com may not@" + single + ".", TriggerError{"PreSignUp", "bob@example.com may not", one}},
		{"several addresses", "PreSignUp failed with error a@b.example c@d.example@" + single, TriggerError{"PreSignUp", "a@b.example c@d.example", one}},
		{"at sign doubled", "PreSignUp failed with error no@@" + single, TriggerError{"PreSignUp", "no@", one}},
		{"language with an underscore", "PreSignUp failed with error @" + encodePayload(t, map[string]string{"pt_BR": "Não"}), TriggerError{"PreSignUp", "", map[string]string{"pt-br": "Não"}}},
		{"members that are no messages", "PreSignUp failed with error @" + encodePayload(t, map[string]any{"en": "No", "code": 7, "de": nil, "fr": "", strings.Repeat("x", 36): "y"}),
			TriggerError{"PreSignUp", "", map[string]string{"en": "No"}}},

		{"plain text after the at sign", "PreSignUp failed with error blocked@Please use your work address. ", TriggerError{"PreSignUp", "blocked", map[string]string{"": "Please use your work address"}}},
		{"plain text after an address", "PreSignUp failed with error bob@example.com@Please ask us.", TriggerError{"PreSignUp", "bob@example.com", map[string]string{"": "Please ask us"}}},
		{"nothing after the at sign", "PreSignUp failed with error blocked@. ", TriggerError{"PreSignUp", "blocked", nil}},
		{"no at sign", "PreAuthentication failed with error Please ask us. ", TriggerError{"PreAuthentication", "Please ask us", nil}},
		{"no at sign, a sentence", "PreAuthentication failed with error Please ask us.. ", TriggerError{"PreAuthentication", "Please ask us.", nil}},
		{"only an address", "PreAuthentication failed with error bob@example.com is not invited.", TriggerError{"PreAuthentication", "bob@example.com is not invited", nil}},
		{"no text at all", "PostConfirmation failed with error .", TriggerError{"PostConfirmation", "", nil}},

		{"payload cut off", "PreSignUp failed with error no@" + single[:len(single)-7], TriggerError{"PreSignUp", "no", nil}},
		{"payload of another shape", "PreSignUp failed with error no@" + encodePayload(t, []string{"a long enough text", "b"}), TriggerError{"PreSignUp", "no", nil}},
		{"payload without a message", "PreSignUp failed with error no@" + encodePayload(t, map[string]any{"code": 7, "details": "", "more": nil}), TriggerError{"PreSignUp", "no", nil}},
		{"payload with a name twice", "PreSignUp failed with error no@" + base64.StdEncoding.EncodeToString([]byte(`{"en":"a message","en":"another"}`)), TriggerError{"PreSignUp", "no", nil}},
		{"payload that is not text", "PreSignUp failed with error no@" + base64.StdEncoding.EncodeToString([]byte("\"\xff\xfe a long enough text\"")), TriggerError{"PreSignUp", "no", nil}},
		{"payload with too many languages", "PreSignUp failed with error no@" + encodePayload(t, manyLanguages(maxLanguages+1)), TriggerError{"PreSignUp", "no", nil}},

		{"S-035 control characters", "PreSignUp failed with error a\x00b@" + encodePayload(t, "c\x1b[31m\r\nd\u202ee"), TriggerError{"PreSignUp", "a b", map[string]string{"": "c [31m  de"}}},
		{"S-035 markup stays text", "PreSignUp failed with error @" + encodePayload(t, "<b onclick=x>&amp;"), TriggerError{"PreSignUp", "", map[string]string{"": "<b onclick=x>&amp;"}}},
		{"S-035 endless message", "PreSignUp failed with error @" + encodePayload(t, strings.Repeat("x", 5000)), TriggerError{"PreSignUp", "", map[string]string{"": strings.Repeat("x", maxTriggerText) + "…"}}},
		{"S-035 endless text", "PreSignUp failed with error " + strings.Repeat("x ", 2500), TriggerError{"PreSignUp", strings.Repeat("x ", maxTriggerText/2) + "…", nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseTriggerError(tt.description)
			if !ok || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", tt.want) {
				t.Errorf("ParseTriggerError() = %#v, %t, want %#v", got, ok, tt.want)
			}
		})
	}
}

func manyLanguages(n int) map[string]string {
	messages := make(map[string]string)
	for i := range n {
		messages[fmt.Sprintf("x%d", i)] = "y"
	}
	return messages
}

func TestOtherDescriptionsAreNotOfTriggers(t *testing.T) {
	for name, description := range map[string]string{
		"empty":               "",
		"of a provider":       "Timeout occurred in calling IdP token endpoint",
		"of Cognito":          "attributes required: [email]",
		"no trigger":          " failed with error x",
		"a sentence before":   "Click here: evil failed with error x",
		"a link before":       "https://evil.example failed with error x",
		"other letters":       "PrеSignUp failed with error x", // the first e is Cyrillic
		"endless trigger":     strings.Repeat("a", 65) + " failed with error x",
		"endless description": "PreSignUp failed with error " + strings.Repeat("x", maxDescription+1),
		"other words":         "PreSignUp failed with x",
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := ParseTriggerError(description); ok || got.Text != "" || got.Messages != nil {
				t.Errorf("ParseTriggerError() = %#v, %t", got, ok)
			}
		})
	}
}

// TestTriggerErrorThroughACallback goes the whole way that Cognito goes.
func TestTriggerErrorThroughACallback(t *testing.T) {
	const text = "Nutzen Sie Ihre Dienstadresse. ÿ>>>>>????ÿ"
	payload := encodePayload(t, map[string]string{"de": text})
	for name, wire := range map[string]string{
		"encoded":                 url.QueryEscape(payload),
		"plus signs not encoded":  strings.NewReplacer("=", "%3D", "/", "%2F").Replace(payload),
		"wrapped by the trigger":  url.QueryEscape(payload[:30] + "\n" + payload[30:]),
		"nothing encoded, padded": payload,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseCallback(parseQuery(t, "error_description=PreSignUp+failed+with+error+bob%40example.com%40"+wire+".+&error=invalid_request"))
			if err != nil {
				t.Fatal(err)
			}
			e, ok := ParseTriggerError(c.Err.Description)
			if !ok || e.Trigger != "PreSignUp" || e.Text != "bob@example.com" || e.Message("de-CH") != text {
				t.Errorf("ParseTriggerError() = %#v, %t", e, ok)
			}
		})
	}
}

func TestTriggerErrorMessage(t *testing.T) {
	messages := map[string]string{"en": "English", "de": "Deutsch", "de-at": "Österreichisch", "pt-br": "Brasileiro", "zh-tw": "繁體", "zh-cn": "简体"}
	tests := []struct {
		name      string
		messages  map[string]string
		languages []string
		want      string
	}{
		{"exact", messages, []string{"de"}, "Deutsch"},
		{"exact with a region", messages, []string{"de-AT"}, "Österreichisch"},
		{"exact with an underscore", messages, []string{"pt_BR"}, "Brasileiro"},
		{"exact in capitals", messages, []string{"ZH-TW"}, "繁體"},
		{"language of a region that is not there", messages, []string{"de-CH"}, "Deutsch"},
		{"a region of a language that is not there", messages, []string{"pt"}, "Brasileiro"},
		{"another region", messages, []string{"pt-PT"}, "Brasileiro"},
		{"first of several regions", messages, []string{"zh"}, "简体"},
		{"the best that is there", messages, []string{"fr", "de", "en"}, "Deutsch"},
		{"a better one in another region", messages, []string{"pt-PT", "en"}, "Brasileiro"},
		{"none that is there", messages, []string{"fr", "it"}, "English"},
		{"none asked for", messages, nil, "English"},
		{"any", messages, []string{"*"}, "English"},
		{"nonsense", messages, []string{"", "-", "_", "x-"}, "English"},
		{"English in a region", map[string]string{"de": "Deutsch", "en-gb": "British"}, []string{"fr"}, "British"},
		{"no English", map[string]string{"it": "Italiano", "de": "Deutsch"}, []string{"fr"}, "Deutsch"},
		{"just one", map[string]string{"": "Alle"}, []string{"de"}, "Alle"},
		{"no payload", nil, []string{"de"}, "the text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := TriggerError{Trigger: "PreSignUp", Text: "the text", Messages: tt.messages}
			for range 20 { // maps are shuffled
				if got := e.Message(tt.languages...); got != tt.want {
					t.Fatalf("Message(%q) = %q, want %q", tt.languages, got, tt.want)
				}
			}
		})
	}
}

func FuzzParseTriggerError(f *testing.F) {
	f.Add("PreSignUp failed with error x@eyJlbiI6ICJtIn0=. ")
	f.Add("PreSignUp failed with error x@" + encodePayload(f, "m\x00<b>"))
	f.Add("PreSignUp failed with error a@b@c@@")
	f.Add("PreSignUp failed with error \xff\u202e@.")
	f.Add("PreSignUp failed with error " + strings.Repeat("@", 8000))
	f.Fuzz(func(t *testing.T, description string) {
		e, ok := ParseTriggerError(description)
		if !ok {
			if e.Trigger != "" || e.Text != "" || e.Messages != nil {
				t.Errorf("ParseTriggerError(%q) = %#v, false", description, e)
			}
			return
		}
		expectPlain(t, "trigger", e.Trigger, 64)
		expectPlain(t, "text", e.Text, maxTriggerText)
		if len(e.Messages) > maxLanguages {
			t.Errorf("%d messages", len(e.Messages))
		}
		for language, message := range e.Messages {
			expectPlain(t, "message", message, maxTriggerText)
			if message == "" || e.Message(language) == "" {
				t.Errorf("message in %q is empty", language)
			}
		}
	})
}

// FuzzTriggerPayload: what a trigger encodes is what a person reads.
func FuzzTriggerPayload(f *testing.F) {
	f.Add("no", "Nutzen Sie Ihre Dienstadresse.")
	f.Add("bob@example.com", "ÿÿ>>>???")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, text, message string) {
		want := plain(message, maxTriggerText)
		if want == "" || len(text) > maxTriggerText || len(message) > maxTriggerText {
			return
		}
		raw, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			payload := encoding.EncodeToString(raw)
			for _, wire := range []string{payload, strings.ReplaceAll(payload, "+", " ")} {
				e, ok := ParseTriggerError("PreSignUp failed with error " + text + "@" + wire + ". ")
				if !ok || e.Message("de") != want || e.Text != plain(text, maxTriggerText) {
					t.Errorf("ParseTriggerError(%q@%s) = %#v, %t, want message %q", text, wire, e, ok, want)
				}
			}
		}
	})
}
