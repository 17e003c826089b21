package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/organization"
)

// inviting is a gateway whose organization invites people.
type inviting struct {
	*gate
	orgs *organization.Store
	acme organization.Organization
}

const createsUsers = "\ndatabase: sqlite:app.db\nreplica: true\norganizations: {create_users: true}\nroutes: [{path: /, upstream: \"${UP}\"}]\n"

func newInviting(t *testing.T) inviting { return newGate(t, createsUsers).inviting() }

// inviting starts the gateway, with an organization.
func (g *gate) inviting() inviting {
	g.t.Helper()
	g.start()
	open, err := parts.OpenStores(g.settings())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { open.Close() })
	orgs, err := open.DB.OrganizationStore(g.settings().Organizations, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	acme, err := orgs.Create(g.t.Context(), "Acme", "a test")
	if err != nil {
		g.t.Fatal(err)
	}
	return inviting{g, orgs, acme}
}

// invite is the token for an address.
func (i inviting) invite(email string) string {
	i.t.Helper()
	_, token, err := i.orgs.Invite(i.t.Context(), i.acme.ID, email, "member", "a test")
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// ask asks for an account at an origin of the gateway.
func (i inviting) ask(origin, token string) int {
	i.t.Helper()
	r, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, origin+"/auth/organization/invitation", strings.NewReader(url.Values{"token": {token}, "account": {"new"}}.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Origin", origin)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		i.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestS748_NoUserOfAnotherPool: an invitation makes nobody a user of a pool that create_users
// does not name, such as the operators' one.
func TestS748_NoUserOfAnotherPool(t *testing.T) {
	g := newGate(t, "")
	ops := "http://localhost:" + g.url[strings.LastIndexByte(g.url, ':')+1:]
	staff := codegranttest.NewPool(t, nil)
	pool := func(name, at, host string, p *codegranttest.Pool) string {
		c := p.Register(at)
		return fmt.Sprintf("  - {name: %s, base_url: %q, hosts: [%q], id: %s, domain: %q, issuer: %q, client_id: %s, client_secret: %s}\n",
			name, at, host, c.ID, c.Domain, c.Issuer, c.ClientID, c.ClientSecret.Reveal())
	}
	g.writeFile("codegrant.yaml", "listen: "+strings.TrimPrefix(g.url, "http://")+"\nbase_url: "+g.url+"\nlog: {format: json, level: debug}\npools:\n"+
		pool("customers", g.url, "127.0.0.1", g.pool)+pool("staff", ops, "localhost", staff)+
		strings.NewReplacer("{groups: admins}", "{groups: admins, pool: staff}", "${UP}", g.up).Replace(consoled)+"organizations: {create_users: [customers]}\n")
	g.writeFile("keys", newSealingKey())
	i := g.inviting()
	token := i.invite("mallory@example.com")
	i.ask(ops, token)
	if err := staff.SetPassword(staff.PoolID, "mallory@example.com", codegranttest.Password, true); err == nil {
		t.Error("she is a user of the pool of the staff")
	}
	if page := codegranttest.NewBrowser(t).Open(ops + "/auth/organization/invitation?token=" + token); page.Status != http.StatusOK || strings.Contains(page.Body, "Create an account") {
		t.Errorf("the page of that pool: %d %s", page.Status, page.Body)
	}
	if status := i.ask(g.url, token); status != http.StatusNoContent {
		t.Errorf("at the pool that is named: %d", status)
	}
	if err := g.pool.SetPassword(g.pool.PoolID, "mallory@example.com", codegranttest.Password, true); err != nil {
		t.Error(err)
	}
}

// usersWith are the users of the pool who have an address in their profile.
func (i inviting) usersWith(email string) int {
	i.t.Helper()
	all, _ := i.api("ListUsers", map[string]any{"UserPoolId": i.pool.PoolID, "Filter": fmt.Sprintf("email = %q", email)})["Users"].([]any)
	return len(all)
}

// TestS748_NobodyHoldsAnAddress: who has written somebody's address into their own profile
// does not keep them from an account.
func TestS748_NobodyHoldsAnAddress(t *testing.T) {
	i := newInviting(t)
	for _, name := range []string{"mallory", "mallory2"} {
		i.api("AdminCreateUser", map[string]any{"UserPoolId": i.pool.PoolID, "Username": name, "MessageAction": "SUPPRESS", "UserAttributes": []map[string]string{
			{"Name": "email", "Value": "victim@example.com"}, {"Name": "email_verified", "Value": "false"}}})
	}
	token := i.invite("victim@example.com")
	for range 2 { // the second time they have one
		if status := i.ask(i.url, token); status != http.StatusNoContent || i.usersWith("victim@example.com") != 3 {
			t.Errorf("%d, %d users with the address, want 3", status, i.usersWith("victim@example.com"))
		}
	}
}

// TestS748_CallsOfThePoolAreLimited: for one address, and from one network.
func TestS748_CallsOfThePoolAreLimited(t *testing.T) {
	i := newInviting(t)
	token := i.invite("bob@example.com")
	before := i.pool.Calls("ListUsers")
	for n := range accountRequests + 3 {
		want := http.StatusNoContent
		if n >= accountRequests {
			want = http.StatusTooManyRequests
		}
		if status := i.ask(i.url, token); status != want {
			t.Errorf("request %d: %d, want %d", n, status, want)
		}
	}
	if n := i.pool.Calls("ListUsers") - before; n != accountRequests {
		t.Errorf("the pool was asked %d times, want %d", n, accountRequests)
	}
	few := newGate(t, createsUsers+"limits: {sign_in_rate: 1, sign_in_burst: 3}\n").inviting()
	for n := range 5 {
		want := http.StatusGone
		if n >= 3 {
			want = http.StatusTooManyRequests
		}
		if status := few.ask(few.url, "none"); status != want {
			t.Errorf("from one network, request %d: %d, want %d", n, status, want)
		}
	}
	if status, _ := few.get(http.DefaultClient, "/auth/organization/invitation?token=none"); status != http.StatusGone {
		t.Errorf("the page itself: %d", status)
	}
}

// TestRefusedForGood: what trying again does not help is said, and a mail that was not sent is
// sent at the next try.
func TestRefusedForGood(t *testing.T) {
	i := newInviting(t)
	refuse := func(kind string) {
		i.pool.Fault("AdminCreateUser", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": "It is for erin@example.com."})
		}))
	}
	for kind, want := range map[string]int{
		"UserLambdaValidationException": 422, "InvalidParameterException": 422, "UsernameExistsException": 204, "AliasExistsException": 204,
		"CodeDeliveryFailureException": 503, "NotAuthorizedException": 503,
	} {
		refuse(kind)
		if status := i.ask(i.url, i.invite(strings.ToLower(kind)+"@example.com")); status != want {
			t.Errorf("%s: %d, want %d", kind, status, want)
		}
	}
	refuse("UserLambdaValidationException")
	erin := codegranttest.NewBrowser(t)
	page := erin.Open(i.url + "/auth/organization/invitation?token=" + i.invite("erin@example.com"))
	if page = erin.Submit(page, page.Forms[0], nil); page.Status != 422 || !strings.Contains(page.Body, "Ask the person who invited you") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	i.pool.Fault("AdminCreateUser", nil)

	// The user is there, and the mail was not sent.
	i.api("AdminCreateUser", map[string]any{"UserPoolId": i.pool.PoolID, "Username": "fay", "MessageAction": "SUPPRESS", "UserAttributes": []map[string]string{
		{"Name": "email", "Value": "fay@example.com"}, {"Name": "email_verified", "Value": "true"}}})
	token, before := i.invite("fay@example.com"), i.pool.Calls("AdminCreateUser")
	if status := i.ask(i.url, token); status != 204 || i.pool.Calls("AdminCreateUser") != before+1 || i.usersWith("fay@example.com") != 1 {
		t.Errorf("%d, %d calls", status, i.pool.Calls("AdminCreateUser")-before)
	}
}
