package session_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/session"
)

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
		"a line break more": good + "\n", "bits that mean nothing": good[:len(good)-1] + string(sibling(good[len(good)-1])),
	} {
		if _, err := session.ParseHandle(value); !errors.Is(err, session.ErrMalformed) {
			t.Errorf("%s: ParseHandle() = %v, want %v", name, err, session.ErrMalformed)
		}
	}
}

// sibling is the next character of the base64url alphabet: after the 65 bytes of a
// handle, one that differs in bits that are cut off.
func sibling(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)+1]
}

// What lies in a store names sessions, and opens none: no part of a cookie's value can
// be had from it.
func TestS051_TheRecordIDIsNoPartOfTheHandle(t *testing.T) {
	h := session.NewHandle()
	value, err := base64.RawURLEncoding.DecodeString(h.Encode())
	if err != nil {
		t.Fatal(err)
	}
	id, err := base64.RawURLEncoding.DecodeString(h.RecordID())
	if err != nil || len(id) != sha256.Size {
		t.Fatalf("RecordID() = %q, %v", h.RecordID(), err)
	}
	for at := range len(id) - 7 {
		if bytes.Contains(value, id[at:at+8]) {
			t.Fatal("the record's id is part of the cookie's value")
		}
	}
	// What somebody makes of an id that leaked, with a key of their own, is another session.
	made, err := session.ParseHandle(base64.RawURLEncoding.EncodeToString(append(append(value[:1:1], id...), value[33:]...)))
	if err != nil || made.RecordID() == h.RecordID() {
		t.Errorf("a leaked id makes a handle to its record: %v", err)
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

func FuzzParseHandle(f *testing.F) {
	f.Add(session.NewHandle().Encode())
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if h, err := session.ParseHandle(value); err == nil && h.Encode() != value {
			t.Errorf("two strings mean one handle: %q and %q", value, h.Encode())
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
