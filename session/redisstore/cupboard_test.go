package redisstore

import (
	"crypto/rand"
	"testing"

	"github.com/codegrant/codegrant/cupboard/cupboardtest"
	"github.com/codegrant/codegrant/internal/testenv"
)

func TestCupboard(t *testing.T) {
	cupboardtest.Run(t, func(t *testing.T, c *cupboardtest.Clock) cupboardtest.Harness {
		config := Config{URL: testenv.Redis(t), Prefix: rand.Text() + ":", Now: c.Now}
		s := open(t, config)
		return cupboardtest.Harness{Store: s.Cupboard(), Beside: open(t, config).Cupboard(), Break: func() { s.Close() }}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x05alicevalue"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xff\xffalice"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseRecord("key", raw)
		if err == nil && len(r.Person)+len(r.Value)+18 != len(raw) {
			t.Errorf("%d bytes are %+v", len(raw), r)
		}
	})
}
