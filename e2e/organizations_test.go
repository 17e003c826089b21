//go:build unix

package e2e

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/axe"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// mailbox is a mail server that takes every message.
type mailbox struct {
	*testing.T
	address string

	mu  sync.Mutex
	got map[string][]string // texts, by the address that they are for
}

func startMailbox(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &mailbox{T: t, address: l.Addr().String(), got: make(map[string][]string)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(c)
		}
	}()
	return m
}

func (m *mailbox) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 mail.example.com\r\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(c, "221 bye\r\n")
			return
		case !strings.HasPrefix(line, "DATA"):
			fmt.Fprint(c, "250 fine\r\n")
			continue
		}
		fmt.Fprint(c, "354 go on\r\n")
		var text strings.Builder
		for line != ".\r\n" {
			if line, err = r.ReadString('\n'); err != nil {
				return
			}
			text.WriteString(strings.TrimPrefix(line, "."))
		}
		message, err := mail.ReadMessage(strings.NewReader(text.String()))
		if err != nil {
			m.Errorf("a message cannot be read: %v", err)
			return
		}
		body := message.Body
		if message.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(body)
		}
		content, _ := io.ReadAll(body)
		to, err := mail.ParseAddress(message.Header.Get("To"))
		if err != nil {
			m.Errorf("for %q: %v", message.Header.Get("To"), err)
			return
		}
		m.mu.Lock()
		m.got[to.Address] = append(m.got[to.Address], string(content))
		m.mu.Unlock()
		fmt.Fprint(c, "250 fine\r\n")
	}
}

var aLink = regexp.MustCompile(`https?://\S+`)

// link waits for the nth message to an address, and returns the link in it.
func (m *mailbox) link(address string, n int) (link string) {
	m.Helper()
	eventually(m.T, fmt.Sprintf("message %d to %s", n, address), func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.got[address]) < n {
			return false
		}
		link = aLink.FindString(m.got[address][n-1])
		return true
	})
	return link
}

// company is two gateways with organizations, over one database.
type company struct {
	*testing.T
	pool  *codegranttest.Pool
	mails *mailbox
	sites []string
	file  string
}

func startCompany(t *testing.T, database string) *company {
	t.Helper()
	c := &company{T: t, pool: codegranttest.NewPool(t, nil), mails: startMailbox(t)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s at %s for %s as %s.", r.Header.Get("X-Auth-Email"), r.URL.Path, r.Header.Get("X-Auth-Organization"), r.Header.Get("X-Auth-Organization-Role"))
	}))
	t.Cleanup(app.Close)
	folder := t.TempDir()
	for i := range 2 {
		port := freePort(t)
		c.sites = append(c.sites, "http://localhost:"+port)
		p := c.pool.Register(c.sites[0])
		c.file = filepath.Join(folder, fmt.Sprintf("gateway%d.yaml", i))
		if err := os.WriteFile(c.file, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
base_url: %s
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
log: {access: false}
database: %q
sessions: database
replica: true
organizations:
  roles: [admin, member]
  smtp: {url: "smtp://%s", from: "Example <no-reply@example.com>"}
console: {groups: admins}
pools: [{id: %s, domain: "%s", issuer: "%s", client_id: %s, client_secret: "%s"}]
routes:
  - {path: /, upstream: %[10]q}
  - {path: /work, upstream: %[10]q, organization: true}
  - {path: /invoices, upstream: %[10]q, organization_roles: admin}
`, port, c.sites[0], database, c.mails.address, p.ID, p.Domain, p.Issuer, p.ClientID, p.ClientSecret.Reveal(), app.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		proxytest.Run(t, fmt.Sprintf("gateway %d", i), exec.Command(buildCodegrant(t), "serve", "--config", c.file))
		await(t, c.sites[i]+"/auth/user")
	}
	return c
}

// operate runs a command of codegrant orgs, and returns what it prints.
func (c *company) operate(args ...string) string {
	c.Helper()
	program := exec.Command(buildCodegrant(c.T), append(append([]string{"orgs"}, args...), "--config", c.file)...)
	program.Stderr = c.Output()
	text, err := program.Output()
	if err != nil {
		c.Fatalf("codegrant orgs %v: %v", args, err)
	}
	return strings.TrimSpace(string(text))
}

// at opens a path at each of the gateways, and sees a text there.
func (c *company) at(b *browser.Browser, path, text string) {
	c.Helper()
	for _, site := range c.sites {
		b.Open(site + path)
		b.See(text)
	}
}

// expire has the time of an invitation be over.
func expire(t *testing.T, database, email string) {
	t.Helper()
	driver, dsn := "pgx", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+file+"?_pragma=busy_timeout(20000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(t.Context(), "UPDATE codegrant_organization_invitations SET expires = 1 WHERE email = '"+email+"'")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%d invitations, %v", n, err)
	}
}

// TestS724_OrganizationsInABrowser: a manager invites somebody who is new and somebody who
// is there; both come by the link of the mail and join. One switches, is given another role,
// and is removed: each holds with the first request after it, at both processes.
func TestS724_OrganizationsInABrowser(t *testing.T) {
	look, chromium := axe.New(t), browser.New(t)
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			database := "sqlite:" + filepath.Join(t.TempDir(), "app.db")
			if engine == "PostgreSQL" {
				database = newDatabase(t)
			}
			c := startCompany(t, database)
			alice, carol, bob := chromium.Profile(t), chromium.Profile(t), chromium.Profile(t)
			site := c.sites[0]
			signInAt(alice, site+"/", "alice@example.com")
			alice.See("alice@example.com at /")
			acme := c.operate("create", "Acme")
			c.operate("add", acme, "alice@example.com", "--role", "admin")
			c.at(alice, "/invoices", "for "+acme+" as admin.")

			invite := func(email, role string) {
				t.Helper()
				alice.Open(site + "/auth/organization/members")
				alice.See("Members of Acme")
				form := fmt.Sprintf(`form:has(input[name="role"][value="%s"]):has(input[name="invite"])`, role)
				alice.Fill(form+` input[name="invite"]`, email)
				alice.Click(form + " button")
				alice.See("The invitation is sent.")
			}
			invite("carol@example.com", "member")
			invite("bob@example.com", "admin")
			look.Check(t, alice, "members")

			// Carol is new: she signs up on the pool's pages, and comes back to the invitation.
			carol.Open(c.mails.link("carol@example.com", 1))
			carol.See("You are invited to Acme")
			look.Check(t, carol, "an invitation, before the sign-in")
			carol.Click(`a[href*="/login"]`)
			carol.See("Sign in to your account")
			carol.Click(`a[href^="/signup"]`)
			carol.See("A code is sent to your address")
			carol.Fill("#username", "carol@example.com")
			carol.Fill("#password", codegranttest.Password)
			carol.Click("main button")
			carol.See("Enter the code that was sent to you")
			codes := carol.Tab()
			codes.Open(c.pool.URL + "/codes")
			codes.See("carol@example.com")
			carol.Fill("#code", codes.Text(".code"))
			carol.Click("main button")
			carol.See("Your account is confirmed")
			carol.Fill("#username", "carol@example.com")
			carol.Fill("#password", codegranttest.Password)
			carol.Click("main button")
			carol.See("You are invited to Acme")
			look.Check(t, carol, "an invitation, after it")
			carol.Click("main form button")
			carol.See("You are a member now.")
			c.at(carol, "/work", "carol@example.com at /work for "+acme+" as member.")
			c.at(carol, "/invoices", "Not allowed")

			// Bob is there already; and the link is good for him alone, and once.
			toBob := c.mails.link("bob@example.com", 1)
			carol.Open(toBob)
			carol.See("The invitation is for bob@example.com.")
			bob.Open(toBob)
			bob.See("You are invited to Acme")
			bob.Click(`a[href*="/login"]`)
			bob.See("Sign in to your account")
			bob.Fill("#username", "bob@example.com")
			bob.Fill("#password", codegranttest.Password)
			bob.Click("main button")
			bob.See("You are invited to Acme")
			bob.Click("main form button")
			bob.See("You are a member now.")
			c.at(bob, "/invoices", "bob@example.com at /invoices for "+acme+" as admin.")
			bob.Open(toBob)
			bob.See("This invitation was used or taken back, or has expired.")

			// Who is a member is not invited again. An invitation that was taken back, or has
			// expired, says so.
			alice.Open(site + "/auth/organization/members")
			alice.Fill(`form:has(input[name="role"][value="member"]) input[name="invite"]`, "Carol@Example.com")
			alice.Click(`form:has(input[name="role"][value="member"]):has(input[name="invite"]) button`)
			alice.See("The address is of somebody who is a member already.")
			invite("dora@example.com", "member")
			invite("gus@example.com", "member")
			toDora, toGus := c.mails.link("dora@example.com", 1), c.mails.link("gus@example.com", 1)
			bob.Open(toDora)
			bob.See("The invitation is for dora@example.com.")
			alice.Open(site + "/auth/organization/members")
			alice.See("dora@example.com")
			alice.Eval(`(() => {
				const item = [...document.querySelectorAll("li")].find(li => li.innerText.includes("dora@example.com"));
				item.querySelector('form:has(input[name="revoke"]) button').click();
				return "";
			})()`)
			alice.See("The invitation is taken back.")
			expire(t, database, "gus@example.com")
			for _, link := range []string{toDora, toGus, toGus + "x"} {
				bob.Open(link)
				bob.See("This invitation was used or taken back, or has expired.")
			}
			look.Check(t, bob, "an invitation that is good no more")
			alice.Open(site + "/auth/organization/members")
			alice.See("It has expired.")

			// He is in another organization, too, and switches.
			bolt := c.operate("create", "Bolt")
			c.operate("add", bolt, "bob@example.com", "--role", "member")
			c.at(bob, "/work", "for "+acme+" as admin.")
			bob.Open(site + "/auth/organization")
			bob.See("You act for Acme.")
			look.Check(t, bob, "organizations")
			bob.Click(fmt.Sprintf(`form:has(input[name="organization"][value="%s"]) button`, bolt))
			bob.See("You act for this organization now.")
			c.at(bob, "/work", "for "+bolt+" as member.")
			c.at(bob, "/invoices", "Not allowed")
			bob.Open(site + "/auth/organization")
			bob.Click(fmt.Sprintf(`form:has(input[name="organization"][value="%s"]) button`, acme))
			bob.See("You act for Acme.")
			c.at(bob, "/invoices", "as admin.")

			// Alice takes the role away. What Bob asks for next is refused, wherever he asks.
			change := func(field string) {
				t.Helper()
				alice.Open(site + "/auth/organization/members")
				alice.See("bob@example.com")
				alice.Eval(fmt.Sprintf(`(() => {
					const item = [...document.querySelectorAll("li")].find(li => li.innerText.includes("bob@example.com"));
					item.querySelector('form:has(%s) button').click();
					return "";
				})()`, field))
			}
			change(`input[name="role"][value="member"]`)
			alice.See("The role is changed.")
			began := time.Now()
			c.at(bob, "/invoices", "Not allowed")
			c.at(bob, "/work", "for "+acme+" as member.")
			t.Logf("%v for four pages of Chromium after the role was taken away", time.Since(began).Round(time.Millisecond))
			change(`input[name="remove"]`)
			alice.See("The member is removed.")
			c.at(bob, "/work", "Not allowed")
			c.at(carol, "/work", "for "+acme+" as member.")
		})
	}
}
