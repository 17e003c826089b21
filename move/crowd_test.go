package move

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// near is a local pool without a network, which answers after a while.
type near struct {
	pool    http.Handler
	latency time.Duration
}

func (n *near) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(n.latency)
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:40000"
	n.pool.ServeHTTP(w, in)
	return w.Result(), nil
}

// newCrowd are two pools in the process, one with so many people: every tenth is disabled.
func newCrowd(t *testing.T, people int, latency time.Duration) *world {
	t.Helper()
	var seed strings.Builder
	seed.WriteString(`
pools:
  - id: local_Old000001
    clients: [{id: ask, secret: "a secret of the old pool", callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}]
    groups: [{name: editors}, {name: readers}]
    users:
`)
	for i := range people {
		groups, disabled := "", ""
		if i%5 == 0 {
			groups = ", groups: [editors]"
		}
		if i%10 == 9 {
			disabled = ", disabled: true"
		}
		fmt.Fprintf(&seed, "      - {username: %s, email: %[1]s@example.com, password: %s%s%s}\n", nameOf(i), password, groups, disabled)
	}
	seed.WriteString(`
  - id: local_New000001
    clients: [{id: web, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]
    groups: [{name: editors}, {name: readers}]
`)
	parsed, err := localpool.ParseSeed([]byte(seed.String()))
	if err != nil {
		t.Fatal(err)
	}
	w := new(world)
	if w.pools, err = localpool.New(localpool.Config{Seed: parsed, BaseURL: "http://localhost:9229", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	n := &near{pool: w.pools}
	url := "http://localhost:9229"
	w.Client = cip.New(cip.Options{Region: "local", BaseEndpoint: &url, HTTPClient: n, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	if _, err := w.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String(newPoolID), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	if w.tickets, err = NewTickets([]byte(strings.Repeat("k", KeySize)), oldPool, newPoolID); err != nil {
		t.Fatal(err)
	}
	if w.arrival, err = NewArrival(ArrivalConfig{Old: w.Client, New: w.Client, Tickets: w.tickets, OldClientID: "ask", OldClientSecret: "a secret of the old pool"}); err != nil {
		t.Fatal(err)
	}
	w.deploy(t)
	// The trigger reads the new pool once, and others wait for a lock meanwhile: in a bubble,
	// that takes for ever if the pool takes a while.
	if _, err := w.arrival.pool(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.latency = latency
	return w
}

func nameOf(i int) string { return fmt.Sprintf("user%04d", i) }

// TestS781_Pace: a drain takes no longer than 1.05 times what the quotas make necessary, though
// each call takes a while, with the reading of both pools at its beginning and the calls of the
// last person at its end. It keeps to every quota.
func TestS781_Pace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people = 600
		w := newCrowd(t, people, 80*time.Millisecond)
		defer w.pools.Close()
		api := &timed{WriteAPI: w.Client, at: make(map[category][]time.Time)}
		m := w.move(t, api, func(c *Config) { c.Old, c.Share = api, 1 })
		began := time.Now()
		d, err := m.Drain(t.Context(), false)
		if err != nil || d.Failed != 0 || d.Made != people*9/10 {
			t.Fatalf("%+v, %v", d, err)
		}
		took := time.Since(began).Seconds()
		least := 0.0
		for of, at := range api.at {
			least = max(least, float64(len(at))/quotas[of])
			slices.SortFunc(at, time.Time.Compare)
			for i := range at { // of what begins within a second
				within := 0
				for _, other := range at[i:] {
					if other.Sub(at[i]) < time.Second {
						within++
					}
				}
				if within > int(quotas[of])+1 {
					t.Fatalf("%s: %d calls in a second of %v", of, within, quotas[of])
				}
			}
		}
		if took > 1.05*least {
			t.Errorf("it took %.1f s, and the quotas make %.1f s necessary", took, least)
		}
		t.Logf("%d people: %.1f s, of which the quotas make %.1f s necessary", d.Made, took, least)
	})
}

// timed notes when calls begin.
type timed struct {
	WriteAPI
	mu sync.Mutex
	at map[category][]time.Time
}

func (c *timed) note(in any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[categoryOf(in)] = append(c.at[categoryOf(in)], time.Now())
}

func (c *timed) ListUsers(ctx context.Context, in *cip.ListUsersInput, o ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	c.note(in)
	return c.WriteAPI.ListUsers(ctx, in, o...)
}

func (c *timed) AdminGetUser(ctx context.Context, in *cip.AdminGetUserInput, o ...func(*cip.Options)) (*cip.AdminGetUserOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminGetUser(ctx, in, o...)
}

func (c *timed) AdminListGroupsForUser(ctx context.Context, in *cip.AdminListGroupsForUserInput, o ...func(*cip.Options)) (*cip.AdminListGroupsForUserOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminListGroupsForUser(ctx, in, o...)
}

func (c *timed) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminCreateUser(ctx, in, o...)
}

func (c *timed) AdminAddUserToGroup(ctx context.Context, in *cip.AdminAddUserToGroupInput, o ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminAddUserToGroup(ctx, in, o...)
}

func (c *timed) AdminUpdateUserAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput, o ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminUpdateUserAttributes(ctx, in, o...)
}

func (c *timed) AdminSetUserPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput, o ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	c.note(in)
	return c.WriteAPI.AdminSetUserPassword(ctx, in, o...)
}
