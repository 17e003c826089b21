package proxies

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A scenario is a row of the table in docs/gateway.md.
type scenario struct {
	name string
	// run tries it over one version of HTTP. It returns what the table says, or an error.
	run func(w *world, c client) (string, error)
	// once: the version makes no difference.
	once bool
	// waits: time passes from here on, and little else.
	waits bool
}

const yes = "yes"

// identity is what the gateway says of somebody, by folded name.
var identity = []string{"x-auth-subject", "x-auth-username", "x-auth-email", "x-auth-name", "x-auth-groups", "x-auth-scopes", "x-auth-user-id", "x-auth-issuer", "x-auth-acr", "x-auth-amr", "x-auth-time", "x-auth-actor", "x-auth-machine", "x-auth-organization", "x-auth-organization-role", "x-auth-assertion"}

// separators are the characters of a header's name that are no letters and no digits.
const separators = "-_.'~!#$%&*+^`|"

// others name where a request came from, what it was, or who sent it.
var others = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Port", "X-Forwarded-Prefix",
	"X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url",
	"X-Real-Ip", "X-Client-Ip", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "Remote-User",
	"Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Addr", "Auth-User", "X-Remote-User", "X-Remote-Ip", "X-Remote-Addr", "X-Forwarded",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Forwarded-Client-Cert", "X-Forwarded-Path", "Forwarded-For", "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups",
	"X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token", "X-Webauth-User", "X-Authenticated-User", "X-Consumer-Username", "X-Userinfo",
	"X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Mtls-Clientcert", "X-Goog-Authenticated-User-Email",
	"X-Goog-Iap-Jwt-Assertion", "Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email", "X-Ms-Client-Principal", "X-Ms-Client-Principal-Name",
	"X-Ms-Client-Principal-Id", "Tailscale-User-Login", "Client-Cert", "X-Client-Cert", "X-Client-Dn", "X-Client-Verify", "X-Ssl-Client-Cert",
	"X-Ssl-Client-Verify", "X-Ssl-Client-S-Dn", "Ssl-Client-Cert", "Ssl-Client-Verify", "Client-Ip", "True-Client-Ip", "X-Cluster-Client-Ip",
	"Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Originating-Ip", "X-Host", "X-Http-Host-Override", "X-Script-Name", "X-Url-Scheme", "X-Scheme",
	"Front-End-Https", "Proxy", "Request-Uri", "X-Http-Path-Override", "X-Http-Destinationurl", "X-Proxy-Url", "X-Original-Forwarded-For",
	"X-Envoy-Original-Path",
}

func scenarios() []scenario {
	return []scenario{
		{"a sign-in ends at the page asked for", signIn, true, false},
		{"the application gets the identity, and empty headers if nobody is signed in", whoIsAsking, false, false},
		{"identity headers of a client in any spelling do nothing", spellings, false, false},
		{"repeated or folded identity headers have no effect", lines, false, false},
		{"nor as trailers", trailers, false, false},
		{"`Connection` takes no header away", connection, false, false},
		{"what a client says of its address, or of another request, does nothing", claims, false, false},
		{"an upgrade to another protocol than WebSocket does not pass", upgrades, false, false},
		{"a WebSocket of the site's own pages passes", ownWebSocket, true, false},
		{"a WebSocket of another origin does not", foreignWebSocket, true, false},
		{"a path in disguise opens nothing", disguises, false, false},
		{"the application sees its own cookies, and none of the gateway's", cookies, false, false},
		{"the application does not see the token that proved who is asking", bearer, false, false},
		{"who may not pass gets the gateway's answer", refusals, false, false},
		{"100 groups of 128 characters, in a session of several cookies, pass", manyGroups, false, false},
		{"a body of 8 MB passes as it is", bodies, true, false},
		{"a refresh takes a group away, and all of its cookies reach the browser", refresh, true, true},
		{"the log knows the client's address", address, true, false},
		{"a gateway that hangs lets nobody pass; the proxy gives up after", hangs, true, true},
		{"without the gateway, nobody passes", gone, true, false},
	}
}

// says checks what an application that folds names reads about somebody.
func (s seen) says(want map[string]string) error {
	all := s.folded()
	for _, name := range identity {
		switch values := all[name]; {
		case len(values) > 1:
			return fmt.Errorf("the application saw %s %d times: %.200q", name, len(values), values)
		case strings.Join(values, "") != want[name]:
			return fmt.Errorf("the application saw %s: %.200q, want %.200q", name, values, want[name])
		}
	}
	return nil
}

// claimed: no header that an application reads has a word of a client's.
func (s seen) claimed(word string) error {
	for name, values := range s.folded() {
		if strings.Contains(strings.Join(values, " "), word) {
			return fmt.Errorf("the application saw %s: %.200q", name, values)
		}
	}
	return nil
}

// people are nobody on a public page, and somebody without groups.
func (w *world) people() map[string]string { return map[string]string{"nobody": "", "dave": w.dave} }

// truth is what the gateway says of them.
func (w *world) truth(cookies string) (map[string]string, error) {
	if want := w.truths[cookies]; want != nil {
		return want, nil
	}
	_, got, saw, err := w.try(w.clients[0], cookies, get("/public/x"))
	if err != nil || !saw {
		return nil, fmt.Errorf("a plain request did not pass: %w", err)
	}
	want := make(map[string]string)
	for name, values := range got.folded() {
		want[name] = strings.Join(values, "|")
	}
	if (want["x-auth-subject"] == "") != (cookies == "") {
		return nil, fmt.Errorf("a plain request was of %q", want["x-auth-subject"])
	}
	w.truths[cookies] = want
	return want, nil
}

// harmless sends a request of each of people. It may be refused; where it passes, the
// application saw what the gateway said.
func (w *world) harmless(c client, what string, r request, further func(seen) error) error {
	for who, cookies := range w.people() {
		want, err := w.truth(cookies)
		if err != nil {
			return err
		}
		_, got, saw, err := w.try(c, cookies, r)
		if err != nil && !errors.Is(err, errRefused) {
			return fmt.Errorf("%s, %s: %w", what, who, err)
		}
		if !saw {
			continue
		}
		if err := got.says(want); err != nil {
			return fmt.Errorf("%s, %s: %w", what, who, err)
		}
		if further != nil {
			if err := further(got); err != nil {
				return fmt.Errorf("%s, %s: %w", what, who, err)
			}
		}
	}
	return nil
}

func signIn(w *world, _ client) (string, error) {
	_, page := w.signIn("alice@example.com", "/reports/q3?year=2026")
	if page.Status != http.StatusOK || page.URL.String() != w.url("/reports/q3?year=2026") {
		return "", fmt.Errorf("the sign-in ended at %s with %d", page.URL, page.Status)
	}
	return yes, nil
}

func whoIsAsking(w *world, c client) (string, error) {
	_, got, saw, err := w.try(c, w.alice, get("/reports/q3?y=1"))
	if err != nil || !saw {
		return "", fmt.Errorf("alice does not pass: %w", err)
	}
	all := got.folded()
	if all["x-auth-email"][0] != "alice@example.com" || all["x-auth-groups"][0] != "admins,analysts" || all["x-auth-username"][0] != "alice" || !strings.HasPrefix(got.Target, "/reports/q3?y=1&") {
		return "", fmt.Errorf("of alice, the application saw %s %v", got.Target, got.Header)
	}
	_, got, saw, err = w.try(c, "", get("/public/x"))
	if err != nil || !saw {
		return "", fmt.Errorf("nobody does not pass to a public page: %w", err)
	}
	return yes, got.says(nil)
}

func spellings(w *world, c client) (string, error) {
	for _, separator := range separators {
		r := get("/public/x")
		for _, name := range identity {
			parts := strings.Split(name, "-")
			s := string(separator)
			r = r.with(strings.Join(parts, s), "admins", parts[0]+"-"+strings.Join(parts[1:], s), "admins", parts[0]+s+strings.Join(parts[1:], "-"), "admins",
				strings.ToUpper(parts[0]+s+parts[1])+s+strings.Join(parts[2:], s), "admins")
		}
		if err := w.harmless(c, fmt.Sprintf("with %q", separator), r, nil); err != nil {
			return "", err
		}
	}
	return yes, nil
}

func lines(w *world, c client) (string, error) {
	var faults []error
	faults = append(faults,
		w.harmless(c, "repeated", get("/public/x").with("X-Auth-Groups", "", "X-Auth-Groups", "admins", "x-auth-groups", "admins"), nil),
		w.harmless(c, "as a list", get("/public/x").with("X-Auth-Groups", "a, admins", "X-Auth-Subject", "1"), nil))
	if c.name() == "HTTP/1.1" {
		for what, raw := range map[string]string{
			"continued": "X-Other: a\r\n X-Auth-Groups: admins\r\n", "with a blank before the colon": "X-Auth-Groups : admins\r\n",
			"after a bare line feed": "X-Other: a\nX-Auth-Groups: admins\r\n", "after a bare carriage return": "X-Other: a\rX-Auth-Groups: admins\r\n",
			"continued with a tab": "X-Other: a\r\n\tX-Auth-Groups: admins\r\n", "with its value in the next line": "X-Auth-Groups:\r\n admins\r\n",
			"as a part of the host": " X-Auth-Groups: admins\r\n", "with another host": "Host: evil.example\r\nX-Auth-Groups: admins\r\n",
			"with a NUL": "X-Auth-Groups: \x00admins\r\nX-Auth\x00-Groups: admins\r\n", "without a name": ": admins\r\nX-Auth-Groups: admins\r\n",
		} {
			r := get("/public/x")
			r.raw = raw
			faults = append(faults, w.harmless(c, what, r, nil))
		}
		faults = append(faults, hidden(w, c))
	}
	return yes, errors.Join(faults...)
}

// hidden requests stand where some servers see the body of the one before: whoever the
// next server takes them for, the gateway has been asked about them.
func hidden(w *world, c client) error {
	for _, lengths := range []string{
		"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", "Content-Length: 5\r\nContent-Length: %d\r\n",
		"Content-Length: %d\r\nTransfer-Encoding : chunked\r\n", "Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n", "Content-Length: %d\r\nTransfer_Encoding: chunked\r\n",
		"Content-Length: %d\r\nTransfer-Encoding: identity, chunked\r\n", "Content-Length: %d\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Content-Length: +%d\r\n", "Content-Length: 5, %d\r\n", "Content_Length: %d\r\n", "Content-Length:\r\n %d\r\n",
	} {
		probe := fmt.Sprintf("hidden-%d", w.probes.Add(1))
		body := "0\r\n\r\nGET /reports/q3?probe=" + probe + " HTTP/1.1\r\nHost: localhost\r\nX-Auth-Subject: 1\r\nX-Auth-Groups: admins\r\n"
		for _, length := range []int{5, len(body) + 2} {
			r := request{method: http.MethodPost, path: "/public/x", raw: fmt.Sprintf(lengths, length) + "\r\n" + body}
			if _, _, _, err := w.try(c, "", r); err != nil && !errors.Is(err, errRefused) {
				return fmt.Errorf("%q: %w", lengths, err)
			}
			if got, saw := w.app.saw(probe); saw {
				return fmt.Errorf("%q: the application saw the hidden request, with %v", lengths, got.Header)
			}
		}
	}
	return nil
}

func trailers(w *world, c client) (string, error) {
	r := request{method: http.MethodPost, path: "/public/x", body: "body"}
	for _, name := range []string{"X-Auth-Groups", "X_Auth_Groups", "X-Auth-Subject"} {
		r.trailer = append(r.trailer, [2]string{name, "admins"})
	}
	err := w.harmless(c, "trailers", r, nil)
	if err == nil || !w.trailers {
		return yes, err
	}
	for who, cookies := range w.people() { // headers are right all the same
		want, err := w.truth(cookies)
		if err != nil {
			return "", err
		}
		_, got, saw, err := w.try(c, cookies, r)
		if err != nil {
			return "", err
		}
		if got.Trailer = nil; saw {
			if err := got.says(want); err != nil {
				return "", fmt.Errorf("trailers, %s: %w", who, err)
			}
		}
	}
	return "no", nil
}

func connection(w *world, c client) (string, error) {
	names := make([]string, len(identity))
	for i, name := range identity {
		names[i] = http.CanonicalHeaderKey(name)
	}
	for what, value := range map[string]string{
		"all": "close, " + strings.Join(names, ", "), "one": "X-Auth-Subject", "after keep-alive": "keep-alive, x-auth-username, x-auth-groups",
		"in capitals": strings.ToUpper(strings.Join(names, ",")), "as an upgrade": "Upgrade, X-Auth-Groups",
	} {
		for _, name := range []string{"Connection", "Proxy-Connection", "Keep-Alive"} {
			if err := w.harmless(c, name+" lists "+what, get("/public/x").with(name, value), nil); err != nil {
				return "", err
			}
		}
	}
	// What the question is made of cannot be taken away either.
	a, _, saw, err := w.try(c, w.dave, get("/reports/q3").with("Connection", "X-Original-Url, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host"))
	if saw || err == nil && a.status < 400 {
		return "", fmt.Errorf("dave passed with %d", a.status)
	}
	return yes, nil
}

func claims(w *world, c client) (string, error) {
	for _, separator := range "-_." {
		r := get("/public/x")
		for _, name := range others {
			r = r.with(strings.ReplaceAll(name, "-", string(separator)), "evil.example")
		}
		if err := w.harmless(c, fmt.Sprintf("with %q", separator), r, func(got seen) error { return got.claimed("evil") }); err != nil {
			return "", err
		}
	}
	for _, lie := range []request{
		get("/reports/q3").with("X-Original-Url", w.url("/public")), get("/reports/q3").with("X-Original-Url", "/public", "X-Original-Uri", "/public", "X-Rewrite-Url", "/public"),
		get("/reports/q3").with("X-Forwarded-Uri", "/public"), get("/reports/q3").with("X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public", "X-Forwarded-Host", "localhost"),
		get("/reports/q3").with("X-Original-Method", "GET", "X-Original-Url", w.url("/public"), "X-Forwarded-Uri", ""),
	} {
		a, _, saw, err := w.try(c, w.dave, lie)
		if saw || err == nil && a.status < 400 {
			return "", fmt.Errorf("dave passed with %d and %v", a.status, lie.header)
		}
	}
	return yes, nil
}

func upgrades(w *world, c client) (string, error) {
	for _, tokens := range [][]string{{"h2c"}, {"H2C"}, {"websocket, h2c"}, {"h2c, websocket"}, {"websocket", "h2c"}, {"h2c", "websocket"}, {"TLS/1.0"}, {"anything"}} {
		for _, method := range []string{"GET", "POST"} {
			for who, cookies := range w.people() {
				r := request{method: method, path: "/public/x"}.with("Connection", "Upgrade, HTTP2-Settings", "HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
				for _, token := range tokens {
					r = r.with("Upgrade", token)
				}
				a, got, saw, err := w.try(c, cookies, r)
				if err != nil && !errors.Is(err, errRefused) {
					return "", err
				}
				if a.close != nil {
					a.close()
				}
				if upgrade := got.Header["Upgrade"]; saw && len(upgrade) > 0 && !slices.Equal(upgrade, []string{"websocket"}) || saw && len(got.Header["Http2-Settings"]) > 0 {
					return "", fmt.Errorf("%s %v, %s: the application saw %v, the client %d", method, tokens, who, got.Header, a.status)
				}
			}
		}
	}
	return yes, nil
}

func handshake(origin string) request {
	return get("/socket").with("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", origin)
}

func ownWebSocket(w *world, _ client) (string, error) {
	a, _, saw, err := w.try(w.clients[0], w.alice, handshake(w.addresses.URL()))
	if err != nil || a.status != http.StatusSwitchingProtocols || !saw {
		return "", fmt.Errorf("the handshake ended with %d: %w", a.status, err)
	}
	defer a.close()
	return yes, echoes(a.tunnel)
}

func foreignWebSocket(w *world, _ client) (string, error) {
	a, _, saw, err := w.try(w.clients[0], w.alice, handshake("https://evil.example"))
	if err != nil || a.status != http.StatusForbidden || saw {
		return "", fmt.Errorf("the handshake ended with %d, and the application saw it: %t, %w", a.status, saw, err)
	}
	return yes, nil
}

func disguises(w *world, c client) (string, error) {
	paths := []string{
		"/reports/q3", "/public/%2e%2e/reports/q3", "/public/../reports/q3", "/public/..%2freports/q3", "//reports/q3", "/./reports/q3", "/reports%2fq3", "/%72eports/q3",
		"/public/..;/reports/q3", "/reports;x=1/q3", "/public/..%5creports", "/public/%252e%252e/reports/q3", "/public/.%2e/reports", "/public//../reports", "/%2freports",
		"/auth/../reports/q3", "/auth/%2e%2e/reports/q3", "/auth/..;/reports",
	}
	if c.name() == "HTTP/1.1" {
		paths = append(paths, w.url("/reports/q3"), `/public\..\reports`)
	}
	for _, p := range paths {
		_, got, saw, err := w.try(c, w.dave, get(p))
		if err != nil && !errors.Is(err, errRefused) {
			return "", fmt.Errorf("%s: %w", p, err)
		}
		if saw && below(got.Target, "/reports") {
			return "", fmt.Errorf("%s: the application saw %s", p, got.Target)
		}
	}
	return yes, nil
}

// below reports whether some application could read a target as a path below another.
func below(target, parent string) bool {
	read, _, _ := strings.Cut(target, "?")
	for range 3 {
		var parts []string
		for part := range strings.SplitSeq(strings.ReplaceAll(read, `\`, "/"), "/") {
			part, _, _ = strings.Cut(part, ";")
			parts = append(parts, part)
		}
		if clean := path.Clean("/" + strings.Join(parts, "/")); clean == parent || strings.HasPrefix(clean, parent+"/") {
			return true
		}
		next, err := url.PathUnescape(read)
		if err != nil {
			return false
		}
		read = next
	}
	return false
}

func cookies(w *world, c client) (string, error) {
	_, got, saw, err := w.try(c, "theirs=1; "+w.alice+"; also=2", get("/orders"))
	if err != nil || !saw {
		return "", fmt.Errorf("alice does not pass: %w", err)
	}
	if seen := strings.Join(got.folded()["cookie"], "; "); seen != "theirs=1; also=2" {
		return "", fmt.Errorf("the application saw the cookies %.200q", seen)
	}
	_, got, saw, err = w.try(c, w.alice, get("/orders"))
	if err != nil || !saw {
		return "", fmt.Errorf("alice does not pass: %w", err)
	}
	if seen := strings.Join(got.folded()["cookie"], "; "); seen != "" {
		return "", fmt.Errorf("the application saw the cookies %.200q", seen)
	}
	return yes, nil
}

func bearer(w *world, c client) (string, error) {
	if w.token == "" {
		token, err := w.accessToken()
		if err != nil {
			return "", err
		}
		w.token = token
	}
	_, got, saw, err := w.try(c, "", get("/reports/q3").with("Authorization", "Bearer "+w.token))
	if err != nil || !saw || got.Header.Get("X-Auth-Username") != "alice" {
		return "", fmt.Errorf("a bearer token does not pass: %v, %w", got.Header, err)
	}
	if seen := strings.Join(got.folded()["authorization"], ""); seen != "" {
		return "", fmt.Errorf("the application saw the token")
	}
	a, _, saw, err := w.try(c, "", get("/reports/q3").with("Authorization", "Bearer "+w.token+"x"))
	if err != nil || saw || a.status != http.StatusUnauthorized {
		return "", fmt.Errorf("a broken token: %d, %w", a.status, err)
	}
	return yes, nil
}

func refusals(w *world, c client) (string, error) {
	for _, tt := range []struct {
		what, cookies string
		r             request
		status        int
	}{
		{"nobody", "", get("/reports/q3"), 401}, {"nobody who posts", "", request{method: "POST", path: "/orders", body: "x"}, 401}, {"not in the group", w.dave, get("/reports/q3"), 403},
		{"nobody in a browser", "", get("/reports/q3?y=1").with("Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"), 302},
	} {
		a, _, saw, err := w.try(c, tt.cookies, tt.r)
		if err != nil || saw || a.status != tt.status {
			return "", fmt.Errorf("%s: %d, want %d, %w", tt.what, a.status, tt.status, err)
		}
		if a.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			return "", fmt.Errorf("%s: challenge %q", tt.what, a.header.Get("WWW-Authenticate"))
		}
		if a.status == 302 {
			u, err := url.Parse(a.header.Get("Location"))
			if err != nil || u.Path != "/auth/login" || u.Host != "" && u.Host != authority(w.addresses) {
				return "", fmt.Errorf("%s is sent to %q", tt.what, a.header.Get("Location"))
			}
		}
	}
	return yes, nil
}
