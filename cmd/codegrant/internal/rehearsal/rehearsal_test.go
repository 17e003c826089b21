package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/replica"
)

const oldID, newID = "local_Old000001", "local_New000001"

// kinds are people of each kind. carol's and dave's addresses differ in capital letters alone.
const kinds = `
pools:
  - id: local_Old000001
    mfa: OPTIONAL
    clients: [{id: ask, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}]
    groups: [{name: editors, description: who writes, precedence: 5}, {name: readers}]
    users:
      - {username: alice, email: alice@example.com, name: Alice Archer, password: Passw0rd!, groups: [editors, readers]}
      - {username: Bob, email: bob@example.com, name: Bøb, password: Passw0rd!, attributes: {phone_number: "+15550100", birthdate: "1999-12-31", address: "1 Main Street"}}
      - {username: carol, email: Carol@example.com, password: Passw0rd!}
      - {username: dave, email: carol@example.com, email_unverified: true, password: Passw0rd!}
      - {username: erin, email: erin@example.com, password: Passw0rd!, disabled: true, groups: [readers]}
      - {username: dora, email: dora@example.com, password: Passw0rd!, authenticator: JBSWY3DPEHPK3PXP, authenticator_always: true, groups: [readers]}
      - {username: emil, email: emil@example.com, password: Passw0rd!, status: UNCONFIRMED}
      - {username: finn, email: finn@example.com, password: Passw0rd!, status: FORCE_CHANGE_PASSWORD}
      - {username: gina, email: gina@example.com, email_unverified: true, password: Passw0rd!, status: FORCE_CHANGE_PASSWORD}
      - {username: hugo, email: hugo@example.com, password: Passw0rd!, status: RESET_REQUIRED}
      - {username: Google_17, email: ina@example.com, status: EXTERNAL_PROVIDER}
  - id: local_New000001
    clients: [{id: web, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]
`

// real are two pools that stand for those at AWS.
type real struct {
	*cip.Client
	pools *localpool.Server
	calls atomic.Int64
	most  atomic.Int64 // calls that are answered; below 0: all
}

var errCut = errors.New("cut off")

// Do answers as many calls as there may be.
func (r *real) Do(in *http.Request) (*http.Response, error) {
	if n := r.calls.Add(1); r.most.Load() >= 0 && n > r.most.Load() {
		return nil, errCut
	}
	w := &within{pools: r.pools, calls: make(map[string]int)}
	return w.Do(in)
}

func newReal(t *testing.T, seed string) *real {
	t.Helper()
	parsed, err := localpool.ParseSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	r := new(real)
	r.most.Store(-1)
	if r.pools, err = localpool.New(localpool.Config{Seed: parsed, BaseURL: base, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.pools.Close() })
	url := base
	r.Client = cip.New(cip.Options{
		Region: "local", BaseEndpoint: &url, HTTPClient: r, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""), RetryMaxAttempts: 1,
	})
	if _, err := r.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String(newID), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	r.readable(t, "email", move.Attribute)
	return r
}

// readable has the app client read these attributes, and write an address.
func (r *real) readable(t *testing.T, names ...string) {
	t.Helper()
	if _, err := r.UpdateUserPoolClient(t.Context(), &cip.UpdateUserPoolClientInput{
		UserPoolId: aws.String(newID), ClientId: aws.String("web"), ReadAttributes: names, WriteAttributes: []string{"email"},
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth},
	}); err != nil {
		t.Fatal(err)
	}
}

var masks = NewMasks(bytes.Repeat([]byte{3}, 32))

func (r *real) reader() Reader { return Reader{API: r, Pool: oldID, Masks: masks, Share: 1e6} }

func opened(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenFile(path, oldID, masks, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// read reads everybody.
func (r *real) read(t *testing.T) (people []Shape, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "people")
	f := opened(t, path)
	reader := r.reader()
	if err := reader.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	people, err := f.Sample(0)
	if err != nil {
		t.Fatal(err)
	}
	return people, path
}

func (r *real) config() Config {
	return Config{Old: r, New: r, OldPool: oldID, NewPool: newID, NewClient: "web", Providers: []string{"Google"}, Share: 0.8}
}

// TestS793_StandIns: the file says what people are like, and nothing of who they are.
func TestS793_StandIns(t *testing.T) {
	r := newReal(t, kinds)
	people, path := r.read(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"alice", "archer", "bob", "bøb", "carol", "example.com", "15550100", "1999", "main street", "passw0rd", "dora", "google_17"} {
		if strings.Contains(strings.ToLower(string(text)), word) {
			t.Errorf("the file has %q", word)
		}
	}
	listed, err := r.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(oldID)})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range listed.Users {
		for _, at := range u.Attributes {
			if aws.ToString(at.Name) == "sub" && bytes.Contains(text, []byte(*at.Value)) {
				t.Error("the file has a sub")
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	of := func(username string) Shape {
		i := slices.IndexFunc(people, func(p Shape) bool { return p.Username == masks.name("username", username) })
		if i < 0 {
			t.Fatalf("%s is not there", username)
		}
		return people[i]
	}
	// The local pool keeps addresses and names in small letters where capital ones do not count.
	alice, bob, carol, dave := of("alice"), of("bob"), of("carol"), of("dave")
	if !slices.Equal(alice.Groups, []string{"editors", "readers"}) || alice.Status != "CONFIRMED" || alice.Attributes["email_verified"] != "true" {
		t.Errorf("%+v", alice)
	}
	if got := bob.Attributes; len([]rune(got["name"])) != 3 || len(got["name"]) != 4 || len(got["phone_number"]) != 14 || got["birthdate"] != "1970-01-01" || len(got["address"]) != len("1 Main Street") {
		t.Errorf("%q", got)
	}
	if carol.Attributes["email"] != dave.Attributes["email"] || carol.Attributes["email"] == alice.Attributes["email"] {
		t.Error("addresses that are equal are not, or the other way round")
	}
	if dora := of("dora"); !slices.Equal(dora.Factors, []string{"SOFTWARE_TOKEN_MFA"}) {
		t.Errorf("%+v", dora)
	}
	if small, capital := masks.email("carol@example.com"), masks.email("Carol@example.com"); small == capital || !strings.EqualFold(small, capital) {
		t.Errorf("%s and %s", small, capital)
	}
	s := masks.shape(person{sub: "s", username: "Google_17", status: "EXTERNAL_PROVIDER", attributes: map[string]string{
		"identities": `[{"userId":"17","providerName":"Google","primary":true}]`, "custom:level": "12345", "custom:since": "2026-01-01T00:00:00Z", "custom:staff": "True",
	}}, map[string]string{"custom:level": "Number", "custom:since": "DateTime", "custom:staff": "Boolean"})
	if len(s.Accounts) != 1 || s.Username != "Google_"+s.Accounts[0].ID || !s.Disabled || len(s.Attributes["custom:level"]) != 5 || s.Attributes["custom:level"] == "12345" ||
		s.Attributes["custom:since"] != "0" || s.Attributes["custom:staff"] != "true" {
		t.Errorf("%+v", s)
	}
}

// TestS793_Rehearsal: the figures are those of a move of the same people.
func TestS793_Rehearsal(t *testing.T) {
	r := newReal(t, kinds)
	people, _ := r.read(t)
	// The local pool keeps no accounts of a user who never signed in by one.
	for i := range people {
		if p := &people[i]; p.External() {
			p.Accounts = []Account{{"Google", "17"}}
			p.Username = "Google_17"
		}
	}
	before, err := r.pools.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Run(t.Context(), r.config(), people)
	if err != nil {
		t.Fatal(err)
	}
	cannot := map[string]int{"disabled": 1, "never confirmed their account": 1, "a second factor": 1,
		"a password that somebody else has chosen, and nothing verified to reset it by": 1, "their password has to be reset: they come by \"forgot password\" alone": 1}
	if got.People != 11 || got.Arrived != 4 || got.Reset != 1 || got.SetUp != 0 || !maps.Equal(got.Cannot, cannot) || !maps.Equal(got.Federated, map[string]int{"Google": 1}) {
		t.Errorf("%+v", got)
	}
	// alice, bob, carol, dave, finn, gina and hugo; dora has a second factor.
	if got.Made != 7 || got.Left != 1 || len(got.NotMade) != 0 || got.Unreachable != 2 || got.Takes <= 0 || got.DrainTakes <= 0 {
		t.Errorf("%+v", got)
	}
	if got.Before == 0 || got.Back != got.Before || len(got.Unmade) != 0 || !got.Well() {
		t.Errorf("%+v", got)
	}
	if after, err := r.pools.Snapshot(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a rehearsal changed a pool: %v", err)
	}

	// What is wrong with the real pools is found.
	r.readable(t, "email") // not who somebody was
	if got, err = Run(t.Context(), r.config(), people); err != nil || got.Well() || got.Arrived != 0 || got.Strangers["their ID token does not say who they were"] != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	r.readable(t, "email", move.Attribute)
	c := r.config()
	c.Providers, c.WithoutSecondFactor = nil, true
	if got, err = Run(t.Context(), c, people); err != nil || got.Well() || got.Arrived != 5 || got.Made != 8 || len(got.Strangers) != 1 || len(got.Federated) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newID), AccountRecoverySetting: &types.AccountRecoverySettingType{
		RecoveryMechanisms: []types.RecoveryOptionType{{Name: types.RecoveryOptionNameTypeAdminOnly, Priority: aws.Int32(1)}},
	}}); err != nil {
		t.Fatal(err)
	}
	if got, err = Run(t.Context(), r.config(), people); err != nil || got.Made != 7 || got.Unreachable != 7 {
		t.Errorf("without \"forgot password\": %+v, %v", got, err)
	}
}

// TestS836_CodesInARehearsal: people with codes by SMS come if the new pool has them.
func TestS836_CodesInARehearsal(t *testing.T) {
	r := newReal(t, kinds)
	people, _ := r.read(t)
	for i := range people {
		if p := &people[i]; slices.Contains(p.Groups, "editors") { // alice
			p.Factors = []string{smsCode}
			p.Attributes["phone_number"], p.Attributes["phone_number_verified"] = "+15550100", "true"
		}
	}
	for _, moves := range []bool{false, true} {
		if moves {
			if _, err := r.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newID), AccountRecoverySetting: &types.AccountRecoverySettingType{
				RecoveryMechanisms: []types.RecoveryOptionType{{Name: types.RecoveryOptionNameTypeVerifiedEmail, Priority: aws.Int32(1)}}}}); err != nil {
				t.Fatal(err)
			}
			if _, err := r.SetUserPoolMfaConfig(t.Context(), &cip.SetUserPoolMfaConfigInput{UserPoolId: aws.String(newID), MfaConfiguration: types.UserPoolMfaTypeOptional,
				SmsMfaConfiguration: &types.SmsMfaConfigType{SmsConfiguration: &types.SmsConfigurationType{SnsCallerArn: aws.String("arn:aws:iam::123456789012:role/sms")}}}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Run(t.Context(), r.config(), people)
		if err != nil {
			t.Fatal(err)
		}
		arrived, left := 3, 2
		if moves {
			arrived, left = 4, 1
		}
		if got.Arrived != arrived || got.Cannot["a second factor"] != left || got.Left != left || len(got.Unmade)+len(got.Wrong)+len(got.NotMade) != 0 {
			t.Errorf("moves %t: %+v", moves, got)
		}
	}
}

// TestS793_ANewPoolOfAnotherKind: a pool that names people by address takes nobody twice.
func TestS793_ANewPoolOfAnotherKind(t *testing.T) {
	r := newReal(t, strings.Replace(kinds, "  - id: local_New000001\n", "  - id: local_New000001\n    email_as_username: true\n", 1))
	people, _ := r.read(t)
	got, err := Run(t.Context(), r.config(), people)
	if err != nil {
		t.Fatal(err)
	}
	// They come by their address. The old pool knows nobody by one that it has not verified:
	// neither gina nor dave, whose address is carol's.
	cannot := 0
	for _, n := range got.Cannot {
		cannot += n
	}
	if got.Arrived != 3 || got.Cannot["the old pool does not know them by the name that the new one asks for"] == 0 || got.Reset != 1 || cannot != 6 {
		t.Errorf("%+v", got)
	}
	if got.Made != 5 || !maps.Equal(got.NotMade, map[string]int{"they have no verified address or number, by which the new pool names people": 2}) {
		t.Errorf("%+v", got)
	}
}

// TestS794_ResumedReading: cut off at each of its calls, and in the midst of a line, and
// begun again, a reading ends with the same people.
func TestS794_ResumedReading(t *testing.T) {
	r := newReal(t, kinds)
	r.calls.Store(0)
	want, _ := r.read(t)
	asked := r.calls.Load()
	for most := range asked {
		path := filepath.Join(t.TempDir(), "people")
		f := opened(t, path)
		reader := r.reader()
		r.calls.Store(0)
		r.most.Store(most)
		err := reader.Read(t.Context(), f)
		r.most.Store(-1)
		if err == nil {
			break
		}
		_ = f.Close()
		if text, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		} else if most%2 == 0 && len(text) > 200 {
			if err := os.WriteFile(path, text[:len(text)-3], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f = opened(t, path)
		if f.Complete() {
			t.Fatal("it is complete, and was cut off")
		}
		some, err := f.Sample(0)
		if err != nil {
			t.Fatal(err)
		}
		looked := int64(0) // at people of the pool's own, of whom each takes a call
		for _, p := range some {
			if !p.External() {
				looked++
			}
		}
		r.calls.Store(0)
		if err := reader.Read(t.Context(), f); err != nil || r.calls.Load() != asked-looked || !f.Complete() || f.People() != len(want) {
			t.Fatalf("after %d calls: %d people, %d calls more, %v", most, f.People(), r.calls.Load(), err)
		}
		got, err := f.Sample(0)
		if a, b := fmt.Sprint(got), fmt.Sprint(want); err != nil || a != b {
			t.Errorf("after %d calls: %s, want %s, %v", most, a, b, err)
		}
		r.calls.Store(0)
		if err := reader.Read(t.Context(), f); err != nil || r.calls.Load() != 0 {
			t.Errorf("read again: %d calls, %v", r.calls.Load(), err)
		}
	}
	// A file of another move, or of anything else, is left as it is.
	path := filepath.Join(t.TempDir(), "other")
	for _, text := range []string{"a key without a line's end", `{"accounts":["precious"]}`, "{}\n", "a text\n", `{"version":1,"old":"local_Other","key":"k"}` + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path, oldID, masks, false); !errors.Is(err, errOtherFile) {
			t.Errorf("%q: %v", text, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q is now %q, %v", text, left, err)
		}
	}
}

// people is a replica of some.
type people struct {
	replica.Store
	pages [][]replica.User
}

func (p *people) Users(_ context.Context, q replica.UserQuery) (page replica.UserPage, err error) {
	i := 0
	if q.After != "" {
		if _, err := fmt.Sscan(q.After, &i); err != nil {
			return page, err
		}
	}
	page.Users = p.pages[i]
	if i+1 < len(p.pages) {
		page.Next = fmt.Sprint(i + 1)
	}
	return page, nil
}

// TestS793_FromAReplica: which knows no second factors, and says so.
func TestS793_FromAReplica(t *testing.T) {
	r := newReal(t, kinds)
	var user replica.User
	user.Subject, user.Username, user.Email, user.EmailVerified, user.Enabled = "a-sub", "alice", "alice@example.com", true, true
	user.Custom = map[string]string{"custom:level": "3"}
	user.Groups = []replica.Membership{{Group: replica.Group{Name: "editors"}, Pool: true}, {Group: replica.Group{Name: "granted here"}, Local: true}}
	other := user
	other.Subject, other.Username, other.Enabled = "b-sub", "bob", false
	f := opened(t, filepath.Join(t.TempDir(), "people"))
	reader := r.reader()
	if err := reader.ReadReplica(t.Context(), &people{pages: [][]replica.User{{user}, {other}}}, "issuer", f); err != nil || !f.Complete() || !f.FactorsUnknown() {
		t.Fatal(err)
	}
	all, err := f.Sample(0)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	text, _ := json.Marshal(all)
	for _, p := range all {
		if !slices.Equal(p.Groups, []string{"editors"}) || p.Status != "CONFIRMED" || p.Attributes["custom:level"] == "" || p.Disabled != (p.Who == masks.Who("b-sub")) {
			t.Errorf("%s", text)
		}
	}
	if some, err := f.Sample(1); err != nil || len(some) != 1 {
		t.Errorf("%+v, %v", some, err)
	}
}
