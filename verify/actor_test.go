package verify

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestS610_TokensToActWithAreRefused unless the caller says that it looks at who acts.
func TestS610_TokensToActWithAreRefused(t *testing.T) {
	v := testVerifier(t, nil)
	for name, claims := range map[string]object{"access": accessClaims(), "ID": idClaims()} {
		raw := sign(t, with(claims, object{"act": object{"sub": "agent-1"}}))
		ask := func(actor bool) (*Claims, error) {
			if name == "ID" {
				return v.IDToken(t.Context(), raw, IDExpectations{Actor: actor})
			}
			return v.AccessTokenFor(t.Context(), raw, AccessExpectations{Actor: actor})
		}
		for range 2 { // the second time it is remembered
			if c, err := ask(false); c != nil || !errors.Is(err, ErrActor) || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s token: %v, %v, want ErrActor", name, c, err)
			}
			if c, err := ask(true); err != nil || c.Actor.String() != "agent-1" || c.Subject != "a1b2c3d4-0001" {
				t.Errorf("%s token: %v, %v", name, c, err)
			}
		}
	}
	if c, err := v.AccessToken(t.Context(), sign(t, accessClaims())); err != nil || c.Actor != nil || c.Actor.String() != "" {
		t.Errorf("the person's own token: %v, %v", c, err)
	}
}

// TestS611_WhoActs reads act as RFC 8693 has it, or refuses the token.
func TestS611_WhoActs(t *testing.T) {
	v := testVerifier(t, nil)
	nested := func(n int) string {
		return strings.Repeat(`{"sub":"a","act":`, n-1) + `{"sub":"a"}` + strings.Repeat("}", n-1)
	}
	for _, tt := range []struct {
		act  string
		want string // its name, and those before; empty: refused
	}{
		{`{"sub":"agent-1"}`, "agent-1"},
		{`{"client_id":"c1"}`, "c1"},
		{`{"sub":"s1","client_id":"c1"}`, "s1"},
		{`{"iss":"` + testIssuer + `","sub":"s1"}`, "s1"},
		{`{"iss":"https://other.example.com","sub":"s1"}`, "https://other.example.com s1"},
		{`{"sub":"now","act":{"sub":"before","act":{"client_id":"first"}}}`, "now before first"},
		{`{"sub":"s1","email":"x@example.com","more":{"sub":[]}}`, "s1"},
		{nested(maxActors), strings.TrimSpace(strings.Repeat("a ", maxActors))},
		{nested(maxActors + 1), ""},
		{`{}`, ""}, {`null`, ""}, {`"agent-1"`, ""}, {`["agent-1"]`, ""}, {`[{"sub":"agent-1"}]`, ""}, {`true`, ""}, {`0`, ""},
		{`{"sub":""}`, ""}, {`{"sub":null}`, ""}, {`{"sub":7}`, ""}, {`{"sub":["a"]}`, ""}, {`{"iss":"https://other.example.com"}`, ""},
		{`{"sub":"a b"}`, ""}, {`{"sub":"a\nb"}`, ""}, {`{"sub":"` + strings.Repeat("a", 256) + `"}`, ""},
		{`{"sub":"a","iss":"https://x.example.com y"}`, ""}, {`{"sub":"a","client_id":""}`, ""}, {`{"sub":"a","iss":1}`, ""},
		{`{"SUB":"a"}`, ""}, {`{"sub":"a","Sub":"b"}`, ""}, {`{"sub":"a","sub":"b"}`, ""}, {`{"sub":"a","ſub":"b"}`, ""}, {`{"client_id":"a","Act":{"sub":"b"}}`, ""},
		{`{"sub":"a","act":{}}`, ""}, {`{"sub":"a","act":null}`, ""}, {`{"sub":"a","act":"b"}`, ""},
	} {
		raw := sign(t, with(accessClaims(), object{"act": json.RawMessage(tt.act)}))
		c, err := v.AccessTokenFor(t.Context(), raw, AccessExpectations{Actor: true})
		got := ""
		if err == nil {
			for a := c.Actor; a != nil; a = a.Before {
				got += " " + a.String()
			}
		} else if !errors.Is(err, ErrClaim) && !errors.Is(err, ErrMalformed) {
			t.Errorf("act %s: %v", tt.act, err)
		}
		if strings.TrimSpace(got) != tt.want {
			t.Errorf("act %s: %q, %v, want %q", tt.act, got, err, tt.want)
		}
		if c, err := v.AccessToken(t.Context(), raw); c != nil || !errors.Is(err, ErrInvalid) {
			t.Errorf("act %s, by who does not look: %v, %v", tt.act, c, err)
		}
	}
	if _, err := v.AccessTokenFor(t.Context(), sign(t, with(accessClaims(), object{"ACT": object{"sub": "a"}})), AccessExpectations{Actor: true}); !errors.Is(err, ErrMalformed) {
		t.Errorf("a name that differs in case alone: %v", err)
	}
}

func TestActorIs(t *testing.T) {
	ours, theirs := &Actor{Subject: "s1", ClientID: "c1"}, &Actor{Issuer: "https://o.example.com", Subject: "s1", ClientID: "c1"}
	for _, tt := range []struct {
		actor *Actor
		name  string
		want  bool
	}{
		{ours, "s1", true}, {ours, "c1", true}, {ours, "S1", false}, {ours, "", false}, {&Actor{ClientID: "c1"}, "c1", true}, {nil, "", false},
		{theirs, "s1", false}, {theirs, "c1", false}, {theirs, "https://o.example.com s1", true}, {theirs, "https://o.example.com c1", false},
		{&Actor{Subject: "s2", Before: ours}, "s1", false},
	} {
		if got := tt.actor.Is(tt.name); got != tt.want {
			t.Errorf("%+v.Is(%q) = %t", tt.actor, tt.name, got)
		}
	}
}
