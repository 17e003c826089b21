package awssecret

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:cognito!client-1a2b3c-AbCdEf"

// vault is Secrets Manager as the tests need it: values by stage, and faults.
type vault struct {
	mu     sync.Mutex
	values map[string]string
	err    error
	slow   time.Duration
	calls  []string
}

func (v *vault) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	v.mu.Lock()
	v.calls = append(v.calls, *in.VersionStage)
	value, ok, err, slow := v.values[*in.VersionStage], v.values[*in.VersionStage] != "", v.err, v.slow
	v.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &types.ResourceNotFoundException{}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(`{"userPoolId":"eu-west-1_Ab12Cd34E","userPoolClientId":"c1","clientSecretValue":"` + value + `"}`)}, nil
}

func (v *vault) set(current, former string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values, v.err = map[string]string{"AWSCURRENT": current, "AWSPREVIOUS": former}, err
}

func (v *vault) seen() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.calls)
	v.calls = nil
	return n
}

func open(t *testing.T, v *vault, log *strings.Builder) *Source {
	t.Helper()
	s, err := New(Config{ARN: arn, Client: v, ClientID: "c1", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestS351_Source follows a source through a day of rotations and faults.
func TestS351_Source(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, log := &vault{}, &strings.Builder{}
		s := open(t, v, log)
		away := errors.New("no route to host")
		steps := []struct {
			name   string
			change func()
			again  bool
			want   []string
			calls  int
			err    string
		}{
			{name: "away from the start", change: func() { v.set("", "", away) }, calls: 1, err: "no route"},
			{name: "not there", change: func() { v.set("", "", nil) }, calls: 1, err: "ClientSecretArn"},
			{name: "read", change: func() { v.set("one", "", nil) }, want: []string{"one"}, calls: 1},
			{name: "from memory", change: func() { v.set("two", "one", nil); time.Sleep(4 * time.Minute) }, want: []string{"one"}},
			{name: "old enough to be read again", change: func() { time.Sleep(time.Minute) }, want: []string{"two", "one"}, calls: 1},
			{name: "refused by the pool", change: func() { v.set("three", "two", nil) }, again: true, want: []string{"three", "two", "one"}, calls: 2},
			{name: "refused again within the second: waits and reads", change: func() {}, again: true, want: []string{"three", "two", "one"}, calls: 2},
			{name: "away, and old", change: func() { v.set("", "", away); time.Sleep(time.Hour) }, want: []string{"three", "two", "one"}, calls: 1},
			{name: "away: AWS is left alone", change: func() { time.Sleep(29 * time.Second) }, want: []string{"three", "two", "one"}},
			{name: "away: asked again", change: func() { time.Sleep(2 * time.Second) }, want: []string{"three", "two", "one"}, calls: 1},
			{name: "away, and refused by the pool", change: func() { time.Sleep(time.Minute) }, again: true, want: []string{"three", "two", "one"}, calls: 1},
			{name: "back", change: func() { v.set("four", "three", nil); time.Sleep(time.Minute) }, want: []string{"four", "three", "two"}, calls: 1},
		}
		for _, step := range steps {
			step.change()
			got, err := s.Secrets(t.Context(), step.again)
			if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) {
				t.Errorf("%s: error %v, want %q", step.name, err, step.err)
			}
			if !slices.Equal(got, step.want) {
				t.Errorf("%s: Secrets() = %v, want %v", step.name, got, step.want)
			}
			if calls := v.seen(); calls != step.calls {
				t.Errorf("%s: %d calls of AWS, want %d", step.name, calls, step.calls)
			}
		}
		for _, secret := range []string{"one", "two", "three", "four"} {
			if strings.Contains(log.String(), "="+secret) || strings.Contains(log.String(), `"`+secret) {
				t.Errorf("the log tells %s:\n%s", secret, log)
			}
		}
	})
}

// TestS351_OneCallForAll: a hundred requests that the pool refused at once are one
// look at AWS.
func TestS351_OneCallForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{slow: 200 * time.Millisecond}
		v.set("one", "", nil)
		s := open(t, v, &strings.Builder{})
		if _, err := s.Secrets(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		v.seen()
		v.set("two", "one", nil)
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got, err := s.Secrets(t.Context(), true); err != nil || got[0] != "two" {
					t.Errorf("Secrets() = %v, %v", got, err)
				}
			})
		}
		all.Wait()
		if calls := v.seen(); calls != 2 {
			t.Errorf("%d calls of AWS, want one for each of the two values", calls)
		}
	})
}

// TestS351_HangingAWS: an AWS that does not answer holds nobody for longer than the
// timeout, and a caller that goes away does not wait.
func TestS351_HangingAWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("one", "", nil)
		s := open(t, v, &strings.Builder{})
		if _, err := s.Secrets(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		v.slow = time.Hour
		time.Sleep(time.Hour)
		start := time.Now()
		if got, err := s.Secrets(t.Context(), false); err != nil || got[0] != "one" || time.Since(start) > s.Timeout {
			t.Errorf("Secrets() = %v, %v after %v, want the value of before within %v", got, err, time.Since(start), s.Timeout)
		}
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := make(chan struct{})
		go func() { _, _ = s.Secrets(t.Context(), true); close(first) }()
		synctest.Wait()
		if _, err := s.Secrets(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Secrets() of a caller that left = %v", err)
		}
		<-first
	})
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want, err string }{
		{"Cognito's", `{"userPoolId":"p","userPoolClientId":"c1","clientSecretValue":"abc"}`, "abc", ""},
		{"with members to come", `{"clientSecretValue":"abc","new":{"x":1}}`, "abc", ""},
		{"by hand", "abc\n", "abc", ""},
		{"of another app client", `{"userPoolClientId":"c2","clientSecretValue":"abc"}`, "", "another app client"},
		{"without the value", `{"userPoolClientId":"c1"}`, "", "clientSecretValue"},
		{"of another type", `{"clientSecretValue":7}`, "", "not JSON"},
		{"cut off", `{"clientSecretValue":"canary`, "", "not JSON"},
		{"empty", "", "", "empty"},
		{"two words", "canary two", "", "white space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.text, "c1")
			if got != tt.want || tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("parse() = %q, %v, want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "abc", `{"clientSecretValue":"abc"}`, `{"clientSecretValue":null}`, "{", `{"userPoolClientId":"c2","clientSecretValue":"a"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if secret, err := parse(text, "c1"); (secret == "") != (err != nil) {
			t.Errorf("parse() = %q, %v", secret, err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []Config{{}, {ARN: "arn aws", Client: &vault{}}, {ARN: arn}, {ARN: arn, Client: &vault{}, Timeout: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v): no error", c)
		}
	}
}
