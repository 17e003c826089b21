package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/move"
)

const (
	movedFrom = "local_Old000001"
	movedTo   = "local_New000001"
)

// moving is a move between the pools of codegrant pool, behind codegrant serve.
type moving struct {
	*testing.T
	*cip.Client
	binary, url, pool string
	config            [2]string // before and after the switch
	people            []*mover
}

// mover is what has to be true of somebody.
type mover struct {
	name, row string
	groups    string
	password  string // at the pool where they have to sign in now; "": nobody knows it
	out       bool   // they may not come in
}

// newMoving starts the pools, with so many people, and the trigger between them.
func newMoving(t *testing.T, database string, people int) *moving {
	t.Helper()
	port, address := freePort(t), testenv.FreeAddress(t)
	m := &moving{T: t, binary: buildCodegrant(t), url: "http://localhost:" + port, pool: "http://" + address}
	m.Client = cip.New(cip.Options{Region: "local", BaseEndpoint: &m.pool, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	key := bytes.Repeat([]byte{9}, move.KeySize)
	tickets, err := move.NewTickets(key, movedFrom, movedTo)
	if err != nil {
		t.Fatal(err)
	}
	arrival, err := move.NewArrival(move.ArrivalConfig{Old: m.Client, New: m.Client, Tickets: tickets, OldClientID: "ask"})
	if err != nil {
		t.Fatal(err)
	}
	trigger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		answer, err := arrival.Handle(r.Context(), event)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"errorMessage": err.Error()})
			return
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(trigger.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(app.Close)

	var seed strings.Builder
	fmt.Fprintf(&seed, `
pools:
  - id: %s
    clients:
      - {id: old, callback_urls: ["%[2]s/auth/callback"], logout_urls: ["%[2]s/"]}
      - {id: ask, callback_urls: ["%[2]s/auth/callback"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}
    groups: [{name: editors}]
    users:
`, movedFrom, m.url)
	for i := range people {
		p := &mover{name: fmt.Sprintf("user%02d", i), password: fmt.Sprintf("Passw0rd!%02d", i)}
		groups := ""
		if i%2 == 0 {
			groups, p.groups = ", groups: [editors]", "editors"
		}
		fmt.Fprintf(&seed, "      - {username: %s, email: %[1]s@example.com, password: \"%s\"%s}\n", p.name, p.password, groups)
		m.people = append(m.people, p)
	}
	fmt.Fprintf(&seed, `
  - id: %s
    clients: [{id: new, callback_urls: ["%[2]s/auth/callback"], logout_urls: ["%[2]s/"]}]
    triggers: {user_migration: "%[3]s/", pre_token_generation: "%[3]s/"}
`, movedTo, m.url, trigger.URL)
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	proxytest.Run(t, "pool", exec.Command(m.binary, "pool", "--listen", address, "--quiet", "--seed", write("pool.yaml", seed.String())))
	await(t, m.pool+"/"+movedTo+"/.well-known/jwks.json")
	poolCall(t, m.pool, "AddCustomAttributes", `{"UserPoolId":"`+movedTo+`","CustomAttributes":[{"Name":"codegrant_moved","AttributeDataType":"String","Mutable":true}]}`)
	for i, pool := range []string{
		fmt.Sprintf("{name: customers, id: %s, issuer: \"%s/%[1]s\", domain: \"%[2]s\", client_id: old}", movedFrom, m.pool),
		fmt.Sprintf("{name: customers, id: %s, issuer: \"%s/%[1]s\", domain: \"%[2]s\", client_id: new,\n      moved_from: {id: %s, issuer: \"%[2]s/%[3]s\", client_id: ask, key: \"%[4]s\"}}",
			movedTo, m.pool, movedFrom, base64.StdEncoding.EncodeToString(key)),
	} {
		m.config[i] = write(fmt.Sprintf("codegrant%d.yaml", i), fmt.Sprintf(`
listen: 127.0.0.1:%s
base_url: %s
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
log: {access: false}
database: %q
sessions: database
limits: {sign_in_rate: 0, account_sign_in_rate: 0}
replica: true
pools:
  - %s
routes: [{path: /, upstream: %q}]
`, port, m.url, database, pool, app.URL))
	}
	return m
}

// serves starts the gateway, before or after the switch.
func (m *moving) serves(after int) (stop func()) {
	m.Helper()
	stop = proxytest.Run(m.T, "gateway", exec.Command(m.binary, "serve", "--config", m.config[after]))
	await(m.T, m.url+"/auth/user")
	return stop
}

// command is one of an operator's.
func (m *moving) command(args ...string) *exec.Cmd {
	return exec.Command(m.binary, append(args, "--config", m.config[1])...)
}

func (m *moving) run(args ...string) string {
	m.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		m.Fatalf("codegrant %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// signIn returns who somebody is to the application, and reports whether they got in.
func (m *moving) signIn(name, password string) (row, groups string, in bool) {
	m.Helper()
	b := codegranttest.NewBrowser(m.T)
	page := b.Open(m.url + "/")
	form, ok := page.Form("password")
	if !ok {
		m.Fatalf("no login form at %s: %d %s", page.URL, page.Status, page.Body)
	}
	page = b.Submit(page, form, map[string]string{"username": name, "password": password})
	var was seen
	if page.Status != http.StatusOK || json.Unmarshal([]byte(page.Body), &was) != nil {
		return "", "", false
	}
	return was.Header.Get("X-Auth-User-Id"), was.Header.Get("X-Auth-Groups"), true
}

// holds checks what has to be true of somebody, by their own password and by others.
func (m *moving) holds(p *mover, others ...string) {
	m.Helper()
	for _, other := range others {
		if _, _, in := m.signIn(p.name, other); in {
			m.Errorf("%s came in with a password that is not theirs", p.name)
		}
	}
	if p.password == "" {
		return
	}
	if row, groups, in := m.signIn(p.name, p.password); in == p.out || in && (row != p.row || groups != p.groups) {
		m.Errorf("%s: in %t, as row %q in %q: %+v", p.name, in, row, groups, *p)
	}
}

// chooses gives somebody a password at the new pool, as they do there.
func (m *moving) chooses(p *mover) {
	m.Helper()
	p.password += "n3w!Aa"
	if _, err := m.AdminSetUserPassword(m.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: aws.String(movedTo), Username: &p.name, Password: &p.password, Permanent: true}); err != nil {
		m.Fatal(err)
	}
}

// progress is how far the new pool is: its users, and how many of them are complete.
func (m *moving) progress() (n int) {
	m.Helper()
	for _, u := range m.users() {
		n++
		for _, at := range u.Attributes {
			if strings.HasSuffix(aws.ToString(at.Value), ".complete") {
				n++
			}
		}
	}
	return n
}

func (m *moving) users() []types.UserType {
	m.Helper()
	out, err := m.ListUsers(m.Context(), &cip.ListUsersInput{UserPoolId: aws.String(movedTo), Limit: aws.Int32(60)})
	if err != nil {
		m.Fatal(err)
	}
	return out.Users
}

// TestS818_AMoveByTheBinaries: behind codegrant serve, people sign in, change their passwords,
// are disabled and leave while codegrant move drains the old pool, is killed and begins again,
// twice at once in the end. Then everybody who may gets in, with their own password alone, as
// who they were, on both databases.
func TestS818_AMoveByTheBinaries(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "app.db") },
		"PostgreSQL": newDatabase,
	} {
		t.Run(name, func(t *testing.T) { aMove(newMoving(t, database(t), 15)) })
	}
}

// kinds of people, by their number.
const (
	early     = iota // come by themselves before a drain
	meanwhile        // come while one runs
	never            // do not come
	disabled         // are disabled at the old pool
	leaver           // come, and delete their account
	kinds
)

func aMove(m *moving) {
	m.Helper()
	of := func(kind int, f func(p *mover)) {
		for i, p := range m.people {
			if i%kinds == kind {
				f(p)
			}
		}
	}
	stop := m.serves(0)
	for _, p := range m.people {
		var in bool
		if p.row, _, in = m.signIn(p.name, p.password); !in || p.row == "" {
			m.Fatalf("%s is not in before the move", p.name)
		}
	}
	stop()
	m.run("move", "groups", "--yes")
	m.serves(1)
	of(disabled, func(p *mover) {
		if _, err := m.AdminDisableUser(m.Context(), &cip.AdminDisableUserInput{UserPoolId: aws.String(movedFrom), Username: &p.name}); err != nil {
			m.Fatal(err)
		}
		p.out = true
	})
	for _, kind := range []int{early, leaver} {
		of(kind, func(p *mover) { m.holds(p) })
	}
	of(early, func(p *mover) { m.chooses(p) })

	// Drains are killed in the midst of somebody, while others come.
	came := make(map[*mover]bool)
	arrive := func(p *mover) {
		if _, _, in := m.signIn(p.name, p.password); in {
			came[p] = true
		}
	}
	arrive(m.people[meanwhile])
	for range 2 {
		before := m.progress()
		drain := m.command("move", "drain", "--yes", "--rate", "15")
		if err := drain.Start(); err != nil {
			m.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); m.progress() == before; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				m.Fatal("the drain makes nobody")
			}
		}
		if err := drain.Process.Kill(); err != nil {
			m.Fatal(err)
		}
		_ = drain.Wait()
	}
	var both sync.WaitGroup
	said := make([]string, 2)
	for i := range said {
		both.Go(func() {
			out, err := m.command("move", "drain", "--yes", "--share", "50").CombinedOutput()
			if said[i] = string(out); err != nil {
				said[i] += err.Error()
			}
		})
	}
	of(meanwhile, arrive)
	both.Wait()
	m.run("move", "drain", "--yes", "--share", "50") // whom one of the two met in the hands of the other
	for _, kind := range []int{meanwhile, never} {
		of(kind, func(p *mover) {
			if !came[p] { // a drain was first: they choose "forgot password"
				m.holds(&mover{name: p.name}, p.password)
				m.chooses(p)
			}
		})
	}

	// People leave, and stay away.
	m.run("sync", "--full")
	left := 0
	of(leaver, func(p *mover) {
		left++
		if _, err := m.AdminDeleteUser(m.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(movedTo), Username: &p.name}); err != nil {
			m.Fatal(err)
		}
		p.out = true
	})
	m.run("sync", "--full", "--max-share", "1")
	if out := m.run("move", "drain", "--yes", "--share", "50"); !strings.Contains(out, fmt.Sprintf("left, on their own %d\n", left)) || !strings.Contains(out, "created              0") {
		m.Errorf("%s", out)
	}
	back := m.people[leaver]
	m.run("move", "drain", "--bring-back", back.name, "--yes", "--share", "50")
	m.chooses(back)
	back.out = false

	for _, p := range m.people {
		m.holds(p, "Wr0ng!Passw0rd")
	}
	status := make(map[types.UserStatusType]int)
	for _, u := range m.users() {
		status[u.UserStatus]++
	}
	// The others of those who left are there again, made by the trigger, and come in nowhere.
	if want := len(m.people) - len(m.people)/kinds; status[types.UserStatusTypeConfirmed] != want || len(status) != 1 {
		m.Errorf("the new pool has %v, want %d", status, want)
	}
	if m.Failed() {
		m.Logf("the two drains said:\n%s\n%s", said[0], said[1])
	}
}
