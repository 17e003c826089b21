package parts

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/webhook"
)

// Happened is what a message says of a session or a refusal.
type Happened struct {
	Pool      string `json:"pool"`
	Issuer    string `json:"issuer"`
	Subject   string `json:"sub,omitempty"`
	Session   string `json:"session,omitempty"` // a part of a hash, as the log has it
	Reason    string `json:"reason,omitempty"`
	Method    string `json:"method,omitempty"`
	Path      string `json:"path,omitempty"`
	Reference string `json:"reference,omitempty"` // that the person sees
}

// ID names an event of one session. It is the same for every process that sees it.
func (h Happened) ID(what string) string {
	return strings.Join([]string{what, h.Issuer, h.Subject, h.Session}, "\x00")
}

// Ends tells others of sessions that end elsewhere than in a gateway that knows them. A nil one
// tells nobody.
type Ends struct {
	queue     *webhook.Queue
	endpoints []webhook.Endpoint
	pools     []settings.Pool
}

// NewEnds returns nil where nobody wants to hear of sessions. queue may be nil.
func NewEnds(queue *webhook.Queue, s *settings.Settings) *Ends {
	if queue == nil || !webhook.Wanted(s.Webhooks, webhook.Sessions) {
		return nil
	}
	return &Ends{queue, s.Webhooks, s.Pools}
}

// Ends are those of a configuration whose stores are open. Sessions end also if its webhooks are
// faulty.
func (c Inspection) Ends(o *Opened) (*Ends, error) {
	if o.DB == nil {
		return nil, nil
	}
	s, err := c.Load(append([]string{"webhooks"}, UsesSessions...))
	if err != nil {
		return nil, err
	}
	return o.Ends(s)
}

// Ends are those of its own configuration.
func (o *Opened) Ends(s *settings.Settings) (*Ends, error) {
	queue, err := webhook.NewQueue(o.DB.DB, o.DB.Dialect)
	return NewEnds(queue, s), err
}

const endsTimeout = 10 * time.Second

// One tells that a session has ended, which the log calls short.
func (e *Ends) One(ctx context.Context, bound, issuer, subject, short, reason string) error {
	if e == nil {
		return nil
	}
	what := Happened{Pool: e.pool(bound, issuer), Issuer: issuer, Subject: subject, Session: short, Reason: reason}
	return e.post(ctx, webhook.Event{ID: what.ID(webhook.TypeSessionEnded), Type: webhook.TypeSessionEnded, Data: what}, what)
}

// All tells that all sessions of an identity have ended, or all that are bound to one app client.
func (e *Ends) All(ctx context.Context, bound, issuer, subject, reason string) error {
	if e == nil {
		return nil
	}
	what := Happened{Pool: e.pool(bound, issuer), Issuer: issuer, Subject: subject, Reason: reason}
	return e.post(ctx, webhook.Event{Type: webhook.TypeSignedOutEverywhere, Data: what}, what)
}

func (e *Ends) post(ctx context.Context, event webhook.Event, what Happened) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsTimeout)
	defer cancel()
	event.Kind, event.Issuer, event.Subject, event.At = webhook.Sessions, what.Issuer, what.Subject, time.Now()
	_, err := e.queue.Post(ctx, e.endpoints, event)
	return err
}

// pool is the name of the one that sessions are bound to, or the first of an issuer.
func (e *Ends) pool(bound, issuer string) (name string) {
	for _, p := range e.pools {
		if p.Issuer != issuer {
			continue
		}
		if b, err := codegrant.SessionPool(p.Config.Pool); err == nil && b == bound {
			return p.Name
		}
		if name == "" {
			name = p.Name
		}
	}
	return name
}

// Synced are the sessions that a sync of a pool ends, and tells of.
func (e *Ends) Synced(sessions directory.Sessions, issuer string, log *slog.Logger) directory.Sessions {
	if e == nil {
		return sessions
	}
	return toldSessions{sessions, e, issuer, log}
}

type toldSessions struct {
	directory.Sessions
	ends   *Ends
	issuer string
	log    *slog.Logger
}

func (s toldSessions) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	n, err := s.Sessions.DeleteBySubject(ctx, pool, subject)
	if n > 0 {
		if err := s.ends.All(ctx, pool, s.issuer, subject, "the pool no longer lets the person sign in"); err != nil {
			s.log.Warn("receivers of webhooks not notified of sessions", slog.String("subject", subject), slog.Int("sessions", n), slog.Any("error", err))
		}
	}
	return n, err
}
