package directory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// allUsers walks through all pages of the users.
func allUsers(t *testing.T, s Source, prefix string) []User {
	t.Helper()
	var all []User
	for q := (UserQuery{Prefix: prefix}); ; {
		page, err := s.Users(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Users...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

func TestCognito_Reads(t *testing.T) {
	p := newPool(t)
	p.group("admins", aws.Int32(3))
	p.group(poolID+"_Google", nil)
	var subjects []string
	for i := range 130 {
		groups := []string{"admins"}
		if i%2 == 0 {
			groups = nil
		}
		subjects = append(subjects, p.user(fmt.Sprintf("user%d", i), groups...))
	}
	p.disable("user7")
	s := p.source()

	var read []string
	for _, u := range allUsers(t, s, "") {
		read = append(read, u.Subject())
		if u.Username == "user7" && (u.Enabled || u.Attributes["email"] != "user7@example.com" || u.Status != "FORCE_CHANGE_PASSWORD" || u.Modified.IsZero() || u.AsOf.IsZero()) {
			t.Errorf("user7 = %+v", u)
		}
	}
	slices.Sort(read)
	slices.Sort(subjects)
	if !slices.Equal(read, subjects) {
		t.Errorf("read %d users, want the %d of the pool", len(read), len(subjects))
	}
	if n := p.calls("ListUsers"); n < 3 || n > 4 { // a page may be short
		t.Errorf("%d calls for 130 users, want 3", n)
	}
	of := 0
	for _, digit := range "0123456789abcdef" {
		for _, u := range allUsers(t, s, string(digit)) {
			of++
			if !strings.HasPrefix(u.Subject(), string(digit)) {
				t.Errorf("with prefix %c: %s", digit, u.Subject())
			}
		}
	}
	if of != len(subjects) {
		t.Errorf("read %d users by prefix, want %d", of, len(subjects))
	}

	page, err := s.Groups(t.Context(), "")
	p.ok(err)
	if len(page.Groups) != 2 || page.Groups[0].Name != "admins" || *page.Groups[0].Precedence != 3 || page.Groups[1].Precedence != nil {
		t.Errorf("groups = %+v", page.Groups)
	}
	members := 0
	for after := ""; ; {
		page, err := s.Members(t.Context(), "admins", after)
		p.ok(err)
		members += len(page.Subjects)
		if after = page.Next; after == "" {
			break
		}
	}
	if members != 65 {
		t.Errorf("%d members, want 65", members)
	}
}

func TestCognito_LooksUp(t *testing.T) {
	p := newPool(t)
	subject := p.user("alice")
	s := p.source()
	if u, err := s.User(t.Context(), subject); err != nil || u.Username != "alice" {
		t.Errorf("User = %+v, %v", u, err)
	}
	p.remove("alice")
	p.user("alice")
	for _, nobody := range []string{subject, strings.ToUpper(subject), "", `" or "`, `\`, `x" `, strings.Repeat("x", 101), "\xff"} {
		if u, err := s.User(t.Context(), nobody); !errors.Is(err, ErrNotFound) {
			t.Errorf("User(%q) = %+v, %v, want ErrNotFound", nobody, u, err)
		}
	}
	if _, err := s.Members(t.Context(), "ghosts", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("members of no group: %v, want ErrNotFound", err)
	}
}

// TestS119_FilterIsEscaped: what is looked for cannot become another filter.
func TestS119_FilterIsEscaped(t *testing.T) {
	p := newPool(t)
	var filter string
	p.injecting(func(_ http.ResponseWriter, _ string, in request) bool { filter = in.Filter; return false })
	_, err := p.source().User(t.Context(), `a"b\c`)
	if want := `sub = "a\"b\\c"`; !errors.Is(err, ErrNotFound) || filter != want {
		t.Errorf("filter = %s, %v, want %s", filter, err, want)
	}
}

// TestCognito_FilterFoldsCase: an answer that holds somebody of almost the same
// subject is nobody.
func TestCognito_FilterFoldsCase(t *testing.T) {
	p := newPool(t)
	p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		answer(w, `{"Users":[{"Username":"eve","Enabled":true,"UserStatus":"CONFIRMED","Attributes":[{"Name":"sub","Value":"ABC"}]}]}`)
		return true
	})
	if u, err := p.source().User(t.Context(), "abc"); !errors.Is(err, ErrNotFound) {
		t.Errorf("User = %+v, %v, want ErrNotFound", u, err)
	}
}

func TestCognito_Errors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		after  string
		want   error
		calls  int
	}{
		{"a fault of the pool", 500, "InternalErrorException", "", ErrUnavailable, attempts},
		{"out of service", 503, "ServiceUnavailable", "", ErrUnavailable, attempts},
		{"expired credentials", 400, "ExpiredTokenException", "", ErrUnavailable, attempts},
		{"no permission", 400, "AccessDeniedException", "", ErrRefused, 1},
		{"bad credentials", 400, "UnrecognizedClientException", "", ErrRefused, 1},
		{"no such pool", 400, "ResourceNotFoundException", "", ErrRefused, 1},
		{"not enabled", 400, "OperationNotEnabledException", "", ErrRefused, 1},
		{"nonsense", 400, "InvalidParameterException", "", ErrRefused, 1},
		{"a token that has expired", 400, "InvalidParameterException", "token", ErrStaleCursor, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t)
			p.injecting(func(w http.ResponseWriter, _ string, _ request) bool { refuse(w, tt.status, tt.kind); return true })
			s := p.source()
			_, err := s.Users(t.Context(), UserQuery{After: tt.after})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), poolID) {
				t.Errorf("error = %v, want %v that names the pool", err, tt.want)
			}
			if n := p.calls("ListUsers"); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
			if _, err := s.Members(t.Context(), "admins", tt.after); !errors.Is(err, tt.want) || errors.Is(err, ErrNotFound) {
				t.Errorf("members: error = %v, want %v", err, tt.want)
			}
		})
	}
}

// TestS118_MalformedAnswers: half of an answer is not an answer.
func TestS118_MalformedAnswers(t *testing.T) {
	for name, document := range map[string]string{
		"not JSON":          `<html>`,
		"cut off":           `{"Users":[{"Username":"a"`,
		"without subject":   `{"Users":[{"Username":"a","Enabled":true,"UserStatus":"CONFIRMED"}]}`,
		"without a name":    `{"Users":[{"Enabled":true,"UserStatus":"CONFIRMED","Attributes":[{"Name":"sub","Value":"s"}]}]}`,
		"without a status":  `{"Users":[{"Username":"a","Attributes":[{"Name":"sub","Value":"s"}]}]}`,
		"going in a circle": `{"Users":[],"PaginationToken":"again","NextToken":"again"}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t)
			p.injecting(func(w http.ResponseWriter, _ string, _ request) bool { answer(w, document); return true })
			s := p.source()
			if page, err := s.Users(t.Context(), UserQuery{After: "again"}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Users = %+v, %v, want ErrUnavailable", page, err)
			}
			if page, err := s.Members(t.Context(), "admins", "again"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Members = %+v, %v, want ErrUnavailable", page, err)
			}
		})
	}
}

// TestCognito_Yields: calls that are one too many are repeated until they are not,
// and the answer is whole.
func TestCognito_Yields(t *testing.T) {
	p := newPool(t)
	p.user("alice")
	var refused atomic.Int32
	p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		if refused.Add(1) <= 3 {
			refuse(w, 400, "TooManyRequestsException")
			return true
		}
		return false
	})
	s := p.source()
	if users := allUsers(t, s, ""); len(users) != 1 {
		t.Errorf("read %d users, want 1", len(users))
	}
	if made, throttled := s.Calls(); made != 4 || throttled != 3 {
		t.Errorf("%d calls, %d of them refused, want 4 and 3", made, throttled)
	}

	p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		refuse(w, 400, "TooManyRequestsException")
		return true
	})
	s = p.source(func(c *CognitoConfig) { c.Patience = time.Millisecond })
	if _, err := s.Users(t.Context(), UserQuery{}); !errors.Is(err, ErrThrottled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("error = %v, want ErrThrottled", err)
	}
}

func TestCognito_EndsWithItsContext(t *testing.T) {
	p := newPool(t)
	p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		refuse(w, 500, "InternalErrorException")
		return true
	})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
		cancel(why)
		refuse(w, 500, "InternalErrorException")
		return true
	})
	if _, err := p.source().Users(ctx, UserQuery{}); !errors.Is(err, why) {
		t.Errorf("error = %v, want the cause", err)
	}
}

// TestCognito_Concurrency: no more calls are under way than allowed.
func TestCognito_Concurrency(t *testing.T) {
	p := newPool(t)
	var now, most atomic.Int32
	p.injecting(func(http.ResponseWriter, string, request) bool {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		p.server.Calls("") // takes a moment
		return false
	})
	s := p.source(func(c *CognitoConfig) { c.Concurrency = 3 })
	done := make(chan error)
	for range 40 {
		go func() { _, err := s.Users(t.Context(), UserQuery{}); done <- err }()
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d calls at once, want at most 3", most.Load())
	}
}

func TestNewCognito_NamesEveryFault(t *testing.T) {
	_, err := NewCognito(CognitoConfig{PoolID: "shop", Rate: -1})
	for _, want := range []string{"Client", "PoolID", "Rate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
}

// quota refuses calls beyond so many in a second, as Cognito does.
type quota struct {
	most  int
	begun time.Time
	used  int
}

func (q *quota) takes() bool {
	if now := time.Now(); now.Sub(q.begun) >= time.Second {
		q.begun, q.used = now, 0
	}
	q.used++
	return q.used <= q.most
}

// TestPace_UsesTheQuota: whatever the quota, nearly all of it is used, and nearly
// no call is refused.
func TestPace_UsesTheQuota(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rate     float64
		quota    int
		worst    float64 // times the time that the quota makes necessary
		refusals float64 // share of the calls
	}{
		{"below the quota", listRate, 30, 1.03, 0},
		{"half of it is used by others", listRate, 15, 1.15, 0.03},
		{"nearly all of it is used by others", listRate, 4, 1.35, 0.2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, q := newPace(tt.rate), &quota{most: tt.quota}
				begun := time.Now()
				const calls = 6000
				refused := 0
				for done := 0; done < calls; {
					if err := p.wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					if q.takes() {
						done++
						continue
					}
					refused++
					p.refused()
				}
				necessary := float64(calls) / float64(tt.quota)
				took := time.Since(begun).Seconds() / necessary
				share := float64(refused) / calls
				t.Logf("took %.3f times what was necessary, %.2f %% refused", took, 100*share)
				if took > tt.worst || share > tt.refusals {
					t.Errorf("took %.3f times what was necessary, %.2f %% refused", took, 100*share)
				}
			})
		})
	}
}

// TestPace_MakesUpForLateCalls: whoever calls one after the other, and gets some answers
// late, calls as often as the rate has it, and after a long pause no more than a few at once.
func TestPace_MakesUpForLateCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 600
		p, begun := newPace(25), time.Now()
		for n := range calls {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep([]time.Duration{20 * time.Millisecond, 50 * time.Millisecond}[n%2])
		}
		if took := time.Since(begun); took > 24500*time.Millisecond {
			t.Errorf("%d calls took %s, want 24 s as at 25 a second", calls, took)
		}

		time.Sleep(time.Hour)
		begun = time.Now()
		for range 25 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took < 850*time.Millisecond {
			t.Errorf("after an hour, 25 calls began within %s, want 850 ms at least", took)
		}
	})
}

func TestPace_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0.001)
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
}

// TestCognito_Date: pages are as of a moment before they were asked for, by the
// clock that dates tokens.
func TestCognito_Date(t *testing.T) {
	p := newPool(t)
	p.user("alice")
	for _, tt := range []struct{ ahead, want time.Duration }{
		{0, 0}, {time.Second, 0}, {time.Minute, time.Minute}, {-time.Minute, -time.Minute}, {24 * time.Hour, 0},
	} {
		p.injecting(func(w http.ResponseWriter, _ string, _ request) bool {
			w.Header().Set("Date", time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat))
			return false
		})
		before := time.Now()
		page, err := p.source().Users(t.Context(), UserQuery{})
		p.ok(err)
		if off := page.AsOf.Sub(before.Add(tt.want)).Abs(); off > 3*time.Second {
			t.Errorf("pool ahead by %s: as of %s, want %s", tt.ahead, page.AsOf.Sub(before), tt.want)
		}
		if page.Users[0].AsOf != page.AsOf {
			t.Errorf("a user as of %s in a page as of %s", page.Users[0].AsOf, page.AsOf)
		}
	}
}

var _ CognitoAPI = (*cip.Client)(nil)
