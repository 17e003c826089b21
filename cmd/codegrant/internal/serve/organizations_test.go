package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/organization"
)

// TestS738_OrganizationsThroughTheGateway: a person acts for the organization that
// their session has chosen, and the service hears which; what a client says of itself does
// not count. A member who is removed is refused with the next request.
func TestS738_OrganizationsThroughTheGateway(t *testing.T) {
	g := newGate(t, `
database: sqlite:app.db
replica: true
organizations: {roles: [admin, member]}
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /work, upstream: "${UP}", organization: true}
  - {path: /invoices, upstream: "${UP}", organization_roles: admin}
`)
	g.start()
	alice := codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	open, err := parts.OpenStores(g.settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	orgs, err := open.DB.OrganizationStore(g.settings().Organizations, nil)
	if err != nil {
		t.Fatal(err)
	}
	row, err := open.Users.UserByUsername(t.Context(), g.settings().Pools[0].Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for name, role := range map[string]string{"Acme": "admin", "Bolt": "member"} {
		o, err := orgs.Create(t.Context(), name, "a test")
		if err != nil {
			t.Fatal(err)
		}
		if err := orgs.Set(t.Context(), o.ID, row.ID, role, "a test"); err != nil {
			t.Fatal(err)
		}
		ids[name] = o.ID
	}
	ask := func(path string) (status int, organization, role string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Organization", ids["Acme"])
		r.Header.Set("X-Auth-Organization-Role", "admin")
		answer, err := alice.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != 200 {
			return answer.StatusCode, "", ""
		}
		h := <-g.saw
		return 200, h.Get("X-Auth-Organization"), h.Get("X-Auth-Organization-Role")
	}
	choose := func(id string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/organization", strings.NewReader(url.Values{"organization": {id}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Origin", g.url)
		answer, err := alice.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	want := func(when, path string, status int, organization, role string) {
		t.Helper()
		if s, o, r := ask(path); s != status || o != organization || r != role {
			t.Errorf("%s, %s: %d, %q as %q, want %d, %q as %q", when, path, s, o, r, status, organization, role)
		}
	}
	want("nothing is chosen", "/", 200, "", "")
	want("nothing is chosen", "/work", 403, "", "")
	if status := choose(ids["Bolt"]); status != 200 && status != 204 {
		t.Errorf("choose: %d", status)
	}
	want("a member of Bolt", "/work", 200, ids["Bolt"], "member")
	want("a member of Bolt", "/invoices", 403, "", "")
	choose(ids["Acme"])
	want("an admin of Acme", "/invoices", 200, ids["Acme"], "admin")
	if status := choose("org_of_somebody_else"); status < 400 || status > 404 {
		t.Errorf("choose one that she is not in: %d", status)
	}
	want("afterwards", "/invoices", 200, ids["Acme"], "admin")

	// The last manager stays, so somebody else becomes one.
	codegranttest.NewBrowser(t).SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	bob, err := open.Users.UserByUsername(t.Context(), row.Issuer, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := orgs.Set(t.Context(), ids["Acme"], bob.ID, "admin", "a test"); err != nil {
		t.Fatal(err)
	}
	if err := orgs.Remove(t.Context(), ids["Acme"], row.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	want("removed from Acme", "/invoices", 403, "", "")
	want("until she chooses", "/work", 403, "", "")
	choose(ids["Bolt"])
	want("she is in Bolt alone", "/work", 200, ids["Bolt"], "member")
}

// TestS748_AUserIsCreatedWhenTheyAsk: an invitation creates nobody. Somebody who opens it
// without an account asks for one, once, from the page of the invitation; who has the address
// already, or whose provider the domain chooses, is created no second time.
func TestS748_AUserIsCreatedWhenTheyAsk(t *testing.T) {
	g := newGate(t, `
database: sqlite:app.db
replica: true
organizations: {create_users: true}
routes: [{path: /, upstream: "${UP}"}]
`)
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.writeFile("codegrant.yaml", strings.Replace(string(text), "    client_id:", "    email_providers: {company.example: CompanySAML}\n    client_id:", 1))
	g.start()
	open, err := parts.OpenStores(g.settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	orgs, err := open.DB.OrganizationStore(g.settings().Organizations, nil)
	if err != nil {
		t.Fatal(err)
	}
	acme, err := orgs.Create(t.Context(), "Acme", "a test")
	if err != nil {
		t.Fatal(err)
	}
	api := cip.New(cip.Options{Region: "eu-west-1", BaseEndpoint: &g.pool.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	users := func(email string) []types.UserType {
		t.Helper()
		filter := fmt.Sprintf("email = %q", email)
		found, err := api.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: &g.pool.PoolID, Filter: &filter})
		if err != nil {
			t.Fatal(err)
		}
		return found.Users
	}
	invite := func(email string) (i organization.Invitation, token string) {
		t.Helper()
		i, token, err := orgs.Invite(t.Context(), acme.ID, email, "member", "a test")
		if err != nil {
			t.Fatal(err)
		}
		return i, token
	}
	ask := func(token, origin string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/organization/invitation", strings.NewReader(url.Values{"token": {token}, "account": {"new"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Origin", origin)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}

	_, token := invite("erin@example.com")
	erin := codegranttest.NewBrowser(t)
	page := erin.Open(g.url + "/auth/organization/invitation?token=" + token)
	if page.Status != 200 || !strings.Contains(page.Body, "Create an account") || len(users("erin@example.com")) != 0 {
		t.Fatalf("before she asks: %d, %d users: %s", page.Status, len(users("erin@example.com")), page.Body)
	}
	if status := ask(token, "https://evil.example"); status != http.StatusForbidden || len(users("erin@example.com")) != 0 {
		t.Errorf("from another site: %d", status)
	}
	page = erin.Submit(page, page.Forms[0], nil)
	if page.Status != 200 || !strings.Contains(page.Body, "Its temporary password comes by e-mail") || strings.Contains(page.Body, "<form") {
		t.Errorf("after it: %d %s", page.Status, page.Body)
	}
	if status := ask(token, g.url); status != http.StatusNoContent {
		t.Errorf("again: %d", status)
	}
	made := users("erin@example.com")
	if len(made) != 1 || made[0].UserStatus != types.UserStatusTypeForceChangePassword {
		t.Fatalf("%+v", made)
	}
	verified := ""
	for _, a := range made[0].Attributes {
		if *a.Name == "email_verified" {
			verified = *a.Value
		}
	}
	if verified != "true" {
		t.Errorf("email_verified is %q", verified)
	}
	if err := g.pool.SetPassword(g.pool.PoolID, *made[0].Username, codegranttest.Password, true); err != nil {
		t.Fatal(err)
	}
	link := "/auth/login?" + url.Values{"redirect_uri": {"/auth/organization/invitation?token=" + token}}.Encode()
	page = erin.SignIn(g.url+link, "erin@example.com", codegranttest.Password)
	if page = erin.Submit(page, page.Forms[0], nil); !strings.Contains(page.Body, "You are a member now.") {
		t.Errorf("%d %s", page.Status, page.Body)
	}

	for email, want := range map[string]int{"bob@example.com": 1, "ann@company.example": 0} {
		_, token := invite(email)
		if status := ask(token, g.url); status != http.StatusNoContent || len(users(email)) != want {
			t.Errorf("%s: %d, %d users, want %d", email, status, len(users(email)), want)
		}
	}
	back, token := invite("frank@example.com")
	if err := orgs.Revoke(t.Context(), acme.ID, back.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{token, "none", ""} {
		if status := ask(token, g.url); status != http.StatusGone || len(users("frank@example.com")) != 0 {
			t.Errorf("with a token that is good for nothing: %d", status)
		}
	}
	_, token = invite("gina@example.com")
	g.pool.Fault("AdminCreateUser", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	if status := ask(token, g.url); status != http.StatusServiceUnavailable {
		t.Errorf("while the pool does not answer: %d", status)
	}
	for _, address := range []string{"erin@", "gina@"} {
		if strings.Contains(g.log.String(), address) {
			t.Errorf("%s is in the log", address)
		}
	}
}
