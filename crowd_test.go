package codegrant_test

import (
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// Anybody can begin sign-ins and finish them with invented codes. However many
// of those hang at the pool, they must leave room for people who are signed in.
func TestS147_SignInsLeaveRoomForRefreshes(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	good := answers(200, tokensFor(t, a, browser, nil))
	before := a.Calls(localpool.Token)
	a.now.Advance(61 * time.Minute)
	release := make(chan struct{})
	a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("grant_type") == "refresh_token" {
			good.ServeHTTP(w, r)
			return
		}
		<-release
		answers(400, map[string]string{"error": "invalid_grant"}).ServeHTTP(w, r)
	}))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	const strangers = 80
	var done sync.WaitGroup
	var answered atomic.Int32
	for range strangers {
		done.Go(func() {
			start := get(t, http.DefaultClient, a.url+"/auth/login")
			authorize, err := url.Parse(start.Header.Get("Location"))
			if err != nil || len(start.Cookies()) == 0 {
				t.Errorf("login: status %d, %v", start.StatusCode, err)
				return
			}
			c := start.Cookies()[0]
			get(t, &http.Client{Transport: transport}, a.url+"/auth/callback?code=invented&state="+url.QueryEscape(authorize.Query().Get("state")), "Cookie", c.Name+"="+c.Value)
			answered.Add(1)
		})
	}
	hanging := func() int { return a.Calls(localpool.Token) - before }
	for hanging() < 64 && hanging()+int(answered.Load()) < strangers && t.Context().Err() == nil {
		runtime.Gosched()
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("somebody who is signed in: status %d", r.StatusCode)
	}
	close(release)
	done.Wait()
}
