package proxies

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/quotas"
)

// TestS511_TheLargestPersonThroughProxies signs in, is whole at the application, in headers
// and in an assertion, is refreshed, and signs out, behind the newest of each proxy with the
// files that people copy. Who has more than can be told is refused, and the log says why.
func TestS511_TheLargestPersonThroughProxies(t *testing.T) {
	newest := make(map[string]proxytest.Proxy)
	for _, p := range proxytest.All() {
		newest[p.Example] = p // later ones are newer, or the only ones
	}
	for example, p := range newest {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			p.Require(t)
			largest(t, newWorldWith(t, &p, false, "", strings.NewReplacer("  - path: /\n", "  - path: /\n    assertion: true\n")))
		})
	}
}

// person is what the application is told of somebody.
type person struct {
	Subject  string   `json:"sub"`
	Username string   `json:"username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
}

func largest(t *testing.T, w *world) {
	const username = "erin"
	email := strings.Repeat("e", quotas.AttributeBytes-len("@example.com")) + "@example.com"
	groups := many(quotas.GroupsPerUser, quotas.GroupNameCharacters)
	for i := range 24 { // almost all that the gateway tells anybody, percent-encoded
		groups[i] = fmt.Sprintf("%03d", i) + strings.Repeat("é", quotas.GroupNameCharacters-3)
	}
	slices.Sort(groups)
	w.pool.AddUser(username, email, groups...)
	attributes := map[string]string{"name": strings.Repeat("é", quotas.AttributeBytes/2)}
	for _, name := range strings.Fields("given_name middle_name family_name nickname profile picture website gender birthdate zoneinfo locale address") {
		attributes[name] = strings.Repeat("<", quotas.AttributeBytes) // six bytes each in JSON
	}
	for i := range quotas.CustomAttributes {
		attributes[fmt.Sprintf("custom:%s%02d", strings.Repeat("x", 18), i)] = strings.Repeat("&", quotas.AttributeBytes)
	}
	if err := w.pool.SetAttributes(w.pool.PoolID, username, attributes); err != nil {
		t.Fatal(err)
	}
	want := person{Username: username, Email: email, Name: attributes["name"], Groups: groups}

	// Tokens of five seconds, so that one of the next requests is refreshed in passing.
	if err := w.pool.SetTokenValidity(w.pool.ClientID, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	if page := b.SignIn(w.url("/orders"), email, codegranttest.Password); page.Status != http.StatusOK {
		t.Fatalf("the sign-in ended at %s with %d: %.300s\n%s", page.URL, page.Status, page.Body, w.log)
	}
	if err := w.told(b, want); err != nil {
		t.Fatalf("signed in: %v\n%s", err, w.log)
	}
	if err := w.pool.RemoveFromGroup(w.pool.PoolID, username, groups[0]); err != nil {
		t.Fatal(err)
	}
	want.Groups = groups[1:]
	eventually(t, "a refresh", func() bool { return w.told(b, want) == nil })

	b.Open(w.url("/auth/logout"))
	if r, err := b.Client.Get(w.url("/orders")); err != nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("signed out: %v, %v", r, err)
	}

	// More than can be told: refused, and not cut.
	var wide []string
	for i := range quotas.GroupsPerUser {
		wide = append(wide, fmt.Sprintf("%03d", i)+strings.Repeat("組", quotas.GroupNameCharacters-3))
	}
	w.pool.AddUser("frank", "frank@example.com", wide...)
	if page := w.browser().SignIn(w.url("/orders"), "frank@example.com", codegranttest.Password); page.Status != http.StatusForbidden {
		t.Errorf("more than can be told: %d %.300s", page.Status, page.Body)
	}
	eventually(t, "a log line that says what to do", func() bool {
		log := w.log.String()
		return strings.Contains(log, "identity too large") && strings.Contains(log, "X-Auth-Groups") && strings.Contains(log, "send_groups")
	})
}

// told reports in what the application is told anything else of somebody.
func (w *world) told(b *codegranttest.Browser, want person) error {
	r, err := b.Client.Get(w.url("/orders"))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var got seen
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", r.StatusCode)
	}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		return err
	}
	text := func(header string) string {
		text, err := url.PathUnescape(got.Header.Get(header))
		if err != nil {
			return err.Error()
		}
		return text
	}
	heard := person{text("X-Auth-Subject"), text("X-Auth-Username"), text("X-Auth-Email"), text("X-Auth-Name"), strings.Split(text("X-Auth-Groups"), ",")}
	var signed person
	parts := strings.Split(got.Header.Get("X-Auth-Assertion"), ".")
	if len(parts) != 3 {
		return fmt.Errorf("the assertion is %.100q", parts)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, &signed); err != nil {
		return err
	}
	size := 0
	for name, values := range got.Header {
		if strings.HasPrefix(name, "X-Auth-") {
			size += len(strings.Join(values, ""))
		}
	}
	if size < 60<<10 {
		return fmt.Errorf("the headers have %d bytes", size)
	}
	want.Subject = heard.Subject
	for what, p := range map[string]person{"headers": heard, "assertion": signed} {
		slices.Sort(p.Groups)
		if p.Subject == "" || p.Subject != want.Subject || p.Username != want.Username || p.Email != want.Email || p.Name != want.Name || !slices.Equal(p.Groups, want.Groups) {
			return fmt.Errorf("the %s say %.300q of %.100q, with a name of %d bytes, an address of %d and %d groups", what, p.Username, p.Subject, len(p.Name), len(p.Email), len(p.Groups))
		}
	}
	return nil
}
