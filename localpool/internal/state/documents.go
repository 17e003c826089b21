package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Document is something that a pool was told and gives back: an identity provider, a
// style of the pages, a configuration. It is replaced, never changed.
type Document struct {
	Members  Settings  `json:"members"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// Text is a member that is a text; empty where there is none.
func (d Document) Text(member string) (text string) {
	_ = json.Unmarshal(d.Members[member], &text) // another type is not text
	return text
}

// Kinds of documents.
const (
	IdentityProviders = "identity_provider"
)

// maxDocuments is how many of a kind a pool has at most, whatever AWS says.
const maxDocuments = 1000

// Documents returns the documents of a kind, in the order of their keys, which are those
// of the first list.
func (s *State) Documents(poolID, kind string) (keys []string, list []Document, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, nil, err
	}
	keys = slices.Sorted(maps.Keys(p.Documents[kind]))
	for _, key := range keys {
		list = append(list, p.Documents[kind][key])
	}
	return keys, list, nil
}

// Document finds a document.
func (s *State) Document(poolID, kind, key string) (d Document, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return d, false, err
	}
	d, ok = p.Documents[kind][key]
	return d, ok, nil
}

// SetDocument has a document be what change makes of it, and of the others of its kind. A
// document that is not there yet is given without members.
func (s *State) SetDocument(poolID, kind, key string, change func(before Document, exists bool, all map[string]Document) (Settings, error)) (Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return Document{}, err
	}
	before, exists := p.Documents[kind][key]
	members, err := change(before, exists, p.Documents[kind])
	if err != nil {
		return Document{}, err
	}
	if !exists {
		if before.Created = s.now(); len(p.Documents[kind]) >= maxDocuments {
			return Document{}, refuse(LimitExceeded, fmt.Sprintf("There are too many of %s in this user pool.", kind))
		}
	}
	after := Document{Members: members, Created: before.Created, Modified: s.now()}
	p.put(kind, key, &after)
	return after, s.saveLocked()
}

// DeleteDocument removes a document, and reports whether it was there.
func (s *State) DeleteDocument(poolID, kind, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return false, err
	}
	if _, ok := p.Documents[kind][key]; !ok {
		return false, nil
	}
	p.put(kind, key, nil)
	return true, s.saveLocked()
}

// put replaces the maps on the way to a document: copies of the pool share them.
func (p *Pool) put(kind, key string, d *Document) {
	all := maps.Clone(p.Documents)
	if all == nil {
		all = make(map[string]map[string]Document)
	}
	of := maps.Clone(all[kind])
	if of == nil {
		of = make(map[string]Document)
	}
	if delete(of, key); d != nil {
		of[key] = *d
	}
	all[kind] = of
	p.Documents = all
}

// resettle changes settings of a pool. The caller holds the lock.
func (s *State) resettle(p *Pool, changed Settings) error {
	after := maps.Clone(p.Settings)
	maps.Copy(after, changed)
	before := p.Settings
	p.Settings = after
	if err := p.settle(); err != nil {
		p.Settings = before
		return err
	}
	p.Modified = s.now()
	return s.saveLocked()
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read, or is made of texts
	}
	return b
}

// Tags are the tags of a pool, by its ARN.
func (s *State) Tags(arn string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.byARN(arn)
	if err != nil {
		return nil, err
	}
	return p.tags(), nil
}

func (p *Pool) tags() map[string]string {
	tags := make(map[string]string)
	_ = json.Unmarshal(p.Settings["UserPoolTags"], &tags) // checked when they were given
	return tags
}

func (s *State) byARN(arn string) (*Pool, error) {
	_, id, _ := strings.Cut(arn, ":userpool/")
	p, err := s.pool(id)
	if err != nil {
		return nil, refuse(ResourceNotFound, "Resource not found: "+arn)
	}
	return p, nil
}

// maxTags is how many tags a pool has at most.
const maxTags = 50

// Tag changes the tags of a pool.
func (s *State) Tag(arn string, change func(map[string]string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.byARN(arn)
	if err != nil {
		return err
	}
	tags := p.tags()
	if change(tags); len(tags) > maxTags {
		return refuse(InvalidParameter, fmt.Sprintf("A user pool has %d tags at most.", maxTags))
	}
	return s.resettle(p, Settings{"UserPoolTags": mustJSON(tags)})
}
