package codegrant

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func samplePayload() *payload {
	p := &payload{
		identity: Identity{
			UserID: -7, Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Älice ﬀ",
			Groups: []string{"admins", "a,b", ""}, Scopes: []string{"openid"},
			AuthTime: time.Unix(1_700_000_000, 0), Expires: time.Unix(1_700_003_600, 0),
			idToken: "id.token.x", accessToken: "access.token.y",
		},
		refreshToken: "refresh", nonce: "nonce",
	}
	p.replicated[3] = 9
	return p
}

func TestPayloadRoundTrip(t *testing.T) {
	for name, want := range map[string]*payload{"full": samplePayload(), "empty": {identity: Identity{AuthTime: time.Unix(0, 0), Expires: time.Unix(0, 0)}}} {
		t.Run(name, func(t *testing.T) {
			got, err := decodePayload(want.encode())
			if err != nil {
				t.Fatalf("decodePayload() = %v", err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("decodePayload(encode()) = %+v, want %+v", got, want)
			}
		})
	}
}

func TestS061_UnreadablePayloadsAreRefused(t *testing.T) {
	whole := samplePayload().encode()
	for n := range whole {
		if _, err := decodePayload(whole[:n]); err == nil {
			t.Fatalf("decodePayload of the first %d of %d bytes succeeded", n, len(whole))
		}
	}
	if _, err := decodePayload(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("decodePayload with a byte too many succeeded")
	}
	newer := bytes.Clone(whole)
	newer[0] = payloadVersion + 1
	if _, err := decodePayload(newer); err == nil {
		t.Error("decodePayload of a newer version succeeded")
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(samplePayload().encode())
	f.Add((&payload{}).encode())
	f.Add([]byte{payloadVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePayload(b)
		if err != nil {
			return
		}
		again, err := decodePayload(p.encode())
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("a decoded payload does not survive encoding: %v", err)
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
