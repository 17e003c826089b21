//go:build unix

package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/time/rate"

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
	connections, files, open := 1000, "1000", 1000
	if text := os.Getenv("CODEGRANT_TEST_FLOOD"); text != "" {
		var err error
		if connections, err = strconv.Atoi(text); err != nil {
			t.Fatalf("CODEGRANT_TEST_FLOOD is to be a number: %v", err)
		}
		files, open = "hard", openFiles() // of the hard limit, which the Go runtime takes
	}
	for name, secure := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			ops := testenv.FreeAddress(t)
			more := oneUpstream + "ops_listen: " + ops + "\n"
			g := newGate(t, more)
			client := http.DefaultTransport.(*http.Transport).Clone()
			client.MaxIdleConnsPerHost = 16
			defer client.CloseIdleConnections()
			if secure {
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

			if most := streamsOf(t, g.url); secure && (most == 0 || most > 100) {
				t.Errorf("%d requests may be under way on one connection", most)
			}
			flood := newFlood(g.url[strings.LastIndexByte(g.url, '/')+1:], secure, connections)
			defer flood.end()
			rises := flood.rise(time.Minute)
			atOnce := flood.held()
			latencies, refused := asked(alice.Client, g.url+"/orders", 2000, time.Minute)
			after := flood.held()
			bob := codegranttest.NewBrowser(t)
			bob.Client.Transport = client
			page := bob.SignIn(g.url+"/orders", "bob@example.com", codegranttest.Password)
			flood.end()
			if page.Status != 200 {
				t.Errorf("a stranger of another address cannot sign in: %d %s", page.Status, page.Body)
			}
			slices.Sort(latencies)
			if refused*100 > len(latencies) {
				t.Errorf("%d of %d requests of somebody who is signed in were not served", refused, len(latencies))
			}
			if atOnce < 200 {
				t.Errorf("only %d connections were held: that is not a flood", atOnce)
			}
			_, metrics := operations(t, ops, "/metrics")
			turnedAway := false
			for line := range strings.Lines(metrics) {
				if strings.HasPrefix(line, "codegrant_refused_total") || strings.HasPrefix(line, "codegrant_overloaded") {
					t.Log(strings.TrimSpace(line))
					name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
					turnedAway = turnedAway || n != "0" && (strings.Contains(name, `"connections"`) || strings.Contains(name, `"overload"`))
				}
			}
			if !turnedAway {
				t.Error("nobody was turned away: that is not a flood")
			}
			t.Logf("%d connections wanted, where a process may have %d files open: %d held after %v, and %d at the end", connections, open, atOnce, rises.Round(time.Second), after)
			t.Logf("of %d requests of somebody who is signed in %d were not served; half took %v, 99 %% %v at most",
				len(latencies), refused, latencies[len(latencies)/2], latencies[len(latencies)*99/100])
		})
	}
}

// streamsOf is how many requests a server takes at once on one connection; 0: it does not
// say, and takes as many as come, or speaks no HTTP/2.
func streamsOf(t *testing.T, origin string) uint32 {
	t.Helper()
	address, secure := strings.CutPrefix(origin, "https://")
	if !secure {
		return 0
	}
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // made on the spot
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	framer := http2.NewFramer(c, c)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			most, _ := settings.Value(http2.SettingMaxConcurrentStreams)
			return most
		}
	}
}

// flood is connections of strangers who hold what they have. A few goroutines look after
// all of them, so that the machine's time goes into what is held and not into holding it.
type flood struct {
	address string
	secure  *tls.Config   // nil: none
	again   *rate.Limiter // connections in the place of those that were closed
	cancel  context.CancelFunc
	all     sync.WaitGroup
	begun   atomic.Int64 // of those wanted, how many have tried
	open    atomic.Int64
	wanted  int64
}

// stranger is one connection, and what comes in its place.
type stranger struct {
	from  net.Addr
	conn  net.Conn // nil: there is none
	raw   syscall.RawConn
	seen  bool // it was open when it was looked at
	tried bool
	next  time.Time // to ask again on it, or to open another
	asks  int       // requests that it begins with, over HTTP/2
	round int
}

const (
	strangersAddresses = 50
	attackers          = 48 // goroutines
	lookEvery          = 250 * time.Millisecond
	againEvery         = 20 * time.Second
	opensAtOnce        = 5 // each attacker, before it looks after the others
)

func newFlood(address string, secure bool, connections int) *flood {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flood{address: address, wanted: int64(connections), cancel: cancel, again: rate.NewLimiter(rate.Limit(connections), 1)}
	if secure {
		// A handshake costs both sides a thousand times what it costs to be held.
		f.again.SetLimit(200)
		f.secure = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, CurvePreferences: []tls.CurveID{tls.X25519}} // made on the spot
	}
	shares := make([][]*stranger, attackers)
	for i := range connections {
		asks := 100 // as many as may be: what is held then is many times what there is room for
		if i >= 200 {
			asks = 10
		}
		shares[i%attackers] = append(shares[i%attackers], &stranger{asks: asks, from: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%strangersAddresses))}})
	}
	for _, mine := range shares {
		f.all.Go(func() { f.hold(ctx, mine) })
	}
	return f
}

func (f *flood) held() int { return int(f.open.Load()) }

// end has all of them go.
func (f *flood) end() { f.cancel(); f.all.Wait() }

// rise waits until there are no more of them than there were, for so long at most.
func (f *flood) rise(most time.Duration) time.Duration {
	began := time.Now()
	for before := int64(0); time.Since(began) < most; time.Sleep(time.Second) {
		now := f.open.Load()
		if f.begun.Load() == f.wanted && now >= f.wanted/5 && now <= before+before/100 {
			break
		}
		before = now
	}
	return time.Since(began)
}

// hold looks after some of them.
func (f *flood) hold(ctx context.Context, mine []*stranger) {
	unread := make([]byte, 64<<10)
	for {
		begin, opened := time.Now(), 0
		for _, s := range mine {
			if ctx.Err() != nil {
				break
			}
			switch now := time.Now(); {
			case s.conn == nil && opened < opensAtOnce && now.After(s.next) && (!s.tried || f.again.Allow()):
				opened++
				f.begin(ctx, s)
			case s.conn == nil:
			case s.closed(unread):
				f.lose(s)
			case !s.seen:
				s.seen = true
				f.open.Add(1)
			case now.After(s.next):
				s.round++
				s.next = now.Add(againEvery)
				if f.secure != nil && !s.say(unreadAnswers(s.asks, s.round)) {
					f.lose(s)
				}
			}
		}
		wait := lookEvery
		if opened == opensAtOnce {
			wait = 0 // there are more
		}
		select {
		case <-time.After(time.Until(begin.Add(wait))):
		case <-ctx.Done():
			for _, s := range mine {
				if s.conn != nil {
					s.conn.Close()
				}
			}
			return
		}
	}
}

// begin opens a connection, and sends what never comes to an end.
func (f *flood) begin(ctx context.Context, s *stranger) {
	if !s.tried {
		s.tried = true
		defer f.begun.Add(1)
	}
	s.round, s.next = 0, time.Now().Add(time.Second)
	c, err := (&net.Dialer{LocalAddr: s.from, Timeout: 10 * time.Second}).DialContext(ctx, "tcp", f.address)
	if err != nil {
		return
	}
	s.conn = c
	if s.raw, err = c.(*net.TCPConn).SyscallConn(); err != nil {
		f.lose(s)
		return
	}
	first := []byte(unsentBody)
	if f.secure != nil {
		s.conn = tls.Client(c, f.secure)
		first = append([]byte(http2.ClientPreface), unreadAnswers(s.asks, 0)...)
	}
	if !s.say(first) {
		f.lose(s)
		return
	}
	s.next = time.Now().Add(againEvery)
}

// lose has another come in its place, a second later at the soonest.
func (f *flood) lose(s *stranger) {
	s.conn.Close()
	if s.seen {
		f.open.Add(-1)
	}
	s.conn, s.seen, s.next = nil, false, time.Now().Add(time.Second)
}

func (s *stranger) say(what []byte) bool {
	_ = s.conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := s.conn.Write(what)
	return err == nil
}

// closed reports whether the other side has closed it. What has come is of no interest.
func (s *stranger) closed(unread []byte) (gone bool) {
	err := s.raw.Control(func(fd uintptr) {
		for {
			switch n, err := syscall.Read(int(fd), unread); {
			case err == syscall.EINTR, n > 0:
				continue
			case err == syscall.EAGAIN:
			default:
				gone = true
			}
			return
		}
	})
	return gone || err != nil
}

// unsentBody has a sign-out wait for its body.
const unsentBody = "POST /auth/logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\n\r\n"

// unreadAnswers are requests on one connection, some with bodies that never come, whose
// answers there is no room for, and then ten again in each round: for the place of those
// that were given up.
func unreadAnswers(n, round int) []byte {
	const later = 10
	var all, block bytes.Buffer
	framer := http2.NewFramer(&all, nil)
	first := uint32(1)
	if round == 0 {
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		_ = framer.WriteSettingsAck()
	} else {
		first, n = uint32(2*(n+(round-1)*later)+1), later
	}
	encoder := hpack.NewEncoder(&block)
	for i := range n {
		method, path := "GET", "/auth/user"
		if i%10 == 9 {
			method, path = "POST", "/auth/logout"
		}
		block.Reset()
		for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "x"}, {":path", path}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}) // the same on every connection
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: first + 2*uint32(i), BlockFragment: block.Bytes(), EndStream: method == "GET", EndHeaders: true})
	}
	return all.Bytes()
}

// asked makes n requests, eight at a time, or as many as there is time for, and says how
// long each took and how many were not served.
func asked(client *http.Client, page string, n int, within time.Duration) (latencies []time.Duration, refused int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(n))
	over := time.Now().Add(within)
	for range 8 {
		all.Go(func() {
			for left.Add(-1) >= 0 && time.Now().Before(over) {
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
