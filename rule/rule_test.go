package rule_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/rule"
)

func allows(t *testing.T, p codegrant.Permission, id *codegrant.Identity, r *http.Request) bool {
	t.Helper()
	ok, err := p.Check(t.Context(), id, r)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return ok
}

func why(p codegrant.Permission, id *codegrant.Identity, r *http.Request) string {
	return p.(interface {
		Why(context.Context, *codegrant.Identity, *http.Request) string
	}).Why(context.Background(), id, r)
}

// TestS660_GroupsThatIncludeOthers and roles ask for what a configuration says they mean.
func TestS660_GroupsThatIncludeOthers(t *testing.T) {
	rules, err := rule.New(rule.Config{
		Includes: map[string][]string{"admins": {"editors", "auditors"}, "editors": {"viewers"}, "root": {"admins"}},
		Roles: map[string]rule.Role{
			"publisher": {AnyGroups: []string{"editors", "press"}, Scopes: []string{"site/write"}},
			"both":      {Groups: []string{"viewers", "auditors"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		need  codegrant.Permission
		has   string // groups
		scope string
		want  bool
	}{
		{rules.InGroup("editors"), "editors", "", true},
		{rules.InGroup("editors"), "admins", "", true},
		{rules.InGroup("viewers"), "root", "", true},
		{rules.InGroup("admins"), "editors viewers auditors", "", false},
		{rules.InGroup("editors"), "Admins", "", false},
		{rules.InGroup("editors"), "viewers auditors", "", false},
		{rules.InGroup("press"), "admins root", "", false},
		{rules.InAnyGroup("press", "auditors"), "root", "", true},
		{rules.InAnyGroup("press", "auditors"), "editors", "", false},
		{rules.Role("publisher"), "press", "site/write", true},
		{rules.Role("publisher"), "root", "site/write", true},
		{rules.Role("publisher"), "press", "site/read", false},
		{rules.Role("publisher"), "viewers", "site/write", false},
		{rules.Role("both"), "admins", "", true},
		{rules.Role("both"), "editors", "", false},
		{rules.AnyRole("both", "publisher"), "press", "site/write", true},
		{rules.AnyRole("both", "publisher"), "press", "", false},
		{(*rule.Rules)(nil).InGroup("editors"), "admins", "", false},
		{(*rule.Rules)(nil).InGroup("editors"), "editors", "", true},
	} {
		id := &codegrant.Identity{Groups: strings.Fields(tt.has), Scopes: strings.Fields(tt.scope)}
		if got := allows(t, tt.need, id, nil); got != tt.want {
			t.Errorf("%s, for %s with %q: %t", tt.need, tt.has, tt.scope, got)
		}
		if allows(t, tt.need, nil, nil) {
			t.Errorf("%s allows nobody in particular", tt.need)
		}
	}
	if got := rules.InGroup("editors").String(); got != "group editors or admins or root" {
		t.Errorf("%q", got)
	}
	if got := why(rules.Role("publisher"), &codegrant.Identity{Groups: []string{"press"}}, nil); got != "it asks for scope site/write" {
		t.Errorf("%q", got)
	}
}

// TestS660_FaultsOfRules: what means nothing, or everything, is not a rule.
func TestS660_FaultsOfRules(t *testing.T) {
	for want, c := range map[string]rule.Config{
		`"a" includes itself`:   {Includes: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}},
		`"x" includes itself`:   {Includes: map[string][]string{"x": {"x"}}},
		`"e": name the group`:   {Includes: map[string][]string{"e": nil}},
		`"f": name the group`:   {Includes: map[string][]string{"f": {"g", ""}}},
		`"everybody" has neith`: {Roles: map[string]rule.Role{"everybody": {}}},
		`"r" has an empty name`: {Roles: map[string]rule.Role{"r": {Scopes: []string{""}}}},
		`one has no name`:       {Roles: map[string]rule.Role{"": {Groups: []string{"g"}}}},
	} {
		if rules, err := rule.New(c); err == nil || rules != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a role that is none is asked for")
		}
	}()
	(*rule.Rules)(nil).Role("publisher")
}

// TestS661_Emails are compared as they mean: verified ones alone, domains as the DNS has
// them, and nothing that two programs could read as two addresses.
func TestS661_Emails(t *testing.T) {
	p, err := rule.Emails([]string{"carol@partner.example", "Zoë@bücher.example"}, []string{"example.com", "*.example.org", "MÜLLER.example", "xn--strae-oqa.example"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"alice@example.com": true, "alice@EXAMPLE.com": true, "a+b.c@example.com": true, "o'neill@example.com": true, "ü@example.com": true, "山田@example.com": true,
		"alice@example.com.": false, "alice@sub.example.com": false, "alice@badexample.com": false, "alice@example.com.evil.test": false, "alice@example.co": false,
		"x@a.example.org": true, "x@a.b.Example.Org": true, "x@example.org": false, "x@.example.org": false, "x@aexample.org": false, "x@a..example.org": false,
		"carol@partner.example": true, "carol@PARTNER.example": true, "Carol@partner.example": false, "dave@partner.example": false,
		"Zoë@xn--bcher-kva.example": true, "Zoë@BÜCHER.example": true, "zoë@bücher.example": false,
		"bob@müller.example": true, "bob@xn--mller-kva.example": true, "bob@mu\u0308ller.example": true, "bob@straße.example": true, "bob@strasse.example": false,
		"alice@ｅxample.com":         true, // one and the same to the DNS
		"eve@evil.test@example.com": false, `"eve@evil.test"@example.com`: false, "eve@example.com@evil.test": false, "<alice@example.com>": false, "a b@example.com": false,
		"alice@example.com\n": false, "alice\n@example.com": false, "alice\u202e@example.com": false, "alice@example.com\u0000": false, "@example.com": false, "alice": false, "alice@": false,
		"alice@exam\u200bple.com": true, "alice@exаmple.com": false /* a Cyrillic letter */, "a,b@example.com": false, "(x)a@example.com": false, "a\xff@example.com": false,
		strings.Repeat("a", 64) + "@example.com": true, strings.Repeat("a", 65) + "@example.com": false, "alice@" + strings.Repeat("a.", 130) + "example.com": false,
	} {
		id := &codegrant.Identity{Email: address, EmailVerified: true}
		if got := allows(t, p, id, nil); got != want {
			t.Errorf("%q: %t, %s", address, got, why(p, id, nil))
		}
		id.EmailVerified = false
		if allows(t, p, id, nil) {
			t.Errorf("%q is allowed unverified", address)
		} else if reason := why(p, id, nil); reason != "the e-mail address is not verified" {
			t.Errorf("%q: %s", address, reason)
		}
	}
	if allows(t, p, nil, nil) || allows(t, p, &codegrant.Identity{EmailVerified: true}, nil) {
		t.Error("nobody is allowed")
	}
	if got := p.String(); strings.Contains(got, "@") || !strings.Contains(got, "2 that are listed or example.com or *.example.org") {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"alice", "alice@", "@example.com", "alice@localhost", "a@b@example.com", "*@example.com", "alice@10.0.0.1", "alice@exa mple.com"} {
		if _, err := rule.Emails([]string{bad}, nil); (err == nil) != (bad == "*@example.com") { // which is an address like any other
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", ".", "com", "localhost", "*", "*.", "*.com", "a.*.com", "@example.com", ".example.com", "example.com.", "exa_mple.com", "10.0.0.1", "-a.example.com", "a..b"} {
		if _, err := rule.Emails(nil, []string{bad}); err == nil {
			t.Errorf("%q is taken for a domain", bad)
		}
	}
	if _, err := rule.Emails(nil, nil); err == nil {
		t.Error("a rule without addresses")
	}
}

// TestS662_AtSignIn refuses a sign-in with a reason that quotes no address, and what cannot
// be found out says nothing about the person.
func TestS662_AtSignIn(t *testing.T) {
	p, err := rule.Emails(nil, []string{"example.com"})
	if err != nil {
		t.Fatal(err)
	}
	admit := rule.AtSignIn(p)
	if err := admit(t.Context(), &codegrant.Identity{Email: "alice@example.com", EmailVerified: true}); err != nil {
		t.Error(err)
	}
	err = admit(t.Context(), &codegrant.Identity{Email: "mallory@evil.test", EmailVerified: true})
	if err == nil || errors.Is(err, codegrant.ErrUnavailable) || strings.Contains(err.Error(), "mallory") || !strings.Contains(err.Error(), "neither the e-mail address nor its domain is allowed") {
		t.Error(err)
	}
	away := errors.New("away")
	err = rule.AtSignIn(codegrant.PermissionFunc("x", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) { return true, away }))(t.Context(), &codegrant.Identity{})
	if !errors.Is(err, codegrant.ErrUnavailable) || !errors.Is(err, away) {
		t.Error(err)
	}
}

// TestS663_Networks: a request is of a network by an address that is certain.
func TestS663_Networks(t *testing.T) {
	from, known := netip.Addr{}, true
	p, err := rule.Networks([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"}, func(*http.Request) (netip.Addr, bool) { return from, known })
	if err != nil {
		t.Fatal(err)
	}
	r, id := httptest.NewRequest("GET", "/", nil), &codegrant.Identity{Subject: "alice"}
	for address, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false, "192.0.2.7": true, "192.0.2.8": false,
		"::ffff:10.1.2.3": true, "::ffff:192.0.2.8": false, "2001:db8::1": true, "2001:db8:ffff::%eth0": true, "2001:db9::": false, "::1": false, "127.0.0.1": false,
	} {
		if from = netip.MustParseAddr(address); allows(t, p, id, r) != want {
			t.Errorf("%s: %t", address, !want)
		}
	}
	from = netip.MustParseAddr("10.1.2.3")
	if allows(t, p, nil, r) || allows(t, p, id, nil) {
		t.Error("nobody, or no request, is allowed")
	}
	if known = false; allows(t, p, id, r) || !strings.Contains(why(p, id, r), "X-Forwarded-For") {
		t.Error("an address that is not certain is allowed")
	}
	if from, known = (netip.Addr{}), true; allows(t, p, id, r) {
		t.Error("no address is allowed")
	}
	client := func(*http.Request) (netip.Addr, bool) { return from, known }
	for _, bad := range []string{"", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "example.com", "10.0.0"} {
		if _, err := rule.Networks([]string{bad}, client); err == nil {
			t.Errorf("%q is taken for a network", bad)
		}
	}
	if _, err := rule.Networks(nil, nil); err == nil {
		t.Error("a rule without networks")
	}
}

// FuzzS661_Emails: an address that is allowed has one @, no controls, and the domain at its
// end.
func FuzzS661_Emails(f *testing.F) {
	p, err := rule.Emails([]string{"carol@partner.example"}, []string{"example.com", "*.example.org"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"alice@example.com", "carol@partner.example", "x@a.example.org", "a@b@example.com", "alice@ｅxample.com", "\"a\"@example.com", "alice@example.com."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		id := &codegrant.Identity{Email: address, EmailVerified: true}
		if ok, err := p.Check(context.Background(), id, nil); err != nil {
			t.Fatal(err)
		} else if ok && (strings.Count(address, "@") != 1 || strings.ContainsFunc(address[:strings.IndexByte(address, '@')], unicode.IsControl)) {
			t.Errorf("%q is allowed", address)
		}
	})
}
