package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// receiver stands for what is behind a URL.
type receiver struct {
	mu     sync.Mutex
	got    []string // the names of events, as they were taken
	header http.Header
	status func(attempt int) int // 0: does not answer
	calls  int
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.calls++
	r.header = q.Header
	status := r.status(r.calls)
	if status/100 == 2 {
		r.got = append(r.got, e.Detail.EventName+" "+e.Detail.RequestParameters["groupName"].(string))
	}
	r.mu.Unlock()
	if status == 0 {
		<-q.Context().Done()
		return nil, q.Context().Err()
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}}, nil
}

func (r *receiver) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, ", ")
}

type lines struct {
	mu sync.Mutex
	b  strings.Builder
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

func newTrail(r *receiver, log io.Writer) *Trail {
	n := 0
	return New(Config{
		Sinks: []Sink{{URL: "http://receiver.test/", Secret: "s3cret"}}, Client: &http.Client{Transport: r},
		Logger: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) },
		NewID: func() string { n++; return fmt.Sprintf("id-%d", n) },
	})
}

func group(name string) Call {
	return Call{Operation: "CreateGroup", PoolID: "local_Shop1", Parameters: map[string]json.RawMessage{"GroupName": json.RawMessage(`"` + name + `"`)}}
}

func TestEventOf(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	request := func(s string) (m map[string]json.RawMessage) {
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, tt := range []struct {
		name string
		call Call
		want string
	}{
		{"an administrator's", Call{
			Operation: "AdminAddUserToGroup", PoolID: "eu-west-1_Shop1", Sub: "s-1", RequestID: "r", SourceIP: "127.0.0.1", UserAgent: "aws-cli",
			Parameters: request(`{"UserPoolId":"eu-west-1_Shop1","Username":"alice","GroupName":"editors"}`),
		}, `{"version":"0","id":"i","detail-type":"AWS API Call via CloudTrail","source":"aws.cognito-idp","account":"000000000000","time":"2026-01-02T02:04:05Z","region":"eu-west-1","resources":[],"detail":{"eventVersion":"1.08","userIdentity":{"accountId":"000000000000","arn":"arn:aws:iam::000000000000:user/local","principalId":"LOCALPOOL","type":"IAMUser","userName":"local"},"eventTime":"2026-01-02T02:04:05Z","eventSource":"cognito-idp.amazonaws.com","eventName":"AdminAddUserToGroup","awsRegion":"eu-west-1","sourceIPAddress":"127.0.0.1","userAgent":"aws-cli","requestParameters":{"groupName":"editors","userPoolId":"eu-west-1_Shop1","username":"HIDDEN_DUE_TO_SECURITY_REASONS"},"responseElements":null,"additionalEventData":{"sub":"s-1"},"requestID":"r","eventID":"e","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"000000000000","eventCategory":"Management"}}`},
		{"an app's, refused", Call{
			Operation: "SignUp", PoolID: "local_Shop1", Anonymous: true, Error: &state.Error{Type: "UsernameExistsException", Message: "User already exists"},
			Parameters: request(`{"ClientId":"web","Username":"alice","Password":"Passw0rd!","UserAttributes":[{"Name":"email","Value":"a@example.com"}],"Surprise":7}`),
		}, `{"version":"0","id":"i","detail-type":"AWS API Call via CloudTrail","source":"aws.cognito-idp","account":"000000000000","time":"2026-01-02T02:04:05Z","region":"local","resources":[],"detail":{"eventVersion":"1.08","userIdentity":{"principalId":"Anonymous","type":"Unknown"},"eventTime":"2026-01-02T02:04:05Z","eventSource":"cognito-idp.amazonaws.com","eventName":"SignUp","awsRegion":"local","sourceIPAddress":"","userAgent":"","errorCode":"UsernameExistsException","errorMessage":"User already exists","requestParameters":{"clientId":"web","password":"HIDDEN_DUE_TO_SECURITY_REASONS","surprise":"HIDDEN_DUE_TO_SECURITY_REASONS","userAttributes":"HIDDEN_DUE_TO_SECURITY_REASONS","userPoolId":"local_Shop1","username":"HIDDEN_DUE_TO_SECURITY_REASONS"},"responseElements":null,"requestID":"","eventID":"e","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"000000000000","eventCategory":"Management"}}`},
	} {
		got, err := eventOf(tt.call, "i", "e", now)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
}

// An event is short, whatever a request has in it.
func TestEventOf_Bounded(t *testing.T) {
	c := group("editors")
	long := json.RawMessage(`"` + strings.Repeat("x", maxValue) + `"`)
	c.Parameters["Description"], c.Parameters[strings.Repeat("n", 100<<10)] = long, long
	for i := range 1000 {
		c.Parameters[fmt.Sprint("n", i)] = long
	}
	if got, err := eventOf(c, "i", "e", time.Now()); err != nil || len(got) > 4<<10 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Events arrive in order, with the secret, and again until they are taken.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		answers := []int{503, 0, 429, 204, 401, 204, 400, 204}
		r := &receiver{status: func(attempt int) int { return answers[attempt-1] }}
		trail := newTrail(r, log)
		defer trail.Close()
		for _, name := range []string{"a", "b", "refused", "c"} {
			trail.Record(group(name))
		}
		trail.Record(Call{Operation: "ListUsers"})
		began := time.Now()
		synctest.Wait()
		time.Sleep(timeout + time.Minute) // the bubble's time
		synctest.Wait()
		if got, want := r.taken(), "CreateGroup a, CreateGroup b, CreateGroup c"; got != want {
			t.Errorf("taken: %s, want %s", got, want)
		}
		if r.header.Get("X-Codegrant-Secret") != "s3cret" || r.header.Get("Content-Type") != "application/json; charset=utf-8" || time.Since(began) < timeout {
			t.Errorf("header %v", r.header)
		}
		if said := log.String(); strings.Count(said, "\n") != 3 || !strings.Contains(said, "status 400") || strings.Contains(said, "s3cret") {
			t.Errorf("log: %s", said)
		}
	})
}

func TestDelivery_GivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		down := true
		r := &receiver{status: func(int) int {
			if down {
				return 500
			}
			return 204
		}}
		trail := newTrail(r, log)
		defer trail.Close()
		trail.Record(group("a"))
		time.Sleep(patience + time.Minute)
		synctest.Wait()
		if r.calls < 20 || r.calls > 40 || !strings.Contains(log.String(), "it was not taken") {
			t.Errorf("%d calls; log: %s", r.calls, log)
		}
		r.mu.Lock()
		down = false
		r.mu.Unlock()
		trail.Record(group("b"))
		synctest.Wait()
		if got := r.taken(); got != "CreateGroup b" {
			t.Errorf("taken: %s", got)
		}
	})
}

// Nobody waits for a receiver, and what it does not take is bounded.
func TestRecord_Full(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		r := &receiver{status: func(int) int { return 0 }}
		trail := newTrail(r, log)
		began := time.Now()
		for range maxWaiting + 10 {
			trail.Record(group("a"))
		}
		if time.Since(began) != 0 {
			t.Error("recording waits")
		}
		if n := len(trail.queues[0].waiting); n != maxWaiting {
			t.Errorf("%d wait", n)
		}
		trail.Close()
		trail.Close()
		trail.Record(group("a"))
		trail.Add(Sink{URL: "http://late.test/"})
		trail.Record(group("a"))
		synctest.Wait()
		if said := log.String(); strings.Count(said, "too many wait") != 1 || !strings.Contains(said, fmt.Sprintf("events=%d", maxWaiting)) {
			t.Errorf("log: %s", said)
		}
	})
}

func TestRecord_NobodyListens(t *testing.T) {
	trail := New(Config{Client: &http.Client{Transport: failing{}}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: func() string { return "i" }})
	defer trail.Close()
	if trail.On("CreateGroup") {
		t.Error("somebody is told")
	}
	trail.Record(group("a"))
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }
