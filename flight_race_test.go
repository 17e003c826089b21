package codegrant_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

// Requests that waited for one refresh share what came of it. After a longer rest
// each of them also moves the idle end, in what must be its own copy.
func TestS072_RequestsDoNotWriteToASharedSession(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	a.now.Advance(2 * time.Hour) // beyond a tenth of the idle lifetime
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/auth/user", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.AddCookie(cookie)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	wg.Wait()
}
