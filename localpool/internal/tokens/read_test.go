package tokens

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

const testPool = "local_Test1"

func newMaker(t testing.TB) *Maker {
	t.Helper()
	s, err := state.New(state.Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, []*state.Pool{{ID: testPool}})
	if err != nil {
		t.Fatal(err)
	}
	return New(s, triggers.New(triggers.Config{State: s, Logger: slog.New(slog.DiscardHandler)}), place.Place{Base: "http://127.0.0.1:9229"})
}

func (m *Maker) signed(t testing.TB, claims map[string]any) string {
	t.Helper()
	token, err := m.state.Sign(testPool, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRead(t *testing.T) {
	m, other := newMaker(t), newMaker(t)
	access := func() map[string]any {
		return map[string]any{"iss": m.Issuer(testPool), "token_use": "access", "sub": "s", "scope": "a b", "exp": 10}
	}
	c, err := m.Read(m.signed(t, access()))
	if err != nil || c.PoolID != testPool || c.Sub != "s" || !c.Has("b") || c.Has("c") || c.Expired(time.Unix(9, 0)) || !c.Expired(time.Unix(10, 0)) {
		t.Errorf("Read() = %+v, %v", c, err)
	}
	foreign := access()
	foreign["iss"] = "http://127.0.0.1:9229/local_Gone1"
	id := access()
	id["token_use"] = "id"
	for name, token := range map[string]string{
		"another pool's":  other.signed(t, access()),
		"another issuer":  m.signed(t, foreign),
		"an ID token":     m.signed(t, id),
		"no token":        "x",
		"no signature":    m.signed(t, access())[:strings.LastIndex(m.signed(t, access()), ".")+1],
		"a refresh token": "a.b.c.d.e",
	} {
		if c, err := m.Read(token); err != ErrForeign {
			t.Errorf("%s: Read() = %+v, %v", name, c, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	m := newMaker(f)
	f.Add("")
	f.Add("a.b.c")
	f.Add("e30.e30.e30")
	f.Add(strings.Replace(m.signed(f, map[string]any{"iss": m.Issuer(testPool), "token_use": "access"}), ".", ".A", 1))
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := m.Read(token); err == nil {
			t.Errorf("Read(%q) = %+v", token, c)
		}
	})
}
