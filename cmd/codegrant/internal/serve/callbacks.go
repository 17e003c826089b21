package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
)

// callbackEvery is how often pools are asked whether the callback is registered: people who
// come to a pool with one that is not are shown its page, and nobody here hears of them.
const callbackEvery = 10 * time.Minute

// What is known of a pool's callback.
const (
	callbackUnknown int64 = iota - 1
	callbackMissing
	callbackThere
)

// checkCallbacks asks until the end, and at once after each new configuration.
func (p *process) checkCallbacks(ctx context.Context) {
	transport := cognito.NewTransport()
	defer transport.CloseIdleConnections()
	asked := make(map[string][32]byte) // by pool: the settings that it was asked for
	due := time.Now()
	for {
		g, now := p.enter(), time.Now()
		for i := range g.Pools {
			pool := &g.Pools[i]
			if asked[pool.Name] == pool.Digest && now.Before(due) {
				continue
			}
			asked[pool.Name] = pool.Digest
			callback, found := callbackOf(pool), callbackUnknown
			if endpoints, err := pool.Config.Pool.Endpoints(); err == nil {
				client := &http.Client{
					Timeout: 10 * time.Second, Transport: timedPool{transport, p.metrics.outside, pool.Name},
					CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
				}
				found = askCallback(ctx, client, endpoints.Authorize, pool.Config.Pool.ClientID, callback)
			}
			if was := g.pools[pool.Name].callback.Swap(found); found == callbackMissing && was != found {
				p.log.Error("callback is not registered: nobody can sign in", "pool", pool.Name, "callback", callback,
					"reason", "add it to the app client's allowed callback URLs, to the letter; codegrant doctor says how")
			} else if found == callbackThere && was == callbackMissing {
				p.log.Info("callback is registered now", "pool", pool.Name)
			}
		}
		g.leave()
		if !now.Before(due) {
			due = now.Add(callbackEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
	}
}

// callbackOf is where a pool sends people back to.
func callbackOf(pool *settings.Pool) string {
	if c := pool.Config.CallbackURL; c != "" {
		return c
	}
	return strings.TrimSuffix(pool.Config.BaseURL, "/") + pool.Prefix + "/callback"
}

// askCallback begins a sign-in that nobody will finish. An answer that says neither says
// nothing.
func askCallback(ctx context.Context, client *http.Client, authorize, clientID, callback string) int64 {
	query := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"codegrant-check"},
		"code_challenge_method": {"S256"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, authorize+"?"+query.Encode(), nil)
	if err != nil {
		return callbackUnknown
	}
	r.Header.Set("User-Agent", "codegrant")
	response, err := client.Do(r)
	if err != nil {
		return callbackUnknown
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	to, err := response.Location()
	switch {
	case err != nil:
		return callbackUnknown
	case to.Query().Get("error") == "redirect_mismatch":
		return callbackMissing
	case to.Query().Get("error") == "" || strings.HasPrefix(to.String(), callback):
		return callbackThere
	}
	return callbackUnknown
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
