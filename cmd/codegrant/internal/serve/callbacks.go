package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
)

// poolEvery is how often pools are asked for their page of sign-ins, give or take a fifth:
// people who come to one that is down, or that does not know the callback, are shown a page
// of the pool or none, and nobody here hears of them. A rule of AWS WAF may allow an address
// no more than 100 requests in five minutes: ten processes behind one make fewer.
const poolEvery = 42 * time.Second

// poolsAtOnce bounds how many are asked at a time.
const poolsAtOnce = 8

// The states of a pool's callback.
const (
	callbackUnknown int64 = iota - 1
	callbackMissing
	callbackThere
)

// signInPage is what became of the last request for a pool's page of sign-ins.
type signInPage struct{ fault error }

// beginning is what a sign-in at a pool begins with. What was found out of it is known of
// another configuration, too.
type beginning struct{ authorize, client, callback string }

func beginningOf(pool *settings.Pool) beginning {
	endpoints, _ := pool.Config.Pool.Endpoints() // one that is wrong is not asked
	return beginning{endpoints.Authorize, pool.Config.Pool.ClientID, callbackOf(pool)}
}

// askedPool is for which settings a pool was asked, and when it is to be asked again.
type askedPool struct {
	digest [32]byte
	due    time.Time
	faults int // in a row
}

// again is when a pool is to be asked again that was asked now: soon where people cannot
// sign in, and less soon each time, since a pool that limits requests would never be well.
func (a askedPool) again(last *signInPage, pools int) askedPool {
	every := poolEvery + time.Duration(pools)*perPool
	switch {
	case last == nil || last.fault == nil:
		a.faults = -1
	case a.faults < 3:
		every = min(every, askEvery<<a.faults)
	default:
		every += every / 2
	}
	a.faults++
	a.due = time.Now().Add(every - every/5 + rand.N(2*every/5))
	return a
}

// watchPools asks until the end: at once after each new configuration, and soon again where a
// pool does not answer.
func (p *process) watchPools(ctx context.Context) {
	transport := cognito.NewTransport()
	defer transport.CloseIdleConnections()
	asked := make(map[string]askedPool)
	for {
		p.askPools(ctx, transport, asked)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (p *process) askPools(ctx context.Context, transport http.RoundTripper, asked map[string]askedPool) {
	g := p.enter()
	defer g.leave()
	now, asks := time.Now(), []string(nil)
	turns, all := make(chan struct{}, poolsAtOnce), sync.WaitGroup{}
	for i := range g.Pools {
		pool := &g.Pools[i]
		running := g.pools[pool.Name]
		before := asked[pool.Name]
		if before.digest == pool.Digest && now.Before(before.due) && running.page.Load() != nil {
			continue
		}
		asked[pool.Name] = askedPool{digest: pool.Digest, faults: before.faults}
		asks = append(asks, pool.Name)
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			p.askPool(ctx, transport, pool, running)
		})
	}
	all.Wait()
	for _, name := range asks {
		asked[name] = asked[name].again(g.pools[name].page.Load(), len(g.Pools))
	}
}

func (p *process) askPool(ctx context.Context, transport http.RoundTripper, pool *settings.Pool, running runningPool) {
	begin := running.begin
	if begin.authorize == "" {
		return
	}
	client := &http.Client{
		Timeout: 10 * time.Second, Transport: timedPool{transport, p.metrics.outside, pool.Name},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	found, err := askCallback(ctx, client, begin.authorize, begin.client, begin.callback)
	if ctx.Err() != nil {
		return // what failed now says nothing
	}
	if last := running.page.Swap(&signInPage{err}); last == nil || (last.fault == nil) != (err == nil) {
		p.askSoon()
	}
	if err != nil {
		return // and what was known of the callback stays known
	}
	if was := running.callback.Swap(found); found == callbackMissing && was != found {
		p.log.Error("callback is not registered: nobody can sign in", "pool", pool.Name, "callback", begin.callback,
			"reason", "add it to the app client's allowed callback URLs, to the letter; codegrant doctor says how")
		p.state.noteChange("callback of "+pool.Name, "is not registered")
	} else if found == callbackThere && was == callbackMissing {
		p.log.Info("callback is registered now", "pool", pool.Name)
		p.state.noteChange("callback of "+pool.Name, "is registered")
	}
}

// askSignInPage is what was found out of it, as the answer to a question. One that was not
// asked for yet is not spoken of.
func (r runningPool) askSignInPage(name string) []question {
	page := r.page.Load()
	if page == nil {
		return nil
	}
	return []question{{"sign-ins at pool " + name, false, func(context.Context) error { return page.fault }}}
}

// callbackOf is where a pool sends people back to.
func callbackOf(pool *settings.Pool) string {
	if c := pool.Config.CallbackURL; c != "" {
		return c
	}
	return strings.TrimSuffix(pool.Config.BaseURL, "/") + pool.Prefix + "/callback"
}

// askCallback begins a sign-in that nobody will finish. An answer that says neither says
// nothing of the callback; an error says that people cannot sign in. A pool that knows the
// callback sends people to a page of its own, to the provider that they sign in with, or back.
func askCallback(ctx context.Context, client *http.Client, authorize, clientID, callback string) (int64, error) {
	query := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"codegrant-check"},
		"code_challenge_method": {"S256"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, authorize+"?"+query.Encode(), nil)
	if err != nil {
		return callbackUnknown, err
	}
	r.Header.Set("User-Agent", "codegrant")
	response, err := client.Do(r)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err // without the query
		}
		return callbackUnknown, fmt.Errorf("%s: %w", authorize, err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	to, err := response.Location()
	switch own := response.Request.URL; {
	case err == nil && to.Query().Get("error") == "redirect_mismatch":
		return callbackMissing, nil
	case response.StatusCode >= 400:
		return callbackUnknown, fmt.Errorf("%s: status %d", authorize, response.StatusCode)
	case err != nil:
		return callbackUnknown, nil
	case strings.HasPrefix(to.String(), callback) || toProvider(to, own):
		return callbackThere, nil
	case !sameHost(to, own):
		return callbackUnknown, fmt.Errorf("%s: it redirects to another host, %q", authorize, to.Host)
	case to.Query().Get("error") != "":
		return callbackUnknown, fmt.Errorf("%s: it shows the error %.60q", authorize, to.Query().Get("error"))
	}
	return callbackThere, nil
}

func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(strings.TrimSuffix(a.Host, ":443"), strings.TrimSuffix(b.Host, ":443"))
}

// toProvider reports whether a pool sends people on to the one provider that they sign in
// with, by SAML or with itself as the callback.
func toProvider(to, pool *url.URL) bool {
	back, err := url.Parse(to.Query().Get("redirect_uri"))
	return to.Query().Has("SAMLRequest") || err == nil && back.Host != "" && sameHost(back, pool) && !sameHost(to, pool)
}

// clockOff is how far the clocks here and at a pool may be apart before the log says so:
// tokens are refused beyond it.
const clockOff = time.Minute

// clock looks at the time that a pool's answer names, in whole seconds, and says when it
// comes to differ from ours.
func (o *outside) clock(pool, date string, asked, answered time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	// It was theirs at some time between.
	offset := time.Duration(0)
	if early := asked.Sub(theirs.Add(time.Second)); early > 0 {
		offset = early
	} else if late := answered.Sub(theirs); late < 0 {
		offset = late
	}
	o.clockOffset.WithLabelValues(pool).Set(offset.Seconds())
	o.mu.Lock()
	was := o.clocksOff[pool]
	o.offsets[pool] = offset
	o.clocksOff[pool] = offset.Abs() > clockOff
	is := o.clocksOff[pool]
	o.mu.Unlock()
	switch {
	case is && !was:
		o.log.Error("the clock is off: tokens are refused", "pool", pool, "offset", offset.Round(time.Second).String(),
			"reason", fmt.Sprintf("the pool says it is %s; have the clock of this machine set by NTP", theirs.UTC().Format(time.RFC3339)))
	case was && !is:
		o.log.Info("the clock agrees with the pool's again", "pool", pool)
	}
}
