package state

import (
	"fmt"
	"slices"
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

// errManaged refuses a change by hand of what Secrets Manager replaces: its current secret
// would not be the latest of the client. (Unconfirmed: "a change by hand of secrets in Secrets Manager".)
var errManaged = refuse(InvalidParameter, "The secrets of this user pool client are in AWS Secrets Manager, which replaces them.")

// AddSecret gives a client another secret; an empty one is made up.
func (s *State) AddSecret(poolID, clientID, value string) (ClientSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, c, err := s.clientOf(poolID, clientID)
	if err != nil {
		return ClientSecret{}, err
	}
	switch {
	case c.SecretARN != "":
		return ClientSecret{}, errManaged
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
	case c.SecretARN != "":
		return errManaged
	case i < 0:
		return refuse(ResourceNotFound, "The client secret does not exist.")
	case len(c.Secrets) == 1:
		return refuse(InvalidParameter, "The last secret of a user pool client cannot be deleted.")
	}
	c.SecretDates = slices.Delete(c.dates(p.Created), i, i+1)
	c.Secrets, c.Modified = slices.Delete(slices.Clone(c.Secrets), i, i+1), s.now()
	return s.saveLocked()
}
