package syncing

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
)

// lookedUp is a person who was brought in line, as programs get them.
type lookedUp struct {
	Pool    string       `json:"pool"`
	Changes []string     `json:"changes"`
	User    parts.Person `json:"user"`
}

var subjectPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// lookUp brings some people in line. It goes on with the others where that fails.
func (s *syncing) lookUp(ctx context.Context, people []string) error {
	var faults []error
	all := []lookedUp{}
	for _, who := range people {
		found, err := s.lookUpOne(ctx, who)
		if err != nil {
			faults = append(faults, err)
		}
		for _, f := range found {
			all = append(all, f)
			if s.JSON {
				continue
			}
			what := "as it was"
			if len(f.Changes) > 0 {
				what = strings.Join(f.Changes, ", ")
			}
			fmt.Fprintf(s.out.Stdout, "%s (%s, %s): %s\n", terminal.Printable(f.User.Username), terminal.Printable(f.User.Subject), f.User.State(), terminal.Printable(what))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if s.JSON {
		faults = append(faults, terminal.PrintJSON(s.out.Stdout, all))
	}
	return errors.Join(faults...)
}

// lookUpOne looks somebody up in every pool that has, or had, somebody of that name.
func (s *syncing) lookUpOne(ctx context.Context, who string) (found []lookedUp, err error) {
	var unknown error
	for _, p := range s.pools {
		o := *s.Opened
		o.Issuer = p.Issuer
		before, err := o.Find(ctx, who)
		subject := before.Subject
		switch {
		case err == nil && before.Issuer != p.Issuer: // a row of another pool
			continue
		case errors.Is(err, parts.ErrNobody):
			unknown = err
			if !subjectPattern.MatchString(who) {
				continue
			}
			subject = who
		case err != nil:
			return found, err
		}
		look := p.User
		if s.Full {
			look = p.UserAndGroups
		}
		after, err := look(ctx, subject)
		if errors.Is(err, directory.ErrNotFound) {
			unknown = fmt.Errorf("neither pool %s nor the replica has a person with the sub %s", p.name, who)
			continue
		}
		if err != nil {
			return found, fmt.Errorf("pool %s: %w", p.name, parts.NoPool(err, p.id))
		}
		found = append(found, lookedUp{p.name, changesOf(before, after), parts.NewPerson(after)})
	}
	if len(found) == 0 {
		return nil, unknown
	}
	return found, nil
}

// changesOf says what is different about a person.
func changesOf(before, after replica.User) []string {
	if before.ID == 0 {
		return []string{"new in the replica"}
	}
	changes := []string{}
	if before.Enabled != after.Enabled {
		changes = append(changes, map[bool]string{true: "may sign in again", false: "may no longer sign in: their sessions have ended"}[after.Enabled])
	}
	for _, field := range []struct{ name, before, after string }{
		{"username", before.Username, after.Username}, {"e-mail address", before.Email, after.Email}, {"name", before.Name, after.Name},
		{"given name", before.GivenName, after.GivenName}, {"family name", before.FamilyName, after.FamilyName},
		{"phone number", before.PhoneNumber, after.PhoneNumber}, {"locale", before.Locale, after.Locale}, {"status", before.Status, after.Status},
		{"verified e-mail address", fmt.Sprint(before.EmailVerified), fmt.Sprint(after.EmailVerified)},
		{"verified phone number", fmt.Sprint(before.PhoneNumberVerified), fmt.Sprint(after.PhoneNumberVerified)},
		{"custom attributes", fmt.Sprint(before.Custom), fmt.Sprint(after.Custom)},
	} {
		if field.before != field.after {
			changes = append(changes, "another "+field.name)
		}
	}
	had, has := parts.NewPerson(before).Groups, parts.NewPerson(after).Groups
	for _, g := range has {
		if !slices.Contains(had, g) {
			changes = append(changes, "in group "+g)
		}
	}
	for _, g := range had {
		if !slices.Contains(has, g) {
			changes = append(changes, "no longer in group "+g)
		}
	}
	return changes
}
