package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
)

// socketed is a service with WebSockets that last for as long as Auth.Watch says.
type socketed struct {
	auth  *codegrant.Auth
	shift atomic.Int64 // of the clock

	mu    sync.Mutex
	who   map[string]codegrant.Identity
	asked map[string]int   // how often a socket's permission was asked again
	ended map[string]error // why a socket ended
}

func (s *socketed) now() time.Time { return time.Now().Add(time.Duration(s.shift.Load())) }

func (s *socketed) page(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	s.mu.Lock()
	s.who[id.Username] = *id
	s.mu.Unlock()
	fmt.Fprint(w, "Welcome")
}

// socket sends back what it is sent.
func (s *socketed) socket(c *websocket.Conn) {
	id, _ := codegrant.From(c.Request().Context())
	ctx, stop := s.auth.Watch(c.Request(), codegrant.PermissionFunc("counted", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked[id.Username]++
		return true, nil
	}))
	defer stop()
	context.AfterFunc(ctx, func() { _ = c.Close() })
	for {
		var text string
		if err := websocket.Message.Receive(c, &text); err != nil {
			break
		}
		if err := websocket.Message.Send(c, "echo of "+text); err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[id.Username] = context.Cause(ctx)
}

// person is who opened a page.
func (s *socketed) person(name string) codegrant.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who[name]
}

// end is why somebody's socket has ended, if it has.
func (s *socketed) end(name string) (why error, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	why, ended = s.ended[name]
	return why, ended
}

// recheckings is how often the permission of somebody's socket was asked again.
func (s *socketed) recheckings(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// until waits for what a minute brings at the latest.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if true() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestS680_SocketsOfABrowser: a browser's WebSocket ends when its person signs out
// everywhere in another tab, and when an operator ends the session; one more goes on.
func TestS680_SocketsOfABrowser(t *testing.T) {
	s := &socketed{who: map[string]codegrant.Identity{}, asked: map[string]int{}, ended: map[string]error{}}
	chromium := browser.New(t)
	pool := codegranttest.NewPool(t, s.now)
	pool.AddUser("carol", "carol@example.com")
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	var err error
	if s.auth, err = codegrant.New(codegrant.Config{Pool: pool.Register(server.URL), BaseURL: server.URL, Now: s.now}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.auth.Mount(mux, "/auth")
	mux.Handle("/", s.auth.Require()(http.HandlerFunc(s.page)))
	mux.Handle("/socket", s.auth.Require()(websocket.Server{Handler: s.socket}))
	handler = mux

	names := []string{"alice", "bob", "carol"}
	tabs := map[string]*browser.Browser{}
	for _, name := range names {
		tabs[name] = chromium.Profile(t)
		signInAt(tabs[name], server.URL+"/", name+"@example.com")
		tabs[name].See("Welcome")
	}
	desk := tabs["alice"].Tab()
	desk.Open(server.URL + "/auth/sessions")
	desk.See("This browser")
	// Who is asked about when the access token expires is not asked about a minute later.
	first := slices.MinFunc(names, func(a, b string) int { return s.person(a).Expires.Compare(s.person(b).Expires) })
	s.shift.Store(int64(time.Until(s.person(first).Expires) - 15*time.Second))
	for _, name := range names {
		tabs[name].Eval(`const socket = new WebSocket("` + strings.Replace(server.URL, "http", "ws", 1) + `/socket")
			socket.onopen = () => socket.send("hello")
			socket.onmessage = (e) => document.body.append(" " + e.data)
			socket.onclose = () => document.body.append(" closed")
			"opened"`)
		tabs[name].See("echo of hello")
	}

	for _, name := range names {
		if why, ended := s.end(name); ended {
			t.Fatalf("%s's socket ended while everybody was signed in: %v", name, why)
		}
	}

	desk.Click("section > form:last-of-type button") // everywhere
	desk.See("You are signed out")
	bob := s.person("bob")
	sessions, _, err := s.auth.Sessions(t.Context(), bob.Subject)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions of bob's, %v", len(sessions), err)
	}
	if ended, err := s.auth.EndSession(t.Context(), bob.Subject, sessions[0].ID, "an operator"); err != nil || !ended {
		t.Fatalf("end bob's session: %t, %v", ended, err)
	}
	for _, name := range names[:2] {
		until(t, name+"'s socket ends", func() bool { _, ended := s.end(name); return ended })
		if why, _ := s.end(name); !errors.Is(why, codegrant.ErrInvalid) {
			t.Errorf("%s's socket ended with %v", name, why)
		}
		tabs[name].See("closed")
	}
	until(t, "carol is asked about", func() bool { return s.recheckings("carol") > 0 })
	tabs["carol"].Eval(`socket.send("goodbye"); "sent"`)
	tabs["carol"].See("echo of goodbye")
	if why, ended := s.end("carol"); ended {
		t.Errorf("carol's socket ended with %v", why)
	}
}
