package organization_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/cutdb"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
)

// contents are all rows of organizations, and those of whoever hears of them.
func (r *rig) contents(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"codegrant_organizations", "codegrant_organization_members", "codegrant_organization_choices", "codegrant_organization_invitations", "codegrant_organization_sent", "told"} {
		b.WriteString(table + "\n")
		b.WriteString(r.rows(t, "SELECT * FROM "+table))
	}
	return b.String()
}

func (r *rig) rows(t *testing.T, query string) string {
	t.Helper()
	rows, err := r.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, v := range values {
			if text, ok := v.([]byte); ok {
				v = string(text)
			}
			line += fmt.Sprint(v, "|")
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(append(all, ""), "\n")
}

// TestS825_StoppedAtEachStep stops every change of organizations at each step that it takes. It
// has happened as a whole or not at all, the rows of whoever hears of it included, and called
// again it comes to its end: an invitation is still good that nobody has joined by. A choice of
// a session is not among them: it is one row, which its first statement writes.
func TestS825_StoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		if _, err := r.db.ExecContext(t.Context(), "CREATE TABLE told (kind VARCHAR(100) NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		r.writes = true
		ann, _ := r.person(t, "ann")
		_, benID := r.person(t, "ben")
		cat, catID := r.person(t, "cat")
		dan, _ := r.person(t, "dan")
		acme, bolt := r.create(t, "Acme"), r.create(t, "Bolt")
		r.set(t, acme, ann, "admin")
		r.set(t, acme, cat, "admin")
		r.set(t, bolt, cat, "admin")
		invite := func(o organization.Organization, email, by string) (organization.Invitation, string) {
			t.Helper()
			i, token, err := r.Invite(t.Context(), o.ID, email, "member", by)
			if err != nil {
				t.Fatal(err)
			}
			return i, token
		}
		_, token := invite(acme, benID.Email, "ann")
		open, _ := invite(acme, "eve@example.com", "ann")
		invite(acme, "fay@example.com", "cat") // taken back with the removal of who manages
		invite(bolt, "gus@example.com", "cat")
		told := func(kinds ...string) string { return strings.Join(kinds, "|\n") + "|\n" }
		for _, scene := range []struct {
			name string
			call func() error
			told string // what whoever hears of changes has of it
		}{
			{"create", func() error { _, err := r.Create(t.Context(), "More", "ann"); return err }, told(organization.Created)},
			{"rename", func() error { return r.Rename(t.Context(), acme.ID, "Acme 2", "ann") }, told(organization.Renamed)},
			{"invite", func() error {
				_, _, err := r.Invite(t.Context(), acme.ID, "hal@example.com", "member", "ann")
				return err
			}, told(organization.InvitationCreated)},
			{"invite again", func() error { _, _, err := r.Resend(t.Context(), acme.ID, open.ID, "ann"); return err }, told(organization.InvitationCreated)},
			{"accept", func() error { _, err := r.Accept(t.Context(), benID, token); return err }, told(organization.InvitationAccepted, organization.MemberAdded)},
			{"take back", func() error { return r.Revoke(t.Context(), acme.ID, open.ID, "ann") }, told(organization.InvitationRevoked)},
			{"set", func() error { return r.Set(t.Context(), acme.ID, dan, "member", "ann") }, told(organization.MemberAdded)},
			{"change", func() error { return r.Change(t.Context(), acme.ID, dan, "admin", "ann") }, told(organization.MemberChanged)},
			{"remove", func() error { return r.Remove(t.Context(), acme.ID, cat, "ann") }, told(organization.InvitationRevoked, organization.MemberRemoved)},
			{"erase", func() error {
				tx, err := r.db.BeginTx(t.Context(), nil)
				if err != nil {
					return err
				}
				defer tx.Rollback()
				if _, err := r.Erase(t.Context(), tx, []replica.User{{ID: cat, Issuer: issuer, Subject: catID.Subject, Username: "cat", Email: catID.Email, EmailVerified: true}}); err != nil {
					return err
				}
				return tx.Commit()
			}, ""},
			{"delete", func() error { return r.Delete(t.Context(), acme.ID, "ann") }, told(organization.Deleted)},
		} {
			if _, err := r.db.ExecContext(t.Context(), "DELETE FROM told"); err != nil {
				t.Fatal(err)
			}
			before := r.contents(t)
			steps := r.cut.EachStep(scene.call, func(step int, err error) {
				after := r.contents(t)
				switch {
				case err == nil && after == before:
					t.Fatalf("%s, stopped at step %d, says that it is done, and is not", scene.name, step)
				case err != nil && !errors.Is(err, cutdb.ErrCut):
					t.Fatalf("%s, stopped at step %d: %v", scene.name, step, err)
				case err != nil && after != before:
					t.Fatalf("%s, stopped at step %d, left\n%s\nof\n%s", scene.name, step, after, before)
				case err != nil && organization.IsRefusal(err):
					t.Fatalf("%s, stopped at step %d, is refused: %v", scene.name, step, err)
				case err == nil:
					before = after
				}
			})
			if steps < 3 {
				t.Errorf("%s takes %d steps: nobody looks", scene.name, steps)
			}
			if got := strings.TrimPrefix(r.rows(t, "SELECT kind FROM told"), "\n"); got != scene.told {
				t.Errorf("of %s they have\n%s\nwant\n%s", scene.name, got, scene.told)
			}
		}
		if left := r.rows(t, "SELECT user_id FROM codegrant_organization_members"); left != "" {
			t.Errorf("members are left:\n%s", left)
		}
		if left := r.rows(t, "SELECT organization_id FROM codegrant_organization_invitations"); left != bolt.ID+"|\n" {
			t.Errorf("invitations that are left:\n%s", left)
		}
	})
}
