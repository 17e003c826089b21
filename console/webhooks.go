package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/codegrant/codegrant"
)

// Webhooks are the messages to other programs.
type Webhooks interface {
	Endpoints(ctx context.Context) ([]WebhookEndpoint, error)
	// GivenUp returns messages that could not be sent, after one, the oldest first, 100 at most.
	GivenUp(ctx context.Context, endpoint string, after int64) ([]WebhookMessage, error)
	// Resend and Discard are for one message, or for all of an endpoint where id is 0. They
	// return how many they were.
	Resend(ctx context.Context, endpoint string, id int64) (int64, error)
	Discard(ctx context.Context, endpoint string, id int64) (int64, error)
}

// WebhookEndpoint is a receiver, with how many messages there are for it.
type WebhookEndpoint struct {
	Name             string
	Waiting, GivenUp int64
	Oldest           time.Time // of those that wait; zero: there is none
}

// WebhookMessage is one that was given up.
type WebhookMessage struct {
	ID                      int64
	Endpoint, Message, Type string
	About                   string // whom or what it is about, by id
	Created                 time.Time
	Attempts                int
	Failure                 string
}

type webhooksPage struct {
	Endpoint, Action, Fault string
	Endpoints               []WebhookEndpoint
	Messages                []WebhookMessage
	More                    string // URL
	Prefix                  string
	Now                     time.Time
}

// URL lists the messages of an endpoint.
func (p webhooksPage) URL(endpoint string) string {
	return p.Prefix + "/webhooks?" + url.Values{"endpoint": {endpoint}}.Encode()
}

// Ago is how long ago something was.
func (p webhooksPage) Ago(t time.Time) string { return age(p.Now.Sub(t)) }

func (c *Console) showWebhooks(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	page := webhooksPage{Endpoint: q.Get("endpoint"), Action: c.Prefix + "/webhooks/act", Prefix: c.Prefix, Now: c.Now()}
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	status := http.StatusOK
	if page.Endpoint != "" && !subjectOf(page.Endpoint) {
		c.fail(w, r, id, http.StatusNotFound, "There is no endpoint at this address.")
		return
	}
	var err error
	if page.Endpoints, err = c.Webhooks.Endpoints(r.Context()); err == nil {
		page.Messages, err = c.Webhooks.GivenUp(r.Context(), page.Endpoint, after)
	}
	if err != nil {
		page.Fault, status = "The database does not answer: "+plain(err.Error()), http.StatusServiceUnavailable
	}
	if len(page.Messages) >= pageOf {
		page.More = c.Prefix + "/webhooks?" + url.Values{"endpoint": {page.Endpoint}, "after": {strconv.FormatInt(page.Messages[len(page.Messages)-1].ID, 10)}}.Encode()
	}
	notice := map[string]string{"resend": "To be sent again: ", "discard": "Discarded: "}[q.Get("done")]
	if n, err := strconv.ParseInt(q.Get("n"), 10, 64); notice != "" && err == nil && n >= 0 {
		notice += strconv.FormatInt(n, 10) + "."
	} else {
		notice = ""
	}
	c.show(w, r, id, status, "webhooks.html", frame{Title: "Webhooks", Here: c.Prefix + "/webhooks", Notice: notice, Page: page})
}

func (c *Console) actOnWebhooks(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	do, endpoint := r.PostForm.Get("do"), r.PostForm.Get("endpoint")
	act := map[string]func(context.Context, string, int64) (int64, error){"resend": c.Webhooks.Resend, "discard": c.Webhooks.Discard}[do]
	var message int64
	var err error
	if r.PostForm.Get("all") != "yes" {
		if message, err = strconv.ParseInt(r.PostForm.Get("message"), 10, 64); err == nil && message <= 0 {
			err = strconv.ErrRange
		}
	}
	if act == nil || err != nil || !subjectOf(endpoint) {
		c.fail(w, r, id, http.StatusBadRequest, "The form is not one of ours. Nothing has been changed.")
		return
	}
	n, err := act(context.WithoutCancel(r.Context()), endpoint, message)
	outcome, attrs := "done", []slog.Attr{slog.String("action", "webhooks "+do), slog.String("endpoint", clip(endpoint, 64)), slog.Int64("message", message), slog.Int64("messages", n)}
	switch {
	case err != nil:
		c.audit(r, id, "failed", append(attrs, slog.String("reason", err.Error()))...)
		c.fail(w, r, id, http.StatusServiceUnavailable, "This may not have been done, or not completely: "+plain(err.Error())+".")
		return
	case n == 0:
		outcome = "nothing to do"
	}
	c.audit(r, id, outcome, attrs...)
	http.Redirect(w, r, c.Prefix+"/webhooks?"+url.Values{"done": {do}, "n": {strconv.FormatInt(n, 10)}}.Encode(), http.StatusSeeOther)
}
