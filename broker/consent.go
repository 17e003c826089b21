package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/pages"
)

const consentSeal = "broker consent"

// question is what somebody was shown. It is bound to them and their session, so that no
// other page can answer it.
type question struct {
	Request request   `json:"request"`
	Name    string    `json:"name,omitempty"` // of the client, as the page has it
	Until   time.Time `json:"until"`
}

// boundTo is whose answer counts.
func boundTo(id *codegrant.Identity) []byte {
	return []byte(cupboard.Key(id.Issuer, id.Subject, id.SessionID()))
}

// ask shows who asks for what. It is shown each time: whoever is signed in has agreed to
// nothing by that.
func (b *Broker) ask(w http.ResponseWriter, r *http.Request, q request, id *codegrant.Identity) {
	text, err := json.Marshal(question{q, q.client.Name, b.Now().Add(consentTime)})
	if err != nil {
		b.tellPerson(w, r, err)
		return
	}
	to, err := url.Parse(q.Redirect)
	if err != nil {
		b.tellPerson(w, r, err)
		return
	}
	resource := b.resources[q.Resource]
	b.tell(r.Context(), ConsentAsked, asked)
	pages.Render(w, r, http.StatusOK, pages.AskForAgent{
		Client: q.client.Name, Document: documentHost(q.client), Place: placeOf(to), Resource: cmp.Or(resource.Name, resource.URL), Scopes: q.Scopes,
		SignedInAs: cmp.Or(id.Email, id.Username), Action: b.Prefix + "/consent", Origin: to.Scheme + "://" + to.Host,
		Question: b.Keys.Seal(consentSeal, text, boundTo(id)),
	})
}

// documentHost is who vouches for the client, if it has a document.
func documentHost(c client) string {
	if u, err := url.Parse(c.id); err == nil && c.document {
		return u.Host
	}
	return ""
}

// consent takes the answer.
func (b *Broker) consent(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	b.Auth.Require()(http.HandlerFunc(b.answered)).ServeHTTP(w, r)
}

func (b *Broker) answered(w http.ResponseWriter, r *http.Request) {
	id, ok := b.inPerson(w, r)
	if !ok {
		return
	}
	values, f := form(r)
	if f != nil {
		b.tellPerson(w, r, f)
		return
	}
	var asked question
	text, err := b.Keys.Open(consentSeal, values.Get("question"), boundTo(id))
	if err != nil || json.Unmarshal(text, &asked) != nil || !b.Now().Before(asked.Until) {
		b.tellPerson(w, r, faulty("invalid_request", "This page was open for too long, or for somebody else. Begin again in the program that sent you here."))
		return
	}
	q := asked.Request
	// Meanwhile it may have ended, or have become another one.
	if q.client, err = b.clientOf(r.Context(), q.Client, r); err == nil {
		if _, f := b.redirectOf(q.client, q.Redirect); f != nil {
			err = f
		}
	}
	if err == nil && values.Get("answer") != "allow" {
		b.tell(r.Context(), ConsentAsked, refused)
		b.turnBack(w, r, q, faulty("access_denied", "the person has said no"), true)
		return
	}
	if err == nil && q.client.Name != asked.Name {
		err = faulty("invalid_request", "The program has changed its name since you saw this page. Begin again in the program that sent you here.")
	}
	resource, known := b.resources[q.Resource]
	if err == nil && !known {
		err = faulty("invalid_target", "The service that the program asks for does not exist any more.")
	}
	if err == nil {
		err = b.keep(r.Context(), q.client)
	}
	if err != nil {
		b.tell(r.Context(), ConsentAsked, failed)
		b.tellPerson(w, r, err)
		return
	}
	g, err := b.begin(r.Context(), grant{
		Client: q.Client, Redirect: q.Redirect, Challenge: q.Challenge, Resource: resource.URL, Scopes: q.Scopes,
		Ends: b.Now().Add(b.GrantLifetime), Person: personOf(id, b.Now()), Name: q.client.Name, Began: b.Now(),
	})
	if errors.Is(err, cupboard.ErrFull) {
		err = faulty("access_denied", "Too many programs act for you at the same time. Sign out to end them, then sign in again. Or wait.")
	}
	if err != nil {
		b.tell(r.Context(), ConsentAsked, failed)
		b.tellPerson(w, r, err)
		return
	}
	b.tell(r.Context(), ConsentAsked, given)
	b.Logger.LogAttrs(r.Context(), slog.LevelInfo, "consent given", slog.String("sub", id.Subject), slog.String("client", shown(q.Client)),
		slog.String("redirect_uri", q.Redirect), slog.String("resource", q.Resource), slog.Any("scopes", q.Scopes))
	answer := url.Values{"code": {b.secret(codePrefix, g)}}
	if q.State != "" {
		answer.Set("state", q.State)
	}
	b.goTo(w, q.Redirect, answer)
}
