package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// copies is a replica that decides as every one does, and refuses what every one refuses.
type copies struct {
	replica.Store
	users map[string]replica.User
	ids   []string
}

func (c *copies) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	if err := s.Validate(); err != nil {
		return replica.Change{}, err
	}
	var stored *replica.User
	if u, ok := c.users[s.Subject]; ok {
		stored = &u
	}
	change := replica.Decide(replica.Mirror, stored, s, s.At)
	if stored == nil {
		c.ids = append(c.ids, s.Subject)
		change.User.ID = int64(len(c.ids))
	}
	c.users[s.Subject] = change.User
	return change, nil
}

func (c *copies) UserBySubject(_ context.Context, _, subject string) (replica.User, error) {
	return c.users[subject], nil
}

// lines are of a log that others write to meanwhile.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// door is a gateway with a pool whose people change, as one thread sees it.
type door struct {
	*testing.T
	gateway *Gateway
	pool    *peopletest.Pool
	users   *copies
	key     ed25519.PublicKey
	now     *atomic.Int64 // nanoseconds
	log     *lines
	codes   int
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{T: t, now: new(atomic.Int64), log: new(lines), users: &copies{users: make(map[string]replica.User)}}
	d.now.Store(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, d.now.Load()) }
	issuer := "https://cognito-idp.eu-west-1.amazonaws.com/" + testPool.ID
	d.pool = peopletest.NewPool(issuer, testPool.ClientID, now)
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	auth, err := codegrant.New(codegrant.Config{
		Pool: testPool, BaseURL: "https://app.example.com", HTTPClient: &http.Client{Transport: d.pool}, Now: now, Logger: log,
		Sessions: session.NewMemoryStore(session.MemoryConfig{Now: now}), Replica: d.users, Scopes: []string{"openid", "profile"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var private ed25519.PrivateKey
	if d.key, private, err = ed25519.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	d.gateway, err = New(Config{
		Tenants: []Tenant{{Auth: auth}}, Now: now, Logger: log, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Assertions: &Assertions{Keys: []ed25519.PrivateKey{private}, Issuer: "https://app.example.com"}, Routes: []Route{{Path: "/", Name: "all", Assertion: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.gateway.Close(context.Background()) })
	return d
}

func personRequest(path string, cookies []*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "app.example.com"
	r.Header.Set("X-Forwarded-Proto", "https")
	for _, c := range cookies {
		if c.MaxAge >= 0 {
			r.AddCookie(c)
		}
	}
	return r
}

// ask sends a request to the gateway's own endpoints.
func (d *door) ask(path string, cookies []*http.Cookie) *http.Response {
	w := httptest.NewRecorder()
	d.gateway.ServeHTTP(w, personRequest(path, cookies))
	return w.Result()
}

// signIn returns the cookies of somebody, and the code that tokens of theirs come with.
func (d *door) signIn(p peopletest.Person) (cookies []*http.Cookie, code string) {
	d.Helper()
	begun := d.ask("/auth/login", nil)
	to, err := url.Parse(begun.Header.Get("Location"))
	if err != nil || to.Query().Get("state") == "" {
		d.Fatalf("/auth/login: %d to %s\n%s", begun.StatusCode, to, d.log.String())
	}
	d.codes++
	code = "code-" + strconv.Itoa(d.codes)
	d.pool.Says(code, to.Query().Get("nonce"), p)
	done := d.ask("/auth/callback?code="+code+"&state="+url.QueryEscape(to.Query().Get("state")), begun.Cookies())
	if done.StatusCode/100 != 3 || done.Header.Get("Location") != "/" && done.Header.Get("Location") != "https://app.example.com/" {
		d.Fatalf("%.1000s: the callback is %d to %s\n%s", fmt.Sprint(p), done.StatusCode, done.Header.Get("Location"), d.log.String())
	}
	return done.Cookies(), code
}

// said is what an application reads of somebody, from headers or from an assertion.
type said struct {
	Subject  string `json:"sub"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
	Name     string `json:"name"`
	Groups   []string
}

// check compares everything that comes out with what the pool says. It reports whether
// the person was refused, for headers that would be too large.
func (d *door) check(p peopletest.Person, cookies []*http.Cookie) (refused bool) {
	d.Helper()
	verified := p.Attributes["email_verified"] == "true"
	want := said{p.Subject, p.Username, p.Attributes["email"], verified, p.Attributes["name"], slices.Sorted(slices.Values(p.Groups))}
	same := func(what string, got said, want said) {
		d.Helper()
		slices.Sort(got.Groups)
		if !slices.Equal(got.Groups, want.Groups) || got.Subject != want.Subject || got.Username != want.Username || got.Email != want.Email || got.Verified != want.Verified || got.Name != want.Name {
			d.Fatalf("%s says\n%.2000s, the pool\n%.2000s", what, fmt.Sprint(got), fmt.Sprint(want))
		}
	}

	w := httptest.NewRecorder()
	pass := d.gateway.CheckOriginal(w, personRequest("/orders?x=1", cookies), nil)
	refused = pass == nil
	if refused && (w.Code != http.StatusForbidden || encodedSize(p) < maxIdentity/3) {
		d.Fatalf("%.1000s: refused with %d %s\n%.3000s", fmt.Sprint(p), w.Code, w.Body, d.log.String())
	}
	if !refused {
		same("the headers", d.headers(pass.Set), func() said { // only a verified address is told, and it is
			told := want
			if !verified {
				told.Email, told.Verified = "", false
			}
			return told
		}())
		same("the assertion", d.assertion(pass.Set.Get("X-Auth-Assertion")), want)
	}

	var user said
	if err := json.NewDecoder(d.ask("/auth/user", cookies).Body).Decode(&user); err != nil {
		d.Fatal(err)
	}
	same("/auth/user", user, want)

	stored, u := d.users.users[p.Subject], said{}
	for _, m := range stored.Groups {
		if m.Pool {
			u.Groups = append(u.Groups, m.Name)
		}
	}
	u.Subject, u.Username, u.Email, u.Verified, u.Name = stored.Subject, stored.Username, stored.Email, stored.EmailVerified, want.Name // see the test of the engines
	same("the replica", u, want)
	return refused
}

func encodedSize(p peopletest.Person) int {
	return len(encode(p.Attributes["name"], false)) + len(encode(p.Username, false)) + len(new(lister).encode(p.Groups))
}

func (d *door) headers(h http.Header) (s said) {
	d.Helper()
	back := func(value string) string {
		if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) || value != strings.TrimSpace(value) {
			d.Errorf("a header is %q", value)
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			d.Error(err)
		}
		return text
	}
	if list := h.Get("X-Auth-Groups"); list != "" {
		for item := range strings.SplitSeq(list, ",") {
			s.Groups = append(s.Groups, back(item))
		}
	}
	s.Subject, s.Username, s.Email, s.Name = back(h.Get("X-Auth-Subject")), back(h.Get("X-Auth-Username")), back(h.Get("X-Auth-Email")), back(h.Get("X-Auth-Name"))
	s.Verified = s.Email != ""
	return s
}

func (d *door) assertion(token string) (s said) {
	d.Helper()
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		d.Fatalf("the assertion is %q", token)
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil || !ed25519.Verify(d.key, []byte(token[:end]), signature) {
		d.Fatalf("the assertion is not signed: %v", err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &s)
	}
	if err != nil {
		d.Fatal(err)
	}
	return s
}

// howMany people a test makes: CODEGRANT_PEOPLE, or so many.
func howMany(n int) int {
	if given, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && given > 0 {
		return given
	}
	return n
}

// TestS270_PeopleAtRandom sign in, change, and are refreshed: headers, assertion, JSON and
// replica say what the pool says, each time. Every person comes here; scripts/people.sh has
// ten thousand of them, without the race detector.
func TestS270_PeopleAtRandom(t *testing.T) {
	const threads = 2 // CODEGRANT_PEOPLE of them in all
	n, start := howMany(120), time.Now()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a fifth of the time otherwise
	var refused [threads]int
	var all sync.WaitGroup
	for thread := range threads {
		d, maker := newDoor(t), peopletest.New(uint64(thread)+1)
		all.Go(func() {
			for i := range n / threads {
				p := maker.Next()
				if i%1000 == 0 {
					p = maker.Largest()
				}
				cookies, code := d.signIn(p)
				if d.check(p, cookies) {
					refused[thread]++
				}
				maker.Change(&p)
				d.pool.Says(code, "", p)
				d.now.Add(int64(61 * time.Minute)) // the access token has expired
				d.check(p, cookies)
				d.pool.Forget(code)
				if t.Failed() {
					return
				}
			}
		})
	}
	all.Wait()
	if total := refused[0] + refused[1]; total > n/50 || total == 0 && n >= 1000 {
		t.Errorf("%d of %d were refused for their size", total, n)
	}
	t.Logf("%d people in %s; headers of %v would be too large", n, time.Since(start).Round(time.Second/10), refused)
}
