package keep_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

const issuer, client = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "1example23456789"

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// oneKey is the only key of the pool. It cannot be had while away says so.
type oneKey struct{ away *bool }

func (k oneKey) Key(context.Context, string) (*rsa.PublicKey, error) {
	if *k.away {
		return nil, verify.ErrUnavailable
	}
	return &signingKey().PublicKey, nil
}

// pool is a user pool that rotates refresh tokens without grace, and can be stopped at
// any call.
type pool struct {
	now   func() time.Time
	point func(step) // called before each call has its effect; may block

	keeps    bool // a refresh token lives on, and a refresh brings none
	barren   bool // a sign-in brings none
	nameless bool // tokens have no origin_jti

	mu      sync.Mutex
	drawn   int
	grants  map[string]*grant // by the refresh token that is good
	claims  map[string]any    // changed in the next refresh
	answer  error             // of the next refreshes, where it is not nil
	asked   int
	revoked int
}

type grant struct {
	sub, origin string
	began       time.Time
}

func newPool(now func() time.Time) *pool {
	return &pool{now: now, point: func(step) {}, grants: make(map[string]*grant)}
}

// signIn grants tokens to a person.
func (p *pool) signIn(sub string) cognito.TokenSet {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn++
	g := &grant{sub, fmt.Sprintf("origin-%d", p.drawn), p.now()}
	if p.nameless {
		g.origin = ""
	}
	tokens := p.tokens(g, nil)
	if p.barren {
		delete(p.grants, tokens.RefreshToken.Reveal())
		tokens.RefreshToken = ""
	}
	return tokens
}

func (p *pool) tokens(g *grant, change map[string]any) cognito.TokenSet {
	p.drawn++
	refresh := fmt.Sprintf("refresh-%s-%d", g.sub, p.drawn)
	p.grants[refresh] = g
	token := func(claims map[string]any) cognito.Secret {
		for name, value := range map[string]any{
			"iss": issuer, "sub": g.sub, "iat": p.now().Unix(), "exp": p.now().Add(time.Hour).Unix(),
			"auth_time": g.began.Unix(), "origin_jti": g.origin, "jti": fmt.Sprint(p.drawn),
		} {
			claims[name] = value
		}
		for name, value := range change {
			claims[name] = value
		}
		return cognito.Secret(sign(claims))
	}
	return cognito.TokenSet{
		IDToken:      token(map[string]any{"token_use": "id", "aud": client, "cognito:username": g.sub}),
		AccessToken:  token(map[string]any{"token_use": "access", "client_id": client, "username": g.sub, "scope": "openid"}),
		RefreshToken: cognito.Secret(refresh),
	}
}

// signatures are kept: orders are run by the thousand, and most claims are the same in all.
var signatures sync.Map

func sign(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if token, ok := signatures.Load(string(body)); ok {
		return token.(string)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, signingKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	signatures.Store(string(body), token)
	return token
}

func (p *pool) Refresh(ctx context.Context, token cognito.Secret) (cognito.TokenSet, error) {
	p.point(stepOf(ctx, "pool refresh", token.Reveal()))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.answer != nil {
		return cognito.TokenSet{}, p.answer
	}
	g, ok := p.grants[token.Reveal()]
	if !ok {
		return cognito.TokenSet{}, fmt.Errorf("spent or revoked: %w", cognito.ErrInvalidGrant)
	}
	change := p.claims
	p.claims = nil
	tokens := p.tokens(g, change)
	if p.keeps {
		delete(p.grants, tokens.RefreshToken.Reveal())
		tokens.RefreshToken = ""
	} else {
		delete(p.grants, token.Reveal())
	}
	return tokens, nil
}

func (p *pool) Revoke(ctx context.Context, token cognito.Secret) error {
	p.point(stepOf(ctx, "pool revoke", token.Reveal()))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked++
	delete(p.grants, token.Reveal())
	return nil
}

// good are the refresh tokens of a person that the pool takes.
func (p *pool) good(sub string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.grants {
		if g.sub == sub {
			n++
		}
	}
	return n
}

func (p *pool) refreshes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// way is one way to keep sign-ins, as the suite opens it.
type way struct {
	name string
	open func(*house, process) keep.Keeper
}

// house is a pool, and what processes share: a store, keys, a clock.
type house struct {
	t     *testing.T
	way   way
	pool  *pool
	store *pointed
	keys  *session.Keyring
	now   func() time.Time
	life  keep.Lifetimes
	work  []*behind.Work
	point func(step)

	client string // the app client of processes that begin
	noKeys bool   // the pool's keys cannot be had
}

// process is what one of them has for itself.
type process struct {
	prover *prove.Prover
	work   *behind.Work
	log    *slog.Logger
}

var ways = []way{
	{"store", func(h *house, p process) keep.Keeper {
		return keep.NewStored(keep.StoredConfig{
			Store: h.store, Cookie: session.Cookie{Name: "codegrant"}, Issuer: issuer, Client: h.client,
			Lifetimes: h.life, Now: h.now, Logger: p.log, Behind: p.work,
		})
	}},
	{"sealed", func(h *house, p process) keep.Keeper {
		return keep.NewSealed(keep.SealedConfig{
			Cookie: session.Cookie{Name: "codegrant"}, Keys: h.keys, Binding: h.client, Prover: p.prover, Lifetimes: h.life, Now: h.now, Logger: p.log,
		})
	}},
	{"shared", func(h *house, p process) keep.Keeper {
		return keep.NewShared(keep.SharedConfig{Domain: "example.com", Prover: p.prover, Lifetimes: h.life, Now: h.now, Logger: p.log})
	}},
}

func newHouse(t *testing.T, w way, now func() time.Time) *house {
	h := &house{
		t: t, way: w, now: now, keys: session.RandomKeyring(), life: keep.Lifetimes{Idle: 12 * time.Hour, Absolute: 7 * 24 * time.Hour},
		point: func(step) {}, client: client,
	}
	h.pool = newPool(now)
	h.store = &pointed{Store: session.NewMemoryStore(session.MemoryConfig{Now: now}), point: func(s step) { h.point(s) }}
	h.pool.point = func(s step) { h.point(s) }
	return h
}

// begin starts a process.
func (h *house) begin() (*keep.Sessions, keep.Keeper) {
	h.t.Helper()
	v, err := verify.New(verify.Config{Issuer: issuer, ClientIDs: []string{h.client}, Keys: oneKey{&h.noKeys}, Now: h.now})
	if err != nil {
		h.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	p := process{prove.New(v, issuer, h.client, false), behind.New(log, nil), log}
	h.work = append(h.work, p.work)
	keeper := h.way.open(h, p)
	if keeper.Carried() {
		keeper = &pointedKeeper{keeper, func(s step) { h.point(s) }}
	}
	return keep.New(keep.Config{
		Keeper: keeper, Pool: h.pool, Prover: p.prover, People: &people.People{}, Behind: p.work,
		Lifetimes: h.life, Leeway: time.Minute, Now: h.now, Logger: log,
	}), keeper
}

// settle waits for work beside requests.
func (h *house) settle() {
	h.t.Helper()
	for _, w := range h.work {
		if err := w.Wait(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// jar is what a browser holds.
type jar map[string]string

func (j jar) request(before ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	for _, c := range before {
		r.AddCookie(c)
	}
	for name, value := range j {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// after is what it holds after an answer.
func (j jar) after(w *httptest.ResponseRecorder) jar {
	kept := make(jar)
	for name, value := range j {
		kept[name] = value
	}
	for _, c := range w.Result().Cookies() {
		if delete(kept, c.Name); c.MaxAge >= 0 && c.Value != "" {
			kept[c.Name] = c.Value
		}
	}
	return kept
}

// signIn signs somebody in with a browser, and returns what it holds then.
func (h *house) signIn(s *keep.Sessions, sub string, holding jar) jar {
	h.t.Helper()
	w := httptest.NewRecorder()
	if _, err := s.Begin(context.Background(), w, holding.request(), keep.Grant{Tokens: h.pool.signIn(sub), Began: h.now(), Ours: true}); err != nil {
		h.t.Errorf("sign %s in: %v", sub, err)
	}
	return holding.after(w)
}

// find asks who a browser is. It is "" for nobody.
func find(s *keep.Sessions, holding jar, before ...*http.Cookie) (who string, _ jar, err error) {
	w := httptest.NewRecorder()
	held, err := s.Find(w, holding.request(before...))
	if held != nil {
		who = held.Subject
	}
	return who, holding.after(w), err
}

func (h *house) wantFound(s *keep.Sessions, holding jar, want string) jar {
	h.t.Helper()
	who, after, err := find(s, holding)
	if err != nil || who != want {
		h.t.Errorf("the request is of %q, %v; want %q", who, err, want)
	}
	return after
}

var errAway = fmt.Errorf("no answer: %w", cognito.ErrUnavailable)
