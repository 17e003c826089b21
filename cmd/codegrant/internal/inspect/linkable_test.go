package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

// linkable is a pool with Google, and a replica of it. Commands reach the pool through a proxy that
// can cut them off.
type linkable struct {
	t      *testing.T
	pool   *codegranttest.Pool
	api    *cip.Client
	config string
	o      *parts.Opened

	asked  atomic.Int64           // calls of commands since the last reset
	refuse func(call string) bool // the proxy refuses the call
	lose   func(call string) bool // the pool does it, and the answer is lost
	kind   string                 // of the refusal
}

func newLinkable(t *testing.T) *linkable {
	t.Helper()
	w := &linkable{t: t, pool: codegranttest.NewPool(t, nil)}
	to, err := url.Parse(w.pool.URL)
	w.ok(err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		w.asked.Add(1)
		refused := w.refuse != nil && w.refuse(call)
		if lost := w.lose != nil && w.lose(call); lost {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			refused = true
		}
		if !refused {
			forward.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(rw, `{"__type":"`+cmp.Or(w.kind, "AccessDeniedException")+`","message":"cut off"}`)
	}))
	t.Cleanup(proxy.Close)

	client, dir := w.pool.Clients()[0], t.TempDir()
	w.config = filepath.Join(dir, "codegrant.yaml")
	w.ok(os.WriteFile(w.config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
replica: true
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), w.pool.PoolID, proxy.URL+"/"+w.pool.PoolID, w.pool.URL, client.ID, client.Secret)), 0o600))
	w.o, err = parts.Inspection{Config: w.config}.Open()
	w.ok(err)
	t.Cleanup(w.o.Close)
	w.ok(errors.Join(w.o.Users.Migrate(t.Context()), w.o.InDatabase.Migrate(t.Context())))
	w.api, err = awsapi.Way{Endpoint: w.pool.URL}.Cognito(t.Context())
	w.ok(err)
	_, err = w.api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{
		UserPoolId: &w.pool.PoolID, ProviderName: aws.String("Google"), ProviderType: types.IdentityProviderTypeTypeGoogle,
		ProviderDetails: map[string]string{"client_id": "a", "client_secret": "b", "authorize_scopes": "email"},
	})
	w.ok(err)
	return w
}

func (w *linkable) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// google makes the user whom an account at Google has made.
func (w *linkable) google(id string, groups ...string) (username string) {
	w.t.Helper()
	for _, g := range groups {
		_ = w.pool.CreateGroup(w.pool.PoolID, g) // there already: fine
	}
	username = "google_" + strings.ToLower(id)
	w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{
		Username: username, Email: id + "@gmail.example", Status: "EXTERNAL_PROVIDER", Groups: groups, Attributes: map[string]string{
			"identities": `[{"userId":"` + id + `","providerName":"Google","providerType":"Google","issuer":null,"primary":true,"dateCreated":1712345678901}]`,
		},
	}))
	return username
}

func (w *linkable) link(username, id string) error {
	_, err := w.api.AdminLinkProviderForUser(w.t.Context(), &cip.AdminLinkProviderForUserInput{
		UserPoolId:      &w.pool.PoolID,
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: &username},
		SourceUser:      &types.ProviderUserIdentifierType{ProviderName: aws.String("Google"), ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: &id},
	})
	return err
}

// sync has the replica know everybody.
func (w *linkable) sync() {
	w.t.Helper()
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: w.pool.PoolID, Client: w.api})
	w.ok(err)
	sync, err := directory.New(directory.Config{Source: source, Issuer: w.o.Issuer, Replica: w.o.Users, Journal: directory.NewMemoryJournal(), MaxShare: 1})
	w.ok(err)
	_, err = sync.Run(w.t.Context(), directory.Options{Full: true})
	w.ok(err)
}

// sub is that of a user of the pool.
func (w *linkable) sub(username string) string {
	w.t.Helper()
	found, err := w.api.AdminGetUser(w.t.Context(), &cip.AdminGetUserInput{UserPoolId: &w.pool.PoolID, Username: &username})
	w.ok(err)
	for _, a := range found.UserAttributes {
		if aws.ToString(a.Name) == "sub" {
			return aws.ToString(a.Value)
		}
	}
	w.t.Fatalf("%s has no sub", username)
	return ""
}

// row is that of a user of the pool.
func (w *linkable) row(username string) replica.User {
	w.t.Helper()
	u, err := w.o.Users.UserByUsername(w.t.Context(), w.o.Issuer, username)
	w.ok(err)
	return u
}

// again reads a row.
func (w *linkable) again(u replica.User) replica.User {
	w.t.Helper()
	u, err := w.o.Users.User(w.t.Context(), u.ID)
	w.ok(err)
	return u
}

func (w *linkable) users(want int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	w.asked.Store(0)
	stdout, stderr, status := say(w.t, append(append([]string{"users"}, args...), "--config", w.config)...)
	if status != want {
		w.t.Fatalf("users %v: status %d\n%s%s", args, status, stdout, stderr)
	}
	return stdout, stderr
}

func (w *linkable) merge(want int, from, into replica.User, more ...string) (stdout, stderr string) {
	w.t.Helper()
	return w.users(want, append([]string{"merge", "--at-pool", "--from", fmt.Sprint(from.ID), "--into", fmt.Sprint(into.ID)}, more...)...)
}

// accounts are those that the pool has linked to a user.
func (w *linkable) accounts(username string) string {
	w.t.Helper()
	found, err := w.api.AdminGetUser(w.t.Context(), &cip.AdminGetUserInput{UserPoolId: &w.pool.PoolID, Username: &username})
	var missing *types.UserNotFoundException
	if errors.As(err, &missing) {
		return "nobody"
	}
	w.ok(err)
	u := poolUser{attributes: make(map[string]string)}
	for _, a := range found.UserAttributes {
		u.attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	var all []string
	for _, a := range u.accounts() {
		all = append(all, a.ProviderName+" "+a.UserID)
	}
	return strings.Join(all, ", ")
}

// everything is what the pool and the replica have.
func (w *linkable) everything() string {
	w.t.Helper()
	var all []string
	listed, err := w.api.ListUsers(w.t.Context(), &cip.ListUsersInput{UserPoolId: &w.pool.PoolID})
	w.ok(err)
	for _, u := range listed.Users {
		line := fmt.Sprint(aws.ToString(u.Username), u.Enabled, u.UserStatus)
		for _, a := range u.Attributes {
			line += " " + aws.ToString(a.Name) + "=" + aws.ToString(a.Value)
		}
		all = append(all, line)
	}
	slices.Sort(all)
	page, err := w.o.Users.Users(w.t.Context(), replica.UserQuery{Issuer: w.o.Issuer, Deleted: true, Limit: 100})
	w.ok(err)
	for _, u := range page.Users {
		all = append(all, fmt.Sprintf("%+v", u))
	}
	return strings.Join(all, "\n")
}
