package codegrant

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

var update = flag.Bool("update", false, "write testdata/formats.json anew: sessions of before are lost with the change that needs it")

// formats are what browsers and stores hold for days.
type formats struct {
	Cookie        string         // of a session in a store
	Record        session.Record // of that session
	CookieSession []string       // Cookie headers of a session in cookies
	Key           []byte         // that sealed it
}

// TestS167_SessionsOfBeforeAreRead opens what an earlier version has sealed: nobody is
// signed out by an update. Who changes a format reads the one before as well.
func TestS167_SessionsOfBeforeAreRead(t *testing.T) {
	const path = "testdata/formats.json"
	keys := func(key []byte) *cookieSessions {
		ring, err := session.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		return newCookieSessions(&settings{Config: Config{
			Keys: ring, Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
			Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "1example23456789"},
		}, cookie: session.Cookie{Name: "codegrant"}})
	}
	tokens := cognito.TokenSet{AccessToken: "access.token.y", IDToken: "id.token.x", RefreshToken: "refresh"}
	if *update {
		handle := session.NewHandle()
		kept := formats{
			Cookie: handle.Encode(), Key: make([]byte, 32),
			Record: session.Record{ID: handle.RecordID(), Pool: "eu-west-1_Ab12Cd34E", Subject: "subject", Created: time.Unix(1_700_000_000, 0).UTC()},
		}
		rand.Read(kept.Key)
		kept.Record.Sealed = samplePayload().seal(handle, kept.Record)
		w := httptest.NewRecorder()
		if err := keys(kept.Key).write(w, tokens, time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.Result().Cookies() {
			kept.CookieSession = append(kept.CookieSession, c.Name+"="+c.Value)
		}
		text, err := json.MarshalIndent(kept, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	var kept formats
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	handle, err := session.ParseHandle(kept.Cookie)
	if err != nil || handle.RecordID() != kept.Record.ID {
		t.Fatalf("the cookie is of the record %s, %v", handle.RecordID(), err)
	}
	got, err := openPayload(handle, kept.Record)
	if err != nil {
		t.Fatal(err)
	}
	if got.tokens, err = openTokens(handle, kept.Record); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, samplePayload()) {
		t.Errorf("the session is %+v, and was %+v", got, samplePayload())
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range kept.CookieSession {
		r.Header.Add("Cookie", c)
	}
	read, seen, err := keys(kept.Key).read(r)
	if err != nil || read != tokens || seen.Unix() != 1_700_000_000 {
		t.Errorf("the session in cookies is %+v, seen at %v, %v", read, seen, err)
	}
}
