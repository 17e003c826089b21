package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

func TestS052_S053_Cookies(t *testing.T) {
	w := httptest.NewRecorder()
	c := session.Cookie{Name: "__Host-x", Secure: true}
	c.Set(w, "value", time.Hour)
	if got, want := w.Header().Get("Set-Cookie"), "__Host-x=value; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("Set: %s, want %s", got, want)
	}
	c.Clear(w)
	if got := w.Header()["Set-Cookie"]; len(got) != 1 || !strings.Contains(got[0], "Max-Age=0") || !strings.Contains(got[0], "Secure") {
		t.Errorf("Clear after Set: %q, want the clearing alone", got)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("S-057: a response with Set-Cookie may be stored")
	}
	for name, c := range map[string]session.Cookie{
		"__Host- without https": {Name: "__Host-x"}, "__Host- with a domain": {Name: "__Host-x", Secure: true, Domain: "example.com"},
		"__host- in lower case": {Name: "__host-x"}, "__Host- with a path": {Name: "__Host-x", Secure: true, Path: "/x"},
		"__Secure- without https": {Name: "__Secure-x"}, "__Http- without https": {Name: "__Http-x"}, "SameSite=None without https": {Name: "x", SameSite: http.SameSiteNoneMode},
		"no name": {}, "a name that is none": {Name: "a b"},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: Validate() finds no fault", name)
		}
	}
}

func TestCookieLifetimes(t *testing.T) {
	for _, tt := range []struct {
		maxAge time.Duration
		want   string
	}{
		{0, "x=v; Path=/; HttpOnly; SameSite=Lax"},
		{time.Hour, "x=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{time.Millisecond, "x=v; Path=/; Max-Age=1; HttpOnly; SameSite=Lax"}, // not: until the browser is closed
		{-time.Millisecond, "x=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		session.Cookie{Name: "x"}.Set(w, "v", tt.maxAge)
		if got := w.Header().Get("Set-Cookie"); got != tt.want {
			t.Errorf("Set(%v) = %s, want %s", tt.maxAge, got, tt.want)
		}
	}
}

func TestCookiesOfOneNameAreSeveral(t *testing.T) {
	w := httptest.NewRecorder()
	host, domain := session.Cookie{Name: "x"}, session.Cookie{Name: "x", Domain: ".example.com"}
	path, longer := session.Cookie{Name: "x", Path: "/a"}, session.Cookie{Name: "xx"}
	for _, c := range []session.Cookie{host, domain, path, longer} {
		c.Set(w, "value", time.Hour)
	}
	for _, c := range []session.Cookie{host, domain, path, longer} {
		c.Clear(w)
	}
	lines := w.Header()["Set-Cookie"]
	if len(lines) != 4 {
		t.Fatalf("Set-Cookie: %q, want one for each cookie", lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, "Max-Age=0") {
			t.Errorf("a cookie that was cleared is still set: %s", line)
		}
	}
}

func valuesOf(c session.Cookie, lines ...string) ([]string, error) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, line := range lines {
		r.Header.Add("Cookie", line)
	}
	return c.Values(r)
}

func TestS054_S064_CookieValues(t *testing.T) {
	many := strings.Repeat("c=1; ", 5000)
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
		err   error
	}{
		{"no header", nil, "[]", nil},
		{"another cookie", []string{"y=1"}, "[]", nil},
		{"one", []string{"x=1"}, "[1]", nil},
		{"two", []string{"x=1; y=2; x=3"}, "[1 3]", nil},
		{"two the other way", []string{"x=3; y=2; x=1"}, "[3 1]", nil},
		{"two lines, as in HTTP/2", []string{"x=1", "x=2"}, "[1 2]", nil},
		{"empty", []string{"x="}, "[]", nil},
		{"names that hold the name", []string{"xx=1; ax=2; a=x=1"}, "[]", nil},
		{"another case", []string{"X=1"}, "[]", nil},
		{"more than are tried", []string{"x=1; x=2; x=3; x=4; x=5; x=6"}, "[1 2 3 4]", nil},
		{"malformed", []string{`x="1`}, "[]", nil},
		{"malformed, and nothing else is readable", []string{`a b=1; x=\1; c d`}, "[]", nil},
		{"too many", []string{many + "x=1"}, "[]", session.ErrTooManyCookies},
		{"too many, ours first", []string{"x=1; " + many}, "[]", session.ErrTooManyCookies},
		{"too many, in another line", []string{many, "x=1"}, "[]", session.ErrTooManyCookies},
		{"too many, ours malformed", []string{many + `x="1`}, "[]", nil},
		{"too many, none of ours", []string{many}, "[]", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := valuesOf(session.Cookie{Name: "x"}, tt.lines...)
			if !errors.Is(err, tt.err) || fmt.Sprint(got) != tt.want {
				t.Errorf("Values() = %v, %v, want %s, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestCookieRoundTrip(t *testing.T) {
	c := session.Cookie{Name: "__Host-x", Secure: true}
	value := session.NewHandle().Encode()
	w := httptest.NewRecorder()
	c.Set(w, value, time.Hour)
	set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := valuesOf(c, set.Name+"="+set.Value); err != nil || len(got) != 1 || got[0] != value {
		t.Errorf("Values() = %v, %v, want %s", got, err, value)
	}
}

func FuzzCookieValues(f *testing.F) {
	for _, line := range []string{"x=1; y=2", `x="a b"; x=;;=`, "x=1;x=2;x=3;x=4;x=5", strings.Repeat("x;", 3001) + "x=1"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		values, err := valuesOf(session.Cookie{Name: "x"}, line)
		if len(values) > 4 || err != nil && (len(values) > 0 || strings.Count(line, ";") < 100) {
			t.Errorf("Values() = %q, %v", values, err)
		}
		for _, value := range values {
			if value == "" || !strings.Contains(line, value) {
				t.Errorf("Values() = %q, which was not sent", values)
			}
		}
	})
}
