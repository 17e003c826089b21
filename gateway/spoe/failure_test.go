package spoe_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway/spoe"
)

// TestAgentThatStops: nobody passes, and people are where they were once it is back.
func TestAgentThatStops(t *testing.T) {
	agent := listen(t)
	address := agent.Addr().String()
	s := newSite(t, nil, "timeout processing 10s", "timeout processing 3s", "inter 1s", "inter 100ms", "127.0.0.1:8081", address)
	stop := serveOn(t, agent, spoe.Config{Gateway: s.Gateway})
	alice := s.SignIn("/", "alice@example.com").Client
	s.Reaches(alice, "GET", "/reports", nil)
	stop()
	for _, path := range []string{"/reports", "/open", "/rest", "/authority"} {
		r, body := s.Ask(alice, "GET", path, nil)
		if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || r.Header.Get("Cache-Control") != "no-store" || strings.Contains(body, "Target") {
			t.Errorf("%s without an agent: %d %v %s", path, r.StatusCode, r.Header, body)
		}
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, again, spoe.Config{Gateway: s.Gateway})
	within(t, "the agent is asked again", func() bool { r, _ := s.Ask(alice, "GET", "/reports", nil); return r.StatusCode == 200 })
}

// TestAgentsThatAreNone: what does not say 200 lets nobody pass.
func TestAgentsThatAreNone(t *testing.T) {
	ack := "\x67\x00\x00\x00\x01"
	for name, answer := range map[string]func(notify string) string{ // to a NOTIFY; empty: none
		"well":               func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x06status\x03\xc8" },
		"silence":            func(string) string { return "" },
		"no variables":       func(n string) string { return ack + n[5:7] },
		"another status":     func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x06status\x03\xc9" },
		"another stream":     func(n string) string { return ack + n[5:6] + "\x7f\x01\x03\x02\x06status\x03\xc8" },
		"an empty status":    func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x06status\x08\x00" },
		"another variable":   func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x06statua\x03\xc8" },
		"half an action":     func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x06status" },
		"a farewell":         func(string) string { return goodbye + "\x63\x07message\x08\x01x" },
		"a body and no more": func(n string) string { return ack + n[5:7] + "\x01\x03\x02\x04body\x08\x02hi" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go pretend(conn, answer)
				}
			}()
			want, patience := http.StatusServiceUnavailable, "timeout processing 300ms"
			if name == "well" {
				want, patience = http.StatusOK, "timeout processing 10s" // so that the others could pass
			}
			s := newSite(t, nil, "timeout processing 10s", patience, "127.0.0.1:8081", l.Addr().String())
			for range 2 {
				if r, body := s.Ask(codegranttest.NewBrowser(t).Client, "GET", "/open", nil); r.StatusCode != want {
					t.Errorf("%d %s", r.StatusCode, body)
				}
			}
		})
	}
}

// pretend is an agent that shakes hands.
func pretend(conn net.Conn, answer func(string) string) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	for {
		content, err := frameOf(conn)
		if err != nil {
			return
		}
		switch content[0] {
		case 1:
			err = sendFrame(conn, hearHello)
		case 3:
			if a := answer(content); a != "" {
				err = sendFrame(conn, a)
			}
		default:
			return
		}
		if err != nil {
			return
		}
	}
}
