package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
)

// caller is the context of a request, and of the work that it causes: lines of the log
// say by it which request they are about, and where that came from.
type caller struct {
	context.Context
	from  netip.Addr
	given string // the id that a trusted proxy gave the request
	stay  *stay  // nil: a question's

	once sync.Once
	id   string
}

type callerKey struct{}

// Value makes the context and what it carries one.
func (c *caller) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// callerOf is the one that a context belongs to; nil: none.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// called returns the request with its caller.
func (g *generation) called(r *http.Request) *http.Request {
	c := &caller{Context: r.Context(), from: g.clientOf(r)}
	if given := r.Header["X-Request-Id"]; len(given) == 1 && plainID(given[0]) && g.trusts(addressOf(r.RemoteAddr)) {
		c.given = given[0]
	}
	return r.WithContext(c)
}

// requestID is made when somebody asks.
func (c *caller) requestID() string {
	c.once.Do(func() {
		if c.id = c.given; c.id == "" {
			var b [12]byte
			rand.Read(b[:])
			c.id = base64.RawURLEncoding.EncodeToString(b[:])
		}
	})
	return c.id
}

// plainID reports whether an id is one that every log can show.
func plainID(id string) bool {
	return id != "" && len(id) <= 128 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:=+/") == ""
}

// callerHandler has each line that is about a request name it, and the address that
// it came from.
type callerHandler struct{ slog.Handler }

func (h callerHandler) Handle(ctx context.Context, r slog.Record) error {
	c := callerOf(ctx)
	if c == nil {
		return h.Handler.Handle(ctx, r)
	}
	named := false
	r.Attrs(func(a slog.Attr) bool {
		named = a.Key == "from"
		return !named
	})
	r = r.Clone()
	r.AddAttrs(slog.String("request_id", c.requestID()))
	if !named {
		r.AddAttrs(slog.String("from", c.from.String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h callerHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callerHandler{h.Handler.WithAttrs(attrs)}
}

func (h callerHandler) WithGroup(name string) slog.Handler {
	return callerHandler{h.Handler.WithGroup(name)}
}

// tellKeys says which keys a new configuration has brought, and taken away: by names
// that say nothing about the keys.
func (p *process) tellKeys(before, after *settings.Settings) {
	was, is := keyNames(before.Keys), keyNames(after.Keys)
	if !slices.Equal(was, is) {
		p.log.Info("sealing keys changed", "reason", "the configuration has others", "newest", is[0], "added", without(is, was), "removed", without(was, is))
	}
	if before.Certificate != nil && after.Certificate != nil && string(before.Certificate.Chain) != string(after.Certificate.Chain) {
		attrs := []any{"reason", "the configuration has another one"}
		if g := p.current.Load(); g.cert != nil && g.cert.Leaf != nil {
			attrs = append(attrs, "serial", g.cert.Leaf.SerialNumber.Text(16), "expires", g.cert.Leaf.NotAfter.Format(time.RFC3339))
		}
		p.log.Info("certificate changed", attrs...)
	}
}

// keyNames are those of a ring's keys, in their order.
func keyNames(ring *session.Keyring) []string {
	derived, err := ring.Derive("names in logs")
	if err != nil || len(derived) == 0 {
		return []string{"unknown"}
	}
	names := make([]string, len(derived))
	for i, d := range derived {
		names[i] = hex.EncodeToString(d[:4])
	}
	return names
}

func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(others, s) })
}
