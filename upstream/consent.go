package upstream

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// path is that of an endpoint.
func (c Config) path(endpoint string) string { return "/upstream/" + c.Name + endpoint }

// Paths are those of [Upstream.Handlers].
func (c Config) Paths() []string { return []string{c.path("/connect"), c.path("/callback")} }

// Handlers are the endpoints by path: where a person begins to agree, and where the other
// server sends them back to.
func (u *Upstream) Handlers() map[string]http.Handler {
	guarded := func(h http.HandlerFunc) http.Handler {
		return u.Auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			if r.Method != http.MethodGet {
				w.Header().Set("Allow", http.MethodGet)
				http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
				return
			}
			h(w, r)
		}))
	}
	return map[string]http.Handler{u.path("/connect"): guarded(u.connect), u.path("/callback"): guarded(u.callback)}
}

// attempt is what the state carries, sealed, bound to this server and to the session.
type attempt struct {
	Verifier string    `json:"v"`
	Return   string    `json:"r"`
	Until    time.Time `json:"u"`
}

const (
	stateSeal   = "upstream state"
	attemptTime = 10 * time.Minute
	maxQuery    = 32 << 10
)

func (u *Upstream) boundTo(id *codegrant.Identity) []byte {
	return []byte(cupboard.Key("upstream state", u.Name, id.Issuer, id.Subject, id.SessionID()))
}

// inPerson is somebody with a session of their own: a token agrees to nothing.
func (u *Upstream) inPerson(w http.ResponseWriter, r *http.Request) (*codegrant.Identity, bool) {
	id, ok := codegrant.From(r.Context())
	if !ok || id.Method != codegrant.MethodSession || id.SessionID() == "" || id.Actor != nil {
		u.tell(w, r, "Sign in with a browser: a program cannot agree in the name of a person.")
		return nil, false
	}
	return id, true
}

// tell shows a page about a request that leads nowhere.
func (u *Upstream) tell(w http.ResponseWriter, r *http.Request, reason string) {
	u.Logger.LogAttrs(r.Context(), slog.LevelWarn, "request refused", slog.String("path", r.URL.Path), slog.String("reason", reason))
	pages.Render(w, r, http.StatusBadRequest, pages.AgentRefused{Reason: reason})
}

func (u *Upstream) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	u.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("path", r.URL.Path), slog.String("reason", err.Error()))
	w.Header().Set("Retry-After", "2")
	pages.Render(w, r, http.StatusServiceUnavailable, pages.Unavailable{})
}

// connect sends somebody to the other server.
func (u *Upstream) connect(w http.ResponseWriter, r *http.Request) {
	id, ok := u.inPerson(w, r)
	if !ok {
		return
	}
	back, err := new(returnto.Rules).Check(r.URL.Query().Get("return"))
	if err != nil || len(back) > 2048 {
		back = "/"
	}
	var raw [32]byte
	rand.Read(raw[:])
	verifier := base64.RawURLEncoding.EncodeToString(raw[:])
	text, err := json.Marshal(attempt{verifier, back, u.Now().Add(attemptTime)})
	if err != nil {
		u.unavailable(w, r, err)
		return
	}
	to, err := url.Parse(u.AuthorizeURL)
	if err != nil {
		u.unavailable(w, r, err)
		return
	}
	sum := sha256.Sum256([]byte(verifier))
	query := to.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": u.ClientID, "redirect_uri": u.Auth.Origin() + u.path("/callback"), "scope": strings.Join(u.Scopes, " "),
		"state": u.Keys.Seal(stateSeal, text, u.boundTo(id)), "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	if len(u.Scopes) == 0 {
		query.Del("scope")
	}
	to.RawQuery = query.Encode()
	u.event(r.Context(), ConsentAsked, asked, 0)
	returnto.Redirect(w, to.String(), http.StatusSeeOther)
}

// callback takes the answer: of the server that was asked, in the session that asked, once.
func (u *Upstream) callback(w http.ResponseWriter, r *http.Request) {
	id, ok := u.inPerson(w, r)
	if !ok {
		return
	}
	const again = "This answer belongs to another attempt or another session, or it came too late. Open the page that you came from again."
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxQuery {
		u.turnedAway(w, r, again)
		return
	}
	for _, list := range query {
		if len(list) > 1 {
			u.turnedAway(w, r, again)
			return
		}
	}
	var a attempt
	text, err := u.Keys.Open(stateSeal, query.Get("state"), u.boundTo(id))
	if err != nil || json.Unmarshal(text, &a) != nil || !u.Now().Before(a.Until) || u.Issuer != "" && query.Get("iss") != u.Issuer || query.Has("code") == query.Has("error") {
		u.turnedAway(w, r, again)
		return
	}
	err = u.Cupboard.Put(r.Context(), states, cupboard.Record{Key: cupboard.Key("state", query.Get("state")), Person: id.Subject, Until: a.Until})
	switch {
	case errors.Is(err, cupboard.ErrExists):
		u.turnedAway(w, r, again)
		return
	case err != nil:
		u.event(r.Context(), ConsentAsked, failed, 0)
		u.unavailable(w, r, err)
		return
	case query.Has("error"):
		u.turnedAway(w, r, "The other service may not give access, or it refused.")
		return
	}
	got, err := u.ask(r.Context(), url.Values{
		"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {u.Auth.Origin() + u.path("/callback")}, "code_verifier": {a.Verifier},
	})
	if errors.As(err, new(*refusal)) {
		u.turnedAway(w, r, "The other service refused the access that it gave a moment ago. Open the page that you came from again.")
		return
	}
	h := held{Name: u.Name, Issuer: id.Issuer, Subject: id.Subject, AuthTime: id.AuthTime, Session: id.SessionID()}
	if err == nil {
		h.take(got, u.Now())
		if err = u.keep(r, h); err != nil {
			_ = u.revoke(r.Context(), h)
		}
	}
	if err != nil {
		u.event(r.Context(), ConsentAsked, failed, 0)
		u.unavailable(w, r, err)
		return
	}
	u.event(r.Context(), ConsentAsked, given, 0)
	u.Logger.LogAttrs(r.Context(), slog.LevelInfo, "upstream token given", slog.String("upstream", u.Name), slog.String("sub", id.Subject))
	k := u.of(u.key(id.Issuer, id.Subject))
	k.mu.Lock()
	k.at = time.Time{}
	k.mu.Unlock()
	returnto.Redirect(w, a.Return, http.StatusSeeOther)
}

// turnedAway tells somebody that nothing comes of their answer.
func (u *Upstream) turnedAway(w http.ResponseWriter, r *http.Request, reason string) {
	u.event(r.Context(), ConsentAsked, refused, 0)
	u.tell(w, r, reason)
}

// keep has what was given take the place of what was there, which is revoked.
func (u *Upstream) keep(r *http.Request, h held) error {
	for range 5 {
		record, err := u.record(h, 0)
		if err != nil {
			return err
		}
		if err = u.Cupboard.Put(r.Context(), tokens, record); !errors.Is(err, cupboard.ErrExists) {
			return err
		}
		u.end(r.Context(), h, "the person has agreed anew")
	}
	return errors.New("others keep tokens of the person at the same time")
}

// ConsentError says that somebody has to agree first, and answers their request so: a
// browser that navigates is sent to URL, a client of the Model Context Protocol is asked to
// open it, and others get a problem that has it.
type ConsentError struct{ Name, URL string }

func (e *ConsentError) Error() string {
	return "the person has not agreed yet that " + e.Name + " is used in their name; to do so, they open " + e.URL
}

const problemType = "https://github.com/codegrant/codegrant/blob/main/docs/delegation.md#tokens-of-other-services"

// ServeHTTP answers a request.
func (e *ConsentError) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const message = "Open the URL in a browser, sign in, and agree. Then try again."
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if navigates(r) {
		returnto.Redirect(w, e.URL+"?return="+url.QueryEscape(r.RequestURI), http.StatusSeeOther)
		return
	}
	status, body := http.StatusForbidden, map[string]any{
		"type": problemType, "title": "Consent needed", "status": http.StatusForbidden, "detail": message, "connect_url": e.URL,
	}
	h.Set("Content-Type", "application/problem+json")
	if id := callID(r); id != nil {
		// The protocol has an error for it: a URL that a person has to open (elicitation).
		var raw [16]byte
		rand.Read(raw[:])
		status, body = http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{
			"code": -32042, "message": e.Error(), "data": map[string]any{"elicitations": []any{map[string]any{
				"mode": "url", "elicitationId": base64.RawURLEncoding.EncodeToString(raw[:]), "url": e.URL, "message": message,
			}}},
		}}
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// callID is that of a call by JSON-RPC; nil: it is none.
func callID(r *http.Request) json.RawMessage {
	if r.Method != http.MethodPost || r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	var call struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
	}
	if err != nil || json.Unmarshal(body, &call) != nil || call.Version != "2.0" || len(call.ID) == 0 || len(call.ID) > 256 || call.ID[0] != '"' && strings.Trim(string(call.ID), "0123456789-") != "" {
		return nil
	}
	return call.ID
}
