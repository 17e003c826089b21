package account_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

// totp is what an authenticator app shows (RFC 6238).
func totp(t *testing.T, key string, at time.Time) string {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, raw)
	_ = binary.Write(mac, binary.BigEndian, uint64(at.Unix()/30))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

var keyOnPage = regexp.MustCompile(`<code>([A-Z2-7]{32,})</code>`)

func TestS717_AuthenticatorApp(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	page := w.at(b, "/authenticator")
	if !strings.Contains(page.Body, "It is turned off.") {
		t.Fatal(plain(page.Body))
	}
	page = w.send(b, page, "do", map[string]string{"do": "begin"}, 200, "Scan this with the app")
	match := keyOnPage.FindStringSubmatch(page.Body)
	if match == nil || !strings.Contains(page.Body, `aria-label="The key as a QR code"`) || page.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v %s", page.Header, page.Body)
	}
	key := match[1]
	code := totp(t, key, w.ahead.now())
	page = w.send(b, page, "code", map[string]string{"do": "confirm", "code": wrong(code)}, 422, "that the clock of your phone is correct")
	if strings.Contains(page.Body, key) {
		t.Error("the key is shown a second time")
	}
	w.send(b, page, "code", map[string]string{"do": "confirm", "code": code[:3] + " " + code[3:], "device": "Phone"}, 200, "The authenticator app is set up.")
	if page := w.at(b, ""); !strings.Contains(page.Body, "It is turned on.") || !strings.Contains(page.Body, "Without the phone that has your authenticator app") {
		t.Error(plain(page.Body))
	}
	if strings.Contains(w.log.String(), key) || strings.Contains(w.log.String(), code) {
		t.Error("the log has the key or a code")
	}
	// The pool asks for it from now on.
	other := codegranttest.NewBrowser(t)
	login := other.Open(w.url + "/")
	form, _ := login.Form("password")
	if asked := other.Submit(login, form, map[string]string{"username": alice, "password": codegranttest.Password}); strings.Contains(asked.Body, "Welcome") {
		t.Error("nobody is asked for a code")
	}
	w.send(b, w.at(b, "/authenticator"), "do", map[string]string{"do": "off"}, 200, "The authenticator app is turned off.")
	if page := codegranttest.NewBrowser(t).SignIn(w.url+"/", alice, codegranttest.Password); !strings.Contains(page.Body, "Welcome") {
		t.Error(plain(page.Body))
	}

	// A pool that has none says so.
	w = newWorld(t, func(s *localpool.Seed, _ *codegrant.Config, _ *account.Config) { s.Pools[0].MFA = "OFF" })
	b = w.signIn(alice)
	w.send(b, w.at(b, "/authenticator"), "do", map[string]string{"do": "begin"}, 422, "accepts no authenticator apps")
}

// answers has the pool answer an operation.
func (w *world) answers(operation string, status int, body string, heard func(map[string]any)) {
	w.pool.Fault(operation, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var in map[string]any
		raw, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(raw, &in)
		if heard != nil {
			heard(in)
		}
		rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}))
}

// TestS718_Passkeys: people see theirs, remove one, and add one at managed login.
func TestS718_Passkeys(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	w.answers("ListWebAuthnCredentials", 400, `{"__type": "WebAuthnNotEnabledException", "message": "x"}`, nil)
	if page := w.at(b, "/passkeys"); page.Status != 422 || !strings.Contains(page.Body, "does not accept passkeys") {
		t.Errorf("%d %s", page.Status, plain(page.Body))
	}
	var removed any
	w.answers("ListWebAuthnCredentials", 200, `{"Credentials": [{"CredentialId": "id-1", "FriendlyCredentialName": "<b>Laptop</b>", "CreatedAt": 1764403200.5}, {"CredentialId": "id-2", "CreatedAt": 1.7644032e9}]}`, nil)
	w.answers("DeleteWebAuthnCredential", 200, `{}`, func(in map[string]any) { removed = in["CredentialId"] })
	page := w.at(b, "/passkeys")
	for _, want := range []string{"&lt;b&gt;Laptop", "A passkey", "29 November 2025", "/passkeys/add?client_id=", "redirect_uri=http%3A%2F%2F"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %s: %s", want, page.Body)
		}
	}
	w.send(b, page, "remove", nil, 200, "The passkey is removed.")
	if removed != "id-1" {
		t.Errorf("removed %v", removed)
	}
	w.answers("DeleteWebAuthnCredential", 400, `{"__type": "ResourceNotFoundException", "message": "x"}`, nil)
	w.send(b, page, "remove", nil, 422, "It was already removed.")
}

// heard is a replica that remembers what it was told.
type heard struct {
	replica.Store
	told []replica.Snapshot
	err  error
}

func (h *heard) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	h.told = append(h.told, s)
	return replica.Change{}, h.err
}

// TestS719_Deletion: an account is deleted once the person has said twice that they want it;
// then nothing that they had here counts any more, and the replica hears of it.
func TestS719_Deletion(t *testing.T) {
	for name, away := range map[string]error{"": nil, "with the replica away": errors.New("away")} {
		t.Run(name, func(t *testing.T) {
			told := &heard{err: away}
			w := newWorld(t, func(_ *localpool.Seed, _ *codegrant.Config, c *account.Config) { c.Replica = told })
			b, phone, bob := w.signIn(alice), w.signIn(alice), w.signIn("bob@example.com")
			page := w.at(b, "/delete")
			form := page.Forms[0]
			if answer := b.Submit(page, form, nil); answer.Status != 422 || !strings.Contains(answer.Body, "Tick the box") || w.pool.Calls("DeleteUser") != 0 {
				t.Fatalf("%d %s", answer.Status, plain(answer.Body))
			}
			w.answers("DeleteUser", 400, `{"__type": "NotAuthorizedException", "message": "x"}`, nil)
			if answer := b.Submit(page, form, map[string]string{"sure": "yes"}); answer.Status != 422 || len(told.told) != 0 {
				t.Fatalf("%d %s", answer.Status, plain(answer.Body))
			}
			if page := phone.Open(w.url + "/"); !strings.Contains(page.Body, "Welcome") {
				t.Fatal("a refusal has ended sessions")
			}
			w.pool.Fault("DeleteUser", nil)
			answer := b.Submit(page, form, map[string]string{"sure": "yes"})
			if answer.Status != 200 || !strings.Contains(answer.Body, "Your account is deleted") || !strings.Contains(answer.Body, `href="/auth/logout"`) {
				t.Fatalf("%d %s", answer.Status, plain(answer.Body))
			}
			if len(told.told) != 1 || told.told[0].Enabled == nil || *told.told[0].Enabled || !told.told[0].GroupsKnown || told.told[0].Subject == "" {
				t.Errorf("the replica was told %+v", told.told)
			}
			for _, browser := range []*codegranttest.Browser{b, phone} {
				if page := browser.Open(w.url + "/"); strings.Contains(page.Body, "Welcome") {
					t.Error("a session goes on")
				}
			}
			if page := bob.Open(w.url + "/"); !strings.Contains(page.Body, "Welcome") {
				t.Errorf("another person: %d", page.Status)
			}
		})
	}
}

// TestS719_DeletedElsewhere: who asks to be deleted is, also where something else was faster.
func TestS719_DeletedElsewhere(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	page := w.at(b, "/delete")
	if err := w.pool.DeleteUser(w.pool.Clients()[0].PoolID, "alice"); err != nil {
		t.Fatal(err)
	}
	if answer := b.Submit(page, page.Forms[0], map[string]string{"sure": "yes"}); answer.Status != 200 || !strings.Contains(answer.Body, "Your account is deleted") {
		t.Fatalf("%d %s", answer.Status, plain(answer.Body))
	}
	if page := b.Open(w.url + "/"); strings.Contains(page.Body, "Welcome") {
		t.Error("the session goes on")
	}
}

// TestS719_DeletionWithSessionsInCookies: where browsers carry the sessions, and nobody can
// find them, those of a deleted account are refused all the same.
func TestS719_DeletionWithSessionsInCookies(t *testing.T) {
	w := newWorld(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) { c.CookieSessions = true })
	b, phone := w.signIn(alice), w.signIn(alice)
	w.ahead.advance(2 * time.Second) // a sign-in of the same second counts as before
	page := w.at(b, "/delete")
	answer := b.Submit(page, page.Forms[0], map[string]string{"sure": "yes"})
	if answer.Status != 200 || !strings.Contains(answer.Body, "Your account is deleted") {
		t.Fatalf("%d %s", answer.Status, plain(answer.Body))
	}
	for _, browser := range []*codegranttest.Browser{b, phone} {
		if page := browser.Open(w.url + "/"); strings.Contains(page.Body, "Welcome") {
			t.Error("a session goes on")
		}
	}
}
