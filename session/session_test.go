package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// clock is a clock that stands until it is moved.
type clock struct{ atomic.Int64 }

var begin = time.Unix(1_800_000_000, 0)

func (c *clock) now() time.Time          { return begin.Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func TestMemoryStore(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
		c := new(clock)
		return sessiontest.Harness{Store: session.NewMemoryStore(session.MemoryConfig{Now: c.now}), Now: c.now, Advance: c.advance}
	})
}

func TestS145_MemoryIsBounded(t *testing.T) {
	c := new(clock)
	store := session.NewMemoryStore(session.MemoryConfig{MaxSessions: 3, Now: c.now})
	record := func(id string) session.Record {
		return session.Record{ID: id, Expires: c.now().Add(time.Hour)}
	}
	for i := range 3 {
		if err := store.Create(t.Context(), record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Create(t.Context(), record("more")); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create() = %v, want %v", err, session.ErrFull)
	}
	if _, err := store.Get(t.Context(), "0"); err != nil {
		t.Errorf("a live session gave way: %v", err)
	}
	c.advance(2 * time.Hour)
	for i := range 3 {
		if err := store.Create(t.Context(), record(fmt.Sprint("later", i))); err != nil {
			t.Errorf("Create() = %v, though the others have expired", err)
		}
	}
	if err := store.Delete(t.Context(), "later0"); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), record("again")); err != nil {
		t.Errorf("Create() = %v, though one was deleted", err)
	}
}

func TestHandle(t *testing.T) {
	h := session.NewHandle()
	parsed, err := session.ParseHandle(h.Encode())
	if err != nil || parsed != h {
		t.Fatalf("ParseHandle(Encode()) = %v", err)
	}
	if strings.Contains(h.Encode(), h.RecordID()) || len(h.RecordID()) != 43 {
		t.Errorf("RecordID() = %s", h.RecordID())
	}
	seen := map[string]bool{}
	for range 1000 {
		id := session.NewHandle().RecordID()
		if seen[id] {
			t.Fatal("an id was drawn twice")
		}
		seen[id] = true
	}
}

func TestS051_OnlyWhatWasMadeIsAHandle(t *testing.T) {
	good := session.NewHandle().Encode()
	for name, value := range map[string]string{
		"empty": "", "short": good[:len(good)-1], "long": good + "A", "padding": good + "=", "another version": "B" + good[1:],
		"standard alphabet": "+" + good[1:], "line break": good[:10] + "\n" + good[11:], "space": " " + good[1:], "record id": session.NewHandle().RecordID(),
	} {
		if _, err := session.ParseHandle(value); !errors.Is(err, session.ErrMalformed) {
			t.Errorf("%s: ParseHandle() = %v, want %v", name, err, session.ErrMalformed)
		}
	}
}

func TestS135_ContentIsBoundToItsRecord(t *testing.T) {
	h, other := session.NewHandle(), session.NewHandle()
	record := session.Record{ID: h.RecordID(), Pool: "pool", Subject: "alice"}
	sealed := h.Seal(record, []byte("content"))
	if strings.Contains(string(sealed), "content") {
		t.Fatal("the content is readable")
	}
	with := func(change func(*session.Record)) session.Record {
		r := record
		r.Sealed = append([]byte(nil), sealed...)
		change(&r)
		return r
	}
	if got, err := h.Open(with(func(*session.Record) {})); err != nil || string(got) != "content" {
		t.Fatalf("Open() = %q, %v", got, err)
	}
	for name, r := range map[string]session.Record{
		"another id":      with(func(r *session.Record) { r.ID = other.RecordID() }),
		"another pool":    with(func(r *session.Record) { r.Pool = "pool2" }),
		"another subject": with(func(r *session.Record) { r.Subject = "mallory" }),
		"moved boundary":  with(func(r *session.Record) { r.Pool, r.Subject = "poola", "lice" }),
		"a flipped bit":   with(func(r *session.Record) { r.Sealed[20] ^= 1 }),
		"another version": with(func(r *session.Record) { r.Sealed[0]++ }),
		"cut":             with(func(r *session.Record) { r.Sealed = r.Sealed[:12] }),
		"nothing":         with(func(r *session.Record) { r.Sealed = nil }),
	} {
		if _, err := h.Open(r); !errors.Is(err, session.ErrSealed) {
			t.Errorf("%s: Open() = %v, want %v", name, err, session.ErrSealed)
		}
	}
	if _, err := other.Open(with(func(*session.Record) {})); !errors.Is(err, session.ErrSealed) {
		t.Errorf("another handle: Open() = %v", err)
	}
	if string(h.Seal(record, []byte("content"))) == string(sealed) {
		t.Error("sealing twice gives the same bytes")
	}
}

func key(seed byte) []byte {
	k := make([]byte, session.KeySize)
	for i := range k {
		k[i] = seed + byte(i)*7
	}
	return k
}

func ring(t testing.TB, keys ...[]byte) *session.Keyring {
	t.Helper()
	r, err := session.NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestS136_KeysRotate(t *testing.T) {
	old, both, next := ring(t, key(1)), ring(t, key(2), key(1)), ring(t, key(2))
	sealed := old.Seal("p", []byte("content"), []byte("data"))
	if got, err := both.Open("p", sealed, []byte("data")); err != nil || string(got) != "content" {
		t.Errorf("with the old key second: %q, %v", got, err)
	}
	if _, err := next.Open("p", sealed, []byte("data")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("with the old key gone: %v, want %v", err, session.ErrSealed)
	}
	if got, err := next.Open("p", both.Seal("p", []byte("x"), nil), nil); err != nil || string(got) != "x" {
		t.Errorf("the first key does not seal: %v", err)
	}
}

func TestS027_S124_KeyringPurposes(t *testing.T) {
	r := session.RandomKeyring()
	sealed := r.Seal("one", []byte("content"), []byte("data"))
	if _, err := r.Open("two", sealed, []byte("data")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("another purpose: %v, want %v", err, session.ErrSealed)
	}
	if _, err := r.Open("one", sealed, []byte("other")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("other data: %v, want %v", err, session.ErrSealed)
	}
	for _, value := range []string{"", "x", sealed + "=", sealed[:len(sealed)-2], "\n" + sealed, sealed + "\n"} {
		if _, err := r.Open("one", value, []byte("data")); err == nil {
			t.Errorf("Open(%q) succeeded", value)
		}
	}
}

func TestS137_BadKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none": nil, "short": {key(1)[:31]}, "long": {append(key(1), 1)}, "empty": {{}}, "zeros": {make([]byte, 32)},
		"words": {[]byte("passwordpasswordpasswordpassword")}, "one of two": {key(1), key(2)[:16]}, "twice": {key(1), key(1)},
	} {
		if _, err := session.NewKeyring(keys...); err == nil {
			t.Errorf("%s: NewKeyring() succeeded", name)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func TestS169_SecretsDoNotPrint(t *testing.T) {
	h, r := session.NewHandle(), ring(t, key(1))
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, r)
		fmt.Fprintf(&out, verb, struct{ H session.Handle }{h})
	}
	raw, err := json.Marshal(map[string]any{"h": h, "r": r})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "h", h, "r", r)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "h", h, "r", r)
	for _, secret := range []string{h.Encode(), h.Encode()[10:40], fmt.Sprintf("%x", key(1))[:16], string(key(1))} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("a secret was printed: %s", out.String())
		}
	}
}

func TestS052_S053_Cookies(t *testing.T) {
	w := httptest.NewRecorder()
	c := session.Cookie{Name: "__Host-x", Secure: true}
	c.Set(w, "value", time.Hour)
	if got, want := w.Header().Get("Set-Cookie"), "__Host-x=value; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("Set: %s, want %s", got, want)
	}
	c.Clear(w)
	if got := w.Header()["Set-Cookie"]; len(got) != 1 || !strings.Contains(got[0], "Max-Age=0") || !strings.Contains(got[0], "Secure") {
		t.Errorf("Clear after Set: %q, want the clearing alone", got)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("S-057: a response with Set-Cookie may be stored")
	}
	for name, c := range map[string]session.Cookie{
		"__Host- without https": {Name: "__Host-x"}, "__Host- with a domain": {Name: "__Host-x", Secure: true, Domain: "example.com"},
		"__host- in lower case": {Name: "__host-x"}, "__Host- with a path": {Name: "__Host-x", Secure: true, Path: "/x"},
		"__Secure- without https": {Name: "__Secure-x"}, "SameSite=None without https": {Name: "x", SameSite: http.SameSiteNoneMode},
		"no name": {}, "a name that is none": {Name: "a b"},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: Validate() finds no fault", name)
		}
	}
}

func TestS054_S064_CookieValues(t *testing.T) {
	c := session.Cookie{Name: "x"}
	values := func(line string) ([]string, error) {
		r := httptest.NewRequest("GET", "/", nil)
		if line != "" {
			r.Header.Set("Cookie", line)
		}
		return c.Values(r)
	}
	for line, want := range map[string]string{
		"": "[]", "y=1": "[]", "x=1": "[1]", "x=1; y=2; x=3": "[1 3]", "x=": "[]", "xx=1; ax=2": "[]", "X=1": "[]",
		"x=1; x=2; x=3; x=4; x=5; x=6": "[1 2 3 4]",
	} {
		if got, err := values(line); err != nil || fmt.Sprint(got) != want {
			t.Errorf("Values(%q) = %v, %v, want %s", line, got, err, want)
		}
	}
	if _, err := values(strings.Repeat("c=1; ", 5000) + "x=1"); !errors.Is(err, session.ErrTooManyCookies) {
		t.Errorf("Values() = %v, want %v", err, session.ErrTooManyCookies)
	}
}

func FuzzParseHandle(f *testing.F) {
	f.Add(session.NewHandle().Encode())
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if h, err := session.ParseHandle(value); err == nil && h.Encode() != value {
			t.Errorf("two strings mean one handle: %q and %q", value, h.Encode())
		}
	})
}

func FuzzKeyringOpen(f *testing.F) {
	r := ring(f, key(1))
	good := r.Seal("p", []byte("content"), nil)
	f.Add(good)
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, value string) {
		if got, err := r.Open("p", value, nil); err == nil && (value != good || string(got) != "content") {
			t.Errorf("Open(%q) = %q, which was never sealed", value, got)
		}
	})
}

func FuzzCookieValues(f *testing.F) {
	f.Add("x=1; y=2")
	f.Add(`x="a b"; x=;;=`)
	c := session.Cookie{Name: "x"}
	f.Fuzz(func(t *testing.T, line string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", line)
		values, _ := c.Values(r)
		if len(values) > 4 {
			t.Errorf("Values(%q) has %d values", line, len(values))
		}
	})
}

func BenchmarkMemoryStoreGet(b *testing.B) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = session.NewHandle().RecordID()
		if err := store.Create(b.Context(), session.Record{ID: ids[i], Expires: time.Now().Add(time.Hour), Sealed: make([]byte, 4096)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := store.Get(b.Context(), ids[i%len(ids)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkHandleOpen(b *testing.B) {
	h := session.NewHandle()
	r := session.Record{ID: h.RecordID(), Pool: "pool", Subject: "alice"}
	r.Sealed = h.Seal(r, make([]byte, 256))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Open(r); err != nil {
			b.Fatal(err)
		}
	}
}
