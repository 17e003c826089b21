package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/peopletest"
)

// TestS270_HeadersOfPeopleAtRandom: what upstreams are told can be had back byte for byte.
func TestS270_HeadersOfPeopleAtRandom(t *testing.T) {
	auth, _ := testAuth(t)
	g, err := New(Config{Tenants: []Tenant{{Auth: auth}}})
	if err != nil {
		t.Fatal(err)
	}
	maker := peopletest.New(2)
	for i := range 10_000 {
		p := maker.Next()
		id := &codegrant.Identity{Subject: p.Subject, Username: p.Username, Email: p.Attributes["email"], EmailVerified: true, Name: p.Attributes["name"], Groups: p.Groups}
		if g.fits(id, false) != nil {
			continue // refused, and not cut
		}
		h := make(http.Header)
		g.tell(h, id)
		back := func(name string) string {
			value := h[name][0]
			if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) || value != strings.TrimSpace(value) {
				t.Errorf("person %d: %s is %q", i, name, value)
			}
			text, err := url.PathUnescape(value)
			if err != nil {
				t.Errorf("person %d: %s: %v", i, name, err)
			}
			return text
		}
		var groups []string
		if list := h["X-Auth-Groups"][0]; list != "" {
			for item := range strings.SplitSeq(list, ",") {
				name, err := url.PathUnescape(item)
				if err != nil {
					t.Error(err)
				}
				groups = append(groups, name)
			}
		}
		if back("X-Auth-Subject") != p.Subject || back("X-Auth-Username") != p.Username || back("X-Auth-Name") != p.Attributes["name"] || !slices.Equal(groups, p.Groups) {
			t.Fatalf("person %d, %+v: %v", i, p, h)
		}
	}
}
