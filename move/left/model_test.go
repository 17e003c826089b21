package left_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/move/left"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/verify"
)

const (
	oldPool  = "local_Old000001"
	newPool  = "local_New000001"
	password = "Passw0rd!"
	crowd    = 6
)

func nameOf(i int) string { return fmt.Sprintf("user%d", i) }

// person is what has to be true of somebody.
type person struct {
	row      int64  // that they were before the move
	sub      string // of the old pool
	there    bool   // in the new pool
	stranger bool   // there, and made by nobody who knew that they had left
	seen     bool   // the replica has heard of who they are there
	gone     bool   // was deleted there, and the replica had seen them
	told     bool   // the replica has heard of that
	password string // at the new pool; "": nobody knows it
}

// world is a move between two pools, and an application with a replica.
type world struct {
	*testing.T
	*cip.Client
	users    *sqlreplica.Store
	tickets  *move.Tickets
	leavers  *left.Leavers
	folk     people.People
	old, now string // issuers
	emails   bool   // people are called by their address
	people   [crowd]person
}

func newWorld(t *testing.T, triggerAsks bool, emails bool) *world {
	t.Helper()
	var text strings.Builder
	names := fmt.Sprintf("\n    email_as_username: %t", emails)
	text.WriteString("pools:\n  - id: " + oldPool + names + "\n    clients: [{id: ask, secret: a secret, callback_urls: [\"http://localhost/cb\"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}]\n    users:\n")
	for i := range crowd {
		fmt.Fprintf(&text, "      - {username: %s, email: %[1]s@example.com, password: %s}\n", nameOf(i), password)
	}
	text.WriteString("  - id: " + newPool + names + "\n    clients: [{id: web, callback_urls: [\"http://localhost/cb\"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]\n")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	seed, err := localpool.ParseSeed([]byte(text.String()))
	ok(err)
	var pools *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pools.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	pools, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL})
	ok(err)
	t.Cleanup(func() { _ = pools.Close() })
	w := &world{T: t, emails: emails, old: server.URL + "/" + oldPool, now: server.URL + "/" + newPool}
	w.Client = cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	_, err = w.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String(newPool), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}})
	ok(err)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "people.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	ok(err)
	t.Cleanup(func() { _ = db.Close() })
	w.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	ok(err)
	ok(w.users.Migrate(t.Context()))

	w.tickets, err = move.NewTickets(bytes.Repeat([]byte{6}, move.KeySize), oldPool, newPool)
	ok(err)
	w.leavers = left.New(w.users, w.tickets, w.old, w.now)
	asking := *w.tickets
	asking.Left = w.leavers.Has
	w.folk = people.People{Replica: w.users, Was: asking.SamePerson(w.old, nil)}
	trigger := w.tickets
	if triggerAsks {
		trigger = &asking
	}
	arrival, err := move.NewArrival(move.ArrivalConfig{Old: w.Client, New: w.Client, Tickets: trigger, OldClientID: "ask", OldClientSecret: "a secret"})
	ok(err)
	for _, name := range []string{localpool.UserMigration, localpool.PreTokenGeneration} {
		ok(pools.SetTrigger(newPool, name, localpool.Trigger{Func: func(ctx context.Context, event map[string]any) error {
			in, err := json.Marshal(event)
			if err != nil {
				return err
			}
			out, err := arrival.Handle(ctx, in)
			if err != nil {
				return err
			}
			clear(event)
			return json.Unmarshal(out, &event)
		}}))
	}
	w.pass(oldPool, w.old)
	for i := range w.people {
		u, err := w.users.UsersByEmail(t.Context(), w.old, nameOf(i)+"@example.com")
		ok(err)
		if len(u) != 1 {
			t.Fatalf("%+v", u)
		}
		w.people[i].row, w.people[i].sub = u[0].ID, u[0].Subject
	}
	return w
}

// pass has the replica hear what a pool has.
func (w *world) pass(pool, issuer string) {
	w.Helper()
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: pool, Client: w.Client})
	if err != nil {
		w.Fatal(err)
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: issuer, Replica: w.users, Journal: directory.NewMemoryJournal()})
	if err != nil {
		w.Fatal(err)
	}
	if _, err := sync.Run(w.Context(), directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) hears() {
	w.pass(newPool, w.now)
	for i := range w.people {
		p := &w.people[i]
		p.told = p.gone
		p.seen = p.there
	}
}

// login is how somebody is called in the new pool.
func (w *world) login(i int) string {
	if w.emails {
		return nameOf(i) + "@example.com"
	}
	return nameOf(i)
}

// signsIn has somebody sign in at the new pool, and at the application.
func (w *world) signsIn(i int, triggerAsks bool) {
	w.Helper()
	p := &w.people[i]
	secret := p.password
	if !p.there || secret == "" {
		secret = password
	}
	out, err := w.InitiateAuth(w.Context(), &cip.InitiateAuthInput{ClientId: aws.String("web"), AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": w.login(i), "PASSWORD": secret}})
	may := !p.there && !(p.gone && p.told && triggerAsks) || p.there && p.password != ""
	if (err == nil) != may {
		w.Fatalf("%s at the pool: %v, and may %t: %+v", nameOf(i), err, may, *p)
	}
	if err != nil {
		return
	}
	if !p.there {
		p.there, p.password, p.stranger = true, password, p.gone
	}
	row, err := w.enters(*out.AuthenticationResult.IdToken)
	switch {
	case p.stranger && p.told:
		if !errors.Is(err, move.ErrLeft) {
			w.Fatalf("%s has left, and comes in as row %d, %v: %+v", nameOf(i), row, err, *p)
		}
	case p.stranger && err != nil: // who they were is there, as far as the replica knows
	case p.stranger && row == p.row: // nobody has heard that they had left, and they had never signed in
		p.gone, p.stranger, p.seen = false, false, true
	case err != nil || row != p.row:
		w.Fatalf("%s comes in as row %d, %v: %+v", nameOf(i), row, err, *p)
	default:
		p.seen = true
	}
}

// enters tells the application who has signed in.
func (w *world) enters(token string) (int64, error) {
	w.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		w.Fatal(err)
	}
	var of struct {
		Subject  string `json:"sub"`
		Username string `json:"cognito:username"`
		Email    string `json:"email"`
		Ticket   string `json:"custom:codegrant_moved"`
	}
	if err := json.Unmarshal(raw, &of); err != nil {
		w.Fatal(err)
	}
	claims := new(verify.Claims)
	claims.Issuer, claims.Subject, claims.Username, claims.Email, claims.IssuedAt = w.now, of.Subject, of.Username, of.Email, time.Now()
	ticket, err := json.Marshal(of.Ticket)
	if err != nil {
		w.Fatal(err)
	}
	claims.Custom = map[string]json.RawMessage{move.Attribute: ticket}
	row, _, err := w.folk.Tell(w.Context(), claims, true, [32]byte{}, 0)
	return row, err
}

// leaves deletes somebody at the new pool.
func (w *world) leaves(i int) {
	p := &w.people[i]
	if !p.there {
		return
	}
	if _, err := w.AdminDeleteUser(w.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(newPool), Username: aws.String(w.login(i))}); err != nil {
		w.Fatal(err)
	}
	p.gone = p.gone || p.seen
	p.there, p.stranger, p.password = false, false, ""
	if p.seen { // another deletion, which nobody has told the replica of
		p.seen = false
	}
}

// drains runs a drain, of everybody or of some who are brought back.
func (w *world) drains(back ...int) {
	w.Helper()
	all, err := w.leavers.All(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	config := move.Config{Old: w.Client, New: w.Client, Tickets: w.tickets, Left: all, Share: 1e6}
	for _, i := range back {
		config.BringBack = append(config.BringBack, w.people[i].sub)
	}
	m, err := move.New(config)
	if err != nil {
		w.Fatal(err)
	}
	d, err := m.Drain(w.Context(), false)
	if err != nil || d.Failed > 0 {
		w.Fatalf("%+v, %v", d, err)
	}
	stayed := 0
	for i := range w.people {
		p := &w.people[i]
		named := len(back) > 0 && back[0] == i
		switch {
		case named && p.there: // with the password that they have
			p.gone, p.told, p.stranger = false, false, false
		case named:
			p.there, p.gone, p.told, p.password = true, false, false, ""
		case p.gone && p.told:
			stayed++
		case len(back) == 0 && !p.there:
			p.there, p.password, p.stranger = true, "", p.gone
		}
	}
	if d.Left != stayed {
		w.Fatalf("%d have left, want %d: %+v", d.Left, stayed, w.people)
	}
	for i, p := range w.people {
		_, err := w.AdminGetUser(w.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(newPool), Username: aws.String(w.login(i))})
		if (err == nil) != p.there {
			w.Fatalf("%s after a drain: %v: %+v", nameOf(i), err, p)
		}
	}
}

// chooses gives somebody whom a drain has made a password, as "forgot password" does.
func (w *world) chooses(i int) {
	p := &w.people[i]
	if !p.there {
		return
	}
	next := fmt.Sprintf("Passw0rd!%d", rand.IntN(100))
	if _, err := w.AdminSetUserPassword(w.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: aws.String(newPool), Username: aws.String(w.login(i)), Password: &next, Permanent: true}); err != nil {
		w.Fatal(err)
	}
	p.password = next
}

// TestS816_WhoeverHasLeftStaysAway: whatever the order of sign-ins, deletions in the new pool,
// passes and drains, nobody whom the replica knows as deleted there is made again by a drain or
// comes in by their old password, until an operator brings them back, as who they were.
func TestS816_WhoeverHasLeftStaysAway(t *testing.T) {
	for _, emails := range []bool{false, true} {
		for _, triggerAsks := range []bool{false, true} {
			t.Run(fmt.Sprintf("emails %t, the trigger asks %t", emails, triggerAsks), func(t *testing.T) {
				w := newWorld(t, triggerAsks, emails)
				did := make(map[string]int)
				for range 50 {
					i := rand.IntN(crowd)
					p, n := &w.people[i], rand.IntN(20)
					switch {
					case n < 7:
						w.signsIn(i, triggerAsks)
					case n < 11:
						w.leaves(i)
					case n < 14:
						w.hears()
					case n < 15:
						w.drains()
					case n < 17:
						w.chooses(i)
					case p.gone && p.told:
						w.drains(i)
						w.drains(i) // once more does nothing
						did["brought back"]++
						w.chooses(i)
						w.signsIn(i, triggerAsks)
					}
				}
				if did["brought back"] == 0 { // by chance
					w.drains()
					w.hears()
					w.leaves(0)
					w.hears()
					w.drains(0)
					w.chooses(0)
					w.signsIn(0, triggerAsks)
				}
			})
		}
	}
}

// TestS816_AReplicaThatCannotBeAsked: nobody comes as who they were while nobody says whether
// they have left.
func TestS816_AReplicaThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, false, false)
	w.signsIn(0, false)
	for _, issuer := range []string{w.old, w.now} {
		l := left.New(away{w.users, issuer}, w.tickets, w.old, w.now)
		if has, err := l.Has(t.Context(), "somebody", "else"); !errors.Is(err, replica.ErrUnavailable) || has {
			t.Errorf("%s: %t, %v", issuer, has, err)
		}
	}
	l := left.New(away{w.users, ""}, w.tickets, w.old, w.now)
	if _, err := l.All(t.Context()); !errors.Is(err, replica.ErrUnavailable) {
		t.Error(err)
	}
}

// away is a replica that does not answer about one issuer, or about all.
type away struct {
	left.Store
	issuer string
}

func (a away) UserBySubject(ctx context.Context, issuer, subject string) (replica.User, error) {
	if issuer == a.issuer {
		return replica.User{}, replica.ErrUnavailable
	}
	return a.Store.UserBySubject(ctx, issuer, subject)
}

func (a away) Users(context.Context, replica.UserQuery) (replica.UserPage, error) {
	return replica.UserPage{}, replica.ErrUnavailable
}
