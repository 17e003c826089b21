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

// sourcesOfUser are where an identity comes from, as the replica knows it. None: it is not
// known. Cognito has a group for each provider, named {pool id}_{provider}, and a directory
// says the status and the accounts.
func sourcesOfUser(u replica.User) (names []string) {
	pool := u.Issuer[strings.LastIndexByte(u.Issuer, '/')+1:]
	for _, m := range u.Groups {
		if m.Origin == replica.OriginProvider {
			names = append(names, strings.TrimPrefix(m.Name, pool+"_"))
		}
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
	external := u.Status == "EXTERNAL_PROVIDER"
	switch {
	case external && len(names) == 0, u.Status == "" && u.GroupsAsOf.IsZero():
		return nil
	case u.Status != "" && !external, u.Status == "" && len(names) == 0:
		names = append(names, OwnUsers)
	}
	return names
}
