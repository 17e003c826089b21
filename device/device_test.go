package device_test

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/device"
)

func TestDescribe(t *testing.T) {
	for _, tt := range []struct{ agent, browser, system string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145", "Windows"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome 142", "Windows"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge 142", "Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15", "Safari 26", "macOS"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1", "Safari 26", "iOS"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome 142", "Android"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145", "Linux"},
		{"curl/8.14.1", "", ""},
		{"", "", ""},
		{strings.Repeat("Firefox/", 1000), "", ""},
	} {
		if browser, system := device.Describe(tt.agent); browser != tt.browser || system != tt.system {
			t.Errorf("Describe(%.80q) = %q, %q; want %q, %q", tt.agent, browser, system, tt.browser, tt.system)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, seed := range []string{"", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox/\x00", "Chrome/", "Mozilla/5.0 ("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, agent string) {
		browser, system := device.Describe(agent)
		if len(browser) > 64 || len(system) > 64 || strings.ContainsAny(browser+system, "<>&\"\r\n\x00") {
			t.Fatalf("%q is %q on %q", agent, browser, system)
		}
	})
}
