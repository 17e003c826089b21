package orgs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

type table struct {
	Orgs Command `cmd:""`
}

// mailbox is a mail server that keeps what it is sent.
type mailbox struct {
	address string

	mu   sync.Mutex
	text []string
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{address: listener.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return m
}

func (m *mailbox) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 here\r\n")
	var text strings.Builder
	data := false
	for in.Scan() {
		line := in.Text()
		switch verb := strings.ToUpper(line); {
		case data && line == ".":
			data = false
			m.mu.Lock()
			m.text = append(m.text, text.String())
			m.mu.Unlock()
			text.Reset()
			fmt.Fprint(conn, "250 taken\r\n")
		case data:
			text.WriteString(line + "\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			text.WriteString(line + "\n")
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

func (m *mailbox) sent() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.text...)
}

// TestOrgs: an operator's way from nothing to a member who is gone again.
func TestOrgs(t *testing.T) {
	config := commandtest.Stores(t)
	box := newMailbox(t)
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(table), append(append([]string{"orgs"}, args...), "--config", config)...)
		if status != want {
			t.Fatalf("orgs %v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout, stderr
	}
	if _, stderr := run(1, "list"); !strings.Contains(stderr, "organizations: true") {
		t.Errorf("where they are off: %s", stderr)
	}
	withLines(t, config, "organizations:\n  roles: [owner, guest]\n  smtp: {url: \"smtp://"+box.address+"\", from: Example <no-reply@example.com>}\n")
	stdout, stderr := run(0, "create", "Acme")
	acme := strings.TrimSpace(stdout)
	if !strings.HasPrefix(acme, "org_") || !strings.Contains(stderr, `"organization.created"`) || !strings.Contains(stderr, `"by":"operator `) {
		t.Fatalf("%q\n%s", stdout, stderr)
	}
	if stdout, _ = run(0, "list"); !strings.Contains(stdout, acme) || !strings.Contains(stdout, "Acme") {
		t.Errorf("%s", stdout)
	}
	run(0, "rename", acme, "Acme & Co")
	if stdout, _ = run(0, "add", acme, "alice@example.com", "--role", "owner"); stdout != "row 1, username alice, sub sub-0: is owner in "+acme+"\n" {
		t.Errorf("%s", stdout)
	}
	for _, verb := range []string{"add", "expel"} { // anybody can sign up with the address of somebody else
		if _, stderr := run(1, verb, acme, "bob@example.com"); !strings.Contains(stderr, "verified") || !strings.Contains(stderr, "sub") {
			t.Errorf("%s by an address that is not verified: %s", verb, stderr)
		}
	}
	if stdout, _ = run(0, "add", acme, "bob", "--json"); !strings.Contains(stdout, `"sub": "sub-1"`) || !strings.Contains(stdout, `"role": "guest"`) {
		t.Errorf("%s", stdout)
	}
	run(1, "add", acme, "bob", "--role", "king")
	run(1, "add", acme, "nobody")
	run(1, "add", "org_none", "bob")
	if _, stderr = run(1, "expel", acme, "alice"); !strings.Contains(stderr, "let somebody else manage it first") {
		t.Errorf("%s", stderr)
	}
	_, stderr = run(0, "invite", acme, "carol@example.com", "--role", "owner")
	if strings.Contains(stderr, "carol") {
		t.Errorf("an address is in the audit log: %s", stderr)
	}
	run(1, "invite", acme, "carol")
	mails := box.sent()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	for _, want := range []string{"MAIL FROM:<no-reply@example.com>", "RCPT TO:<carol@example.com>", "Subject: Invitation to Acme & Co", "https://app.example.com/auth/organization/invitation?token"} {
		if !strings.Contains(mails[0], want) {
			t.Errorf("the mail lacks %q:\n%s", want, mails[0])
		}
	}
	stdout, _ = run(0, "invite", acme, "carol@example.com", "--print")
	if !strings.HasPrefix(stdout, "https://app.example.com/auth/organization/invitation?token=") || len(box.sent()) != 1 {
		t.Errorf("%q, and %d mails", stdout, len(box.sent()))
	}
	stdout, _ = run(0, "show", acme, "--json")
	var shown struct {
		Organization listed       `json:"organization"`
		Members      []member     `json:"members"`
		Invitations  []invitation `json:"invitations"`
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || shown.Organization.Name != "Acme & Co" || len(shown.Members) != 2 ||
		shown.Members[0].Username != "alice" || shown.Members[0].Role != "owner" || shown.Members[1].Role != "guest" ||
		len(shown.Invitations) != 1 || shown.Invitations[0].Sent != 2 || shown.Invitations[0].Role != "guest" {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if stdout, _ = run(0, "show", acme); !strings.Contains(stdout, "carol@example.com") || !strings.Contains(stdout, "bob") {
		t.Errorf("%s", stdout)
	}
	run(0, "revoke", acme, shown.Invitations[0].ID)
	run(1, "revoke", acme, shown.Invitations[0].ID)
	if stdout, _ = run(0, "expel", acme, "sub-1"); stdout != "row 2, username bob, sub sub-1: is not a member of "+acme+" any more\n" {
		t.Errorf("%s", stdout)
	}
	run(1, "expel", acme, "bob")
	if stdout, _ = run(0, "delete", acme); !strings.Contains(stdout, "nothing is done yet") {
		t.Errorf("%s", stdout)
	}
	run(0, "show", acme)
	run(0, "delete", acme, "--yes")
	run(1, "show", acme)
	if stdout, _ = run(0, "list"); !strings.Contains(stdout, "there are no organizations") {
		t.Errorf("%s", stdout)
	}
}

// TestInviteWithoutMail: nothing is written where nobody could be told.
func TestInviteWithoutMail(t *testing.T) {
	config := commandtest.Stores(t)
	withLines(t, config, "organizations: true\n")
	stdout, _, _ := commandtest.Say(t, new(table), "orgs", "create", "Acme", "--config", config)
	acme := strings.TrimSpace(stdout)
	_, stderr, status := commandtest.Say(t, new(table), "orgs", "invite", acme, "carol@example.com", "--config", config)
	if status != 1 || !strings.Contains(stderr, "organizations.smtp") {
		t.Errorf("%d %s", status, stderr)
	}
	if stdout, _, _ := commandtest.Say(t, new(table), "orgs", "show", acme, "--config", config); strings.Contains(stdout, "carol") {
		t.Errorf("%s", stdout)
	}
}

func withLines(t *testing.T, config, lines string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
}
