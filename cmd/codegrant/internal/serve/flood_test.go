//go:build unix

package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS296_AFloodOfStrangersHoldsNobodyUp: strangers of 50 addresses open connections,
// ask for something, and let the rest of the body, or the room for the answer, never
// come. People who are signed in are served meanwhile, and somebody of another address
// can sign in.
//
// CODEGRANT_TEST_FLOOD=15000 has that many connections; the process may then open as
// many files as the machine allows.
func TestS296_AFloodOfStrangersHoldsNobodyUp(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.50:0"); err != nil {
		return // this system has no addresses of its own beside 127.0.0.1
	} else {
		l.Close()
	}
	connections, files := 1000, "1000"
	if text := os.Getenv("CODEGRANT_TEST_FLOOD"); text != "" {
		var err error
		if connections, err = strconv.Atoi(text); err != nil {
			t.Fatalf("CODEGRANT_TEST_FLOOD is to be a number: %v", err)
		}
		files = "hard"
	}
	for name, flood := range map[string]func(net.Conn){"HTTP/1": unsentBody, "HTTP/2": unreadAnswers} {
		t.Run(name, func(t *testing.T) {
			ops := testenv.FreeAddress(t)
			more := oneUpstream + "ops_listen: " + ops + "\n"
			g := newGate(t, more)
			client := http.DefaultTransport.(*http.Transport).Clone()
			client.MaxIdleConnsPerHost = 16
			defer client.CloseIdleConnections()
			if name == "HTTP/2" {
				g.url = strings.Replace(g.url, "http:", "https:", 1)
				g.writeFile("pair.pem", expiring(t, time.Now().Add(90*24*time.Hour)))
				g.write(more + "tls: {certificate_file: pair.pem, key_file: pair.pem}\n")
				client.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // made on the spot
			}
			command := g.spawnAfter("ulimit -n "+files+"; ", nil)
			defer stopProcess(t, command)
			alice := codegranttest.NewBrowser(t)
			alice.Client.Transport = client
			alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)

			held, done := flooded(t, g, connections, flood)
			deadline := time.Now().Add(time.Minute)
			for before := int64(-1); held.Load() < int64(connections)/3 || held.Load() > before; time.Sleep(200 * time.Millisecond) {
				before = held.Load()
				if time.Now().After(deadline) {
					break
				}
			}
			atOnce := held.Load()
			latencies, refused := asked(alice.Client, g.url+"/orders", 2000)
			bob := codegranttest.NewBrowser(t)
			bob.Client.Transport = client
			page := bob.SignIn(g.url+"/orders", "bob@example.com", codegranttest.Password)
			done()
			if page.Status != 200 {
				t.Errorf("a stranger of another address cannot sign in: %d %s", page.Status, page.Body)
			}
			slices.Sort(latencies)
			if refused*100 > len(latencies) {
				t.Errorf("%d of %d requests of somebody who is signed in were not served", refused, len(latencies))
			}
			if atOnce < 200 {
				t.Errorf("only %d connections were held: that is no flood", atOnce)
			}
			t.Logf("%d connections wanted, %d held: of %d requests of somebody who is signed in %d were not served; half took %v, 99 %% %v at most",
				connections, atOnce, len(latencies), refused, latencies[len(latencies)/2], latencies[len(latencies)*99/100])
			_, metrics := operations(t, ops, "/metrics")
			for line := range strings.Lines(metrics) {
				if strings.HasPrefix(line, "codegrant_refused_total") || strings.HasPrefix(line, "codegrant_overloaded") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// unsentBody has a sign-out wait for its body.
func unsentBody(c net.Conn) {
	_, _ = io.WriteString(c, "POST /auth/logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\n\r\n")
}

// unreadAnswers asks a hundred times on one connection, and leaves no room for answers.
func unreadAnswers(c net.Conn) {
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // made on the spot
	var all bytes.Buffer
	all.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&all, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	_ = framer.WriteSettingsAck()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for stream := uint32(1); stream < 200; stream += 2 {
		block.Reset()
		for _, field := range []string{":method GET", ":scheme https", ":authority x", ":path /auth/user"} {
			name, value, _ := strings.Cut(field, " ")
			_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
	_, _ = secure.Write(all.Bytes())
}

// flooded opens connections from 50 addresses, and opens them again where they are
// closed. held is how many are open.
func flooded(t *testing.T, g *gate, connections int, flood func(net.Conn)) (held *atomic.Int64, done func()) {
	ctx, cancel := context.WithCancel(t.Context())
	held = new(atomic.Int64)
	var all sync.WaitGroup
	address := g.url[strings.LastIndexByte(g.url, '/')+1:]
	for i := range connections {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.0.0.%d", 2+i%50))}, Timeout: 30 * time.Second}
		all.Go(func() {
			for ctx.Err() == nil {
				c, err := from.DialContext(ctx, "tcp", address)
				if err == nil {
					held.Add(1)
					stop := context.AfterFunc(ctx, func() { c.Close() })
					flood(c)
					_, _ = io.Copy(io.Discard, c)
					stop()
					c.Close()
					held.Add(-1)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	return held, func() { cancel(); all.Wait() }
}

// asked makes n requests, eight at a time, and says how long each took and how many
// were not served.
func asked(client *http.Client, page string, n int) (latencies []time.Duration, refused int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(n))
	for range 8 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				why := ask(client, page, "alice@example.com")
				mu.Lock()
				latencies = append(latencies, time.Since(start))
				if why != "" {
					refused++
				}
				mu.Unlock()
				time.Sleep(5 * time.Millisecond) // people are not in a hurry
			}
		})
	}
	all.Wait()
	return latencies, refused
}
