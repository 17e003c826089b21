package restore

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
)

// lostAll is a replica of so many people, all of whom the pool has lost. They are made as they
// are asked for.
type lostAll struct {
	Replica
	people int
	most   uint64 // of the heap
	pages  int
}

func (l *lostAll) Users(_ context.Context, q replica.UserQuery) (page replica.UserPage, err error) {
	at, _ := strconv.Atoi(q.After)
	for ; len(page.Users) < q.Limit && at < l.people; at++ {
		sub := fmt.Sprintf("aaaaaaaa-bbbb-cccc-dddd-%012d", at)
		page.Users = append(page.Users, replica.User{
			ID: int64(at + 1), Issuer: q.Issuer, Subject: sub, Username: sub, Email: sub + "@example.com", Groups: []replica.Membership{{Group: replica.Group{Name: "editors"}, Pool: true}},
			Created: time.Unix(0, 0), Deleted: time.Unix(2, 0),
		})
	}
	if at < l.people {
		page.Next = strconv.Itoa(at)
	}
	if l.pages++; l.pages%100 == 0 {
		var heap runtime.MemStats
		runtime.ReadMemStats(&heap)
		l.most = max(l.most, heap.HeapAlloc)
	}
	return page, nil
}

func (*lostAll) AsOf(_ context.Context, users []replica.User, _ time.Time) ([]replica.User, error) {
	then := make([]replica.User, len(users))
	for i, u := range users {
		u.Deleted = time.Time{}
		then[i] = u
	}
	return then, nil
}

func (*lostAll) Identities(context.Context, int64) ([]replica.User, error) { return nil, nil }

// nobody is a pool without people.
type nobody struct{ API }

func (nobody) AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error) {
	return nil, new(types.UserNotFoundException)
}

// TestS838_AMillionPeople: the plan of a million people holds no more than 150 MB, and of fewer
// people a part of that. CODEGRANT_MOVE_REPORTED says how many there are.
func TestS838_AMillionPeople(t *testing.T) {
	people := 200_000
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_MOVE_REPORTED")); err == nil {
		people = n
	}
	store := &lostAll{people: people}
	r, err := New(Config{Client: nobody{}, PoolID: "local_Shop", Issuer: "https://pool.example/local_Shop", Replica: store, At: time.Unix(1, 0), By: "test", Share: 1000})
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	if err := r.Plan(t.Context(), func(s Step) error {
		if s.Kind == Make {
			steps++
		}
		return nil
	}); err != nil || steps != people {
		t.Fatalf("%d steps, %v", steps, err)
	}
	t.Logf("%d people: %d MB", people, store.most>>20)
	if limit := uint64(people) * (150 << 20) / 1_000_000; store.most == 0 || store.most > limit {
		t.Errorf("it holds %d MB, and may hold %d", store.most>>20, limit>>20)
	}
}
