//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// row is something that each server is asked, by number.
type row struct {
	name string
	do   func(a *asker, n int) error
}

// errOther is an answer that is none to the question: a list of other users than were asked for.
var errOther = errors.New("answers with another number of users")

const pageSize = 60

// filters are each form of a filter, for somebody in the middle, and how many users it is for.
func (o options) filters() (list []filter) {
	for _, name := range []string{"username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username", "sub"} {
		value := func(n int) string {
			if name == "username" {
				return username(n)
			}
			return attributes(n)[name]
		}
		middle := value(o.users / 2)
		prefix, found := middle[:len(middle)-2], 0
		for n := 0; n < o.users && found < pageSize; n++ {
			if strings.HasPrefix(value(n), prefix) {
				found++
			}
		}
		list = append(list, filter{name, "=", middle, 1}, filter{name, "^=", prefix, found})
	}
	off := 0
	for n := 0; n < o.users && off < pageSize; n++ {
		if o.disabled(n) {
			off++
		}
	}
	return append(list, filter{"cognito:user_status", "=", "CONFIRMED", pageSize}, filter{"cognito:user_status", "^=", "FORCE", 0},
		filter{"status", "=", "Disabled", off}, filter{"status", "^=", "Enab", pageSize})
}

type filter struct {
	attribute, operator, value string
	found                      int
}

// rows are what is measured.
func (o options) rows() (list []row) {
	listing := func(filter string, found int) func(*asker, int) error {
		return func(a *asker, _ int) error {
			in := map[string]any{"UserPoolId": a.pool, "Limit": pageSize}
			if filter != "" {
				in["Filter"] = filter
			}
			said, err := a.call("ListUsers", in)
			if err == nil && bytes.Count(said, []byte(`"Username"`)) != found {
				err = errOther
			}
			return err
		}
	}
	list = append(list, row{"ListUsers", listing("", pageSize)})
	for _, f := range o.filters() {
		list = append(list, row{"ListUsers " + f.attribute + " " + f.operator, listing(fmt.Sprintf("%s %s %q", f.attribute, f.operator, f.value), f.found)})
	}
	list = append(list,
		row{"AdminGetUser", func(a *asker, n int) error {
			// From anywhere: 7,919 is prime.
			_, err := a.call("AdminGetUser", map[string]any{"UserPoolId": a.pool, "Username": username(n * 7919 % o.users)})
			return err
		}},
		row{"sign-in by password", func(a *asker, n int) error {
			return a.begin("USER_PASSWORD_AUTH", map[string]string{"USERNAME": o.login(n), "PASSWORD": password}, nil)
		}},
		row{bySRP, func(a *asker, n int) error { return a.bySRP(o.login(n)) }},
	)
	if o.only != nil {
		kept := list[:0]
		for _, r := range list {
			if o.only.MatchString(r.name) {
				kept = append(kept, r)
			}
		}
		list = kept
	}
	return list
}

const bySRP = "sign-in by SRP, both calls and the client's part"

type signIn struct {
	AuthenticationResult *struct{ AccessToken string }
	ChallengeName        string
	ChallengeParameters  map[string]string
	Session              string
}

// begin begins a sign-in that is to end there, or, with asked, to ask for more.
func (a *asker) begin(flow string, parameters map[string]string, asked *signIn) error {
	said, err := a.call("InitiateAuth", map[string]any{"AuthFlow": flow, "ClientId": a.client, "AuthParameters": parameters})
	if err != nil {
		return err
	}
	var out signIn
	if err := json.Unmarshal(said, &out); err != nil {
		return err
	}
	if asked != nil {
		*asked = out
		return nil
	}
	return out.done()
}

func (s signIn) done() error {
	if s.AuthenticationResult == nil || s.AuthenticationResult.AccessToken == "" {
		return fmt.Errorf("there are no tokens, but %s", s.ChallengeName)
	}
	return nil
}

func (a *asker) bySRP(name string) error {
	var asked signIn
	if err := a.begin("USER_SRP_AUTH", map[string]string{"USERNAME": name, "SRP_A": ourA.Text(16)}, &asked); err != nil {
		return err
	}
	answers, err := prove(strings.SplitN(a.pool, "_", 2)[1], asked.ChallengeParameters, time.Now())
	if err != nil {
		return err
	}
	in := map[string]any{"ChallengeName": "PASSWORD_VERIFIER", "ClientId": a.client, "ChallengeResponses": answers}
	if asked.Session != "" {
		in["Session"] = asked.Session
	}
	said, err := a.call("RespondToAuthChallenge", in)
	if err != nil {
		return err
	}
	var out signIn
	if err := json.Unmarshal(said, &out); err != nil {
		return err
	}
	return out.done()
}
