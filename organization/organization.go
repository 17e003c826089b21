package organization

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/codegrant/codegrant"
)

// These errors say why an operation was refused. Every other error says that the database
// failed.
var (
	ErrNotFound     = errors.New("there is no such organization, member or invitation")
	ErrLastManager  = errors.New("it is the last one who manages the organization: let somebody else manage it first")
	ErrRole         = errors.New("there is no such role")
	ErrName         = errors.New("the name is empty, too long, or has characters that cannot be shown")
	ErrAddress      = errors.New("it is not an e-mail address such as name@example.com")
	ErrInvitation   = errors.New("the invitation was used or taken back, or has expired")
	ErrOtherAddress = errors.New("the invitation is for another e-mail address, or the user pool has not verified that of the person")
	ErrMember       = errors.New("the address is of somebody who is a member already")
	ErrNoUser       = errors.New("the user pool makes no user for the address")
	ErrTooMany      = errors.New("there are too many of them")
)

// refusals are the errors that say that something is not to be done, as opposed to not known.
var refusals = []error{ErrNotFound, ErrLastManager, ErrRole, ErrName, ErrAddress, ErrInvitation, ErrOtherAddress, ErrMember, ErrNoUser, ErrTooMany, ErrTooOften, errManages}

// IsRefusal reports whether an error says that what was asked for is not to be done; any
// other says that the database did not answer.
func IsRefusal(err error) bool {
	return slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
}

// Bounds.
const (
	MaxName        = 200    // characters of a name
	MaxInvitations = 1000   // of one organization that wait
	MaxMembers     = 100000 // of one organization
	MaxMemberships = 1000   // of one person
	page           = 100
)

// Config is what [New] needs. DB and Dialect are required.
type Config struct {
	// DB is the database of the replica. It stays the caller's to close.
	DB *sql.DB
	// Dialect names the engine behind it.
	Dialect Dialect
	// Roles are those that members can have. The first one manages: it invites and removes.
	// Defaults to admin and member.
	Roles []string
	// Valid is how long an invitation can be accepted. Defaults to 7 days; an hour to 90 days.
	Valid time.Duration
	// OnChange is called within the transaction that makes a change: what it writes through
	// tx is committed with it, or not at all. An error undoes the change, and is returned,
	// wrapped. It must not wait for the network. Defaults to nobody.
	OnChange func(ctx context.Context, tx *sql.Tx, change Change) error
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// These are the values of a [Change].
const (
	Created            = "organization.created"
	Renamed            = "organization.renamed"
	Deleted            = "organization.deleted"
	MemberAdded        = "organization.member_added"
	MemberChanged      = "organization.member_changed" // another role
	MemberRemoved      = "organization.member_removed"
	InvitationCreated  = "organization.invitation_created"
	InvitationRevoked  = "organization.invitation_revoked"
	InvitationAccepted = "organization.invitation_accepted" // and the person is a member: MemberAdded comes, too
)

// Kinds are all of them.
var Kinds = []string{Created, Renamed, Deleted, MemberAdded, MemberChanged, MemberRemoved, InvitationCreated, InvitationRevoked, InvitationAccepted}

// Change is what happened to an organization.
type Change struct {
	Kind         string
	Organization Organization
	Person       int64  // row of the replica, of a member; 0: it is about none
	Role         string // after the change; of an invitation, too
	Email        string // of an invitation
	Invitation   string // its id
	By           string // who did it, for people to read
	At           time.Time
}

// Organization is one.
type Organization struct {
	ID      string
	Name    string
	Created time.Time
}

// Store keeps organizations. It is safe for concurrent use, by any number of processes.
// Make one with [New].
type Store struct {
	Config
	db     *sql.DB
	engine engine
	acting *codegrant.Identity // who has to manage what is changed; nil for operators
}

// errManages says that whoever acts does not manage the organization any more.
var errManages = errors.New("the person who acts does not manage the organization")

// as is a store whose changes are refused unless a person manages the organization while it
// is changed.
func (s *Store) as(id *codegrant.Identity) *Store {
	acting := *s
	acting.acting = id
	return &acting
}

var roleForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// New checks the configuration, and reports every fault of it. It does not touch the
// database: see [Store.Migrate].
func New(config Config) (*Store, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}
	e, ok := engines[config.Dialect]
	if config.DB == nil {
		fault("DB", "is nil")
	}
	if !ok {
		fault("Dialect", "name SQLite, PostgreSQL or MySQL")
	}
	if err := CheckRoles(config.Roles); err != nil {
		fault("Roles", "%w", err)
	}
	if config.Roles == nil {
		config.Roles = []string{"admin", "member"}
	}
	if config.Valid == 0 {
		config.Valid = 7 * 24 * time.Hour
	}
	if config.Valid < time.Hour || config.Valid > 90*24*time.Hour {
		fault("Valid", "%v is not between an hour and 90 days", config.Valid)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if faults != nil {
		return nil, fmt.Errorf("configure organizations: %w", errors.Join(faults...))
	}
	return &Store{Config: config, db: config.DB, engine: e}, nil
}

// CheckRoles says what is wrong with a list of roles; nil is good.
func CheckRoles(roles []string) error {
	var faults []error
	if roles != nil && len(roles) == 0 {
		faults = append(faults, errors.New("there is none"))
	}
	for i, role := range roles {
		switch {
		case !roleForm.MatchString(role):
			faults = append(faults, fmt.Errorf("%q is not of small letters, digits, - and _, 32 at most", role))
		case slices.Contains(roles[:i], role):
			faults = append(faults, fmt.Errorf("%q is there twice", role))
		}
	}
	return errors.Join(faults...)
}

// Manager is the role that invites and removes.
func (s *Store) Manager() string { return s.Roles[0] }

func (s *Store) millis() int64 { return s.Now().UnixMilli() }

func (s *Store) role(role string) error {
	if !slices.Contains(s.Roles, role) {
		return fmt.Errorf("%w: %q; there are %s", ErrRole, role, strings.Join(s.Roles, ", "))
	}
	return nil
}

// named is a name as it is kept.
func named(name string) (string, error) {
	name = strings.TrimSpace(name)
	hidden := func(c rune) bool { return !unicode.IsPrint(c) || unicode.Is(unicode.Bidi_Control, c) }
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxName || strings.ContainsFunc(name, hidden) {
		return "", ErrName
	}
	return name, nil
}

// tell hands a change on, within its transaction.
func (s *Store) tell(ctx context.Context, tx *sql.Tx, c Change) error {
	if s.OnChange == nil {
		return nil
	}
	c.At = s.Now().UTC()
	if err := s.OnChange(ctx, tx, c); err != nil {
		return fmt.Errorf("the function that hears of changes: %w", err)
	}
	return nil
}

func fail(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Create makes an organization, which has nobody in it. by is who has said so.
func (s *Store) Create(ctx context.Context, name, by string) (Organization, error) {
	name, err := named(name)
	if err != nil {
		return Organization{}, err
	}
	now := s.millis()
	o := Organization{ID: "org_" + strings.ToLower(rand.Text()), Name: name, Created: time.UnixMilli(now).UTC()}
	tx, err := s.db.BeginTx(ctx, s.engine.tx)
	if err != nil {
		return Organization{}, fail("create an organization", err)
	}
	defer tx.Rollback()
	if _, err = s.exec(ctx, tx, "INSERT INTO codegrant_organizations (id, name, created, updated) VALUES (?, ?, ?, ?)", o.ID, o.Name, now, now); err == nil {
		if err = s.tell(ctx, tx, Change{Kind: Created, Organization: o, By: by}); err == nil {
			err = tx.Commit()
		}
	}
	return o, fail("create an organization", err)
}

// Rename gives an organization another name.
func (s *Store) Rename(ctx context.Context, id, name, by string) error {
	name, err := named(name)
	if err != nil {
		return err
	}
	return fail("rename an organization", s.in(ctx, id, func(tx *sql.Tx, o Organization) error {
		if o.Name == name {
			return nil
		}
		o.Name = name
		if _, err := s.exec(ctx, tx, "UPDATE codegrant_organizations SET name = ? WHERE id = ?", name, id); err != nil {
			return err
		}
		return s.tell(ctx, tx, Change{Kind: Renamed, Organization: o, By: by})
	}))
}

// Delete removes an organization, with its memberships and invitations.
func (s *Store) Delete(ctx context.Context, id, by string) error {
	return fail("delete an organization", s.in(ctx, id, func(tx *sql.Tx, o Organization) error {
		for _, from := range []string{"codegrant_organization_invitations WHERE organization_id", "codegrant_organization_sent WHERE organization_id", "codegrant_organization_members WHERE organization_id", "codegrant_organizations WHERE id"} {
			if _, err := s.exec(ctx, tx, "DELETE FROM "+from+" = ?", id); err != nil {
				return err
			}
		}
		return s.tell(ctx, tx, Change{Kind: Deleted, Organization: o, By: by})
	}))
}

// isID reports whether a text can be an id of ours: not every database takes any bytes for text.
func isID(text string) bool {
	return text != "" && len(text) <= 100 && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

const organizationColumns = "o.id, o.name, o.created"

func (o *Organization) scan(rows *sql.Rows, more ...any) error {
	var created int64
	err := rows.Scan(append([]any{&o.ID, &o.Name, &created}, more...)...)
	o.Created = time.UnixMilli(created).UTC()
	return err
}

// Get returns an organization, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (Organization, error) {
	o, err := s.get(ctx, s.db, id)
	return o, fail("look up an organization", err)
}

func (s *Store) get(ctx context.Context, on asker, id string) (o Organization, err error) {
	if !isID(id) {
		return o, ErrNotFound
	}
	found := false
	err = s.each(ctx, on, func(rows *sql.Rows) error {
		found = true
		return o.scan(rows)
	}, "SELECT "+organizationColumns+" FROM codegrant_organizations o WHERE o.id = ?", id)
	if err == nil && !found {
		err = ErrNotFound
	}
	return o, err
}

// List returns organizations in the order of their ids, those after one, 100 at most.
func (s *Store) List(ctx context.Context, after string) ([]Organization, error) {
	return s.Find(ctx, "", after)
}

// Find is List for those that have a text in their name, in capital or small letters, or as
// their id. Which letters other than those of ASCII are the same in both is the database's matter.
func (s *Store) Find(ctx context.Context, text, after string) (all []Organization, err error) {
	condition, args := "o.id > ?", []any{after}
	if text != "" {
		condition += " AND (o.id = ? OR o.name LIKE ? ESCAPE '!' OR " + s.engine.folded + " LIKE ? ESCAPE '!')"
		within := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
		args = append(args, text, within, strings.ToLower(within))
	}
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		var o Organization
		err := o.scan(rows)
		all = append(all, o)
		return err
	}, fmt.Sprintf("SELECT %s FROM codegrant_organizations o WHERE %s ORDER BY o.id LIMIT %d", organizationColumns, condition, page), args...)
	return all, fail("list organizations", err)
}
