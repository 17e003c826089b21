package broker_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
)

// TestS706_PeopleEndWhatTheyAgreedTo: each sees what is theirs, and ends it for every
// process; nobody sees or ends another one's, and no other site's page does.
func TestS706_PeopleEndWhatTheyAgreedTo(t *testing.T) {
	s := newSite(t, nil)
	bobs := s.tokens("fixed")
	page := s.open(s.url + "/oauth/grants")
	form, ok := page.Form("item")
	if !ok || page.Status != 200 || !strings.Contains(page.Body, "Fixed") || !strings.Contains(page.Body, "Documents") || !strings.Contains(page.Body, "docs/read") || !strings.Contains(page.Body, "this computer") {
		t.Fatalf("%d %s\n%s", page.Status, page.Body, s.log)
	}
	grant := url.Values{"item": {form.Values.Get("item")}}

	bob := s.browser
	s.browser = codegranttest.NewBrowser(t)
	other := s.browser.SignIn(s.url+"/oauth/grants", "alice@example.com", password)
	if _, ok := other.Form("item"); ok || strings.Contains(other.Body, "Fixed") || other.Status != 200 {
		t.Errorf("Alice sees %d %s", other.Status, other.Body)
	}
	post := func(client *http.Client, header, value string, values url.Values) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/oauth/grants", strings.NewReader(values.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header, value)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for name, status := range map[string]int{
		"another person":           post(s.browser.Client, "Sec-Fetch-Site", "same-origin", grant),
		"another site's page":      post(bob.Client, "Sec-Fetch-Site", "cross-site", grant),
		"the client's own token":   post(http.DefaultClient, "Authorization", "Bearer "+bobs.Access, grant),
		"a key that is none":       post(bob.Client, "Sec-Fetch-Site", "same-origin", url.Values{"item": {strings.Repeat("x", 4096)}}),
		"the same parameter twice": post(bob.Client, "Sec-Fetch-Site", "same-origin", url.Values{"item": {grant.Get("item"), "x"}}),
	} {
		if status < 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := s.call(bobs.Access); status != 200 {
		t.Errorf("it has ended: %d", status)
	}
	if page = bob.Submit(page, form, nil); page.Status != 200 || !strings.Contains(page.Body, "It has ended") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	s.later(time.Second)
	for range 2 {
		if status, _ := s.call(bobs.Access); status != 401 {
			t.Errorf("the token after its end: %d", status)
		}
	}
	if _, got := s.refresh(bobs.Refresh, "fixed", nil); got.Error != "invalid_grant" {
		t.Errorf("a refresh after its end: %+v", got)
	}
	if status := post(bob.Client, "Sec-Fetch-Site", "same-origin", grant); status != 200 {
		t.Errorf("ended twice: %d", status)
	}
}

// book is a replica of one person, whose groups an operator changes.
type book struct {
	replica.Store
	mu     sync.Mutex
	user   replica.User
	groups []string
}

func (b *book) WrittenByOthers() bool { return true }

func (b *book) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.user.ID, b.user.Enabled, b.user.Issuer, b.user.Subject = 7, true, s.Issuer, s.Subject
	return replica.Change{User: b.now()}, nil
}

func (b *book) User(ctx context.Context, _ int64) (replica.User, error) {
	return b.UserBySubject(ctx, "", "")
}

func (b *book) UserBySubject(context.Context, string, string) (replica.User, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now(), nil
}

func (b *book) now() replica.User {
	u := b.user
	u.Groups = nil
	for _, name := range b.groups {
		u.Groups = append(u.Groups, replica.Membership{Group: replica.Group{Name: name, Origin: replica.OriginPool}, Local: true})
	}
	return u
}

func (b *book) are(groups ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.groups = groups
}

// TestS707_GroupsOfNow: who leaves a group in the replica has left it in what is given from
// then on.
func TestS707_GroupsOfNow(t *testing.T) {
	users := new(book)
	users.are("writers", "readers")
	s := newSiteOf(t, func(c *codegrant.Config) {
		c.Replica, c.Groups, c.UserMaxAge = users, codegrant.GroupsOfReplica, time.Millisecond
	}, nil)
	says := func(token, want string) {
		t.Helper()
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil || !strings.Contains(string(payload), `"groups":[`+want+`]`) {
			t.Errorf("%s, want %s; %v", payload, want, err)
		}
	}
	got := s.tokens("fixed")
	says(got.Access, `"writers","readers"`)
	users.are("readers", "new")
	for end := time.Now().Add(time.Minute); ; {
		status, next := s.refresh(got.Refresh, "fixed", nil)
		if status != 200 {
			t.Fatalf("%d %+v", status, next)
		}
		got = next
		if payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(got.Access, ".")[1]); !strings.Contains(string(payload), "writers") || time.Now().After(end) {
			break // what is known of a person counts for a millisecond
		}
	}
	says(got.Access, `"readers","new"`)
}
