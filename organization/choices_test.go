package organization_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/organization"
)

// TestS740_TwoChoicesAtOnce: of a new session, also those of one person in many sessions.
func TestS740_TwoChoicesAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, other := r.create(t, "Acme"), r.create(t, "Other")
		ann, annID := r.person(t, "ann")
		r.set(t, acme, ann, "admin")
		r.set(t, other, ann, "admin")
		for n := range 10 {
			var all sync.WaitGroup
			for i := range 8 {
				here := inSession(annID, fmt.Sprint("s", n, i/4))
				o := []organization.Organization{acme, other}[i%2]
				all.Go(func() {
					if _, err := r.Choose(t.Context(), here, o.ID); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for i := range 2 {
				if got := actsFor(t, r.Store, inSession(annID, fmt.Sprint("s", n, i))); got == "" {
					t.Error("nothing is chosen")
				}
			}
		}
	})
}
