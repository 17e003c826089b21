package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Documents are the clients whose ids are URLs. It is safe for concurrent use.
type Documents struct {
	state   *state.State
	fetcher *fetcher
}

// New returns those of a state's pools.
func New(s *state.State) *Documents { return &Documents{s, newFetcher()} }

// IsURL reports whether a client id is the URL of a document.
func IsURL(id string) bool { return strings.HasPrefix(id, "https://") }

// ErrUnknown says that no policy takes a URL.
var ErrUnknown = errors.New("client does not exist")

// Between which a document's own word counts for how long it is kept.
const (
	shortest = 24 * time.Hour
	longest  = 31_556_952 * time.Second
)

// Client returns the app client that a URL may use, in one of some pools, as its document
// has it.
func (d *Documents) Client(ctx context.Context, id string, pools []string) (state.Client, error) {
	for _, poolID := range pools {
		policies, err := d.state.MetadataPolicies(poolID)
		if err != nil {
			continue // deleted meanwhile
		}
		for _, of := range policies {
			p := policy{of}
			app, ok := d.state.Client(p.ClientID)
			if !ok || app.PoolID != poolID || !p.takes(id) {
				continue
			}
			doc, err := d.document(ctx, poolID, p, id)
			if err != nil {
				return state.Client{}, err
			}
			return doc.as(app), nil
		}
	}
	return state.Client{}, ErrUnknown
}

// Supported reports whether a pool takes any.
func (d *Documents) Supported(poolID string) bool {
	policies, err := d.state.MetadataPolicies(poolID)
	return err == nil && len(policies) > 0
}

// document returns what is kept of a URL, or fetches it.
func (d *Documents) document(ctx context.Context, poolID string, p policy, id string) (document, error) {
	if known, ok := d.state.MetadataURL(poolID, p.ID, id); ok && known.Document != nil && d.state.Now().Before(known.Expires) {
		return parse(id, known.Document)
	}
	return d.load(ctx, poolID, p, id)
}

// load fetches a document. That its URL came is kept whatever comes of it.
func (d *Documents) load(ctx context.Context, poolID string, p policy, id string) (document, error) {
	if _, err := checkURL(id); err != nil {
		return document{}, err
	}
	entry := state.MetadataURL{Policy: p.ID, URL: id}
	body, age, err := d.fetcher.fetch(ctx, id)
	var doc document
	if err == nil {
		doc, err = parse(id, body)
	}
	if err == nil {
		if age < shortest || age > longest {
			age = p.CacheDuration
		}
		entry.Cached = d.state.Now()
		entry.Expires = entry.Cached.Add(age)
		entry.Document, err = json.Marshal(doc)
	}
	return doc, errors.Join(err, d.state.SetMetadataURL(poolID, entry))
}

// Refresh fetches a document of a policy again.
func (d *Documents) Refresh(ctx context.Context, poolID, policyID, id string) error {
	policies, err := d.state.MetadataPolicies(poolID)
	if err != nil {
		return err
	}
	for _, p := range policies {
		if p.ID == policyID {
			_, err := d.load(ctx, poolID, policy{p}, id)
			return err
		}
	}
	return fmt.Errorf("policy %s has no app client", policyID)
}

// policy says which URLs may use an app client.
type policy struct{ state.MetadataPolicy }

// takes reports whether a URL matches one of the policy's patterns, in which * stands for
// anything, but does not lead out of the host.
func (p policy) takes(id string) bool {
	for _, pattern := range p.Patterns {
		host, path, ok := strings.Cut(strings.TrimPrefix(pattern, "https://"), "/")
		if !ok && strings.HasSuffix(host, "*") {
			path = "*"
		}
		expression := "^https://" + wild(host, `[^/@?#\\]*`) + "/" + wild(path, ".*") + "$"
		if matched, err := regexp.MatchString(expression, id); err == nil && matched {
			return true
		}
	}
	return false
}

func wild(pattern, anything string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, anything)
}
