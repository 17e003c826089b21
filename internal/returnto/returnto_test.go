package returnto

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func testRules(t testing.TB) *Rules {
	t.Helper()
	rules, err := New(base, []string{sibling})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestS043_HostileTargetsAreRefused(t *testing.T) {
	rules := testRules(t)
	names := map[string]bool{}
	for _, tt := range hostile {
		if names[tt.name] {
			t.Errorf("two rows are named %q", tt.name)
		}
		names[tt.name] = true
		t.Run(tt.name, func(t *testing.T) {
			got, err := rules.Check(tt.target)
			if !errors.Is(err, ErrRefused) || got != "" {
				t.Errorf("Check(%q) = %q, %v, want %v", tt.target, got, err, ErrRefused)
			}
		})
	}
}

// TestS375_EncodedPaths: where people may come back to paths that servers read in several
// ways, what is hostile stays so, but for these.
func TestS375_EncodedPaths(t *testing.T) {
	rules := testRules(t)
	rules.Encoded = true
	for _, target := range []string{
		"/api/queues/%2F/orders", "/group%2Fproject/-/blob", "/wiki/Special//x", "/a;v=1/b%3Bc", "/a%252Fb", "/a%5Cb", "/a%2Bb'c", "/a//b?", "/dashboard//evil.example", "/dashboard//",
		base + "/a//b", base + "/a%2fb?x=%2F#y",
	} {
		if got, err := rules.Check(target); err != nil || got != target {
			t.Errorf("Check(%q) = %q, %v", target, got, err)
		}
	}
	for _, target := range []string{
		"/%2f%2F/x", "/a/%2e%2e%2f%2fevil.example", "/a%2F..%2F%2Fevil.example", "/a/..%5cb", "/a%2f..;x%2fb", "/%25252525252525252525252fevil.example", "/a%2f%0d%0ab", "/a%2f%ff",
	} {
		if got, err := rules.Check(target); !errors.Is(err, ErrRefused) {
			t.Errorf("Check(%q) = %q, %v", target, got, err)
		}
	}
	allowed := map[string]bool{
		"two slashes later": true, "two slashes at the end": true, "two slashes deep in a URL of ours": true, "encoded slash later": true,
	}
	for _, tt := range hostile {
		got, err := rules.Check(tt.target)
		if allowed[tt.name] != (err == nil) {
			t.Errorf("%s: Check(%q) = %q, %v", tt.name, tt.target, got, err)
		}
	}
	for _, tt := range harmless {
		if _, err := rules.Check(tt.target); err != nil {
			t.Errorf("%s: Check(%q): %v", tt.name, tt.target, err)
		}
	}
}

func TestS044_TheLocationIsWhatWasChecked(t *testing.T) {
	rules := testRules(t)
	for _, tt := range harmless {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.target
			}
			got, err := rules.Check(tt.target)
			if err != nil || got != want {
				t.Fatalf("Check(%q) = %q, %v, want %q", tt.target, got, err, want)
			}
			if again, err := rules.Check(got); err != nil || again != got {
				t.Errorf("Check(%q) = %q, %v the second time", got, again, err)
			}
			if sent := location(t, got); sent != got {
				t.Errorf("Redirect(%q) sent Location: %q", got, sent)
			}
		})
	}
}

// location returns the header that a client receives for a target.
func location(t *testing.T, target string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Redirect(w, target, http.StatusSeeOther)
	}))
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.Header.Get("Location")
}

func TestS036_RedirectsAreKeptByNobody(t *testing.T) {
	w := httptest.NewRecorder()
	Redirect(w, "/dashboard", http.StatusSeeOther)
	h := w.Result().Header
	if w.Code != http.StatusSeeOther || h.Get("Location") != "/dashboard" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || w.Body.Len() != 0 {
		t.Errorf("Redirect() = %d, %v, body %q", w.Code, h, w.Body)
	}
}

// TestS046_Origins is about what an operator may allow.
func TestS046_Origins(t *testing.T) {
	tests := []struct {
		name, base, target, want string // want is empty where the target is refused
	}{
		{"this machine over http", "http://localhost:8080", "http://localhost:8080/a", "http://localhost:8080/a"},
		{"this machine, another port", "http://localhost:8080", "http://localhost:8081/a", ""},
		{"this machine by another name", "http://localhost:8080", "http://127.0.0.1:8080/a", ""},
		{"this machine by a name below localhost", "http://app.localhost:8080", "http://app.localhost:8080/a", "http://app.localhost:8080/a"},
		{"this machine over https", "http://localhost", "https://localhost/a", ""},
		{"this machine by address", "http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/"},
		{"this machine by another of its addresses", "http://127.0.0.2", "http://127.0.0.2:80/a", "http://127.0.0.2/a"},
		{"this machine by IPv6", "http://[::1]:8080", "http://[::1]:8080/a", "http://[::1]:8080/a"},
		{"this machine by IPv6, longer", "http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/a", ""},
		{"name that begins as this machine", "http://localhost", "http://localhost.evil.example/", ""},
		{"address over https", "https://192.0.2.1", "https://192.0.2.1/a", "https://192.0.2.1/a"},
		{"address in another notation", "https://192.0.2.1", "https://3221225985/a", ""},
		{"trailing slash", "https://app.example.com/", "https://app.example.com/a", "https://app.example.com/a"},
		{"capitals", "https://App.Example.com", "https://app.example.com/a", "https://app.example.com/a"},
		{"default port", "https://app.example.com:443", "https://app.example.com/a", "https://app.example.com/a"},
		{"punycode", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example/a", "https://xn--bcher-kva.example/a"},
		{"punycode, decoded", "https://xn--bcher-kva.example", "https://bücher.example/a", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := New(tt.base, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rules.Check(tt.target)
			if got != tt.want || (tt.want == "") != errors.Is(err, ErrRefused) {
				t.Errorf("New(%q).Check(%q) = %q, %v, want %q", tt.base, tt.target, got, err, tt.want)
			}
		})
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	faulty := []string{
		"", "app.example.com", "http://app.example.com", "https://app.example.com/path", "https://app.example.com?a", "https://app.example.com//",
		"https://user@app.example.com", "https://app.example.com:", "https://app.example.com:70000", "https://*.example.com", "https://bücher.example",
		"https://", "javascript:alert(1)", "null", "*", "http://0x7f.1", "https://[2001:db8::1]",
		"https://app.example.com:0443", "https://-app.example.com", "https://" + strings.Repeat("a", 64) + ".example.com",
		"https://" + strings.Repeat("a.", 126) + "com",
	}
	rules, err := New(base, faulty)
	if rules != nil || err == nil {
		t.Fatalf("New() = %v, %v", rules, err)
	}
	if got := len(strings.Split(err.Error(), "\n")); got != len(faulty) {
		t.Errorf("New() names %d faults, want %d:\n%v", got, len(faulty), err)
	}
	for _, raw := range faulty {
		if !strings.Contains(err.Error(), `"`+raw+`"`) {
			t.Errorf("New() does not name %q", raw)
		}
	}
}

func TestZeroRulesAllowPathsAlone(t *testing.T) {
	rules := new(Rules)
	if got, err := rules.Check("/dashboard"); err != nil || got != "/dashboard" {
		t.Errorf("Check(/dashboard) = %q, %v", got, err)
	}
	if got, err := rules.Check(base + "/"); !errors.Is(err, ErrRefused) {
		t.Errorf("Check(%s/) = %q, %v", base, got, err)
	}
}
