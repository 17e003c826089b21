package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/axe"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// startConsole serves a site with a console, whose operators are the admins.
func startConsole(t *testing.T, more string) (site string, pool *codegranttest.Pool) {
	t.Helper()
	pool = codegranttest.NewPool(t, nil)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("the application")) }))
	t.Cleanup(app.Close)
	address := testenv.FreeAddress(t)
	site = "http://" + address
	p := pool.Register(site)
	file := filepath.Join(t.TempDir(), "codegrant.yaml")
	text := fmt.Sprintf(`listen: %s
base_url: %s
pools: [{id: %s, domain: "%s", issuer: "%s", client_id: %s, client_secret: "%s"}]
routes:
  - {path: /, upstream: "%s"}
  - {name: reports, path: /reports, groups: analysts, upstream: "%s"}
database: sqlite:app.db
replica: true
console: {groups: admins}
%s`, address, site, p.ID, p.Domain, p.Issuer, p.ClientID, p.ClientSecret.Reveal(), app.URL, app.URL, more)
	if strings.Contains(more, "webhooks:") {
		text = strings.Replace(text, "replica: true", "replica: {outbox: true}", 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "codegrant", exec.Command(buildCodegrant(t), "serve", "--config", file))
	await(t, site+"/auth/user")
	return site, pool
}

func signInAt(b *browser.Browser, address, email string) {
	b.Open(address)
	b.See("Sign in to your account")
	b.Fill("#username", email)
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
}

// pages of a console that has something to show.
func consolePages(sub string) map[string]string {
	return map[string]string{
		"state": "/console", "people": "/console/people?q=a", "person": "/console/person?pool=default&sub=" + sub, "refused": "/console/refused",
		"story": "/console/refused?reference=none", "last day": "/console/pictures", "would they pass": "/console/ask?who=bob%40example.com&method=GET&url=%2Freports",
		"not found": "/console/nothing", "organizations": "/console/organizations", "webhooks": "/console/webhooks",
	}
}

// organizationsAndWebhooks have the console show its pages of them.
const organizationsAndWebhooks = `organizations: true
webhooks: {crm: {url: "https://crm.example.com/hooks", secret: whsec_c2VjcmV0LW9mLXRoZS1jb25zb2xlLXRlc3QtMDAwMQ==}}
`

// subShown is the sub of the first person whom the page leads to.
func subShown(b *browser.Browser) string {
	return b.Eval(`new URL(document.querySelector('a[href*="/person?"]').href).searchParams.get("sub")`)
}

// TestConsoleInABrowser: an operator sees the state, which comes up to date by itself, looks
// for why somebody may not pass, and ends their session, at a desk and on a phone, in light
// and dark, and axe-core finds nothing on any page.
func TestConsoleInABrowser(t *testing.T) {
	look := axe.New(t)
	site, _ := startConsole(t, organizationsAndWebhooks)
	for theme, setting := range map[string]string{"light": "preferredColorScheme=1", "dark": "preferredColorScheme=0"} {
		t.Run(theme, func(t *testing.T) {
			b := browser.New(t, map[string]any{"blink-settings": setting})
			bob := b.Profile(t)
			signInAt(bob, site+"/reports", "bob@example.com")
			bob.See("Not allowed")
			reference := bob.Text("code")

			signInAt(b, site+"/console", "alice@example.com")
			b.See("This page is kept up to date.")
			b.See("keys of pool default")
			// Nobody touches this page any more, and it tells of the next sign-in.
			b.Eval(`(window.untouched = true, window.was = /Recent sign-ins\s+(\d+)/.exec(document.body.innerText)[1])`)
			signInAt(b.Profile(t), site+"/reports", "alice@example.com")
			b.Eval(`new Promise((told) => { const look = () => {
				const is = /Recent sign-ins\s+(\d+)/.exec(document.body.innerText);
				if (is && is[1] !== window.was) told(is[1]); else setTimeout(look, 50);
			}; look(); })`)
			if b.Eval("String(window.untouched)") != "true" {
				t.Error("the page was loaded again")
			}
			b.Click(`nav a[href$="/ask"]`)
			b.See("Nothing is sent anywhere.")
			b.Fill("#who", "bob@example.com")
			b.Fill("#url", "/reports/1")
			b.Click("main button")
			b.See("the person does not have group analysts")
			b.Click(`nav a[href$="/refused"]`)
			b.See("The last refusals")
			b.Fill("#reference", reference)
			b.Click("main button")
			b.See("The story of the request")
			b.See("group analysts")
			b.Click(`nav a[href$="/people"]`)
			b.See("Find")
			b.Fill("#q", "bob@example.com")
			b.Click("main button")
			b.See("Last sign-in")
			sub := subShown(b)
			b.Click("main td a")
			b.See("The pool says")
			b.See("Chrome")

			b.Open(site + "/console/organizations")
			b.Fill("#name", "Acme "+theme)
			b.Click("form[method=post] button")
			b.See("Acme " + theme)
			b.Open(site + "/console/organizations?q=Acme")
			pages := consolePages(sub)
			pages["organization"] = b.Eval(`(() => { const u = new URL(document.querySelector('a[href*="/organization?"]').href); return u.pathname + u.search })()`)
			for _, width := range []int64{390, 1200} {
				b.Size(width, 900)
				for name, path := range pages {
					b.Open(site + path)
					if wide := b.Eval("String(document.documentElement.scrollWidth - window.innerWidth)"); strings.TrimLeft(wide, "-") == wide && wide != "0" {
						t.Errorf("%s at %d px is %s px wider than the window", name, width, wide)
					}
					look.Check(t, b, fmt.Sprintf("%s, %s, %d px", name, theme, width))
					b.Screenshot(fmt.Sprintf("%s %d", name, width))
				}
			}
			b.Open(site + consolePages(sub)["person"])
			b.Click("td form button")
			b.See("The session has ended.")
			b.See("There are no live sessions.")
			bob.Open(site + "/auth/user")
			bob.See("Not signed in")
		})
	}
}

// TestConsoleByKeyboard: everything is reached and done without a pointer, and it is seen
// where one is.
func TestConsoleByKeyboard(t *testing.T) {
	b := browser.New(t)
	site, _ := startConsole(t, "")
	signInAt(b, site+"/console", "alice@example.com")
	b.See("Dependencies")
	b.Eval(`new Promise(r => setTimeout(() => r(""), 1500))`) // sign-ins count by whole seconds
	b.Open(site + "/console/people?q=alice")
	focused := func() string {
		return b.Eval(`(() => { const e = document.activeElement; return e === document.body ? "" : (e.getAttribute("aria-label") || e.textContent.trim() || e.id || e.tagName) + (getComputedStyle(e).outlineStyle === "none" ? " unseen" : "") })()`)
	}
	var reached []string
	for range 24 {
		b.Press("\t")
		at := focused()
		if strings.HasSuffix(at, " unseen") {
			t.Errorf("the focus is not seen at %s", at)
		}
		if at == "alice@example.com" {
			break
		}
		reached = append(reached, at)
	}
	if all := strings.Join(reached, "; "); !strings.HasPrefix(all, "Skip to the page; State; People; Refused; The last day; Would they pass?; Sign out; q; Find; Found") {
		t.Errorf("reached %s", all)
	}
	b.Press("\r")
	b.See("Sign out everywhere…")
	for range 24 {
		b.Press("\t")
		if focused() == "Sign out everywhere…" {
			break
		}
	}
	b.Press("\r")
	b.See("refuses earlier tokens everywhere")
	b.Press("\t")
	b.Press("\r")
	b.See("Signed out everywhere")
	b.Open(site + "/console")
	b.See("Sign in to your account") // it was the operator's own session
}

// hostileText is what somebody can write into a profile.
const hostileText = `</title><script>window.pwned=1</script><img src=x onerror=window.pwned=1>` + "\u202egnp.exe"

// TestS737_ConsoleUnderAttack: pages of another site can neither frame the console nor have
// it do anything; what a pool's user has written stays text; and whose group is taken away
// is told no more, on a page that is open.
func TestS737_ConsoleUnderAttack(t *testing.T) {
	b := browser.New(t)
	site, pool := startConsole(t, "")
	var page string
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(evil.Close)
	if err := pool.SetAttributes(pool.PoolID, "bob", map[string]string{"name": hostileText, "given_name": strings.Repeat("long", 512)}); err != nil {
		t.Fatal(err)
	}
	bob := b.Profile(t)
	signInAt(bob, site+"/", "bob@example.com")
	bob.See("the application")
	signInAt(b, site+"/console", "alice@example.com")
	b.See("Dependencies")

	for _, path := range []string{"/console/people?q=bob", "/console/people?q=" + url.QueryEscape(hostileText), "/console/ask?method=GET&url=/&who=" + url.QueryEscape(hostileText), "/console/refused?q=" + url.QueryEscape(hostileText)} {
		b.Open(site + path)
		b.See("Console")
		if pwned := b.Eval("String(window.pwned)"); pwned != "undefined" {
			t.Errorf("%s ran a script", path)
		}
	}
	b.Open(site + "/console/people?q=bob")
	sub := subShown(b)
	b.Click("main td a")
	b.See("window.pwned=1")
	b.See("⟨U+202E⟩gnp.exe")
	b.Screenshot("hostile")
	if wide := b.Eval("String(document.documentElement.scrollWidth > window.innerWidth || window.pwned === 1)"); wide != "false" {
		t.Error("2,048 characters push the page apart, or a script ran")
	}

	// What may be framed is, so that the console's frame is empty by its own headers.
	page = `<iframe src="` + site + `/console"></iframe><iframe src="` + site + `/framed"></iframe><p>evil</p>`
	b.Open(evil.URL)
	b.See("evil")
	if framed := b.Framed(); !slices.Equal(framed, []string{site + "/framed"}) {
		t.Errorf("of the console and a page that may be framed, %q are framed", framed)
	}
	b.Screenshot("framed")

	page = `<form method="post" action="` + site + `/console/people/act"><input name="do" value="everywhere"><input name="pool" value="default"><input name="sub" value="` + sub + `"></form><script>document.forms[0].submit()</script>`
	b.Open(evil.URL)
	b.See("Request from another site")
	bob.Open(site + "/")
	bob.See("the application") // still signed in

	// The operator's group is taken away while a page is open.
	second := b.Profile(t)
	signInAt(second, site+"/console/people?q=alice", "alice@example.com")
	second.See("Found")
	second.Click("main td a")
	second.See("The pool says")
	b.Open(site + "/console")
	b.See("This page is kept up to date.")
	if err := pool.RemoveFromGroup(pool.PoolID, "alice", "admins"); err != nil {
		t.Fatal(err)
	}
	second.Click(`.actions > form button`)
	second.See("Not allowed")
	b.See("This page is not kept up to date any more.")
	b.Screenshot("taken away")
	b.Open(site + "/console/people")
	b.See("Not allowed")
}
