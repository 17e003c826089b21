package settings

import (
	"strings"
	"testing"
)

// TestUpstreamOAuth: a server of others is a few lines, and what is wrong with it is said at
// its line.
func TestUpstreamOAuth(t *testing.T) {
	const (
		up  = "upstream: \"http://127.0.0.1:1\""
		top = "upstream_oauth: {github: {authorize_url: \"https://github.com/login/oauth/authorize\", token_url: \"https://github.com/login/oauth/access_token\", client_id: c1}}\n"
	)
	s := load(t, write(t, ruledPool+"  - {path: /repos, "+up+", upstream_oauth: github}\n  - {path: /, "+up+"}\n"+top, nil), nil)
	if len(s.Upstreams) != 1 || s.Upstreams[0].Name != "github" || s.Upstreams[0].PoolName != "customers" || s.UpstreamOf[0] != "github" || s.UpstreamOf[1] != "" {
		t.Errorf("%+v, %q", s.Upstreams, s.UpstreamOf)
	}
	for more, want := range map[string]string{
		"  - {path: /a, " + up + ", upstream_oauth: gitlab}\n" + top:                                                        ":5: routes[0].upstream_oauth: there is no \"gitlab\"",
		"  - {path: /a, upstream_oauth: github}\n" + top:                                                                    ":5: routes[0].upstream_oauth: the route has no upstream",
		"  - {path: /a, " + up + ", public: true, upstream_oauth: github}\n" + top:                                          ":5: routes[0].upstream_oauth: the route is public",
		"  - {path: /a, " + up + ", pass_access_token: true, upstream_oauth: github}\n" + top:                               ":5: routes[0].upstream_oauth: the upstream would get two tokens",
		"  - {path: /a, " + up + "}\n" + strings.Replace(top, "https://github.com/login/oauth/a", "http://github.com/a", 1): ":6: upstream_oauth.github: AuthorizeURL:",
		"  - {path: /a, " + up + "}\n" + strings.Replace(top, "client_id: c1", "pool: nobody", 1):                           ":6: upstream_oauth.github.pool: there is no pool",
		"  - {path: /a, " + up + "}\n" + strings.Replace(top, "github:", "GitHub:", 1):                                      ":6: upstream_oauth.GitHub: Name:",
	} {
		if got := faultsOf(t, ruledPool+more); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
}
