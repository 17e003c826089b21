package broker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// grant is what somebody has let a client do, and all that came of it: the code, the
// refresh tokens one after another, and the access tokens, which count as long as it is
// there.
type grant struct {
	ID        string    `json:"-"`
	Client    string    `json:"client"`
	Redirect  string    `json:"redirect"`
	Challenge string    `json:"challenge"`
	Resource  string    `json:"resource"`
	Scopes    []string  `json:"scopes"`
	Turn      int64     `json:"turn"` // 0: the code is out; then the refresh token of that number is
	Ends      time.Time `json:"ends"`
	Person    person    `json:"person"`
	Name      string    `json:"name,omitempty"` // of the client, as the person has read it
	Began     time.Time `json:"began,omitzero"` // zero: before this was kept

	version int64
}

// person is who has agreed, as the session said.
type person struct {
	Issuer        string    `json:"iss"`
	Subject       string    `json:"sub"`
	UserID        int64     `json:"id,omitempty"`
	Username      string    `json:"username,omitempty"`
	Email         string    `json:"email,omitempty"`
	EmailVerified bool      `json:"email_verified,omitempty"`
	Name          string    `json:"name,omitempty"`
	Groups        []string  `json:"groups,omitempty"`
	ACR           string    `json:"acr,omitempty"`
	AMR           []string  `json:"amr,omitempty"`
	AuthTime      time.Time `json:"auth_time"`
	Session       string    `json:"sid"`
}

func personOf(id *codegrant.Identity, now time.Time) person {
	p := person{
		Issuer: id.Issuer, Subject: id.Subject, UserID: id.UserID, Username: id.Username, Email: id.Email, EmailVerified: id.EmailVerified,
		Name: id.Name, Groups: id.Groups, ACR: id.ACR, AMR: id.AMR, AuthTime: id.AuthTime, Session: id.SessionID(),
	}
	if p.AuthTime.IsZero() {
		p.AuthTime = now
	}
	return p
}

func (p *person) identity() *codegrant.Identity {
	return &codegrant.Identity{
		Issuer: p.Issuer, Subject: p.Subject, UserID: p.UserID, Username: p.Username, Email: p.Email, EmailVerified: p.EmailVerified,
		Name: p.Name, Groups: p.Groups, ACR: p.ACR, AMR: p.AMR, AuthTime: p.AuthTime,
	}
}

// grants is the shelf that they are on. The largest person that a pool allows fits.
var grants = cupboard.Kind{Name: "broker-grant", MaxRecords: 1_000_000, MaxOfPerson: 256, MaxBytes: 192 << 10}

const grantSeal = "broker grant"

func grantKey(id string) string { return cupboard.Key("grant", id) }

func (b *Broker) seal(g grant) ([]byte, error) {
	text, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("keep the grant: %w", err)
	}
	return []byte(b.Keys.Seal(grantSeal, text, []byte(grantKey(g.ID)))), nil
}

// begin keeps a new grant for as long as its code may be redeemed.
func (b *Broker) begin(ctx context.Context, g grant) (grant, error) {
	var raw [16]byte
	rand.Read(raw[:])
	g.ID = base64.RawURLEncoding.EncodeToString(raw[:])
	value, err := b.seal(g)
	if err != nil {
		return g, err
	}
	return g, b.Cupboard.Put(ctx, grants, cupboard.Record{Key: grantKey(g.ID), Person: g.Person.Subject, Value: value, Until: b.Now().Add(codeTime)})
}

var errGrant = faulty("invalid_grant", "it is expired, revoked, used before, or for another client: ask the person again")

// load finds a grant. Where it is gone, or cannot be read, the fault is errGrant.
func (b *Broker) load(ctx context.Context, id string) (grant, error) {
	record, err := b.Cupboard.Get(ctx, grants, grantKey(id))
	if errors.Is(err, cupboard.ErrNotFound) {
		return grant{}, errGrant
	}
	if err != nil {
		return grant{}, err
	}
	g := grant{ID: id, version: record.Version}
	if !b.unseal(record, &g) {
		return grant{}, errGrant
	}
	return g, nil
}

// unseal reads what a record says, apart from its id.
func (b *Broker) unseal(record cupboard.Record, g *grant) bool {
	return unsealGrant(b.Keys, record, g)
}

func unsealGrant(keys *session.Keyring, record cupboard.Record, g *grant) bool {
	text, err := keys.Open(grantSeal, string(record.Value), []byte(record.Key))
	return err == nil && json.Unmarshal(text, g) == nil
}

// turn has the next refresh token take the place of the code, or of the one before. Of all
// who try, one succeeds; the fault of the others is errGrant.
func (b *Broker) turn(ctx context.Context, g grant) (grant, error) {
	g.Turn++
	value, err := b.seal(g)
	if err != nil {
		return g, err
	}
	_, err = b.Cupboard.Swap(ctx, grants, cupboard.Record{Key: grantKey(g.ID), Person: g.Person.Subject, Version: g.version, Value: value, Until: g.Ends})
	switch {
	case errors.Is(err, cupboard.ErrConflict):
		return g, b.misused(ctx, g, endUsedTwice, "its code or refresh token was used twice")
	case errors.Is(err, cupboard.ErrNotFound):
		return g, errGrant
	}
	return g, err
}

// misused ends a grant, and is the answer. Where it cannot be ended, that is not a refusal:
// whoever has the right to it comes again, and ends it then.
func (b *Broker) misused(ctx context.Context, g grant, class, why string) error {
	if err := b.end(ctx, g, class, why); err != nil {
		return err
	}
	return errGrant
}

// end takes a grant back, and with it all tokens that came of it.
func (b *Broker) end(ctx context.Context, g grant, class, why string) error {
	ctx = context.WithoutCancel(ctx)
	_, err := b.Cupboard.Take(ctx, grants, grantKey(g.ID))
	b.checks.forget(g.ID)
	attrs := []slog.Attr{slog.String("sub", g.Person.Subject), slog.String("client", shown(g.Client)), slog.String("resource", g.Resource), slog.String("reason", why)}
	if err != nil && !errors.Is(err, cupboard.ErrNotFound) {
		b.Logger.LogAttrs(ctx, slog.LevelError, "grant not ended", append(attrs, slog.String("fault", err.Error()))...)
		return fmt.Errorf("end the grant: %w", err)
	}
	if err == nil {
		b.tell(ctx, GrantEnded, class) // of all who end it, one counts
		tellEnds(ctx, b.Cupboard, oneGrant, grantKey(g.ID), b.Now(), b.Logger)
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "grant ended", attrs...)
	return nil
}

// EndPerson takes back everything that a person has let clients do, and says how much that
// was.
func (b *Broker) EndPerson(ctx context.Context, subject string) (int, error) {
	n, err := b.Cupboard.EndAll(ctx, grants, subject)
	if err == nil {
		tellEnds(ctx, b.Cupboard, manyGrants, personKey(subject), b.Now(), b.Logger)
	}
	return n, err
}

// shown is an id of a client for logs: those of registered ones are long.
func shown(id string) string { return id[:min(len(id), 64)] }

// Codes and refresh tokens name a grant and its turn, and prove that we have given them
// out. They begin so that scanners for secrets can find them.
const (
	codePrefix    = "cgc_"
	refreshPrefix = "cgr_"
)

func mac(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (b *Broker) secret(prefix string, g grant) string {
	text := prefix + g.ID + "." + strconv.FormatInt(g.Turn, 10)
	return text + "." + mac(b.macs[0], text)
}

// parse reads a code or a refresh token of ours.
func (b *Broker) parse(prefix, secret string) (id string, turn int64, ok bool) {
	i := strings.LastIndexByte(secret, '.')
	if i < 0 || len(secret) > 256 || !strings.HasPrefix(secret, prefix) {
		return "", 0, false
	}
	for _, key := range b.macs {
		ok = ok || hmac.Equal([]byte(secret[i+1:]), []byte(mac(key, secret[:i])))
	}
	id, number, _ := strings.Cut(strings.TrimPrefix(secret[:i], prefix), ".")
	turn, err := strconv.ParseInt(number, 10, 64)
	return id, turn, ok && err == nil
}
