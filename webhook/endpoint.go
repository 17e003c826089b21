package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/origins"
	"github.com/codegrant/codegrant/replica"
)

// Endpoint is who is told. Name, URL and Secrets are required.
type Endpoint struct {
	// Name is what logs, metrics and the table call it. What is to be sent to it stays
	// under its name, also when its URL becomes another.
	Name string

	// URL is where messages are posted to: https, or http on this machine. It may hold a
	// password or a token, and is never logged.
	URL string

	// Secrets sign each message, all of them. While a receiver changes from one to
	// another, there are two.
	Secrets []Secret

	// Events are those that it hears of, such as [replica.EventDeleted]. Defaults to all.
	Events []string

	// Private lets messages go to addresses of private networks too. Defaults to those
	// of the internet alone, or to this machine where URL names it.
	Private bool
}

// events are those that an endpoint can name.
var events = []string{
	replica.EventCreated, replica.EventAdopted, replica.EventUpdated, replica.EventEnabled, replica.EventDisabled,
	replica.EventDeleted, replica.EventRestored, replica.EventGroups, replica.EventSignedIn, replica.EventMerged, replica.EventUnlinked,
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

const maxSecrets = 4

// Check returns every fault of the endpoint at once. It neither looks up nor connects.
func (e Endpoint) Check() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}
	if !nameForm.MatchString(e.Name) {
		fault("name", "it must be small letters, digits, - and _, 63 at most")
	}
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Hostname() == "" || u.Fragment != "" || u.Opaque != "" || len(e.URL) > 2048 {
		fault("url", "it is no URL such as https://crm.example.com/hooks")
	} else if u.Scheme != "https" && (u.Scheme != "http" || !origins.IsLoopback(u.Hostname())) {
		fault("url", "it is to begin with https://; http:// is for this machine alone")
	}
	switch {
	case len(e.Secrets) == 0:
		fault("secret", "it is missing; codegrant webhooks secret prints a new one")
	case len(e.Secrets) > maxSecrets:
		fault("secret", "there are %d, and %d are enough to change from one to another", len(e.Secrets), maxSecrets)
	case slices.ContainsFunc(e.Secrets, func(s Secret) bool { return len(s.key) < minSecret }):
		fault("secret", "%w", errSecret)
	}
	for _, name := range e.Events {
		if !slices.Contains(events, name) {
			fault("events", "there is no %q; there are %s", name, strings.Join(events, ", "))
		}
	}
	return errors.Join(faults...)
}

// hears reports whether the endpoint is to be told.
func (e Endpoint) hears(r replica.Record) bool {
	return len(e.Events) == 0 || slices.ContainsFunc(e.Events, r.Happened)
}
