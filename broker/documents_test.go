package broker

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/publicnet"
)

// TestS699_PublicAddressesAlone: no document comes from an address that is not everybody's,
// however it is written.
func TestS699_PublicAddressesAlone(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1:248:1893:25c8:1946]:443": true, "[::ffff:93.184.216.34]:443": true,
		"93.184.216.34:80": false, "93.184.216.34:8443": false, "127.0.0.1:443": false, "127.8.8.8:443": false, "10.1.2.3:443": false, "172.16.0.1:443": false,
		"172.31.255.255:443": false, "192.168.1.1:443": false, "169.254.169.254:443": false, "100.64.0.1:443": false, "0.0.0.0:443": false, "0.1.2.3:443": false,
		"192.0.0.8:443": false, "192.0.2.1:443": false, "198.18.0.1:443": false, "198.51.100.1:443": false, "203.0.113.1:443": false, "224.0.0.1:443": false,
		"240.0.0.1:443": false, "255.255.255.255:443": false, "[::]:443": false, "[::1]:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:169.254.169.254]:443": false,
		"[::127.0.0.1]:443": false, "[64:ff9b::7f00:1]:443": false, "[64:ff9b:1::a00:1]:443": false, "[2002:7f00:1::]:443": false, "[2001::1]:443": false,
		"[2001:db8::1]:443": false, "[fc00::1]:443": false, "[fd00:ec2::254]:443": false, "[fe80::1%eth0]:443": false, "[2606:2800::1%eth0]:443": false, "[ff02::1]:443": false,
		"localhost:443": false, "": false,
	} {
		if got := publicAlone("tcp", address, nil) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if publicnet.Has(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestDocumentURLs(t *testing.T) {
	for id, want := range map[string]bool{
		"https://agent.example.com/client.json": true, "https://agent.example.com/a/b": true,
		"https://agent.example.com": false, "https://agent.example.com/": false, "http://agent.example.com/c": false, "https://agent.example.com:8443/c": false,
		"https://user@agent.example.com/c": false, "https://agent.example.com/c?x=1": false, "https://agent.example.com/c?": false, "https://agent.example.com/c#x": false,
		"https://agent.example.com/a/../c": false, "https://agent.example.com/./c": false, "https://agent.example.com//c": false, "https://agent.example.com/%2e%2e/c": false,
		"https://Agent.example.com/c": false, "https:///c": false, "https:c": false, "https://agent.example.com/\\c": false, "https://agent.example.com/ c": false,
		"https://93.184.216.34/c": true, "https://[2606:2800:220:1:248:1893:25c8:1946]/c": true, "https://127.0.0.1/c": false, "https://[::1]/c": false, "https://[::ffff:169.254.169.254]/c": false,
		"https://169.254.169.254/c": false, "https://0.0.0.0/c": false, "https://10.0.0.1/c": false, "https://2130706433/c": false, "https://0x7f.1/c": false, "https://0x7f000001/c": false, "https://127.1/c": false,
		"https://0177.0.0.1/c": false, "https://a.0x7f/c": false, "https://a.1/c": false, "https://localhost/c": false, "https://localhost./c": false, "https://agent.example.com./c": false, "https://.example.com/c": false,
		"https://agent..example.com/c": false, "https://agent.example.com:/c": false, "https://agent.example.com:443/c": false, "https://intranet/c": false,
		"https://agent.example.com/" + strings.Repeat("x", 512): false,
	} {
		if got := documentURL(id) == nil; got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
}

func TestAgeOfDocuments(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": usualAge, "max-age=60": time.Minute, `public, max-age="120"`: 2 * time.Minute, "max-age=0": 0, "no-store": 0, "max-age=60, no-cache": 0,
		"max-age=99999999999999": longestAge, "max-age=-1": usualAge, "max-age=x": usualAge, "max-age=99999999999999999999": usualAge,
	} {
		if got := ageOf(http.Header{"Cache-Control": {text}}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestDocumentsAreBounded in memory.
func TestDocumentsAreBounded(t *testing.T) {
	var d documents
	d.init(nil)
	now := time.Now()
	for i := range 3 * maxDocuments {
		d.learn(strings.Repeat("x", i), fetched{until: now.Add(time.Hour)})
	}
	if n := len(d.young) + len(d.old); n > maxDocuments {
		t.Errorf("%d documents", n)
	}
	if _, ok := d.known(strings.Repeat("x", 3*maxDocuments-1), now); !ok {
		t.Error("the newest is gone")
	}
}

func FuzzS699_Documents(f *testing.F) {
	b := &Broker{Config: Config{RedirectHosts: []string{"claude.ai"}}}
	const id = "https://agent.example.com/client.json"
	for _, seed := range []string{
		`{"client_id":"` + id + `","redirect_uris":["http://localhost/cb"]}`, `{"client_id":"` + id + `","redirect_uris":["https://claude.ai/cb"],"token_endpoint_auth_method":"none"}`,
		`{}`, `[]`, `{"client_id":"` + id + `","CLIENT_ID":"x","redirect_uris":["https://evil.example.org"]}`,
	} {
		f.Add(id, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		c, err := b.readDocument(id, text)
		if err != nil {
			return
		}
		for _, uri := range c.Redirects {
			if !strings.HasPrefix(uri, "https://claude.ai/") && uri != "https://claude.ai" && !strings.HasPrefix(uri, "https://claude.ai?") && !strings.HasPrefix(uri, "http://") {
				t.Errorf("%s may have people sent to %s", id, uri)
			}
			if got, f := b.redirectOf(c, uri); f != nil || got != uri {
				t.Errorf("%s is registered and refused: %v", uri, f)
			}
		}
	})
}
