package move

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// modelled is what has to be true of somebody who moves.
type modelled struct {
	mu       sync.Mutex
	password string // that they have
	in       bool   // they have come by themselves, with their password
	out      bool   // disabled at the old pool before they came
}

// crowd are people who move, and what has to be true of them.
type crowd struct {
	*world
	t      *testing.T
	people []*modelled
}

// signsIn lets somebody sign in, with their own password if none is said, and holds the answer to the model.
func (c *crowd) signsIn(i int, password string) {
	p := c.people[i]
	if !p.mu.TryLock() { // a bubble's time stands still while somebody waits for a lock
		return
	}
	defer p.mu.Unlock()
	password = cmp.Or(password, p.password)
	_, err := c.signIn(c.t, nameOf(i), password)
	switch {
	case err == nil && password != p.password:
		c.t.Errorf("%s came in with a password that is not theirs", nameOf(i))
	case err == nil && p.out && !p.in:
		c.t.Errorf("%s came in, and was disabled before they moved", nameOf(i))
	case err == nil:
		p.in = true
	case p.in && password == p.password:
		c.t.Errorf("%s has come before, and is refused: %v", nameOf(i), err)
	case password == p.password && !p.out && !c.isThere(i): // nobody is deleted: so the trigger was asked
		c.t.Errorf("%s may arrive, and is refused: %v", nameOf(i), err)
	}
}

// isThere reports whether the new pool has somebody, also one whom a drain has begun to make.
func (c *crowd) isThere(i int) bool {
	_, err := c.AdminGetUser(c.t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(newPoolID), Username: aws.String(nameOf(i))})
	var missing *types.UserNotFoundException
	if err != nil && !errors.As(err, &missing) {
		c.t.Error(err)
	}
	return err == nil
}

// changes gives somebody who has come another password.
func (c *crowd) changes(i int) {
	p := c.people[i]
	if !p.mu.TryLock() { // a bubble's time stands still while somebody waits for a lock
		return
	}
	defer p.mu.Unlock()
	if !p.in {
		return
	}
	next := fmt.Sprintf("Passw0rd!%d", rand.IntN(1000))
	if _, err := c.AdminSetUserPassword(c.t.Context(), &cip.AdminSetUserPasswordInput{
		UserPoolId: aws.String(newPoolID), Username: aws.String(nameOf(i)), Password: &next, Permanent: true,
	}); err != nil {
		c.t.Error(err)
		return
	}
	p.password = next
}

// isDisabled turns somebody off at the old pool.
func (c *crowd) isDisabled(i int) {
	p := c.people[i]
	if !p.mu.TryLock() { // a bubble's time stands still while somebody waits for a lock
		return
	}
	defer p.mu.Unlock()
	if _, err := c.AdminDisableUser(c.t.Context(), &cip.AdminDisableUserInput{UserPoolId: aws.String(oldPool), Username: aws.String(nameOf(i))}); err != nil {
		c.t.Error(err)
	}
	p.out = p.out || !p.in
}

// atMost is how many drains make everybody. The last of them are not killed.
const atMost = 20

// TestS780_PeopleMoveWhileALotGoesOn: a thousand people sign in, change their passwords and
// are disabled while drains are killed and begun again. In the end everybody who may is in
// the new pool, once, in their groups, and gets in with no other password than their own.
// Nobody is refused who may arrive.
func TestS780_PeopleMoveWhileALotGoesOn(t *testing.T) {
	people := 1000
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_MOVE_PEOPLE")); err == nil {
		people = n
	}
	synctest.Test(t, func(t *testing.T) {
		w := newCrowd(t, people, 5*time.Millisecond)
		defer w.pools.Close()
		c := &crowd{world: w, t: t}
		for i := range people {
			c.people = append(c.people, &modelled{password: password, out: i%10 == 9})
		}
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for range 8 {
			busy.Go(func() {
				c.signsIn(rand.IntN(people), "") // all at once: nobody may wait for another's lock
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(rand.IntN(400)) * time.Millisecond):
					}
					switch i := rand.IntN(people); rand.IntN(10) {
					case 0:
						c.changes(i)
					case 1:
						c.isDisabled(i)
					case 2:
						c.signsIn(i, "Wr0ng!"+password)
					default:
						c.signsIn(i, "")
					}
				}
			})
		}
		var said bytes.Buffer
		drain := func(ctx context.Context) (Drained, error) {
			said.Reset()
			return w.move(t, w.Client, func(m *Config) {
				m.Share, m.Logger = 1, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
			}).Drain(ctx, false)
		}
		// Each run of the drain is killed sooner or later: between any two of its calls, and
		// in the midst of those that are under way.
		kills, done := 0, false
		for n := 0; !done && !t.Failed(); n++ {
			ctx, kill := context.WithCancel(t.Context())
			sooner := time.AfterFunc(time.Duration(rand.IntN(12*people))*time.Millisecond, kill)
			if n >= atMost-3 {
				sooner.Stop()
			}
			d, err := drain(ctx)
			sooner.Stop()
			kill()
			switch done = err == nil && d.Failed == 0; {
			case err != nil && !errors.Is(err, context.Canceled):
				t.Errorf("%+v, %v\n%s", d, err, &said)
			case err != nil:
				kills++
			case !done && n >= atMost:
				t.Errorf("%d drains, and people are not made: %+v\n%s", n, d, &said)
			}
		}
		close(stop)
		busy.Wait()
		if d, err := drain(t.Context()); err != nil || d.Failed != 0 || d.Twice != 0 || d.Unproven != 0 || d.Others != 0 {
			t.Fatalf("the last: %+v, %v\n%s", d, err, &said)
		}
		came, made, stayed := 0, 0, 0
		seen := make(map[string]string)
		for i, p := range c.people {
			was, _, before := w.find(t, oldPool, nameOf(i))
			is, status, after := w.find(t, newPoolID, nameOf(i))
			switch {
			case p.out && !p.in && (is.sub == "" || status == string(types.UserStatusTypeForceChangePassword)):
				stayed++ // also one whom a drain had begun to make: it goes on if they are enabled again
				c.signsIn(i, "")
				continue
			case is.sub == "":
				t.Errorf("%s is not there", nameOf(i))
				continue
			case p.in:
				came++
			default:
				made++
			}
			whose, err := w.tickets.Open(is.attributes[Attribute])
			if err != nil || whose != was.sub || seen[whose] != "" {
				t.Errorf("%s has the ticket of %q (%s), %v", nameOf(i), whose, seen[whose], err)
			}
			seen[whose] = nameOf(i)
			if status != string(types.UserStatusTypeConfirmed) || !slices.Equal(before, after) || is.attributes["email"] != was.attributes["email"] {
				t.Errorf("%s: %s %q %q, were in %q", nameOf(i), status, after, is.attributes["email"], before)
			}
			c.signsIn(i, "Wr0ng!"+password)
			own := p.in
			c.signsIn(i, p.password)
			if p.in != own {
				t.Errorf("%s came in by the password from before, after they were made", nameOf(i))
			}
		}
		if came == 0 || made == 0 || stayed == 0 || kills == 0 {
			t.Errorf("%d came, %d were made, %d stayed, %d kills", came, made, stayed, kills)
		}
		t.Logf("%d people: %d came by themselves, %d were made, %d stayed behind; %d drains were killed", people, came, made, stayed, kills)
	})
}
