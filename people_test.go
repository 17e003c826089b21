package codegrant_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
)

// howMany people a test makes: a share of CODEGRANT_PEOPLE, or a sample.
func howMany(sample, share int) int {
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && n > 0 {
		return max(n/share, 1)
	}
	return sample
}

// TestS270_PeopleAtRandom sign in, change and sign in again: the identity, the JSON and the
// replica say what the pool says, wherever sessions are kept. The largest person that a pool
// allows comes first. Of all people, a tenth comes here and a fortieth to Redis; the test of
// the gateway has everybody.
func TestS270_PeopleAtRandom(t *testing.T) {
	t.Run("sessions in memory", func(t *testing.T) { peopleAtRandom(t, howMany(240, 10), nil) })
	t.Run("sessions in Redis", func(t *testing.T) {
		url := testenv.Redis(t)
		peopleAtRandom(t, howMany(60, 40), func(c *codegrant.Config) {
			sessions, err := redisstore.New(redisstore.Config{URL: url, Now: c.Now, Prefix: t.Name() + rand.Text(), DisableCache: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sessions.Close() })
			key := make([]byte, session.KeySize)
			_, _ = rand.Read(key)
			if c.Keys, err = session.NewKeyring(key); err != nil {
				t.Fatal(err)
			}
			c.Sessions = sessions
		})
	})
}

func peopleAtRandom(t *testing.T, n int, change func(*codegrant.Config)) {
	users := &strictReplica{users: make(map[string]replica.User)}
	var seen *codegrant.Identity
	a := newApp(t, func(c *codegrant.Config) {
		if c.Replica, c.AcceptTokens = users, true; change != nil {
			change(c)
		}
	})
	guarded := a.auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = codegrant.From(r.Context()) }))
	endpoints := a.auth.Handler("/auth")
	pool := a.Clients()[0]
	mint := func(claims map[string]any) string {
		now := time.Now().Unix()
		for name, value := range map[string]any{"iss": pool.Issuer, "iat": now, "exp": now + 3600, "auth_time": now} {
			claims[name] = value
		}
		token, err := a.MintToken(a.PoolID, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	maker := peopletest.New(1)
	for i := range n {
		p := maker.Next()
		if i == 0 {
			p = maker.Largest()
		}
		for round := range 2 {
			id := map[string]any{"token_use": "id", "sub": p.Subject, "aud": pool.ID, "cognito:username": p.Username}
			for name, value := range p.Attributes {
				id[name] = value
			}
			access := map[string]any{"token_use": "access", "sub": p.Subject, "client_id": pool.ID, "username": p.Username, "scope": "openid"}
			if len(p.Groups) > 0 {
				id["cognito:groups"], access["cognito:groups"] = p.Groups, p.Groups
			}
			body, err := json.Marshal(map[string]string{"id_token": mint(id), "access_token": mint(access)})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), "POST", a.url+"/auth/session", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			endpoints.ServeHTTP(w, r)
			if w.Code != 201 {
				t.Fatalf("person %d, %+v: %d %s\n%s", i, p, w.Code, w.Body, a.log)
			}
			var said struct {
				Sub, Username, Email, Name string
				EmailVerified              bool `json:"email_verified"`
				Groups                     []string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
				t.Fatal(err)
			}
			r = httptest.NewRequestWithContext(t.Context(), "GET", a.url+"/", nil)
			for _, c := range w.Result().Cookies() {
				if c.MaxAge >= 0 {
					r.AddCookie(c)
				}
			}
			seen = nil
			guarded.ServeHTTP(httptest.NewRecorder(), r)
			if seen == nil {
				t.Fatalf("person %d, %+v: not signed in", i, p)
			}
			for what, got := range map[string][]string{
				"JSON":     {said.Sub, said.Username, said.Email, said.Name, strconv.FormatBool(said.EmailVerified)},
				"identity": {seen.Subject, seen.Username, seen.Email, seen.Name, strconv.FormatBool(seen.EmailVerified)},
			} {
				if want := []string{p.Subject, p.Username, p.Attributes["email"], p.Attributes["name"], p.Attributes["email_verified"]}; !slices.Equal(got, want) {
					t.Errorf("person %d: %s says %q, want %q", i, what, got, want)
				}
			}
			if !slices.Equal(said.Groups, seen.Groups) || !slices.Equal(slices.Sorted(slices.Values(seen.Groups)), slices.Sorted(slices.Values(p.Groups))) {
				t.Errorf("person %d: groups %q and %q, want %q", i, said.Groups, seen.Groups, p.Groups)
			}
			u := users.users[p.Subject]
			for _, g := range p.Groups {
				if !u.InGroup(g) || !seen.InGroup(g) {
					t.Errorf("person %d is not in %q", i, g)
				}
			}
			if len(u.Groups) != len(p.Groups) || u.Username != p.Username || round > 0 && u.ID == 0 {
				t.Errorf("person %d: the replica says %+v", i, u)
			}
			maker.Change(&p)
		}
		if t.Failed() {
			return
		}
	}
}
