package move

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/verify"
)

const (
	oldPool   = "local_Old000001"
	newPoolID = "local_New000001"
	password  = "Passw0rd!"
)

// seeds are two pools: one with people, and an empty one.
const seeds = `
pools:
  - id: local_Old000001
    mfa: OPTIONAL
    clients:
      - {id: ask, secret: "a secret of the old pool", callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}
    groups: [{name: editors, description: who writes, precedence: 5}, {name: readers}]
    users:
      - {username: alice, email: alice@example.com, name: Alice, password: Passw0rd!, groups: [editors, readers]}
      - {username: bob, email: bob@example.com, password: Passw0rd!}
      - {username: carol, email: carol@example.com, password: Passw0rd!, disabled: true}
      - {username: dora, email: dora@example.com, password: Passw0rd!, authenticator: JBSWY3DPEHPK3PXP, authenticator_always: true, groups: [readers]}
      - {username: emil, email: emil@example.com, password: Passw0rd!, status: UNCONFIRMED}
      - {username: finn, email: finn@example.com, password: Passw0rd!, status: FORCE_CHANGE_PASSWORD}
      - {username: gina, email: gina@example.com, email_unverified: true, password: Passw0rd!}
  - id: local_New000001
    clients:
      - {id: web, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_REFRESH_TOKEN_AUTH]}
`

// world are both pools, and the trigger between them.
type world struct {
	*cip.Client
	pools   *localpool.Server
	tickets *Tickets
	arrival *Arrival
	log     *bytes.Buffer
}

// sets what a Move is made of.
type sets func(*Config)

func newWorld(t *testing.T, change func(*ArrivalConfig)) *world {
	t.Helper()
	seed, err := localpool.ParseSeed([]byte(seeds))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{log: new(bytes.Buffer)}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.pools.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	if w.pools, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.pools.Close() })
	w.Client = cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	if _, err := w.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String(newPoolID), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	if w.tickets, err = NewTickets(bytes.Repeat([]byte{7}, KeySize), oldPool, newPoolID); err != nil {
		t.Fatal(err)
	}
	config := ArrivalConfig{
		Old: w.Client, New: w.Client, Tickets: w.tickets, OldClientID: "ask", OldClientSecret: "a secret of the old pool",
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	if change != nil {
		change(&config)
	}
	if w.arrival, err = NewArrival(config); err != nil {
		t.Fatal(err)
	}
	return w
}

// deploy has the new pool call the trigger.
func (w *world) deploy(t *testing.T) {
	t.Helper()
	call := func(ctx context.Context, event map[string]any) error {
		in, err := json.Marshal(event)
		if err != nil {
			return err
		}
		out, err := w.arrival.Handle(ctx, in)
		if err != nil {
			return err
		}
		clear(event)
		return json.Unmarshal(out, &event)
	}
	for _, name := range []string{localpool.UserMigration, localpool.PreTokenGeneration} {
		if err := w.pools.SetTrigger(newPoolID, name, localpool.Trigger{Func: call}); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) signIn(t *testing.T, username, password string) (*cip.InitiateAuthOutput, error) {
	t.Helper()
	return w.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		ClientId: aws.String("web"), AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": username, "PASSWORD": password},
	})
}

// find returns a user, and their groups.
func (w *world) find(t *testing.T, pool, username string) (person, string, []string) {
	t.Helper()
	u, err := w.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &pool, Username: &username})
	var missing *types.UserNotFoundException
	if errors.As(err, &missing) {
		return person{}, "", nil
	}
	if err != nil {
		t.Fatal(err)
	}
	groups, err := groupsOf(t.Context(), w.Client, pool, username)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(groups)
	return personOf(u.Username, u.Enabled, u.UserStatus, u.UserAttributes), string(u.UserStatus), groups
}

func (w *world) move(t *testing.T, api WriteAPI, more ...sets) *Move {
	t.Helper()
	config := Config{Old: w.Client, New: api, Tickets: w.tickets, OldClientID: "ask", NewClientIDs: []string{"web"}, Share: 1e6}
	for _, set := range more {
		set(&config)
	}
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestS775_Arrival: people come with the password that they have, as who they were, and
// whoever the old pool would refuse does not come.
func TestS775_Arrival(t *testing.T) {
	w := newWorld(t, nil)
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, username, password string }{
		{"a wrong password", "alice", "Wrong0rd!"},
		{"nobody", "nobody", password},
		{"disabled", "carol", password},
		{"a second factor", "dora", password},
		{"never confirmed", "emil", password},
	} {
		if out, err := w.signIn(t, tt.username, tt.password); err == nil {
			t.Errorf("%s: %+v", tt.name, out)
		}
		if p, _, _ := w.find(t, newPoolID, tt.username); p.sub != "" {
			t.Errorf("%s: was made: %+v", tt.name, p)
		}
	}
	if strings.Contains(w.log.String(), password) || strings.Contains(w.log.String(), "alice") {
		t.Errorf("the log repeats a password or a name: %s", w.log)
	}

	out, err := w.signIn(t, "alice", password)
	if err != nil || out.AuthenticationResult == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	was, _, groups := w.find(t, oldPool, "alice")
	is, status, now := w.find(t, newPoolID, "alice")
	if is.sub == was.sub || status != "CONFIRMED" || is.attributes["email"] != "alice@example.com" || is.attributes["email_verified"] != "true" || is.attributes["name"] != "Alice" {
		t.Errorf("%s %+v", status, is)
	}
	if sub, err := w.tickets.Open(is.attributes[Attribute]); err != nil || sub != was.sub {
		t.Errorf("the ticket says %q, %v, want %q", sub, err, was.sub)
	}
	if !slices.Equal(groups, now) || len(now) != 2 {
		t.Errorf("groups %q, were %q", now, groups)
	}
	// The first tokens have them.
	if claims := claimsOf(t, *out.AuthenticationResult.AccessToken); !slices.Equal(claims.Groups, []string{"editors", "readers"}) {
		t.Errorf("groups in the first tokens: %q", claims.Groups)
	}
	// Taken out of a group later, they stay out.
	if _, err := w.AdminRemoveUserFromGroup(t.Context(), &cip.AdminRemoveUserFromGroupInput{UserPoolId: aws.String(newPoolID), Username: aws.String("alice"), GroupName: aws.String("readers")}); err != nil {
		t.Fatal(err)
	}
	if out, err = w.signIn(t, "alice", password); err != nil || !slices.Equal(claimsOf(t, *out.AuthenticationResult.AccessToken).Groups, []string{"editors"}) {
		t.Errorf("%v", err)
	}
	// Later they come without the old pool.
	w.pools.SetTrigger(newPoolID, localpool.UserMigration, localpool.Trigger{})
	if _, err := w.signIn(t, "alice", password); err != nil {
		t.Error(err)
	}
	if _, err := w.signIn(t, "bob", password); err == nil {
		t.Error("bob came without a trigger")
	}
}

type claims struct {
	Groups []string `json:"cognito:groups"`
}

func claimsOf(t *testing.T, token string) (c claims) {
	t.Helper()
	body, err := decodeSegment(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestS775_WhatIsAllowed: an operator may let people come without the second factor; a
// password that somebody else has chosen is to be reset; forgotten ones come by a code.
func TestS775_WhatIsAllowed(t *testing.T) {
	w := newWorld(t, func(c *ArrivalConfig) { c.WithoutSecondFactor, c.ForgotPassword = true, true })
	event := func(source, username, password string) (map[string]any, error) {
		in, _ := json.Marshal(map[string]any{
			"version": "1", "triggerSource": source, "userPoolId": newPoolID, "userName": username, "later": "kept",
			"request": map[string]any{"password": password}, "response": map[string]any{},
		})
		out, err := w.arrival.Handle(t.Context(), in)
		if err != nil {
			return nil, err
		}
		var e map[string]any
		if err := json.Unmarshal(out, &e); err != nil || e["later"] != "kept" {
			t.Errorf("%s, %v", out, err)
		}
		return e["response"].(map[string]any), nil
	}
	for _, tt := range []struct{ source, username, password, status string }{
		{"UserMigration_Authentication", "dora", password, "CONFIRMED"},
		{"UserMigration_Authentication", "finn", password, "RESET_REQUIRED"},
		{"UserMigration_ForgotPassword", "alice", "", "RESET_REQUIRED"},
		{"UserMigration_ForgotPassword", "gina", "", ""},
		{"UserMigration_ForgotPassword", "carol", "", ""},
		{"UserMigration_ForgotPassword", "nobody", "", ""},
	} {
		r, err := event(tt.source, tt.username, tt.password)
		if (err == nil) != (tt.status != "") || err == nil && (r["finalUserStatus"] != tt.status || r["messageAction"] != "SUPPRESS") {
			t.Errorf("%s of %s: %v, %v", tt.source, tt.username, r, err)
		}
		if err != nil && err.Error() != errWrongPassword.Error() {
			t.Errorf("%s of %s tells more than that: %v", tt.source, tt.username, err)
		}
	}
	if r, err := event("PostAuthentication_Authentication", "alice", ""); err != nil || len(r) != 0 {
		t.Errorf("another trigger: %v, %v", r, err)
	}
	for _, in := range []string{"", "[]", "{}", `{"userPoolId":"local_Other0001","triggerSource":"UserMigration_Authentication"}`} {
		if out, err := w.arrival.Handle(t.Context(), json.RawMessage(in)); err == nil {
			t.Errorf("%s: %s", in, out)
		}
	}
}

// TestS775_ASecondFactorIsNotLost: by no way, unless an operator allows it.
func TestS775_ASecondFactorIsNotLost(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		w := newWorld(t, func(c *ArrivalConfig) { c.ForgotPassword, c.WithoutSecondFactor = true, allowed })
		w.deploy(t)
		if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		_, _ = w.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("web"), Username: aws.String("dora")})
		if p, _, _ := w.find(t, newPoolID, "dora"); (p.sub != "") != allowed {
			t.Errorf("allowed %t: by a forgotten password: %+v", allowed, p)
		}
		d, err := w.move(t, w.Client, func(c *Config) { c.WithoutSecondFactor = allowed }).Drain(t.Context(), false)
		if err != nil || (d.SecondFactor == 1) == allowed || d.Failed != 0 {
			t.Errorf("allowed %t: %+v, %v", allowed, d, err)
		}
		if p, _, groups := w.find(t, newPoolID, "dora"); (p.sub != "") != allowed || allowed && len(groups) != 1 {
			t.Errorf("allowed %t: after a drain: %+v %q", allowed, p, groups)
		}
	}
}

// answers is an old pool that takes every password with a challenge.
type answers struct {
	OldAPI
	challenge types.ChallengeNameType
}

func (a *answers) AdminInitiateAuth(context.Context, *cip.AdminInitiateAuthInput, ...func(*cip.Options)) (*cip.AdminInitiateAuthOutput, error) {
	return &cip.AdminInitiateAuthOutput{ChallengeName: a.challenge}, nil
}

// TestS775_Challenges: what the old pool asks for next says whether there is a second
// factor, and so does the person: dora has one, alice has none.
func TestS775_Challenges(t *testing.T) {
	for _, tt := range []struct {
		username  string
		challenge types.ChallengeNameType
		want      string
	}{
		{"alice", "", "CONFIRMED"},
		{"alice", types.ChallengeNameTypeMfaSetup, "CONFIRMED"},
		{"alice", types.ChallengeNameTypeNewPasswordRequired, "RESET_REQUIRED"},
		{"alice", types.ChallengeNameTypeSmsMfa, errSecondFactor.Error()},
		{"alice", types.ChallengeNameTypeEmailOtp, errSecondFactor.Error()},
		{"alice", "A_NEW_KIND", errSecondFactor.Error()},
		{"dora", "", errSecondFactor.Error()},
		{"dora", types.ChallengeNameTypeNewPasswordRequired, errSecondFactor.Error()},
		{"gina", types.ChallengeNameTypeNewPasswordRequired, errResetFirst.Error()},
	} {
		w := newWorld(t, func(c *ArrivalConfig) { c.Old = &answers{c.Old, tt.challenge} })
		got, err := w.arrival.signIn(t.Context(), tt.username, password)
		if err != nil {
			got = &migrated{Status: err.Error()}
		}
		if got.Status != tt.want {
			t.Errorf("%s, %q: %q, want %q", tt.username, tt.challenge, got.Status, tt.want)
		}
	}
}

// TestS775_GroupsAreWhole: a fault between two groups leaves nobody with one of them.
func TestS775_GroupsAreWhole(t *testing.T) {
	var cut *cutOff
	w := newWorld(t, func(c *ArrivalConfig) {
		cut = &cutOff{WriteAPI: c.New.(*cip.Client), left: 1}
		c.New = cut
	})
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if out, err := w.signIn(t, "alice", password); err == nil {
		t.Errorf("signed in with a part of the groups: %+v", out)
	}
	cut.left = 100
	out, err := w.signIn(t, "alice", password)
	if err != nil || !slices.Equal(claimsOf(t, *out.AuthenticationResult.AccessToken).Groups, []string{"editors", "readers"}) {
		t.Fatalf("%v", err)
	}
	if _, _, groups := w.find(t, newPoolID, "alice"); len(groups) != 2 {
		t.Errorf("groups: %q", groups)
	}
}

// TestS778_NamesAreProven: in a pool that names people by address, whoever has proven an
// address has it, and nobody else.
func TestS778_NamesAreProven(t *testing.T) {
	p := person{sub: "s", username: "aa", attributes: map[string]string{"sub": "s", "email": "alice@example.com", "phone_number": "+15550100"}}
	w := newWorld(t, nil)
	m := w.move(t, w.Client, func(c *Config) { c.WithoutSecondFactor = true })
	if err := m.make(t.Context(), &newPool{attributes: []string{"email", Attribute}, emails: true}, p); !errors.Is(err, errNoName) {
		t.Errorf("%v", err)
	}
}

// TestS776_Tickets: nobody can say of themselves who they were.
func TestS776_Tickets(t *testing.T) {
	key := bytes.Repeat([]byte{7}, KeySize)
	one, err := NewTickets(key, oldPool, newPoolID)
	if err != nil {
		t.Fatal(err)
	}
	ticket := one.Issue("a-sub")
	for _, good := range []string{ticket, ticket + complete} {
		if sub, err := one.Open(good); err != nil || sub != "a-sub" {
			t.Errorf("%q, %v", sub, err)
		}
	}
	other, _ := NewTickets(key, newPoolID, oldPool)
	third, _ := NewTickets(bytes.Repeat([]byte{8}, KeySize), oldPool, newPoolID)
	for name, forged := range map[string]string{
		"empty": "", "a sub": "a-sub", "no MAC": "a-sub.", "no sub": ticket[len("a-sub"):], "another sub": strings.Replace(ticket, "a-sub", "b-sub", 1),
		"cut off": ticket[:len(ticket)-1], "longer": ticket + "A", "of the other direction": other.Issue("a-sub"), "of another key": third.Issue("a-sub"),
	} {
		if sub, err := one.Open(forged); !errors.Is(err, ErrTicket) || sub != "" {
			t.Errorf("%s: %q, %v", name, sub, err)
		}
	}
	for name, f := range map[string]func() (*Tickets, error){
		"a short key":   func() (*Tickets, error) { return NewTickets(key[1:], oldPool, newPoolID) },
		"the same pool": func() (*Tickets, error) { return NewTickets(key, oldPool, oldPool) },
		"no pool":       func() (*Tickets, error) { return NewTickets(key, "", newPoolID) },
		"a URL":         func() (*Tickets, error) { return NewTickets(key, "https://example.com/a_b", newPoolID) },
	} {
		if got, err := f(); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestS776_WhoSomebodyWas: by a ticket, or by an account at a provider that both pools have.
func TestS776_WhoSomebodyWas(t *testing.T) {
	tickets, err := NewTickets(bytes.Repeat([]byte{7}, KeySize), oldPool, newPoolID)
	if err != nil {
		t.Fatal(err)
	}
	tickets.Providers = []string{"Google"}
	away := errors.New("away")
	was := tickets.SamePerson("old", func(_ context.Context, issuer, username string) (string, error) {
		switch {
		case issuer != "old":
			t.Errorf("asked at %s", issuer)
		case username == "Google_17":
			return "her-old-sub", nil
		case username == "Google_18":
			return "", away
		}
		return "", nil
	})
	by := func(provider, id, username string) *verify.Claims {
		c := new(verify.Claims)
		c.Username, c.Identities = username, []verify.Identity{{ProviderName: provider, UserID: id}}
		return c
	}
	with := func(value string) *verify.Claims {
		c := new(verify.Claims)
		c.Custom = map[string]json.RawMessage{Attribute: json.RawMessage(value)}
		return c
	}
	ticket, _ := json.Marshal(tickets.Issue("a-sub"))
	for name, tt := range map[string]struct {
		claims  *verify.Claims
		subject string
		err     error
	}{
		"a ticket":                                 {with(string(ticket)), "a-sub", nil},
		"a forged one":                             {with(`"a-sub.x"`), "", ErrTicket},
		"no text":                                  {with(`{"a":1}`), "", ErrTicket},
		"an empty one":                             {with(`""`), "", nil},
		"nobody":                                   {new(verify.Claims), "", nil},
		"a provider of both pools":                 {by("Google", "17", "Google_17"), "her-old-sub", nil},
		"nobody who was there":                     {by("Google", "19", "Google_19"), "", nil},
		"it cannot be found out":                   {by("Google", "18", "Google_18"), "", away},
		"another provider":                         {by("Other", "17", "Other_17"), "", nil},
		"a pool that writes small letters":         {by("Google", "17", "google_17"), "her-old-sub", nil},
		"a local user with a linked account":       {by("Google", "17", "mallory"), "", nil},
		"a local user who is called as an account": {by("Other", "17", "Google_17"), "", nil},
	} {
		issuer, subject, err := was(t.Context(), tt.claims)
		if subject != tt.subject || !errors.Is(err, tt.err) || subject != "" && issuer != "old" {
			t.Errorf("%s: %q %q, %v", name, issuer, subject, err)
		}
	}
}

func FuzzTicket(f *testing.F) {
	one, err := NewTickets(bytes.Repeat([]byte{7}, KeySize), oldPool, newPoolID)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one.Issue("a-sub"))
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, ticket string) {
		if sub, err := one.Open(ticket); err == nil && one.Issue(sub) != strings.TrimSuffix(ticket, complete) {
			t.Errorf("%q is a ticket of %q", ticket, sub)
		}
	})
}

// TestS777_Plan: what stands in the way is found, and the way is free after it was done.
func TestS777_Plan(t *testing.T) {
	w := newWorld(t, nil)
	m := w.move(t, w.Client)
	p, err := m.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no migrate-user trigger", "before tokens are made", "anybody can sign up", "read attributes with " + Attribute, "may write " + Attribute, "lacks groups"} {
		if !slices.ContainsFunc(p.Faults, func(f Finding) bool { return strings.Contains(f.What, want) && f.Fix != "" }) {
			t.Errorf("not found: %s in %+v", want, p.Faults)
		}
	}
	if notes(p, "reset their password by other means") || notes(p, "password policies") {
		t.Errorf("the same in both pools: %+v", p.Notes)
	}
	if p.Ready() || p.People != 7 || p.Waiting != 5 || p.Disabled != 1 || p.Unfit != 1 || p.Arrived != 0 || !slices.Equal(p.Groups.Created, []string{"editors", "readers"}) {
		t.Errorf("%+v", p)
	}
	if groups, err := m.groups(t.Context(), w.Client, newPoolID); err != nil || len(groups) != 0 {
		t.Errorf("a plan made %+v, %v", groups, err)
	}
	arrive := aws.String("arn:aws:lambda:eu-west-1:111122223333:function:arrive")
	if _, err := w.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newPoolID), LambdaConfig: &types.LambdaConfigType{
		UserMigration: arrive, PreTokenGeneration: arrive, PreSignUp: arrive,
	}}); err != nil {
		t.Fatal(err)
	}
	if p, err = m.Plan(t.Context()); err != nil || signUpIsOpen(p) {
		t.Errorf("with a pre sign-up trigger: %+v, %v", p.Faults, err)
	}
	if _, err := w.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newPoolID), AdminCreateUserConfig: &types.AdminCreateUserConfigType{AllowAdminCreateUserOnly: true},
		LambdaConfig: &types.LambdaConfigType{UserMigration: arrive, PreTokenGeneration: arrive}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateUserPoolClient(t.Context(), &cip.UpdateUserPoolClientInput{
		UserPoolId: aws.String(newPoolID), ClientId: aws.String("web"), ReadAttributes: []string{"email", Attribute}, WriteAttributes: []string{"email"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if p, err = m.Plan(t.Context()); err != nil || !p.Ready() || notes(p, "password policies") {
		t.Errorf("%+v, %v", p, err)
	}
	recovers := func(by ...types.RecoveryOptionNameType) Plan {
		t.Helper()
		in := &cip.UpdateUserPoolInput{
			UserPoolId: aws.String(newPoolID), AdminCreateUserConfig: &types.AdminCreateUserConfigType{AllowAdminCreateUserOnly: true},
			LambdaConfig:           &types.LambdaConfigType{UserMigration: arrive, PreTokenGeneration: arrive},
			AccountRecoverySetting: new(types.AccountRecoverySettingType), Policies: &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(20)}},
		}
		for i, name := range by {
			in.AccountRecoverySetting.RecoveryMechanisms = append(in.AccountRecoverySetting.RecoveryMechanisms, types.RecoveryOptionType{Name: name, Priority: aws.Int32(int32(i + 1))})
		}
		if _, err := w.UpdateUserPool(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		p, err := m.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := recovers(types.RecoveryOptionNameTypeAdminOnly); p.Ready() || len(p.Faults) != 1 || !strings.Contains(p.Faults[0].What, "admin_only") || p.Faults[0].Fix == "" {
		t.Errorf("without \"forgot password\": %+v", p.Faults)
	}
	if p := recovers(types.RecoveryOptionNameTypeVerifiedPhoneNumber, types.RecoveryOptionNameTypeVerifiedEmail); !p.Ready() || !notes(p, "verified_phone_number, then verified_email in the new pool") || !notes(p, "password policies") {
		t.Errorf("%+v", p)
	}
}

func notes(p Plan, what string) bool {
	return slices.ContainsFunc(p.Notes, func(f Finding) bool { return strings.Contains(f.What, what) })
}

func signUpIsOpen(p Plan) bool {
	return slices.ContainsFunc(p.Faults, func(f Finding) bool { return strings.Contains(f.What, "anybody can sign up") })
}

var errCut = errors.New("cut off")

// cutOff is the new pool's API for so many calls.
type cutOff struct {
	WriteAPI
	mu   sync.Mutex
	left int
}

func (c *cutOff) may() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

func (c *cutOff) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	if err := c.may(); err != nil {
		return nil, err
	}
	return c.WriteAPI.AdminCreateUser(ctx, in, o...)
}

func (c *cutOff) AdminSetUserMFAPreference(ctx context.Context, in *cip.AdminSetUserMFAPreferenceInput, o ...func(*cip.Options)) (*cip.AdminSetUserMFAPreferenceOutput, error) {
	if err := c.may(); err != nil {
		return nil, err
	}
	return c.WriteAPI.AdminSetUserMFAPreference(ctx, in, o...)
}

func (c *cutOff) AdminAddUserToGroup(ctx context.Context, in *cip.AdminAddUserToGroupInput, o ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	if err := c.may(); err != nil {
		return nil, err
	}
	return c.WriteAPI.AdminAddUserToGroup(ctx, in, o...)
}

func (c *cutOff) AdminUpdateUserAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput, o ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error) {
	if err := c.may(); err != nil {
		return nil, err
	}
	return c.WriteAPI.AdminUpdateUserAttributes(ctx, in, o...)
}

func (c *cutOff) AdminSetUserPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput, o ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	if err := c.may(); err != nil {
		return nil, err
	}
	return c.WriteAPI.AdminSetUserPassword(ctx, in, o...)
}

// TestS778_DrainIsResumed: cut off after each of its writes, and begun again, it ends the
// same, and nobody who has come by themselves loses their password.
func TestS778_DrainIsResumed(t *testing.T) {
	var end map[string]string
	for after := range 40 {
		w := newWorld(t, nil)
		w.deploy(t)
		if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if _, err := w.signIn(t, "bob", password); err != nil {
			t.Fatal(err)
		}
		cut := &cutOff{WriteAPI: w.Client, left: after}
		d, err := w.move(t, cut).Drain(t.Context(), false)
		if err != nil || d.Arrived != 1 || d.Waiting != 4 {
			t.Fatalf("after %d: %+v, %v", after, d, err)
		}
		again, err := w.move(t, w.Client).Drain(t.Context(), false)
		if err != nil || again.Failed != 0 {
			t.Fatalf("after %d, again: %+v, %v", after, again, err)
		}
		got := make(map[string]string)
		for _, username := range []string{"alice", "bob", "carol", "dora", "emil", "finn", "gina"} {
			was, _, _ := w.find(t, oldPool, username)
			p, status, groups := w.find(t, newPoolID, username)
			if p.sub == "" {
				continue
			}
			if sub, err := w.tickets.Open(p.attributes[Attribute]); err != nil || sub != was.sub {
				t.Errorf("after %d: the ticket of %s says %q, %v", after, username, sub, err)
			}
			got[username] = fmt.Sprint(status, groups, p.attributes["email"], p.attributes["email_verified"])
		}
		if end == nil {
			end = got
			if len(got) != 4 || got["alice"] != "CONFIRMED[editors readers]alice@example.comtrue" {
				t.Fatalf("%q", got)
			}
		}
		if !maps.Equal(got, end) {
			t.Errorf("after %d: %q, want %q", after, got, end)
		}
		if _, err := w.signIn(t, "bob", password); err != nil {
			t.Errorf("after %d: %v", after, err)
		}
		if _, err := w.signIn(t, "alice", password); err == nil {
			t.Errorf("after %d: alice has the password that she had", after)
		}
		if d.Failed == 0 {
			return
		}
	}
	t.Error("it never came to its end")
}

// TestS778_WhoeverComesMeanwhile: somebody comes between the reading and the writing.
func TestS778_WhoeverComesMeanwhile(t *testing.T) {
	w := newWorld(t, nil)
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	m := w.move(t, w.Client)
	var r Report
	there, err := m.arrived(t.Context(), &r)
	if err != nil || len(there.people) != 0 {
		t.Fatal(there, err)
	}
	if _, err := w.signIn(t, "bob", password); err != nil {
		t.Fatal(err)
	}
	described, err := w.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String(newPoolID)})
	if err != nil {
		t.Fatal(err)
	}
	bob, _, _ := w.find(t, oldPool, "bob")
	if err := m.make(t.Context(), describe(described.UserPool), bob); err != nil {
		t.Error(err)
	}
	if _, err := w.signIn(t, "bob", password); err != nil {
		t.Errorf("bob's password: %v", err)
	}
	// Somebody has signed up with the name of another.
	if _, err := w.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(newPoolID), Username: aws.String("gina")}); err != nil {
		t.Fatal(err)
	}
	d, err := m.Drain(t.Context(), false)
	if err != nil || d.Failed != 1 || d.Others != 1 || d.Arrived != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

func decodeSegment(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
