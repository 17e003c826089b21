package rule

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// OwnUsers stands for the users of the pool itself among its identity providers, as it does
// at Cognito.
const OwnUsers = "COGNITO"

// SamePeople has people of several providers of a pool be one person: it is the value of
// [codegrant.Config].SamePerson. At the first sign-in of an identity, it finds the one
// person of the same pool who has the same address. Both addresses have to be verified, as
// the pool says, and both identities have to be of trusted providers alone: name those that
// verify addresses, and [OwnUsers] if the pool does. A provider where people can choose an
// address lets them become somebody else. If several people have the address, the identity
// becomes a person of its own: an operator can merge them.
//
// The replica must have heard of the person from the pool's directory: run package directory,
// or codegrant sync. SamePeople merges nobody with a person whom the replica knows from tokens
// alone, because a trigger of the pool can hide the group of their provider.
func SamePeople(users replica.Store, trusted ...string) func(ctx context.Context, claims *verify.Claims) (issuer, subject string, err error) {
	trust := func(sources []string) bool {
		return len(sources) > 0 && !slices.ContainsFunc(sources, func(name string) bool { return !slices.Contains(trusted, name) })
	}
	return func(ctx context.Context, claims *verify.Claims) (string, string, error) {
		if claims.Email == "" || !claims.EmailVerified || !trust(sourcesOfToken(claims)) {
			return "", "", nil
		}
		found, err := users.UsersByEmail(ctx, claims.Issuer, claims.Email)
		if err != nil {
			return "", "", err
		}
		var is replica.User
		for _, u := range found {
			switch {
			case u.Subject == claims.Subject || !u.Deleted.IsZero():
			case !u.EmailVerified || !u.Enabled || !trust(sourcesOfUser(u)):
			case is.ID != 0 && is.Person() != u.Person():
				return "", "", nil
			case is.ID == 0:
				is = u
			}
		}
		if is.ID == 0 || len(found) == replica.MaxPage {
			return "", "", nil
		}
		return is.Issuer, is.Subject, nil
	}
}

// sourcesOfToken are where an identity comes from, by the token of its sign-in.
func sourcesOfToken(claims *verify.Claims) (names []string) {
	own := true
	for _, account := range claims.Identities {
		names = append(names, account.ProviderName)
		own = own && !strings.EqualFold(claims.Username, account.ProviderName+"_"+account.UserID)
	}
	if own {
		names = append(names, OwnUsers)
	}
	return names
}

// sourcesOfUser are where an identity comes from, as its pool's directory says: its status,
// and the accounts. None: it is not known. What tokens alone told does not count: a trigger
// can hide the group of a provider, and a user of the pool has none for a linked account.
func sourcesOfUser(u replica.User) (names []string) {
	if u.Status == "" {
		return nil
	}
	if text := u.Custom["identities"]; text != "" {
		var accounts []struct {
			ProviderName string `json:"providerName"`
		}
		if json.Unmarshal([]byte(text), &accounts) != nil {
			return nil
		}
		for _, account := range accounts {
			names = append(names, account.ProviderName)
		}
	}
	switch external := u.Status == "EXTERNAL_PROVIDER"; {
	case external && len(names) == 0:
		return nil
	case !external:
		names = append(names, OwnUsers)
	}
	// Cognito has a group for each provider, named {pool id}_{provider}.
	pool := u.Issuer[strings.LastIndexByte(u.Issuer, '/')+1:]
	for _, m := range u.Groups {
		if m.Origin == replica.OriginProvider {
			names = append(names, strings.TrimPrefix(m.Name, pool+"_"))
		}
	}
	return names
}
