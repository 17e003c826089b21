package state

import (
	"maps"
	"time"
)

const day = 24 * time.Hour

// Units are those of validities.
var Units = map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": day}

// written is a validity in a unit of the API's: its own where that leaves nothing
// over.
func written(d time.Duration, own string) (int, string) {
	for _, unit := range []string{own, "days", "hours", "minutes"} {
		if d%Units[unit] == 0 {
			return int(d / Units[unit]), unit
		}
	}
	return int(d / time.Second), "seconds"
}

// Described are the settings of a client as the API has them: as they were given, or, of
// a client of a seed, as its fields have them.
func (c Client) Described() Settings {
	if c.Settings != nil {
		return maps.Clone(c.Settings)
	}
	return c.described()
}

// described are the settings that follow of the fields.
func (c Client) described() Settings {
	access, accessUnit := written(c.AccessTokenValidity, "hours")
	id, idUnit := written(c.IDTokenValidity, "hours")
	refresh, refreshUnit := written(c.RefreshTokenValidity, "days")
	t := map[string]any{
		"ClientName": c.Name, "ExplicitAuthFlows": c.Explicit(), "EnableTokenRevocation": c.Revocation,
		"AccessTokenValidity": access, "IdTokenValidity": id, "RefreshTokenValidity": refresh,
		"TokenValidityUnits":                       map[string]string{"AccessToken": accessUnit, "IdToken": idUnit, "RefreshToken": refreshUnit},
		"EnablePropagateAdditionalUserContextData": false, "AllowedOAuthFlowsUserPoolClient": len(c.Flows) > 0, "AuthSessionValidity": 3,
	}
	if !c.TellUnknown {
		t["PreventUserExistenceErrors"] = "ENABLED"
	}
	if len(c.Flows) > 0 {
		t["AllowedOAuthFlows"], t["AllowedOAuthScopes"], t["SupportedIdentityProviders"] = c.Flows, c.Scopes, []string{"COGNITO"}
	}
	for name, list := range map[string][]string{"CallbackURLs": c.CallbackURLs, "LogoutURLs": c.LogoutURLs} {
		if len(list) > 0 {
			t[name] = list
		}
	}
	if c.DefaultRedirectURI != "" {
		t["DefaultRedirectURI"] = c.DefaultRedirectURI
	}
	if c.Rotation {
		t["RefreshTokenRotation"] = map[string]any{"Feature": "ENABLED", "RetryGracePeriodSeconds": int(c.RotationGrace / time.Second)}
	}
	if c.Name == "" {
		delete(t, "ClientName")
	}
	s := make(Settings, len(t))
	for name, value := range t {
		s[name] = mustJSON(value)
	}
	return s
}

// validities go together: one unit is changed with all of them.
var validities = []string{"AccessTokenValidity", "IdTokenValidity", "RefreshTokenValidity", "TokenValidityUnits"}

// follow gives settings what was changed past them.
func (s Settings) follow(before, after Settings) Settings {
	s = maps.Clone(s)
	put := func(name string) {
		if s[name] = after[name]; after[name] == nil {
			delete(s, name)
		}
	}
	for _, all := range []Settings{before, after} {
		for name := range all {
			if string(before[name]) != string(after[name]) {
				put(name)
			}
		}
	}
	for _, name := range validities {
		if string(before[name]) == string(after[name]) {
			continue
		}
		for _, name := range validities {
			put(name)
		}
		break
	}
	return s
}

// Registration is what a pool was told of clients that register themselves.
type Registration struct {
	EnableStatus            string
	OpenDcrEnabled          bool
	AuthenticatedGrantTypes *[]string // of code, implicit and client_credentials; nil: the first and the last
	OpenDcrGrantTypes       *[]string // nil: code
	AllowedScopes           []string  // beside openid, email, phone and profile
}

// RegisterScope is the scope of access tokens that register clients.
const RegisterScope = "aws.cognito/dcr/register"

// On reports whether clients can register.
func (r *Registration) On() bool { return r != nil && r.EnableStatus != "Disabled" }

// Grants are the flows that a registration may ask for, with a token or without.
func (r *Registration) Grants(open bool) []string {
	switch {
	case open && r.OpenDcrGrantTypes != nil:
		return *r.OpenDcrGrantTypes
	case open:
		return []string{"code"}
	case r.AuthenticatedGrantTypes != nil:
		return *r.AuthenticatedGrantTypes
	}
	return []string{"code", "client_credentials"}
}

// Given are the scopes of a client, whether or not it may use the OAuth flows.
func (c Client) Given() []string {
	if len(c.Scopes) > 0 {
		return c.Scopes
	}
	return c.Described().Texts("AllowedOAuthScopes")
}
