package state

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Reserved are the scopes that no resource server defines.
var Reserved = []string{"openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"}

// Limits of an account and of a pool, as they are until one asks for more.
const (
	maxPools           = 1000
	maxClients         = 1000
	maxResourceServers = 25
)

func letters(set string, n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = set[int(b[i])%len(set)]
	}
	return string(b)
}

// CreatePool makes a pool, with an id and keys. Its id is of the region that it is given
// in place of an id, or else of the state's, or of the pools that are there.
func (s *State) CreatePool(p Pool) (Pool, error) {
	made := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.pools) >= maxPools {
			return refuse(LimitExceeded, "Maximum number of user pools has been reached.")
		}
		region := cmp.Or(p.ID, s.region, "local")
		if p.ID == "" && s.region == "" && len(s.pools) > 0 {
			region, _, _ = strings.Cut(s.pools[0].ID, "_")
		}
		p.ID = region + "_" + letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 9)
		p.Created, p.Modified = s.now(), s.now()
		if err := p.makeIndex(); err != nil {
			return err
		}
		s.pools = append(s.pools, &p)
		return s.saveLocked()
	}
	if err := made(); err != nil {
		return Pool{}, err
	}
	return s.Describe(p.ID)
}

// UpdatePool changes a pool's settings: what f is given are those, and nothing that
// is in the pool.
func (s *State) UpdatePool(id string, change func(*Pool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(id)
	if err != nil {
		return err
	}
	changed := Pool{Name: p.Name, Settings: p.Settings, Clients: p.Clients, Documents: p.Documents} // of which the name and the settings count
	if err := change(&changed); err != nil {
		return err
	}
	before := p.Settings
	p.Settings = changed.Settings
	if err := p.settle(); err != nil {
		p.Settings = before
		return err
	}
	p.Name, p.Modified = changed.Name, s.now()
	return s.saveLocked()
}

// Trigger returns the ARN of the function that LambdaConfig has for a trigger, and
// the version of its event where there are several. A function is its ARN, or a structure
// of both, which goes by the name with Config where there was an ARN before.
func (s *State) Trigger(poolID, name string) (arn, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return "", ""
	}
	config, err := p.Settings.structure("LambdaConfig")
	if err != nil {
		return "", ""
	}
	for _, member := range []string{name + "Config", name} {
		var f LambdaFunction
		if raw := config[member]; len(raw) > 0 && json.Unmarshal(raw, &f) == nil && f.LambdaArn != "" {
			return f.LambdaArn, f.LambdaVersion
		}
	}
	_ = json.Unmarshal(config[name], &arn) // none, where it is not text
	return arn, ""
}

// DeletePool removes a pool and all that is in it. One with a domain stays.
func (s *State) DeletePool(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(id)
	if err != nil {
		return err
	}
	if p.rules.DeletionProtection == "ACTIVE" {
		return refuse(InvalidParameter, "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.")
	}
	if p.Domain != "" || p.CustomDomain != "" {
		return refuse(InvalidParameter, "User pool cannot be deleted. It has a domain configured that should be deleted first.")
	}
	s.pools = slices.DeleteFunc(s.pools, func(other *Pool) bool { return other == p })
	return s.saveLocked()
}

// CreateClient makes an app client, with an id.
func (s *State) CreateClient(poolID string, c Client) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return c, err
	}
	if len(p.Clients) >= maxClients {
		return c, refuse(LimitExceeded, "Maximum number of user pool clients has been reached.")
	}
	if err := p.checkScopes(c); err != nil {
		return c, err
	}
	c.ID, c.PoolID = letters("abcdefghijklmnopqrstuvwxyz0123456789", 26), poolID
	c.Created, c.Modified = s.now(), s.now()
	if c.SecretARN != "" { // the first rotation begins at once
		c.Publish()
		c.rotate(p.Created, s.now())
	}
	p.Clients = append(p.Clients, &c)
	return c, s.saveLocked()
}

// NewSecret makes up a client's secret.
func NewSecret() string { return letters("abcdefghijklmnopqrstuvwxyz0123456789", 51) }

// ReplaceClient changes an app client. Its id, pool and secrets stay.
func (s *State) ReplaceClient(poolID, id string, c Client) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, before, err := s.clientOf(poolID, id)
	if err != nil {
		return c, err
	}
	c.ID, c.PoolID, c.Created, c.Modified = before.ID, before.PoolID, before.Created, s.now()
	c.Secrets, c.SecretDates, c.OwnSecret = before.Secrets, before.SecretDates, before.OwnSecret
	c.SecretARN, c.RotationEvery = before.SecretARN, before.RotationEvery
	if c.Name == "" {
		c.Name = before.Name
	}
	if err := p.checkScopes(c); err != nil {
		return c, err
	}
	*before = c
	return c, s.saveLocked()
}

// DeleteClient removes an app client.
func (s *State) DeleteClient(poolID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, id)
	if err != nil {
		return err
	}
	p.Clients = slices.DeleteFunc(p.Clients, func(other *Client) bool { return other == c })
	p.unname(id)
	return s.saveLocked()
}

// clientOf finds a client of a pool. The caller holds the lock.
func (s *State) clientOf(poolID, id string) (*Pool, *Client, error) {
	p, err := s.pool(poolID)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range p.Clients {
		if c.ID == id {
			p, c = s.current(p, c)
			return p, c, nil
		}
	}
	return nil, nil, refuse(ResourceNotFound, fmt.Sprintf("User pool client %s does not exist.", id))
}

func (p *Pool) checkScopes(c Client) error {
	for _, scope := range c.Scopes {
		if !slices.Contains(Reserved, scope) && !p.defines(scope) {
			return refuse("ScopeDoesNotExistException", "Invalid scope requested: "+scope)
		}
	}
	return nil
}

// defines reports whether a scope is of one of the pool's resource servers.
func (p *Pool) defines(scope string) bool {
	if scope == RegisterScope {
		return p.rules != nil && p.rules.DcrConfiguration.On()
	}
	return slices.ContainsFunc(p.ResourceServer, func(server ResourceServer) bool {
		name, ok := strings.CutPrefix(scope, server.Identifier+"/")
		return ok && slices.Contains(server.Scopes, name)
	})
}

// Defines reports whether a scope is of one of a pool's resource servers.
func (s *State) Defines(poolID, scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	return err == nil && p.defines(scope)
}

// SetDomain gives a pool a name; the empty one takes it away.
func (s *State) SetDomain(poolID, domain string, custom bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	own := &p.Domain
	if custom {
		own = &p.CustomDomain
	}
	switch {
	case domain != "" && *own != "":
		return refuse(InvalidParameter, "User pool already has a domain configured.")
	case domain != "" && s.holderOf(domain) != nil:
		return refuse(InvalidParameter, "Domain already associated with another user pool.")
	}
	*own = domain
	return s.saveLocked()
}

func (s *State) holderOf(domain string) *Pool {
	for _, p := range s.pools {
		if p.Domain == domain || p.CustomDomain == domain {
			return p
		}
	}
	return nil
}

// DomainHolder finds the pool that has a name.
func (s *State) DomainHolder(domain string) (poolID string, custom, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.holderOf(domain)
	if p == nil || domain == "" {
		return "", false, false
	}
	return p.ID, p.CustomDomain == domain, true
}

// CreateResourceServer makes a resource server.
func (s *State) CreateResourceServer(poolID string, server ResourceServer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(p.ResourceServer, func(other ResourceServer) bool { return other.Identifier == server.Identifier }):
		return refuse(InvalidParameter, fmt.Sprintf("%s already exists in user pool %s.", server.Identifier, poolID))
	case len(p.ResourceServer) >= maxResourceServers:
		return refuse(LimitExceeded, "Maximum number of resource servers has been reached.")
	}
	// Copies of the pool share the list.
	p.ResourceServer = append(slices.Clone(p.ResourceServer), server)
	return s.saveLocked()
}

// CheckURL checks a callback or sign-out URL: https, or http on this machine, or a
// scheme of an app; no fragment.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsAny(raw, "# ") {
		return fmt.Errorf("%q is not a URL without fragment", raw)
	}
	if u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()) {
		return fmt.Errorf("%q begins with http; Cognito takes that only for localhost", raw)
	}
	return nil
}
