package sqlstore

import (
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard/cupboardtest"
)

func TestCupboard(t *testing.T) {
	for _, e := range append(testEngines[:len(testEngines):len(testEngines)], waysToTalk...) {
		t.Run(e.name, func(t *testing.T) {
			cupboardtest.Run(t, func(t *testing.T, c *cupboardtest.Clock) cupboardtest.Harness {
				s, db := e.store(t, Config{Now: c.Now})
				beside, err := New(db, Config{Dialect: e.dialect, Now: c.Now, Timeout: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				return cupboardtest.Harness{Store: s.Cupboard(), Beside: beside.Cupboard(), Break: func() { db.Close() }}
			})
		})
	}
}
