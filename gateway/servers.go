package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// servers are the equal servers of one upstream, and what is known about them.
type servers struct {
	Upstream
	retries int
	all     []*server
	next    atomic.Uint64
	end     context.CancelFunc
	probes  sync.WaitGroup

	route   string
	observe func(UpstreamAnswer)
	log     *slog.Logger
	now     func() time.Time
}

type server struct {
	url  *url.URL
	ill  atomic.Bool  // by its health check
	rest atomic.Int64 // not tried before this time (Unix nanoseconds), unless all rest
}

// restAfterFault is how long a server that could not be reached is left alone.
const restAfterFault = 2 * time.Second

var errNoServer = errors.New("no server of the upstream is healthy")

func newServers(u Upstream) (*servers, error) {
	u.HealthEvery = cmp.Or(u.HealthEvery, 5*time.Second)
	u.Timeout = cmp.Or(u.Timeout, 30*time.Second)
	u.MaxBody = cmp.Or(u.MaxBody, 10<<20)
	s := &servers{Upstream: u, retries: max(0, cmp.Or(u.Retries, 1))}
	var faults []error
	if len(u.URLs) == 0 {
		faults = append(faults, errors.New("upstream has no URL"))
	}
	for _, raw := range u.URLs {
		target, err := url.Parse(raw)
		if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") ||
			strings.Trim(target.Path, "/") != "" || target.User != nil || target.RawQuery != "" || target.Fragment != "" {
			faults = append(faults, fmt.Errorf("upstream %q is not of the form http://host:port", raw))
			continue
		}
		s.all = append(s.all, &server{url: target})
	}
	if u.Health != "" && !strings.HasPrefix(u.Health, "/") {
		faults = append(faults, fmt.Errorf("health path %q does not begin with a slash", u.Health))
	}
	if u.HealthEvery < 100*time.Millisecond || u.Timeout < time.Millisecond || s.retries > 10 {
		faults = append(faults, errors.New("upstream has a time or a number of retries that makes no sense"))
	}
	return s, errors.Join(faults...)
}

// pick returns servers to try, the best first.
func (s *servers) pick(now time.Time) []*server {
	start := int(s.next.Add(1) % uint64(len(s.all)))
	if len(s.all) == 1 {
		if s.all[0].ill.Load() {
			return nil
		}
		return s.all
	}
	var well, resting []*server
	for i := range s.all {
		switch one := s.all[(start+i)%len(s.all)]; {
		case one.ill.Load():
		case one.rest.Load() > now.UnixNano():
			resting = append(resting, one)
		default:
			well = append(well, one)
		}
	}
	return append(well, resting...)
}

// start begins to ask after the servers' health, and to tell of what they answer.
func (s *servers) start(route string, g *Gateway, observe func(UpstreamAnswer)) {
	s.route, s.log, s.now, s.observe = route, g.log, g.now, observe
	if s.Health == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	client := &http.Client{
		Timeout:       min(s.HealthEvery, 5*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, one := range s.all {
		s.probes.Go(func() {
			tick := time.NewTicker(s.HealthEvery)
			defer tick.Stop()
			for {
				reason := s.wrong(ctx, client, one)
				if ctx.Err() != nil {
					return // ending says nothing
				}
				if ill := reason != ""; one.ill.Swap(ill) != ill {
					s.changed(one, reason)
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
}

// wrong asks a server after its health, and says what is wrong with it; empty: nothing.
func (s *servers) wrong(ctx context.Context, client *http.Client, one *server) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, one.url.Scheme+"://"+one.url.Host+s.Health, nil)
	if err != nil {
		return err.Error()
	}
	r.Host = s.Host
	r.Header.Set("User-Agent", "codegrant")
	response, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return "it answers " + response.Status
	}
	return ""
}

// changed tells of a server whose health check has changed its mind.
func (s *servers) changed(one *server, reason string) {
	route, name := slog.String("route", s.route), slog.String("server", one.url.Host)
	if reason == "" {
		s.log.Info("server of an upstream is well again", route, name)
		return
	}
	s.log.Warn("server of an upstream is unhealthy: it gets no requests", route, name, slog.String("reason", reason))
}

func (s *servers) stop() {
	if s.end != nil {
		s.end()
		s.probes.Wait()
	}
}
