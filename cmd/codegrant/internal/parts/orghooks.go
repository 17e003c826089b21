package parts

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/webhook"
)

// organizationData is what a message says of a change of an organization. It has ids, and no
// address and no name of a person: these are in the messages about people.
type organizationData struct {
	Organization organizationName `json:"organization"`
	Person       int64            `json:"person,omitempty"` // data.user.id of messages about people
	Role         string           `json:"role,omitempty"`
	Invitation   string           `json:"invitation,omitempty"`
}

type organizationName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// tellOfOrganizations returns what has each change of an organization become messages, in the
// transaction that makes it. endpoints are those of that moment.
func tellOfOrganizations(queue *webhook.Queue, endpoints func() []webhook.Endpoint) func(context.Context, *sql.Tx, organization.Change) error {
	return func(ctx context.Context, tx *sql.Tx, c organization.Change) error {
		to := endpoints()
		if !webhook.Wanted(to, webhook.Organizations) {
			return nil
		}
		err := queue.Tell(ctx, tx, to, webhook.Event{
			Kind: webhook.Organizations, Type: c.Kind, Subject: c.Organization.ID, At: c.At,
			Data: organizationData{organizationName{c.Organization.ID, c.Organization.Name}, c.Person, c.Role, c.Invitation},
		})
		if err != nil {
			return fmt.Errorf("%w; if the table of webhooks is missing, run codegrant migrate", err)
		}
		return nil
	}
}
