package codegrant

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

func samplePayload() *payload {
	p := &payload{
		identity: Identity{
			UserID: -7, Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Älice ﬀ",
			Groups: []string{"admins", "a,b", ""}, Scopes: []string{"openid"},
			AuthTime: time.Unix(1_700_000_000, 0), Expires: time.Unix(1_700_003_600, 0),
		},
		issued:    time.Unix(1_700_000_000, 0),
		refreshes: true,
		tokens:    tokenPart{id: "id.token.x", access: "access.token.y", refresh: "refresh", nonce: "nonce"},
	}
	p.tokens.replicated[3] = 9
	return p
}

func TestPayloadRoundTrip(t *testing.T) {
	empty := &payload{identity: Identity{AuthTime: time.Unix(0, 0), Expires: time.Unix(0, 0)}, issued: time.Unix(0, 0)}
	for name, want := range map[string]*payload{"full": samplePayload(), "empty": empty} {
		t.Run(name, func(t *testing.T) {
			handle := session.NewHandle()
			record := session.Record{ID: handle.RecordID(), Pool: "p", Subject: "s"}
			record.Sealed = want.seal(handle, record)
			got, err := openPayload(handle, record)
			if err != nil {
				t.Fatalf("openPayload() = %v", err)
			}
			if got.tokens, err = openTokens(handle, record); err != nil {
				t.Fatalf("openTokens() = %v", err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("opened %+v, want %+v", got, want)
			}
		})
	}
}

func TestS061_UnreadablePayloadsAreRefused(t *testing.T) {
	handle := session.NewHandle()
	record := session.Record{ID: handle.RecordID(), Pool: "p", Subject: "s"}
	whole := samplePayload().seal(handle, record)
	identity, tokens, err := splitSealed(whole)
	if err != nil {
		t.Fatal(err)
	}
	swapped := binary.AppendUvarint(nil, uint64(len(tokens)))
	swapped = append(append(swapped, tokens...), identity...)
	for name, sealed := range map[string][]byte{
		"nothing": nil, "swapped": swapped, "cut": whole[:len(identity)/2], "lengths": bytes.Repeat([]byte{0xff}, 20), "another": append([]byte{1}, whole...),
	} {
		record.Sealed = sealed
		if _, err := openPayload(handle, record); err == nil {
			t.Errorf("%s: openPayload succeeded", name)
		}
		if _, err := openTokens(handle, record); err == nil {
			t.Errorf("%s: openTokens succeeded", name)
		}
	}
	plain := samplePayload().encodeIdentity()
	for n := range plain {
		if _, err := decodeIdentity(plain[:n]); err == nil {
			t.Fatalf("decodeIdentity of the first %d of %d bytes succeeded", n, len(plain))
		}
	}
	if _, err := decodeIdentity(append(bytes.Clone(plain), 0)); err == nil {
		t.Error("decodeIdentity with a byte too many succeeded")
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(samplePayload().encodeIdentity())
	f.Add(samplePayload().tokens.encode())
	f.Add((&payload{}).encodeIdentity())
	f.Add([]byte{identityVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeIdentity(b); err == nil {
			if again, err := decodeIdentity(p.encodeIdentity()); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("a decoded identity does not survive encoding: %v", err)
			}
		}
		if tokens, err := decodeTokens(b); err == nil {
			if again, err := decodeTokens(tokens.encode()); err != nil || again != tokens {
				t.Errorf("decoded tokens do not survive encoding: %v", err)
			}
		}
	})
}

func FuzzAttempt(f *testing.F) {
	f.Add(newAttempt(time.Unix(1_700_000_000, 0), "/reports?x=1").encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		at, err := decodeAttempt(b)
		if err == nil && !bytes.Equal(at.encode(), b) {
			t.Error("a decoded attempt does not encode to what it was read from")
		}
	})
}
