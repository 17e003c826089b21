package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant"
)

const maxForm = 16 << 10

// act lets an operator do something: by a POST from a page of ours, with a sign-in that is
// good enough for it.
func (c *Console) act(next handler) http.Handler {
	return c.require(func(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
		if err := c.fromHere(r); err != nil {
			c.audit(r, id, "refused", slog.String("action", r.URL.Path), slog.String("reason", err.Error()))
			c.fail(w, r, id, http.StatusForbidden, "This did not come from a page of the console. Nothing has been changed.")
			return
		}
		if err := c.Auth.Authorize(r.Context(), id, r, append([]codegrant.Permission{c.still(true)}, c.Unsafe...)...); err != nil {
			c.audit(r, id, "refused", slog.String("action", r.URL.Path), slog.String("reason", err.Error()))
			c.Auth.Refuse(w, r, id, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			c.fail(w, r, id, http.StatusBadRequest, "The form cannot be read. Nothing has been changed.")
			return
		}
		next(w, r, id)
	})
}

// fromHere is stricter than the root package: no other origin is trusted, whatever is
// configured, and a browser has to say where a form was sent from.
func (c *Console) fromHere(r *http.Request) error {
	site, origin := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	switch {
	case len(site) > 1 || len(origin) > 1 || len(site)+len(origin) == 0:
		return errors.New("the browser does not say where the form was sent from")
	case len(site) == 1 && site[0] != "same-origin":
		return fmt.Errorf("the form was sent from another site")
	case len(origin) == 1 && origin[0] != c.Auth.Origin():
		return fmt.Errorf("the form was sent from another origin")
	}
	return nil
}

// audit writes down what an operator did.
func (c *Console) audit(r *http.Request, id *codegrant.Identity, outcome string, attrs ...slog.Attr) {
	c.Logger.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "operator acted", append([]slog.Attr{
		slog.String("by", clip(id.Username, 128)), slog.String("by_sub", id.Subject), slog.String("outcome", outcome),
		slog.String("from", c.ClientAddress(r)),
	}, attrs...)...)
}
