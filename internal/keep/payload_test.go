package keep

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
)

func sampleHeld() *Held {
	return &Held{
		Person: prove.Person{
			UserID: -7, Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Älice ﬀ",
			Groups: []string{"admins", "a,b", ""}, Scopes: []string{"openid"},
			AuthTime: time.Unix(1_700_000_000, 0), Expires: time.Unix(1_700_003_600, 0), Issued: time.Unix(1_700_000_000, 0),
		},
		Refreshes: true,
		set:       &prove.Set{ID: "id.token.x", Access: "access.token.y", Refresh: "refresh", Nonce: "nonce", Replicated: [32]byte{3: 9}},
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	empty := &Held{Person: prove.Person{AuthTime: time.Unix(0, 0), Expires: time.Unix(0, 0), Issued: time.Unix(0, 0)}, set: new(prove.Set)}
	leveled, onlyHow := sampleHeld(), sampleHeld()
	leveled.ACR, leveled.AMR = "urn:cognito:loa:4", []string{"pwd", "otp", "mfa"}
	onlyHow.Groups, onlyHow.AMR = nil, []string{"fed"}
	for name, want := range map[string]*Held{"full": sampleHeld(), "empty": empty, "with a level": leveled, "with methods alone": onlyHow} {
		t.Run(name, func(t *testing.T) {
			handle := session.NewHandle()
			record := session.Record{ID: handle.RecordID(), Pool: "p", Subject: "s"}
			record.Sealed = want.seal(handle, record)
			got, err := openIdentity(handle, record)
			if err != nil {
				t.Fatalf("openIdentity() = %v", err)
			}
			set, err := openSet(handle, record)
			if err != nil {
				t.Fatalf("openSet() = %v", err)
			}
			got.set = &set
			if !reflect.DeepEqual(got, want) {
				t.Errorf("opened %+v, want %+v", got, want)
			}
		})
	}
}

func TestS061_UnreadablePayloadsAreRefused(t *testing.T) {
	handle := session.NewHandle()
	record := session.Record{ID: handle.RecordID(), Pool: "p", Subject: "s"}
	whole := sampleHeld().seal(handle, record)
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
		if _, err := openIdentity(handle, record); err == nil {
			t.Errorf("%s: openIdentity succeeded", name)
		}
		if _, err := openSet(handle, record); err == nil {
			t.Errorf("%s: openSet succeeded", name)
		}
	}
	plain := sampleHeld().encodeIdentity()
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
	f.Add(sampleHeld().encodeIdentity())
	leveled := sampleHeld()
	leveled.ACR, leveled.AMR = "urn:cognito:loa:4", []string{"pwd"}
	f.Add(leveled.encodeIdentity())
	f.Add([]byte{levelVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add(encodeSet(sampleHeld().set))
	f.Add((&Held{}).encodeIdentity())
	f.Add([]byte{identityVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeIdentity(b); err == nil {
			if again, err := decodeIdentity(p.encodeIdentity()); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("a decoded identity does not survive encoding: %v", err)
			}
		}
		if tokens, err := decodeSet(b); err == nil {
			if again, err := decodeSet(encodeSet(&tokens)); err != nil || again != tokens {
				t.Errorf("decoded tokens do not survive encoding: %v", err)
			}
		}
	})
}
