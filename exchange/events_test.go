package exchange

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
)

// TestS671_APanicOfOnEvent: who counts decides nothing, and ends nothing, wherever it
// is called.
func TestS671_APanicOfOnEvent(t *testing.T) {
	log := new(bytes.Buffer)
	told := 0
	counted := func(context.Context, Event) { told++; panic("the application's") }
	alice := &codegrant.Identity{Issuer: "https://pool", Subject: "alice"}
	begin := func(by By) *Tokens {
		tokens, err := New(Config{By: by, Audience: "https://orders.example.com", Logger: slog.New(slog.NewTextHandler(log, nil)), OnEvent: counted})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	tokens := begin(new(panics))
	for range 2 { // issued, and kept
		if token, err := tokens.Token(t.Context(), alice); err != nil || token != "token" {
			t.Errorf("%q, %v", token, err)
		}
	}
	if _, err := tokens.Token(t.Context(), nil); !errors.Is(err, codegrant.ErrForbidden) {
		t.Errorf("nobody: %v", err)
	}
	if token, err := begin(&panics{1}).Token(t.Context(), alice); !errors.Is(err, codegrant.ErrUnavailable) || token != "" {
		t.Errorf("where the transport panics, too: %q, %v", token, err)
	}
	if told != 4 || strings.Count(log.String(), "OnEvent panicked") != 4 {
		t.Errorf("told %d times: %s", told, log)
	}
}
