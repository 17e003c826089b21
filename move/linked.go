package move

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// account is one at an identity provider, as the attribute identities has it.
type account struct {
	ProviderName string `json:"providerName"`
	UserID       string `json:"userId"`
}

func accountsOf(p person) (all []account) {
	if err := json.Unmarshal([]byte(p.attributes["identities"]), &all); err != nil {
		return nil // none, or nothing that a pool writes
	}
	return all
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

type linkCall = func(context.Context, *cip.AdminLinkProviderForUserInput, ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error)

// link gives somebody in the new pool the accounts at Providers that they have in the old
// one. An account that the new pool does not take stays away, and the log says so: it may
// have signed in there by itself before, and then it is a user of its own.
func (t *Tickets) link(ctx context.Context, call linkCall, log *slog.Logger, was person, username string) error {
	if len(linked(was)) == 0 {
		return nil
	}
	for _, a := range accountsOf(was) {
		if !slices.Contains(t.Providers, a.ProviderName) {
			continue
		}
		_, err := call(ctx, &cip.AdminLinkProviderForUserInput{
			UserPoolId:      &t.new,
			DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: &username},
			SourceUser: &types.ProviderUserIdentifierType{
				ProviderName: &a.ProviderName, ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: &a.UserID,
			},
		})
		var refused *types.InvalidParameterException
		var most *types.LimitExceededException
		switch {
		case errors.As(err, &refused), errors.As(err, &most):
			log.LogAttrs(ctx, slog.LevelWarn, "an account at a provider is not linked", slog.String("sub", was.sub), slog.String("provider", a.ProviderName), slog.String("reason", kindOf(err)))
		case err != nil:
			return err
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
