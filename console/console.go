package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// Config configures a [Console]. Auth and Groups are required.
type Config struct {
	// Auth signs operators in, and knows their groups.
	Auth *codegrant.Auth
	// Groups lists the groups of operators. An operator must be in one of them.
	Groups []string
	// Replica also has the operators. If an operator is disabled, deleted or in none of the
	// groups there, they can open nothing more, whatever their token says. Defaults to People.
	Replica Replica
	// Unsafe lists further permissions for actions, such as [codegrant.SignedInWithin].
	// Defaults to none.
	Unsafe []codegrant.Permission

	// Prefix is the path that everything is below. Defaults to /console.
	Prefix string
	// SignOut is the URL that signs an operator out. Defaults to none.
	SignOut string

	// State returns the state of the service. Defaults to an empty page.
	State func(context.Context) State
	// Explain says what happens to a request. Defaults to none, and no such page.
	Explain func(context.Context, Question) (Verdict, error)
	// Pools are the pools whose people operators can look at. Without a pool, there is no page
	// of people.
	Pools []Pool
	// People is the replica. Defaults to none.
	People People
	// MembershipsSince returns when a person of the replica joined each of their groups, by
	// the group's ID. Defaults to none.
	MembershipsSince func(ctx context.Context, userID int64) (map[int64]time.Time, error)
	// Organizations are those that people act for. Defaults to none, and no such page.
	Organizations Organizations
	// Webhooks are the messages to other programs. Defaults to none, and no such page.
	Webhooks Webhooks
	// Journal has recent events. Defaults to none, and no page of refusals.
	Journal *Journal
	// Day has the counts of the last day. Defaults to none, and no page of pictures.
	Day *Day

	// Refresh is how often an open page is updated, and the operator's access checked again.
	// Defaults to 5 seconds.
	Refresh time.Duration
	// ClientAddress is where a request comes from. Defaults to the other end of the
	// connection.
	ClientAddress func(*http.Request) string
	// Logger has the record of who did what. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Replica knows the operators. A [replica.Store] implements it.
type Replica interface {
	UserBySubject(ctx context.Context, issuer, subject string) (replica.User, error)
}

// Console is the handler of the pages, below its prefix. It is safe for concurrent use.
type Console struct {
	Config
	operator codegrant.Permission
	mux      *http.ServeMux
	pages    []link
	streams  atomic.Int64
	closing  chan struct{}
	once     sync.Once
}

// Close ends the event streams of open pages. Browsers then ask the next process. Later
// requests are still answered, but get no event stream.
func (c *Console) Close() { c.once.Do(func() { close(c.closing) }) }

// New checks the configuration. It makes no network calls.
func New(config Config) (*Console, error) {
	c := &Console{Config: config, mux: http.NewServeMux(), closing: make(chan struct{})}
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("configure console: %w", err)
	}
	c.Prefix = "/" + strings.Trim(c.Prefix, "/")
	if c.Prefix == "/" {
		c.Prefix = "/console"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Refresh <= 0 {
		c.Refresh = 5 * time.Second
	}
	if c.ClientAddress == nil {
		c.ClientAddress = func(r *http.Request) string {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			return host
		}
	}
	if c.Replica == nil && c.People != nil {
		c.Replica = c.People
	}
	if c.State == nil {
		c.State = func(context.Context) State { return State{} }
	}
	c.operator = codegrant.All(bySession, codegrant.InAnyGroup(c.Groups...), c.still(false))
	c.page("/", "State", c.showState)
	c.mux.Handle("GET "+c.Prefix+"/state/events", c.require(c.followState))
	if len(c.Pools) > 0 {
		c.page("/people", "People", c.showPeople)
		c.mux.Handle("GET "+c.Prefix+"/person", c.require(c.showPerson))
		c.mux.Handle("POST "+c.Prefix+"/people/act", c.act(c.actOnPerson))
	}
	if c.Organizations != nil {
		c.page("/organizations", "Organizations", c.showOrganizations)
		c.mux.Handle("GET "+c.Prefix+"/organization", c.require(c.showOrganization))
		c.mux.Handle("POST "+c.Prefix+"/organizations/act", c.act(c.actOnOrganization))
	}
	if c.Webhooks != nil {
		c.page("/webhooks", "Webhooks", c.showWebhooks)
		c.mux.Handle("POST "+c.Prefix+"/webhooks/act", c.act(c.actOnWebhooks))
	}
	if c.Journal != nil {
		c.page("/refused", "Refused", c.showRefused)
	}
	if c.Day != nil {
		c.page("/pictures", "The last day", c.showPictures)
	}
	if c.Explain != nil {
		c.page("/ask", "Would they pass?", c.showVerdict)
	}
	for name := range assets {
		c.mux.HandleFunc("GET "+c.Prefix+"/"+name, serveAsset)
	}
	c.mux.Handle(c.Prefix+"/", c.require(c.notFound))
	return c, nil
}

func (c Config) check() error {
	var faults []error
	if slices.ContainsFunc(c.Pools, func(p Pool) bool { return p.Name == "" || p.Auth == nil }) {
		faults = append(faults, errors.New("each of the Pools needs a Name and an Auth"))
	}
	if c.Auth == nil {
		faults = append(faults, errors.New("no Auth is given"))
	}
	if len(c.Groups) == 0 || slices.Contains(c.Groups, "") {
		faults = append(faults, errors.New("among Groups, name one at least, and none that is empty: nobody else may open it"))
	}
	if prefix := strings.Trim(c.Prefix, "/"); strings.ContainsAny(prefix, "{}?#% ") || strings.Contains(prefix, "//") {
		faults = append(faults, errors.New("the Prefix must be a plain path, such as /console"))
	}
	return errors.Join(faults...)
}

// ServeHTTP answers for all paths that begin with the prefix.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == c.Prefix {
		r = r.Clone(r.Context()) // so that nobody is sent to another URL before they are known
		r.URL.Path += "/"
	}
	c.mux.ServeHTTP(w, r)
}

// link is one of the pages that the others lead to.
type link struct{ URL, Text string }

// page has a page of its own, that the others lead to.
func (c *Console) page(path, name string, show handler) {
	pattern := "GET " + c.Prefix + path
	if path == "/" {
		pattern += "{$}"
	}
	c.mux.Handle(pattern, c.require(show))
	c.pages = append(c.pages, link{c.Prefix + path, name})
}
