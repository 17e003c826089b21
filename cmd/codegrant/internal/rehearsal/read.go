package rehearsal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"golang.org/x/time/rate"

	"github.com/codegrant/codegrant/replica"
)

// API is what is read of a real pool. Nothing of it writes.
type API interface {
	DescribeUserPool(context.Context, *cip.DescribeUserPoolInput, ...func(*cip.Options)) (*cip.DescribeUserPoolOutput, error)
	DescribeUserPoolClient(context.Context, *cip.DescribeUserPoolClientInput, ...func(*cip.Options)) (*cip.DescribeUserPoolClientOutput, error)
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
	ListGroups(context.Context, *cip.ListGroupsInput, ...func(*cip.Options)) (*cip.ListGroupsOutput, error)
	ListUsersInGroup(context.Context, *cip.ListUsersInGroupInput, ...func(*cip.Options)) (*cip.ListUsersInGroupOutput, error)
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
	GetUserPoolMfaConfig(context.Context, *cip.GetUserPoolMfaConfigInput, ...func(*cip.Options)) (*cip.GetUserPoolMfaConfigOutput, error)
}

// Reader reads the people of the old pool into a file.
type Reader struct {
	API   API
	Pool  string
	Masks Masks
	Share float64 // of the quotas of Cognito
	// Progress hears how many are read, now and then.
	Progress func(people int)
}

// Read reads everybody who is not in the file yet: once more, it goes on where it was cut off.
func (r *Reader) Read(ctx context.Context, into *File) error {
	if into.Complete() {
		return nil
	}
	described, err := r.API.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &r.Pool})
	if err != nil {
		return fmt.Errorf("describe the old pool: %w", err)
	}
	kinds := kindsOf(described.UserPool)
	lists, looks := rate.NewLimiter(rate.Limit(30*r.Share), 1), rate.NewLimiter(rate.Limit(120*r.Share), 1)
	groups, names, err := r.groups(ctx, lists)
	if err != nil {
		return err
	}
	factors := described.UserPool.MfaConfiguration
	codes := new(cip.GetUserPoolMfaConfigOutput)
	if factors == types.UserPoolMfaTypeOn {
		if codes, err = r.API.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &r.Pool}); err != nil {
			return fmt.Errorf("read the second factors of the old pool: %w", err)
		}
	}
	for in := (&cip.ListUsersInput{UserPoolId: &r.Pool, Limit: aws.Int32(60)}); ; {
		page, err := turn(ctx, lists, r.API.ListUsers, in)
		if err != nil {
			return fmt.Errorf("list the users of the old pool: %w", err)
		}
		for _, u := range page.Users {
			p := person{username: aws.ToString(u.Username), status: string(u.UserStatus), enabled: u.Enabled, attributes: make(map[string]string)}
			for _, at := range u.Attributes {
				p.attributes[aws.ToString(at.Name)] = aws.ToString(at.Value)
			}
			if p.sub = p.attributes["sub"]; into.Has(r.Masks.Who(p.sub)) {
				continue
			}
			for _, i := range groups[sha256.Sum256([]byte(p.username))] {
				p.groups = append(p.groups, names[i])
			}
			if factors != types.UserPoolMfaTypeOff && factors != "" && u.UserStatus != types.UserStatusTypeExternalProvider {
				whole, err := turn(ctx, looks, r.API.AdminGetUser, &cip.AdminGetUserInput{UserPoolId: &r.Pool, Username: u.Username})
				var gone *types.UserNotFoundException
				switch {
				case errors.As(err, &gone):
					continue
				case err != nil:
					return fmt.Errorf("look at a user of the old pool: %w", err)
				}
				if p.factors = whole.UserMFASettingList; len(p.factors) == 0 && len(whole.MFAOptions) > 0 {
					p.factors = []string{"SMS_MFA"}
				}
				if len(p.factors) == 0 { // the pool asks whomever it can reach for a code
					p.factors = required(codes, p)
				}
			}
			if err := into.Add(r.Masks.shape(p, kinds)); err != nil {
				return err
			}
		}
		if r.Progress != nil {
			r.Progress(into.People())
		}
		if in.PaginationToken = page.PaginationToken; in.PaginationToken == nil {
			return into.Finish(false)
		}
	}
}

// required are second factors that are the pool's demand and no setting of the person's.
func required(codes *cip.GetUserPoolMfaConfigOutput, p person) []string {
	verified := func(name string) bool {
		return p.attributes[name] != "" && strings.EqualFold(p.attributes[name+"_verified"], "true")
	}
	switch {
	case codes.SmsMfaConfiguration != nil && verified("phone_number"):
		return []string{"SMS_MFA"}
	case codes.EmailMfaConfiguration != nil && verified("email"):
		return []string{"EMAIL_OTP"}
	}
	return nil
}

// turn waits for its turn, and makes a call.
func turn[In, Out any](ctx context.Context, at *rate.Limiter, f func(context.Context, *In, ...func(*cip.Options)) (*Out, error), in *In) (*Out, error) {
	if err := at.Wait(ctx); err != nil {
		return nil, err
	}
	return f(ctx, in)
}

// groups reads who is in which group: by group, which takes far fewer calls than by person.
func (r *Reader) groups(ctx context.Context, lists *rate.Limiter) (in map[[32]byte][]uint16, names []string, err error) {
	in = make(map[[32]byte][]uint16)
	for all := (&cip.ListGroupsInput{UserPoolId: &r.Pool, Limit: aws.Int32(60)}); ; {
		page, err := turn(ctx, lists, r.API.ListGroups, all)
		if err != nil {
			return nil, nil, fmt.Errorf("list the groups of the old pool: %w", err)
		}
		for _, g := range page.Groups {
			if name := aws.ToString(g.GroupName); !strings.HasPrefix(name, r.Pool+"_") { // else the pool made it for a provider
				names = append(names, name)
			}
		}
		if all.NextToken = page.NextToken; all.NextToken == nil {
			break
		}
	}
	for i, name := range names {
		for members := (&cip.ListUsersInGroupInput{UserPoolId: &r.Pool, GroupName: &name, Limit: aws.Int32(60)}); ; {
			page, err := turn(ctx, lists, r.API.ListUsersInGroup, members)
			if err != nil {
				return nil, nil, fmt.Errorf("list the members of a group of the old pool: %w", err)
			}
			for _, u := range page.Users {
				who := sha256.Sum256([]byte(aws.ToString(u.Username)))
				in[who] = append(in[who], uint16(i)) // #nosec G115 -- a pool has 10,000 groups at most
			}
			if members.NextToken = page.NextToken; members.NextToken == nil {
				break
			}
		}
	}
	return in, names, nil
}

// kindsOf are the types of data of a pool's attributes.
func kindsOf(pool *types.UserPoolType) map[string]string {
	kinds := make(map[string]string)
	for _, at := range pool.SchemaAttributes {
		kinds[aws.ToString(at.Name)] = string(at.AttributeDataType)
	}
	return kinds
}

// ReadReplica reads everybody from a replica of the old pool, which knows no second factors.
// pool describes the old pool.
func (r *Reader) ReadReplica(ctx context.Context, users replica.Store, issuer string, into *File) error {
	if into.Complete() {
		return nil
	}
	described, err := r.API.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &r.Pool})
	if err != nil {
		return fmt.Errorf("describe the old pool: %w", err)
	}
	kinds := kindsOf(described.UserPool)
	for q := (replica.UserQuery{Issuer: issuer}); ; {
		page, err := users.Users(ctx, q)
		if err != nil {
			return fmt.Errorf("read the replica: %w", err)
		}
		for _, u := range page.Users {
			if err := into.Add(r.Masks.shape(personOf(u), kinds)); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return into.Finish(true)
		}
	}
}

// personOf is what a replica knows of somebody.
func personOf(u replica.User) person {
	p := person{sub: u.Subject, username: u.Username, status: u.Status, enabled: u.Enabled, attributes: map[string]string{
		"email": u.Email, "name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName, "phone_number": u.PhoneNumber, "locale": u.Locale,
	}}
	for name, value := range u.Custom {
		p.attributes[name] = value
	}
	if u.Email != "" {
		p.attributes["email_verified"] = fmt.Sprint(u.EmailVerified)
	}
	if u.PhoneNumber != "" {
		p.attributes["phone_number_verified"] = fmt.Sprint(u.PhoneNumberVerified)
	}
	if p.status == "" { // of somebody who is known by tokens alone
		p.status = string(types.UserStatusTypeConfirmed)
	}
	for _, g := range u.Groups {
		if g.Pool && g.Origin != replica.OriginProvider {
			p.groups = append(p.groups, g.Name)
		}
	}
	return p
}
