package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Manage has a client's secret kept in Secrets Manager, which replaces it at once; or
// ends that.
func (s *State) Manage(poolID, clientID string, on bool) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	switch {
	case err != nil:
		return Client{}, err
	case on && !c.Generated():
		return Client{}, errNotGenerated
	case on == (c.SecretARN != ""):
		return *c, nil
	}
	c.SecretARN, c.RotationEvery = "", 0
	if on {
		c.Publish()
		c.rotate(p.Created, s.now())
	}
	return *c, s.saveLocked()
}

var errNotGenerated = refuse(InvalidParameter, "The user pool client does not have a generated client secret.")

// Generated reports whether the client has a secret that was made up for it.
func (c Client) Generated() bool { return len(c.Secrets) > 0 && !c.OwnSecret }

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

// rotate puts a new secret in front. The latest of before stays valid, and no older one.
func (c *Client) rotate(pool, now time.Time) {
	dates := c.dates(pool)
	latest := len(dates) - 1
	for i, date := range dates {
		if date.After(dates[latest]) {
			latest = i
		}
	}
	c.Secrets = []string{NewSecret(), c.Secrets[latest]}
	c.SecretDates = []time.Time{later(now, dates), dates[latest]}
	c.Modified = now
}

// RotatesEvery is how often Secrets Manager replaces the secret: every seven days, unless
// it was told otherwise.
func (c Client) RotatesEvery() time.Duration { return cmp.Or(c.RotationEvery, 7*day) }

// renew replaces a secret that is due, which nobody asks for: as often as it was due since,
// but for those that are gone again. The caller holds the lock.
func (s *State) renew(p *Pool, c *Client) error {
	if c.SecretARN == "" {
		return nil
	}
	last, every := c.madeAt(0, p.Created), c.RotatesEvery()
	missed := int(s.now().Sub(last) / every)
	for i := max(1, missed-1); i <= missed; i++ {
		c.rotate(p.Created, last.Add(time.Duration(i)*every))
	}
	if missed < 1 {
		return nil
	}
	return s.saveLocked()
}

// current renews a client's secret if it is due. Where that cannot be saved, the client is as
// it was: reads go on. The caller holds the lock.
func (s *State) current(p *Pool, c *Client) (*Pool, *Client) {
	if err := s.renew(p, c); err != nil {
		s.logger.Error("a client secret that is due is not replaced yet", slog.String("client", c.ID), slog.Any("error", err))
		return s.holding(c.ID) // the change is undone
	}
	return p, c
}

// managed finds the client whose secret is kept under a name. The caller holds the lock.
func (s *State) managed(id string) (*Pool, *Client, error) {
	for _, p := range s.pools {
		for _, c := range p.Clients {
			if c.calledSecret(id) {
				p, c = s.current(p, c)
				return p, c, nil
			}
		}
	}
	return nil, nil, refuse(ResourceNotFound, noManagedSecret)
}

// Rotate has a secret in Secrets Manager be replaced: every so often from now on (zero: as
// it was), and at once.
func (s *State) Rotate(id string, every time.Duration, atOnce bool) (ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.managed(id)
	if err != nil {
		return ClientSecret{}, err
	}
	if every > 0 {
		c.RotationEvery = every
	}
	if atOnce {
		c.rotate(p.Created, s.now())
	}
	return c.secrets(p.Created)[0], s.saveLocked()
}

const noManagedSecret = "Secrets Manager can't find the specified secret."

// Managed returns the client of a secret in Secrets Manager, and its values: the
// current one, and the one of before.
func (s *State) Managed(id string) (Client, []ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.managed(id)
	if err != nil {
		return Client{}, nil, err
	}
	return *c, c.secrets(p.Created), nil
}
