package exchange

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
)

// FuzzS704_Answers: whatever a pool answers with is of the person and for the service, or
// is not handed on.
func FuzzS704_Answers(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"https://pool","sub":"alice","aud":"https://orders.example.com"}`, `{"iss":"https://pool","sub":"alice","aud":["https://orders.example.com"]}`,
		`{"iss":"https://pool","sub":"alice","aud":["https://orders.example.com","x"],"act":{"sub":"agent-1"}}`, `{"aud":{}}`, `{"act":[]}`, `[]`, ``, `{"aud":null,"act":null}`,
		`{"iss":"https://pool","sub":"alice","aud":"https://orders.example.com","act":{"sub":"g","act":{"iss":"https://pool","sub":"agent-1"}}}`,
	} {
		f.Add(payload, true)
		f.Add(payload, false)
	}
	f.Fuzz(func(t *testing.T, payload string, acted bool) {
		id := &codegrant.Identity{Issuer: "https://pool", Subject: "alice"}
		if acted {
			id.Actor = &codegrant.Actor{Subject: "agent-1"}
		}
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".AAAA"
		if fits(token, id, want{audience: "https://orders.example.com"}) != nil {
			return
		}
		c, err := read(token)
		if err != nil || c.Issuer != id.Issuer || c.Subject != "alice" || len(c.audiences()) != 1 || c.audiences()[0] != "https://orders.example.com" || acted && c.Actor == nil {
			t.Errorf("%s is taken", payload)
		}
	})
}

// panics is whoever exchanges, through a transport with a fault of its own, at first.
type panics struct{ left int }

func (p *panics) check(Config) error                       { return nil }
func (p *panics) subject(*codegrant.Identity) (any, error) { return "s", nil }
func (p *panics) issue(context.Context, *codegrant.Identity, want) (string, time.Time, error) {
	if p.left--; p.left >= 0 {
		panic("a transport's own fault")
	}
	return "token", time.Now().Add(time.Hour), nil
}

// TestS671_APanicOfATransport: it is an answer that cannot be had, to all who wait, and not
// the end of the process.
func TestS671_APanicOfATransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(bytes.Buffer)
		tokens, err := New(Config{By: &panics{1}, Audience: "https://orders.example.com", Logger: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		id := &codegrant.Identity{Issuer: "https://pool", Subject: "alice"}
		for range 3 {
			if _, err := tokens.Token(t.Context(), id); !errors.Is(err, codegrant.ErrUnavailable) {
				t.Errorf("%v", err)
			}
		}
		time.Sleep(pauseAway)
		if token, err := tokens.Token(t.Context(), id); err != nil || token != "token" {
			t.Errorf("afterwards: %q, %v", token, err)
		}
		if !strings.Contains(log.String(), "that panicked") {
			t.Errorf("the log does not say so: %s", log)
		}
	})
}
