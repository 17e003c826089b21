package sqlreplica

import (
	"fmt"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS284_ARefusedSignInWritesNothing: whom Django keeps out leaves no trace by asking,
// linked before or not.
func TestS284_ARefusedSignInWritesNothing(t *testing.T) {
	for _, linked := range []bool{false, true} {
		for name, enter := range map[string]func(*replica.Snapshot){
			"sign-in": func(p *replica.Snapshot) { p.SignIn = true }, "sibling's cookies": func(p *replica.Snapshot) { p.Entering = true },
		} {
			t.Run(fmt.Sprintf("linked %v, %s", linked, name), func(t *testing.T) {
				eachDjango(t, func(t *testing.T, s *Store) {
					id := s.createAccount(t, "alice", "user-1@example.com", "in django")
					if linked {
						apply(t, s, person(1, 0, "in django"))
					}
					s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(false).sql(" WHERE id = ").bind(id))
					before := fmt.Sprintf("%+v", s.account(t, id))
					p := person(1, 60, "admins", "analysts")
					p.Name = "New Name"
					enter(&p)
					c, err := s.Apply(t.Context(), p)
					if err != nil || c.User.Enabled || !c.Empty() || c.User.ID != id {
						t.Errorf("Apply = user %d, enabled %v, fields %q, adopted %v, %v", c.User.ID, c.User.Enabled, c.Fields, c.Adopted, err)
					}
					if after := fmt.Sprintf("%+v", s.account(t, id)); after != before {
						t.Errorf("the account is now\n%s, was\n%s", after, before)
					}
					var groups int
					if err := s.engine.sql("SELECT count(*) FROM auth_group WHERE name IN ('admins', 'analysts')").scan(t.Context(), s.db, &groups); err != nil || groups != 0 {
						t.Errorf("%d groups were made, %v", groups, err)
					}

					// Let in again, what they then come with counts.
					s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(true).sql(" WHERE id = ").bind(id))
					p.At = p.At.Add(time.Second)
					if c := apply(t, s, p); !c.User.Enabled || c.User.ID != id || !c.User.InGroup("admins") {
						t.Errorf("let in again: %+v", c.User)
					}
				})
			})
		}
	}
}
