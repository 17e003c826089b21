package serve

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestSignOutAtPool: whoever signs out everywhere is signed out at the pool, where the
// configuration says so, and is told that they are not where it does not, or the pool says no.
func TestSignOutAtPool(t *testing.T) {
	const said = "The sign-in service could not be notified"
	for name, tt := range map[string]struct {
		more string
		gone bool // the person, at the pool
		told bool
	}{
		"not configured":   {"", false, false},
		"configured":       {"    sign_out_at_pool: true\n", false, true},
		"the pool says no": {"    sign_out_at_pool: true\n", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, tt.more+oneUpstream)
			g.start()
			alice := codegranttest.NewBrowser(t)
			alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
			if tt.gone {
				if err := g.pool.DeleteUser(g.pool.PoolID, "alice"); err != nil {
					t.Fatal(err)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/sessions", strings.NewReader(url.Values{"end": {"everywhere"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			response, err := alice.Client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			body := string(text)
			if strings.Contains(body, said) == tt.told || !strings.Contains(body, "You are signed out") {
				t.Errorf("the page says: %s", body)
			}
			if tt.gone {
				g.logged("refresh tokens not revoked")
			}
			g.logged("signed out everywhere", map[bool]string{true: `"pool_told":true`, false: `"pool_told":false`}[tt.told])
		})
	}
}
