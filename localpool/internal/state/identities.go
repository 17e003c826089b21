package state

import (
	"encoding/json"
	"slices"
)

// Identity is one that a user has at an identity provider, as the attribute identities
// has it.
type Identity struct {
	UserID   string  `json:"userId"`
	Provider string  `json:"providerName"`
	Type     string  `json:"providerType"`
	Issuer   *string `json:"issuer"`
	Primary  bool    `json:"primary"`
	Created  int64   `json:"dateCreated"` // milliseconds
}

// maxIdentities is how many identities are linked to a user at most.
const maxIdentities = 5

// Identities are those of a user at identity providers.
func (u User) Identities() []Identity { return identitiesOf(u.Attributes[identitiesAttribute]) }

func identitiesOf(text string) (list []Identity) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), &list) // none, where it is no list
	}
	return list
}

// Linked finds the user who has an identity.
func (s *State) Linked(poolID, provider, userID string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, false
	}
	if u := p.linked(provider, userID); u != nil {
		return u.clone(), true
	}
	return User{}, false
}

func (p *Pool) linked(provider, userID string) *User {
	return p.index.linked[identity{provider, userID}]
}

const identitiesAttribute = "identities"

// identity names somebody at a provider.
type identity struct{ provider, userID string }

// relink notes that a user's identities are others than before.
func (x *index) relink(u *User, before, now string) {
	if before == now {
		return
	}
	for _, i := range identitiesOf(before) {
		if key := (identity{i.Provider, i.UserID}); x.linked[key] == u {
			delete(x.linked, key)
		}
	}
	for _, i := range identitiesOf(now) {
		if key := (identity{i.Provider, i.UserID}); x.linked[key] == nil {
			x.linked[key] = u
		}
	}
}

// Link gives a user an identity at a provider, which nobody has.
func (s *State) Link(poolID, name string, i Identity) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		list := u.Identities()
		switch other := p.linked(i.Provider, i.UserID); {
		case u.Status == ExternalProvider:
			return refuse(InvalidParameter, "Invalid DestinationUser: a federated user cannot be a destination.")
		case other == u:
			return nil
		case other != nil:
			return refuse(InvalidParameter, "SourceUser is already linked to DestinationUser")
		case len(list) >= maxIdentities:
			return refuse(LimitExceeded, "Exceeded the number of identities that can be linked to a user.")
		}
		i.Created = s.now().UnixMilli()
		u.Attributes["identities"] = string(mustJSON(append(list, i)))
		return nil
	})
}

// Unlink takes an identity from whoever has it. A user who was made by it loses it too,
// and is disabled.
func (s *State) Unlink(poolID string, i Identity) error {
	s.mu.Lock()
	p, err := s.pool(poolID)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	u := p.linked(i.Provider, i.UserID)
	s.mu.Unlock()
	if u == nil {
		return errNoUser
	}
	return s.change(poolID, u.Username, func(p *Pool, u *User) error {
		list := slices.DeleteFunc(u.Identities(), func(one Identity) bool { return one.Provider == i.Provider && one.UserID == i.UserID })
		if u.Attributes["identities"] = string(mustJSON(list)); len(list) == 0 {
			delete(u.Attributes, "identities")
		}
		if u.Status == ExternalProvider {
			u.Enabled = false
			s.revokeAll(p, u)
		}
		return nil
	})
}
