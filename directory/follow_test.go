package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

func patient(c *Config) { c.Recheck = -1 }

// look has the worker's part done for events.
func (r *rig) look(events ...string) {
	r.Helper()
	r.lookWith(r.sync(patient), events...)
}

func (r *rig) lookWith(s *Sync, events ...string) {
	r.Helper()
	var all []Event
	for _, body := range events {
		found, err := ParseEvents([]byte(body), poolID)
		r.ok(err)
		all = append(all, found...)
	}
	r.ok(s.Look(r.Context(), all))
}

func event(name, subject, group string) string { return cloudTrail(name, poolID, subject, group) }

func TestLook_Users(t *testing.T) {
	r := newRig(t)
	alice, bob := r.user("alice"), r.user("bob")
	r.full()
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)

	r.disable("alice")
	r.look(event("AdminDisableUser", alice, ""))
	if r.known(alice).Enabled || r.session(aliceHere) != "ended" || r.session(bobHere) != "live" {
		t.Errorf("alice %+v, session %s", r.known(alice), r.session(aliceHere))
	}
	// An event that comes late, after what it is about has changed again.
	r.enable("alice")
	r.look(event("AdminDisableUser", alice, ""), event("AdminEnableUser", alice, ""))
	r.look(event("AdminDisableUser", alice, ""))
	if !r.known(alice).Enabled {
		t.Error("an event that came late disabled somebody")
	}
	r.remove("bob")
	r.look(event("AdminDeleteUser", bob, ""))
	if r.known(bob).Enabled || r.session(bobHere) != "ended" {
		t.Errorf("bob %+v, session %s", r.known(bob), r.session(bobHere))
	}
	carol := r.user("carol")
	r.look(event("AdminCreateUser", carol, ""))
	r.set("carol", "name", "Carol")
	r.look(event("AdminUpdateUserAttributes", carol, ""))
	if u := r.known(carol); u.Username != "carol" || u.Name != "Carol" {
		t.Errorf("carol = %+v", u)
	}
	carolHere := r.signIn(carol)
	r.look(event("AdminUserGlobalSignOut", carol, ""))
	if r.session(carolHere) != "stale" {
		t.Errorf("carol's session is %s after she was signed out everywhere", r.session(carolHere))
	}
	r.look(event("AdminDeleteUser", "somebody who never was", ""), event("AdminDisableUser", `" or "`, ""))
	r.full()
	r.equal()

	// And late events of somebody who is deleted change nothing.
	before := r.known(bob)
	r.look(event("AdminDeleteUser", bob, ""), event("AdminEnableUser", bob, ""), event("AdminAddUserToGroup", bob, "ghosts"))
	if u := r.known(bob); u.Deleted.IsZero() || u.Enabled || !u.Deleted.Equal(before.Deleted) {
		t.Errorf("bob = %+v, want him deleted", u)
	}
}

func TestLook_Groups(t *testing.T) {
	r := newRig(t)
	r.group("admins", aws.Int32(1))
	r.group("editors", nil)
	r.group("readers", nil)
	alice, bob := r.user("alice", "editors", "readers"), r.user("bob", "readers")
	r.full()
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)

	r.join("alice", "admins")
	r.leave("alice", "editors")
	r.look(event("AdminAddUserToGroup", alice, "admins"), event("AdminRemoveUserFromGroup", alice, "editors"))
	r.equal()
	if r.session(aliceHere) != "stale" || r.session(bobHere) != "live" {
		t.Errorf("sessions: alice %s, bob %s", r.session(aliceHere), r.session(bobHere))
	}
	// Late: she has left again.
	r.leave("alice", "admins")
	r.look(event("AdminAddUserToGroup", alice, "admins"))
	r.equal()

	_, err := r.admin().DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: aws.String(poolID), GroupName: aws.String("readers")})
	r.ok(err)
	r.look(event("DeleteGroup", "", "readers"))
	r.equal()
	if r.session(bobHere) != "stale" {
		t.Errorf("bob's session is %s after his group was deleted", r.session(bobHere))
	}
	r.join("bob", "admins")
	r.look(event("AdminAddUserToGroup", bob, "admins"))
	_, err = r.admin().UpdateGroup(t.Context(), &cip.UpdateGroupInput{UserPoolId: aws.String(poolID), GroupName: aws.String("admins"), Precedence: aws.Int32(7)})
	r.ok(err)
	r.look(event("UpdateGroup", "", "admins"))
	r.equal()

	// Where the group is hidden, the sessions find out.
	carol := r.user("carol")
	r.look(event("AdminCreateUser", carol, ""))
	here := r.signIn(carol)
	r.join("carol", "admins")
	r.look(event("AdminAddUserToGroup", carol, "HIDDEN_DUE_TO_SECURITY_REASONS"))
	if r.session(here) != "stale" {
		t.Errorf("carol's session is %s", r.session(here))
	}
	r.full()
	r.equal()
}

// TestLook_ListingsLag: a listing that does not show yet what an event says is
// looked at twice.
func TestLook_ListingsLag(t *testing.T) {
	r := newRig(t)
	alice := r.user("alice")
	r.full()
	here := r.signIn(alice)
	lagging := &lag{Source: r.source(), times: 1}
	u, err := lagging.Source.User(t.Context(), alice)
	r.ok(err)
	lagging.was = u
	r.disable("alice")
	r.lookWith(r.sync(func(c *Config) { c.Source, c.Recheck = lagging, time.Millisecond }), event("AdminDisableUser", alice, ""))
	if r.known(alice).Enabled || r.session(here) != "ended" {
		t.Errorf("alice %+v, session %s", r.known(alice), r.session(here))
	}
}

// lag is a source that shows somebody as they were, so many times.
type lag struct {
	Source
	was   User
	times int
}

func (l *lag) User(ctx context.Context, subject string) (User, error) {
	if l.times--; l.times >= 0 {
		l.was.AsOf = time.Now()
		return l.was, nil
	}
	return l.Source.User(ctx, subject)
}

// TestLook_SessionsOutlastAFault: a store that failed after the replica had changed
// is told again when the event comes again.
func TestLook_SessionsOutlastAFault(t *testing.T) {
	r := newRig(t)
	alice := r.user("alice")
	r.full()
	here := r.signIn(alice)
	r.disable("alice")
	failing := &failingSessions{Sessions: r.sessions, fail: 1}
	s := r.sync(patient, func(c *Config) { c.Sessions = failing })
	events, err := ParseEvents([]byte(event("AdminDisableUser", alice, "")), poolID)
	r.ok(err)
	if err := s.Look(t.Context(), events); !errors.Is(err, errFailing) {
		t.Errorf("error = %v", err)
	}
	r.ok(s.Look(t.Context(), events))
	if r.session(here) != "ended" {
		t.Errorf("the session is %s", r.session(here))
	}
}

var errFailing = errors.New("the session store is down")

type failingSessions struct {
	Sessions
	fail int
}

func (f *failingSessions) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	if f.fail--; f.fail >= 0 {
		return 0, errFailing
	}
	return f.Sessions.DeleteBySubject(ctx, pool, subject)
}

func TestSync_User(t *testing.T) {
	r := newRig(t)
	alice := r.user("alice")
	s := r.sync(patient)
	if u, err := s.User(t.Context(), alice); err != nil || u.Username != "alice" {
		t.Errorf("User = %+v, %v", u, err)
	}
	if u, err := s.User(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("User = %+v, %v, want ErrNotFound", u, err)
	}

	// With the groups, on demand.
	r.group("admins", nil)
	r.group("editors", nil)
	r.join("alice", "admins")
	if u, err := s.User(t.Context(), alice); err != nil || len(u.Groups) != 0 {
		t.Errorf("User = %+v, %v, want no groups", u, err)
	}
	here := r.signIn(alice)
	if u, err := s.UserAndGroups(t.Context(), alice); err != nil || len(u.Groups) != 1 || u.Groups[0].Name != "admins" {
		t.Errorf("UserAndGroups = %+v, %v, want admins", u, err)
	}
	if got := r.session(here); got != "stale" {
		t.Errorf("the session is %s", got)
	}
	r.leave("alice", "admins")
	_, err := r.admin().DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: aws.String(poolID), GroupName: aws.String("admins")})
	r.ok(err)
	if u, err := s.UserAndGroups(t.Context(), alice); err != nil || len(u.Groups) != 0 {
		t.Errorf("UserAndGroups = %+v, %v, want no groups", u, err)
	}
	if u, err := s.UserAndGroups(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("UserAndGroups = %+v, %v, want ErrNotFound", u, err)
	}
	r.disable("alice")
	if u, err := s.UserAndGroups(t.Context(), alice); err != nil || u.Enabled || r.session(here) != "ended" {
		t.Errorf("UserAndGroups = %+v, %v, and the session is %s", u, err, r.session(here))
	}
}

// TestS117_EventsInAnyOrder changes the pool at random, and has two processes told
// of it out of order, and of much of it twice: then the replica is the pool, but
// for who was deleted, which a pass says. Where events were lost, a pass finds out.
func TestS117_EventsInAnyOrder(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("lost %t", lost), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			w := newWorld(t, seed, size(t, "CODEGRANT_TEST_USERS", 30))
			r := w.rig
			r.full()
			var events []string
			told := func(name, subject, group string) { events = append(events, event(name, subject, group)) }
			for range size(t, "CODEGRANT_TEST_EVENTS", 100) {
				name, p := w.somebody()
				switch w.random.IntN(9) {
				case 0:
					r.set(name, "name", fmt.Sprint("Name ", w.random.IntN(9)))
					told("AdminUpdateUserAttributes", p.subject, "")
				case 1:
					r.disable(name)
					told("AdminDisableUser", p.subject, "")
				case 2:
					r.enable(name)
					told("AdminEnableUser", p.subject, "")
				case 3, 4:
					g := w.pick(w.groups)
					r.join(name, g)
					p.groups[g] = true
					told("AdminAddUserToGroup", p.subject, g)
				case 5:
					if len(p.groups) > 0 {
						g := w.pick(p.groups)
						r.leave(name, g)
						delete(p.groups, g)
						told("AdminRemoveUserFromGroup", p.subject, g)
					}
				case 6:
					before := maps.Clone(w.users)
					w.newUser()
					for name, p := range w.users {
						if before[name].subject != p.subject {
							told("AdminCreateUser", p.subject, "")
							for g := range p.groups {
								told("AdminAddUserToGroup", p.subject, g)
							}
						}
					}
				case 7:
					if w.random.IntN(3) == 0 {
						r.remove(name)
						delete(w.users, name)
						told("AdminDeleteUser", p.subject, "")
					}
				case 8:
					g := w.pick(w.groups)
					_, err := r.admin().UpdateGroup(t.Context(), &cip.UpdateGroupInput{UserPoolId: aws.String(poolID), GroupName: &g, Precedence: aws.Int32(w.random.Int32N(9))})
					r.ok(err)
					told("UpdateGroup", "", g)
				}
			}
			events = append(events, events[:len(events)/2]...)
			if lost {
				events = events[:len(events)/4]
			}
			w.random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })

			var wg sync.WaitGroup
			batches := make(chan []string)
			for range 2 {
				s := r.sync(patient)
				wg.Go(func() {
					for batch := range batches {
						r.lookWith(s, batch...)
					}
				})
			}
			for batch := range slices.Chunk(events, 7) {
				batches <- batch
			}
			close(batches)
			wg.Wait()
			if !lost {
				want, got := r.poolRows(), r.replicaRows()
				for subject, row := range got {
					if u := r.known(subject); want[subject] == "" && (u.Enabled || len(u.Groups) > 0) || want[subject] != "" && want[subject] != row {
						t.Errorf("%s\n   pool    %s\n   replica %s", subject, want[subject], row)
					}
				}
				if len(got) < len(want) {
					t.Errorf("the replica has %d users, the pool %d", len(got), len(want))
				}
			}
			r.full(func(c *Config) { c.MaxShare = 1 })
			r.equal()
		})
	}
}

// memoryQueue is a queue as SQS is one: what was not taken from it comes again.
type memoryQueue struct {
	mu       sync.Mutex
	messages map[string]string // bodies by handle
	received map[string]int
	changed  chan struct{}
}

func newQueue() *memoryQueue {
	return &memoryQueue{messages: make(map[string]string), received: make(map[string]int), changed: make(chan struct{}, 1)}
}

func (q *memoryQueue) send(body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages[fmt.Sprintf("m%d", len(q.messages)+len(q.received))] = body
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

func (q *memoryQueue) Receive(ctx context.Context) ([]Message, error) {
	for {
		q.mu.Lock()
		var messages []Message
		for handle, body := range q.messages {
			q.received[handle]++
			messages = append(messages, Message{Body: []byte(body), Handle: handle})
		}
		q.mu.Unlock()
		if len(messages) > 0 {
			return messages, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.changed:
		}
	}
}

func (q *memoryQueue) Done(_ context.Context, messages []Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		delete(q.messages, m.Handle)
	}
	return nil
}

func (q *memoryQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages) == 0
}

// until waits for something to become true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		if err := sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorker: from an event in the queue to the end of the session it is a moment;
// what makes no sense is dropped; what fails comes again.
func TestWorker(t *testing.T) {
	r := newRig(t)
	alice, bob := r.user("alice"), r.user("bob")
	r.full()
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)
	q := newQueue()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	worker, err := NewWorker(WorkerConfig{Queue: q, Pools: Pools{poolID: r.sync(patient)}})
	r.ok(err)
	go func() { done <- worker.Run(ctx) }()

	q.send("not an event")
	r.disable("alice")
	begun := time.Now()
	q.send(event("AdminDisableUser", alice, ""))
	until(t, "alice's session ends", func() bool { return r.session(aliceHere) == "ended" })
	t.Logf("from the event to the end of the session: %s", time.Since(begun))
	until(t, "the queue is empty", q.empty)

	var failed int
	var mu sync.Mutex
	r.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		mu.Lock()
		defer mu.Unlock()
		failed++
		if failed > attempts {
			return false
		}
		refuse(w, 500, "InternalErrorException")
		return true
	})
	r.remove("bob")
	q.send(event("AdminDeleteUser", bob, ""))
	until(t, "bob's session ends", func() bool { return r.session(bobHere) == "ended" })
	until(t, "the queue is empty", q.empty)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

const testSecret = Secret("0123456789abcdef0123456789abcdef")

func TestS087_Receiver(t *testing.T) {
	r := newRig(t)
	alice := r.user("alice")
	r.full()
	now := time.Now()
	other := Secret(strings.Repeat("x", 32))
	receiver, err := NewReceiver(ReceiverConfig{Pools: Pools{poolID: r.sync(patient)}, Secrets: []Secret{testSecret, other}, Now: func() time.Time { return now }})
	r.ok(err)
	body := event("AdminDisableUser", alice, "")
	for _, tt := range []struct {
		name, method, body string
		header             http.Header
		want               int
	}{
		{"signed", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now, []byte(body))}}, 204},
		{"signed with the other secret", "POST", body, http.Header{SignatureHeader: {Sign(other, now, []byte(body))}}, 204},
		{"signed a while ago", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now.Add(-4*time.Minute), []byte(body))}}, 204},
		{"with the secret", "POST", body, http.Header{SecretHeader: {string(testSecret)}}, 204},
		{"no reason for anything", "POST", event("AdminGetUser", alice, ""), http.Header{SecretHeader: {string(testSecret)}}, 204},
		{"a trigger", "POST", strings.Replace(strings.Replace(triggered, "p_1", poolID, 1), "s-1", alice, 1), http.Header{SecretHeader: {string(other)}}, 204},

		{"nothing", "POST", body, nil, 401},
		{"another secret", "POST", body, http.Header{SecretHeader: {strings.Repeat("y", 32)}}, 401},
		{"an empty secret", "POST", body, http.Header{SecretHeader: {""}}, 401},
		{"two secrets", "POST", body, http.Header{SecretHeader: {string(testSecret), string(testSecret)}}, 401},
		{"another secret's signature", "POST", body, http.Header{SignatureHeader: {Sign(Secret(strings.Repeat("y", 32)), now, []byte(body))}}, 401},
		{"signature of another body", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now, []byte(body+" "))}}, 401},
		{"signed long ago", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now.Add(-6*time.Minute), []byte(body))}}, 401},
		{"signed in the future", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now.Add(6*time.Minute), []byte(body))}}, 401},
		{"signed at the end of time", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, time.Unix(-1<<63, 0), []byte(body))}}, 401},
		{"a wrong signature beside the right secret", "POST", body, http.Header{SignatureHeader: {"t=1,v1=00"}, SecretHeader: {string(testSecret)}}, 401},
		{"two signatures", "POST", body, http.Header{SignatureHeader: {Sign(testSecret, now, []byte(body)), "x"}}, 401},
		{"half a signature", "POST", body, http.Header{SignatureHeader: {"t=1"}}, 401},
		{"an empty signature", "POST", body, http.Header{SignatureHeader: {""}}, 401},

		{"no event", "POST", "hello", http.Header{SecretHeader: {string(testSecret)}}, 400},
		{"too large", "POST", strings.Repeat(" ", maxEventBytes+1), http.Header{SecretHeader: {string(testSecret)}}, 413},
		{"a browser", "GET", "", http.Header{SecretHeader: {string(testSecret)}}, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := r.calls("ListUsers")
			req := httptest.NewRequest(tt.method, "/events", strings.NewReader(tt.body))
			for name, values := range tt.header {
				req.Header[name] = values
			}
			w := httptest.NewRecorder()
			receiver.ServeHTTP(w, req)
			if w.Code != tt.want {
				t.Errorf("status %d, %s, want %d", w.Code, w.Body, tt.want)
			}
			if w.Code == 401 && r.calls("ListUsers") != before {
				t.Error("and it looked all the same")
			}
			if strings.Contains(w.Body.String(), string(testSecret)) {
				t.Error("the answer holds the secret")
			}
		})
	}

	r.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		refuse(w, 500, "InternalErrorException")
		return true
	})
	req := httptest.NewRequest("POST", "/", strings.NewReader(body))
	req.Header.Set(SecretHeader, string(testSecret))
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, req)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d while the pool is down", w.Code)
	}
}

// TestReceiver_Impatient: a sender that does not wait for the answer has its events
// dealt with all the same, and cannot pile them up.
func TestReceiver_Impatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slow{asked: make(chan struct{}), answer: make(chan struct{})}
		store := newReplica(t, sqlreplica.Config{})
		s, err := New(Config{Source: source, Issuer: "issuer", Replica: store, Journal: NewMemoryJournal(), Recheck: -1})
		if err != nil {
			t.Fatal(err)
		}
		receiver, err := NewReceiver(ReceiverConfig{Pools: Pools{poolID: s}, Secrets: []Secret{testSecret}, Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		post := func(ctx context.Context) int {
			req := httptest.NewRequestWithContext(ctx, "POST", "/", bytes.NewReader([]byte(event("AdminCreateUser", "s-1", ""))))
			req.Header.Set(SecretHeader, string(testSecret))
			w := httptest.NewRecorder()
			receiver.ServeHTTP(w, req)
			return w.Code
		}
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan int)
		go func() { first <- post(ctx) }()
		<-source.asked
		cancel()
		if code := post(t.Context()); code != 503 {
			t.Errorf("status %d while there is too much, want 503", code)
		}
		close(source.answer)
		if code := <-first; code != 204 {
			t.Errorf("status %d, want 204", code)
		}
		if _, err := store.UserBySubject(t.Context(), "issuer", "s-1"); err != nil {
			t.Error(err)
		}
	})
}

// TestS145_ReceiverReadsFewStrangers: a proof of the body has it read before it is
// known whose it is. Few such are read at once, and none whose signature is not of now;
// whoever shows the secret is not kept waiting by them.
func TestS145_ReceiverReadsFewStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Source: &slow{}, Issuer: "issuer", Replica: newReplica(t, sqlreplica.Config{}), Journal: NewMemoryJournal(), Recheck: -1})
		if err != nil {
			t.Fatal(err)
		}
		receiver, err := NewReceiver(ReceiverConfig{Pools: Pools{poolID: s}, Secrets: []Secret{testSecret}, Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		post := func(body io.Reader, header, value string) int {
			req := httptest.NewRequest("POST", "/", body)
			req.Header.Set(header, value)
			w := httptest.NewRecorder()
			receiver.ServeHTTP(w, req)
			return w.Code
		}
		forged := Sign(Secret(strings.Repeat("y", 32)), time.Now(), nil)
		never, end := io.Pipe()
		answers := make(chan int, readsPerSlot)
		for range readsPerSlot {
			go func() { answers <- post(never, SignatureHeader, forged) }()
		}
		synctest.Wait()
		if code := post(strings.NewReader("x"), SignatureHeader, forged); code != 503 {
			t.Errorf("one too many: status %d, want 503", code)
		}
		for _, signature := range []string{"", "t=1,v1=00", Sign(testSecret, time.Now().Add(-time.Hour), nil), forged[:len(forged)-2]} {
			if code := post(never, SignatureHeader, signature); code != 401 {
				t.Errorf("%q: status %d, want 401", signature, code)
			}
		}
		body := event("AdminGetUser", "s-1", "")
		if code := post(strings.NewReader(body), SecretHeader, string(testSecret)); code != 204 {
			t.Errorf("the secret: status %d, want 204", code)
		}
		end.Close()
		for range readsPerSlot {
			if code := <-answers; code != 401 {
				t.Errorf("a forged signature: status %d, want 401", code)
			}
		}
		if code := post(strings.NewReader(body), SignatureHeader, Sign(testSecret, time.Now(), []byte(body))); code != 204 {
			t.Errorf("signed: status %d, want 204", code)
		}
	})
}

// TestS164_EventsPanic: whatever panics as it looks into events, they wait, and
// nothing else ends.
func TestS164_EventsPanic(t *testing.T) {
	store := newReplica(t, sqlreplica.Config{})
	for name, config := range map[string]Config{"the source": {Source: panicking{}, Replica: store}, "the store": {Source: found{}, Replica: panickingStore{store}}} {
		config.Issuer, config.Journal, config.Recheck = "issuer", NewMemoryJournal(), -1
		s, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		receiver, err := NewReceiver(ReceiverConfig{Pools: Pools{poolID: s}, Secrets: []Secret{testSecret}})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("POST", "/", strings.NewReader(event("AdminCreateUser", "s-1", "")))
		req.Header.Set(SecretHeader, string(testSecret))
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, req)
		if w.Code != 503 {
			t.Errorf("%s: status %d, want 503", name, w.Code)
		}
	}
}

type panicking struct{ Source }

func (panicking) User(context.Context, string) (User, error) { panic("who?") }

type found struct{ Source }

func (found) User(_ context.Context, subject string) (User, error) {
	return User{Username: "alice", Enabled: true, Attributes: map[string]string{"sub": subject}, AsOf: time.Now()}, nil
}

type panickingStore struct{ *sqlreplica.Store }

func (panickingStore) UserBySubject(context.Context, string, string) (replica.User, error) {
	panic("whose?")
}

type slow struct {
	Source
	asked, answer chan struct{}
}

func (s *slow) User(ctx context.Context, subject string) (User, error) {
	close(s.asked)
	select {
	case <-s.answer:
		return User{Username: "alice", Enabled: true, Status: "CONFIRMED", Attributes: map[string]string{"sub": subject}, AsOf: time.Now()}, nil
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
}

func TestNewReceiver_NamesEveryFault(t *testing.T) {
	_, err := NewReceiver(ReceiverConfig{Secrets: []Secret{"short"}, Tolerance: -1})
	for _, want := range []string{"Pools", "Secrets", "Tolerance"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "short\"") {
		t.Error("the error holds the secret")
	}
	if text := fmt.Sprintf("%v %+v %#v %q %s", testSecret, testSecret, testSecret, testSecret, []any{testSecret}); strings.Contains(text, string(testSecret)) {
		t.Errorf("a secret shows itself: %s", text)
	}
}
