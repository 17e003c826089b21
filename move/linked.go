package move

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	accounts "github.com/codegrant/codegrant/internal/linked"
)

func accountsOf(p person) []accounts.Account {
	return accounts.Accounts(p.attributes[accounts.Attribute])
}

// linked are the providers at which somebody who has an account of the pool's own has
// another. The old pool lets them in by both.
func linked(p person) (providers []string) {
	if p.status == types.UserStatusTypeExternalProvider {
		return nil
	}
	for _, a := range accountsOf(p) {
		if !slices.Contains(providers, a.ProviderName) {
			providers = append(providers, a.ProviderName)
		}
	}
	return providers
}

// link gives somebody in the new pool the accounts at Providers that they have in the old
// one. One that is somebody's there already stays away, and the log says so: it may have
// signed in by itself before, and then it is a user of its own. Anything else fails, such as
// a provider that the new pool lacks: that person is not complete without the account.
func (t *Tickets) link(ctx context.Context, call accounts.Link, log *slog.Logger, was person, username string) error {
	if len(linked(was)) == 0 {
		return nil
	}
	for _, a := range accountsOf(was) {
		if !slices.Contains(t.Providers, a.ProviderName) {
			continue
		}
		err := accounts.To(ctx, call, t.new, username, a)
		switch {
		case accounts.Refused(err):
			log.LogAttrs(ctx, slog.LevelWarn, "an account at a provider is not linked", slog.String("sub", was.sub), slog.String("provider", a.ProviderName), slog.String("reason", kindOf(err)))
		case err != nil:
			return fmt.Errorf("link an account at %s: %w", a.ProviderName, err)
		}
	}
	return nil
}

// linkLate links the accounts of people who have come without them.
func (m *Move) linkLate(ctx context.Context, d *Drained, late map[[16]byte]person, dry bool) error {
	if dry {
		d.Relinked = len(late)
		return nil
	}
	// Once more, since only the new pool knows how they are called there now.
	return m.users(ctx, m.New, m.Tickets.new, func(u types.UserType) error {
		p := personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes)
		sub, err := m.Tickets.Open(p.attributes[Attribute])
		if err != nil {
			return nil
		}
		was, ok := late[hashOf(sub)]
		if !ok {
			return nil
		}
		switch err := m.Tickets.link(ctx, m.paced(m.New.AdminLinkProviderForUser), m.Logger, was, p.username); {
		case err == nil:
			d.Relinked++
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			d.Failed++
			m.Logger.LogAttrs(ctx, slog.LevelError, "not linked", slog.String("sub", sub), slog.String("reason", kindOf(err)))
		}
		return nil
	})
}

// providers reads the identity providers of the new pool: what kind each one is.
func (m *Move) providers(ctx context.Context) (map[string]types.IdentityProviderTypeType, error) {
	kinds := make(map[string]types.IdentityProviderTypeType)
	for in := (&cip.ListIdentityProvidersInput{UserPoolId: &m.Tickets.new, MaxResults: aws.Int32(60)}); ; {
		page, err := call(ctx, m, "list the identity providers of the new pool", m.New.ListIdentityProviders, in)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Providers {
			kinds[aws.ToString(p.ProviderName)] = p.ProviderType
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return kinds, nil
		}
	}
}

// linking looks at people of providers, and at those who have an account there, too.
func (m *Move) linking(ctx context.Context, p *Plan) error {
	kinds, err := m.providers(ctx)
	if err != nil {
		return err
	}
	for _, provider := range m.Tickets.Providers {
		if _, there := kinds[provider]; !there {
			p.fault("the new pool has no identity provider "+provider+", which moved_from.providers names", "create it there, as in the old pool, before drain and the switch")
		}
	}
	for _, provider := range sortedKeys(p.Federated) {
		if !slices.Contains(m.Tickets.Providers, provider) {
			p.fault(fmt.Sprintf("%d people sign in with %s: in the new pool they would be somebody new", p.Federated[provider], provider),
				"give the new pool an identity provider of the same name and with the same accounts, and name it in moved_from.providers")
		}
	}
	for _, provider := range sortedKeys(p.Linked) {
		what := fmt.Sprintf("%d people have a password, and an account at %s that is linked to it: those of them who come by %[2]s first would be somebody new", p.Linked[provider], provider)
		if slices.Contains(m.Tickets.Providers, provider) {
			p.fault(what, "codegrant move drain --linked --yes, before people sign in at the new pool")
		} else {
			p.note(what, "name the provider in moved_from.providers to move their links")
		}
	}
	for _, provider := range sortedKeys(p.Unlinked) {
		p.fault(fmt.Sprintf("%d people have arrived without their linked account at %s: by that account they would be somebody new", p.Unlinked[provider], provider),
			"set PROVIDERS of the trigger, and run codegrant move drain --linked --yes; an account that is a user of its own in the new pool has to be deleted first")
	}
	for _, provider := range m.Tickets.Providers {
		if n, kind := p.Linked[provider], kinds[provider]; n > 0 && (kind == types.IdentityProviderTypeTypeOidc || kind == types.IdentityProviderTypeTypeSaml) {
			p.note(fmt.Sprintf("%d people have an account at %s that is linked to theirs: Cognito does not say by which attribute, so it is linked by the subject", n, provider),
				"link accounts again that are linked by another attribute, and that nobody has signed in with yet")
		}
	}
	return nil
}
