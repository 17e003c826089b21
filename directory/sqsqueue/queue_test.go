package sqsqueue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/sqsqueue/sqstest"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// client is AWS's client as an application makes it, but for the endpoint, and for
// repeating what fails: that would only take time.
func client(endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(endpoint), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "worker", SecretAccessKey: "none"}, nil
		}),
	})
}

func newQueue(t *testing.T, edit ...func(*Config)) (*Queue, *sqstest.Server, *sqs.Client) {
	t.Helper()
	server := sqstest.New(1)
	behind := httptest.NewServer(server)
	t.Cleanup(behind.Close)
	sdk := client(behind.URL)
	config := Config{Client: sdk, URL: behind.URL + sqstest.Path, Wait: time.Second}
	for _, f := range edit {
		f(&config)
	}
	q, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return q, server, sdk
}

func TestQueue(t *testing.T) {
	q, server, sdk := newQueue(t)
	for i := range 23 {
		if _, err := sdk.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String(fmt.Sprint("body ", i, " ü"))}); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := q.Check(t.Context()); err != nil || state != (State{Waiting: 23, DeadLetter: true}) {
		t.Errorf("Check = %+v, %v", state, err)
	}
	var all []directory.Message
	bodies := make(map[string]bool)
	for len(all) < 23 {
		messages, err := q.Receive(t.Context())
		if err != nil || len(messages) == 0 || len(messages) > 10 {
			t.Fatalf("Receive = %d messages, %v", len(messages), err)
		}
		all = append(all, messages...)
	}
	for _, m := range all {
		bodies[string(m.Body)] = true
	}
	if len(bodies) != 23 || !bodies["body 7 ü"] {
		t.Errorf("%d bodies", len(bodies))
	}
	if state, err := q.Check(t.Context()); err != nil || state.InFlight != 23 {
		t.Errorf("Check = %+v, %v", state, err)
	}
	begun := time.Now()
	if messages, err := q.Receive(t.Context()); err != nil || len(messages) != 0 {
		t.Errorf("an empty queue: %d messages, %v", len(messages), err)
	}
	if took := time.Since(begun); took < 900*time.Millisecond {
		t.Errorf("it did not wait: %s", took)
	}
	if err := q.Done(t.Context(), all); err != nil {
		t.Error(err)
	}
	if n, calls := server.Len(), server.Calls("DeleteMessageBatch"); n != 0 || calls != 3 {
		t.Errorf("%d messages left after %d calls", n, calls)
	}
	if err := q.Done(t.Context(), nil); err != nil || server.Calls("DeleteMessageBatch") != 3 {
		t.Error("it asks for nothing to be deleted:", err)
	}
}

// TestQueue_Partial: what could not be taken from the queue is said, and the rest is.
func TestQueue_Partial(t *testing.T) {
	q, server, _ := newQueue(t)
	for range 15 {
		server.Send("x")
	}
	var all []directory.Message
	for len(all) < 15 {
		messages, err := q.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, messages...)
	}
	all[3].Handle = "made up"
	err := q.Done(t.Context(), all)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "1 of 15 messages stay") {
		t.Errorf("Done = %v", err)
	}
	if server.Len() != 1 {
		t.Errorf("%d messages left", server.Len())
	}
	server.Set(sqstest.Faults{Keep: 1})
	if err := q.Done(t.Context(), all[3:4]); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Done = %v", err)
	}
}

func TestQueue_Errors(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		want   error
		says   string
	}{
		{"QueueDoesNotExist", 400, ErrRefused, "no such queue"},
		{"InvalidAddress", 400, ErrRefused, "not a URL of a queue"},
		{"AccessDeniedException", 403, ErrRefused, "allow sqs:ReceiveMessage"},
		{"AccessDenied", 403, ErrRefused, "allow sqs:ReceiveMessage"},
		{"KmsAccessDenied", 400, ErrRefused, "kms:Decrypt"},
		{"KmsDisabled", 400, ErrRefused, "key of the queue"},
		{"UnrecognizedClientException", 403, ErrRefused, "credentials"},
		{"SomethingElse", 400, ErrRefused, ""},
		{"RequestThrottled", 400, ErrUnavailable, ""},
		{"ExpiredTokenException", 403, ErrUnavailable, ""},
		{"InternalError", 500, ErrUnavailable, ""},
		{"ServiceUnavailable", 503, ErrUnavailable, ""},
	} {
		t.Run(tt.code, func(t *testing.T) {
			q, server, _ := newQueue(t)
			server.Set(sqstest.Faults{Refuse: func(string) (int, string) { return tt.status, tt.code }})
			_, receive := q.Receive(t.Context())
			_, check := q.Check(t.Context())
			for _, err := range []error{receive, check, q.Done(t.Context(), []directory.Message{{Handle: "x"}})} {
				if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.says) {
					t.Errorf("%v, want %v that says %q", err, tt.want, tt.says)
				}
			}
		})
	}
	q, _, _ := newQueue(t, func(c *Config) { c.Client = client("http://127.0.0.1:1") })
	if _, err := q.Receive(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	q, _, _ = newQueue(t, func(c *Config) { c.URL += "s" })
	if _, err := q.Check(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no such queue") {
		t.Errorf("another URL: %v", err)
	}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the client go
		<-r.Context().Done()
	}))
	defer hanging.Close()
	q, _, _ = newQueue(t, func(c *Config) { c.Client, c.Timeout = client(hanging.URL), 10*time.Millisecond })
	if err := q.Done(t.Context(), []directory.Message{{Handle: "x"}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Receive(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("its context has ended: %v", err)
	}
}

// people is a source in which everybody exists, that says who was looked up.
type people struct {
	directory.Source
	mu     sync.Mutex
	looked map[string]int
	failed int
}

func (p *people) User(_ context.Context, subject string) (directory.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed%23 == 22 {
		p.failed++
		return directory.User{}, directory.ErrUnavailable
	}
	p.failed++
	p.looked[subject]++
	return directory.User{Username: subject, Enabled: true, Status: "CONFIRMED", Attributes: map[string]string{"sub": subject}, AsOf: time.Now()}, nil
}

// TestS117_UnreliableQueue: messages are repeated, come in another order, late, and
// are hard to get rid of, and the pool fails now and then: everybody whom an event
// names is looked up, and the queue ends empty.
func TestS117_UnreliableQueue(t *testing.T) {
	q, server, _ := newQueue(t, func(c *Config) { c.Visibility = time.Second })
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	source := &people{looked: make(map[string]int)}
	s, err := directory.New(directory.Config{Source: source, Issuer: "issuer", Replica: store, Journal: directory.NewMemoryJournal(), Recheck: -1})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := directory.NewWorker(directory.WorkerConfig{Queue: q, Pools: directory.Pools{"eu-west-1_A": s}})
	if err != nil {
		t.Fatal(err)
	}
	refusals := 0
	var mu sync.Mutex
	server.Set(sqstest.Faults{Repeat: 0.3, Delay: 200 * time.Millisecond, Keep: 0.1, Refuse: func(string) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if refusals++; refusals%11 == 0 {
			return 503, "ServiceUnavailable"
		}
		return 0, ""
	}})
	var want []string
	for i := range 60 {
		subject := fmt.Sprint("s-", i)
		want = append(want, subject)
		server.Send(fmt.Sprintf(`{"detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"AdminDisableUser","eventSource":"cognito-idp.amazonaws.com",`+
			`"requestParameters":{"userPoolId":"eu-west-1_A"},"additionalEventData":{"sub":%q}}}`, subject))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()
	looked := func() []string {
		source.mu.Lock()
		defer source.mu.Unlock()
		var missing []string
		for _, subject := range want {
			if source.looked[subject] == 0 {
				missing = append(missing, subject)
			}
		}
		return missing
	}
	deadline := time.After(30 * time.Second)
	for server.Len() > 0 || len(looked()) > 0 {
		select {
		case <-deadline:
			t.Fatalf("after 30 s %d messages are left, and nobody has looked up %q", server.Len(), looked())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNew_NamesEveryFault(t *testing.T) {
	_, err := New(Config{URL: "events", Wait: 21 * time.Second, Visibility: -1, Timeout: -1})
	for _, want := range []string{"Client", "URL", "Wait", "Visibility", "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
	if _, err := New(Config{Client: client("http://x"), URL: "https://sqs.eu-west-1.amazonaws.com/1/events.fifo"}); err == nil || !strings.Contains(err.Error(), "FIFO") {
		t.Error(err)
	}
	q, err := New(Config{Client: client("http://x"), URL: "https://sqs.eu-west-1.amazonaws.com/1/events"})
	if err != nil || q.Wait != 20*time.Second || q.Visibility != 2*time.Minute {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestRegion(t *testing.T) {
	for url, want := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/1/x": "eu-west-1", "https://sqs-fips.us-east-1.amazonaws.com/1/x": "us-east-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/1/x": "cn-north-1", "https://eu-west-2.queue.amazonaws.com/1/x": "eu-west-2",
		"https://vpce-1-2.sqs.eu-west-3.vpce.amazonaws.com/1/x": "eu-west-3", "https://sqs.eu-west-1.api.aws/1/x": "eu-west-1",
		"http://127.0.0.1:9324/1/x": "", "http://localhost/1/x": "", "://": "",
	} {
		if got := Region(url); got != want {
			t.Errorf("Region(%q) = %q, want %q", url, got, want)
		}
	}
}
