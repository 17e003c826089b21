//go:build linux

package main

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestSoak is a soak of a minute. CODEGRANT_TEST_SOAK=60m has it go on for an hour.
func TestSoak(t *testing.T) {
	testenv.RedisServer(t)
	testenv.PostgresBin(t)
	length := os.Getenv("CODEGRANT_TEST_SOAK")
	if length == "" {
		length = "60s"
	}
	var out strings.Builder
	err := soak(t.Context(), flag.NewFlagSet("soak", flag.ContinueOnError), []string{"-duration", length, "-wrong", filepath.Join(t.TempDir(), "wrong")}, &out)
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}

// TestTheModelSeesIt has the model look at answers that must not be.
func TestTheModelSeesIt(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		body    string
		do      func(*soakPerson)
		window  bool // a fault is under way
		isWrong bool
	}{
		"as it should be":                {200, "person00", func(p *soakPerson) { p.ask(t.Context()) }, false, false},
		"another person":                 {200, "person01", func(p *soakPerson) { p.ask(t.Context()) }, false, true},
		"another person, within a fault": {200, "person01", func(p *soakPerson) { p.ask(t.Context()) }, true, true},
		"a lost session":                 {401, "", func(p *soakPerson) { p.ask(t.Context()) }, false, true},
		"a lost session, within a fault": {401, "", func(p *soakPerson) { p.ask(t.Context()) }, true, true},
		"a fault of nobody's":            {503, "", func(p *soakPerson) { p.ask(t.Context()) }, false, true},
		"a fault within one":             {503, "", func(p *soakPerson) { p.ask(t.Context()) }, true, false},
		"a stream cut off":               {200, "person00\n", func(p *soakPerson) { p.stream(t.Context()) }, false, true},
		"a stream of another person":     {200, strings.Repeat("person01\n", streamTicks), func(p *soakPerson) { p.stream(t.Context()) }, true, true},
		"a session that is back":         {200, "person00", func(p *soakPerson) { p.cameBack(t.Context(), deadSession{}) }, true, true},
		"a session that is not back":     {401, "", func(p *soakPerson) { p.cameBack(t.Context(), deadSession{}) }, false, false},
		"a copy that does not know yet":  {200, "person00", func(p *soakPerson) { p.cameBack(t.Context(), deadSession{since: time.Now()}) }, false, false},
		"no answer, after a wait for whoever was killed": {503, "", func(p *soakPerson) {
			p.w.faults.rekey = time.Time{}
			p.judge("requests", time.Now().Add(-15*time.Second), http.StatusServiceUnavailable, nil, nil)
		}, false, true},
		"a sign-out that is not taken":        {503, "", func(p *soakPerson) { p.signOut(t.Context()) }, false, true},
		"a sign-out that a fault came across": {503, "", func(p *soakPerson) { p.signOut(t.Context()) }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			w := &soakWorld{url: server.URL}
			if tt.window {
				w.faults.begin()
			}
			w.faults.rekeyed() // before any of it
			p := &soakPerson{w: w, t: &tally{counts: make(map[string]int)}, name: "person00", signedIn: true, browser: codegranttest.NewBrowser(t)}
			tt.do(p)
			if got := len(p.t.faults) > 0; got != tt.isWrong {
				t.Errorf("wrong: %v, want %v: %v", got, tt.isWrong, p.t.faults)
			}
		})
	}
}
