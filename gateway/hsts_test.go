package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestS212_HSTS: said once with every answer, whoever makes it; not said unless asked for.
func TestS212_HSTS(t *testing.T) {
	said := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Strict-Transport-Security", "max-age=0") })
	routes := []gateway.Route{{Path: "/", Upstream: &gateway.Upstream{URLs: []string{said}}}, {Path: "/open", Public: true, Upstream: &gateway.Upstream{URLs: []string{said}}}, {Path: "/gone", Public: true, Upstream: &gateway.Upstream{URLs: []string{gone(t)}}}}
	s := newSite(t, routes, func(c *gateway.Config, _ *codegrant.Config) {
		c.HSTS = &gateway.HSTS{MaxAge: 2 * 365 * 24 * time.Hour, IncludeSubDomains: true, Preload: true}
	})
	for path, status := range map[string]int{"/": 401, "/open": 200, "/gone": 502, "/a;b": 400, "/auth/login": 302, "/auth/user": 401, "/auth/check": 403, "/.well-known/x": 401} {
		r, _ := s.ask(http.DefaultClient, "GET", path, map[string]string{"Accept": "*/*"})
		if got := r.Header["Strict-Transport-Security"]; !slices.Equal(got, []string{"max-age=63072000; includeSubDomains; preload"}) {
			t.Errorf("%s: %d %q", path, r.StatusCode, got)
		}
		if path != "/auth/login" && r.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, status)
		}
	}
	for want, h := range map[string]gateway.HSTS{"max-age=3600": {MaxAge: time.Hour}, "max-age=60; includeSubDomains": {MaxAge: time.Minute, IncludeSubDomains: true}, "max-age=0": {}} {
		less := newSite(t, routes, func(c *gateway.Config, _ *codegrant.Config) { c.HSTS = &h })
		if r, _ := less.ask(http.DefaultClient, "GET", "/open", nil); !slices.Equal(r.Header["Strict-Transport-Security"], []string{want}) {
			t.Errorf("%+v: %q, want %q", h, r.Header["Strict-Transport-Security"], want)
		}
	}
	plain := newSite(t, routes, nil)
	if r, _ := plain.ask(http.DefaultClient, "GET", "/open", nil); !slices.Equal(r.Header["Strict-Transport-Security"], []string{"max-age=0"}) {
		t.Errorf("an upstream's own: %q", r.Header["Strict-Transport-Security"])
	}
	if r, _ := plain.ask(http.DefaultClient, "GET", "/", nil); r.Header.Get("Strict-Transport-Security") != "" {
		t.Error("said by itself")
	}
	for want, h := range map[string]gateway.HSTS{
		"negative": {MaxAge: -1}, "preload needs": {MaxAge: time.Hour, IncludeSubDomains: true, Preload: true}, "HSTS: preload needs": {MaxAge: 9000 * time.Hour, Preload: true},
	} {
		if _, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: s.auth}}, HSTS: &h}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", h, err)
		}
	}
}
