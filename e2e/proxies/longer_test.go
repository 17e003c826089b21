package proxies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// Scenarios that need more than a request.

// many are groups whose names are of n characters each, and no two alike for long.
func many(count, n int) []string {
	var groups []string
	for i := range count {
		groups = append(groups, fmt.Sprintf("g%03d-%s", i, strings.Repeat("abcdefgh", n/8))[:n])
	}
	return groups
}

func manyGroups(w *world, c client) (string, error) {
	if w.erin == "" {
		w.pool.AddUser("erin", "erin@example.com", many(100, 128)...)
		cookies, page := w.signIn("erin@example.com", "/")
		if page.Status != http.StatusOK {
			return "", fmt.Errorf("the sign-in ended at %s with %d: %.200s", page.URL, page.Status, page.Body)
		}
		w.erin = cookies
	}
	_, got, saw, err := w.try(c, w.erin, get("/orders"))
	if err != nil || !saw {
		return "", fmt.Errorf("erin does not pass: %w", err)
	}
	if groups := got.Header.Get("X-Auth-Groups"); len(groups) < 3500 || !strings.HasPrefix(groups, many(1, 128)[0]) {
		return "", fmt.Errorf("of her groups, the application saw %d bytes", len(groups))
	}
	return yes, nil
}

func bodies(w *world, _ client) (string, error) {
	r := request{method: http.MethodPost, path: "/orders", body: strings.Repeat("0123456789abcdef", 8<<20/16)}
	a, got, saw, err := w.try(w.clients[0], w.alice, r)
	if err != nil || !saw || got.Body != len(r.body) {
		return "", fmt.Errorf("the application saw %d bytes, the client %d: %w", got.Body, a.status, err)
	}
	return yes, nil
}

// refresh signs somebody in for five seconds, so that the next request but a few is
// refreshed in passing.
func refresh(w *world, _ client) (string, error) {
	id := w.pool.ClientID
	if err := w.pool.SetTokenValidity(id, 5*time.Second); err != nil {
		return "", err
	}
	defer func() { _ = w.pool.SetTokenValidity(id, time.Hour) }()
	groups := append(many(60, 128), "analysts")
	w.pool.AddUser("carol", "carol@example.com", groups...)
	b := w.browser()
	b.SignIn(w.url("/orders"), "carol@example.com", codegranttest.Password)
	if err := w.pool.RemoveFromGroup(w.pool.PoolID, "carol", "g000-"+strings.Repeat("abcdefgh", 16)[:123]); err != nil {
		return "", err
	}
	before := w.cookies(b)
	if n := strings.Count(before, "codegrant"); n < 2 {
		return "", fmt.Errorf("her session is in %d cookies, and it was to be in several", n)
	}
	var fault error
	renewed := make(map[string]bool)
	eventually(w.t, "a refresh", func() bool {
		r, err := b.Client.Get(w.url("/orders"))
		if err != nil {
			fault = err
			return true
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			fault = fmt.Errorf("while refreshing: %d", r.StatusCode)
			return true
		}
		var got seen
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			fault = err
			return true
		}
		theirs := 0
		for _, line := range r.Header["Set-Cookie"] {
			cookie, err := http.ParseSetCookie(line)
			switch {
			case err != nil || strings.Contains(cookie.Value, ","):
				fault = errors.Join(fault, fmt.Errorf("a cookie that is none: %.100q", line))
			case cookie.Name == "theirs" || cookie.Name == "also":
				theirs++
			case strings.Contains(cookie.Name, "codegrant"):
				renewed[cookie.Name] = true
			}
		}
		if theirs != 2 {
			fault = errors.Join(fault, fmt.Errorf("the browser got %d of the application's 2 cookies", theirs))
		}
		if len(renewed) == 0 {
			return fault != nil
		}
		if strings.Contains(got.Header.Get("X-Auth-Groups"), "g000-") {
			fault = errors.Join(fault, errors.New("the application saw a group of before"))
		}
		if cache := strings.Join(r.Header["Cache-Control"], ", "); !strings.Contains(cache, "no-store") {
			fault = errors.Join(fault, fmt.Errorf("an answer with cookies is for caches: %q", cache))
		}
		return true
	})
	if fault != nil {
		return "", fault
	}
	if len(renewed) < 2 {
		return "", fmt.Errorf("the browser got %v", renewed)
	}
	// What came is a session.
	if r, err := b.Client.Get(w.url("/orders")); err != nil || r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("after the refresh: %w", err)
	}
	return yes, nil
}

func address(w *world, _ client) (string, error) {
	c := &http1{a: w.addresses, from: "127.0.0.9"}
	a, _, _, err := w.try(c, w.dave, get("/reports/from-afar").with("X-Forwarded-For", "203.0.113.7"))
	if err != nil || a.status != http.StatusForbidden {
		return "", fmt.Errorf("%d, %w", a.status, err)
	}
	said := ""
	eventually(w.t, "a line in the log", func() bool {
		for line := range strings.Lines(w.log.String()) {
			if strings.Contains(line, "request refused") && strings.Contains(line, "from-afar") {
				said = line
			}
		}
		return said != ""
	})
	if !strings.Contains(said, "from=127.0.0.9") {
		return "", fmt.Errorf("the log says %s", said)
	}
	return yes, nil
}

// hangs measures how long a proxy waits for the gateway.
func hangs(w *world, _ client) (string, error) {
	if !w.asks {
		return "–", nil // the gateway is the application
	}
	resume := w.suspend()
	defer resume()
	start := time.Now()
	a, _, saw, err := w.try(&http1{a: w.addresses}, "", get("/public/x"))
	took := time.Since(start)
	if saw || err == nil && a.status < 500 {
		return "", fmt.Errorf("passed with %d", a.status)
	}
	for _, limit := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute} {
		if took < limit-time.Second {
			return "", fmt.Errorf("%d after %s, %w", a.status, took, err)
		}
		if took < limit+9*time.Second {
			return fmt.Sprintf("%d s", int(limit.Seconds())), nil
		}
	}
	return "", fmt.Errorf("%d after %s, %w", a.status, took, err)
}

func gone(w *world, _ client) (string, error) {
	if w.alone {
		return "–", nil
	}
	w.stop()
	for _, path := range []string{"/public/x", "/orders", "/reports/q3", "/auth/user"} {
		a, _, saw, err := w.try(w.clients[0], w.alice, get(path))
		if saw || err == nil && a.status < 500 {
			return "", fmt.Errorf("%s: %d", path, a.status)
		}
	}
	return yes, nil
}

// accessToken is one of alice's, which a client of its own has got.
func (w *world) accessToken() (string, error) {
	var client localpool.Client
	for _, c := range w.pool.Clients() {
		if c.ID == w.pool.ClientID {
			client = c
		}
	}
	b := w.browser()
	var code string
	b.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if c := r.URL.Query().Get("code"); c != "" {
			code = c
			return http.ErrUseLastResponse
		}
		return nil
	}
	callback := w.url("/auth/callback")
	b.SignIn(w.pool.URL+"/oauth2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {callback}, "scope": {"openid email profile"},
	}.Encode(), "alice@example.com", codegranttest.Password)
	response, err := http.PostForm(w.pool.URL+"/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "client_id": {client.ID}, "client_secret": {client.Secret},
	})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		return "", fmt.Errorf("no access token: %w, status %d", err, response.StatusCode)
	}
	return tokens.AccessToken, nil
}
