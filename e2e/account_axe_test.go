package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/axe"
	"github.com/codegrant/codegrant/e2e/browser"
)

// TestAccountPagesAreAccessible has axe-core look at what codegrant serve answers to somebody
// who uses the account pages and the page of their sessions, step by step, on a phone and at
// a desk, in the light and in the dark. Each page is looked at as it is opened and with a fault.
func TestAccountPagesAreAccessible(t *testing.T) {
	look := axe.New(t)
	pool, url := startAccountPages(t)
	b := browser.New(t)
	plugPasskeysIn(b)
	at := func(page string) { b.Open(url + "/auth/account" + page) }
	// sees waits for a text of the page that is to be looked at.
	sees := func(page, text string) {
		t.Helper()
		b.See(text)
		for _, as := range []struct {
			width int64
			theme string
		}{{390, "light"}, {390, "dark"}, {1200, "dark"}, {1200, "light"}} {
			b.Size(as.width, 900)
			b.Theme(as.theme)
			name := fmt.Sprintf("%s, %s, %d px", page, as.theme, as.width)
			fits(t, b, name)
			look.Check(t, b, name)
			if as.width == 390 == (as.theme == "dark") {
				b.Screenshot(name) // of one theme each: pictures take long
			}
		}
	}

	at("")
	signIn(b, codegranttest.Password)
	sees("overview", "Alice Archer")
	pool.Fault("GetUser", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"LimitExceededException","message":"Attempt limit exceeded, please try after some time."}`))
	}))
	at("")
	sees("overview, refused", "There were too many attempts")
	pool.Fault("GetUser", nil)

	at("/profile")
	sees("profile", "Nickname")
	b.Fill("[name=nickname]", "Al")
	b.Click("form button")
	sees("profile, saved", "Your changes are saved.")
	b.Do("make a text of the date", chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=birthdate]").type = "text"`))
	b.Fill("[name=birthdate]", "long ago")
	b.Click("form button")
	sees("profile, refused", "does not accept one of these values")

	at("/email")
	sees("e-mail", "alice@example.com")
	b.Fill("[name=to]", "new@example.com")
	b.Click(formThat("change") + "button")
	sees("e-mail, sent", "A code was sent.")
	code := lastCode(t, pool, "new@example.com")
	b.Fill("[name=code]", otherThan(code))
	b.Click(formThat("confirm") + "button")
	sees("e-mail, refused", "The code is not correct.")
	b.Fill("[name=code]", code)
	b.Click(formThat("confirm") + "button")
	sees("e-mail, confirmed", "It is confirmed.")

	at("/phone")
	sees("phone", "Phone number")
	uncheck(b)
	b.Fill("[name=to]", "12")
	b.Click(formThat("change") + "button")
	sees("phone, refused", "Enter a phone number with the country code")

	at("/password")
	sees("password", "Your password")
	change := func(current, next string) {
		b.Fill("[name=current]", current)
		b.Fill("[name=new]", next)
		b.Fill("[name=again]", next)
		b.Click("form button")
	}
	change("Wr0ng-one!", "An0ther-one")
	sees("password, refused", "The current password is not correct.")
	change(codegranttest.Password, "An0ther-one")
	sees("password, changed", "Your password is changed.")

	at("/authenticator")
	sees("authenticator", "It is turned off.")
	b.Click(formThat("begin") + "button")
	sees("authenticator, begun", "Scan this with the app")
	key := b.Text("main code")
	b.Fill("[name=code]", otherThan(appCode(t, key)))
	b.Click(formThat("confirm") + "button")
	sees("authenticator, refused", "that the clock of your phone is correct")
	b.Fill("[name=code]", appCode(t, key))
	b.Click(formThat("confirm") + "button")
	sees("authenticator, set up", "The authenticator app is set up.")
	at("")
	sees("overview with an authenticator", "It is turned on.")
	at("/authenticator")
	b.Click(formThat("off") + "button")
	sees("authenticator, off", "The authenticator app is turned off.")

	at("/passkeys")
	sees("passkeys, none", "You have no passkeys.")
	b.Click("section a")
	b.See("Add a passkey")
	b.Click("form button")
	sees("passkeys", "Added on")
	b.Do("name another passkey", chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=remove]").value = "b3RoZXI"`))
	b.Click("li button")
	sees("passkeys, refused", "It was already removed.")
	b.Click("li button")
	sees("passkeys, removed", "The passkey is removed.")

	// Sessions, in this browser and in others.
	for range 2 {
		other := b.Profile(t)
		other.Open(url + "/auth/account")
		signIn(other, "An0ther-one")
		other.See("Your account")
	}
	b.Open(url + "/auth/sessions")
	sees("sessions", "End all others")
	b.Click("li button")
	sees("sessions, one ended", "The session has ended.")
	b.Click("section > form button")
	sees("sessions, others ended", "All other sessions have ended.")

	at("/delete")
	sees("deletion", "Delete your account")
	uncheck(b)
	b.Click("form button")
	sees("deletion, refused", "Tick the box if you want that.")
	b.Click("[name=sure]")
	b.Click("form button")
	sees("deletion, done", "Your account is deleted")
}
