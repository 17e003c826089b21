package organization_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/organization"
)

// TestS725_InvitationsAreLimited: by address, also where organizations take turns and take
// invitations back; by person; and by organization, whoever of it invites. A day later there
// is room again. Operators are not refused.
func TestS725_InvitationsAreLimited(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, bolt := r.create(t, "Acme"), r.create(t, "Bolt")
		ann, annID := r.person(t, "ann")
		for _, o := range []organization.Organization{acme, bolt} {
			r.set(t, o, ann, "admin")
		}
		asAnn := organization.As(r.Store, annID)
		invite := func(s *organization.Store, o organization.Organization, email string) error {
			i, _, err := s.Invite(t.Context(), o.ID, email, "member", "a test")
			if err == nil {
				err = s.Revoke(t.Context(), o.ID, i.ID, "a test")
			}
			return err
		}
		for n := range organization.MaxSentToAddress {
			if err := invite(asAnn, []organization.Organization{acme, bolt}[n%2], "Carol@example.com"); err != nil {
				t.Fatal(err)
			}
		}
		is(t, invite(asAnn, acme, "carol@example.com"), organization.ErrTooOften)
		is(t, invite(asAnn, bolt, "carol@example.com"), organization.ErrTooOften)
		if err := invite(r.Store, bolt, "carol@example.com"); err != nil {
			t.Errorf("an operator: %v", err)
		}
		if err := invite(asAnn, acme, "dora@example.com"); err != nil {
			t.Errorf("another address: %v", err)
		}
		r.now = r.now.Add(24*time.Hour + time.Millisecond)
		if err := invite(asAnn, acme, "carol@example.com"); err != nil {
			t.Errorf("the next day: %v", err)
		}
		// Resending is sending.
		i, _, err := asAnn.Invite(t.Context(), acme.ID, "carol@example.com", "member", "a test")
		for n := 2; err == nil && n < organization.MaxSentToAddress; n++ {
			_, _, err = asAnn.Resend(t.Context(), acme.ID, i.ID, "a test")
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = asAnn.Resend(t.Context(), acme.ID, i.ID, "a test")
		is(t, err, organization.ErrTooOften)

		r.now = r.now.Add(25 * time.Hour)
		fill := func(n int, o organization.Organization, by string) {
			t.Helper()
			for k := range n {
				if _, err := r.db.ExecContext(t.Context(), fmt.Sprintf(
					"INSERT INTO codegrant_organization_sent (id, organization_id, inviter, address, sent) VALUES ('%s-%s-%d', '%s', '%s', '%d', %d)", o.ID, by, k, o.ID, by, k, r.now.UnixMilli())); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill(organization.MaxSentByPerson-1, bolt, organization.PersonOf(annID))
		if err := invite(asAnn, acme, "erin@example.com"); err != nil {
			t.Errorf("the last one of a person: %v", err)
		}
		is(t, invite(asAnn, acme, "frank@example.com"), organization.ErrTooOften)
		bob, bobID := r.person(t, "bob")
		r.set(t, acme, bob, "admin")
		if err := invite(organization.As(r.Store, bobID), acme, "frank@example.com"); err != nil {
			t.Errorf("another person: %v", err)
		}
		fill(organization.MaxSentByOrganization-2, acme, "others")
		is(t, invite(organization.As(r.Store, bobID), acme, "gina@example.com"), organization.ErrTooOften)

		// They are gone with the organization, and the old ones by themselves.
		if err := r.Delete(t.Context(), acme.ID, "a test"); err != nil {
			t.Fatal(err)
		}
		left := 0
		if err := r.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM codegrant_organization_sent WHERE organization_id <> ''").Scan(&left); err != nil || left > organization.MaxSentByPerson+organization.MaxSentToAddress {
			t.Errorf("%d rows are left, %v", left, err)
		}
	})
}

// TestTooManyInvitationsOnThePage: the manager reads why, and a program gets 429.
func TestTooManyInvitationsOnThePage(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	s.set(t, s.create(t, "Acme"), aliceID, "admin")
	for n := range organization.MaxSentToAddress + 1 {
		status, _ := s.asks(t, alice, "POST", "/auth/organization/members", url.Values{"invite": {"carol@example.com"}, "role": {"member"}})
		if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[n < organization.MaxSentToAddress]; status != want {
			t.Errorf("invitation %d: %d, want %d", n, status, want)
		}
	}
	page := s.sees(t, alice, "/auth/organization/members", http.StatusOK, "carol@example.com")
	s.press(t, alice, page, map[string]string{"role": "member"}, map[string]string{"invite": "carol@example.com"}, http.StatusUnprocessableEntity, "Try again tomorrow")
	if len(s.mails) != organization.MaxSentToAddress {
		t.Errorf("%d mails", len(s.mails))
	}
}

// TestMailsAreInTheLanguagesOfThePages: each of them, and that of whoever invites.
func TestMailsAreInTheLanguagesOfThePages(t *testing.T) {
	i := organization.Invitation{Email: "carol@example.com", Role: "member", Expires: time.Date(2026, 3, 8, 9, 0, 0, 0, time.UTC)}
	english := organization.NewMail("en", i, "Acme", "https://app.example.com/?token=TOKEN")
	for _, tag := range append(pages.Languages, pages.Languages[0]) {
		m := organization.NewMail(tag.String(), i, "Acme", "https://app.example.com/?token=TOKEN")
		if m.Language != tag.String() || !strings.Contains(m.Subject, "Acme") || (m.Text == english.Text) != (tag == pages.Languages[0]) {
			t.Errorf("%s: %+v", tag, m)
		}
		for _, part := range []string{"Acme", "member", "\n\nhttps://app.example.com/?token=TOKEN\n\n", "2026"} {
			if !strings.Contains(m.Text, part) {
				t.Errorf("%s: %q is not in %s", tag, part, m.Text)
			}
		}
	}
	if m := organization.NewMail("xx", i, "Acme", "https://app.example.com/"); m.Language != "en" {
		t.Errorf("an unknown language is %q", m.Language)
	}

	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	acme := s.create(t, "Acme")
	s.set(t, acme, aliceID, "admin")
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/auth/organization/members", strings.NewReader(url.Values{"invite": {"carol@example.com"}, "role": {"member"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Language": {"de-AT, en;q=0.5"}}
	answer, err := alice.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if len(s.mails) != 1 || s.mails[0].Language != "de" || s.mails[0].Subject != "Einladung zu Acme" || !strings.Contains(s.mails[0].Text, s.mails[0].URL) {
		t.Errorf("%d: %+v", answer.StatusCode, s.mails)
	}
}

// TestVersions: of tables that are missing, of those of before, and of those of now.
func TestVersions(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		want := func(when string, have int64) {
			t.Helper()
			if got, needs, err := r.Versions(context.Background()); err != nil || got != have || needs != 2 {
				t.Errorf("%s: %d of %d, %v, want %d of 2", when, got, needs, err, have)
			}
		}
		want("migrated", 2)
		for _, table := range []string{"codegrant_organization_schema", "codegrant_organization_sent"} {
			if _, err := r.db.ExecContext(t.Context(), "DROP TABLE "+table); err != nil {
				t.Fatal(err)
			}
		}
		want("of before", 1)
		if err := r.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("migrated again", 2)
		for _, table := range []string{"codegrant_organization_schema", "codegrant_organizations"} {
			if _, err := r.db.ExecContext(t.Context(), "DROP TABLE "+table); err != nil {
				t.Fatal(err)
			}
		}
		want("missing", 0)
	})
}

// TestFind: by a part of the name in any case, or the id; signs of patterns are text.
func TestFind(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, percent := r.create(t, "Acme Überwald"), r.create(t, "100% _Bolt!")
		for text, want := range map[string]string{
			"": "both", "acme": acme.ID, "Überw": acme.ID, acme.ID: acme.ID, "%": percent.ID, "_b": percent.ID, "t!": percent.ID, "0%_": "", "nobody": "", "!": percent.ID,
		} {
			all, err := r.Find(t.Context(), text, "")
			if err != nil {
				t.Fatal(err)
			}
			if ok := want == "both" && len(all) == 2 || want == "" && len(all) == 0 || len(all) == 1 && all[0].ID == want; !ok {
				t.Errorf("%q: %v, want %s", text, all, want)
			}
		}
	})
}
