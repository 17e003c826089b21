package poolcopy

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
)

// People calls a function for everybody of a pool.
type People func(ctx context.Context, each func(Person) error) error

// FromAPI reads the pool itself. With factors, it asks for the second factors of each
// person, one by one.
func FromAPI(api *cip.Client, poolID string, factors bool) (People, error) {
	source, err := directory.NewCognito(directory.CognitoConfig{Client: api, PoolID: poolID})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, each func(Person) error) error {
		groups, err := memberships(ctx, source)
		if err != nil {
			return err
		}
		for q := (directory.UserQuery{}); ; {
			page, err := source.Users(ctx, q)
			if err != nil {
				return err
			}
			for _, u := range page.Users {
				p := Person{Username: u.Username, Attributes: u.Attributes, Enabled: u.Enabled, Status: u.Status, Groups: groups[u.Subject()]}
				if factors {
					var gone *types.UserNotFoundException
					if p.Factors, err = factorsOf(ctx, api, poolID, u.Username); errors.As(err, &gone) {
						continue // deleted since the pool listed them
					} else if err != nil {
						return err
					}
				}
				if err := each(p); err != nil {
					return err
				}
			}
			if q.After = page.Next; q.After == "" {
				return nil
			}
		}
	}, nil
}

// memberships are the groups of everybody who is in one, by sub.
func memberships(ctx context.Context, source directory.Source) (map[string][]string, error) {
	all := make(map[string][]string)
	for after := ""; ; {
		page, err := source.Groups(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			for next := ""; ; {
				members, err := source.Members(ctx, g.Name, next)
				if err != nil {
					return nil, err
				}
				for _, subject := range members.Subjects {
					all[subject] = append(all[subject], g.Name)
				}
				if next = members.Next; next == "" {
					break
				}
			}
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// factorsOf asks for the second factors of a user, the preferred one first.
func factorsOf(ctx context.Context, api *cip.Client, poolID, username string) ([]string, error) {
	out, err := api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &poolID, Username: &username})
	if err != nil {
		return nil, err
	}
	factors := out.UserMFASettingList
	if out.PreferredMfaSetting != nil {
		factors = slices.DeleteFunc(factors, func(f string) bool { return f == *out.PreferredMfaSetting })
		factors = append([]string{*out.PreferredMfaSetting}, factors...)
	}
	return factors, nil
}

// FromReplica reads the replica that a configuration names.
func FromReplica(file, poolID string) People {
	return func(ctx context.Context, each func(Person) error) error {
		s, err := parts.Inspection{Config: file}.Load(parts.UsesPeople)
		if err != nil {
			return err
		}
		o, err := parts.LookAtStores(s)
		if err != nil {
			return err
		}
		defer o.Close()
		if err := o.CheckPeople(ctx); err != nil {
			return err
		}
		for _, pool := range s.Pools {
			if !issued(pool.Issuer, poolID) {
				continue
			}
			for q := (replica.UserQuery{Issuer: pool.Issuer}); ; {
				page, err := o.Users.Users(ctx, q)
				if err != nil {
					return err
				}
				for _, u := range page.Users {
					if err := each(replicated(u)); err != nil {
						return err
					}
				}
				if q.After = page.Next; q.After == "" {
					return nil
				}
			}
		}
		return errors.New("the configuration has no pool " + poolID)
	}
}

// issued reports whether an issuer is that of a pool.
func issued(issuer, poolID string) bool { return strings.HasSuffix(issuer, "/"+poolID) }

func replicated(u replica.User) Person {
	p := Person{Username: u.Username, Enabled: u.Enabled, Status: u.Status, Attributes: make(map[string]string)}
	for name, value := range u.Custom {
		p.Attributes[name] = value
	}
	for name, value := range map[string]string{
		"email": u.Email, "name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName, "phone_number": u.PhoneNumber, "locale": u.Locale,
	} {
		if value != "" {
			p.Attributes[name] = value
		}
	}
	if u.Email != "" {
		p.Attributes["email_verified"] = strconv.FormatBool(u.EmailVerified)
	}
	if u.PhoneNumber != "" {
		p.Attributes["phone_number_verified"] = strconv.FormatBool(u.PhoneNumberVerified)
	}
	for _, g := range u.Groups {
		if g.Pool {
			p.Groups = append(p.Groups, g.Name)
		}
	}
	return p
}

// FromBackup reads a file of codegrant backup.
func FromBackup(file string, identities []string, poolID string) People {
	return func(_ context.Context, each func(Person) error) error {
		keys, err := parts.Identities(identities)
		if err != nil {
			return err
		}
		return backup.People(func() (io.ReadCloser, error) { return os.Open(file) }, keys, func(p backup.Person) error {
			if !issued(p.Issuer, poolID) {
				return nil
			}
			return each(Person{Username: p.Username, Attributes: p.Attributes, Enabled: p.Enabled, Status: p.Status, Groups: p.Groups})
		})
	}
}
