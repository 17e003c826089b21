package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// customizing has the picture of SetUICustomization be a URL from then on. One without
// words and picture removes what there was.
func customizing(serve func(context.Context, *API, []byte) (any, error)) func(context.Context, *API, []byte) (any, error) {
	return func(ctx context.Context, a *API, body []byte) (any, error) {
		var in map[string]json.RawMessage
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
		}
		delete(in, "ImageUrl")
		pool, client := textOf(in["UserPoolId"]), cmp.Or(textOf(in["ClientId"]), allClients)
		in["ClientId"] = mustRaw(client)
		picture := textOf(in["ImageFile"])
		if picture != "" {
			in["ImageUrl"] = mustRaw("https://" + cloudFront(pool) + "/" + client + "/assets/images/image.jpg")
		}
		answer, err := serve(ctx, a, mustRaw(in))
		if err == nil && picture == "" && textOf(in["CSS"]) == "" {
			_, err = a.state.DeleteDocument(pool, customizations.kind, client)
		}
		return answer, err
	}
}

// encrypting gives the details of a SAML provider the certificate that it may seal its
// answers with.
func encrypting(op operation) operation {
	serve := op.serve
	op.serve = func(ctx context.Context, a *API, body []byte) (any, error) {
		in := membersOf(body)
		details := membersOf(in["ProviderDetails"])
		if details["MetadataFile"] == nil && details["MetadataURL"] == nil {
			return serve(ctx, a, body)
		}
		certificate, err := a.state.Certificate(textOf(in["UserPoolId"]))
		if err != nil {
			return nil, err
		}
		details["ActiveEncryptionCertificate"] = mustRaw(certificate)
		in["ProviderDetails"] = mustRaw(details)
		return serve(ctx, a, mustRaw(in))
	}
	return op
}

type updateResourceServer struct {
	UserPoolId string
	Identifier string
	Name       string
	Scopes     []resourceScope
}

func (a *API) updateResourceServer(in *updateResourceServer) (any, error) {
	server, err := resourceServerIn(in.Identifier, in.Name, in.Scopes)
	if err != nil {
		return nil, err
	}
	if err := a.state.ReplaceResourceServer(in.UserPoolId, in.Identifier, &server); err != nil {
		return nil, err
	}
	return map[string]any{"ResourceServer": resourceServerOf(in.UserPoolId, server)}, nil
}

func (a *API) deleteResourceServer(in *onResourceServer) (any, error) {
	return empty, a.state.ReplaceResourceServer(in.UserPoolId, in.Identifier, nil)
}

type onResource struct {
	ResourceArn string
	Tags        map[string]string
	TagKeys     []string
}

// check refuses what is not an ARN of a user pool. (What the service says there is not known;
// its exception is that of all parameters.)
func (in *onResource) check() error {
	parts := strings.SplitN(in.ResourceArn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "cognito-idp" || !strings.HasPrefix(parts[5], "userpool/") {
		return invalid("Invalid resource ARN: %s", in.ResourceArn)
	}
	if id := strings.TrimPrefix(parts[5], "userpool/"); !strings.HasPrefix(id, parts[3]+"_") {
		return &state.Error{Type: state.ResourceNotFound, Message: "Resource not found: " + in.ResourceArn}
	}
	return nil
}

func (a *API) listTagsForResource(in *onResource) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tags, err := a.state.Tags(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": tags}, nil
}

func (a *API) tagResource(in *onResource) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return empty, a.state.Tag(in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (a *API) untagResource(in *onResource) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return empty, a.state.Tag(in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (a *API) getSigningCertificate(in *onPool) (any, error) {
	certificate, err := a.state.Certificate(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Certificate": certificate}, nil
}

// Sessions of users are counted where a pool has them counted.
var (
	sessionConfigurations = document{kind: "sessions", called: "Session configuration", shape: "GetUserPoolSessionConfigurationResponse", plans: true}
	clientSessions        = document{
		kind: "client_sessions", called: "Session configuration", shape: "GetUserPoolClientSessionConfigurationResponse", plans: true,
		check: func(p state.Pool, _, _ state.Settings) error {
			if textOf(p.Documents["sessions"][allClients].Members["UserSessionTracking"]) != "ENABLED" {
				return invalid("User session tracking is not enabled for the user pool.")
			}
			return nil
		},
	}
)

// limits are what was provisioned of requests per second, over all pools.
type provisionedLimit struct {
	LimitDefinition struct {
		LimitClass string
		Attributes map[string]string
	}
	RequestedLimitValue int
}

func (in *provisionedLimit) category() (name string, free int, err error) {
	defaults := quota.Defaults()
	for _, value := range in.LimitDefinition.Attributes {
		if rate, ok := defaults[value]; ok {
			return value, int(rate), nil
		}
	}
	return "", 0, &state.Error{Type: state.ResourceNotFound, Message: "The limit does not exist."}
}

func (in *provisionedLimit) answer(value, free int) any {
	return map[string]any{"Limit": map[string]any{"LimitDefinition": in.LimitDefinition, "ProvisionedLimitValue": value, "FreeLimitValue": free}}
}

func (a *API) getProvisionedLimit(in *provisionedLimit) (any, error) {
	name, free, err := in.category()
	if err != nil {
		return nil, err
	}
	return in.answer(max(a.limits.of(name), free), free), nil
}

func (a *API) updateProvisionedLimit(in *provisionedLimit) (any, error) {
	name, free, err := in.category()
	switch {
	case err != nil:
		return nil, err
	case in.RequestedLimitValue < free:
		return nil, invalid("The requested limit value is below the limit that is free of charge: %d.", free)
	case in.RequestedLimitValue > mostProvisioned*free:
		return nil, &state.Error{Type: "ServiceQuotaExceededException", Message: fmt.Sprintf("The requested limit value exceeds the quota of the account: %d.", mostProvisioned*free)}
	}
	a.limits.set(name, in.RequestedLimitValue)
	return in.answer(in.RequestedLimitValue, free), nil
}

// mostProvisioned is how many times what is free an account gets.
const mostProvisioned = 10

type onAuthEvents struct {
	UserPoolId string
	Username   string
	EventId    string
}

// watched refuses what needs threat protection, where a pool does not have it.
func (a *API) watched(in *onAuthEvents) error {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return err
	}
	if mode := p.Rules().UserPoolAddOns.AdvancedSecurityMode; mode != "AUDIT" && mode != "ENFORCED" {
		return &state.Error{Type: "UserPoolAddOnNotEnabledException", Message: "Threat protection is not enabled for user pool " + p.ID}
	}
	_, err = a.state.User(in.UserPoolId, in.Username)
	return err
}

// listUserAuthEvents: nothing is watched here, so there is nothing to tell.
func (a *API) listUserAuthEvents(in *onAuthEvents) (any, error) {
	if err := a.watched(in); err != nil {
		return nil, err
	}
	return map[string]any{"AuthEvents": []any{}}, nil
}

func (a *API) updateAuthEventFeedback(in *onAuthEvents) (any, error) {
	if err := a.watched(in); err != nil {
		return nil, err
	}
	return nil, &state.Error{Type: state.ResourceNotFound, Message: "Event " + in.EventId + " does not exist."}
}

func (a *API) getCSVHeader(in *onPool) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserPoolId": p.ID, "CSVHeader": csvHeader(p)}, nil
}

// csvHeader are the columns of a file of users: the attributes, and what is none.
func csvHeader(p state.Pool) []string {
	var columns []string
	for _, attribute := range p.Rules().SchemaAttributes {
		if attribute.Name != "sub" && !attribute.DeveloperOnlyAttribute {
			columns = append(columns, attribute.Name)
		}
	}
	return slices.Concat(columns, []string{"cognito:mfa_enabled", "cognito:username"})
}
