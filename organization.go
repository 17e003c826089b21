package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/keep"
)

// Organization is the company, team or customer that a person acts for. Package
// organization keeps them.
type Organization struct {
	ID   string // for ever
	Name string
	Role string // of the person in it
}

// InOrganization allows people who act for an organization: in one of the roles, or in any
// where none is named. Which organization that is stays for the handler to look at, in
// [Identity].Organization. It panics on an empty role.
func InOrganization(roles ...string) Permission {
	if slices.Contains(roles, "") {
		panic("codegrant: InOrganization: a role is empty")
	}
	roles = slices.Clone(roles)
	name := "organization"
	if len(roles) > 0 {
		name = "organization role " + strings.Join(roles, " or ")
	}
	return permission{name: name, check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		return id != nil && !id.Machine && id.Organization != nil && id.Organization.ID != "" &&
			(len(roles) == 0 || slices.Contains(roles, id.Organization.Role)), nil
	}}
}

// elsewhere refuses a request that lasts where it was let through for an organization, and
// the person does not act for it in that role any more: whoever was told goes on for it.
func elsewhere(was, is *Identity) error {
	if was == nil || was.Organization == nil {
		return nil
	}
	if o := is.Organization; o == nil || o.ID != was.Organization.ID || o.Role != was.Organization.Role {
		return fmt.Errorf("%w: the person does not act for the organization of the request in that role any more", ErrForbidden)
	}
	return nil
}

// again tells the application that a sign-in has taken the place of another of the person.
func (in *signIn) again(ctx context.Context, was, is *keep.Held) {
	if in.KeepOrganization == nil {
		return
	}
	id := in.identityOf(&is.Person, is.Key.Short(), is)
	if err := in.KeepOrganization(ctx, &id, was.Key.Short()); err != nil {
		in.audit(ctx, slog.LevelWarn, "organization of the session before not kept", slog.String("sub", is.Subject), slog.String("reason", err.Error()))
	}
}

// placed returns the identity with the organization that the person acts for. It asks
// each time: whoever was removed from one is out of it with the next request.
func (s *site) placed(ctx context.Context, id *Identity) (*Identity, error) {
	if s.Organization == nil || id == nil || id.Machine {
		return id, nil
	}
	own := *id
	var err error
	if own.Organization, err = s.Organization(ctx, &own); err == nil && own.Organization != nil && own.Organization.ID == "" {
		err = errors.New("it has no ID")
	}
	if err != nil {
		return nil, unavailable("look up the person's organization", err)
	}
	return &own, nil
}
