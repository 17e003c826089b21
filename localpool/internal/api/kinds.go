package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// The kinds of documents.
var (
	identityProviders = document{
		kind: state.IdentityProviders, called: "Identity provider", member: "IdentityProvider", shape: "IdentityProviderType", key: "ProviderName",
		most: 300, exists: "DuplicateProviderException", check: checkProvider,
	}
	brandings = document{
		kind: "branding", called: "Managed login branding", member: "ManagedLoginBranding", shape: "ManagedLoginBrandingType", key: "ManagedLoginBrandingId",
		name: uuid, unique: []string{"ClientId"}, exists: "ManagedLoginBrandingExistsException", check: checkBranding,
	}
	terms = document{
		kind: "terms", called: "Terms", member: "Terms", shape: "TermsType", key: "TermsId",
		name: uuid, most: 40, unique: []string{"ClientId", "TermsName"}, exists: "TermsExistsException",
		check: func(_ state.Pool, in, _ state.Settings) error {
			if in["Links"] == nil {
				in["Links"] = json.RawMessage(`{}`)
			}
			return nil
		},
	}
	metadataPolicies = document{
		kind: state.MetadataPolicyKind, called: "CIMD policy", member: "CIMDPolicy", shape: "CIMDPolicyType", key: "CIMDPolicyId",
		name: newID, unique: []string{"PolicyName"}, exists: state.InvalidParameter, plans: true,
		check: func(_ state.Pool, in, _ state.Settings) error {
			if in["CacheDuration"] == nil {
				in["CacheDuration"] = json.RawMessage(`86400`)
			}
			return nil
		},
	}
	riskConfigurations = document{kind: "risk", called: "Risk configuration", member: "RiskConfiguration", shape: "RiskConfigurationType"}
	logDeliveries      = document{
		kind: "logs", called: "Log delivery configuration", member: "LogDeliveryConfiguration", shape: "LogDeliveryConfigurationType",
		check: checkLogs,
	}
	customizations = document{
		kind: "customization", called: "UI customization", member: "UICustomization", shape: "UICustomizationType", check: checkCustomization,
	}
	replicas = document{
		kind: "replica", called: "User pool replica", member: "UserPoolReplica", shape: "UserPoolReplicaType", key: "RegionName",
		most: 1, exists: state.InvalidParameter, plans: true, check: checkReplica,
	}
)

func checkBranding(_ state.Pool, in, before state.Settings) error {
	same := func(name string) bool { return before != nil && string(in[name]) == string(before[name]) }
	own := in["Settings"] != nil || in["Assets"] != nil
	switch provided := string(in["UseCognitoProvidedValues"]) == "true"; {
	case provided && own && !same("UseCognitoProvidedValues") && same("Settings") && same("Assets"): // back to Cognito's
		delete(in, "Settings")
		delete(in, "Assets")
	case provided && own && same("UseCognitoProvidedValues"): // from Cognito's to one's own
		in["UseCognitoProvidedValues"] = mustRaw(false)
	}
	switch {
	case string(in["UseCognitoProvidedValues"]) == "true" && (in["Settings"] != nil || in["Assets"] != nil):
		return invalid("Settings and Assets cannot be specified when UseCognitoProvidedValues is true.")
	case in["UseCognitoProvidedValues"] == nil:
		in["UseCognitoProvidedValues"] = mustRaw(in["Settings"] == nil && in["Assets"] == nil)
	}
	return nil
}

// activity is the source of logs that are of the plan with threat protection.
const activity = "userAuthEvents"

type exportedLog struct {
	LogLevel, EventSource                                               string
	CloudWatchLogsConfiguration, S3Configuration, FirehoseConfiguration *struct{}
}

// exported are the logs that a document has delivered. The model has checked their form.
func exported(in state.Settings) (list []exportedLog) {
	_ = json.Unmarshal(in["LogConfigurations"], &list)
	return list
}

func checkLogs(p state.Pool, in, _ state.Settings) error {
	for _, c := range exported(in) {
		switch {
		case c.EventSource == activity && p.Rules().UserPoolTier != "PLUS" && p.Rules().UserPoolAddOns.AdvancedSecurityMode == "":
			return &state.Error{Type: "FeatureUnavailableInTierException", Message: "Log delivery of userAuthEvents is not available in the pricing tier configured."}
		case c.EventSource == "userNotification" && c.CloudWatchLogsConfiguration == nil:
			return invalid("userNotification logs are delivered to CloudWatch Logs only.")
		case c.CloudWatchLogsConfiguration == nil && c.S3Configuration == nil && c.FirehoseConfiguration == nil:
			return invalid("A log configuration needs a destination.")
		}
	}
	return nil
}

func checkCustomization(p state.Pool, in, before state.Settings) error {
	if p.Domain == "" && p.CustomDomain == "" {
		return invalid("There has to be an existing domain associated with this user pool")
	}
	in["CSSVersion"] = mustRaw("20190128172214")
	return nil
}

func checkReplica(p state.Pool, in, before state.Settings) error {
	r := p.Rules()
	switch {
	case before == nil && r.IssuerConfiguration.Type != "UPDATED":
		return invalid("A user pool with replicas needs the issuer type UPDATED.")
	case before == nil && r.KeyConfiguration.KeyType != "CUSTOMER_MANAGED_KEY":
		return invalid("A user pool with replicas needs a multi-Region customer managed key.")
	}
	if in["Status"] == nil {
		in["Status"] = mustRaw("ACTIVE") // there is nothing that takes a while
	}
	in["Role"], in["UserPoolArn"] = mustRaw("SECONDARY"), mustRaw(fmt.Sprintf("arn:aws:cognito-idp:%s:%s:userpool/%s", textOf(in["RegionName"]), account, p.ID))
	return nil
}

// customize is SetUICustomization: the picture that was sent is a URL from then on.
func customize() operation {
	set := customizations.replace()
	set.serve = customizing(set.serve)
	return set
}

// documented are the operations on documents.
func documented() map[string]operation {
	of := func(in about, members map[string]any) map[string]any {
		t := map[string]any{"UserPoolId": in.UserPoolId}
		if in.ClientId != "" && in.ClientId != allClients {
			t["ClientId"] = in.ClientId
		}
		maps.Copy(t, members)
		return t
	}
	same := func(members ...string) func(state.Document, map[string]json.RawMessage) bool {
		return func(doc state.Document, named map[string]json.RawMessage) bool {
			for _, m := range members {
				if textOf(doc.Members[m]) != textOf(named[m]) {
					return false
				}
			}
			return true
		}
	}
	return map[string]operation{
		"CreateIdentityProvider":   encrypting(identityProviders.create()),
		"DescribeIdentityProvider": identityProviders.describe(),
		"UpdateIdentityProvider":   encrypting(identityProviders.update()),
		"DeleteIdentityProvider":   identityProviders.remove(false),
		"ListIdentityProviders":    identityProviders.list("Providers", "ProviderDescription", "NextToken"),
		"GetIdentityProviderByIdentifier": identityProviders.by(func(doc state.Document, named map[string]json.RawMessage) bool {
			var identifiers []string
			_ = json.Unmarshal(doc.Members["IdpIdentifiers"], &identifiers) // none, where there are none
			return slices.Contains(identifiers, textOf(named["IdpIdentifier"]))
		}),

		"CreateManagedLoginBranding":           brandings.create(),
		"DescribeManagedLoginBranding":         merging(brandings.describe()),
		"DescribeManagedLoginBrandingByClient": merging(brandings.by(same("ClientId"))),
		"UpdateManagedLoginBranding":           brandings.update(),
		"DeleteManagedLoginBranding":           brandings.remove(false),

		"CreateTerms":           terms.create(),
		"DescribeTerms":         terms.describe(),
		"DescribeTermsByClient": terms.by(same("ClientId", "TermsName")),
		"UpdateTerms":           terms.update(),
		"DeleteTerms":           terms.remove(false),
		"ListTerms":             terms.list("Terms", "TermsDescriptionType", "NextToken"),

		"CreateCIMDPolicy":   metadataPolicies.create(),
		"DescribeCIMDPolicy": metadataPolicies.describe(),
		"UpdateCIMDPolicy":   metadataPolicies.update(),
		"DeleteCIMDPolicy":   forgetting(metadataPolicies.remove(false)),
		"ListCIMDPolicies":   metadataPolicies.list("CIMDPolicies", "CIMDPolicySummaryType", "NextToken"),

		"SetRiskConfiguration":      riskConfigurations.replace(),
		"DescribeRiskConfiguration": riskConfigurations.one(func(in about) map[string]any { return of(in, nil) }),

		"SetLogDeliveryConfiguration": logDeliveries.replace(),
		"GetLogDeliveryConfiguration": logDeliveries.one(func(in about) map[string]any { return of(in, map[string]any{"LogConfigurations": []any{}}) }),

		"SetUICustomization": customize(),
		"GetUICustomization": customizations.one(func(about) map[string]any { return map[string]any{} }),

		"CreateUserPoolReplica": replicas.create(),
		"UpdateUserPoolReplica": replicas.update(),
		"DeleteUserPoolReplica": replicas.remove(true),
		"ListUserPoolReplicas":  replicas.list("UserPoolReplicas", "UserPoolReplicaType", "NextToken"),
	}
}
