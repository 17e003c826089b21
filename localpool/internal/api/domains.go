package api

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// customPattern is that of a domain of one's own. The model has the pattern of a prefix
// for both.
var customPattern = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?)+$`)

type customDomainConfig struct{ CertificateArn string }

type createUserPoolDomain struct {
	Domain              string
	UserPoolId          string
	CustomDomainConfig  *customDomainConfig
	ManagedLoginVersion *int
}

// cloudFront is what a custom domain's name would be an alias of.
func cloudFront(domain string) string {
	return strings.ReplaceAll(domain, ".", "-") + ".cloudfront.net"
}

func (a *API) createUserPoolDomain(in *createUserPoolDomain, kept state.Settings) (any, error) {
	custom := in.CustomDomainConfig != nil
	if custom != customPattern.MatchString(in.Domain) {
		return nil, invalid("Invalid domain: %s", in.Domain)
	}
	for _, word := range []string{"aws", "amazon", "cognito"} {
		if !custom && strings.Contains(in.Domain, word) {
			return nil, invalid("Domain cannot contain reserved word: %s", word)
		}
	}
	if err := a.checkLogin(in); err != nil {
		return nil, err
	}
	if err := a.state.SetDomain(in.UserPoolId, in.Domain, custom); err != nil {
		return nil, err
	}
	return a.setDomain(in, kept, custom)
}

// managedLogin is the version of the pages that the cheapest plan does not have.
const managedLogin = 2

// checkLogin refuses managed login in the cheapest plan.
func (a *API) checkLogin(in *createUserPoolDomain) error {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil || in.ManagedLoginVersion == nil || *in.ManagedLoginVersion != managedLogin {
		return err
	}
	return inPlan(p, "Managed login")
}

const (
	domainShape = "DomainDescriptionType"
	domains     = "domain" // kind of document
)

// setDomain keeps what was said of a domain, and answers with it.
func (a *API) setDomain(in *createUserPoolDomain, kept state.Settings, custom bool) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	version := managedLogin
	if inPlan(p, "") != nil {
		version = 1
	}
	doc, err := a.state.SetDocument(in.UserPoolId, domains, in.Domain, func(before state.Document, _ bool, _ map[string]state.Document) (state.Settings, error) {
		after := state.Settings{"ManagedLoginVersion": mustRaw(version)}
		maps.Copy(after, before.Members)
		for _, name := range []string{"CustomDomainConfig", "ManagedLoginVersion", "Routing"} {
			if kept[name] != nil {
				after[name] = kept[name]
			}
		}
		return after, nil
	})
	if err != nil {
		return nil, err
	}
	answer := shown("CreateUserPoolDomainResponse", doc.Members)
	if custom {
		answer["CloudFrontDomain"] = cloudFront(in.Domain)
	}
	return answer, nil
}

func (a *API) updateUserPoolDomain(in *createUserPoolDomain, kept state.Settings) (any, error) {
	pool, custom, ok := a.state.DomainHolder(in.Domain)
	if !ok || pool != in.UserPoolId {
		return nil, invalid("No such domain or user pool exists.")
	}
	if in.CustomDomainConfig != nil && !custom {
		return nil, invalid("Invalid domain: %s", in.Domain)
	}
	if err := a.checkLogin(in); err != nil {
		return nil, err
	}
	return a.setDomain(in, kept, custom)
}

type onDomain struct{ Domain string }

// describeUserPoolDomain describes nothing where there is no such domain.
func (a *API) describeUserPoolDomain(in *onDomain) (any, error) {
	pool, custom, ok := a.state.DomainHolder(in.Domain)
	if !ok {
		return map[string]any{"DomainDescription": empty}, nil
	}
	doc, _, err := a.state.Document(pool, domains, in.Domain)
	if err != nil {
		return nil, err
	}
	d := map[string]any{
		"UserPoolId": pool, "AWSAccountId": account, "Domain": in.Domain, "CloudFrontDistribution": cloudFront(in.Domain),
		"Version": "20260101000000", "Status": "ACTIVE", "ManagedLoginVersion": 2, "S3Bucket": "aws-cognito-prod-local-assets",
		"CustomDomainConfig": empty,
	}
	if custom {
		d["CustomDomainConfig"] = customDomainConfig{"arn:aws:acm:us-east-1:" + account + ":certificate/local"}
	}
	maps.Copy(d, shown(domainShape, doc.Members))
	return map[string]any{"DomainDescription": d}, nil
}

type deleteUserPoolDomain struct {
	Domain     string
	UserPoolId string
}

func (a *API) deleteUserPoolDomain(in *deleteUserPoolDomain) (any, error) {
	pool, custom, ok := a.state.DomainHolder(in.Domain)
	if !ok || pool != in.UserPoolId {
		return nil, invalid("No such domain or user pool exists.")
	}
	if _, err := a.state.DeleteDocument(pool, domains, in.Domain); err != nil {
		return nil, err
	}
	return empty, a.state.SetDomain(in.UserPoolId, "", custom)
}

type resourceScope struct {
	ScopeName        string
	ScopeDescription string
}

type createResourceServer struct {
	UserPoolId string
	Identifier string
	Name       string
	Scopes     []resourceScope
}

// resourceServerIn is a resource server as a request has it.
func resourceServerIn(identifier, name string, scopes []resourceScope) (state.ResourceServer, error) {
	server := state.ResourceServer{Identifier: identifier, Name: name, Descriptions: make(map[string]string)}
	for _, s := range scopes {
		if slices.Contains(server.Scopes, s.ScopeName) {
			return server, invalid("Scope %s is there twice.", s.ScopeName)
		}
		server.Scopes = append(server.Scopes, s.ScopeName)
		server.Descriptions[s.ScopeName] = s.ScopeDescription
	}
	return server, nil
}

func (a *API) createResourceServer(in *createResourceServer) (any, error) {
	server, err := resourceServerIn(in.Identifier, in.Name, in.Scopes)
	if err != nil {
		return nil, err
	}
	if err := a.state.CreateResourceServer(in.UserPoolId, server); err != nil {
		return nil, err
	}
	return map[string]any{"ResourceServer": resourceServerOf(in.UserPoolId, server)}, nil
}

type resourceServer struct {
	UserPoolId string
	Identifier string
	Name       string
	Scopes     []resourceScope `json:",omitempty"`
}

// resourceServerOf is one in the API's words. Those of a seed have no more than an
// identifier and scopes.
func resourceServerOf(poolID string, server state.ResourceServer) resourceServer {
	t := resourceServer{UserPoolId: poolID, Identifier: server.Identifier, Name: server.Name, Scopes: []resourceScope{}}
	if t.Name == "" {
		t.Name = server.Identifier
	}
	for _, name := range server.Scopes {
		description := server.Descriptions[name]
		if description == "" {
			description = name
		}
		t.Scopes = append(t.Scopes, resourceScope{name, description})
	}
	return t
}

type onResourceServer struct {
	UserPoolId string
	Identifier string
}

func (a *API) describeResourceServer(in *onResourceServer) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	for _, server := range p.ResourceServer {
		if server.Identifier == in.Identifier {
			return map[string]any{"ResourceServer": resourceServerOf(p.ID, server)}, nil
		}
	}
	return nil, &state.Error{Type: state.ResourceNotFound, Message: fmt.Sprintf("Resource server %s does not exist.", in.Identifier)}
}

type listResourceServers struct {
	UserPoolId string
	MaxResults *int
	NextToken  string
}

func (a *API) listResourceServers(in *listResourceServers) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	token := in.NextToken
	in.NextToken = ""
	servers := slices.SortedFunc(slices.Values(p.ResourceServer), func(x, y state.ResourceServer) int { return strings.Compare(x.Identifier, y.Identifier) })
	servers, next, err := pageOf(a, token, in, servers, min(limitOf(in.MaxResults), 50), func(s state.ResourceServer) string { return s.Identifier })
	if err != nil {
		return nil, err
	}
	list := make([]resourceServer, 0, len(servers))
	for _, s := range servers {
		list = append(list, resourceServerOf(p.ID, s))
	}
	return struct {
		ResourceServers []resourceServer
		NextToken       string `json:",omitempty"`
	}{list, next}, nil
}
