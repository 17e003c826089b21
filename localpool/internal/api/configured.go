package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Configuration is what a pool is set to, in the API's words, as codegrant pool export
// writes it.
type Configuration struct {
	Pool      map[string]any            `json:"pool"`
	MFA       map[string]any            `json:"mfa"`
	Domain    map[string]any            `json:"domain"`
	Clients   map[string]map[string]any `json:"clients"` // by name
	Servers   map[string]map[string]any `json:"resource_servers"`
	Providers map[string]map[string]any `json:"identity_providers"`
	Groups    map[string]map[string]any `json:"groups"`
}

// Settings are those of the pool itself.
func (c Configuration) Settings() (state.Settings, error) {
	body, err := json.Marshal(c.Pool)
	if err != nil {
		return nil, err
	}
	kept, err := keep("UserPoolType", body)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Id", "Name", "Arn", "Status", "Domain", "CustomDomain", "CreationDate", "LastModifiedDate", "EstimatedNumberOfUsers"} {
		delete(kept, name)
	}
	return kept.Complete()
}

// notReal stands in for secrets of identity providers, which no file has.
const notReal = "not-a-secret"

// Configure makes everything of a configuration that is beside the pool's own settings.
// App clients are there already, by their names.
func (c Configuration) Configure(st *state.State, poolID string) error {
	a := &API{state: st}
	do := func(name, what, of string, parts ...map[string]any) error {
		all := map[string]any{"UserPoolId": poolID}
		for _, part := range parts {
			maps.Copy(all, part)
		}
		body, err := json.Marshal(all)
		if err == nil {
			err = fits(name, body)
		}
		if err == nil {
			_, err = operations[name].serve(context.Background(), a, body)
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", what, of, err)
		}
		return nil
	}
	if len(c.MFA) > 0 {
		if err := do("SetUserPoolMfaConfig", "mfa", poolID, c.MFA); err != nil {
			return err
		}
	}
	if len(c.Domain) > 0 {
		if err := do("CreateUserPoolDomain", "domain", fmt.Sprint(c.Domain["Domain"]), c.Domain); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		operation, what, key string
		all                  map[string]map[string]any
	}{
		{"CreateResourceServer", "resource server", "Identifier", c.Servers},
		{"CreateIdentityProvider", "identity provider", "ProviderName", c.Providers},
		{"CreateGroup", "group", "GroupName", c.Groups},
	} {
		for _, name := range slices.Sorted(maps.Keys(part.all)) {
			settings := maps.Clone(part.all[name])
			if part.what == "identity provider" {
				settings["ProviderDetails"] = withSecrets(settings)
			}
			if err := do(part.operation, part.what, name, settings, map[string]any{part.key: name}); err != nil {
				return err
			}
		}
	}
	p, err := st.Describe(poolID)
	if err != nil {
		return err
	}
	for _, client := range p.Clients {
		settings := maps.Clone(c.Clients[client.Name])
		if settings == nil {
			continue
		}
		delete(settings, "GenerateSecret") // the client has one, or has none
		if err := do("UpdateUserPoolClient", "client", client.Name, settings, map[string]any{"ClientId": client.ID, "ClientName": client.Name}); err != nil {
			return err
		}
	}
	return nil
}

// withSecrets are the details of an identity provider, which Cognito does not take without
// the secret.
func withSecrets(provider map[string]any) map[string]any {
	details, _ := provider["ProviderDetails"].(map[string]any)
	details = maps.Clone(details)
	if details == nil {
		details = make(map[string]any)
	}
	if kind := provider["ProviderType"]; kind != "SAML" {
		secret := "client_secret"
		if kind == "SignInWithApple" {
			secret = "private_key"
		}
		details[secret] = notReal
	}
	return details
}
