package broker

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// request is what a client asks for, once it is known to be one.
type request struct {
	Client    string   `json:"client"`
	Redirect  string   `json:"redirect"`
	State     string   `json:"state,omitempty"`
	Challenge string   `json:"challenge"`
	Resource  string   `json:"resource"`
	Scopes    []string `json:"scopes"`

	client client
}

const maxState = 4 << 10

// asked reads an authorization request. With redirect set, the fault is for the client
// there; otherwise it is for the person, and nobody is sent anywhere.
func (b *Broker) asked(ctx context.Context, raw string, fetch *http.Request) (q request, err error, redirect bool) {
	values, f := parameters(raw)
	if f != nil {
		return q, f, false
	}
	q.Client = values.Get("client_id")
	if isDocument(q.Client) && fetch == nil {
		return q, nil, false // it is asked for when the person is known
	}
	if q.client, err = b.clientOf(ctx, q.Client, fetch); err != nil {
		return q, err, false
	}
	if q.Redirect, f = b.redirectOf(q.client, values.Get("redirect_uri")); f != nil {
		return q, f, false
	}
	q.State = values.Get("state")
	if len(q.State) > maxState {
		q.State = ""
		return q, faulty("invalid_request", "state is too long"), true
	}
	if f := b.wanted(&q, values); f != nil {
		return q, f, true
	}
	return q, nil, true
}

// wanted reads what the client wants.
func (b *Broker) wanted(q *request, values url.Values) *fault {
	q.Challenge = values.Get("code_challenge")
	switch {
	case values.Has("request"):
		return faulty("request_not_supported", "send the parameters as they are")
	case values.Has("request_uri"):
		return faulty("request_uri_not_supported", "send the parameters as they are")
	case values.Get("response_type") != "code":
		return faulty("unsupported_response_type", "response_type must be code")
	case values.Has("response_mode") && values.Get("response_mode") != "query":
		return faulty("invalid_request", "response_mode must be query")
	case values.Get("code_challenge_method") != "S256" || !isDigest(q.Challenge):
		return faulty("invalid_request", "PKCE is required: code_challenge, and code_challenge_method=S256")
	case slices.Contains(strings.Fields(values.Get("prompt")), "none"):
		return faulty("consent_required", "people are asked each time")
	}
	resource, f := b.resourceOf(values)
	if f != nil {
		return f
	}
	q.Resource = resource.URL
	if !values.Has("scope") || strings.TrimSpace(values.Get("scope")) == "" {
		q.Scopes = resource.Default
		return nil
	}
	q.Scopes = []string{}
	for s := range strings.FieldsSeq(values.Get("scope")) {
		if slices.Contains(resource.Scopes, s) && !slices.Contains(q.Scopes, s) {
			q.Scopes = append(q.Scopes, s)
		}
	}
	if len(q.Scopes) == 0 && len(resource.Scopes) > 0 {
		return faulty("invalid_scope", "none of the scopes is one of the resource's")
	}
	return nil
}

// resourceOf is what a token is asked for (RFC 8707): where there is one alone, it need not
// be named.
func (b *Broker) resourceOf(values url.Values) (Resource, *fault) {
	if !values.Has("resource") && len(b.Config.Resources) == 1 {
		return b.resources[b.Config.Resources[0].URL], nil
	}
	for _, name := range [...]string{values.Get("resource"), canonical(values.Get("resource"))} {
		if r, ok := b.resources[name]; ok {
			return r, nil
		}
	}
	return Resource{}, faulty("invalid_target", "this service gives no tokens for this resource")
}

// isSame reports whether a client means the resource.
func isSame(asked, resource string) bool { return asked == resource || canonical(asked) == resource }

// canonical writes a URL as resources are written: libraries give the one of a whole host a
// slash, and people write hosts in upper case (RFC 3986, section 6.2). A path is compared as
// it is.
func canonical(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#") {
		return raw
	}
	path := u.EscapedPath()
	if path == "/" {
		path = ""
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + path
}

// isDigest knows SHA-256 in base64url.
func isDigest(s string) bool {
	return len(s) == 43 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// authorize has the person sign in, and asks them. What is wrong without them is said
// before.
func (b *Broker) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	q, err, redirect := b.asked(r.Context(), r.URL.RawQuery, nil)
	if err != nil {
		b.turnBack(w, r, q, err, redirect)
		return
	}
	b.Auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := b.inPerson(w, r)
		if !ok {
			return
		}
		q, err, redirect := b.asked(r.Context(), r.URL.RawQuery, r)
		if err != nil {
			b.turnBack(w, r, q, err, redirect)
			return
		}
		b.ask(w, r, q, id)
	})).ServeHTTP(w, r)
}

// turnBack tells the client, where it is one, or else the person.
func (b *Broker) turnBack(w http.ResponseWriter, r *http.Request, q request, err error, redirect bool) {
	f, ok := err.(*fault)
	if !redirect || !ok {
		b.tellPerson(w, r, err)
		return
	}
	b.Logger.LogAttrs(r.Context(), slog.LevelWarn, "request refused", slog.String("path", r.URL.Path), slog.String("client", shown(q.Client)), slog.String("reason", f.Error()))
	values := url.Values{"error": {f.code}, "error_description": {f.text}}
	if q.State != "" {
		values.Set("state", q.State)
	}
	b.goTo(w, q.Redirect, values)
}

// inPerson reports whether somebody is here with a session of their own: a token agrees to
// nothing.
func (b *Broker) inPerson(w http.ResponseWriter, r *http.Request) (*codegrant.Identity, bool) {
	id, ok := codegrant.From(r.Context())
	if !ok || id.Method != codegrant.MethodSession || id.SessionID() == "" || id.Actor != nil {
		b.tellPerson(w, r, faulty("access_denied", "Sign in with a browser: a program cannot agree in the name of a person."))
		return nil, false
	}
	return id, true
}
