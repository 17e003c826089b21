package settings

import (
	"testing"

	"github.com/codegrant/codegrant"
)

// TestLimitOfSessions: what both keys of a limit become.
func TestLimitOfSessions(t *testing.T) {
	for lines, want := range map[string]codegrant.OwnSessions{
		"":                                     {},
		"    refuse_further_sessions: false\n": {},
		"    sessions_per_person: 3\n":         {PerPerson: 3},
		"    sessions_per_person: 3\n    refuse_further_sessions: false\n": {PerPerson: 3},
		"    sessions_per_person: 3\n    refuse_further_sessions: true\n":  {PerPerson: 3, RefuseFurther: true},
	} {
		own := load(t, write(t, onePool+lines, nil), nil).Pools[0].Config.Own
		if own.PerPerson != want.PerPerson || own.RefuseFurther != want.RefuseFurther {
			t.Errorf("%q: %d per person, further ones refused: %t; want %d, %t", lines, own.PerPerson, own.RefuseFurther, want.PerPerson, want.RefuseFurther)
		}
	}
}
