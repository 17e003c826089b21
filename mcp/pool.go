package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// ErrPoolTakesNoClients is why clients are sent nowhere with [Config.PoolClients].
var ErrPoolTakesNoClients = errors.New("the user pool neither registers clients nor accepts client ID metadata documents: both are off, or the pool is on the Lite plan")

// abilities are what a pool can do for clients that it does not know.
type abilities struct {
	registration string // where; empty: it cannot
	documents    bool
}

const (
	poolFresh    = 5 * time.Minute  // how long an answer of the pool's is good
	poolAgain    = 10 * time.Second // after a fault
	poolPatience = 10 * time.Second
	maxDiscovery = 1 << 20
)

// poolMetadata are the metadata that clients get, as the pool is at the moment.
type poolMetadata struct {
	*Resource
	client  *http.Client
	flights singleflight.Group

	mu    sync.Mutex // guards the fields below
	text  []byte     // nil: the pool can do nothing for clients, or has not answered
	why   error      // of that
	until time.Time
}

func newPoolMetadata(res *Resource) *poolMetadata {
	p := &poolMetadata{Resource: res, client: res.HTTPClient}
	if p.client == nil {
		p.client = &http.Client{Transport: cognito.NewTransport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return p
}

// CheckPool asks the pool what it can do for clients, unless it was asked a moment ago: nil
// is something, [ErrPoolTakesNoClients] nothing, and [codegrant.ErrUnavailable] that it does
// not answer. Without [Config.PoolClients] it is nil.
func (res *Resource) CheckPool(ctx context.Context) error {
	if res.pool == nil {
		return nil
	}
	_, err := res.pool.now(ctx)
	return err
}

// ServeHTTP answers with what clients have to know of the pool, or says why there is nothing.
func (p *poolMetadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := p.now(r.Context())
	if err == nil {
		document(text).ServeHTTP(w, r)
		return
	}
	// Not 404, after which clients look for metadata elsewhere, or go on without.
	status, code, says := http.StatusBadGateway, "server_error", "the user pool's metadata cannot be used"
	h := w.Header()
	switch {
	case errors.Is(err, ErrPoolTakesNoClients):
		status, says = http.StatusNotImplemented, err.Error()
	case errors.Is(err, codegrant.ErrUnavailable):
		status, code, says = http.StatusServiceUnavailable, "temporarily_unavailable", "the user pool does not answer; try again"
		h.Set("Retry-After", "10")
	}
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": says})
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

func (p *poolMetadata) now(ctx context.Context) ([]byte, error) {
	if text, err, ok := p.known(); ok {
		return text, err
	}
	flight := p.flights.DoChan("", func() (any, error) {
		if _, _, ok := p.known(); ok {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), poolPatience)
		defer cancel()
		defer func() {
			if v := recover(); v != nil { // of a transport: this is nobody's request
				p.learn(abilities{}, unavailable(fmt.Errorf("asking it panicked: %v", v)))
			}
		}()
		can, err := p.ask(ctx)
		p.learn(can, err)
		return nil, nil
	})
	select {
	case <-flight:
		text, err, _ := p.known()
		return text, err
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (p *poolMetadata) known() (text []byte, err error, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text, p.why, p.Now().Before(p.until)
}

// learn keeps what the pool said. What it said before stays good while it does not answer.
func (p *poolMetadata) learn(can abilities, err error) {
	var text []byte
	if err == nil {
		if can.registration == "" {
			can.registration = p.RegistrationEndpoint
		}
		can.documents = can.documents || p.ClientDocuments
		if can == (abilities{}) {
			err = ErrPoolTakesNoClients
		} else {
			text, err = p.serverMetadata(p.Endpoints, can)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = p.Now().Add(poolFresh)
	if errors.Is(err, codegrant.ErrUnavailable) {
		p.until = p.Now().Add(poolAgain)
		if p.text != nil || errors.Is(p.why, ErrPoolTakesNoClients) {
			p.Logger.Warn("abilities of the pool for clients not read: the last answer stays in use", slog.String("resource", p.URL), slog.String("reason", err.Error()))
			return
		}
	}
	if err != nil && (p.why == nil || p.why.Error() != err.Error()) {
		p.Logger.Error("clients cannot be sent to the pool", slog.String("resource", p.URL), slog.String("reason", err.Error()))
	}
	p.text, p.why = text, err
}

// ask reads the members of the pool's metadata that tell what it does for clients (RFC 8414,
// section 2).
func (p *poolMetadata) ask(ctx context.Context) (can abilities, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoints.Issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return can, err
	}
	response, err := p.client.Do(r)
	if err != nil {
		return can, unavailable(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDiscovery))
	if err != nil {
		return can, unavailable(err)
	}
	var found struct {
		Issuer       string `json:"issuer"`
		Registration string `json:"registration_endpoint"`
		Documents    bool   `json:"client_id_metadata_document_supported"`
	}
	switch {
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests:
		return can, unavailable(fmt.Errorf("its metadata have status %d", response.StatusCode))
	case response.StatusCode != http.StatusOK:
		return can, fmt.Errorf("ask the pool for its metadata: status %d", response.StatusCode)
	case json.Unmarshal(body, &found) != nil || found.Issuer != p.Endpoints.Issuer:
		return can, errors.New("ask the pool for its metadata: they are not those of the issuer")
	}
	if found.Registration != "" {
		if _, err := parseURL(found.Registration); err != nil {
			return can, fmt.Errorf("ask the pool for its metadata: registration_endpoint: %w", err)
		}
	}
	return abilities{found.Registration, found.Documents}, nil
}

func unavailable(err error) error {
	return fmt.Errorf("%w: ask the pool for its metadata: %w", codegrant.ErrUnavailable, err)
}
