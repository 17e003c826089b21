package poolfile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
// cut off is repeated.
func apply(ctx context.Context, api *cip.Client, id string, have, want *File, differences []Difference) error {
	type key struct{ what, name string }
	var order []key
	for _, d := range differences {
		if k := (key{d.What, d.Name}); d.Kept == "" && !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	for _, k := range order {
		var err error
		if k.what == "attribute" {
			err = addAttribute(ctx, api, id, k.name, differences)
		} else {
			err = set(ctx, api, id, k.what, k.name, have.thing(k.what, k.name), want.thing(k.what, k.name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(k.what+" "+k.name), err)
		}
	}
	return nil
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

func set(ctx context.Context, api *cip.Client, id, what, name string, have, want settings) error {
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
		return setProvider(ctx, api, id, name, have, all)
	case "client":
		here["ClientName"] = name
		if have == nil {
			return made(ctx, api.CreateUserPoolClient, all, here)
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

// setProvider changes an identity provider, with the secret that it has.
func setProvider(ctx context.Context, api *cip.Client, id, name string, have, all settings) error {
	here := settings{"UserPoolId": id, "ProviderName": name}
	if have == nil {
		if all["ProviderType"] != "SAML" {
			return fmt.Errorf("it needs a secret, which is in no file: create it by hand, and apply again")
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
