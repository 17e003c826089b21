package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

type onPool struct{ UserPoolId string }

func (a *API) describeUserPool(in *onPool) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	count, err := a.state.CountUsers(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserPool": poolType(p, count)}, nil
}

func (a *API) deleteUserPool(in *onPool) (any, error) {
	return empty, a.state.DeletePool(in.UserPoolId)
}

type listUserPools struct {
	MaxResults *int
	NextToken  string
}

// listUserPools lists the pools of the region that the request is signed for, or all.
func (a *API) listUserPools(ctx context.Context, in *listUserPools) (any, error) {
	token := in.NextToken
	in.NextToken = ""
	ids := a.state.Pools()
	if region := regionOf(ctx); region != "" {
		ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, region+"_") })
	}
	slices.Sort(ids)
	ids, next, err := pageOf(a, token, in, ids, limitOf(in.MaxResults), func(id string) string { return id })
	if err != nil {
		return nil, err
	}
	type summary struct {
		Id, Name         string
		LambdaConfig     state.LambdaConfig
		CreationDate     epoch
		LastModifiedDate epoch
		ReplicaRegions   []string `json:",omitempty"`
	}
	list := make([]summary, 0, len(ids))
	for _, id := range ids {
		if p, err := a.state.Describe(id); err == nil {
			list = append(list, summary{Id: p.ID, Name: p.Name, LambdaConfig: p.Lambda, CreationDate: epoch(p.Created), LastModifiedDate: epoch(p.Modified),
				ReplicaRegions: slices.Sorted(maps.Keys(p.Documents[replicas.kind]))})
		}
	}
	return struct {
		UserPools []summary
		NextToken string `json:",omitempty"`
	}{list, next}, nil
}

// poolSettings are what is looked at of the settings of a pool; all of them are kept.
type poolSettings struct {
	PoolName         string
	LambdaConfig     state.LambdaConfig
	MfaConfiguration string
	UserPoolTier     string
	Schema           []state.NewAttribute
	Policies         struct {
		SignInPolicy *struct{ AllowedFirstAuthFactors []string }
	}
	SmsConfiguration *struct{}
	DcrConfiguration *struct{ EnableStatus string }
	AcrConfiguration map[string]struct{ AcrValue string }
	UserPoolAddOns   *struct{ AdvancedSecurityMode string }

	AutoVerifiedAttributes      []string
	UserAttributeUpdateSettings struct{ AttributesRequireVerificationBeforeUpdate []string }
	EmailConfiguration          struct{ EmailSendingAccount, SourceArn string }
	AccountRecoverySetting      struct {
		RecoveryMechanisms []struct {
			Priority int
			Name     string
		}
	}
}

// check refuses settings that do not go together.
func (in *poolSettings) check() error {
	l := in.LambdaConfig
	if one := l.PreTokenGenerationConfig; one != nil && l.PreTokenGeneration != "" && l.PreTokenGeneration != one.LambdaArn {
		return invalid("PreTokenGeneration and PreTokenGenerationConfig must have the same Lambda ARN.")
	}
	if (l.CustomEmailSender != nil || l.CustomSMSSender != nil) && l.KMSKeyID == "" {
		return invalid("KMSKeyID is required when CustomEmailSender or CustomSMSSender is configured.")
	}
	if p := in.Policies.SignInPolicy; p != nil {
		switch factors := p.AllowedFirstAuthFactors; {
		case slices.Contains(factors, "SOFTWARE_TOKEN"):
			return invalid("SOFTWARE_TOKEN is not an allowed first authentication factor.")
		case !slices.Contains(factors, "PASSWORD") && !slices.Contains(factors, "EMAIL_OTP") && !slices.Contains(factors, "SMS_OTP"):
			return invalid("WEB_AUTHN cannot be the only allowed first authentication factor.")
		case in.MfaConfiguration == state.MFARequired && (slices.Contains(factors, "EMAIL_OTP") || slices.Contains(factors, "SMS_OTP")):
			return invalid("One-time passwords cannot be first authentication factors when MFA is required.")
		}
	}
	if e := in.EmailConfiguration; e.EmailSendingAccount == "DEVELOPER" && e.SourceArn == "" {
		return invalid("SourceArn is required when EmailSendingAccount is DEVELOPER.")
	}
	for _, name := range in.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate {
		if !slices.Contains(in.AutoVerifiedAttributes, name) {
			return invalid("Attributes requiring verification before update must be auto-verified: %s", name)
		}
	}
	mechanisms := in.AccountRecoverySetting.RecoveryMechanisms
	for i, m := range mechanisms {
		if m.Name == "admin_only" && len(mechanisms) > 1 {
			return invalid("admin_only cannot be combined with other recovery mechanisms.")
		}
		if i > 0 && m.Priority == mechanisms[0].Priority {
			return invalid("Recovery mechanisms must have different priorities.")
		}
	}
	return in.levels()
}

// levels checks that no two levels of AcrConfiguration have one name, with those that are
// not given as they are by themselves.
func (in *poolSettings) levels() error {
	seen := make(map[string]bool)
	for level := range 4 {
		name := acrOf(level + 1)
		if given, ok := in.AcrConfiguration["Level"+strconv.Itoa(level+1)]; ok {
			name = given.AcrValue
		}
		if seen[name] {
			return invalid("AcrConfiguration values must be unique: %s", name)
		}
		seen[name] = true
	}
	return nil
}

func acrOf(level int) string { return "urn:cognito:loa:" + strconv.Itoa(level) }

// tier refuses what the cheapest plan does not have. Its text is a live pool's, where the
// pool goes down to it; where a feature is turned on in it, none is known.
// (Unconfirmed: "the names of features in the refusal of a change to Lite".)
func tier(s state.Settings, p state.Pool) error {
	var r struct {
		UserPoolTier string
		Policies     struct {
			SignInPolicy   struct{ AllowedFirstAuthFactors []string }
			PasswordPolicy struct{ PasswordHistorySize int }
		}
		DcrConfiguration struct{ EnableStatus string }
		AcrConfiguration map[string]any
		UserPoolAddOns   struct{ AdvancedSecurityMode string }

		EmailMfaConfiguration json.RawMessage
		WebAuthnConfiguration json.RawMessage
		IssuerConfiguration   struct{ Type string }
		LambdaConfig          state.LambdaConfig
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil || r.UserPoolTier == "PLUS" || r.UserPoolTier == "" {
		return err
	}
	var on []string
	if m := r.UserPoolAddOns.AdvancedSecurityMode; m == "AUDIT" || m == "ENFORCED" {
		on = append(on, "Threat Protection")
	}
	if r.UserPoolTier == "LITE" {
		if slices.ContainsFunc(r.Policies.SignInPolicy.AllowedFirstAuthFactors, func(f string) bool { return f != "PASSWORD" }) {
			on = append(on, "Passwordless Login")
		}
		if r.DcrConfiguration.EnableStatus == "Enabled" {
			on = append(on, "Dynamic Client Registration")
		}
		if len(r.AcrConfiguration) > 0 {
			on = append(on, "Authentication Context")
		}
		if c := r.LambdaConfig.PreTokenGenerationConfig; c != nil && c.LambdaVersion != "V1_0" {
			on = append(on, "Access Token Customization")
		}
		if r.EmailMfaConfiguration != nil {
			on = append(on, "Email MFA")
		}
		if r.WebAuthnConfiguration != nil {
			on = append(on, "Passkeys")
		}
		if r.Policies.PasswordPolicy.PasswordHistorySize > 0 {
			on = append(on, "Password History")
		}
		on = append(on, beside(p)...)
	} else {
		on = nil // threat protection was to be had before there were plans
	}
	if len(on) == 0 {
		return nil
	}
	return &state.Error{Type: "FeatureUnavailableInTierException",
		Message: "The following features need to be disabled for the " + r.UserPoolTier + " pricing tier configured: " + strings.Join(on, ", ")}
}

// inPlan refuses to turn on what the cheapest plan does not have.
// (Unconfirmed: "the text of `FeatureUnavailableInTierException` for what is turned on in a Lite pool".)
func inPlan(p state.Pool, feature string) error {
	if p.Rules().UserPoolTier != "LITE" {
		return nil
	}
	return &state.Error{Type: "FeatureUnavailableInTierException", Message: feature + " is not available in the LITE pricing tier configured."}
}

// beside are the features that are on in what a pool has beside its settings, and that the
// cheapest plan does not have.
func beside(p state.Pool) (on []string) {
	if p.Documents[sessionConfigurations.kind][allClients].Text("UserSessionTracking") == "ENABLED" {
		on = append(on, "User Session Management")
	}
	if len(p.Documents[metadataPolicies.kind]) > 0 {
		on = append(on, "Client ID Metadata Documents")
	}
	for _, domain := range p.Documents[domains] {
		if string(domain.Members["ManagedLoginVersion"]) == strconv.Itoa(managedLogin) {
			on = append(on, "Managed Login")
			break
		}
	}
	if len(p.Documents[replicas.kind]) > 0 {
		on = append(on, "Multi-Region Replication")
	}
	if slices.ContainsFunc(exported(p.Documents[logDeliveries.kind][allClients].Members), func(l exportedLog) bool { return l.EventSource == activity }) {
		on = append(on, "Log Export")
	}
	allow := func(begins string) bool {
		return slices.ContainsFunc(p.Clients, func(c *state.Client) bool {
			return slices.ContainsFunc(c.AuthFlows, func(flow string) bool { return strings.HasPrefix(flow, begins) })
		})
	}
	if allow("ALLOW_USER_AUTH") {
		on = append(on, "Choice-Based Sign-In")
	}
	if allow(exchangeFlows) {
		on = append(on, "Token Exchange")
	}
	return on
}

type updateUserPool struct {
	poolSettings
	UserPoolId string
}

// standing are settings that an update which does not name them leaves as they are: those
// that are made with the pool, those of other operations, and those of which the
// documentation says so. Any other goes back to what AWS has where nothing is given.
var standing = []string{
	"AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "SchemaAttributes",
	"MfaConfiguration", "SoftwareTokenMfaConfiguration", "SmsMfaConfiguration", "EmailMfaConfiguration", "WebAuthnConfiguration",
	"UserPoolTags", "UserPoolTier", "DcrConfiguration", "KeyConfiguration", "IssuerConfiguration",
}

func (a *API) updateUserPool(in *updateUserPool, kept state.Settings) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return empty, a.state.UpdatePool(in.UserPoolId, func(p *state.Pool) error {
		for _, name := range standing {
			if before := p.Settings[name]; before != nil && kept[name] == nil {
				kept[name] = before
			}
		}
		complete, err := kept.Complete()
		if err != nil {
			return err
		}
		if in.PoolName != "" {
			p.Name = in.PoolName
		}
		secondBySMS(complete)
		p.Settings = complete
		return tier(complete, *p)
	})
}

type createUserPool struct {
	poolSettings
	AliasAttributes    []string
	UsernameAttributes []string

	region string
}

func (a *API) createUserPool(in *createUserPool, kept state.Settings) (any, error) {
	if len(in.AliasAttributes) > 0 && len(in.UsernameAttributes) > 0 {
		return nil, invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool.")
	}
	if mode := in.MfaConfiguration; mode != "" && mode != state.MFAOff && in.SmsConfiguration == nil {
		return nil, invalid("SMS configuration and Auto verification for phone_number are required when MFA is required/optional")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	schema, err := schemaOf(in.Schema)
	if err != nil {
		return nil, err
	}
	if kept["SchemaAttributes"], err = json.Marshal(schema); err != nil {
		return nil, err
	}
	if kept, err = kept.Complete(); err != nil {
		return nil, err
	}
	if err := tier(kept, state.Pool{}); err != nil {
		return nil, err
	}
	secondBySMS(kept)
	p, err := a.state.CreatePool(state.Pool{ID: in.region, Name: in.PoolName, Settings: kept})
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserPool": poolType(p, 0)}, nil
}

// schemaOf makes the schema of a pool of what was given of it.
func schemaOf(given []state.NewAttribute) ([]state.SchemaAttribute, error) {
	own := make([]state.SchemaAttribute, 0, len(given))
	for _, n := range given {
		attribute, err := n.Attribute(false)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(own, func(other state.SchemaAttribute) bool { return other.Name == attribute.Name }) {
			return nil, invalid("Existing attribute already has name %s.", attribute.Name)
		}
		own = append(own, attribute)
	}
	return state.Schema(own), nil
}

// poolType is a pool in the API's words: the settings as they were given, and what the
// pool is besides.
func poolType(p state.Pool, users int) map[string]any {
	t := shown("UserPoolType", p.Settings)
	t["Id"], t["Name"], t["Arn"] = p.ID, p.Name, poolARN(p.ID)
	t["CreationDate"], t["LastModifiedDate"], t["EstimatedNumberOfUsers"] = epoch(p.Created), epoch(p.Modified), users
	if p.StepUp == state.StepUpAbsent {
		delete(t, "AcrConfiguration")
	}
	if _, ok := t["AcrConfiguration"]; ok {
		t["AcrConfiguration"] = allLevels(p.Settings["AcrConfiguration"])
	}
	for name, domain := range map[string]string{"Domain": p.Domain, "CustomDomain": p.CustomDomain} {
		if domain != "" {
			t[name] = domain
		}
	}
	return t
}

// allLevels has all four levels, those that were not given by their own names.
func allLevels(given json.RawMessage) map[string]any {
	levels := make(map[string]any)
	_ = json.Unmarshal(given, &levels) // checked when it was given
	for level := range 4 {
		name := "Level" + strconv.Itoa(level+1)
		if levels[name] == nil {
			levels[name] = map[string]string{"AcrValue": acrOf(level + 1)}
		}
	}
	return levels
}

func poolARN(id string) string {
	region, _, _ := strings.Cut(id, "_")
	return "arn:aws:cognito-idp:" + region + ":" + account + ":userpool/" + id
}

const account = "000000000000"

type addCustomAttributes struct {
	UserPoolId       string
	CustomAttributes []state.NewAttribute
}

func (a *API) addCustomAttributes(in *addCustomAttributes) (any, error) {
	return empty, a.state.AddAttributes(in.UserPoolId, in.CustomAttributes)
}
