package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/console"
)

// orgs are organizations of one answer, that remember what they were asked for.
type orgs struct {
	err  error
	did  []console.OrganizationChange
	name string
}

func (*orgs) Roles() []string { return []string{"admin", "member"} }
func (*orgs) Invites() bool   { return true }
func (o *orgs) Find(_ context.Context, text, after string) (all []console.Organization, err error) {
	for n := range 100 {
		if name := fmt.Sprintf("org_%03d", n); name > after && (text == "" || strings.Contains(o.name, text)) {
			all = append(all, console.Organization{ID: name, Name: o.name})
		}
	}
	return all, o.err
}
func (o *orgs) Organization(_ context.Context, id string) (console.Organization, error) {
	if id != "org_1" {
		return console.Organization{}, console.ErrNotThere
	}
	return console.Organization{ID: id, Name: o.name}, o.err
}
func (o *orgs) Members(context.Context, string, int64) ([]console.Member, error) {
	return []console.Member{{Person: 7, Name: "bob@example.com", Pool: "one", Subject: "sub-of-bob", Role: "member"}, {Person: 8, Name: hostile, Role: "admin", Gone: true}}, o.err
}
func (o *orgs) Invitations(context.Context, string) ([]console.Invitation, error) {
	return []console.Invitation{{ID: "inv_1", Email: "carol@example.com", Role: "member", Expires: time.Unix(1, 0), Sent: 2}}, o.err
}
func (o *orgs) Change(_ context.Context, c console.OrganizationChange) (string, error) {
	o.did = append(o.did, c)
	if c.Do == "create" {
		return "org_1", o.err
	}
	return c.Organization, o.err
}

// hooks are messages of one answer.
type hooks struct {
	err error
	did []string
}

func (h *hooks) Endpoints(context.Context) ([]console.WebhookEndpoint, error) {
	return []console.WebhookEndpoint{{Name: "crm", Waiting: 3, GivenUp: 1, Oldest: time.Now().Add(-2*time.Hour - 30*time.Second)}, {Name: "search"}}, h.err
}
func (h *hooks) GivenUp(_ context.Context, endpoint string, _ int64) ([]console.WebhookMessage, error) {
	if endpoint == "search" {
		return nil, h.err
	}
	return []console.WebhookMessage{{ID: 17, Endpoint: "crm", Type: "user.updated", About: hostile, Failure: "answered 500 " + hostile, Attempts: 11}}, h.err
}
func (h *hooks) Resend(_ context.Context, endpoint string, id int64) (int64, error) {
	h.did = append(h.did, fmt.Sprint("resend ", endpoint, " ", id))
	return 1, h.err
}
func (h *hooks) Discard(_ context.Context, endpoint string, id int64) (int64, error) {
	h.did = append(h.did, fmt.Sprint("discard ", endpoint, " ", id))
	return 0, h.err
}

// TestOrganizations: an operator finds one, sees its members and invitations, and does
// everything that the pages offer. What members have written stays text.
func TestOrganizations(t *testing.T) {
	o := &orgs{name: "Acme " + hostile}
	d := newDesk(t, func(c *console.Config) {
		c.Organizations, c.Pools = o, []console.Pool{{Name: "one", Auth: c.Auth}}
	})
	alice := d.signIn("alice")
	has := func(path string, status int, all ...string) {
		t.Helper()
		r, body := d.get(alice, path)
		if r.StatusCode != status || strings.Contains(body, "<script>alert") || strings.Contains(body, "\u202e") {
			t.Errorf("%s: %d %s", path, r.StatusCode, body)
		}
		for _, text := range all {
			if !strings.Contains(body, text) {
				t.Errorf("%s has no %q: %s", path, text, body)
			}
		}
	}
	has("/console/organizations", 200, `href="/console/organization?id=org_000"`, "Further organizations", "after=org_099", "Acme &lt;script&gt;")
	has("/console/organizations?q=nobody", 200, "There are none.")
	has("/console/organizations?q="+url.QueryEscape("a\u202eb"), 422, "No organization is called that.")
	has("/console/organizations?q="+strings.Repeat("a", 3000), 422)
	has("/console/organization?id=org_1", 200, `href="/console/person?pool=one&amp;sub=sub-of-bob"`, "cannot sign in", "carol@example.com", "expired", "Make admin", "Take back", "Send again")
	has("/console/organization?id=org_2", 404, "There is no organization")
	has("/console/organization", 404)

	did := func(form url.Values, status int, to string, want console.OrganizationChange) {
		t.Helper()
		o.did = nil
		r, body := d.post(alice, "/console/organizations/act", form)
		want.By = "alice"
		if r.StatusCode != status || r.Header.Get("Location") != to || !slices.Equal(o.did, []console.OrganizationChange{want}) {
			t.Errorf("%v: %d to %s, %+v: %s", form, r.StatusCode, r.Header.Get("Location"), o.did, body)
		}
	}
	const at = "/console/organization?id=org_1&done="
	did(url.Values{"do": {"create"}, "name": {" Acme "}}, 303, at+"create", console.OrganizationChange{Do: "create", Name: "Acme"})
	did(url.Values{"do": {"rename"}, "id": {"org_1"}, "name": {"Bolt"}}, 303, at+"rename", console.OrganizationChange{Do: "rename", Organization: "org_1", Name: "Bolt"})
	did(url.Values{"do": {"role"}, "id": {"org_1"}, "person": {"7"}, "role": {"admin"}}, 303, at+"role", console.OrganizationChange{Do: "role", Organization: "org_1", Person: 7, Role: "admin"})
	did(url.Values{"do": {"remove"}, "id": {"org_1"}, "person": {"7"}}, 303, at+"remove", console.OrganizationChange{Do: "remove", Organization: "org_1", Person: 7})
	did(url.Values{"do": {"invite"}, "id": {"org_1"}, "email": {"carol@example.com"}, "role": {"member"}}, 303, at+"invite", console.OrganizationChange{Do: "invite", Organization: "org_1", Email: "carol@example.com", Role: "member"})
	did(url.Values{"do": {"resend"}, "id": {"org_1"}, "invitation": {"inv_1"}}, 303, at+"resend", console.OrganizationChange{Do: "resend", Organization: "org_1", Invitation: "inv_1"})
	did(url.Values{"do": {"revoke"}, "id": {"org_1"}, "invitation": {"inv_1"}}, 303, at+"revoke", console.OrganizationChange{Do: "revoke", Organization: "org_1", Invitation: "inv_1"})
	did(url.Values{"do": {"delete"}, "id": {"org_1"}}, 303, "/console/organizations?done=delete", console.OrganizationChange{Do: "delete", Organization: "org_1"})
	has("/console/organization?id=org_1&done=remove", 200, "Their next request is refused.")

	o.did = nil
	for _, form := range []url.Values{
		{}, {"do": {"promote"}, "id": {"org_1"}}, {"do": {"rename"}, "id": {"org_1"}}, {"do": {"remove"}, "id": {"org_1"}, "person": {"-7"}}, {"do": {"remove"}, "id": {"org_1"}, "person": {"x"}},
		{"do": {"create"}, "name": {"a\u202eb"}}, {"do": {"create"}, "name": {strings.Repeat("a", 3000)}},
	} {
		if r, _ := d.post(alice, "/console/organizations/act", form); r.StatusCode != http.StatusBadRequest || o.did != nil {
			t.Errorf("%v: %d, %v", form, r.StatusCode, o.did)
		}
	}
	o.err = fmt.Errorf("%w: nobody else manages", console.ErrRefused)
	did(url.Values{"do": {"delete"}, "id": {"org_1"}}, http.StatusConflict, "", console.OrganizationChange{Do: "delete", Organization: "org_1"})
	o.err = console.ErrNotThere
	did(url.Values{"do": {"delete"}, "id": {"org_2"}}, http.StatusNotFound, "", console.OrganizationChange{Do: "delete", Organization: "org_2"})
	o.err = errors.New("connection refused")
	did(url.Values{"do": {"delete"}, "id": {"org_1"}}, http.StatusServiceUnavailable, "", console.OrganizationChange{Do: "delete", Organization: "org_1"})
	has("/console/organizations", 503, "The database does not answer")
	has("/console/organization?id=org_1", 503)
}

// TestS726_OrganizationsAndWebhooksAreTheOperators: nobody else opens the pages or acts, no
// form of another site acts, nobody acts whose sign-in is too old, and each action is in the
// log, without addresses.
func TestS726_OrganizationsAndWebhooksAreTheOperators(t *testing.T) {
	o, h := &orgs{name: "Acme"}, &hooks{}
	fresh := true
	d := newDesk(t, func(c *console.Config) {
		c.Organizations, c.Webhooks = o, h
		c.Unsafe = []codegrant.Permission{codegrant.PermissionFunc("a new sign-in", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) { return fresh, nil })}
	})
	alice, bob := d.signIn("alice"), d.signIn("bob")
	forms := map[string]url.Values{
		"/console/organizations/act": {"do": {"invite"}, "id": {"org_1"}, "email": {"carol@example.com"}, "role": {"member"}},
		"/console/webhooks/act":      {"do": {"resend"}, "endpoint": {"crm"}, "message": {"17"}},
	}
	for _, path := range []string{"/console/organizations", "/console/organization?id=org_1", "/console/webhooks"} {
		if r, body := d.get(bob, path); r.StatusCode != http.StatusForbidden || strings.Contains(body, "Acme") || strings.Contains(body, "crm") {
			t.Errorf("%s, not an operator: %d %s", path, r.StatusCode, body)
		}
		if r, _ := d.get(http.DefaultClient, path); r.StatusCode != http.StatusFound {
			t.Errorf("%s, nobody: %d", path, r.StatusCode)
		}
	}
	elsewhere := func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://evil.example")
	}
	for path, form := range forms {
		if r, _ := d.post(bob, path, form); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s, not an operator: %d", path, r.StatusCode)
		}
		if r, _ := d.post(alice, path, form, elsewhere); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s, from elsewhere: %d", path, r.StatusCode)
		}
		fresh = false
		if r, _ := d.post(alice, path, form); r.StatusCode == http.StatusSeeOther && !strings.Contains(r.Header.Get("Location"), "/auth/") {
			t.Errorf("%s, with an old sign-in: %d", path, r.StatusCode)
		}
		fresh = true
	}
	if len(o.did)+len(h.did) != 0 {
		t.Fatalf("they did %v %v", o.did, h.did)
	}
	for path, form := range forms {
		if r, body := d.post(alice, path, form); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d %s", path, r.StatusCode, body)
		}
	}
	log := d.log.String()
	for _, line := range []string{`by=alice`, `outcome=done`, `action="organization invite" organization=org_1 role=member`, `action="webhooks resend" endpoint=crm message=17 messages=1`, `outcome=refused`} {
		if !strings.Contains(log, line) {
			t.Errorf("the log has no %s: %s", line, log)
		}
	}
	if strings.Contains(log, "carol@") {
		t.Errorf("an address is in the log: %s", log)
	}
}

// TestWebhooksOfTheConsole: messages that were given up are seen, sent again and discarded.
func TestWebhooksOfTheConsole(t *testing.T) {
	h := &hooks{}
	d := newDesk(t, func(c *console.Config) { c.Webhooks = h })
	alice := d.signIn("alice")
	_, body := d.get(alice, "/console/webhooks?endpoint=crm")
	for _, text := range []string{`href="/console/webhooks?endpoint=search"`, "2 h 0 min ago", "user.updated", "answered 500", "Discard all of crm"} {
		if !strings.Contains(body, text) || strings.Contains(body, "<script>alert") {
			t.Errorf("no %q: %s", text, body)
		}
	}
	for want, form := range map[string]url.Values{
		"resend crm 17":  {"do": {"resend"}, "endpoint": {"crm"}, "message": {"17"}},
		"resend crm 0":   {"do": {"resend"}, "endpoint": {"crm"}, "all": {"yes"}},
		"discard crm 17": {"do": {"discard"}, "endpoint": {"crm"}, "message": {"17"}},
		"discard crm 0":  {"do": {"discard"}, "endpoint": {"crm"}, "all": {"yes"}},
	} {
		h.did = nil
		r, _ := d.post(alice, "/console/webhooks/act", form)
		n := map[bool]string{true: "1", false: "0"}[form.Get("do") == "resend"]
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/console/webhooks?done="+form.Get("do")+"&n="+n || !slices.Equal(h.did, []string{want}) {
			t.Errorf("%v: %d %s, %v", form, r.StatusCode, r.Header.Get("Location"), h.did)
		}
	}
	if _, body := d.get(alice, "/console/webhooks?done=resend&n=3"); !strings.Contains(body, "To be sent again: 3.") {
		t.Errorf("%s", body)
	}
	h.did = nil
	for _, form := range []url.Values{
		{}, {"do": {"resend"}, "endpoint": {"crm"}}, {"do": {"resend"}, "endpoint": {"crm"}, "message": {"0"}}, {"do": {"resend"}, "endpoint": {"crm"}, "message": {"-1"}},
		{"do": {"resend"}, "all": {"yes"}}, {"do": {"send"}, "endpoint": {"crm"}, "message": {"1"}}, {"do": {"discard"}, "endpoint": {"crm"}, "message": {"x"}},
	} {
		if r, _ := d.post(alice, "/console/webhooks/act", form); r.StatusCode != http.StatusBadRequest || h.did != nil {
			t.Errorf("%v: %d, %v", form, r.StatusCode, h.did)
		}
	}
	h.err = errors.New("connection refused")
	if r, _ := d.get(alice, "/console/webhooks"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", r.StatusCode)
	}
	if r, _ := d.post(alice, "/console/webhooks/act", url.Values{"do": {"resend"}, "endpoint": {"crm"}, "message": {"17"}}); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", r.StatusCode)
	}
}
