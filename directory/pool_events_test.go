package directory

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// TestReceiver_LocalPool: the events of a local pool are taken as those of AWS are,
// and the replica follows by them alone, whoever changes the pool.
func TestReceiver_LocalPool(t *testing.T) {
	r := newRig(t)
	r.full()
	receiver, err := NewReceiver(ReceiverConfig{Pools: Pools{poolID: r.sync(patient)}, Secrets: []Secret{testSecret}})
	r.ok(err)
	var mu sync.Mutex
	var names []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
			return
		}
		found, err := ParseEvents(body, poolID)
		if err != nil {
			t.Errorf("ParseEvents: %v of %s", err, body)
		}
		mu.Lock()
		for _, e := range found {
			if e.ID == "" || e.Time.IsZero() {
				t.Errorf("event %+v", e)
			}
			names = append(names, e.Name)
		}
		mu.Unlock()
		q.Body = io.NopCloser(bytes.NewReader(body))
		receiver.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { _ = r.server.Close() })
	r.ok(r.server.SendEvents(localpool.EventsSeed{URL: server.URL, Secret: string(testSecret)}))

	// Whom the pool no longer has is turned off; a pass removes them.
	same := func(what string) {
		t.Helper()
		until(t, what, func() bool {
			rows := r.replicaRows()
			maps.DeleteFunc(rows, func(_, row string) bool { return strings.HasPrefix(row, "bob enabled=false") })
			return maps.Equal(r.poolRows(), rows)
		})
	}
	r.group("editors", nil)
	alice := r.user("alice", "editors")
	bob := r.user("bob")
	same("two users and a group")
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)
	r.set("alice", "name", "Alice A.")
	r.leave("alice", "editors")
	r.join("bob", "editors")
	r.ok(r.server.DisableUser(poolID, "alice")) // as the pool's own pages do
	r.remove("bob")
	until(t, "the session of a disabled user ends", func() bool { return r.session(aliceHere) == "ended" })
	until(t, "the session of a deleted user ends", func() bool { return r.session(bobHere) == "ended" })
	same("changes by an administrator")

	apps := httptest.NewServer(r.server) // who does not sign requests is taken for the directory elsewhere
	t.Cleanup(apps.Close)
	app := cip.New(r.admin().Options(), func(o *cip.Options) { o.BaseEndpoint = aws.String(apps.URL) })
	_, err = app.SignUp(t.Context(), &cip.SignUpInput{
		ClientId: aws.String("1shop2client"), Username: aws.String("erin"), Password: aws.String("Passw0rd!"),
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String("erin@example.com")}},
	})
	r.ok(err)
	code, _ := r.server.LastCode("erin@example.com")
	_, err = app.ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: aws.String("1shop2client"), Username: aws.String("erin"), ConfirmationCode: &code})
	r.ok(err)
	// What failed is told of too, and is no reason for anything.
	if _, err = app.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: aws.String(poolID), Username: aws.String("nobody")}); err == nil {
		t.Error("nobody was disabled")
	}
	r.ok(r.server.DeleteGroup(poolID, "editors"))
	want := "CreateGroup AdminCreateUser AdminAddUserToGroup AdminCreateUser AdminUpdateUserAttributes AdminRemoveUserFromGroup AdminAddUserToGroup " +
		"AdminDisableUser AdminDeleteUser SignUp ConfirmSignUp DeleteGroup"
	until(t, "all events", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(names, "DeleteGroup")
	})
	mu.Lock()
	got := strings.Join(names, " ")
	mu.Unlock()
	if got != want {
		t.Errorf("events %s\nwant %s", got, want)
	}
	same("what an app did, and a group that is gone")
}
