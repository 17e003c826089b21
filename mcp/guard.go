package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
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
	message     message
	session     string // as the client has it; empty: none
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
		x.refuse(http.StatusBadRequest, codeRequest, "what is sent after a change of protocol, nobody looks at")
		return
	}
	switch x.r.Method {
	case http.MethodPost, http.MethodGet, http.MethodDelete:
	case http.MethodOptions:
		x.preflight()
		return
	default:
		h.Set("Allow", methods)
		x.refuse(http.StatusMethodNotAllowed, codeRequest, "the method is none of the protocol's")
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
	inner := x.r.Clone(x.r.Context())
	if x.r.Method == http.MethodPost && !x.read(inner) {
		return
	}
	if !x.sessionOf(inner) || !x.mayCall() {
		return
	}
	ctx, end := x.watch()
	defer end()
	a := &answer{ResponseWriter: x.w, exchange: x}
	if len(x.rules) > 0 {
		inner.Header.Del("Accept-Encoding") // what is packed cannot be looked through
	}
	x.next.ServeHTTP(a, x.auth.Identified(a, inner.WithContext(ctx), who))
	a.finish()
}

// read has the message of a POST, and leaves the same bytes for the server.
func (x *exchange) read(inner *http.Request) bool {
	kind, parameters, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") || len(x.r.Header["Content-Encoding"]) > 0 || len(x.r.Header["Content-Type"]) != 1 {
		x.refuse(http.StatusUnsupportedMediaType, codeRequest, "the body is to be application/json, as it is")
		return false
	}
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(readTime)) // where the server can
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.MaxMessage))
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
	m, wrong := readMessage(body)
	if wrong == nil {
		wrong = m.mirrored(x.r.Header)
	}
	x.message = m
	if wrong != nil {
		x.log("message refused", wrong.text)
		x.refuse(http.StatusBadRequest, wrong.code, wrong.text)
		return false
	}
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	inner.Trailer = nil
	inner.Header.Del("Expect")
	return true
}

// sessionOf has the server see its own session id in place of the client's.
func (x *exchange) sessionOf(inner *http.Request) bool {
	given, ok := x.r.Header[sessionHeader]
	if !ok {
		return true
	}
	id := ""
	if len(given) == 1 {
		id, ok = x.bound(given[0], x.who)
	}
	if !ok || id == "" {
		// What the protocol answers where a session has ended: the client begins another.
		x.log("session refused", "the MCP session is none, or somebody else's")
		x.refuse(http.StatusNotFound, codeRequest, "there is no such session")
		return false
	}
	x.session = given[0]
	inner.Header[sessionHeader] = []string{id}
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
	attrs := []slog.Attr{slog.String("resource", x.URL)}
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

// recheckEvery is how often a request that lasts has its token asked about again.
const recheckEvery = 5 * time.Second

// watch ends a request that lasts with its token, and with the person's sign-out as far as
// that reaches tokens.
func (x *exchange) watch() (context.Context, func()) {
	ctx, cancel := context.WithCancel(x.r.Context())
	ends := x.who.Expires
	if !x.Now().Before(ends) {
		ends = time.Time{} // within what clocks may be apart: the token is asked alone
	}
	var timer *time.Timer
	next := func() time.Duration {
		if ends.IsZero() {
			return recheckEvery
		}
		return max(min(recheckEvery, ends.Sub(x.Now())), time.Millisecond)
	}
	started := make(chan struct{})
	timer = time.AfterFunc(next(), func() {
		<-started
		if !ends.IsZero() && !x.Now().Before(ends) || !x.stands(x.r.WithContext(context.WithoutCancel(x.r.Context()))) {
			cancel()
			return
		}
		if ctx.Err() == nil {
			timer.Reset(next())
		}
	})
	close(started)
	return ctx, func() { timer.Stop(); cancel() }
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
