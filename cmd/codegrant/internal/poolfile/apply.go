package poolfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// input makes the input of a call out of settings, by their names.
func input[In any](s settings, more settings) (*In, error) {
	object, err := json.Marshal(merged(s, more))
	if err != nil {
		return nil, err
	}
	in := new(In)
	if err := json.Unmarshal(object, in); err != nil {
		return nil, fmt.Errorf("a setting is not of the kind that the API takes: %w", err)
	}
	return in, nil
}

// made makes a call out of settings.
func made[In, Out any](ctx context.Context, f func(context.Context, *In, ...func(*cip.Options)) (*Out, error), s, more settings) error {
	in, err := input[In](s, more)
	if err != nil {
		return err
	}
	_, err = f(ctx, in)
	return err
}

// apply changes what can be changed of the differences, one thing at a time. A run that was
// cut off is repeated. Cognito has no update that depends on what was there: each thing is
// read once more just before it is set, and what somebody else has changed is left alone.
func apply(ctx context.Context, api *cip.Client, id string, have, want *File, differences []Difference, secrets providerSecrets) error {
	type key struct{ what, name string }
	var order []key
	for _, d := range differences {
		if k := (key{d.What, d.Name}); d.Kept == "" && !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	poolIsSet := false // by this run
	one := func(k key) error {
		if k.what == "attribute" {
			return addAttribute(ctx, api, id, k.name, differences)
		}
		if mfa := (key{what: "mfa"}); k.what == "pool" && slices.Contains(order, mfa) {
			if _, err := same(ctx, api, id, mfa.what, mfa.name, have, false); err != nil {
				return fmt.Errorf("%s: %w", mfa.what, err)
			}
		}
		before, err := same(ctx, api, id, k.what, k.name, have, poolIsSet)
		if err != nil {
			return err
		}
		poolIsSet = poolIsSet || k.what == "pool"
		return set(ctx, api, id, k.what, k.name, before, want.thing(k.what, k.name), secrets)
	}
	for _, k := range order {
		if err := one(k); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(k.what+" "+k.name), err)
		}
	}
	return nil
}

var errMeanwhile = errors.New("somebody else has changed it since the plan was made")

// mfaOfPool are settings of second factors that a change of the pool's settings sets, too.
var mfaOfPool = []string{"MfaConfiguration", "SmsMfaConfiguration"}

// same returns a thing if it is still what the plan was made of. What this run itself has
// changed by setting the pool is as it is now.
func same(ctx context.Context, api *cip.Client, id, what, name string, have *File, poolIsSet bool) (settings, error) {
	now, err := readAgain(ctx, api, id, what, name)
	if err != nil {
		return nil, err
	}
	planned := have.thing(what, name)
	if what == "mfa" && poolIsSet {
		planned = merged(nil, planned)
		for _, member := range mfaOfPool {
			if delete(planned, member); now[member] != nil {
				planned[member] = now[member]
			}
		}
	}
	before := planned
	if what == "pool" { // to which this run has added attributes, perhaps
		before, now = maps.Clone(before), maps.Clone(now)
		delete(before, "SchemaAttributes")
		delete(now, "SchemaAttributes")
	}
	if (now == nil) != (before == nil) || len(fields(what, name, "", before, now)) > 0 {
		return nil, errMeanwhile
	}
	return planned, nil
}

func addAttribute(ctx context.Context, api *cip.Client, id, name string, differences []Difference) error {
	for _, d := range differences {
		attribute, ok := d.Want.(settings)
		if d.What != "attribute" || d.Name != name || !ok {
			continue
		}
		bare := strings.TrimPrefix(strings.TrimPrefix(name, "dev:"), "custom:")
		if bare == name {
			return fmt.Errorf("only attributes whose names begin with custom: can be added")
		}
		return made(ctx, api.AddCustomAttributes, settings{"UserPoolId": id, "CustomAttributes": []any{merged(attribute, settings{"Name": bare})}}, nil)
	}
	return nil
}

func set(ctx context.Context, api *cip.Client, id, what, name string, have, want settings, secrets providerSecrets) error {
	here := settings{"UserPoolId": id}
	all := merged(have, want)
	switch what {
	case "pool":
		return made(ctx, api.UpdateUserPool, all, merged(here, settings{"PoolName": all["Name"]}))
	case "mfa":
		return made(ctx, api.SetUserPoolMfaConfig, all, here)
	case "domain":
		return made(ctx, api.CreateUserPoolDomain, all, here)
	case "resource server":
		here["Identifier"] = name
		if have == nil {
			return made(ctx, api.CreateResourceServer, all, here)
		}
		return made(ctx, api.UpdateResourceServer, all, here)
	case "group":
		here["GroupName"] = name
		if have == nil {
			return made(ctx, api.CreateGroup, all, here)
		}
		return made(ctx, api.UpdateGroup, all, here)
	case "identity provider":
		return setProvider(ctx, api, id, name, have, all, secrets)
	case "client":
		here["ClientName"] = name
		if have == nil {
			return createClient(ctx, api, id, name, all, here)
		}
		client, err := clientID(ctx, api, id, name)
		if err != nil {
			return err
		}
		here["ClientId"] = client
		return made(ctx, api.UpdateUserPoolClient, all, here)
	}
	return fmt.Errorf("cannot be set")
}

// createClient makes an app client. Names need not differ: if somebody else has made one of
// that name at the same time, the later one goes.
func createClient(ctx context.Context, api *cip.Client, id, name string, all, here settings) error {
	in, err := input[cip.CreateUserPoolClientInput](all, here)
	if err != nil {
		return err
	}
	out, err := api.CreateUserPoolClient(ctx, in)
	if err != nil {
		return err
	}
	own := out.UserPoolClient
	for pages := cip.NewListUserPoolClientsPaginator(api, &cip.ListUserPoolClientsInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, listed := range page.UserPoolClients {
			if aws.ToString(listed.ClientName) != name || aws.ToString(listed.ClientId) == aws.ToString(own.ClientId) {
				continue
			}
			other, err := api.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &id, ClientId: listed.ClientId})
			if isMissing(err) {
				continue // it was the later one
			}
			if err != nil {
				return err
			}
			if order := aws.ToTime(other.UserPoolClient.CreationDate).Compare(aws.ToTime(own.CreationDate)); order < 0 || order == 0 && aws.ToString(listed.ClientId) < aws.ToString(own.ClientId) {
				_, err := api.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: &id, ClientId: own.ClientId})
				return errors.Join(errMeanwhile, err)
			}
		}
	}
	return nil
}

// setProvider changes an identity provider, with the secret that it has.
func setProvider(ctx context.Context, api *cip.Client, id, name string, have, all settings, given providerSecrets) error {
	here := settings{"UserPoolId": id, "ProviderName": name}
	if have == nil {
		if member := secretOf(all); member != "" && given[name] != "" {
			details, _ := all["ProviderDetails"].(settings)
			all = merged(all, settings{"ProviderDetails": merged(details, settings{member: given[name]})})
		}
		return made(ctx, api.CreateIdentityProvider, all, here)
	}
	out, err := api.DescribeIdentityProvider(ctx, &cip.DescribeIdentityProviderInput{UserPoolId: &id, ProviderName: &name})
	if err != nil {
		return err
	}
	details, _ := all["ProviderDetails"].(settings)
	details = merged(nil, details)
	for _, secret := range secrets {
		if value, ok := out.IdentityProvider.ProviderDetails[secret]; ok {
			details[secret] = value
		}
	}
	return made(ctx, api.UpdateIdentityProvider, merged(all, settings{"ProviderDetails": details}), here)
}

func clientID(ctx context.Context, api *cip.Client, id, name string) (string, error) {
	ids, err := clientIDs(ctx, api, id)
	if err != nil || ids[name] != "" {
		return ids[name], err
	}
	return "", fmt.Errorf("it is gone")
}
