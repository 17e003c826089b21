package organization_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
)

// TestS738_MembersLeaveAtOnce: at every process, with the next question.
func TestS738_MembersLeaveAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		elsewhere := r.another(t)
		ann, annID := r.person(t, "ann")
		bob, bobID := r.person(t, "bob")
		acme, other := r.create(t, "Acme"), r.create(t, "Other")
		if got := actsFor(t, r.Store, annID); got != "" {
			t.Errorf("a person in none acts for %q", got)
		}
		r.set(t, acme, ann, "admin")
		r.set(t, acme, bob, "member")
		if got := actsFor(t, elsewhere, bobID); got != "Acme member" {
			t.Errorf("bob acts for %q", got)
		}
		r.set(t, acme, bob, "admin")
		if got := actsFor(t, elsewhere, bobID); got != "Acme admin" {
			t.Errorf("with another role, bob acts for %q", got)
		}
		r.set(t, other, bob, "member") // which is then to be chosen
		if got := actsFor(t, elsewhere, bobID); got != "" {
			t.Errorf("in two of which none is chosen, bob acts for %q", got)
		}
		if err := r.Remove(t.Context(), other.ID, bob, "a test"); err != nil {
			t.Fatal(err)
		}
		if err := r.Remove(t.Context(), acme.ID, bob, "a test"); err != nil {
			t.Fatal(err)
		}
		if got := actsFor(t, elsewhere, bobID); got != "" {
			t.Errorf("after they left, bob acts for %q", got)
		}
		is(t, r.Remove(t.Context(), acme.ID, bob, "a test"), organization.ErrNotFound)
		is(t, r.Remove(t.Context(), "org_none", bob, "a test"), organization.ErrNotFound)
		is(t, r.Set(t.Context(), acme.ID, 4711, "member", "a test"), organization.ErrNotFound)
		is(t, r.Set(t.Context(), acme.ID, bob, "owner", "a test"), organization.ErrRole)
		machine := *annID
		machine.Machine = true
		if got := actsFor(t, r.Store, &machine); got != "" {
			t.Errorf("a machine acts for %q", got)
		}
		if err := r.Delete(t.Context(), acme.ID, "a test"); err != nil {
			t.Fatal(err)
		}
		if got := actsFor(t, elsewhere, annID); got != "" {
			t.Errorf("of one that is deleted: %q", got)
		}
	})
}

// TestS739_TheLastManagerStays: also when two give it up at the same time.
func TestS739_TheLastManagerStays(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		r.Store = r.another(t)
		r.Store.OnChange = nil
		acme := r.create(t, "Acme")
		ann, _ := r.person(t, "ann")
		bob, _ := r.person(t, "bob")
		r.set(t, acme, ann, "admin")
		is(t, r.Set(t.Context(), acme.ID, ann, "member", "a test"), organization.ErrLastManager)
		is(t, r.Remove(t.Context(), acme.ID, ann, "a test"), organization.ErrLastManager)
		for range 10 {
			r.set(t, acme, ann, "admin")
			r.set(t, acme, bob, "admin")
			var faults [2]error
			var both sync.WaitGroup
			both.Go(func() { faults[0] = r.Remove(t.Context(), acme.ID, ann, "a test") })
			both.Go(func() { faults[1] = r.Set(t.Context(), acme.ID, bob, "member", "a test") })
			both.Wait()
			if (faults[0] == nil) == (faults[1] == nil) {
				t.Fatalf("one of two was to be refused: %v", faults)
			}
			is(t, errors.Join(faults[:]...), organization.ErrLastManager)
		}
	})
}

// TestS739_WhoCannotManageDoesNotCount: another role counts before theirs, or they cannot
// sign in.
func TestS739_WhoCannotManageDoesNotCount(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		for what, change := range map[string]func(o organization.Organization, bob int64, name string){
			"a member by the identity that they are known by": func(o organization.Organization, bob int64, name string) {
				google, _ := r.person(t, "google_"+name)
				r.set(t, o, bob, "member")
				r.set(t, o, google, "admin")
				if _, err := r.users.Merge(t.Context(), google, bob, "a test"); err != nil {
					t.Fatal(err)
				}
			},
			"disabled": func(_ organization.Organization, _ int64, name string) {
				off := false
				if _, err := r.users.Apply(t.Context(), replica.Snapshot{Issuer: issuer, Subject: name, Username: name, Email: name + "@example.com", Enabled: &off, At: time.Now().Add(time.Second)}); err != nil {
					t.Fatal(err)
				}
			},
			"deleted": func(_ organization.Organization, bob int64, _ string) {
				_, err := r.db.Exec(fmt.Sprint("UPDATE codegrant_users SET deleted_at = updated_at WHERE id = ", bob))
				if err != nil {
					t.Fatal(err)
				}
			},
		} {
			o, name := r.create(t, "Acme"), "bob_"+what[:4]
			ann, _ := r.person(t, "ann")
			bob, _ := r.person(t, name)
			r.set(t, o, ann, "admin")
			r.set(t, o, bob, "admin")
			r.set(t, o, ann, "member") // while the other one manages
			r.set(t, o, ann, "admin")
			change(o, bob, name)
			if err := r.Remove(t.Context(), o.ID, ann, "a test"); !errors.Is(err, organization.ErrLastManager) {
				t.Errorf("the other one is %s: %v", what, err)
			}
		}
	})
}

// TestS740_OneActiveOrganizationPerSession: what one session chooses is that one's.
func TestS740_OneActiveOrganizationPerSession(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, other, third := r.create(t, "Acme"), r.create(t, "Other"), r.create(t, "Third")
		ann, annID := r.person(t, "ann")
		r.set(t, acme, ann, "admin")
		r.set(t, other, ann, "member")
		here, there := inSession(annID, "here"), inSession(annID, "there")
		for range 2 { // the second time nothing changes
			if _, err := r.Choose(t.Context(), here, other.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Choose(t.Context(), there, acme.ID); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			who  *codegrant.Identity
			want string
		}{{here, "Other member"}, {there, "Acme admin"}, {annID, ""}, {inSession(annID, "later"), ""}} {
			if got := actsFor(t, r.Store, tt.who); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		}
		_, err := r.Choose(t.Context(), here, third.ID)
		is(t, err, organization.ErrNotFound)
		_, err = r.Choose(t.Context(), annID, acme.ID) // which has no session
		is(t, err, organization.ErrNotFound)
		_, bobID := r.person(t, "bob")
		if got := actsFor(t, r.Store, inSession(bobID, "here")); got != "" {
			t.Errorf("somebody else with a session of that name acts for %q", got)
		}
		if err := r.Remove(t.Context(), other.ID, ann, "a test"); err != nil {
			t.Fatal(err)
		}
		if got := actsFor(t, r.Store, here); got != "" {
			t.Errorf("out of the one that was chosen, %q", got)
		}
		if got := actsFor(t, r.Store, inSession(annID, "later")); got != "Acme admin" {
			t.Errorf("where none was chosen, with one left, %q", got)
		}
		if _, err := r.Choose(t.Context(), here, acme.ID); err != nil {
			t.Fatal(err)
		}
		if got := actsFor(t, r.Store, here); got != "Acme admin" {
			t.Errorf("chosen again: %q", got)
		}
	})
}

// TestS741_AMembershipIsOfAPerson: of all identities of theirs, across a merge and back.
func TestS741_AMembershipIsOfAPerson(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, other := r.create(t, "Acme"), r.create(t, "Other")
		ann, annID := r.person(t, "ann")
		google, googleID := r.person(t, "google_ann")
		r.set(t, acme, ann, "admin")
		r.set(t, acme, google, "member")
		r.set(t, other, google, "member")
		if _, err := r.users.Merge(t.Context(), google, ann, "a test"); err != nil {
			t.Fatal(err)
		}
		for _, id := range []*codegrant.Identity{annID, googleID} {
			all, err := r.Of(t.Context(), id)
			if err != nil || len(all) != 2 {
				t.Fatalf("%s is in %v, %v", id.Subject, all, err)
			}
			for _, m := range all {
				if want := map[string]string{"Acme": "admin", "Other": "member"}[m.Name]; m.Role != want {
					t.Errorf("%s is %s in %s, want %s", id.Subject, m.Role, m.Name, want)
				}
			}
		}
		for _, o := range []organization.Organization{acme, other} {
			if all, err := r.Members(t.Context(), o.ID, 0); err != nil || len(all) != 1 || all[0].Person != ann {
				t.Errorf("%s has %v, %v; want the person once", o.Name, all, err)
			}
		}
		is(t, r.Remove(t.Context(), acme.ID, google, "a test"), organization.ErrLastManager)
		if err := r.Remove(t.Context(), other.ID, ann, "a test"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.users.Unlink(t.Context(), google); err != nil {
			t.Fatal(err)
		}
		if got := actsFor(t, r.Store, googleID); got != "Acme member" {
			t.Errorf("a person of their own again acts for %q", got)
		}
		if got := actsFor(t, r.Store, annID); got != "Acme admin" {
			t.Errorf("whom they were acts for %q", got)
		}
	})
}

// TestS742_AChangeIsToldInItsTransaction, or undone.
func TestS742_AChangeIsToldInItsTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme := r.create(t, " Acme ")
		ann, annID := r.person(t, "ann")
		r.refuse = errors.New("no")
		for what, f := range map[string]func() error{
			"create": func() error { _, err := r.Create(t.Context(), "More", "x"); return err },
			"rename": func() error { return r.Rename(t.Context(), acme.ID, "Acme 2", "x") },
			"set":    func() error { return r.Set(t.Context(), acme.ID, ann, "member", "x") },
			"invite": func() error { _, _, err := r.Invite(t.Context(), acme.ID, "a@example.com", "member", "x"); return err },
			"delete": func() error { return r.Delete(t.Context(), acme.ID, "x") },
		} {
			if err := f(); !errors.Is(err, r.refuse) {
				t.Errorf("%s: %v", what, err)
			}
		}
		all, err := r.List(t.Context(), "")
		if err != nil || len(all) != 1 || all[0].Name != "Acme" || actsFor(t, r.Store, annID) != "" {
			t.Errorf("something is left of what was undone: %v, %v", all, err)
		}
		if waiting, err := r.Invitations(t.Context(), acme.ID); err != nil || len(waiting) > 0 {
			t.Errorf("an invitation is left: %v, %v", waiting, err)
		}
		r.refuse, r.told = nil, nil
		r.set(t, acme, ann, "admin")
		r.set(t, acme, ann, "admin") // which changes nothing
		if err := r.Rename(t.Context(), acme.ID, "Acme 2", "x"); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, c := range r.told {
			kinds = append(kinds, c.Kind)
			if c.Organization.ID != acme.ID || c.At.IsZero() || c.By == "" {
				t.Errorf("not whole: %+v", c)
			}
		}
		if want := []string{organization.MemberAdded, organization.Renamed}; !slices.Equal(kinds, want) {
			t.Errorf("told of %v, want %v", kinds, want)
		}
	})
}

func TestNamesAndRoles(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"", " ", "a\nb", "a\u202eb", strings.Repeat("a", 201), "a\x00", "\xff"} {
		if _, err := r.Create(t.Context(), name, "x"); !errors.Is(err, organization.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, roles := range [][]string{{}, {""}, {"Admin"}, {"a", "a"}, {strings.Repeat("a", 33)}} {
		if organization.CheckRoles(roles) == nil {
			t.Errorf("%q are roles", roles)
		}
	}
	_, err := organization.New(organization.Config{Roles: []string{"A"}, Valid: 1})
	for _, want := range []string{"DB", "Dialect", "Roles", "Valid"} {
		if err == nil || !strings.Contains(err.Error(), want+": ") {
			t.Errorf("%v does not say what is wrong with %s", err, want)
		}
	}
}
