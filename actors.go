package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/verify"
)

// Actor acts for a person with a token that says so (act, RFC 8693). An example is an
// agent. See [AllowActors].
type Actor = verify.Actor

// AnyActor stands for everybody whom the pool lets act for a person.
const AnyActor = "any"

// AllowActors allows the named actors to act for a person, with a token that says so (act,
// RFC 8693). It also allows everybody who acts for themselves. A name is an actor's sub or
// client_id. If the actor has another issuer than the token, put that issuer and a blank
// before it. Or use [AnyActor] alone. Only the current actor counts, not earlier ones. It
// panics on an empty name.
//
// Without it, and unless Config.BearerActors names the actor, [Auth.Require] refuses such
// tokens. It counts where it is given to Require itself, or within [All]; elsewhere it
// narrows alone. AllowActors() allows none.
func AllowActors(names ...string) Permission {
	if err := checkActors(names); err != nil {
		panic("codegrant: AllowActors: " + err.Error())
	}
	names = slices.Clone(names)
	text := "nobody acting for the person"
	if len(names) > 0 {
		text = "the person, or as actor " + strings.Join(names, " or ")
	}
	return permission{name: text, check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		return id != nil && (id.Actor == nil || isActor(names, id.Actor)), nil
	}, actors: true}
}

func checkActors(names []string) error {
	switch {
	case slices.Contains(names, ""):
		return fmt.Errorf("one of the names is empty")
	case slices.Contains(names, AnyActor) && len(names) > 1:
		return fmt.Errorf("%q takes everybody; leave the other names out", AnyActor)
	}
	return nil
}

func isActor(names []string, a *Actor) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name == AnyActor || a.Is(name) })
}

// admitsActors reports whether one of the permissions says who may act for people.
func admitsActors(permissions []Permission) bool {
	return slices.ContainsFunc(permissions, func(p Permission) bool {
		own, _ := p.(permission)
		return own.actors
	})
}

// mayAct reports whether somebody acts for themselves, or by somebody whom the
// configuration names.
func (s *site) mayAct(id *Identity) bool {
	return id.Actor == nil || isActor(s.BearerActors, id.Actor)
}

// errActor is why somebody who acts for a person may not pass where nobody said that any
// actor may.
func errActor(id *Identity) error {
	return fmt.Errorf("%w: %s acts for the person, and this service allows no actors", ErrForbidden, bounded(id.Actor.String()))
}

// delegated is errActor where there is no request to be forbidden.
func delegated(id *Identity) error {
	return fmt.Errorf("%w: %s acts for the person", fault.Delegated, bounded(id.Actor.String()))
}

// actorAttrs says who acts for a person, and who acted before, the latest first.
func actorAttrs(id *Identity) []slog.Attr {
	if id.Actor == nil {
		return nil
	}
	attrs := []slog.Attr{slog.String("actor", bounded(id.Actor.String()))}
	if before := id.Actor.Before; before != nil {
		var names []string
		for ; before != nil; before = before.Before {
			names = append(names, bounded(before.String()))
		}
		attrs = append(attrs, slog.Any("actors_before", names))
	}
	return attrs
}
