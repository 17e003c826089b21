package codegrant

import (
	"net/http/httptest"
	"testing"
)

func TestS038_OnlyNavigationsAreSentToSignIn(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	type header map[string]string
	tests := []struct {
		name                  string
		method                string
		header                header
		navigates, background bool
	}{
		{"navigation", "GET", header{"Sec-Fetch-Mode": "navigate", "Accept": browser}, true, false},
		{"form post", "POST", header{"Sec-Fetch-Mode": "navigate", "Accept": browser}, true, false},
		{"browser without fetch metadata", "GET", header{"Accept": browser}, true, false},
		{"script", "GET", header{"Sec-Fetch-Mode": "cors", "Accept": "*/*"}, false, true},
		{"script that accepts html", "GET", header{"Sec-Fetch-Mode": "same-origin", "Accept": browser}, false, true},
		{"image", "GET", header{"Sec-Fetch-Mode": "no-cors", "Accept": "image/*"}, false, true},
		{"websocket", "GET", header{"Sec-Fetch-Mode": "websocket"}, false, true},
		{"prefetch", "GET", header{"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch", "Accept": browser}, false, true},
		{"prerender", "GET", header{"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch;prerender", "Accept": browser}, false, true},
		{"XMLHttpRequest", "GET", header{"X-Requested-With": "XMLHttpRequest", "Accept": browser}, false, true},
		{"JSON client", "GET", header{"Accept": "application/json"}, false, true},
		{"JSON and anything", "GET", header{"Accept": "application/json, text/plain, */*"}, false, true},
		{"curl", "GET", header{"Accept": "*/*"}, false, false},
		{"no header", "GET", header{}, false, false},
		{"unsafe method of a browser", "DELETE", header{"Accept": browser}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if got := navigates(r); got != tt.navigates {
				t.Errorf("navigates() = %v, want %v", got, tt.navigates)
			}
			if got := background(r); got != tt.background {
				t.Errorf("background() = %v, want %v", got, tt.background)
			}
		})
	}
}

func TestS067_SignOutCausedByAnotherSite(t *testing.T) {
	const origin = "https://app.example.com"
	tests := []struct {
		name, site, referer string
		want                bool
	}{
		{"same origin", "same-origin", "", false},
		{"typed or bookmarked", "none", "", false},
		{"cross-site", "cross-site", "", true},
		{"sibling subdomain", "same-site", "", true},
		{"unknown value", "elsewhere", "", true},
		{"fetch metadata wins over Referer", "cross-site", origin + "/x", true},
		{"no browser", "", "", false},
		{"old browser, our page", "", origin + "/page", false},
		{"old browser, another page", "", "https://evil.example/", true},
		{"old browser, another port", "", origin + ":8443/", true},
		{"old browser, unreadable Referer", "", "://", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/auth/logout", nil)
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			if tt.referer != "" {
				r.Header.Set("Referer", tt.referer)
			}
			if got := causedByAnotherSite(r, origin); got != tt.want {
				t.Errorf("causedByAnotherSite() = %v, want %v", got, tt.want)
			}
		})
	}
}
