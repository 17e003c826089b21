package state

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Kinds of documents that are about clients whose id is a URL.
const (
	MetadataPolicyKind = "cimd_policy"
	metadataURLs       = "cimd_url"
)

// MetadataPolicy says which URLs may use an app client.
type MetadataPolicy struct {
	ID, ClientID  string
	Patterns      []string
	CacheDuration time.Duration
}

// MetadataPolicies are those of a pool that have an app client still, in the order in
// which they were made. The cheapest plan has none.
func (s *State) MetadataPolicies(poolID string) (list []MetadataPolicy, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil || p.rules.UserPoolTier == "LITE" {
		return nil, err
	}
	of := p.Documents[MetadataPolicyKind]
	keys := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(of[a].Created.Compare(of[b].Created), cmp.Compare(a, b))
	})
	for _, key := range keys {
		d := of[key]
		policy := MetadataPolicy{ID: key, ClientID: d.Text("ClientId"), Patterns: d.Members.Texts("URLPatterns")}
		var seconds int64
		_ = json.Unmarshal(d.Members["CacheDuration"], &seconds) // checked when it was given
		if policy.CacheDuration = time.Duration(seconds) * time.Second; policy.ClientID != "" {
			list = append(list, policy)
		}
	}
	return list, nil
}

// MetadataURL is a URL that came as a client's id, and what is kept of its document; nil:
// nothing.
type MetadataURL struct {
	Policy   string
	URL      string
	Document json.RawMessage `json:",omitempty"`
	Cached   time.Time       `json:",omitzero"`
	Expires  time.Time       `json:",omitzero"`
}

func (u MetadataURL) key() string { return u.Policy + " " + u.URL }

func metadataURLOf(d Document) (u MetadataURL) {
	_ = json.Unmarshal(d.Members["u"], &u) // written here
	return u
}

// MetadataURL finds a URL that came before.
func (s *State) MetadataURL(poolID, policy, url string) (MetadataURL, bool) {
	d, ok, err := s.Document(poolID, metadataURLs, MetadataURL{Policy: policy, URL: url}.key())
	return metadataURLOf(d), ok && err == nil
}

// MetadataURLs are the URLs that came for a policy, in their order.
func (s *State) MetadataURLs(poolID, policy string) (list []MetadataURL, err error) {
	_, docs, err := s.Documents(poolID, metadataURLs)
	for _, d := range docs {
		if u := metadataURLOf(d); u.Policy == policy {
			list = append(list, u)
		}
	}
	return list, err
}

// SetMetadataURL keeps a URL. Anybody can make one come, so the one that came the longest ago
// goes where there are too many.
func (s *State) SetMetadataURL(poolID string, u MetadataURL) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	of := p.Documents[metadataURLs]
	if _, ok := of[u.key()]; !ok && len(of) >= maxDocuments {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(of)), func(a, b string) int { return of[a].Modified.Compare(of[b].Modified) })
		p.put(metadataURLs, oldest, nil)
	}
	created := of[u.key()].Created
	if created.IsZero() {
		created = s.now()
	}
	p.put(metadataURLs, u.key(), &Document{Members: Settings{"u": mustJSON(u)}, Created: created, Modified: s.now()})
	return s.saveLocked()
}

// ForgetMetadataURLs forgets what came for a policy.
func (s *State) ForgetMetadataURLs(poolID, policy string) error {
	list, err := s.MetadataURLs(poolID, policy)
	for _, u := range list {
		if _, err := s.DeleteDocument(poolID, metadataURLs, u.key()); err != nil {
			return err
		}
	}
	return err
}

// unname takes an app client that goes off the policies that name it, which stay.
func (p *Pool) unname(clientID string) {
	for key, d := range p.Documents[MetadataPolicyKind] {
		if d.Text("ClientId") == clientID {
			d.Members = maps.Clone(d.Members)
			delete(d.Members, "ClientId")
			p.put(MetadataPolicyKind, key, &d)
		}
	}
}
