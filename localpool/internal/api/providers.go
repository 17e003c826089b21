package api

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// providerDetails are what AWS adds to the details of providers that it knows (their
// endpoints, as they read in a described pool).
var providerDetails = map[string]map[string]string{
	"Google": {
		"attributes_url": "https://people.googleapis.com/v1/people/me?personFields=", "attributes_url_add_attributes": "true",
		"authorize_url": "https://accounts.google.com/o/oauth2/v2/auth", "oidc_issuer": "https://accounts.google.com",
		"token_request_method": "POST", "token_url": "https://www.googleapis.com/oauth2/v4/token",
	},
	"Facebook": {
		"attributes_url": "https://graph.facebook.com/v17.0/me?fields=", "attributes_url_add_attributes": "true",
		"authorize_url": "https://www.facebook.com/v17.0/dialog/oauth", "token_request_method": "GET",
		"token_url": "https://graph.facebook.com/v17.0/oauth/access_token",
	},
	"LoginWithAmazon": {
		"attributes_url": "https://api.amazon.com/user/profile", "attributes_url_add_attributes": "false",
		"authorize_url": "https://www.amazon.com/ap/oa", "token_request_method": "POST", "token_url": "https://api.amazon.com/auth/o2/token",
	},
	"SignInWithApple": {
		"attributes_url_add_attributes": "false", "authorize_url": "https://appleid.apple.com/auth/authorize", "oidc_issuer": "https://appleid.apple.com",
		"token_request_method": "POST", "token_url": "https://appleid.apple.com/auth/token",
	},
	"OIDC": {"attributes_url_add_attributes": "false"},
}

// providerSubjects are what a provider calls its users by.
var providerSubjects = map[string]string{"Google": "sub", "SignInWithApple": "sub", "OIDC": "sub", "Facebook": "id", "LoginWithAmazon": "user_id"}

// socialProviders are the types that are their own names.
var socialProviders = []string{"Facebook", "Google", "LoginWithAmazon", "SignInWithApple"}

// requiredDetails are what a provider cannot be asked without (AWS, API reference,
// CreateIdentityProvider). An OIDC provider may have no secret.
var requiredDetails = map[string][]string{
	"Google":          {"client_id", "client_secret", "authorize_scopes"},
	"Facebook":        {"client_id", "client_secret", "authorize_scopes"},
	"LoginWithAmazon": {"client_id", "client_secret", "authorize_scopes"},
	"SignInWithApple": {"client_id", "team_id", "key_id", "private_key", "authorize_scopes"},
	"OIDC":            {"client_id", "attributes_request_method", "oidc_issuer", "authorize_scopes"},
}

// endpointDetails are URLs.
var endpointDetails = []string{"oidc_issuer", "authorize_url", "token_url", "attributes_url", "jwks_uri", "MetadataURL"}

// checkDetails refuses the details of a provider that cannot be asked with them. The texts
// about Google and its like, and about SAML, are those of live pools.
// (Unconfirmed: "texts about the details of OIDC and Apple".)
func checkDetails(kind string, details map[string]string) error {
	required := requiredDetails[kind]
	if slices.ContainsFunc(required, func(name string) bool { return strings.TrimSpace(details[name]) == "" }) {
		last := len(required) - 1
		return invalid("%s and %s are all required idp details", strings.Join(required[:last], ", "), required[last])
	}
	for _, name := range endpointDetails {
		if u, err := url.Parse(details[name]); details[name] != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			return invalid("%s must be a URL: %s", name, details[name])
		}
	}
	if method := details["attributes_request_method"]; kind == "OIDC" && method != "GET" && method != "POST" {
		return invalid("attributes_request_method must be GET or POST: %s", method)
	}
	if kind != "SAML" {
		return nil
	}
	switch file := details["MetadataFile"]; {
	case file == "" && details["MetadataURL"] == "":
		return invalid("At least one of the MetadataURL or MetadataFile should be provided.")
	case file != "" && metadataOf(file)["SSORedirectBindingURI"] == "":
		return invalid("No SingleSignOn Http redirect binding location found in metadata.")
	}
	return nil
}

func checkProvider(p state.Pool, in, before state.Settings) error {
	name, kind := textOf(in["ProviderName"]), textOf(in["ProviderType"])
	social := kind != "SAML" && kind != "OIDC"
	if social && name != kind || !social && slices.Contains(socialProviders, name) {
		return invalid("Provider %s cannot be of type %s.", name, kind)
	}
	if strings.EqualFold(name, "Cognito") {
		return invalid("Provider name COGNITO is reserved.")
	}
	var details, mapping map[string]string
	var identifiers []string
	for member, into := range map[string]any{"ProviderDetails": &details, "AttributeMapping": &mapping, "IdpIdentifiers": &identifiers} {
		if in[member] != nil {
			if err := json.Unmarshal(in[member], into); err != nil {
				return err
			}
		}
	}
	if err := checkDetails(kind, details); err != nil {
		return err
	}
	all := maps.Clone(providerDetails[kind])
	if all == nil {
		all = metadataOf(details["MetadataFile"])
	}
	maps.Copy(all, details)
	if mapping == nil {
		mapping = make(map[string]string)
	}
	rules := p.Rules()
	var unknown []string
	for _, attribute := range slices.Sorted(maps.Keys(mapping)) {
		known := attribute == "username" || p.AnySchema && strings.HasPrefix(attribute, "custom:") || slices.ContainsFunc(rules.SchemaAttributes, func(s state.SchemaAttribute) bool { return s.Name == attribute })
		if !known {
			unknown = append(unknown, attribute)
		}
	}
	if len(unknown) > 0 {
		return invalid("AttributeMapping contains invalid mapping: [%s]", strings.Join(unknown, ", "))
	}
	if subject := providerSubjects[kind]; subject != "" && mapping["username"] == "" {
		mapping["username"] = subject
	}
	for other, doc := range p.Documents[state.IdentityProviders] {
		var theirs []string
		_ = json.Unmarshal(doc.Members["IdpIdentifiers"], &theirs) // none, where there are none
		for _, id := range identifiers {
			if other != name && slices.Contains(theirs, id) {
				return invalid("Identifier %s is already used by another identity provider.", id)
			}
		}
	}
	in["ProviderDetails"], in["AttributeMapping"] = mustRaw(all), mustRaw(mapping)
	if in["IdpIdentifiers"] == nil {
		in["IdpIdentifiers"] = json.RawMessage(`[]`)
	}
	return nil
}
