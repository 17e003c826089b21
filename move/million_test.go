package move

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// many are two pools with so many people, of whom every second one has arrived. They are
// made as they are asked for.
type many struct {
	WriteAPI
	people  int
	tickets *Tickets
	most    uint64 // of the heap
	pages   int
}

func (m *many) ListUsers(_ context.Context, in *cip.ListUsersInput, _ ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	at, _ := strconv.Atoi(aws.ToString(in.PaginationToken))
	out := new(cip.ListUsersOutput)
	step := 1
	if *in.UserPoolId == newPoolID {
		step = 2
	}
	for ; len(out.Users) < 60 && at < m.people; at += step {
		sub := fmt.Sprintf("aaaaaaaa-bbbb-cccc-dddd-%012d", at)
		attributes := []types.AttributeType{{Name: aws.String("sub"), Value: &sub}, {Name: aws.String("email"), Value: aws.String(sub + "@example.com")}}
		if step == 2 {
			attributes = append(attributes, types.AttributeType{Name: aws.String(Attribute), Value: aws.String(m.tickets.Issue(sub) + complete)})
		}
		out.Users = append(out.Users, types.UserType{Username: &sub, Enabled: true, UserStatus: types.UserStatusTypeConfirmed, Attributes: attributes})
	}
	if at < m.people {
		out.PaginationToken = aws.String(strconv.Itoa(at))
	}
	if m.pages++; m.pages%500 == 0 {
		var heap runtime.MemStats
		runtime.ReadMemStats(&heap)
		m.most = max(m.most, heap.HeapAlloc)
	}
	return out, nil
}

// TestS799_AMillionPeople: a report and a plan of a million people hold no more than 150 MB,
// and of fewer people a part of that. CODEGRANT_MOVE_REPORTED says how many there are.
func TestS799_AMillionPeople(t *testing.T) {
	people := 200_000
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_MOVE_REPORTED")); err == nil {
		people = n
	}
	limit := uint64(people) * (150 << 20) / 1_000_000
	w := newWorld(t, nil)
	api := &many{WriteAPI: w.Client, people: people, tickets: w.tickets}
	m := w.move(t, api, func(c *Config) { c.Old, c.Share = api, 1e9 })
	waiting := 0
	r, err := m.Report(t.Context(), func(string, string) error { waiting++; return nil })
	if err != nil || r.People != people || r.Arrived != people/2 || r.Waiting != people/2 || waiting != people/2 {
		t.Fatalf("%+v, %v", r, err)
	}
	within := func(what string) {
		t.Helper()
		if api.most == 0 || api.most > limit {
			t.Errorf("%s: %d MB", what, api.most>>20)
		}
		t.Logf("%s, %d people: %d MB", what, people, api.most>>20)
		api.most = 0
	}
	within("report")
	p, err := m.Plan(t.Context())
	if err != nil || p.People != people || p.Arrived != people/2 || p.Waiting != people/2 {
		t.Fatalf("%+v, %v", p, err)
	}
	within("plan")
}
