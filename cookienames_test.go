package codegrant

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestS656_CookieNamesOfServices: services on ports of this machine have a cookie each, by
// http and https, and hand on none of each other's; elsewhere the name is one, and a name
// that is given stays as it is.
func TestS656_CookieNamesOfServices(t *testing.T) {
	for _, tt := range []struct{ base, given, want string }{
		{"http://localhost:8080", "", "codegrant-8080"}, {"http://localhost:8081", "", "codegrant-8081"}, {"http://localhost:80", "", "codegrant"}, {"http://localhost", "", "codegrant"},
		{"http://127.0.0.1:3000", "", "codegrant-3000"}, {"http://[::1]:3001", "", "codegrant-3001"}, {"http://app.localhost:3002", "", "codegrant-3002"}, {"http://127.1.2.3:3003", "", "codegrant-3003"},
		{"https://localhost:8443", "", "__Host-codegrant-8443"}, {"https://localhost:9443", "", "__Host-codegrant-9443"}, {"https://127.0.0.1:9444", "", "__Host-codegrant-9444"},
		{"https://[::1]:9445", "", "__Host-codegrant-9445"}, {"https://LOCALHOST:9446", "", "__Host-codegrant-9446"}, {"https://localhost", "", "__Host-codegrant"}, {"https://localhost:443", "", "__Host-codegrant"},
		{"https://app.example.com", "", "__Host-codegrant"}, {"https://app.example.com:8443", "", "__Host-codegrant"}, {"https://localhost.example.com:8443", "", "__Host-codegrant"},
		{"http://localhost:8082", "mine", "mine"}, {"https://localhost:8446", "__Host-mine", "__Host-mine"},
	} {
		a, err := New(Config{Pool: goodPool(), BaseURL: tt.base, CookieName: tt.given})
		if err != nil {
			t.Fatal(err)
		}
		if a.gate.cookie.Name != tt.want || !a.OwnsCookie(tt.want) {
			t.Errorf("%s: the cookie is %s, want %s", tt.base, a.gate.cookie.Name, tt.want)
		}
		here := !strings.Contains(tt.base, "example.com")
		for _, name := range []string{"codegrant-9999", "__Host-codegrant-9999"} {
			if a.OwnsCookie(name) != here {
				t.Errorf("%s takes %s of another service out: %v, want %v", tt.base, name, !here, here)
			}
		}
		for _, name := range []string{"codegrantor", "__Host-codegrants", "session", "", "xcodegrant-9999"} {
			if a.OwnsCookie(name) {
				t.Errorf("%s keeps %q from the application", tt.base, name)
			}
		}
	}
}

// TestS656_CookiesOfServices: nor do services on ports of this machine take away each other's
// sign-ins under way, messages and counts.
func TestS656_CookiesOfServices(t *testing.T) {
	for base, want := range map[string][]string{
		"http://localhost:8080":   {"codegrant-8080-flash", "codegrant-8080-signins", "codegrant-8080-after-sign-out", "codegrant-8080-request-", "codegrant-8080-part-"},
		"https://localhost:8443":  {"__Host-codegrant-8443-flash", "__Host-codegrant-8443-signins", "__Host-codegrant-8443-after-sign-out", "__Host-codegrant-8443-request-", "__Secure-codegrant-8443-part-"},
		"https://app.example.com": {"__Host-codegrant-flash", "__Host-codegrant-signins", "__Host-codegrant-after-sign-out", "__Host-codegrant-request-", "__Secure-codegrant-part-"},
	} {
		a, err := New(Config{Pool: goodPool(), BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		in := a.signIn
		got := []string{in.notes.flashCookie().Name, in.loopCookie().Name, a.signOut.afterSignOutCookie().Name, in.attemptPrefix(), in.attemptPartPrefix()}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
		for _, name := range want {
			if !a.OwnsCookie(name) {
				t.Errorf("%s hands on %s", base, name)
			}
		}
	}
	here, err := New(Config{Pool: goodPool(), BaseURL: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/auth/logout", nil)
	r.Header.Set("Cookie", "codegrant-8081-request-abc=x; codegrant-8080-request-abc=x")
	w := httptest.NewRecorder()
	here.signIn.clearAttempts(w, r)
	if got := w.Result().Cookies(); len(got) != 1 || got[0].Name != "codegrant-8080-request-abc" {
		t.Errorf("cleared: %v", got)
	}
}
