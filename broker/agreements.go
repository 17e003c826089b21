package broker

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/pages"
)

// agreements shows somebody what they have let clients do, and takes back what they want
// taken back.
func (b *Broker) agreements(w http.ResponseWriter, r *http.Request) {
	b.Auth.Require()(http.HandlerFunc(b.agreed)).ServeHTTP(w, r)
}

func (b *Broker) agreed(w http.ResponseWriter, r *http.Request) {
	id, ok := b.inPerson(w, r)
	if !ok {
		return
	}
	page := pages.Agreements{SignedInAs: cmp.Or(id.Email, id.Username), Action: b.Prefix + "/grants", Home: "/"}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		values, f := form(r)
		if f != nil {
			b.tellPerson(w, r, f)
			return
		}
		if err := b.takeBack(r, id, values.Get("item")); err != nil {
			b.tellPerson(w, r, err)
			return
		}
		page.Ended = true
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	records, err := b.Cupboard.List(r.Context(), grants, cupboard.Query{Person: id.Subject, Limit: cupboard.DefaultLimit})
	if err != nil {
		b.tellPerson(w, r, err)
		return
	}
	page.More = len(records) == cupboard.DefaultLimit
	for _, record := range records {
		var g grant
		// A code that nobody has redeemed is out for a minute, and can be ended, too.
		if !b.unseal(record, &g) || g.Person.Issuer != id.Issuer || g.Person.Subject != id.Subject {
			continue
		}
		shows := pages.Agreement{
			Client: b.nameOf(r, g.Client), Resource: cmp.Or(b.resources[g.Resource].Name, g.Resource), Scopes: g.Scopes,
			Until: g.Ends, Value: record.Key,
		}
		if u, err := url.Parse(g.Redirect); err == nil {
			shows.Place = placeOf(u)
		}
		page.List = append(page.List, shows)
	}
	pages.Render(w, r, http.StatusOK, page)
}

// nameOf is what a client calls itself; empty where it is gone.
func (b *Broker) nameOf(r *http.Request, id string) string {
	if isDocument(id) {
		return id // its host vouches for it, and the document is not asked for
	}
	c, err := b.clientOf(r.Context(), id, nil)
	if err != nil {
		return ""
	}
	return c.Name
}

// takeBack ends a grant of the person's own. One that is gone has ended.
func (b *Broker) takeBack(r *http.Request, id *codegrant.Identity, key string) error {
	if len(key) > cupboard.MaxKey || !isVisible(key) {
		return faulty("invalid_request", "You cannot end this: it does not belong to you.")
	}
	record, err := b.Cupboard.Get(r.Context(), grants, key)
	if errors.Is(err, cupboard.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var g grant
	if record.Person != id.Subject || !b.unseal(record, &g) || g.Person.Issuer != id.Issuer || g.Person.Subject != id.Subject {
		return faulty("invalid_request", "You cannot end this: it does not belong to you.")
	}
	switch _, err := b.Cupboard.Take(r.Context(), grants, key); {
	case err == nil:
		b.tell(r.Context(), GrantEnded, endWithdrawn) // of all who end it, one counts
		tellEnds(r.Context(), b.Cupboard, oneGrant, key, b.Now(), b.Logger)
	case !errors.Is(err, cupboard.ErrNotFound):
		return err
	}
	b.Logger.LogAttrs(r.Context(), slog.LevelInfo, "grant ended", slog.String("sub", id.Subject), slog.String("client", shown(g.Client)),
		slog.String("resource", g.Resource), slog.String("reason", "the person has ended it"))
	return nil
}
