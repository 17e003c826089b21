package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
)

// readTime is how long a message may take to come, once its sender is known.
const readTime = 30 * time.Second

// Require guards the MCP server: every request needs a token of the resource and the
// permissions, and a call of a tool what its rule asks for.
//
// A HasScope among the permissions refuses without saying how to get the scope: put that
// into [Config.Scopes].
func (res *Resource) Require(auth *codegrant.Auth, permissions ...codegrant.Permission) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			(&exchange{Resource: res, auth: auth, permissions: permissions, next: next, w: w, r: r}).serve()
		})
	}
}

// exchange is one request and its answer.
type exchange struct {
	*Resource
	auth        *codegrant.Auth
	permissions []codegrant.Permission
	next        http.Handler
	w           http.ResponseWriter
	r           *http.Request // as it came, but for its context
	who         *codegrant.Identity
	body        []byte // of a POST; nil: of no POST
	message     message
	session     string // as the client has it; empty: none

	serverSession string // the same, as the server has it
}

// tokenRules are which tokens are for the resource.
func (res *Resource) tokenRules() codegrant.TokenRules {
	return codegrant.TokenRules{Resource: res.URL, InsecureNoAudience: res.InsecureNoAudience, AnyClient: res.PoolClients, Issued: res.Issued}
}

func (x *exchange) serve() {
	h := x.w.Header()
	h["Cache-Control"] = []string{"no-store"}
	h["Vary"] = []string{"Origin, Authorization"}
	if !x.allowOrigin() {
		x.refuse(http.StatusForbidden, codeRefused, "pages of this origin may not send requests here")
		x.log("request refused", "another site's page sent it")
		return
	}
	if len(x.r.Header["Upgrade"]) > 0 {
		x.refuse(http.StatusBadRequest, codeRequest, "the gateway cannot check requests after a change of protocol")
		return
	}
	switch x.r.Method {
	case http.MethodPost, http.MethodGet, http.MethodDelete:
	case http.MethodOptions:
		x.preflight()
		return
	default:
		h.Set("Allow", methods)
		x.refuse(http.StatusMethodNotAllowed, codeRequest, "the method does not belong to the protocol")
		return
	}
	if x.r.Method != http.MethodPost && x.r.ContentLength != 0 {
		x.refuse(http.StatusBadRequest, codeRequest, "only a POST has a message")
		return
	}
	who, err := x.auth.Token(x.r, x.tokenRules(), x.permissions...)
	switch {
	case errors.Is(err, codegrant.ErrUnavailable):
		x.unavailable(err)
		return
	case errors.Is(err, codegrant.ErrForbidden):
		x.forbidden(who, missing(who, x.Scopes), err.Error())
		return
	case err != nil:
		x.unauthorized()
		return
	}
	x.who = who
	if lacks := missing(who, x.Scopes); lacks != nil {
		x.forbidden(who, lacks, "needs scope "+strings.Join(lacks, " and "))
		return
	}
	if x.r.Method == http.MethodPost && !x.read() {
		return
	}
	if !x.findSession() || !x.mayCall() {
		return
	}
	ctx, end := x.watch()
	defer end()
	a := &answer{ResponseWriter: x.w, exchange: x}
	x.next.ServeHTTP(a, x.inner(ctx, a))
	a.finish()
}

// inner is the request that the server gets. What the permissions are asked about again stays
// as it came: its header and its URL are the server's own.
func (x *exchange) inner(ctx context.Context, w http.ResponseWriter) *http.Request {
	r := x.auth.Identified(w, x.r.WithContext(ctx), x.who)
	u := *x.r.URL
	r.URL, r.Header = &u, maps.Clone(x.r.Header)
	r.Body, r.GetBody = http.NoBody, nil // nobody has looked at one but a POST's
	if x.body != nil {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
		r.Body, _ = r.GetBody()
	}
	r.ContentLength, r.TransferEncoding, r.Trailer = int64(len(x.body)), nil, nil
	delete(r.Header, "Expect")
	maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return namesMethod(name) })
	if x.session != "" {
		r.Header[sessionHeader] = []string{x.serverSession}
	}
	if len(x.rules) > 0 {
		delete(r.Header, "Accept-Encoding") // what is packed cannot be looked through
	}
	return r
}

// namesMethod reports whether frameworks take a request for one of the method that the header
// names.
func namesMethod(header string) bool {
	switch len(header) { // nearly all are none of these lengths
	case len("x-http-method"), len("x-method-override"), len("x-http-method-override"):
	default:
		return false
	}
	switch strings.ToLower(strings.ReplaceAll(header, "_", "-")) {
	case "x-http-method", "x-method-override", "x-http-method-override":
		return true
	}
	return false
}

// isJSON reports whether the body is JSON as it is, by its header.
func isJSON(h http.Header) bool {
	kinds := h["Content-Type"]
	if len(kinds) != 1 || len(h["Content-Encoding"]) > 0 {
		return false
	}
	if kinds[0] == "application/json" { // nearly all are
		return true
	}
	kind, parameters, err := mime.ParseMediaType(kinds[0])
	charset := parameters["charset"]
	return err == nil && kind == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// usualMessage is as large as most messages are. A client that says that its message is
// larger has no more room until it sends it.
const usualMessage = 8 << 10

// read has the message of a POST, and keeps the same bytes for the server.
func (x *exchange) read() bool {
	if !isJSON(x.r.Header) {
		x.refuse(http.StatusUnsupportedMediaType, codeRequest, "the body must be application/json, without an encoding")
		return false
	}
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(readTime)) // where the server can
	// ReadFrom wants to see that there is no more, in as much room.
	body := bytes.NewBuffer(make([]byte, 0, max(0, min(x.r.ContentLength, usualMessage))+bytes.MinRead))
	_, err := body.ReadFrom(http.MaxBytesReader(x.w, x.r.Body, x.MaxMessage))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		x.refuse(http.StatusRequestEntityTooLarge, codeRequest, "the message is too large")
		return false
	case err != nil:
		x.refuse(http.StatusBadRequest, codeParse, "the body cannot be read")
		return false
	}
	x.body = body.Bytes()
	m, wrong := readMessage(x.body)
	if wrong == nil {
		wrong = m.mirrored(x.r.Header)
	}
	x.message = m
	if wrong != nil {
		x.log("message refused", wrong.text)
		x.refuse(http.StatusBadRequest, wrong.code, wrong.text)
		return false
	}
	return true
}

// findSession finds the server's own session id, which it sees in place of the client's.
func (x *exchange) findSession() bool {
	given, ok := x.r.Header[sessionHeader]
	if !ok {
		return true
	}
	id := ""
	if len(given) == 1 {
		id, ok = x.bound(given[0], x.who)
	}
	if !ok || id == "" {
		// The protocol has this answer for a session that has ended: the client begins another.
		x.log("session refused", "the MCP session does not exist, or belongs to somebody else")
		x.refuse(http.StatusNotFound, codeRequest, "there is no such session")
		return false
	}
	x.session, x.serverSession = given[0], id
	return true
}

// mayCall decides about the tool that the message calls, and tells of it.
func (x *exchange) mayCall() bool {
	if x.message.method != callTool {
		return true
	}
	v, err := x.judge(x.r.Context(), x.who, x.r, x.message.name)
	if err != nil {
		x.unavailable(err)
		return false
	}
	if x.OnCall != nil {
		x.OnCall(x.r.Context(), Call{Tool: x.message.name, Rule: v.rule, Allowed: v.allowed, Identity: x.who})
	}
	if v.allowed {
		x.Logger.LogAttrs(x.r.Context(), slog.LevelInfo, "tool called", x.about()...)
		return true
	}
	x.log("tool refused", v.why)
	if v.missing != nil {
		x.insufficient(v.missing)
	}
	x.refuse(http.StatusForbidden, codeRefused, "you may not call "+x.message.name)
	return false
}

// about says who asks for what. Arguments are nobody's business.
func (x *exchange) about() []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 6), slog.String("resource", x.URL))
	if x.message.name != "" && x.message.method == callTool {
		attrs = append(attrs, slog.String("tool", x.message.name))
	}
	if x.who != nil {
		attrs = append(attrs, slog.String("sub", x.who.Subject), slog.String("client", x.who.ClientID))
		if x.who.Actor != nil {
			attrs = append(attrs, slog.String("actor", x.who.Actor.String()))
		}
	}
	return attrs
}

func (x *exchange) log(event, reason string) {
	x.Logger.LogAttrs(x.r.Context(), slog.LevelWarn, event, append(x.about(), slog.String("reason", reason))...)
}

// lasts is when a request is one that lasts: calls of tools, as a rule, are over by then.
const lasts = 300 * time.Millisecond

// recheckEvery is how often a request that lasts has its token asked about again.
const recheckEvery = 5 * time.Second

// watched is a request that lasts.
type watched struct {
	*exchange
	ctx    context.Context
	cancel context.CancelFunc
	ends   time.Time // of the token; zero: it is asked alone

	mu    sync.Mutex // guards the fields below
	timer *time.Timer
	stop  func() // hearing of an end; nil: nobody does yet
}

// watch ends a request that lasts with its token, and with the person's sign-out as far as
// that reaches tokens.
func (x *exchange) watch() (context.Context, func()) {
	w := &watched{exchange: x, ends: x.who.Expires}
	w.ctx, w.cancel = context.WithCancel(x.r.Context())
	if !x.Now().Before(w.ends) {
		w.ends = time.Time{} // within what clocks may be apart
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.OnEnd != nil {
		w.timer = time.AfterFunc(lasts, w.hear)
	} else {
		w.timer = time.AfterFunc(w.next(), w.look)
	}
	return w.ctx, w.end
}

func (w *watched) next() time.Duration {
	if w.ends.IsZero() {
		return recheckEvery
	}
	return max(min(recheckEvery, w.ends.Sub(w.Now())), time.Millisecond)
}

// hear has the request end with what its token was given for.
func (w *watched) hear() {
	_, token, _ := strings.Cut(w.r.Header.Get("Authorization"), " ")
	stop := w.OnEnd(strings.TrimSpace(token), w.cancel)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		stop()
		return
	}
	w.stop = stop
	w.timer = time.AfterFunc(w.next(), w.look)
}

func (w *watched) look() {
	if !w.ends.IsZero() && !w.Now().Before(w.ends) || !w.stands(w.r.WithContext(context.WithoutCancel(w.r.Context()))) {
		w.cancel()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() == nil {
		w.timer.Reset(w.next())
	}
}

func (w *watched) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	if w.stop != nil {
		w.stop()
	}
	w.cancel()
}

// stands asks again. Where that cannot be found out, it stands; where asking panics, it
// does not.
func (x *exchange) stands(r *http.Request) (stands bool) {
	defer func() {
		if p := recover(); p != nil {
			x.Logger.LogAttrs(r.Context(), slog.LevelError, "permission not asked again: that panicked", slog.Any("panic", p))
			stands = false
		}
	}()
	who, err := x.auth.Token(r, x.tokenRules(), x.permissions...)
	if err == nil && x.message.method == callTool {
		v, err := x.judge(r.Context(), who, r, x.message.name)
		return err != nil || v.allowed
	}
	return err == nil || errors.Is(err, codegrant.ErrUnavailable)
}

// allowOrigin says which pages may read the answer, and reports whether the page that sent
// the request may at all: a browser that was led to another address sends the origin that
// it believes in.
func (x *exchange) allowOrigin() bool {
	given, ok := x.r.Header["Origin"]
	if !ok {
		return true // no browser, or no page
	}
	if len(given) != 1 || given[0] != x.origin && !slices.Contains(x.Origins, given[0]) && !slices.Contains(x.Origins, "*") {
		return false
	}
	allowPage(x.w.Header(), given[0])
	return true
}
