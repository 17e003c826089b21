package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestS663_ClientAddress: what no trusted proxy says counts for nothing, in whichever way a
// request comes to be decided on, and a proxy's own address is never the client's.
func TestS663_ClientAddress(t *testing.T) {
	inside := codegrant.PermissionFunc("inside", func(_ context.Context, _ *codegrant.Identity, r *http.Request) (bool, error) {
		address, ok := gateway.ClientAddress(r)
		return ok && (address == netip.MustParseAddr("192.0.2.7") || address == netip.MustParseAddr("127.0.0.9") || address == netip.MustParseAddr("2001:db8::1")), nil
	})
	s := newSite(t, []gateway.Route{{Path: "/"}, {Path: "/inside", Permissions: []codegrant.Permission{inside}}}, nil)
	alice := s.signIn("/", "alice@example.com")
	for forwarded, want := range map[string]int{
		"192.0.2.7": 200, "192.0.2.7:4711": 200, "[2001:db8::1]:443": 200, "[2001:db8::1]": 200, "2001:db8::1": 200, "::ffff:192.0.2.7": 200,
		"198.51.100.1, 192.0.2.7": 200, "192.0.2.7, 127.0.0.5": 200, "192.0.2.7, 127.0.0.5, 127.0.0.6": 200, "127.0.0.9": 200,
		"192.0.2.7, 198.51.100.1": 403, "198.51.100.1": 403, "192.0.2.8": 403, "unknown": 403, "192.0.2.7, unknown": 403, "192.0.2.7,": 403, ", 192.0.2.7": 200, "127.0.0.1": 403,
		"192.0.2.7 192.0.2.7": 403, "192.0.2.07": 403, "[192.0.2.7]": 403,
	} {
		if r, _ := s.ask(alice.Client, "GET", "/inside", map[string]string{"X-Forwarded-For": forwarded}); r.StatusCode != want {
			t.Errorf("proxied, %q: %d, want %d", forwarded, r.StatusCode, want)
		}
		question := map[string]string{"X-Original-Url": s.url + "/inside", "X-Original-Method": "GET", "X-Forwarded-For": forwarded}
		if r, _ := s.ask(alice.Client, "GET", "/auth/check", question); r.StatusCode != want {
			t.Errorf("forward-auth, %q: %d, want %d", forwarded, r.StatusCode, want)
		}
		header := cookiesIn(t, s, alice.Client)
		header.Set("X-Forwarded-For", forwarded)
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/inside", header), nil); (pass != nil) != (want == 200) {
			t.Errorf("asked, %q: %d, want %d", forwarded, w.Code, want)
		}
	}
	if r, _ := s.ask(alice.Client, "GET", "/inside", nil); r.StatusCode != 403 {
		t.Errorf("of a proxy that says nothing: %d", r.StatusCode)
	}
	// Whoever is not a proxy says nothing about itself.
	direct := newSite(t, []gateway.Route{{Path: "/"}, {Path: "/inside", Permissions: []codegrant.Permission{inside}}}, func(g *gateway.Config, _ *codegrant.Config) {
		g.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	})
	bob := direct.signIn("/", "bob@example.com")
	if r, _ := direct.ask(bob.Client, "GET", "/inside", map[string]string{"X-Forwarded-For": "192.0.2.7"}); r.StatusCode != 403 {
		t.Errorf("a client that claims an address: %d", r.StatusCode)
	}
	if _, ok := gateway.ClientAddress(httptest.NewRequest("GET", "/", nil)); ok {
		t.Error("a request that no route was found for has an address")
	}
}

// TestS660_WhatAProxyAsksFor goes by the groups that include others, too.
func TestS660_WhatAProxyAsksFor(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/"}}, func(g *gateway.Config, _ *codegrant.Config) {
		g.InAnyGroup = func(names ...string) codegrant.Permission {
			return codegrant.InAnyGroup(append(names, "admins")...) // which includes every other
		}
	})
	roles := newSite(t, []gateway.Route{{Path: "/"}}, func(g *gateway.Config, _ *codegrant.Config) {
		g.AnyRole = func(names ...string) (codegrant.Permission, error) {
			if slices.Contains(names, "press") {
				return nil, errors.New("there is no such role")
			}
			return codegrant.InAnyGroup(names...), nil
		}
	})
	asAlice, asBob := roles.signIn("/", "alice@example.com"), roles.signIn("/", "bob@example.com")
	for query, want := range map[string][2]int{
		"role=admins": {200, 403}, "role=admins,editors": {403, 403}, "any_role=admins,editors": {200, 200}, "role=admins&any_role=analysts": {200, 403},
		"role=press": {403, 403}, "any_role=admins,press": {403, 403}, "role=": {403, 403}, "any_role=,": {403, 403},
	} {
		about := map[string]string{"X-Original-Url": roles.url + "/x", "X-Original-Method": "GET"}
		a, _ := roles.ask(asAlice.Client, "GET", "/auth/check?"+query, about)
		b, _ := roles.ask(asBob.Client, "GET", "/auth/check?"+query, about)
		if a.StatusCode != want[0] || b.StatusCode != want[1] {
			t.Errorf("%s: %d and %d, want %v", query, a.StatusCode, b.StatusCode, want)
		}
	}
	alice, bob := s.signIn("/", "alice@example.com"), s.signIn("/", "bob@example.com") // in admins; in editors
	if r, _ := s.ask(alice.Client, "GET", "/auth/check?role=admins", map[string]string{"X-Original-Url": s.url + "/x", "X-Original-Method": "GET"}); r.StatusCode != 403 {
		t.Errorf("a role where there are none: %d", r.StatusCode)
	}
	question := map[string]string{"X-Original-Url": s.url + "/x", "X-Original-Method": "GET"}
	for query, want := range map[string][2]int{"group=viewers": {200, 403}, "any_group=viewers,press": {200, 403}, "group=editors": {200, 200}, "group=editors&scope=x": {403, 403}} {
		a, _ := s.ask(alice.Client, "GET", "/auth/check?"+query, question)
		b, _ := s.ask(bob.Client, "GET", "/auth/check?"+query, question)
		if a.StatusCode != want[0] || b.StatusCode != want[1] {
			t.Errorf("%s: %d and %d, want %v", query, a.StatusCode, b.StatusCode, want)
		}
	}
}
