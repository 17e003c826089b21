package state

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ClientSecret is one secret of an app client.
type ClientSecret struct {
	ID      string
	Value   string
	Created time.Time
}

// maxClientSecrets is how many an app client has at most (AWS, API reference,
// AddUserPoolClientSecret).
const maxClientSecrets = 2

// madeAt is when the secret of an index was made. Those of a seed are as old as their
// client.
func (c Client) madeAt(i int, pool time.Time) time.Time {
	switch {
	case i < len(c.SecretDates):
		return c.SecretDates[i]
	case !c.Created.IsZero():
		return c.Created
	}
	return pool
}

// ListSecrets returns the secrets of a client. Their ids are made of the time at which
// they were, as Cognito's are.
func (s *State) ListSecrets(poolID, clientID string) ([]ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	if err != nil {
		return nil, err
	}
	return c.secrets(p.Created), nil
}

func (c Client) secrets(pool time.Time) []ClientSecret {
	list := make([]ClientSecret, 0, len(c.Secrets))
	for i, value := range c.Secrets {
		at := c.madeAt(i, pool)
		list = append(list, ClientSecret{fmt.Sprintf("%s--%d", c.ID, at.Unix()), value, at})
	}
	return list
}

// AddSecret gives a client another secret; an empty one is made up.
func (s *State) AddSecret(poolID, clientID, value string) (ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	if err != nil {
		return ClientSecret{}, err
	}
	switch {
	case len(c.Secrets) == 0:
		return ClientSecret{}, refuse(InvalidParameter, "The user pool client does not have a client secret.")
	case len(c.Secrets) >= maxClientSecrets:
		return ClientSecret{}, refuse(LimitExceeded, "A user pool client has two secrets at most.")
	case slices.Contains(c.Secrets, value):
		return ClientSecret{}, refuse(InvalidParameter, "The user pool client has this secret already.")
	}
	if value == "" {
		value = NewSecret()
	}
	dates := c.dates(p.Created)
	c.SecretDates = append(dates, later(s.now(), dates))
	c.Secrets, c.Modified = append(slices.Clone(c.Secrets), value), s.now()
	added := c.secrets(p.Created)
	return added[len(added)-1], s.saveLocked()
}

// later is the time of a new secret: ids are made of seconds, so that it is not of the
// second of another.
func later(now time.Time, dates []time.Time) time.Time {
	for _, d := range dates {
		if !now.Truncate(time.Second).After(d) {
			now = d.Truncate(time.Second).Add(time.Second)
		}
	}
	return now
}

func (c Client) dates(pool time.Time) []time.Time {
	dates := make([]time.Time, 0, len(c.Secrets))
	for i := range c.Secrets {
		dates = append(dates, c.madeAt(i, pool))
	}
	return dates
}

// DeleteSecret takes a secret away. The last one stays.
func (s *State) DeleteSecret(poolID, clientID, secretID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.secrets(p.Created), func(secret ClientSecret) bool { return secret.ID == secretID })
	switch {
	case i < 0:
		return refuse(ResourceNotFound, "The client secret does not exist.")
	case len(c.Secrets) == 1:
		return refuse(InvalidParameter, "The last secret of a user pool client cannot be deleted.")
	}
	c.SecretDates = slices.Delete(c.dates(p.Created), i, i+1)
	c.Secrets, c.Modified = slices.Delete(slices.Clone(c.Secrets), i, i+1), s.now()
	return s.saveLocked()
}

// Manage has a client's secret kept in Secrets Manager, which replaces it at once; or
// ends that.
func (s *State) Manage(poolID, clientID string, on bool) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	switch {
	case err != nil:
		return Client{}, err
	case on && len(c.Secrets) == 0:
		return Client{}, refuse(InvalidParameter, "The user pool client does not have a generated client secret.")
	case on == (c.SecretARN != ""):
		return *c, nil
	}
	c.SecretARN = ""
	if on {
		c.Publish()
		c.rotate(p.Created, s.now())
	}
	return *c, s.saveLocked()
}

// Publish names the secret as it would be in Secrets Manager. The form is that of real
// ones, which is not that of the API's model; the six letters at the end, which AWS draws
// at random, follow from the client, so that they outlive a restart.
func (c *Client) Publish() {
	region, _, _ := strings.Cut(c.PoolID, "_")
	sum := sha256.Sum256([]byte(c.PoolID + " " + c.ID))
	c.SecretARN = fmt.Sprintf("arn:aws:secretsmanager:%s:000000000000:secret:%s-%s", region, c.SecretName(), base32.StdEncoding.EncodeToString(sum[:])[:6])
}

// SecretName is the name of the secret in Secrets Manager.
func (c Client) SecretName() string { return "cognito!client-" + c.ID }

// calledSecret reports whether an id names the client's secret: by its ARN, with or without
// the six letters at the end, or by its name.
func (c Client) calledSecret(id string) bool {
	if c.SecretARN == "" || id == "" {
		return false
	}
	return id == c.SecretARN || id == c.SecretName() || id == c.SecretARN[:max(0, strings.LastIndexByte(c.SecretARN, '-'))]
}

// rotate puts a new secret in front. The one of before stays valid, and no older one.
func (c *Client) rotate(pool, now time.Time) {
	dates := c.dates(pool)
	c.Secrets = append([]string{NewSecret()}, c.Secrets[:min(1, len(c.Secrets))]...)
	c.SecretDates = append([]time.Time{later(now, dates)}, dates[:len(c.Secrets)-1]...)
	c.Modified = now
}

// managed finds the client whose secret is kept under a name. The caller holds the lock.
func (s *State) managed(id string) (*Pool, *Client) {
	for _, p := range s.pools {
		for _, c := range p.Clients {
			if c.calledSecret(id) {
				return p, c
			}
		}
	}
	return nil, nil
}

// Rotate replaces a secret in Secrets Manager.
func (s *State) Rotate(id string) (ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c := s.managed(id)
	if c == nil {
		return ClientSecret{}, refuse(ResourceNotFound, noManagedSecret)
	}
	c.rotate(p.Created, s.now())
	return c.secrets(p.Created)[0], s.saveLocked()
}

const noManagedSecret = "Secrets Manager can't find the specified secret."

// Managed returns the client of a secret in Secrets Manager, and its values: the
// current one, and the one of before.
func (s *State) Managed(id string) (Client, []ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c := s.managed(id)
	if c == nil {
		return Client{}, nil, refuse(ResourceNotFound, noManagedSecret)
	}
	return *c, c.secrets(p.Created), nil
}
