package cognito

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"
)

// FuzzParseTokens: what is accepted is what a strict reader of JSON finds.
func FuzzParseTokens(f *testing.F) {
	f.Add([]byte(granted))
	f.Add([]byte(strings.Replace(granted, "3600", `"3600"`, 1)))
	f.Add([]byte(`{"access_token":"a","access_token":"b","token_type":"Bearer","expires_in":1}`))
	f.Add([]byte(`{"Access_Token":"a","token_type":"bearer","expires_in":1}`))
	f.Add([]byte(`{"access_token":null}`))
	f.Add([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":1}{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseTokens(body)
		if err != nil {
			if got != (TokenSet{}) {
				t.Errorf("parseTokens(%q) = tokens and %v", body, err)
			}
			return
		}
		if got.AccessToken == "" || got.ExpiresIn <= 0 || got.ExpiresIn > 31*24*time.Hour {
			t.Errorf("parseTokens(%q) = %#v", body, got)
		}
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("parseTokens(%q) accepts what is not a JSON object: %v", body, err)
		}
		for name, token := range map[string]Secret{"id_token": got.IDToken, "access_token": got.AccessToken, "refresh_token": got.RefreshToken} {
			if want, _ := members[name].(string); want != token.Reveal() {
				t.Errorf("parseTokens(%q): %s is another than in the body", body, name)
			}
		}
	})
}

// strictly reads an object as readObject is to, by encoding/json's tokens.
func strictly(body []byte) (map[string]json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var raw json.RawMessage
		if _, twice := members[name.(string)]; twice || d.Decode(&raw) != nil {
			return nil, false
		}
		members[name.(string)] = raw
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, false
	}
	return members, len(bytes.TrimLeft(body[d.InputOffset():], " \t\r\n")) == 0
}

// FuzzReadObject: an object is read as encoding/json reads it, and refused where that
// refuses it, has a name twice, or finds something after it.
func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[true,null,"x"]}}`))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte(` {} `))
	f.Add([]byte(`{"a":1} x`))
	f.Add([]byte(strings.Repeat(`{"a":`, 100)))
	for _, body := range []string{
		"", "{", "}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{"a":1:2}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":"`, `{"a":"\`, `{"a":"\"}`,
		`{"a":"\""}`, `{"a":"\\"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":"x""y"}`, `{"a":1x}`, `{"a":01}`, `{"a":-}`, `{"a":tru}`, `{"a":[1,2}`, `{"a":[1,{"b":"]"}]}`,
		`{"a":{"b":1}}}`, `{"a":"\ud800"}`, `{"a\n":"b","":0}`, "\f{}", "{\f}", `{"a":1}` + "\x00", `{"a":{}"b":1}`, `{"a":[]]`, `{"a":null,"A":null}`, `{"a":1}{}`, `[{"a":1}]`, `"{}"`, `{"a":"é"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := readObject(body)
		want, ok := strictly(body)
		if ok != (err == nil) {
			t.Fatalf("readObject(%q) = %v, by encoding/json: %t", body, err, ok)
		}
		if err != nil {
			return
		}
		if !maps.EqualFunc(members, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("readObject(%q) = %q, by encoding/json %q", body, members, want)
		}
		for name, raw := range want {
			var text string
			refused := json.Unmarshal(raw, &text) != nil
			if got, err := members.str(name); got != text || refused != (err != nil) {
				t.Errorf("readObject(%q): %q is %q, %v, by encoding/json %q", body, name, got, err, text)
			}
		}
		again, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if reread, err := readObject(again); err != nil || len(reread) != len(members) {
			t.Errorf("readObject(%q) does not survive a round trip: %v", body, err)
		}
	})
}
