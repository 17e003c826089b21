package broker_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestS811_ADocumentThatIsGone: what one process finds ends everything that was agreed to for
// the client, in every process, within a second, also where the document is still known.
func TestS811_ADocumentThatIsGone(t *testing.T) {
	d := newDocumented(t, "no-store", "max-age=86400")
	first, second := d.tokens(documentID), d.tokens(documentID)
	for range 2 { // the other process knows the document
		if page := d.open(d.request(documentID, nil)); page.Status != 200 {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
	}
	if status, _ := d.call(second.Access); status != 200 {
		t.Fatal(status)
	}
	d.status.Store(404)
	if w := d.at(0, "token", refreshing(first.Refresh, documentID)); w.Code != 401 || !strings.Contains(w.Body.String(), "invalid_client") {
		t.Fatalf("the process that asks: %d %s", w.Code, w.Body)
	}
	d.later(time.Second)
	if status, _ := d.call(second.Access); status != 401 {
		t.Errorf("an access token of another consent: %d", status)
	}
	if w := d.at(1, "token", refreshing(second.Refresh, documentID)); w.Code/100 != 4 {
		t.Errorf("its refresh token, in the process that knows the document: %d %s", w.Code, w.Body)
	}
	for range 2 {
		if page := d.open(d.request(documentID, nil)); page.Status != 400 {
			t.Errorf("people are asked: %d %s", page.Status, page.Body)
		}
	}
	// Back again, it has to be agreed to anew.
	d.status.Store(200)
	d.later(11 * time.Second)
	if status, _ := d.call(second.Access); status != 401 {
		t.Errorf("back again, an access token of before: %d", status)
	}
	if status, _ := d.call(d.tokens(documentID).Access); status != 200 {
		t.Errorf("back again, agreed to anew: %d", status)
	}
}

// TestS811_AnswersThatSayNothing: one bad answer of a document's host ends nothing. What says
// that the client is gone ends all of it.
func TestS811_AnswersThatSayNothing(t *testing.T) {
	d := newDocumented(t, "no-store", "no-store")
	first, second := d.tokens(documentID), d.tokens(documentID)
	good := d.body.Load().(string)
	back := func() {
		d.status.Store(200)
		d.kind.Store("application/json")
		d.cut.Store(false)
		d.body.Store(good)
		d.later(11 * time.Second) // of failures, nothing is known any more
	}
	silent := map[string]func(){
		"a page":           func() { d.kind.Store("text/html"); d.body.Store("<html>") },
		"a page as JSON":   func() { d.body.Store("<html>") },
		"half a document":  func() { d.body.Store(good[:len(good)/2]) },
		"nothing":          func() { d.body.Store("") },
		"cut off":          func() { d.cut.Store(true) },
		"of no type":       func() { d.kind.Store("") },
		"too long":         func() { d.body.Store(good + strings.Repeat(" ", 17<<10)) },
		"of no client":     func() { d.body.Store(`{"message":"Forbidden"}`) },
		"something else":   func() { d.body.Store(`["maintenance"]`) },
		"another 200":      func() { d.status.Store(203) },
		"nothing, by HTTP": func() { d.status.Store(204); d.body.Store("") },
	}
	for _, status := range []int64{301, 302, 303, 307, 308, 400, 401, 402, 403, 405, 406, 407, 408, 409, 418, 421, 425, 426, 429, 451, 500, 502, 503, 504} {
		silent[http.StatusText(int(status))] = func() { d.status.Store(status) }
	}
	for name, change := range silent {
		change()
		if w := d.at(0, "token", refreshing(first.Refresh, documentID)); w.Code != 503 || !strings.Contains(w.Body.String(), "temporarily_unavailable") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		d.later(time.Second)
		if status, _ := d.call(second.Access); status != 200 {
			t.Fatalf("%s: another person's access token: %d", name, status)
		}
		back()
	}
	for _, got := range []*tokens{&first, &second} {
		status, next := d.refresh(got.Refresh, documentID, nil)
		if status != 200 {
			t.Fatalf("afterwards: %d %+v", status, next)
		}
		*got = next
	}
	for name, change := range map[string]func(){
		"404":               func() { d.status.Store(404) },
		"410":               func() { d.status.Store(410) },
		"another client's":  func() { d.body.Store(strings.Replace(good, "client.json", "other.json", 1)) },
		"with a secret":     func() { d.body.Store(strings.Replace(good, "{", `{"client_secret":"x",`, 1)) },
		"without addresses": func() { d.body.Store(`{"client_id":"` + documentID + `"}`) },
	} {
		change()
		if w := d.at(0, "token", refreshing(first.Refresh, documentID)); w.Code != 401 || !strings.Contains(w.Body.String(), "invalid_client") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		d.later(time.Second)
		if status, _ := d.call(second.Access); status != 401 {
			t.Errorf("%s: another person's access token: %d", name, status)
		}
		back()
		first, second = d.tokens(documentID), d.tokens(documentID)
	}
}

// TestS814_StreamsOfADocumentThatIsGone end for everybody who agreed to its client, in every
// process.
func TestS814_StreamsOfADocumentThatIsGone(t *testing.T) {
	d := newDocumented(t, "no-store", "no-store")
	first, second := d.tokens(documentID), d.tokens(documentID)
	var ended [2]chan struct{}
	for i, b := range d.brokers {
		ended[i] = make(chan struct{})
		defer b.OnEnd(second.Access, sync.OnceFunc(func() { close(ended[i]) }))()
	}
	d.status.Store(410)
	if w := d.at(0, "token", refreshing(first.Refresh, documentID)); w.Code != 401 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i := range ended {
		select {
		case <-ended[i]:
		case <-time.After(30 * time.Second):
			t.Errorf("process %d: it goes on", i)
		}
	}
}
