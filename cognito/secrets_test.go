package cognito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// turning is a source whose secrets a test changes.
type turning struct {
	mu     sync.Mutex
	cached []string // what is returned as long as nobody says again
	now    []string
	err    error
	again  int
}

func (s *turning) Secrets(_ context.Context, again bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if again {
		s.again++
		s.cached = s.now
	}
	return s.cached, s.err
}

// accepting is a pool that takes some secrets and records those that were sent.
type accepting struct {
	mu     sync.Mutex
	secret []string
	sent   []string
	answer func(w http.ResponseWriter)
}

func (p *accepting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, secret, _ := r.BasicAuth()
	p.sent = append(p.sent, secret)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !slices.Contains(p.secret, secret):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"invalid_client_secret"}`)
	case p.answer != nil:
		p.answer(w)
	default:
		_, _ = io.WriteString(w, granted)
	}
}

func (p *accepting) seen() (sent []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent, p.sent = p.sent, nil
	return sent
}

// TestS350_SecretsThatRotate: which secrets are sent, in which order, and how often,
// whatever the pool accepts.
func TestS350_SecretsThatRotate(t *testing.T) {
	refused := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
	}
	down := func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }
	tests := []struct {
		name        string
		cached, now []string // as the source returns them at first, and when asked again
		accepted    []string
		answer      func(http.ResponseWriter)
		sent        []string // by the first call
		then        []string // by the second
		want        error
	}{
		{name: "the first is right", cached: []string{"a", "b"}, accepted: []string{"a"}, sent: []string{"a"}, then: []string{"a"}},
		{name: "the second is right, and is sent first from then on", cached: []string{"a", "b"}, now: []string{"a", "b"}, accepted: []string{"b"},
			sent: []string{"a", "b"}, then: []string{"b"}},
		{name: "it changed since it was read", cached: []string{"a"}, now: []string{"c", "a"}, accepted: []string{"c"},
			sent: []string{"a", "c"}, then: []string{"c"}},
		{name: "it changed, and the pool does not know it yet", cached: []string{"c", "a"}, now: []string{"c", "a"}, accepted: []string{"a"},
			sent: []string{"c", "a"}, then: []string{"a"}},
		{name: "no secret is right", cached: []string{"a", "b"}, now: []string{"c", "a", "b", "d"}, accepted: nil,
			sent: []string{"a", "c", "b"}, then: []string{"c", "a", "b"}, want: ErrMisconfigured},
		{name: "one, and it is wrong", cached: []string{"a"}, now: []string{"a"}, accepted: nil, sent: []string{"a"}, then: []string{"a"}, want: ErrInvalidClient},
		{name: "S-031 a refused code is not sent again", cached: []string{"a", "b"}, now: []string{"c"}, accepted: []string{"a", "b", "c"}, answer: refused,
			sent: []string{"a"}, then: []string{"a"}, want: ErrInvalidGrant},
		{name: "S-031 a code whose answer is lost is not sent again", cached: []string{"a", "b"}, now: []string{"c"}, accepted: []string{"a", "b", "c"}, answer: down,
			sent: []string{"a"}, then: []string{"a"}, want: ErrUnavailable},
		{name: "a refusal of the code accepts the client", cached: []string{"a", "b"}, now: []string{"a", "b"}, accepted: []string{"b"}, answer: refused,
			sent: []string{"a", "b"}, then: []string{"b"}, want: ErrInvalidGrant},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := &accepting{secret: tt.accepted, answer: tt.answer}
			source := &turning{cached: tt.cached, now: tt.now}
			c, _ := serve(t, "", pool.ServeHTTP)
			c.secrets.source = source
			for i, want := range [][]string{tt.sent, tt.then} {
				_, err := c.Exchange(t.Context(), exchange)
				if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
					t.Errorf("call %d: error %v, want %v", i+1, err, tt.want)
				}
				if sent := pool.seen(); !slices.Equal(sent, want) {
					t.Errorf("call %d sent %v, want %v", i+1, sent, want)
				}
			}
		})
	}
}

// TestS350_NoSecretIsKnown: a source that knows none is a fault of ours, not the
// person's, and nothing is sent.
func TestS350_NoSecretIsKnown(t *testing.T) {
	pool := &accepting{}
	c, _ := serve(t, "", pool.ServeHTTP)
	for _, source := range []*turning{{err: errors.New("secrets manager is down")}, {}} {
		c.secrets.source = source
		if _, err := c.Refresh(t.Context(), "r"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "client secret") {
			t.Errorf("Refresh = %v, want unavailable for want of a client secret", err)
		}
	}
	if sent := pool.seen(); len(sent) != 0 {
		t.Errorf("sent %d requests, want none", len(sent))
	}
}

// TestS350_LogNamesThePlace: a change of secrets is logged once, and no secret is.
func TestS350_LogNamesThePlace(t *testing.T) {
	var log strings.Builder
	pool := &accepting{secret: []string{"canary-second"}}
	c, _ := serve(t, "", pool.ServeHTTP)
	c.secrets.source = Pool{ClientSecret: "canary-first", SecondSecret: "canary-second"}.secrets()
	c.secrets.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		if _, err := c.Exchange(t.Context(), exchange); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "client secret accepted"); n != 1 || !strings.Contains(log.String(), "secret=2 secrets=2") {
		t.Errorf("log has %d lines, want one that names secret 2 of 2:\n%s", n, &log)
	}
	fmt.Fprintf(&log, "%v %+v %#v", c, c, c)
	if strings.Contains(log.String(), "canary") {
		t.Errorf("the log, or the client as it prints, tells a secret:\n%s", &log)
	}
}

func TestPoolSecrets(t *testing.T) {
	pool := Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}
	source := &turning{}
	tests := []struct {
		name string
		set  func(*Pool)
		want string // "": good
	}{
		{"none", func(*Pool) {}, ""},
		{"two", func(p *Pool) { p.ClientSecret, p.SecondSecret = "a", "b" }, ""},
		{"the second alone", func(p *Pool) { p.SecondSecret = "b" }, "second client secret"},
		{"the same twice", func(p *Pool) { p.ClientSecret, p.SecondSecret = "b", "b" }, "the same"},
		{"the second with a newline", func(p *Pool) { p.ClientSecret, p.SecondSecret = "a", "b\n" }, "second client secret has white space"},
		{"a source", func(p *Pool) { p.Secrets = source }, ""},
		{"a source and a value", func(p *Pool) { p.Secrets, p.ClientSecret = source, "a" }, "set one of them"},
		{"an ARN that nothing reads", func(p *Pool) { p.ClientSecretARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x!y" }, "secret/awssecret"},
		{"an ARN and its source", func(p *Pool) {
			p.ClientSecretARN, p.Secrets = "arn:aws:secretsmanager:eu-west-1:123456789012:secret/x", source
		}, ""},
		{"an ARN with a newline", func(p *Pool) { p.ClientSecretARN, p.Secrets = "arn:aws\n", source }, "white space"},
		{"a replica's Region and no issuer", func(p *Pool) { p.Region = "eu-central-1" }, "issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"},
		{"a replica's Region and its issuer", func(p *Pool) {
			p.Region, p.Issuer = "eu-central-1", "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pool
			tt.set(&p)
			_, err := p.Endpoints()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Endpoints() = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestS350_ASecretThatIsTakenAway is not sent any more, though it was the one that worked.
func TestS350_ASecretThatIsTakenAway(t *testing.T) {
	pool := &accepting{secret: []string{"b", "c"}}
	source := &turning{cached: []string{"a", "b"}, now: []string{"a", "b"}}
	c, _ := serve(t, "", pool.ServeHTTP)
	c.secrets.source = source
	for _, want := range [][]string{{"a", "b"}, {"b"}, {"c"}} {
		if want[0] == "c" {
			source.cached = []string{"c"}
		}
		if _, err := c.Exchange(t.Context(), exchange); err != nil {
			t.Fatal(err)
		}
		if sent := pool.seen(); !slices.Equal(sent, want) {
			t.Errorf("sent %v, want %v", sent, want)
		}
	}
}
