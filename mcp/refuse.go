package mcp

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

const (
	methods      = "POST, GET, DELETE, OPTIONS"
	preflightAge = "7200" // seconds; more, browsers do not keep
)

// allowPage has a page of the origin read the answer, and what a client needs of its
// headers.
func allowPage(h http.Header, origin string) {
	h["Access-Control-Allow-Origin"] = []string{origin}
	h["Access-Control-Expose-Headers"] = []string{"WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After"}
}

// clientHeaders are what clients send from pages. Parameters of tools have headers of
// their own, beginning with paramHeader.
var clientHeaders = map[string]bool{
	"authorization": true, "content-type": true, "accept": true, "last-event-id": true,
	"mcp-session-id": true, "mcp-protocol-version": true, "mcp-method": true, "mcp-name": true,
}

const paramHeader = "mcp-param-"

// preflight answers a browser that asks before it lets a page send a request.
func (x *exchange) preflight() {
	var allowed []string
	for _, name := range strings.Split(strings.Join(x.r.Header["Access-Control-Request-Headers"], ","), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); clientHeaders[name] || strings.HasPrefix(name, paramHeader) && len(name) < 128 && len(allowed) < 64 {
			allowed = append(allowed, name)
		}
	}
	h := x.w.Header()
	h["Access-Control-Allow-Methods"] = []string{methods}
	h["Access-Control-Max-Age"] = []string{preflightAge}
	if len(allowed) > 0 {
		h["Access-Control-Allow-Headers"] = []string{strings.Join(allowed, ", ")}
	}
	x.w.WriteHeader(http.StatusNoContent)
}

// refuse answers with an error of JSON-RPC, of the message if that has an id.
func (x *exchange) refuse(status, code int, text string) {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id,omitempty"`
		Error   problem         `json:"error"`
	}{"2.0", x.message.id, problem{code, text}})
	if err != nil {
		body = nil
	}
	h := x.w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(body, '\n'))
}

// unauthorized asks for a token, and says where to get one (RFC 9728, section 5.1).
func (x *exchange) unauthorized() {
	challenge := "Bearer " + x.challenge
	text := "send a token of the pool, in the header Authorization"
	if len(x.r.Header["Authorization"]) > 0 {
		text = "the token is expired, revoked or not for this service"
		challenge += `, error="invalid_token", error_description="` + text + `"`
	}
	if len(x.Scopes) > 0 {
		challenge += `, scope="` + strings.Join(x.Scopes, " ") + `"`
	}
	x.w.Header()["WWW-Authenticate"] = []string{challenge}
	x.refuse(http.StatusUnauthorized, codeNobody, text)
}

// insufficient tells a client which scopes to ask for: those that are missing, and those of
// the resource's that its token has. A client that is not told by the token endpoint which
// scopes it has, as pools do not tell, would lose these.
func (x *exchange) insufficient(missing []string) {
	scopes := make([]string, 0, len(missing)+len(x.Scopes))
	add := func(list []string) {
		for _, s := range list {
			if (slices.Contains(missing, s) || x.who.HasScope(s)) && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	add(x.Scopes)
	for _, r := range x.rules {
		add(r.Scopes)
	}
	x.w.Header()["WWW-Authenticate"] = []string{`Bearer error="insufficient_scope", scope="` + strings.Join(scopes, " ") + `", ` + x.challenge +
		`, error_description="the token lacks a scope"`}
}

func (x *exchange) forbidden(who *codegrant.Identity, lacks []string, why string) {
	x.who = who
	x.log("request refused", why)
	if lacks != nil {
		x.insufficient(lacks)
	}
	x.refuse(http.StatusForbidden, codeRefused, "you are signed in, but lack the permission")
}

func (x *exchange) unavailable(err error) {
	x.Logger.LogAttrs(x.r.Context(), slog.LevelError, "request failed", append(x.about(), slog.String("reason", err.Error()))...)
	x.w.Header()["Retry-After"] = []string{"2"}
	x.refuse(http.StatusServiceUnavailable, codeNobody, "a service that the answer depends on does not respond; try again")
}
