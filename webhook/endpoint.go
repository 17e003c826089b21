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

// Endpoint is a receiver of messages. Name, URL and Secrets are required.
type Endpoint struct {
	// Name names the endpoint in logs, metrics and the table. Its messages stay under this
	// name if you change the URL.
	Name string

	// URL is where messages are posted: https, or http on this machine. It may contain a
	// password or a token, and is never logged.
	URL string

	// Secrets sign each message, each with its own signature. While a receiver changes its
	// secret, set two.
	Secrets []Secret

	// Events are the events that the endpoint gets: of the replica, such as
	// [replica.EventDeleted], and [People], [Organizations], [Sessions] and [Refusals]. Defaults
	// to People.
	Events []string

	// Private also allows addresses of private networks. By default only public addresses are
	// allowed, or this machine if URL names it.
	Private bool
}

// events are those that an endpoint can name.
var events = []string{
	replica.EventCreated, replica.EventAdopted, replica.EventUpdated, replica.EventEnabled, replica.EventDisabled,
	replica.EventDeleted, replica.EventRestored, replica.EventGroups, replica.EventSignedIn, replica.EventMerged, replica.EventUnlinked, replica.EventErased,
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

const maxSecrets = 4

// Check returns all mistakes in the endpoint. It makes no network calls.
func (e Endpoint) Check() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}
	if !nameForm.MatchString(e.Name) {
		fault("name", "it must be small letters, digits, - and _, 63 at most")
	}
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Hostname() == "" || u.Fragment != "" || u.Opaque != "" || len(e.URL) > 2048 {
		fault("url", "it is not a URL such as https://crm.example.com/hooks")
	} else if u.Scheme != "https" && (u.Scheme != "http" || !origins.IsLoopback(u.Hostname())) {
		fault("url", "it must begin with https://; http:// is only for this machine")
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
		if !slices.Contains(events, name) && !slices.Contains(kinds, name) {
			fault("events", "there is no %q; there are %s", name, strings.Join(slices.Concat(kinds, events), ", "))
		}
	}
	return errors.Join(faults...)
}

// hears reports whether the endpoint is to be told.
func (e Endpoint) hears(r replica.Record) bool {
	return e.gets(People) || slices.ContainsFunc(e.Events, r.Happened)
}
