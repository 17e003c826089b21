//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// windows are the times in which a request may fail because of a fault that was made.
// They never excuse a session that is lost, or back, or another person's.
type windows struct {
	mu   sync.Mutex
	open int
	last time.Time // when the last one was over
}

// after is how long a window lasts beyond the fault: until everybody has noticed.
const after5xx = 5 * time.Second

func (w *windows) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open++
}

func (w *windows) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open--
	w.last = time.Now()
}

// excuse reports whether a request that began then may have failed.
func (w *windows) excuse(began time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open > 0 || !w.last.IsZero() && began.Before(w.last.Add(after5xx))
}

// tally is what was done, and what was wrong.
type tally struct {
	out    io.Writer // is told of what is wrong at once; nil: nobody
	mu     sync.Mutex
	counts map[string]int
	faults []string
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *tally) wrong(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts["WRONG"]++
	if len(t.faults) < 20 {
		fault := time.Now().UTC().Format("15:04:05.000 ") + fmt.Sprintf(format, args...)
		t.faults = append(t.faults, fault)
		if t.out != nil {
			fmt.Fprintln(t.out, "  WRONG:", fault)
		}
	}
}

// print says what was done so far.
func (t *tally) print(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(out, "  %8d  %s\n", t.counts[what], what)
	}
}

// standIn lets codegranttest's browser be used without a test.
type standIn struct {
	testing.TB
	ctx context.Context
}

type failed string

func (s standIn) Helper()                      {}
func (s standIn) Context() context.Context     { return s.ctx }
func (s standIn) Cleanup(func())               {}
func (s standIn) Fatalf(f string, args ...any) { panic(failed(fmt.Sprintf(f, args...))) }
func (s standIn) Fatal(args ...any)            { panic(failed(fmt.Sprint(args...))) }

// person is a browser and the model of what must be true of it.
type soakPerson struct {
	w        *soakWorld
	t        *tally
	name     string
	signedIn bool
	browser  *codegranttest.Browser
	dead     []deadSession // that were signed out: they never come back
}

type deadSession struct {
	cookies []*http.Cookie
	since   time.Time
}

const (
	maxDead = 20 // how many of those are remembered
	// copiesFor is how long a process may go on with a copy of a session that ended
	// elsewhere, where no word of that arrives; and a moment.
	copiesFor = 6 * time.Second
)

func (p *soakPerson) run(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(50+rand.IntN(150)) * time.Millisecond):
		}
		switch n := rand.IntN(100); {
		case !p.signedIn:
			p.signIn(ctx)
		case n < 3:
			p.signOut(ctx)
		case n < 8:
			p.stream(ctx)
		case n < 18 && len(p.dead) > 0:
			p.cameBack(ctx, p.dead[rand.IntN(len(p.dead))])
		default:
			p.ask(ctx)
		}
	}
}

// signIn signs in through the pool's pages, in a browser that has never been here.
func (p *soakPerson) signIn(ctx context.Context) {
	began := time.Now()
	defer func() {
		if why := recover(); why != nil {
			if _, ours := why.(failed); !ours {
				panic(why)
			}
			if ctx.Err() == nil && !p.w.faults.excuse(began) {
				p.t.wrong("%s cannot sign in: %v", p.name, why)
			}
		}
	}()
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.browser = codegranttest.NewBrowser(standIn{ctx: call})
	page := p.browser.SignIn(p.w.url+"/hello", p.name, password)
	switch {
	case page.Status == http.StatusOK && strings.TrimSpace(page.Body) == p.name:
		p.signedIn = true
		p.t.count("sign-ins")
	case page.Status == http.StatusOK:
		p.t.wrong("%s signed in and is taken for %q", p.name, page.Body)
	case !p.w.faults.excuse(began):
		p.t.wrong("%s cannot sign in: status %d at %s: %.300s", p.name, page.Status, page.URL, strings.Join(strings.Fields(page.Body), " "))
	default:
		p.t.count("sign-ins that a fault cost")
	}
}

func (p *soakPerson) cookies() []*http.Cookie {
	u, err := url.Parse(p.w.url)
	if err != nil {
		panic(err)
	}
	return p.browser.Client.Jar.(*cookiejar.Jar).Cookies(u)
}

// send makes a request as a program in a page does. Cookies in the answer are kept where
// the browser's own are sent.
func (p *soakPerson) send(ctx context.Context, method, path string, cookies []*http.Cookie) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.w.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	response, err := soakClient.Do(r)
	if err == nil && len(response.Cookies()) > 0 {
		p.browser.Client.Jar.SetCookies(r.URL, response.Cookies())
	}
	return response, err
}

var soakClient = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// judge holds an answer to a signed-in person against the model. It reports whether
// there is a body to look at.
func (p *soakPerson) judge(what string, began time.Time, status int, err error) bool {
	switch {
	case err == nil && status == http.StatusOK:
		p.t.count(what)
		return true
	case err == nil && status == http.StatusUnauthorized:
		p.t.wrong("%s: the session of %s is lost", what, p.name)
		p.signedIn = false
	case p.w.faults.excuse(began):
		p.t.count("answers that a fault cost")
	default:
		p.t.wrong("%s of %s: status %d, %v", what, p.name, status, err)
	}
	return false
}

func (p *soakPerson) ask(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began, status, body := time.Now(), 0, []byte(nil)
	response, err := p.send(call, http.MethodGet, "/hello", p.cookies())
	if err == nil {
		status = response.StatusCode
		body, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if ctx.Err() == nil && p.judge("requests", began, status, err) && string(body) != p.name {
		p.t.wrong("%s was taken for %q", p.name, body)
	}
}

func (p *soakPerson) stream(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began, status, ticks := time.Now(), 0, 0
	response, err := p.send(call, http.MethodGet, "/stream", p.cookies())
	if err == nil {
		status = response.StatusCode
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		for status == http.StatusOK && lines.Scan() {
			if lines.Text() != p.name {
				p.t.wrong("a stream of %s is of %q", p.name, lines.Text())
			}
			ticks++
		}
		if err = lines.Err(); err == nil && status == http.StatusOK && ticks != streamTicks {
			err = fmt.Errorf("cut off after %d of %d", ticks, streamTicks)
		}
	}
	if ctx.Err() == nil {
		p.judge("streams", began, status, err)
	}
}

func (p *soakPerson) signOut(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began, held := time.Now(), p.cookies()
	response, err := p.send(call, http.MethodPost, "/auth/logout", held)
	p.signedIn = false
	switch {
	case err == nil && response.StatusCode < 400:
		response.Body.Close()
		p.t.count("sign-outs")
		p.dead = append(p.dead, deadSession{held, time.Now()})
		if len(p.dead) > maxDead {
			p.dead = slices.Delete(p.dead, 0, 1)
		}
	case err == nil && !p.w.faults.excuse(began):
		response.Body.Close()
		p.t.wrong("%s cannot sign out: status %d", p.name, response.StatusCode)
	case err == nil:
		response.Body.Close()
		p.t.count("sign-outs that a fault cost") // nobody has said that it has ended
	case ctx.Err() == nil && !p.w.faults.excuse(began):
		p.t.wrong("%s cannot sign out: %v", p.name, err)
	}
}

// cameBack asks with the cookies of a session that has ended.
func (p *soakPerson) cameBack(ctx context.Context, dead deadSession) {
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began := time.Now()
	r, err := http.NewRequestWithContext(call, http.MethodGet, p.w.url+"/hello", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Accept", "application/json")
	for _, c := range dead.cookies {
		r.AddCookie(c)
	}
	response, err := soakClient.Do(r)
	if err == nil {
		response.Body.Close()
	}
	switch {
	case err == nil && response.StatusCode == http.StatusUnauthorized:
		p.t.count("sessions that stayed ended")
	case err == nil && response.StatusCode == http.StatusOK && began.Sub(dead.since) < copiesFor:
		p.t.count("answers from a copy, within 6 s of a sign-out")
	case err == nil && response.StatusCode == http.StatusOK:
		p.t.wrong("a session that %s has signed out of is back", p.name)
	case ctx.Err() == nil && !p.w.faults.excuse(began):
		p.t.wrong("asked with an ended session of %s: %v", p.name, err)
	}
}
