package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

const poolID = "local_Shop1"

// pool is a local pool behind HTTP, with AWS's client in front of it.
type pool struct {
	*testing.T
	server *localpool.Server
	url    string
	issuer string
	http   *http.Client

	mu     sync.Mutex // guards the fields below
	asked  map[string]int
	inject func(w http.ResponseWriter, op string, in request) bool
}

// request is what the tests look at in a request.
type request struct {
	Filter          string
	GroupName       string
	PaginationToken string
	NextToken       string
}

// free are the operations that bill for nobody.
var free = []string{"ListUsers", "ListGroups", "ListUsersInGroup"}

// newPool starts a pool. A call of the directory's client that would bill for a
// user fails the test.
func newPool(t *testing.T) *pool {
	t.Helper()
	p := &pool{T: t, asked: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(server.Close)
	var err error
	p.server, err = localpool.New(localpool.Config{
		Seed: localpool.Seed{Pools: []localpool.PoolSeed{{
			ID: poolID, Name: "shop", Clients: []localpool.ClientSeed{{ID: "1shop2client", Name: "web", CallbackURLs: []string{"http://localhost:8080/auth/callback"}}},
		}}},
		BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.server.Close() })
	p.url, p.issuer, p.http = server.URL, server.URL+"/"+poolID, server.Client()
	return p
}

// serve answers the administrator's calls as they come, and watches those of the
// directory, which are told apart by their credentials.
func (p *pool) serve(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Authorization"), "ADMINISTRATOR") {
		p.server.ServeHTTP(w, r)
		return
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !slices.Contains(free, op) {
		p.Errorf("the directory called %s", op)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in request
	_ = json.Unmarshal(body, &in) // the pool says what is wrong with it
	p.mu.Lock()
	p.asked[op]++
	inject := p.inject
	p.mu.Unlock()
	if inject != nil && inject(w, op, in) {
		return
	}
	p.server.ServeHTTP(w, r)
}

// injecting has f look at each call, and answer those that it reports true for.
func (p *pool) injecting(f func(w http.ResponseWriter, op string, in request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inject = f
}

func (p *pool) calls(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[op]
}

// refuse answers a call as the API refuses.
func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-Errortype", kind+":")
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":%q,"message":"As asked for by the test."}`, kind)
}

// answer answers a call with a document.
func answer(w http.ResponseWriter, document string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	io.WriteString(w, document)
}

// sdk is AWS's client as an application makes it, but for the endpoint.
func (p *pool) sdk(key string) *cip.Client {
	return cip.New(cip.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(p.url), HTTPClient: p.http,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "none"}, nil
		}),
	})
}

// admin is the client of somebody who changes the pool.
func (p *pool) admin() *cip.Client { return p.sdk("ADMINISTRATOR") }

// source returns a source that is not slowed down.
func (p *pool) source(edit ...func(*CognitoConfig)) *Cognito {
	p.Helper()
	config := CognitoConfig{Client: p.sdk("DIRECTORY"), PoolID: poolID, Rate: 1e6, GroupRate: 1e6}
	for _, f := range edit {
		f(&config)
	}
	s, err := NewCognito(config)
	p.ok(err)
	s.pause = func(int) time.Duration { return time.Millisecond }
	return s
}

func (p *pool) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// user makes a user, as a member of groups, and returns their subject.
func (p *pool) user(name string, groups ...string) string {
	p.Helper()
	out, err := p.admin().AdminCreateUser(p.Context(), &cip.AdminCreateUserInput{
		UserPoolId: aws.String(poolID), Username: &name, MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: aws.String(name + "@example.com")},
			{Name: aws.String("email_verified"), Value: aws.String("true")},
		},
	})
	p.ok(err)
	for _, g := range groups {
		p.join(name, g)
	}
	for _, a := range out.User.Attributes {
		if *a.Name == "sub" {
			return *a.Value
		}
	}
	p.Fatal("a user without sub")
	return ""
}

func (p *pool) group(name string, precedence *int32) {
	p.Helper()
	_, err := p.admin().CreateGroup(p.Context(), &cip.CreateGroupInput{UserPoolId: aws.String(poolID), GroupName: &name, Precedence: precedence})
	p.ok(err)
}

func (p *pool) join(name, group string) {
	p.Helper()
	_, err := p.admin().AdminAddUserToGroup(p.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(poolID), Username: &name, GroupName: &group})
	p.ok(err)
}

func (p *pool) leave(name, group string) {
	p.Helper()
	_, err := p.admin().AdminRemoveUserFromGroup(p.Context(), &cip.AdminRemoveUserFromGroupInput{UserPoolId: aws.String(poolID), Username: &name, GroupName: &group})
	p.ok(err)
}

func (p *pool) disable(name string) {
	p.Helper()
	_, err := p.admin().AdminDisableUser(p.Context(), &cip.AdminDisableUserInput{UserPoolId: aws.String(poolID), Username: &name})
	p.ok(err)
}

func (p *pool) enable(name string) {
	p.Helper()
	_, err := p.admin().AdminEnableUser(p.Context(), &cip.AdminEnableUserInput{UserPoolId: aws.String(poolID), Username: &name})
	p.ok(err)
}

func (p *pool) remove(name string) {
	p.Helper()
	_, err := p.admin().AdminDeleteUser(p.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(poolID), Username: &name})
	p.ok(err)
}

func (p *pool) set(name, attribute, value string) {
	p.Helper()
	_, err := p.admin().AdminUpdateUserAttributes(p.Context(), &cip.AdminUpdateUserAttributesInput{
		UserPoolId: aws.String(poolID), Username: &name,
		UserAttributes: []types.AttributeType{{Name: &attribute, Value: &value}},
	})
	p.ok(err)
}
