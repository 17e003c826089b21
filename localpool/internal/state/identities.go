package state

import (
	"encoding/json"
	"maps"
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
		_ = json.Unmarshal([]byte(text), &list) // none, where it is not a list
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
	if u := p.linked(identity{provider: provider, value: userID}); u != nil {
		return u.clone(), true
	}
	return User{}, false
}

func (p *Pool) linked(who identity) *User { return p.index.linked[who] }

const identitiesAttribute = "identities"

// identity names somebody at a provider: by what the provider calls them, or by another
// attribute until they first sign in with it.
type identity struct{ provider, attribute, value string }

func (i identity) is(one Identity, links map[string]string) bool {
	return one.Provider == i.provider && one.UserID == i.value && links[linkKey(one)] == i.attribute
}

// linkKey names an identity in [User.Links].
func linkKey(i Identity) string { return i.Provider + "/" + i.UserID }

// identityKeys are what a user is found by at identity providers.
func (u *User) identityKeys() []identity {
	if u == nil || u.Attributes[identitiesAttribute] == "" {
		return nil
	}
	var keys []identity
	for _, i := range u.Identities() {
		keys = append(keys, identity{i.Provider, u.Links[linkKey(i)], i.UserID})
	}
	return keys
}

// relink notes that a user's identities are others than before.
func (x *index) relink(u *User, before, now []identity) {
	for _, key := range before {
		if x.linked[key] == u {
			delete(x.linked, key)
		}
	}
	for _, key := range now {
		if x.linked[key] == nil {
			x.linked[key] = u
		}
	}
}

// Link gives a user an identity at a provider, which nobody has. With an attribute, it is
// that of whoever the provider says this of; what it calls them is known when they come.
func (s *State) Link(poolID, name string, i Identity, attribute string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if attribute != "" {
			i.UserID = p.folded(attribute, i.UserID)
		}
		list := u.Identities()
		same := slices.ContainsFunc(list, func(one Identity) bool { return linkKey(one) == linkKey(i) })
		switch other := p.linked(identity{i.Provider, attribute, i.UserID}); {
		case u.Status == ExternalProvider:
			return refuse(InvalidParameter, "Invalid DestinationUser: a federated user cannot be a destination.")
		case other == u:
			return nil
		case other != nil && other.Status == ExternalProvider:
			return refuse(InvalidParameter, "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link")
		case other != nil:
			return refuse(InvalidParameter, "SourceUser is already linked to DestinationUser")
		case same:
			return refuse(InvalidParameter, "The user has an identity with this value already, which is linked by another attribute.")
		case len(list) >= maxIdentities:
			return refuse(LimitExceeded, "Exceeded the number of identities that can be linked to a user.")
		}
		i.Created = s.now().UnixMilli()
		u.identify(append(list, i))
		if attribute != "" {
			u.Links = with(u.Links, linkKey(i), attribute)
		}
		return nil
	})
}

// with is a copy of links with one more; an empty attribute takes it away.
func with(links map[string]string, key, attribute string) map[string]string {
	links = maps.Clone(links)
	if links == nil {
		links = make(map[string]string)
	}
	if links[key] = attribute; attribute == "" {
		delete(links, key)
	}
	return links
}

// identify sets a user's identities.
func (u *User) identify(list []Identity) {
	if u.Attributes[identitiesAttribute] = string(mustJSON(list)); len(list) == 0 {
		delete(u.Attributes, identitiesAttribute)
	}
}

// folded is a value of an attribute as it is kept.
func (p *Pool) folded(attribute, value string) string {
	if slices.Contains(folded, attribute) {
		return p.key(value)
	}
	return value
}

// whose finds the user whom somebody at a provider is: by what the provider calls them, or
// by another attribute that was linked, which is one that is mapped, by its name at the
// pool, or a claim.
// (Unconfirmed: "an identity that was linked by another attribute than the subject".)
func (s *State) whose(poolID string, provider Provider, userID string, claims map[string]string) (u User, by identity, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, by, false
	}
	by = identity{provider: provider.Name, value: userID}
	if known := p.linked(by); known != nil {
		return known.clone(), by, true
	}
	said := provider.Mapped(claims)
	for claim, value := range claims {
		if said[claim] == "" {
			said[claim] = value
		}
	}
	for _, attribute := range slices.Sorted(maps.Keys(said)) {
		by = identity{provider.Name, attribute, p.folded(attribute, said[attribute])}
		if known := p.linked(by); known != nil {
			return known.clone(), by, true
		}
	}
	return User{}, by, false
}

// meet has an identity that was linked by another attribute be known by what the provider
// calls it, from the first sign-in on.
func (u *User) meet(by identity, userID string) error {
	list := u.Identities()
	at := slices.IndexFunc(list, func(one Identity) bool { return by.is(one, u.Links) })
	if at < 0 {
		return errNoUser
	}
	u.Links = with(u.Links, linkKey(list[at]), "")
	list[at].UserID = userID
	u.identify(list)
	return nil
}

// Unlink takes an identity from whoever it was linked to. A user who was made by it keeps
// it, and is disabled.
func (s *State) Unlink(poolID string, i Identity, attribute string) error {
	s.mu.Lock()
	p, err := s.pool(poolID)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	if attribute != "" {
		i.UserID = p.folded(attribute, i.UserID)
	}
	who := identity{i.Provider, attribute, i.UserID}
	u := p.linked(who)
	s.mu.Unlock()
	if u == nil {
		return errNoUser
	}
	return s.change(poolID, u.Username, func(p *Pool, u *User) error {
		list := u.Identities()
		at := slices.IndexFunc(list, func(one Identity) bool { return who.is(one, u.Links) })
		switch {
		case at < 0:
			return errNoUser
		case list[at].Primary:
			u.Enabled = false
			s.revokeAll(p, u)
			return nil
		}
		u.Links = with(u.Links, linkKey(list[at]), "")
		u.identify(slices.Delete(list, at, at+1))
		return nil
	})
}

// ForgetPassword has a user of the pool sign in with no password, until one is set again.
// (Unconfirmed: "a user of the pool after `AdminDisableProviderForUser`".)
func (s *State) ForgetPassword(poolID, name string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status == ExternalProvider {
			return refuse(InvalidParameter, "User is not a native user of the user pool.")
		}
		u.Password, u.SRP = "", ""
		s.revokeAll(p, u)
		return nil
	})
}
