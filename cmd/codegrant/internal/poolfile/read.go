package poolfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// settings are those of one thing, by the names of the API.
type settings = map[string]any

// File is what a pool is set to. Things have the names that people gave them, because ids
// differ between pools.
type File struct {
	Pool      settings            `json:"pool"`
	MFA       settings            `json:"mfa,omitempty"`
	Domain    settings            `json:"domain,omitempty"`
	Clients   map[string]settings `json:"clients,omitempty"`
	Servers   map[string]settings `json:"resource_servers,omitempty"`
	Providers map[string]settings `json:"identity_providers,omitempty"`
	Groups    map[string]settings `json:"groups,omitempty"`
}

// plain is an answer of the API without what is empty, and without some of its members.
func plain(answer any, without ...string) (settings, error) {
	object, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	var all settings
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	for _, name := range append(without, "ResultMetadata") {
		delete(all, name)
	}
	return prune(all).(settings), nil
}

func prune(v any) any {
	switch v := v.(type) {
	case settings:
		for name, member := range v {
			if member = prune(member); empty(member) {
				delete(v, name)
			} else {
				v[name] = member
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case settings:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == "" // a member that the API has left out
	}
	return false
}

// read asks a pool for everything.
func read(ctx context.Context, api *cip.Client, id string) (*File, error) {
	f := &File{Clients: make(map[string]settings), Servers: make(map[string]settings), Providers: make(map[string]settings), Groups: make(map[string]settings)}
	for _, part := range []func(context.Context, *cip.Client, string) error{f.readPool, f.readMFA, f.readDomain, f.readClients, f.readServers, f.readProviders, f.readGroups} {
		if err := part(ctx, api, id); err != nil {
			return nil, err
		}
	}
	return f, nil
}

var errTwoOfAName = errors.New("two app clients have")

// readSettled reads a pool after a change. If another run has made an app client of the same
// name, it takes a moment until the later one is gone.
func readSettled(ctx context.Context, api *cip.Client, id string) (f *File, err error) {
	for range 20 {
		if f, err = read(ctx, api, id); !errors.Is(err, errTwoOfAName) && !isMissing(err) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return f, err
}

// readAgain asks a pool for one thing, as it is now.
func readAgain(ctx context.Context, api *cip.Client, id, what, name string) (settings, error) {
	f := &File{Clients: make(map[string]settings), Servers: make(map[string]settings), Providers: make(map[string]settings), Groups: make(map[string]settings)}
	var err error
	switch what {
	case "pool":
		err = f.readPool(ctx, api, id)
	case "mfa":
		err = f.readMFA(ctx, api, id)
	case "domain":
		err = f.readDomain(ctx, api, id)
	case "resource server":
		err = f.readServers(ctx, api, id)
	case "group":
		err = f.readGroups(ctx, api, id)
	case "identity provider":
		if err = f.readProvider(ctx, api, id, name); isMissing(err) {
			err = nil
		}
	case "client":
		var ids map[string]string
		if ids, err = clientIDs(ctx, api, id); err == nil && ids[name] != "" {
			err = f.readClient(ctx, api, id, ids[name])
		}
	}
	return f.thing(what, name), err
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

func (f *File) readPool(ctx context.Context, api *cip.Client, id string) error {
	pool, err := api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &id})
	if err != nil {
		return fmt.Errorf("read the pool: %w", err)
	}
	if f.Pool, err = plain(pool.UserPool, "Arn", "CreationDate", "CustomDomain", "Domain", "EstimatedNumberOfUsers", "Id", "LastModifiedDate", "Status", "SmsConfigurationFailure", "EmailConfigurationFailure"); err != nil {
		return err
	}
	if admin, ok := f.Pool["AdminCreateUserConfig"].(settings); ok {
		delete(admin, "UnusedAccountValidityDays") // a name of before for TemporaryPasswordValidityDays, which it refuses beside it
	}
	return nil
}

func (f *File) readMFA(ctx context.Context, api *cip.Client, id string) error {
	mfa, err := api.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &id})
	if err != nil {
		return fmt.Errorf("read the settings of second factors: %w", err)
	}
	f.MFA, err = plain(mfa)
	return err
}

func (f *File) readDomain(ctx context.Context, api *cip.Client, id string) error {
	pool, err := api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &id})
	if err != nil {
		return fmt.Errorf("read the pool: %w", err)
	}
	name := aws.ToString(pool.UserPool.Domain)
	if name == "" {
		return nil
	}
	domain, err := api.DescribeUserPoolDomain(ctx, &cip.DescribeUserPoolDomainInput{Domain: &name})
	if err != nil {
		return fmt.Errorf("read the domain: %w", err)
	}
	f.Domain, err = plain(domain.DomainDescription, "AWSAccountId", "CloudFrontDistribution", "S3Bucket", "Status", "UserPoolId", "Version")
	return err
}

func (f *File) readClients(ctx context.Context, api *cip.Client, id string) error {
	for pages := cip.NewListUserPoolClientsPaginator(api, &cip.ListUserPoolClientsInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list app clients: %w", err)
		}
		for _, listed := range page.UserPoolClients {
			if err := f.readClient(ctx, api, id, aws.ToString(listed.ClientId)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) readClient(ctx context.Context, api *cip.Client, id, client string) error {
	out, err := api.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &id, ClientId: &client})
	if err != nil {
		return fmt.Errorf("read app client %s: %w", client, err)
	}
	name := aws.ToString(out.UserPoolClient.ClientName)
	if _, twice := f.Clients[name]; twice {
		return fmt.Errorf("%w the name %q: give them different names first", errTwoOfAName, name)
	}
	if f.Clients[name], err = plain(out.UserPoolClient, "ClientId", "ClientName", "ClientSecret", "CreationDate", "LastModifiedDate", "UserPoolId"); err != nil {
		return err
	}
	if aws.ToString(out.UserPoolClient.ClientSecret) != "" {
		f.Clients[name]["GenerateSecret"] = true
	}
	return nil
}

func (f *File) readServers(ctx context.Context, api *cip.Client, id string) error {
	for pages := cip.NewListResourceServersPaginator(api, &cip.ListResourceServersInput{UserPoolId: &id, MaxResults: aws.Int32(50)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list resource servers: %w", err)
		}
		for _, s := range page.ResourceServers {
			if f.Servers[aws.ToString(s.Identifier)], err = plain(s, "Identifier", "UserPoolId"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) readProviders(ctx context.Context, api *cip.Client, id string) error {
	for pages := cip.NewListIdentityProvidersPaginator(api, &cip.ListIdentityProvidersInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list identity providers: %w", err)
		}
		for _, listed := range page.Providers {
			if err := f.readProvider(ctx, api, id, aws.ToString(listed.ProviderName)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) readProvider(ctx context.Context, api *cip.Client, id, name string) error {
	out, err := api.DescribeIdentityProvider(ctx, &cip.DescribeIdentityProviderInput{UserPoolId: &id, ProviderName: &name})
	if err != nil {
		return fmt.Errorf("read identity provider %s: %w", name, err)
	}
	for _, secret := range secrets {
		delete(out.IdentityProvider.ProviderDetails, secret)
	}
	f.Providers[name], err = plain(out.IdentityProvider, "CreationDate", "LastModifiedDate", "ProviderName", "UserPoolId")
	return err
}

func (f *File) readGroups(ctx context.Context, api *cip.Client, id string) error {
	for pages := cip.NewListGroupsPaginator(api, &cip.ListGroupsInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		for _, g := range page.Groups {
			// Cognito makes those of identity providers.
			if strings.HasPrefix(aws.ToString(g.GroupName), id+"_") {
				continue
			}
			if f.Groups[aws.ToString(g.GroupName)], err = plain(g, "CreationDate", "GroupName", "LastModifiedDate", "UserPoolId"); err != nil {
				return err
			}
		}
	}
	return nil
}

// things are the parts of a file by what they are and their name, in an order in which one
// may name another that is before it.
func (f *File) things(each func(what, name string, s settings)) {
	each("pool", "", f.Pool)
	each("mfa", "", f.MFA)
	each("domain", "", f.Domain)
	for _, part := range []struct {
		what string
		all  map[string]settings
	}{{"resource server", f.Servers}, {"identity provider", f.Providers}, {"client", f.Clients}, {"group", f.Groups}} {
		for _, name := range slices.Sorted(maps.Keys(part.all)) {
			each(part.what, name, part.all[name])
		}
	}
}

func (f *File) thing(what, name string) (found settings) {
	f.things(func(w, n string, s settings) {
		if w == what && n == name {
			found = s
		}
	})
	return found
}
