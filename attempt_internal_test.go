package codegrant

import (
	"bytes"
	"testing"
	"time"
)

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
