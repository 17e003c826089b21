package cognito

import (
	"encoding/json"
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

// FuzzReadObject: an object that is read has the names that the body has, once each.
func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[true,null,"x"]}}`))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte(` {} `))
	f.Add([]byte(`{"a":1} x`))
	f.Add([]byte(strings.Repeat(`{"a":`, 100)))
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := readObject(body)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil || len(want) != len(members) {
			t.Fatalf("readObject(%q) = %d members, encoding/json finds %d, %v", body, len(members), len(want), err)
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
