package serve

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
)

// TestS297_SharesOfTheRoom: who may hold how much, of a room for 1,024.
func TestS297_SharesOfTheRoom(t *testing.T) {
	var r room
	r.set(1024) // 768 for strangers
	address := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
	}
	fill := func(enter func() bool) (n int) {
		for enter() {
			n++
		}
		return n
	}
	var first []*stay
	come := func(from netip.Prefix, proof bool) bool {
		s := r.come(from, proof)
		if s != nil {
			first = append(first, s)
		}
		return s != nil
	}
	// One address may take half of what strangers have, and no more.
	if n := fill(func() bool { return come(address(0), false) }); n != 384 {
		t.Errorf("one address holds %d", n)
	}
	// Each other one has a share, also of those that share a /64.
	if n := fill(func() bool { return come(address(1), false) }); n != 8 {
		t.Errorf("another one holds %d", n)
	}
	for i, text := range []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"} {
		n := fill(func() bool { return come(network(netip.MustParseAddr(text)), false) })
		if want := []int{8, 0, 8}[i]; n != want {
			t.Errorf("%s holds %d, want %d", text, n, want)
		}
	}
	i := 2
	for ; fill(func() bool { return come(address(i), false) }) > 0; i++ {
	}
	if taken := r.taken(); taken != 768 {
		t.Errorf("strangers hold %d", taken)
	}
	// Proofs that prove nothing get nobody a place of those that are kept.
	for range 10 {
		s := r.come(address(0), true)
		if s == nil || s.known(nil) {
			t.Fatal("a proof that nobody has looked at")
		}
		s.leave()
	}
	// People, and proxies' questions, have theirs.
	alice, bob := &codegrant.Identity{Issuer: "pool", Subject: "alice"}, &codegrant.Identity{Issuer: "pool", Subject: "bob"}
	person := func(id *codegrant.Identity) bool {
		s := r.come(address(0), true)
		if s == nil {
			return false
		}
		if !s.known(id) {
			s.leave()
			return false
		}
		first = append(first, s)
		return true
	}
	if n := fill(func() bool { return person(alice) }); n != 64 {
		t.Errorf("one person holds %d", n)
	}
	if !person(bob) {
		t.Error("nobody else gets in")
	}
	question := r.ask()
	if question == nil {
		t.Fatal("no question gets in")
	}
	question.leave()
	// A stranger who turns out to be somebody gives their share back.
	if !first[0].known(bob) || r.strangers != 767 {
		t.Errorf("strangers hold %d", r.strangers)
	}
	for _, s := range first {
		s.leave()
	}
	if r.all != 0 || r.strangers != 0 || len(r.held) != 0 {
		t.Errorf("what is left: %d, %d, %v", r.all, r.strangers, r.held)
	}
}

// TestS298_TunnelsAreCountedApart: those that are open leave all the room for requests,
// and have a limit of their own.
func TestS298_TunnelsAreCountedApart(t *testing.T) {
	g := newGate(t, oneUpstream+"limits: {requests: 4, tunnels: 2}\n")
	g.start()
	ask := func(upgrade bool) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/open?hold", nil)
		if err != nil {
			t.Fatal(err)
		}
		if upgrade {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
		}
		return http.DefaultTransport.RoundTrip(r)
	}
	for i, tt := range []struct {
		upgrade bool
		status  int
	}{{true, 200}, {true, 200}, {true, 503}, {false, 200}, {false, 200}, {false, 200}, {false, 503}} {
		response, err := ask(tt.upgrade)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != tt.status {
			t.Errorf("%d: status %d, want %d", i, response.StatusCode, tt.status)
		}
	}
	g.logged("overloaded: requests are refused because too many are in progress")
	g.release()
}

// TestS299_AProxyThatIsNotListedIsNamed: once, with the setting that is missing.
func TestS299_AProxyThatIsNotListedIsNamed(t *testing.T) {
	const message = "requests come through a proxy that is not listed: limits take all of its clients for one; list its address"
	for _, listed := range []bool{false, true} {
		more := oneUpstream
		if listed {
			more += "trusted_proxies: 127.0.0.1\n"
		}
		g := newGate(t, more)
		g.start()
		for i := range 5 {
			r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/open", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
		if !listed {
			if line := g.logged(message); line["address"] != "127.0.0.1" || line["setting"] != "trusted_proxies" {
				t.Errorf("%v", line)
			}
		}
		if n := strings.Count(g.log.String(), message); (n == 1) == listed || n > 1 {
			t.Errorf("listed %t: the log says so %d times", listed, n)
		}
		g.end()
	}
}
