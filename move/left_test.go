package move

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/verify"
)

// TestS816_LeftOutOfADrain: whoever has left is counted and told, is not made, and is made
// alone once an operator names them, also where the trigger has made them again before.
func TestS816_LeftOutOfADrain(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	alice, _, _ := w.find(t, oldPool, "alice")
	gone := func(sub string) bool { return sub == alice.sub }
	var told []string
	with := func(back ...string) *Move {
		told = nil
		return w.move(t, w.Client, func(c *Config) {
			c.Left, c.BringBack = gone, back
			c.OnLeft = func(username, sub string) error { told = append(told, username+" "+sub); return nil }
		})
	}
	for _, again := range []bool{false, true} {
		p, err := with().Plan(t.Context())
		if err != nil || p.Left != 1 || !slices.Equal(told, []string{"alice " + alice.sub}) ||
			!slices.ContainsFunc(p.Notes, func(f Finding) bool {
				return strings.HasPrefix(f.What, "1 people have left") && strings.Contains(f.Fix, "--bring-back")
			}) {
			t.Errorf("again %t: %+v, %v, told %q", again, p, err, told)
		}
		d, err := with().Drain(t.Context(), false)
		if err != nil || d.Left != 1 || d.Waiting == 0 && !again {
			t.Errorf("again %t: %+v, %v", again, d, err)
		}
		if is, _, _ := w.find(t, newPoolID, "alice"); (is.sub != "") != again {
			t.Errorf("again %t: a drain has made her: %+v", again, is)
		}
		if again {
			break
		}
		w.deploy(t) // and the trigger, which cannot ask, lets her come by her password
		if _, err := w.signIn(t, "alice", password); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := with("bob").Drain(t.Context(), false); err == nil || !strings.Contains(err.Error(), `"bob"`) {
		t.Errorf("bob has not left: %v", err)
	}
	for range 2 { // the second finds nothing to do
		if _, err := with(alice.sub).Drain(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		is, status, groups := w.find(t, newPoolID, "alice")
		if !w.tickets.broughtBack(is.attributes[Attribute]) || !strings.HasSuffix(is.attributes[Attribute], complete) || status != string(types.UserStatusTypeConfirmed) || len(groups) != 2 {
			t.Errorf("brought back: %+v %s %q", is, status, groups)
		}
	}
	if r, err := with().Report(t.Context(), nil); err != nil || r.Left != 0 || r.Arrived == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := w.signIn(t, "alice", password); err != nil {
		t.Errorf("with the password that she had there: %v", err)
	}
}

// TestS816_BroughtBackAlone: a drain that brings somebody back makes nobody else.
func TestS816_BroughtBackAlone(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	alice, _, _ := w.find(t, oldPool, "alice")
	back := func(c *Config) {
		c.Left, c.BringBack = func(sub string) bool { return sub == alice.sub }, []string{"alice"}
	}
	if d, err := w.move(t, w.Client, back).Drain(t.Context(), true); err != nil || d.Made != 1 {
		t.Errorf("dry: %+v, %v", d, err)
	}
	if d, err := w.move(t, w.Client, back).Drain(t.Context(), false); err != nil || d.Made != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if is, _, _ := w.find(t, newPoolID, "alice"); is.sub == "" {
		t.Error("she was not made")
	}
	if is, _, _ := w.find(t, newPoolID, "bob"); is.sub != "" {
		t.Error("bob was made")
	}
}

// TestS816_TheTriggerAsks: a trigger that can ask lets nobody come who has left, and nobody at
// all while nobody answers.
func TestS816_TheTriggerAsks(t *testing.T) {
	var left bool
	var fault error
	w := newWorld(t, func(c *ArrivalConfig) {
		c.ForgotPassword = true
		c.Tickets.Left = func(context.Context, string, string) (bool, error) { return left, fault }
	})
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		left  bool
		fault error
		log   string
	}{{true, nil, "they have left"}, {false, errors.New("away"), "nobody says who has left"}} {
		left, fault = tt.left, tt.fault
		w.log.Reset()
		if _, err := w.signIn(t, "alice", password); err == nil {
			t.Errorf("%+v: she came", tt)
		}
		_, _ = w.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("web"), Username: aws.String("alice")})
		if is, _, _ := w.find(t, newPoolID, "alice"); is.sub != "" || strings.Count(w.log.String(), tt.log) != 2 {
			t.Errorf("%+v: %+v, %s", tt, is, w.log)
		}
	}
	left, fault = false, nil
	if _, err := w.signIn(t, "alice", password); err != nil {
		t.Error(err)
	}
}

// TestS816_TicketsOfThoseWhoLeft: the application refuses a ticket of somebody who has left, and
// takes that of somebody who was brought back. Neither can be made from the other.
func TestS816_TicketsOfThoseWhoLeft(t *testing.T) {
	w := newWorld(t, nil)
	var fault error
	var asked []string
	w.tickets.Left = func(_ context.Context, was, is string) (bool, error) {
		asked = append(asked, was+" "+is)
		return was == "a-sub", fault
	}
	was := w.tickets.SamePerson("old", nil)
	by := func(ticket string) (string, error) {
		c := new(verify.Claims)
		text, _ := json.Marshal(ticket)
		c.Subject, c.Custom = "new-sub", map[string]json.RawMessage{Attribute: text}
		_, subject, err := was(t.Context(), c)
		return subject, err
	}
	one, again := w.tickets.Issue("a-sub"), w.tickets.issueAgain("a-sub")
	for _, tt := range []struct {
		ticket, subject string
		err             error
	}{
		{one, "", ErrLeft}, {one + complete, "", ErrLeft}, {again, "a-sub", nil}, {again + complete, "a-sub", nil},
		{w.tickets.Issue("b-sub"), "b-sub", nil}, {again + ".again", "", ErrTicket}, {strings.Replace(again, "a-sub", "c-sub", 1), "", ErrTicket},
	} {
		if subject, err := by(tt.ticket); subject != tt.subject || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", tt.ticket, subject, err)
		}
	}
	if !slices.Equal(asked, []string{"a-sub new-sub", "a-sub new-sub", "b-sub new-sub"}) {
		t.Errorf("asked %q", asked)
	}
	if fault = errors.New("away"); true {
		if subject, err := by(w.tickets.Issue("b-sub")); subject != "" || !errors.Is(err, fault) {
			t.Errorf("while nobody answers: %q, %v", subject, err)
		}
	}
}

// TestS817_WhoCameAsNew: a report says who came by a provider and is nobody of the old pool.
func TestS817_WhoCameAsNew(t *testing.T) {
	w := newLinked(t, nil)
	w.tickets.Providers = []string{"Google"}
	api := &strangers{WriteAPI: w.Client, accounts: []string{"g-17", "g-4711"}} // the first is linked to somebody of the old pool
	var told []string
	m := w.move(t, api, func(c *Config) {
		c.OnStranger = func(username, sub string) error { told = append(told, username+" "+sub); return nil }
	})
	w.link(t, "bob", "g-17")
	p, err := m.Plan(t.Context())
	if err != nil || p.Strangers["Google"] != 1 || len(p.Strangers) != 1 || !slices.Equal(told, []string{"Google_g-4711 new-g-4711"}) ||
		!slices.ContainsFunc(p.Notes, func(f Finding) bool {
			return strings.HasPrefix(f.What, "1 people of the new pool came by Google as somebody new")
		}) {
		t.Errorf("%+v, %v, told %q", p, err, told)
	}
	w.tickets.Providers = nil // people of other providers are no part of the move
	if r, err := m.Report(t.Context(), nil); err != nil || len(r.Strangers) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// strangers is a new pool where people of Google have signed in.
type strangers struct {
	WriteAPI
	accounts []string
}

func (s *strangers) ListUsers(ctx context.Context, in *cip.ListUsersInput, o ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	out, err := s.WriteAPI.ListUsers(ctx, in, o...)
	if err != nil || *in.UserPoolId != newPoolID {
		return out, err
	}
	for _, id := range s.accounts {
		identities, _ := json.Marshal([]map[string]string{{"providerName": "Google", "userId": id}})
		out.Users = append(out.Users, types.UserType{Username: aws.String("Google_" + id), Enabled: true, UserStatus: types.UserStatusTypeExternalProvider,
			Attributes: []types.AttributeType{{Name: aws.String("sub"), Value: aws.String("new-" + id)}, {Name: aws.String("identities"), Value: aws.String(string(identities))}}})
	}
	return out, nil
}

// TestS816_NotBroughtBack: a drain says why it did not make somebody whom an operator has
// named.
func TestS816_NotBroughtBack(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"alice": "", "carol": "disabled", "dora": "second factor", "emil": "never confirmed"}
	d, err := w.move(t, w.Client, func(c *Config) {
		c.Left = func(string) bool { return true }
		for name := range names {
			c.BringBack = append(c.BringBack, name)
		}
	}).Drain(t.Context(), false)
	if err != nil || d.Made != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	for name, why := range names {
		if got := d.NotBack[name]; (got == "") != (why == "") || !strings.Contains(got, why) {
			t.Errorf("%s: %q, want %q", name, got, why)
		}
	}
	carol, _, _ := w.find(t, oldPool, "carol")
	d, err = w.move(t, w.Client, func(c *Config) {
		c.Left, c.BringBack = func(string) bool { return true }, []string{carol.sub}
	}).Drain(t.Context(), true)
	if err != nil || d.Made != 0 || d.NotBack[carol.sub] == "" {
		t.Errorf("dry, by sub: %+v, %v", d, err)
	}
}
