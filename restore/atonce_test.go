package restore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// lose has a pool with some people more lose everybody, and returns who they were.
func (s *scene) lose(t *testing.T, more int) (want map[string]string, who map[string]int64, then time.Time) {
	t.Helper()
	must(t, second(s.client.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &s.pool, GroupName: aws.String("payers")})))
	for n := range more {
		name := fmt.Sprint("p", n)
		must(t, second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: &name})),
			second(s.client.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.pool, Username: &name, GroupName: aws.String("payers")})))
	}
	s.pass(t)
	want, who, then = s.people(t), s.persons(t), time.Now()
	for username := range want {
		must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: &username})))
	}
	s.pass(t)
	return want, who, then
}

// persons are the people whom the replica has as present, by username.
func (s *scene) persons(t *testing.T) map[string]int64 {
	t.Helper()
	all := make(map[string]int64)
	page, err := s.users.Users(t.Context(), replica.UserQuery{Issuer: s.issuer, Limit: 200})
	must(t, err)
	for _, u := range page.Users {
		if _, twice := all[u.Username]; twice {
			t.Errorf("%s is there twice", u.Username)
		}
		all[u.Username] = u.Person()
	}
	return all
}

// TestS822_TwoRestoresAtOnce: two restores of the same people at the same time end as one:
// everybody is in the pool once, as they were, as the same person, and neither run fails.
func TestS822_TwoRestoresAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *scene) {
		want, who, then := s.lose(t, 12)
		var both sync.WaitGroup
		for range 2 {
			r := s.restore(t, restore.Config{At: then, Share: 1000})
			both.Go(func() {
				if err := r.Run(t.Context(), func(step restore.Step) error {
					if step.Kind == restore.Taken {
						t.Errorf("%s: %s", step.Then.Username, step.Why)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		s.pass(t)
		if got := s.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the pool has\n%v\nand had\n%v", got, want)
		}
		if got := s.persons(t); fmt.Sprint(got) != fmt.Sprint(who) {
			t.Errorf("they are\n%v\nand were\n%v", got, who)
		}
	})
}

// hooked is a pool where something happens right after a call.
type hooked struct {
	restore.API
	created, joined func()
	passwords       atomic.Int64
}

func (h *hooked) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	out, err := h.API.AdminCreateUser(ctx, in, o...)
	if h.created != nil {
		h.created()
	}
	return out, err
}

func (h *hooked) AdminAddUserToGroup(ctx context.Context, in *cip.AdminAddUserToGroupInput, o ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	out, err := h.API.AdminAddUserToGroup(ctx, in, o...)
	if h.joined != nil {
		h.joined()
	}
	return out, err
}

func (h *hooked) AdminSetUserPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput, o ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	h.passwords.Add(1)
	return h.API.AdminSetUserPassword(ctx, in, o...)
}

// TestS822_AChosenPasswordStays: while a run makes somebody, another one has made them, and
// they have chosen a password. It stays.
func TestS822_AChosenPasswordStays(t *testing.T) {
	s := sqliteScene(t)
	_, _, then := s.lose(t, 1)
	p0 := "p0"
	pool := &hooked{API: s.client, joined: func() {
		must(t, second(s.client.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &s.pool, Username: &p0, Password: aws.String("Ch0sen-by-p0!"), Permanent: true})))
	}}
	var one int64
	page, err := s.users.Users(t.Context(), replica.UserQuery{Issuer: s.issuer, Deleted: true, Limit: 200})
	must(t, err)
	for _, u := range page.Users {
		if u.Username == p0 {
			one = u.ID
		}
	}
	if step := s.run(t, restore.Config{Client: pool, At: then, User: one})[p0]; step.Kind != restore.Make || step.Subject == "" {
		t.Errorf("the step is %+v", step)
	}
	if n := pool.passwords.Load(); n != 0 {
		t.Errorf("the password that p0 has chosen is set %d times", n)
	}
}

// TestS823_ARestoreBesideAnErasure: whoever is erased while a restore makes them is in neither
// pool nor replica afterwards, whenever the erasure comes.
func TestS823_ARestoreBesideAnErasure(t *testing.T) {
	for name, during := range map[string]bool{"after the plan": false, "after the user is made": true} {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *scene) {
				want, who, then := s.lose(t, 2)
				erase := sync.OnceFunc(func() {
					_, err := s.users.Erase(t.Context(), who["p1"], sqlreplica.EraseOptions{By: "me"})
					must(t, err)
				})
				r := s.restore(t, restore.Config{Client: &hooked{API: s.client, created: func() {
					if during {
						erase()
					}
				}}, At: then, Share: 1000})
				steps := make(map[string]restore.Step)
				must(t, r.Plan(t.Context(), func(step restore.Step) error {
					if name := step.Then.Username; name == "p1" && !during {
						erase()
					} else if name != "p1" && during {
						return nil // whose making is not what the erasure comes upon
					}
					done, err := r.Do(t.Context(), step)
					steps[step.Then.Username] = done
					return err
				}))
				if step := steps["p1"]; step.Kind != restore.Taken || step.Subject != "" || step.Why != "the person was erased meanwhile" {
					t.Errorf("the step is %+v", step)
				}
				s.pass(t)
				if words, ok := s.people(t)["p1"]; ok {
					t.Errorf("the pool has the erased person: %s", words)
				}
				page, err := s.users.Users(t.Context(), replica.UserQuery{Issuer: s.issuer, Deleted: true, Limit: 200})
				must(t, err)
				for _, u := range page.Users {
					if u.Username == "p1" {
						t.Errorf("the replica has the erased person: %+v", u)
					}
				}
				if !during && len(s.people(t)) != len(want)-1 {
					t.Errorf("the pool has %v", s.people(t))
				}
				if !during && s.persons(t)["p0"] != who["p0"] {
					t.Errorf("p0 is somebody else")
				}
			})
		})
	}
}

// TestS823_TwoErasuresAtOnce: one of two erasures of a person at the same time does it, and the
// other finds nobody. There is one receipt.
func TestS823_TwoErasuresAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *scene) {
		_, who, _ := s.lose(t, 1)
		var both sync.WaitGroup
		var done, nobody atomic.Int64
		for range 2 {
			both.Go(func() {
				switch _, err := s.users.Erase(t.Context(), who["p0"], sqlreplica.EraseOptions{By: "me"}); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, replica.ErrNotFound):
					nobody.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		both.Wait()
		if done.Load() != 1 || nobody.Load() != 1 {
			t.Errorf("%d erasures did it, %d found nobody", done.Load(), nobody.Load())
		}
		receipts, err := s.users.Erasures(t.Context(), 10)
		if err != nil || len(receipts) != 1 {
			t.Errorf("receipts %v, %v", receipts, err)
		}
	})
}
