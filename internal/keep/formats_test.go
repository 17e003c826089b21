package keep

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
)

var update = flag.Bool("update", false, "write the newest format of testdata/formats.json anew")

// formats are what browsers and stores hold for days.
type formats struct {
	Cookie        string         // of a session in a store
	Record        session.Record // of that session
	CookieSession []string       // Cookie headers of a session in cookies, of version 1
	Sealed        []string       // and of version 2
	Key           []byte         // that sealed it
}

// TestS167_SessionsOfBeforeAreRead opens what an earlier version has sealed: nobody is
// signed out by an update. Who changes a format reads the one before as well.
func TestS167_SessionsOfBeforeAreRead(t *testing.T) {
	const path = "testdata/formats.json"
	at := time.Unix(1_700_000_000, 0)
	keys := func(key []byte) *Sealed {
		ring, err := session.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		return NewSealed(SealedConfig{
			Cookie: session.Cookie{Name: "codegrant"}, Keys: ring, Binding: "1example23456789 eu-west-1_Ab12Cd34E ",
			Now: func() time.Time { return at }, Lifetimes: Lifetimes{Absolute: time.Hour},
		})
	}
	tokens := cognito.TokenSet{AccessToken: "access.token.y", IDToken: "id.token.x", RefreshToken: "refresh"}
	if *update {
		var kept formats
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &kept) // what was written before stays: it is what browsers hold
		}
		if err != nil {
			t.Fatal(err)
		}
		kept.Sealed = nil
		w := httptest.NewRecorder()
		if err := keys(kept.Key).Hand(w, carriedSample(at)); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.Result().Cookies() {
			kept.Sealed = append(kept.Sealed, c.Name+"="+c.Value)
		}
		text, err = json.MarshalIndent(kept, "", "  ")
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
	got, err := openIdentity(handle, kept.Record)
	if err != nil {
		t.Fatal(err)
	}
	set, err := openSet(handle, kept.Record)
	if err != nil {
		t.Fatal(err)
	}
	got.set = &set
	if !reflect.DeepEqual(got, sampleHeld()) {
		t.Errorf("the session is %+v, and was %+v", got, sampleHeld())
	}
	for version, cookies := range map[byte][]string{0: kept.CookieSession, sealedVersion: kept.Sealed} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, c := range cookies {
			r.Header.Add("Cookie", c)
		}
		read, _, err := keys(kept.Key).open(r)
		if err != nil || len(read) != 1 || read[0].version != version || read[0].tokens != tokens || read[0].seen.Unix() != at.Unix() {
			t.Errorf("the session in cookies is %+v, %v", read, err)
			continue
		}
		if u, h := read[0], carriedSample(at); version == sealedVersion && (u.key != h.Key || u.subject != h.Subject || u.nonce != "nonce" || !u.created.Equal(at) || !u.issued.Equal(at) || !u.auth.Equal(at)) {
			t.Errorf("the session in cookies is %+v", u)
		}
	}
}

func carriedSample(at time.Time) *Held {
	h := &Held{Key: "a-key", set: &prove.Set{ID: "id.token.x", Access: "access.token.y", Refresh: "refresh", Nonce: "nonce"}}
	h.Subject, h.AuthTime, h.Issued, h.Record.Created, h.Record.LastSeen = "subject", at, at, at, at
	return h
}
