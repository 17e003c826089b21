package notbefore

import (
	"testing"
	"time"
)

func FuzzMark(f *testing.F) {
	f.Add(encode("https://issuer.example.com/pool", time.Unix(1_700_000_000, 0), "operator alice"))
	f.Add(encode("i", time.Time{}, ""))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 'x'})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, value []byte) {
		issuer, at, by, ok := decode(value)
		if !ok {
			return
		}
		if issuer == "" {
			t.Fatal("a mark of no issuer")
		}
		if again := encode(issuer, at, by); string(again) != string(value) {
			t.Fatalf("%x was read, and is %x", value, again)
		}
	})
}
