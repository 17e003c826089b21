package redisstore

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

func TestS113_WhatDoesNotFitIsRefused(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	long := strings.Repeat("x", 513)
	for name, r := range map[string]session.Record{
		"ID": {ID: long}, "pool": {ID: "a", Pool: long}, "subject": {ID: "a", Subject: long}, "content": {ID: "a", Sealed: make([]byte, maxContent+1)},
	} {
		r.Expires = time.Now().Add(time.Hour)
		if err := s.Create(t.Context(), r); !errors.Is(err, errTooLong) || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Create with a long %s = %v, want %v", name, err, errTooLong)
		}
	}
	create(t, s, record("a"))
	r := record("a")
	r.Version, r.Sealed = 1, make([]byte, maxContent+1)
	if _, err := s.CompareAndSwap(t.Context(), r); !errors.Is(err, errTooLong) {
		t.Errorf("CompareAndSwap with long content = %v, want %v", err, errTooLong)
	}
	// What cannot have been stored is not there.
	if !refused(t, s, long) {
		t.Error("found")
	}
	if err := s.Delete(t.Context(), long); err != nil {
		t.Errorf("Delete = %v", err)
	}
	for _, person := range [][2]string{{long, "s"}, {"p", long}} {
		n, err := s.DeleteBySubject(t.Context(), person[0], person[1])
		wantCount(t, "DeleteBySubject", n, err, 0)
		page, err := s.List(t.Context(), session.Query{Pool: person[0], Subject: person[1]})
		wantCount(t, "List", len(page), err, 0)
	}
}

func FuzzDecode(f *testing.F) {
	r := record("a")
	f.Add("a", encode(r, 1))
	r.Stale, r.LeaseUntil, r.Sealed = true, time.Now(), nil
	f.Add("a", encode(r, 1<<50))
	f.Add("a", []byte{})
	f.Add("b", encode(r, 1))
	f.Add("a", encode(r, 1)[:headSize])
	f.Fuzz(func(t *testing.T, id string, b []byte) {
		r, err := decode(id, b)
		if err != nil {
			if r.ID != "" || r.Sealed != nil {
				t.Errorf("a record beside %v", err)
			}
			return
		}
		h, err := decodeHead(id, b[:min(len(b), maxHead)])
		if err != nil && len(r.Pool) <= maxPool && len(r.Subject) <= maxSubject {
			t.Errorf("the head alone: %v", err)
		}
		// Flags that mean nothing yet are all that may differ.
		again := encode(r, h.indexed)
		if len(b) > 1 && err == nil {
			b = bytes.Clone(b)
			b[1] &= flagStale
			if !bytes.Equal(again, b) {
				t.Errorf("reads %x, writes %x", b, again)
			}
		}
	})
}

func FuzzOwnSlots(f *testing.F) {
	f.Add("07c3 127.0.0.1:30004@31004 slave e7d1 0 1426238317239 4 connected\n" +
		"e7d1 127.0.0.1:30001@31001,host myself,master - 0 0 1 connected 0-5460 5462 [5463->-67ed]\n")
	f.Add("e7d1 127.0.0.1:30001@31001 myself,slave 07c3 0 0 1 connected 0-5460\n")
	f.Add("x x myself,master x x x x x 5-1 99999 a-b -")
	f.Fuzz(func(t *testing.T, nodes string) {
		if n := ownSlots(nodes); n < 0 {
			t.Errorf("ownSlots(%q) = %d", nodes, n)
		}
	})
}

func TestOwnSlots(t *testing.T) {
	for nodes, want := range map[string]int{
		"": 0,
		"a h:1@2 master - 0 0 1 connected 0-16383\nb h:2@3 myself,slave a 0 0 1 connected\n":                         0,
		"a h:1@2 myself,master - 0 0 1 connected 0-16383\n":                                                          slots,
		"a h:1@2 master - 0 0 1 connected 0-99\nb h:2@3 myself,master - 0 0 1 connected 100 200-299 [7->-a] [8-<-a]": 101,
		"a h:1@2 myself,master,fail? - 0 0 1 connected 5-4":                                                          0,
	} {
		if got := ownSlots(nodes); got != want {
			t.Errorf("ownSlots(%q) = %d, want %d", nodes, got, want)
		}
	}
}

// A prefix is taken literally, and stores of different prefixes share nothing.
func TestS119_Prefixes(t *testing.T) {
	url := testenv.Redis(t)
	base := open(t, Config{URL: url}).dialer.config.Prefix
	var stores []*Store
	for _, prefix := range []string{"*", "?", "[a-z]", "a", `\`, `\*`, "[^a]", "x"} {
		s := open(t, Config{URL: url, Prefix: base + prefix + ":"})
		create(t, s, record("1"), record("2"))
		stores = append(stores, s)
	}
	for _, s := range stores {
		page, err := s.List(t.Context(), session.Query{})
		wantCount(t, "List in "+s.dialer.config.Prefix, len(page), err, 2)
		n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
		wantCount(t, "DeleteBySubject", n, err, 2)
	}
}
