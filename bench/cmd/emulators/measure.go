//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// seen is what became of a row at a server.
type seen struct {
	rate        float64
	median, p99 time.Duration
}

func (s seen) String() string {
	return fmt.Sprintf("%7s/s %6.1f %6.1f", rate(s.rate), ms(s.median), ms(s.p99))
}

// rate is a rate with as many places as say something.
func rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return fmt.Sprintf("%.0f", perSecond)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measure asks one row of one server. Whatever is made once is made by the first request. One
// that takes long is a measurement itself: a server that does one thing at a time is not asked
// by several, who would wait for one another.
func (o options) measure(ctx context.Context, s *server, r row) (seen, error) {
	began := time.Now()
	one := &asker{server: s}
	defer one.close()
	if err := r.do(one, 0); err != nil {
		return seen{}, err
	}
	if first := time.Since(began); first > o.time {
		took := []time.Duration{first}
		for n := 1; n < o.least && time.Since(began) < o.most && ctx.Err() == nil; n++ {
			from := time.Now()
			if err := r.do(one, n); err != nil {
				return seen{}, err
			}
			took = append(took, time.Since(from))
		}
		return summary(took, time.Since(began)), nil
	}
	var (
		mu    sync.Mutex // guards the two below
		took  []time.Duration
		fault error
		group sync.WaitGroup
	)
	began = time.Now()
	for c := range o.connections {
		group.Go(func() {
			a := &asker{server: s}
			defer a.close()
			var own []time.Duration
			var err error
			for n := 1; err == nil && ctx.Err() == nil; n++ {
				if past := time.Since(began); past > o.most || past > o.time && len(own)*o.connections >= o.least {
					break
				}
				from := time.Now()
				err = r.do(a, c+n*o.connections)
				own = append(own, time.Since(from))
			}
			mu.Lock()
			defer mu.Unlock()
			took, fault = append(took, own...), errors.Join(fault, err)
		})
	}
	group.Wait()
	if fault != nil {
		return seen{}, fault
	}
	return summary(took, time.Since(began)), nil
}

func summary(took []time.Duration, whole time.Duration) seen {
	slices.Sort(took)
	return seen{float64(len(took)) / whole.Seconds(), took[len(took)/2], took[min(len(took)-1, len(took)*99/100)]}
}
