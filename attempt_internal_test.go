package codegrant

import (
	"strings"
	"testing"
	"time"
)

func FuzzAttempt(f *testing.F) {
	at := time.Unix(1_700_000_000, 0)
	f.Add(newAttempt(at, "/reports?x=1", demand{}).encode())
	f.Add(newAttempt(at, "/reports?x=1", demand{level: "urn:cognito:loa:3", maxAge: 5 * time.Minute, aged: true}).encode())
	f.Add(newAttempt(at, strings.Repeat("/reports", 200), demand{aged: true}).encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		at, err := decodeAttempt(b)
		if err != nil {
			return
		}
		if again, err := decodeAttempt(at.encode()); err != nil || again != at {
			t.Errorf("a decoded attempt does not survive encoding: %+v, %v, was %+v", again, err, at)
		}
	})
}
