package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// clientFacts is what of an app client is of interest here (DescribeUserPoolClient).
type clientFacts struct {
	ClientSecretArn       string
	ClientType            string // REGULAR, or DCR: it has registered itself
	EnableTokenRevocation *bool
	RefreshTokenRotation  *struct {
		Feature                 string
		RetryGracePeriodSeconds int
	}
	ExplicitAuthFlows []string
}

// updateClient is the command that changes one setting of the app client. The API replaces
// what it is given whole: whatever is left out would be lost.
func updateClient(endpoints cognito.Endpoints, c codegrant.Config, change string) string {
	return fmt.Sprintf(`aws cognito-idp describe-user-pool-client --user-pool-id %s --client-id %s --query UserPoolClient --output json |
  jq 'del(.CreationDate, .LastModifiedDate, .ClientSecret, .ClientSecretArn, .ClientType) | %s' > client.json &&
  aws cognito-idp update-user-pool-client --cli-input-json file://client.json`, poolIDOf(endpoints), c.Pool.ClientID, change)
}

// poolSettings are those that the API sets back to their defaults where a change leaves them out.
var poolSettings = []string{
	"Policies", "DeletionProtection", "LambdaConfig", "AutoVerifiedAttributes", "SmsVerificationMessage", "EmailVerificationMessage", "EmailVerificationSubject",
	"VerificationMessageTemplate", "SmsAuthenticationMessage", "UserAttributeUpdateSettings", "MfaConfiguration", "DeviceConfiguration", "EmailConfiguration",
	"SmsConfiguration", "UserPoolTags", "AdminCreateUserConfig", "UserPoolAddOns", "DcrConfiguration", "AccountRecoverySetting", "UserPoolTier", "KeyConfiguration",
	"IssuerConfiguration", "AcrConfiguration",
}

// updatePool is the command that changes one setting of the pool, as updateClient does it of an
// app client. A pool names the days of temporary passwords twice, and may be told them once.
func updatePool(poolID, change string) string {
	return fmt.Sprintf(`aws cognito-idp describe-user-pool --user-pool-id %s --query UserPool --output json |
  jq '{UserPoolId: .Id, PoolName: .Name, %s} | del(.AdminCreateUserConfig.UnusedAccountValidityDays) | with_entries(select(.value != null)) | %s' > pool.json &&
  aws cognito-idp update-user-pool --cli-input-json file://pool.json`, poolID, strings.Join(poolSettings, ", "), change)
}

func poolIDOf(endpoints cognito.Endpoints) string {
	return endpoints.Issuer[strings.LastIndexByte(endpoints.Issuer, '/')+1:]
}

// features looks at what the pool and the app client have turned on, and what of it is at
// odds with how they are used here.
func (e *examination) features(ctx context.Context, c codegrant.Config, api *cognitoAPI, client clientFacts) {
	endpoints, err := c.Pool.Endpoints()
	if err != nil {
		return // said with the settings
	}
	e.clientFeatures(c, endpoints, client)
	var described struct {
		UserPool struct {
			UserPoolTier     string
			LambdaConfig     map[string]json.RawMessage
			DcrConfiguration *struct {
				EnableStatus   string
				OpenDcrEnabled bool
			}
		}
	}
	if err := api.ofPool(ctx, "DescribeUserPool", &described); err != nil && e.askAWS {
		e.warn("plan", "allow cognito-idp:DescribeUserPool for the credentials that the AWS tools use, or leave --aws out", "cannot read the pool from the AWS API: %v", err)
	}
	pool := described.UserPool
	switch pool.UserPoolTier {
	case "":
	case "LITE":
		e.warn("plan", "if routes set acr or max_age, or if tokens are bound to resources, choose another plan, which costs more per person:\n"+updatePool(api.poolID, `.UserPoolTier = "ESSENTIALS"`),
			"the pool has the Lite plan: it ignores acr_values, does not track sessions, and does not bind tokens to resources")
	default:
		e.fine("plan", "%s", strings.ToLower(pool.UserPoolTier))
	}
	if d := pool.DcrConfiguration; d != nil && d.EnableStatus != "Disabled" {
		if d.OpenDcrEnabled {
			e.warn("registration", "close it:\n"+updatePool(api.poolID, ".DcrConfiguration.OpenDcrEnabled = false"),
				"the registration endpoint of the pool is open: anybody can register an app client, and its tokens are tokens of the pool")
		} else {
			e.fine("registration", "the pool registers app clients only with an access token that has the registration scope")
		}
	}
	e.triggers(api, triggersOf(pool.LambdaConfig))
	e.metadataPolicies(ctx, api)
	e.recoveries(ctx, api)
}

// triggers names the functions that decide on sign-ins beside the pool, and where each says
// why it refuses one.
func (e *examination) triggers(api *cognitoAPI, functions map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		arn := functions[name]
		e.fine("triggers", "the pool calls %s for %s; its log has the refusals: aws logs tail /aws/lambda/%s --since 1h --region %s", arn, name, arn[strings.LastIndexByte(arn, ':')+1:], api.region)
	}
}

// clientFeatures looks at the app client.
func (e *examination) clientFeatures(c codegrant.Config, endpoints cognito.Endpoints, client clientFacts) {
	if client.ClientType == "DCR" {
		e.warn("client", "create an app client for the application, and set AUTH_COGNITO_CLIENT_ID and CODEGRANT_CLIENT_SECRET to what it says:\naws cognito-idp create-user-pool-client --user-pool-id "+poolIDOf(endpoints)+
			" --client-name codegrant --generate-secret --allowed-o-auth-flows code --allowed-o-auth-flows-user-pool-client --allowed-o-auth-scopes openid email profile --supported-identity-providers COGNITO --callback-urls "+callbackOf(c), "the app client registered itself at the pool: the holder of its registration can change it")
	}
	if revokes := client.EnableTokenRevocation; revokes != nil && !*revokes {
		e.warn("revocation", "turn token revocation on:\n"+updateClient(endpoints, c, ".EnableTokenRevocation = true"), "the app client cannot revoke tokens: a stolen refresh token stays valid after the sign-out")
	}
	const leastGrace = 10 // seconds
	switch r := client.RefreshTokenRotation; {
	case r == nil || r.Feature != "ENABLED":
		e.fine("rotation", "the pool does not rotate refresh tokens")
	case r.RetryGracePeriodSeconds < leastGrace:
		e.warn("rotation", "keep the old token valid for a minute:\n"+updateClient(endpoints, c, `.RefreshTokenRotation = {Feature: "ENABLED", RetryGracePeriodSeconds: 60}`),
			"refresh tokens rotate with a grace period of %d s: if a process is killed while it has a new token, the session is lost", r.RetryGracePeriodSeconds)
	default:
		e.fine("rotation", "refresh tokens rotate, with a grace period of %d s", r.RetryGracePeriodSeconds)
	}
}

// metadataPolicies finds policies that admit clients of others as the application's own app
// client: a token that names that client is then not the application's alone.
func (e *examination) metadataPolicies(ctx context.Context, api *cognitoAPI) {
	type policy struct {
		CIMDPolicyId, PolicyName, ClientId string
		URLPatterns                        []string
	}
	var found struct{ CIMDPolicies []policy }
	if err := api.ofPool(ctx, "ListCIMDPolicies", &found); err != nil {
		if e.askAWS && !errors.Is(err, errNotOffered) {
			e.warn("documents", "allow cognito-idp:ListCIMDPolicies and DescribeCIMDPolicy for the credentials that the AWS tools use, or leave --aws out", "cannot list the policies for client metadata documents: %v", err)
		}
		return
	}
	for _, p := range found.CIMDPolicies {
		var one struct{ CIMDPolicy policy }
		in := map[string]any{"UserPoolId": api.poolID, "CIMDPolicyId": p.CIMDPolicyId}
		if err := api.callWith(ctx, "DescribeCIMDPolicy", in, &one); err != nil || one.CIMDPolicy.ClientId != api.clientID {
			continue
		}
		e.fault("documents", fmt.Sprintf("give the policy a separate app client:\naws cognito-idp update-cimd-policy --user-pool-id %s --cimd-policy-id %s --client-id <another> --url-patterns %s",
			api.poolID, p.CIMDPolicyId, strings.Join(one.CIMDPolicy.URLPatterns, " ")),
			"the policy %s lets other clients sign in by URL (%s) as this app client: their tokens count as tokens of the application", one.CIMDPolicy.PolicyName, strings.Join(one.CIMDPolicy.URLPatterns, ", "))
	}
}

// recoveries finds a recovery under way, while which the pool takes no changes.
func (e *examination) recoveries(ctx context.Context, api *cognitoAPI) {
	var found struct {
		Restorations []struct{ RestoreId, RestoreStatus string }
	}
	if err := api.ofPool(ctx, "ListPointInTimeRecoveries", &found); err != nil {
		return // most pools have none, and most accounts may not ask
	}
	for i, r := range found.Restorations {
		switch r.RestoreStatus {
		case "RESTORING", "TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE", "AWS_ABORTED":
			e.warn("recovery", "wait until it ends, then make a full pass: codegrant sync --full; see aws cognito-idp describe-point-in-time-recovery --user-pool-id "+api.poolID+" --restore-id "+r.RestoreId,
				"the pool is being restored to an earlier time (%s): it accepts no changes, and people may be missing afterwards", r.RestoreStatus)
		case "RESTORE_COMPLETED":
			if i == 0 {
				e.fine("recovery", "the pool was restored to an earlier time; a full pass after it updates the replica: codegrant sync --status")
			}
		}
	}
}
