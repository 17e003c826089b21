package broker_test

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/broker"
)

// TestS814_WhatLastsEnds: whoever takes back what a token was given for, all processes end
// what lasts by it, and nothing else.
func TestS814_WhatLastsEnds(t *testing.T) {
	for name, end := range map[string]func(*site, string, tokens){
		"the person": func(s *site, _ string, _ tokens) {
			page := s.browser.Open(s.url + "/oauth/grants")
			form, ok := page.Form("item")
			if !ok {
				t.Fatal(page.Body)
			}
			s.browser.Submit(page, form, nil)
		},
		"the client": func(s *site, client string, got tokens) {
			if status, _ := s.post("revoke", url.Values{"token": {got.Refresh}, "client_id": {client}}); status != 200 {
				t.Fatal(status)
			}
		},
		"an operator": func(s *site, _ string, _ tokens) {
			all := broker.NewGrants(s.shelf, s.brokers[0].Keys)
			if err := all.List(t.Context(), "", func(g broker.Grant) bool {
				if err := all.End(t.Context(), g.Key); err != nil {
					t.Error(err)
				}
				return true
			}); err != nil {
				t.Error(err)
			}
		},
		"a thief": func(s *site, client string, got tokens) {
			s.refresh(got.Refresh, client, nil)
			s.refresh(got.Refresh, client, nil)
		},
		"the end of the client": func(s *site, client string, _ tokens) {
			for _, id := range []string{s.registered(), client} {
				if err := s.brokers[0].EndClient(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		},
		"the end of all of a person's": func(s *site, _ string, got tokens) {
			_, id := s.call(got.Access)
			for range 2 { // once more, a moment later
				if _, err := s.brokers[0].EndPerson(t.Context(), id.Subject); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			client := s.registered()
			got := s.tokens(client)
			var own, stopped, other atomic.Int64
			var wg sync.WaitGroup
			for i, b := range s.brokers {
				wg.Add(1)
				defer b.OnEnd(got.Access, func() { own.Add(1); wg.Done() })()
				b.OnEnd(got.Access, func() { stopped.Add(1) })()
				defer s.brokers[i].OnEnd("x.y.z", func() { other.Add(1) })()
			}
			stranger := newSite(t, nil)
			defer s.brokers[0].OnEnd(stranger.tokens("fixed").Access, func() { other.Add(1) })()
			end(s, client, got)
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(30 * time.Second):
				t.Fatal("it goes on")
			}
			if own.Load() != 2 || stopped.Load() != 0 || other.Load() != 0 {
				t.Errorf("%d ends in two processes, %d where nobody waits any more, %d of others", own.Load(), stopped.Load(), other.Load())
			}
		})
	}
	// What was agreed to after all of a person's ended goes on.
	again := newSite(t, nil)
	_, id := again.call(again.tokens("fixed").Access)
	if _, err := again.brokers[0].EndPerson(t.Context(), id.Subject); err != nil {
		t.Fatal(err)
	}
	again.later(2 * time.Second)
	lasts, ends := again.tokens("fixed"), again.tokens("fixed")
	var wrong atomic.Int64
	read := make(chan struct{})
	defer again.brokers[1].OnEnd(lasts.Access, func() { wrong.Add(1) })()
	defer again.brokers[1].OnEnd(ends.Access, func() { close(read) })()
	if status, _ := again.post("revoke", url.Values{"token": {ends.Access}, "client_id": {"fixed"}}); status != http.StatusOK {
		t.Fatal(status)
	}
	select {
	case <-read:
	case <-time.After(30 * time.Second):
		t.Error("it goes on")
	}
	if wrong.Load() != 0 {
		t.Error("what was agreed to since ends")
	}
	// Of a grant that ended before somebody began to wait, and of one that goes on.
	s := newSite(t, nil)
	first, second := s.tokens("fixed"), s.tokens("fixed")
	var late atomic.Int64
	ended := make(chan struct{})
	defer s.brokers[1].OnEnd(second.Access, func() { late.Add(1) })()
	if status, _ := s.post("revoke", url.Values{"token": {first.Access}, "client_id": {"fixed"}}); status != http.StatusOK {
		t.Fatal(status)
	}
	defer s.brokers[0].OnEnd(first.Access, func() { close(ended) })()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("what ended a moment ago goes on")
	}
	if late.Load() != 0 {
		t.Error("the other one of the person ends with it")
	}
}

// TestS814_WhoComesLate: a request that was let in just before an end, and waits for it just
// after the end was read, ends as the others do.
func TestS814_WhoComesLate(t *testing.T) {
	for name, end := range map[string]func(*site, tokens){
		"of one grant": func(s *site, got tokens) {
			if status, _ := s.post("revoke", url.Values{"token": {got.Access}, "client_id": {"fixed"}}); status != http.StatusOK {
				t.Fatal(status)
			}
		},
		"of all of a person's": func(s *site, got tokens) {
			_, id := s.call(got.Access)
			if n, err := s.brokers[1].EndPerson(t.Context(), id.Subject); n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			got, b := s.tokens("fixed"), s.brokers[0]
			stranger := newSite(t, nil) // whose tokens are none here
			wait := func(what string, ended chan struct{}) {
				t.Helper()
				select {
				case <-ended:
				case <-time.After(30 * time.Second):
					t.Fatalf("%s goes on", what)
				}
			}
			early := make(chan struct{})
			b.OnEnd(got.Access, sync.OnceFunc(func() { close(early) }))
			end(s, got)
			wait("who was early", early) // this process has read the end, and reads on
			late := make(chan struct{})
			defer b.OnEnd(got.Access, sync.OnceFunc(func() { close(late) }))()
			wait("who comes late", late)
			// What was agreed to since goes on, and what is of somebody else.
			s.later(2 * time.Second)
			next, last := s.tokens("fixed"), s.tokens("fixed")
			var wrong atomic.Int64
			defer b.OnEnd(next.Access, func() { wrong.Add(1) })()
			defer b.OnEnd(stranger.tokens("fixed").Access, func() { wrong.Add(1) })()
			read := make(chan struct{})
			defer b.OnEnd(last.Access, sync.OnceFunc(func() { close(read) }))()
			if status, _ := s.post("revoke", url.Values{"token": {last.Access}, "client_id": {"fixed"}}); status != http.StatusOK {
				t.Fatal(status)
			}
			wait("the last one", read)
			if wrong.Load() != 0 {
				t.Errorf("%d ends of what goes on", wrong.Load())
			}
		})
	}
}
