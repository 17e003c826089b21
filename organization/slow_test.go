package organization_test

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
)

// TestS747_ManagesWhenItIsDone: who is removed while their form is on its way does nothing.
func TestS747_ManagesWhenItIsDone(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	_, bobID := s.signIn(t, "bob@example.com")
	acme := s.create(t, "Acme")
	s.set(t, acme, bobID, "admin")
	invitation, _, err := s.Invite(t.Context(), acme.ID, "waits@example.com", "member", "a test")
	if err != nil {
		t.Fatal(err)
	}
	bob := strconv.FormatInt(bobID, 10)
	for what, form := range map[string]url.Values{
		"invite": {"invite": {"eve@example.com"}, "role": {"admin"}}, "resend": {"resend": {invitation.ID}}, "revoke": {"revoke": {invitation.ID}},
		"remove": {"remove": {bob}}, "role": {"member": {bob}, "role": {"member"}}, "oneself": {"member": {strconv.FormatInt(aliceID, 10)}, "role": {"admin"}},
	} {
		s.set(t, acme, aliceID, "admin")
		let := make(chan struct{})
		asked := func() { close(let) }
		s.asked.Store(&asked)
		body, writer := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/auth/organization/members", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		status := make(chan int)
		go func() {
			defer close(status)
			response, err := alice.Client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			status <- response.StatusCode
		}()
		text := form.Encode()
		if _, err := io.WriteString(writer, text[:3]); err != nil {
			t.Fatal(err)
		}
		<-let // the permission was looked up
		if what == "oneself" {
			s.set(t, acme, aliceID, "member")
		} else if err := s.Remove(t.Context(), acme.ID, aliceID, "a test"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(writer, text[3:]); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		if got := <-status; got != http.StatusForbidden {
			t.Errorf("%s: %d", what, got)
		}
		all, err := s.Invitations(t.Context(), acme.ID)
		if err != nil || len(all) != 1 || all[0].Sent != 1 {
			t.Errorf("%s: the invitations are %v, %v", what, all, err)
		}
		members, err := s.Members(t.Context(), acme.ID, 0)
		for _, m := range members {
			if m.Person == bobID && m.Role != "admin" || m.Person == aliceID && m.Role != "member" {
				t.Errorf("%s: %v", what, m)
			}
		}
		if want := map[bool]int{true: 2, false: 1}[what == "oneself"]; err != nil || len(members) != want {
			t.Errorf("%s: the members are %v, %v", what, members, err)
		}
	}
}
