package localpool

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/events"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// Names of the endpoints, for [Server.Calls] and [Server.Fault]. Operations of the
// JSON API have those that AWS gave them, such as ListUsers.
const (
	Authorize = "authorize"
	Token     = "token"
	UserInfo  = "userInfo"
	Revoke    = "revoke"
	Register  = "register"
	Logout    = "logout"
	Discovery = "discovery"
	JWKS      = "jwks"
	Pages     = "pages"
	API       = "api" // all operations of the JSON API together
)

// counted counts the calls of an endpoint, and lets a fault answer in its place.
func (s *Server) counted(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[name]++
		fault := s.faults[name]
		s.mu.Unlock()
		if fault != nil {
			fault.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Calls says how often an endpoint was called.
func (s *Server) Calls(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[endpoint]
}

// Fault has a handler answer in place of an endpoint; nil ends that.
func (s *Server) Fault(endpoint string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[endpoint] = h
}

// DefaultQuotas returns the requests per second that Cognito allows an account which
// asked for no more, by category of operation.
func DefaultQuotas() map[string]float64 { return quota.Defaults() }

// SetQuota sets how many requests of a category of operations are taken in a second,
// over all pools. More are refused as Cognito does, with TooManyRequestsException.
// Zero ends the limit.
func (s *Server) SetQuota(category string, perSecond float64) error {
	if err := checkQuota(category, perSecond); err != nil {
		return fmt.Errorf("local pool: %w", err)
	}
	s.limiter.Set(category, perSecond)
	return nil
}

// Throttled says how many requests of a category were refused because of its quota.
func (s *Server) Throttled(category string) int { return s.limiter.Throttled(category) }

func checkQuota(category string, perSecond float64) error {
	if !quota.Known(category) {
		return fmt.Errorf("quota %q: there is no such category; there are %s", category, strings.Join(slices.Sorted(maps.Keys(quota.Defaults())), ", "))
	}
	if perSecond < 0 || math.IsNaN(perSecond) || math.IsInf(perSecond, 0) {
		return fmt.Errorf("quota %q: %v is not a number of requests per second", category, perSecond)
	}
	return nil
}

// Client is an app client as an application has to know it.
type Client struct {
	ID     string
	Secret string // empty for a public client
	PoolID string
	Issuer string
	Name   string
	// SecretARN names the secret in Secrets Manager, where it is kept there.
	SecretARN    string
	CallbackURLs []string
}

// Clients lists the app clients of every pool, in the order of the seed.
func (s *Server) Clients() []Client {
	var clients []Client
	for _, id := range s.state.Pools() {
		p, err := s.state.Describe(id)
		if err != nil {
			continue
		}
		for _, c := range p.Clients {
			client := Client{ID: c.ID, PoolID: id, Issuer: s.oauth.Issuer(id), Name: c.Name, SecretARN: c.SecretARN, CallbackURLs: c.CallbackURLs}
			if len(c.Secrets) > 0 {
				client.Secret = c.Secrets[0]
			}
			clients = append(clients, client)
		}
	}
	return clients
}

// BaseURL is where the server is reached.
func (s *Server) BaseURL() string { return s.base }

// RegisterURLs adds a callback and a sign-out URL to an app client that does not
// have them.
func (s *Server) RegisterURLs(clientID, callback, signOut string) error {
	add := func(urls []string, u string) []string {
		if slices.Contains(urls, u) {
			return urls
		}
		return append(slices.Clone(urls), u)
	}
	return s.state.UpdateClient(clientID, func(c *state.Client) {
		c.CallbackURLs, c.LogoutURLs = add(c.CallbackURLs, callback), add(c.LogoutURLs, signOut)
	})
}

// SetTokenValidity sets how long an app client's access and ID tokens live from
// now on.
func (s *Server) SetTokenValidity(clientID string, validity time.Duration) error {
	return s.state.UpdateClient(clientID, func(c *state.Client) { c.AccessTokenValidity, c.IDTokenValidity = validity, validity })
}

// SetRotation turns the rotation of refresh tokens on or off.
func (s *Server) SetRotation(clientID string, on bool, grace time.Duration) error {
	return s.state.UpdateClient(clientID, func(c *state.Client) { c.Rotation, c.RotationGrace = on, grace })
}

// recorded does something to a user, a group, or both, and has it told of as the
// operation of the JSON API that does the same.
func (s *Server) recorded(operation, poolID, name, group string, do func() error) error {
	c := events.Call{Operation: operation, PoolID: poolID, RequestID: tokens.NewID(), SourceIP: "127.0.0.1", UserAgent: "codegrant-localpool"}
	c.Parameters = make(map[string]json.RawMessage)
	for member, value := range map[string]string{"Username": name, "GroupName": group} {
		if b, err := json.Marshal(value); err == nil && value != "" {
			c.Parameters[member] = b
		}
	}
	find := func() {
		if c.Sub == "" && name != "" && s.trail.On(operation) {
			u, _ := s.state.User(poolID, name)
			c.Sub = u.Sub()
		}
	}
	find() // they may be gone afterwards
	err := do()
	find()
	if err != nil && !errors.As(err, &c.Error) {
		c.Error = &state.Error{Type: "InternalErrorException"}
	}
	s.trail.Record(c)
	return err
}

// CreateUser makes a user as the seed does. No trigger is called.
func (s *Server) CreateUser(poolID string, u UserSeed) error {
	return s.recorded("AdminCreateUser", poolID, or(u.Username, u.Email), "", func() error {
		_, err := s.state.CreateUser(poolID, u.user())
		return err
	})
}

// DeleteUser removes a user. A new one of the same name is another person.
func (s *Server) DeleteUser(poolID, name string) error {
	return s.recorded("AdminDeleteUser", poolID, name, "", func() error { return s.state.DeleteUser(poolID, name) })
}

// DisableUser disables a user and revokes all that was granted to them.
func (s *Server) DisableUser(poolID, name string) error {
	return s.recorded("AdminDisableUser", poolID, name, "", func() error { return s.state.SetEnabled(poolID, name, false) })
}

// EnableUser enables a user; what was revoked stays revoked.
func (s *Server) EnableUser(poolID, name string) error {
	return s.recorded("AdminEnableUser", poolID, name, "", func() error { return s.state.SetEnabled(poolID, name, true) })
}

// SetAttributes sets attributes of a user, and removes those that are empty.
func (s *Server) SetAttributes(poolID, name string, attributes map[string]string) error {
	return s.recorded("AdminUpdateUserAttributes", poolID, name, "", func() error { return s.state.SetAttributes(poolID, name, attributes) })
}

// SetPassword sets a password. One that is not permanent has to be changed at the
// next sign-in.
func (s *Server) SetPassword(poolID, name, password string, permanent bool) error {
	return s.recorded("AdminSetUserPassword", poolID, name, "", func() error { return s.state.SetPassword(poolID, name, password, permanent) })
}

// CreateGroup makes a group.
func (s *Server) CreateGroup(poolID, group string) error {
	return s.recorded("CreateGroup", poolID, "", group, func() error { return s.state.CreateGroup(poolID, state.Group{Name: group}) })
}

// DeleteGroup removes a group; its members lose it.
func (s *Server) DeleteGroup(poolID, group string) error {
	return s.recorded("DeleteGroup", poolID, "", group, func() error { return s.state.DeleteGroup(poolID, group) })
}

// AddToGroup makes a user a member of a group.
func (s *Server) AddToGroup(poolID, name, group string) error {
	return s.recorded("AdminAddUserToGroup", poolID, name, group, func() error { return s.state.AddToGroup(poolID, name, group) })
}

// RemoveFromGroup ends a membership.
func (s *Server) RemoveFromGroup(poolID, name, group string) error {
	return s.recorded("AdminRemoveUserFromGroup", poolID, name, group, func() error { return s.state.RemoveFromGroup(poolID, name, group) })
}

// SendEvents has one more receiver told of changes from now on, as those of the seed
// are.
func (s *Server) SendEvents(to EventsSeed) error {
	if err := to.check(); err != nil {
		return fmt.Errorf("local pool: events: %w", err)
	}
	s.trail.Add(events.Sink{URL: to.URL, Secret: to.Secret})
	return nil
}

// RotateKeys replaces the pool's keys; tokens signed before no longer verify.
func (s *Server) RotateKeys(poolID string) error { return s.state.RotateKeys(poolID) }

// MintToken signs any claims with the pool's keys, the one for access tokens where
// token_use says so: for tests of what must be refused.
func (s *Server) MintToken(poolID string, claims map[string]any) (string, error) {
	return s.state.Sign(poolID, claims)
}

// LastCode returns the latest code that Cognito would have sent to an address.
func (s *Server) LastCode(to string) (string, bool) {
	for _, m := range s.state.Messages() {
		if m.To == to {
			return m.Code, true
		}
	}
	return "", false
}

// KeepSecret has the secret of an app client kept in Secrets Manager, which answers at
// the server's own address, and which replaces it at once. [Client.SecretARN] names it
// from then on.
func (s *Server) KeepSecret(clientID string) error {
	c, ok := s.state.Client(clientID)
	if !ok {
		return fmt.Errorf("local pool: there is no app client %q", clientID)
	}
	if _, err := s.state.Manage(c.PoolID, clientID, true); err != nil {
		return fmt.Errorf("local pool: keep the secret of %s in Secrets Manager: %w", clientID, err)
	}
	return nil
}
