//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
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
	mu    sync.Mutex
	open  int
	last  time.Time // when the last one was over
	rekey time.Time // when the pool replaced its keys last
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

// rekeyed is that the pool has replaced its keys. The local one serves the old ones no
// more at once: who was given tokens just before finds nobody to prove them.
func (w *windows) rekeyed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rekey = time.Now()
}

// excuse says why a request that began then and ends now may have failed; empty: it may not.
func (w *windows) excuse(began time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.open > 0, !w.last.IsZero() && began.Before(w.last.Add(after5xx)):
		return "a fault"
	case began.Before(w.rekey):
		return "new keys of the pool"
	}
	return ""
}

// Kinds of what must not be.
const (
	lost        = "WRONG: sessions lost"
	resurrected = "WRONG: sessions that came back"
	someoneElse = "WRONG: answers to the wrong person"
	failure     = "WRONG: failures outside the time of a fault"
	growth      = "WRONG: growth"
)

// tally is what was done, and what was wrong.
type tally struct {
	out    io.Writer // is told at once of the first 20 that are wrong; nil: nobody
	list   string    // the file that names all of them; "": none
	mu     sync.Mutex
	counts map[string]int
	faults []string
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *tally) wrong(kind, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[kind]++
	fault := time.Now().UTC().Format("15:04:05.000 ") + kind + ": " + fmt.Sprintf(format, args...)
	t.faults = append(t.faults, fault)
	if t.out != nil && len(t.faults) <= 20 {
		fmt.Fprintln(t.out, "  "+fault)
	}
	if t.list == "" {
		return
	}
	err := appendLine(t.list, fault)
	if err != nil && t.out != nil {
		fmt.Fprintln(t.out, "  cannot list it:", err)
	}
}

func appendLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, line)
	return errors.Join(err, file.Close())
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
			if ctx.Err() == nil && p.w.faults.excuse(began) == "" {
				p.t.wrong(failure, "%s cannot sign in: %v", p.name, why)
			}
		}
	}()
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.browser = codegranttest.NewBrowser(standIn{ctx: call})
	page := p.browser.SignIn(p.w.url+"/hello", p.name, password)
	excuse := p.w.faults.excuse(began)
	switch {
	case page.Status == http.StatusOK && strings.TrimSpace(page.Body) == p.name:
		p.signedIn = true
		p.t.count("sign-ins")
	case page.Status == http.StatusOK:
		p.t.wrong(someoneElse, "%s signed in and is taken for %q", p.name, page.Body)
	case excuse == "":
		p.t.wrong(failure, "%s cannot sign in: status %d at %s: %s", p.name, page.Status, page.URL, oneLine(page.Body))
	default:
		p.t.count("sign-ins that " + excuse + " cost")
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
func (p *soakPerson) judge(what string, began time.Time, status int, body []byte, err error) bool {
	excuse := p.w.faults.excuse(began)
	switch {
	case err == nil && status == http.StatusOK:
		p.t.count(what)
		return true
	case err == nil && status == http.StatusUnauthorized:
		p.t.wrong(lost, "%s: the session of %s is lost", what, p.name)
		p.signedIn = false
	case excuse != "":
		p.t.count("answers that " + excuse + " cost")
	default:
		p.t.wrong(failure, "%s of %s: status %d, %v: %s", what, p.name, status, err, oneLine(string(body)))
	}
	return false
}

// oneLine is an answer in one line of the list.
func oneLine(body string) string {
	return fmt.Sprintf("%.400s", strings.Join(strings.Fields(body), " "))
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
	if ctx.Err() == nil && p.judge("requests", began, status, body, err) && string(body) != p.name {
		p.t.wrong(someoneElse, "%s was taken for %q", p.name, body)
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
				p.t.wrong(someoneElse, "a stream of %s is of %q", p.name, lines.Text())
			}
			ticks++
		}
		if err = lines.Err(); err == nil && status == http.StatusOK && ticks != streamTicks {
			err = fmt.Errorf("cut off after %d of %d", ticks, streamTicks)
		}
	}
	if ctx.Err() == nil {
		p.judge("streams", began, status, nil, err)
	}
}

func (p *soakPerson) signOut(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began, held := time.Now(), p.cookies()
	response, err := p.send(call, http.MethodPost, "/auth/logout", held)
	p.signedIn = false
	excuse := p.w.faults.excuse(began)
	switch {
	case err == nil && response.StatusCode < 400:
		response.Body.Close()
		p.t.count("sign-outs")
		p.dead = append(p.dead, deadSession{held, time.Now()})
		if len(p.dead) > maxDead {
			p.dead = slices.Delete(p.dead, 0, 1)
		}
	case err == nil && excuse == "":
		response.Body.Close()
		p.t.wrong(failure, "%s cannot sign out: status %d", p.name, response.StatusCode)
	case err == nil:
		response.Body.Close()
		p.t.count("sign-outs that " + excuse + " cost") // nobody has said that it has ended
	case ctx.Err() == nil && p.w.faults.excuse(began) == "":
		p.t.wrong(failure, "%s cannot sign out: %v", p.name, err)
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
		p.t.wrong(resurrected, "a session that %s has signed out of is back", p.name)
	case ctx.Err() == nil && p.w.faults.excuse(began) == "":
		p.t.wrong(failure, "asked with an ended session of %s: %v", p.name, err)
	}
}
