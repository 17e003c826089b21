package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestCallbackIsAskedFor: a callback that the pool does not know is told of, before anybody
// is shown the pool's page, and once it is registered, that too.
func TestCallbackIsAskedFor(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, "    prefix: /elsewhere\n"+oneUpstream+"ops_listen: "+address+"\n")
	g.start()
	g.logged("callback is not registered: nobody can sign in")
	g.until("the metric says so", func() bool {
		_, text := operations(t, address, "/metrics")
		return strings.Contains(text, `codegrant_callback_registered{pool="default"} 0`)
	})
	g.end()
}

// TestAPoolThatIsDownStaysSoInANewConfiguration: it stays told of, until the pool has
// answered again. Of another callback nothing is known.
func TestAPoolThatIsDownStaysSoInANewConfiguration(t *testing.T) {
	address := testenv.FreeAddress(t)
	more := oneUpstream + "keys_file: keys\nops_listen: " + address + "\n"
	g := newGate(t, more)
	g.writeFile("keys", newSealingKey())
	g.pool.Fault("authorize", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	g.start()
	checks := func() map[string]dependency {
		_, body := operations(t, address, "/readyz")
		var r report
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		found := make(map[string]dependency)
		for _, c := range r.Checks {
			found[c.Name] = c
		}
		return found
	}
	const signIns = "sign-ins at pool default"
	told := func() bool {
		c, there := checks()[signIns]
		return there && !c.OK
	}
	g.until("the pool is down", told)
	// From now on the pool does not say how it is.
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	g.pool.Fault("authorize", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	for _, next := range []struct {
		config  string
		replica bool
	}{
		{more + "database: sqlite:app.db\nreplica: true\n", true}, // other stores
		{"    sign_out_at_pool: true\n" + more, false},            // and another pool
	} {
		g.write(next.config)
		g.until("the configuration is in use", func() bool {
			_, there := checks()["replica"]
			return there == next.replica
		})
		if !told() {
			t.Errorf("with %q the fault is forgotten: %+v", next.config, checks())
		}
	}
	g.write("    prefix: /elsewhere\n" + more)
	g.until("nothing is known of another callback", func() bool {
		_, there := checks()[signIns]
		return !there
	})
}

// TestAskCallback: what pools say of a callback, and what says nothing.
func TestAskCallback(t *testing.T) {
	for _, tt := range []struct {
		name, location string
		status         int
		want           int64
		fails          bool
	}{
		{"on to the login page", "/login?client_id=c1", 302, callbackThere, false},
		{"back with a code", "https://app.example.com/auth/callback?code=x&state=y", 302, callbackThere, false},
		{"back with an error", "https://app.example.com/auth/callback?error=invalid_scope", 302, callbackThere, false},
		{"not registered", "/error?error=redirect_mismatch&client_id=c1", 302, callbackMissing, false},
		{"on to the only provider, by SAML", "https://idp.example.com/sso?SAMLRequest=x", 302, callbackThere, false},
		{"on to the only provider", "https://idp.example.com/authorize?redirect_uri={pool}%2Foauth2%2Fidpresponse", 302, callbackThere, false},
		{"on to its whole URL", "{pool}/login?client_id=c1", 302, callbackThere, false},
		{"an unknown client", "/error?error=invalid_request&client_id=c1", 302, callbackUnknown, true},
		{"a maintenance page elsewhere", "https://status.example.com/", 302, callbackUnknown, true},
		{"the same page elsewhere", "https://www.example.com/oauth2/authorize?redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback", 301, callbackUnknown, true},
		{"a fault", "", 503, callbackUnknown, true},
		{"it throttles", "", 429, callbackUnknown, true},
		{"there is no such domain", "", 400, callbackUnknown, true},
		{"a firewall refuses this machine", "", 403, callbackUnknown, true},
		{"not found", "", 404, callbackUnknown, true},
		{"a page of its own", "", 200, callbackUnknown, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("redirect_uri") != "https://app.example.com/auth/callback" {
					t.Errorf("asked %s", r.URL)
				}
				if tt.location != "" {
					w.Header().Set("Location", strings.ReplaceAll(tt.location, "{pool}", "http://"+r.Host))
				}
				w.WriteHeader(tt.status)
			}))
			defer pool.Close()
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			got, err := askCallback(t.Context(), client, pool.URL+"/oauth2/authorize", "c1", "https://app.example.com/auth/callback")
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %d, %v; want %d", got, err, tt.want)
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got, err := askCallback(ended, http.DefaultClient, "https://nowhere.invalid/oauth2/authorize", "c1", "x"); got != callbackUnknown || err == nil || strings.Contains(err.Error(), "client_id") {
		t.Errorf("out of reach: %d, %v", got, err)
	}
}

// TestPoolsAreNotAskedTooOften: ten processes that start at once stay below 100 requests in
// five minutes, whether the pool is well or not, and do not stay in step.
func TestPoolsAreNotAskedTooOften(t *testing.T) {
	for name, page := range map[string]*signInPage{"well": {}, "down": {io.EOF}} {
		synctest.Test(t, func(t *testing.T) {
			began, asked, ends := time.Now(), 0, make(map[time.Time]bool)
			for range 10 {
				a, at := askedPool{}, began
				for at.Sub(began) < 5*time.Minute {
					asked++
					a = a.again(page, 1)
					wait := time.Until(a.due)
					if name == "well" && (wait < 33*time.Second || wait > 51*time.Second) {
						t.Errorf("well, and asked again after %s", wait)
					}
					at = at.Add(wait)
				}
				ends[at] = true
			}
			if asked >= 100 || len(ends) < 5 {
				t.Errorf("%s: %d requests in five minutes, at %d times", name, asked, len(ends))
			}
		})
	}
	if first := (askedPool{}).again(&signInPage{io.EOF}, 1); time.Until(first.due) > askEvery+askEvery/5 {
		t.Errorf("down, and asked again after %s", time.Until(first.due))
	}
}

// TestS156_AClockThatIsOffIsNoticed, either way, by the time that a pool's answers name; once, until it is set.
func TestS156_AClockThatIsOffIsNoticed(t *testing.T) {
	var log strings.Builder
	p := newProcess(&settings.Settings{}, nil, slog.New(slog.NewTextHandler(&log, nil)), nil, nil)
	now := time.Now()
	offset := func(ahead time.Duration) float64 {
		t.Helper()
		pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat))
			fmt.Fprint(w, "{}")
		}))
		defer pool.Close()
		r, err := (&http.Client{Transport: timedPool{http.DefaultTransport, p.metrics.outside, "shop"}}).Get(pool.URL + "/oauth2/token")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		families, err := p.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "codegrant_clock_offset_seconds" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("there is no metric")
		return 0
	}
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		for range 2 {
			if got := offset(ahead); got < ahead.Seconds()-2-time.Since(now).Seconds() || got > ahead.Seconds()+2+time.Since(now).Seconds() {
				t.Errorf("%s ahead is %v s", ahead, got)
			}
		}
		if n := strings.Count(log.String(), "the clock is off: tokens are refused"); n != 1 {
			t.Errorf("%s ahead: the log says so %d times:\n%s", ahead, n, log.String())
		}
		if got := offset(0); got < -1 || got > 1+time.Since(now).Seconds() || !strings.Contains(log.String(), "agrees with the pool's again") {
			t.Errorf("set again: %v s\n%s", got, log.String())
		}
		log.Reset()
	}
}
