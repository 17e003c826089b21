package codegrant

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/asker"
	"github.com/codegrant/codegrant/replica"
)

// TestS676_AProofFitsIntoACookie: whatever a pool says of somebody, who they are does.
func TestS676_AProofFitsIntoACookie(t *testing.T) {
	a, err := New(Config{BaseURL: "https://app.example.com", Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	long := func(n int) string {
		b := make([]byte, n/2)
		rand.Read(b)
		return hex.EncodeToString(b)
	}
	p := Proven{Issuer: a.Endpoints().Issuer, Subject: "s", UserID: 7, At: time.Now().UTC()}
	p.Snapshot = replica.Snapshot{Issuer: p.Issuer, Subject: p.Subject, Username: long(128), Email: long(2048), GroupsKnown: true, SignIn: true, At: p.At}
	for range 3 {
		sealed, err := a.signIn.sealProven(p, "1")
		if err != nil || len(sealed) > maxProven {
			t.Fatalf("%d bytes, %v", len(sealed), err)
		}
		w := httptest.NewRecorder()
		a.signIn.provenCookie().Set(w, sealed, time.Minute)
		if set := w.Header().Get("Set-Cookie"); len(set) > 4096 || set == "" {
			t.Errorf("a cookie of %d bytes", len(set))
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", w.Result().Cookies()[0].Name+"="+sealed)
		r = r.WithContext(context.WithValue(r.Context(), asker.Key{}, asker.Given{Identity: &Identity{sessionID: "1"}}))
		got, ok, err := a.Proven(r)
		if err != nil || !ok || got.Subject != p.Subject || got.Snapshot.Email != p.Snapshot.Email || !got.Snapshot.SignIn || got.Snapshot.Validate() != nil {
			t.Errorf("%+v, %v, %v", got, ok, err)
		}
		p.Snapshot.Name, p.Snapshot.Custom = long(2048), map[string]string{"custom:x": long(2048)}
		for range 300 {
			p.Snapshot.Groups = append(p.Snapshot.Groups, replica.GroupRef{Name: long(128)})
		}
	}
}
