package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/codegrant/codegrant/cupboard"
)

// client is one that was found: configured, registered, or described by its document.
type client struct {
	id        string
	Name      string   `json:"n,omitempty"` // what it calls itself
	Redirects []string `json:"r"`
	Issued    int64    `json:"i,omitempty"` // seconds since 1970; 0: it did not register
	document  bool
}

const (
	// registeredPrefix begins the ids of clients that have registered. What follows is
	// what they have registered, sealed: strangers take no room here.
	registeredPrefix = "r."
	registeredSeal   = "broker client"
	maxRedirects     = 10
	maxRedirect      = 512
	maxName          = 100
	maxClientID      = 4 << 10
)

// used has a record of each registered client that somebody has agreed to, and of each
// that was ended, so that it stays so.
var used = cupboard.Kind{Name: "broker-client", MaxRecords: 1_000_000, MaxOfPerson: 1, MaxBytes: 16}

var ended = []byte("ended")

var errClient = faulty("invalid_client", "This service does not know the program. Have it register again.")

// clientOf finds a client. fetch allows a document to be fetched for the request, which
// may be nil: then one that is known has to do.
func (b *Broker) clientOf(ctx context.Context, id string, fetch *http.Request) (client, error) {
	switch {
	case len(id) > maxClientID:
		return client{}, errClient
	case strings.HasPrefix(id, registeredPrefix):
		return b.registered(ctx, id)
	case isDocument(id):
		if b.NoDocuments {
			return client{}, errClient
		}
		return b.described(ctx, id, fetch)
	}
	if c, ok := b.clients[id]; ok {
		return c, nil
	}
	return client{}, errClient
}

// registered opens what a client has registered.
func (b *Broker) registered(ctx context.Context, id string) (client, error) {
	text, err := b.Keys.Open(registeredSeal, strings.TrimPrefix(id, registeredPrefix), nil)
	if err != nil {
		return client{}, errClient
	}
	c := client{id: id}
	if err := json.Unmarshal(text, &c); err != nil {
		return client{}, errClient
	}
	record, err := b.Cupboard.Get(ctx, used, cupboard.Key("client", id))
	switch {
	case errors.Is(err, cupboard.ErrNotFound):
		if b.Now().Sub(time.Unix(c.Issued, 0)) > unusedTime {
			return client{}, errClient
		}
	case err != nil:
		return client{}, fmt.Errorf("look for the client: %w", err)
	case string(record.Value) == string(ended):
		return client{}, errClient
	}
	return c, nil
}

// keep has a registered client go on that is used.
func (b *Broker) keep(ctx context.Context, c client) error {
	if c.Issued == 0 {
		return nil
	}
	r := cupboard.Record{Key: cupboard.Key("client", c.id), Until: b.Now().Add(clientTime)}
	err := b.Cupboard.Put(ctx, used, r)
	if !errors.Is(err, cupboard.ErrExists) {
		return err
	}
	old, err := b.Cupboard.Get(ctx, used, r.Key)
	if err != nil || string(old.Value) == string(ended) || old.Until.Sub(b.Now()) > clientTime/2 {
		return err
	}
	r.Version = old.Version
	if _, err = b.Cupboard.Swap(ctx, used, r); errors.Is(err, cupboard.ErrConflict) {
		return nil // somebody else has
	}
	return err
}

// EndClient ends a client that has registered, for everybody and within a second: nobody
// can agree to it any more, and its tokens count no longer.
func (b *Broker) EndClient(ctx context.Context, id string) error {
	if !strings.HasPrefix(id, registeredPrefix) {
		return fmt.Errorf("end client: %q has not registered: take it out of the configuration", id)
	}
	return endClient(ctx, b.Cupboard, id, b.Now(), b.Logger)
}

func endClient(ctx context.Context, store cupboard.Store, id string, now time.Time, log *slog.Logger) error {
	r := cupboard.Record{Key: cupboard.Key("client", id), Value: ended, Until: now.Add(clientTime + maxGrant)}
	for {
		err := store.Put(ctx, used, r)
		if errors.Is(err, cupboard.ErrExists) {
			var old cupboard.Record
			if old, err = store.Get(ctx, used, r.Key); err == nil {
				r.Version = old.Version
				_, err = store.Swap(ctx, used, r)
			}
		}
		if !errors.Is(err, cupboard.ErrConflict) && !errors.Is(err, cupboard.ErrNotFound) {
			if err == nil {
				tellEnds(ctx, store, manyGrants, r.Key, now, log)
			}
			return err
		}
	}
}

// parseRedirect reads a redirect URI: https, http on the person's own machine, or the scheme
// of an app.
func parseRedirect(raw string) (*url.URL, *fault) {
	wrong := func(text string) (*url.URL, *fault) { return nil, faulty("invalid_redirect_uri", text) }
	u, err := url.Parse(raw)
	if err == nil && isOwnScheme(u.Scheme) {
		// com.example.app:/callback, or com.example.app://callback. That the scheme is as it
		// was written, and that nothing stands in the host's place, is asked too.
		if !strings.HasPrefix(raw, u.Scheme+":/") || u.Host == "" && strings.HasPrefix(raw, u.Scheme+"://") || u.Opaque != "" || u.User != nil || u.Host != strings.ToLower(u.Host) ||
			u.Host != u.Hostname() || !isVisible(raw) || strings.ContainsAny(raw, "\\\"<>#") || len(raw) > maxRedirect {
			return wrong("a redirect URI with a scheme of an app's own is one such as com.example.app:/callback, without a fragment, of up to 512 bytes")
		}
		return u, nil
	}
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || !isVisible(raw) || strings.ContainsAny(raw, "\\\"<>#") || len(raw) > maxRedirect:
		return wrong("a redirect URI must be one that all browsers read in the same way: an absolute URL, without a fragment, of up to 512 bytes")
	case u.Host != strings.ToLower(u.Host) || u.Hostname() == "":
		return wrong("write the host of a redirect URI in lower case")
	case u.Scheme == "http" && isLocal(u.Hostname()), u.Scheme == "https":
		return u, nil
	}
	return wrong("a redirect URI must begin with https, with http on this machine (localhost, 127.0.0.1, [::1]), or with an app's scheme in reverse domain form (com.example.app)")
}

// isOwnScheme knows schemes in the reverse domain form of RFC 8252, section 7.1. What has no
// dot (javascript, data, file, cursor) is none: nobody's name is in it.
func isOwnScheme(scheme string) bool {
	if !strings.Contains(scheme, ".") || len(scheme) > 128 || scheme[0] < 'a' || scheme[0] > 'z' {
		return false
	}
	for label := range strings.SplitSeq(scheme, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// placeOf is where a redirect URI leads to, for people; empty: to their own machine.
func placeOf(redirect *url.URL) string {
	switch {
	case isOwnScheme(redirect.Scheme):
		return redirect.Scheme + ":"
	case redirect.Scheme == "http":
		return ""
	}
	return redirect.Host
}

// mayRedirect reports whether a client that nobody has configured may have people sent to a
// redirect URI.
func (b *Broker) mayRedirect(u *url.URL) bool {
	if u.Scheme == "http" {
		return true // it was parsed
	}
	if isOwnScheme(u.Scheme) {
		return slices.Contains(b.RedirectSchemes, u.Scheme)
	}
	return slices.ContainsFunc(b.RedirectHosts, func(allowed string) bool {
		if below, ok := strings.CutPrefix(allowed, "*"); ok {
			return strings.HasSuffix(u.Host, below) && len(u.Host) > len(below)
		}
		return u.Host == allowed // so also without a port
	})
}

// checkRedirects are those that a client may register.
func (b *Broker) checkRedirects(uris []string) *fault {
	if len(uris) == 0 || len(uris) > maxRedirects {
		return faulty("invalid_redirect_uri", fmt.Sprintf("register 1 to %d redirect URIs", maxRedirects))
	}
	for _, uri := range uris {
		u, f := parseRedirect(uri)
		if f != nil {
			return f
		}
		if !b.mayRedirect(u) && isOwnScheme(u.Scheme) {
			return faulty("invalid_redirect_uri", "apps with the scheme "+u.Scheme+" are not allowed here: the operator of this service can allow it (redirect_schemes)")
		}
		if !b.mayRedirect(u) {
			return faulty("invalid_redirect_uri", "clients at "+u.Host+" are not allowed here: the operator of this service can allow the host (redirect_hosts)")
		}
	}
	return nil
}

// redirectOf says where a client may have the browser sent: to exactly what it has
// registered, but for the port on the person's own machine (RFC 8252, section 7.3).
func (b *Broker) redirectOf(c client, asked string) (string, *fault) {
	u, f := parseRedirect(asked)
	if f != nil {
		return "", f
	}
	for _, registered := range c.Redirects {
		known, f := parseRedirect(registered)
		if f != nil || (c.Issued != 0 || c.document) && !b.mayRedirect(known) {
			continue // allowed once, and no longer
		}
		if asked == registered {
			return asked, nil
		}
		if known.Scheme == "http" && u.Scheme == "http" && isLocal(u.Hostname()) && u.Hostname() == known.Hostname() &&
			strings.TrimPrefix(asked, "http://"+u.Host) == strings.TrimPrefix(registered, "http://"+known.Host) {
			return asked, nil
		}
	}
	return "", faulty("invalid_redirect_uri", "The program has not registered the address that it wants you to be sent to.")
}

// nameOf is what a client calls itself, fit to be shown.
func nameOf(name string) string {
	kept := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name))
	return strings.TrimSpace(string(kept[:min(len(kept), maxName)]))
}
