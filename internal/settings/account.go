package settings

import (
	"cmp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/account"
)

// account makes the pages of a pool on which people change what is theirs; nil: none.
func (r *reader) account(key string, c *accountPages, p *Pool) *account.Config {
	if c == nil || !c.Enabled && (r.has(key+".enabled") || !r.hasBelow(key)) {
		return nil
	}
	config := &account.Config{Pool: p.Config.Pool, Prefix: p.Prefix, SignInWithin: c.SignInWithin, Name: c.Name, LinkIdentities: c.LinkIdentities, PasskeyReturn: cmp.Or(c.PasskeyReturn, p.Config.CallbackURL)}
	for _, a := range c.Attributes {
		config.Attributes = append(config.Attributes, account.Attribute{Name: a.Name, Label: a.Label, ReadOnly: a.ReadOnly})
	}
	for _, page := range c.Hide {
		config.Hide = append(config.Hide, account.Page(page))
	}
	if !slices.Contains(p.Config.Scopes, account.Scope) {
		r.fault(key, "account pages need the scope %[1]s: set scopes: [openid, email, profile, %[1]s] for the pool, and allow the scope at the app client", account.Scope)
	}
	if err := config.Check(); err != nil {
		for _, leaf := range leaves(err) {
			text := strings.TrimPrefix(leaf.Error(), "configure account: ")
			if strings.HasPrefix(text, "Pool: ") {
				continue // which is told of the pool itself
			}
			at := key
			for field, name := range map[string]string{"Attributes": "attributes", "Hide": "hide", "SignInWithin": "sign_in_within", "PasskeyReturn": "passkey_return", "Prefix": "prefix"} {
				if strings.HasPrefix(text, field) {
					at = key + "." + name
					_, text, _ = strings.Cut(text, ": ")
					break
				}
			}
			if !r.has(at) {
				at = key
			}
			r.fault(at, "%s", text)
		}
		return nil
	}
	return config
}
