package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// Config is what [New] needs. URL is required, and Endpoints or AuthorizationServers.
type Config struct {
	// URL is the resource: exactly what people give to their client, such as
	// https://app.example.com/mcp. https, or http on this machine; without query and
	// fragment. It is the audience of tokens.
	URL string
	// Endpoints are those of the pool, see [codegrant.Auth.Endpoints]: clients learn of
	// them from metadata that the resource has of its own, with URL as the issuer.
	Endpoints cognito.Endpoints
	// RegistrationEndpoint is where clients register themselves, and ClientDocuments says
	// that a URL of a document will do as a client id: where the pool has these on.
	RegistrationEndpoint string
	ClientDocuments      bool
	// PoolClients leaves clients to the pool: those that register there, or have a document.
	// Clients learn of either as far as the pool's own metadata say, or the two fields
	// above; if a pool can do neither, they get the reason.
	// Tokens of every app client of the pool count that are bound to URL, as nobody knows
	// the clients beforehand. Nobody asks people whether a client may act for them.
	PoolClients bool
	// HTTPClient asks the pool for its metadata, with PoolClients. Defaults to one that
	// follows no redirect and waits 10 s at most.
	HTTPClient *http.Client
	// AuthorizationServers are issuers that clients are sent to in place of that: the
	// pool's own, whose metadata some clients refuse, or an authorization server in front
	// of the pool.
	AuthorizationServers []string
	// Issued says whom a token stands for that such an authorization server has issued for
	// URL: see [codegrant.TokenRules]. Defaults to none: tokens are the pool's.
	Issued func(ctx context.Context, token string) (*codegrant.Identity, error)
	// OnEnd has a function called when what a token that Issued knows was given for ends
	// before its time, so that streams end with it. It returns how to have it called no more.
	// Defaults to none: streams ask every 5 s.
	OnEnd func(token string, end func()) (stop func())
	// Name and Documentation, a URL, tell people what it is. Default to nothing.
	Name, Documentation string

	// Scopes are what every request needs, and what clients should ask for. Set at
	// least one: some pools refuse clients that ask for none.
	Scopes []string
	// Tools says who may call which tool. None: who may send requests may call all. With
	// any, a tool that none of them names is nobody's: {Name: "*"} is for the rest.
	Tools []Tool

	// InsecureNoAudience accepts tokens that are bound to no resource, beside those that
	// are to this one. Pools of the Lite plan, and clients that do not ask for a resource,
	// have no others. The holder of such a token for another service of the pool can
	// then use it here. Tokens that are bound to something else are refused all the same.
	InsecureNoAudience bool

	// Origins are further origins whose pages may send requests, as clients that run in
	// browsers do: http://localhost:6274 of the MCP Inspector, say; "*" is all. Defaults to
	// none but that of URL.
	Origins []string

	// MaxMessage bounds a message, in bytes. Defaults to 4 MiB.
	MaxMessage int64
	// Keys bind sessions of the protocol to people. Processes that serve one resource have
	// to share them. Defaults to a random one.
	Keys *session.Keyring

	// OnCall gets each call of a tool as it is decided on. Defaults to nobody.
	OnCall func(context.Context, Call)
	// Logger gets them too. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Tool says what a tool needs beside what every request does.
type Tool struct {
	// Name of the tool, or a pattern in which * stands for any characters. The one with
	// the most characters of its own decides; the whole name before any pattern.
	Name string
	// Scopes are all needed. A client that lacks some gets their names.
	Scopes []string
	// Permissions are all needed.
	Permissions []codegrant.Permission
	// Listed has tools/list name the tool also to those who lack its Scopes alone, so
	// that their client can ask for these. Defaults to false.
	Listed bool
}

// Call is a call of a tool.
type Call struct {
	Tool     string // as the client named it
	Rule     string // the name of the rule that decided; empty: none
	Allowed  bool
	Identity *codegrant.Identity
}

// Resource is an MCP server that is protected. It is safe for concurrent use. Make one
// with [New].
type Resource struct {
	Config
	origin    string // of URL
	path      string // of URL
	metadata  []byte
	server    []byte        // metadata of the pool; nil: others are
	pool      *poolMetadata // nil: it is not asked
	challenge string        // the parameters that every challenge has
	keys      [][]byte
	rules     []rule // the most specific one first
}

const (
	wellKnown         = "/.well-known/oauth-protected-resource"
	defaultMaxMessage = 4 << 20
)

// New checks the configuration. The error names every fault at once.
func New(config Config) (*Resource, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	res := &Resource{Config: config}
	u, err := parseURL(config.URL)
	switch {
	case err != nil:
		fault("URL: %w", err)
		u = new(url.URL)
	case u.RawQuery != "" || u.ForceQuery:
		fault("URL: %q has a query", config.URL)
	}
	res.origin, res.path = u.Scheme+"://"+u.Host, u.EscapedPath()
	if len(config.AuthorizationServers) == 0 && config.Endpoints.Token == "" {
		fault("Endpoints, AuthorizationServers: clients have to be sent to one of them")
	}
	if config.PoolClients && (len(config.AuthorizationServers) > 0 || config.Endpoints.Issuer == "") {
		fault("PoolClients: it needs Endpoints with the pool's issuer, and no AuthorizationServers")
	}
	if config.RegistrationEndpoint != "" {
		if _, err := parseURL(config.RegistrationEndpoint); err != nil {
			fault("RegistrationEndpoint: %w", err)
		}
	}
	for _, server := range config.AuthorizationServers {
		if _, err := parseURL(server); err != nil {
			fault("AuthorizationServers: %w", err)
		}
	}
	if config.Documentation != "" {
		if _, err := parseURL(config.Documentation); err != nil {
			fault("Documentation: %w", err)
		}
	}
	faults = append(faults, checkScopes("Scopes", config.Scopes))
	for _, origin := range config.Origins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme+"://"+u.Host != origin) {
			fault("Origins: %q is not an origin such as https://app.example.com, in lower case", origin)
		}
	}
	if res.rules, err = newRules(config.Tools); err != nil {
		faults = append(faults, err)
	}
	if res.MaxMessage == 0 {
		res.MaxMessage = defaultMaxMessage
	}
	if res.MaxMessage < 0 {
		fault("MaxMessage: %d is less than nothing", res.MaxMessage)
	}
	if res.Keys == nil {
		res.Keys = session.RandomKeyring()
	}
	if res.keys, err = res.Keys.Derive("MCP sessions"); err != nil {
		fault("Keys: %w", err)
	}
	if res.Logger == nil {
		res.Logger = slog.Default()
	}
	if res.Now == nil {
		res.Now = time.Now
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("configure MCP resource: %w", err)
	}
	res.challenge = `resource_metadata="` + res.MetadataURL() + `"`
	if len(res.AuthorizationServers) == 0 {
		res.AuthorizationServers = []string{res.URL}
		if res.server, err = res.serverMetadata(config.Endpoints, abilities{res.RegistrationEndpoint, res.ClientDocuments}); err != nil {
			return nil, err
		}
		if config.PoolClients {
			res.pool = newPoolMetadata(res)
		}
	}
	res.metadata, err = json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{res.URL, res.AuthorizationServers, res.Scopes, []string{"header"}, res.Name, res.Documentation})
	return res, err
}

// MetadataURL is where clients find the metadata of the resource.
func (res *Resource) MetadataURL() string { return res.origin + res.MetadataPath() }

// MetadataPath is the path of MetadataURL: the well-known one with that of the resource
// behind (RFC 9728, section 3.1). A host with one resource alone serves the metadata at
// [RootMetadataPath] too.
func (res *Resource) MetadataPath() string { return wellKnown + res.wellKnownTail() }

func (res *Resource) wellKnownTail() string { return strings.TrimSuffix(res.path, "/") }

// RootMetadataPath is where clients look for the metadata of the one resource of a host.
const RootMetadataPath = wellKnown

// parseURL accepts https, and http on this machine, in the form that browsers give it.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(raw, "\"\\ #"):
		return nil, fmt.Errorf("%q is not a URL such as https://app.example.com/mcp", raw)
	case u.Host != strings.ToLower(u.Host):
		return nil, fmt.Errorf("%q has a host in upper case, which clients compare as it is", raw)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("%q does not begin with https: plain http is only for this machine", raw)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// checkScopes refuses what no scope can be (RFC 6749, section 3.3).
func checkScopes(field string, scopes []string) error {
	for _, s := range scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return fmt.Errorf("%s: %q is not a scope", field, s)
		}
	}
	return nil
}

// Metadata answers with the metadata of the resource, to anybody.
func (res *Resource) Metadata() http.Handler { return document(res.metadata) }

func document(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*") // it is public
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Accept, Content-Type, Mcp-Protocol-Version")
			h.Set("Access-Control-Max-Age", preflightAge)
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(append(slices.Clip(text), '\n'))
	})
}

// Mount serves an MCP server at the resource's path, behind its guard, and the metadata at
// both places: for a mux with one resource.
func (res *Resource) Mount(mux *http.ServeMux, auth *codegrant.Auth, server http.Handler, permissions ...codegrant.Permission) {
	guarded := res.Require(auth, permissions...)(server)
	path := res.path
	if path == "" {
		path = "/"
	}
	mux.Handle(path, guarded)
	mux.Handle(RootMetadataPath, res.Metadata())
	if own := res.MetadataPath(); own != RootMetadataPath {
		mux.Handle(own, res.Metadata())
	}
	if server := res.ServerMetadata(); server != nil {
		mux.Handle(res.ServerMetadataPath(), server)
	}
}
