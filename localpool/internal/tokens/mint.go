package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// Maker makes and reads the tokens of every pool of a state.
type Maker struct {
	state    *state.State
	triggers *triggers.Triggers
	place    place.Place
}

// New returns a maker for issuers of a place. The triggers are asked about all tokens.
func New(s *state.State, t *triggers.Triggers, at place.Place) *Maker {
	return &Maker{state: s, triggers: t, place: at}
}

// Issuer returns the issuer of a pool.
func (m *Maker) Issuer(poolID string) string { return m.place.Issuer(poolID) }

// Base is the address of the server, without a trailing slash.
func (m *Maker) Base() string { return m.place.Base }

// AdminScope is the scope of the tokens of the JSON API, and what its operations
// on the own account ask for.
const AdminScope = "aws.cognito.signin.user.admin"

// Terms are what the tokens of one answer have in common.
type Terms struct {
	Scopes   []string
	Nonce    string
	Resource string
	AuthTime time.Time
	ACR      string // what the sign-in came to; empty: tokens do not say
	AMR      []string
	Family   string // origin_jti; empty: a new one
	API      bool   // of a sign-in by the JSON API, which has an ID token always

	Actor  map[string]any // who acts in the person's place; nil: nobody
	Device string         // the key of a device that is remembered

	Source   string            // why, in the words of triggers
	Metadata map[string]string // what the app sent for the trigger
}

// Set is what is issued together, but for the refresh token.
type Set struct {
	ID        string // empty without the scope openid
	Access    string
	ExpiresIn int
}

// Mint makes the tokens of a user, as the pool's trigger has them. Its refusals are
// of the type [*state.Error].
func (m *Maker) Mint(ctx context.Context, client state.Client, u state.User, t Terms) (Set, error) {
	groups := triggers.Groups{Names: u.Groups}
	groups.Roles, groups.Preferred = m.state.Roles(client.PoolID, u.Groups)
	about := triggers.About{PoolID: client.PoolID, ClientID: client.ID, User: u, Metadata: t.Metadata}
	o, err := m.triggers.TokenGeneration(ctx, t.Source, about, groups, t.Scopes)
	if err != nil {
		return Set{}, err
	}
	if o.Groups != nil {
		groups = *o.Groups
	}
	now := m.state.Now()
	if t.Family == "" {
		t.Family = NewID()
	}
	common := map[string]any{
		"sub": u.Sub(), "iss": m.Issuer(client.PoolID), "iat": now.Unix(), "auth_time": t.AuthTime.Unix(),
		"event_id": NewID(), "origin_jti": t.Family,
	}
	if t.ACR != "" {
		common["acr"], common["amr"] = t.ACR, t.AMR
	}
	if len(groups.Names) > 0 {
		common["cognito:groups"] = groups.Names
	}
	access := maps.Clone(common)
	access["token_use"], access["client_id"], access["username"] = "access", client.ID, u.Username
	access["scope"], access["jti"] = strings.Join(scopesOf(t.Scopes, o), " "), NewID()
	if !t.API {
		access["version"] = 2
	}
	access["exp"] = now.Add(client.AccessTokenValidity).Unix()
	if t.Resource != "" {
		access["aud"] = t.Resource
	}
	if t.Actor != nil {
		access["act"] = t.Actor
	}
	if t.Device != "" {
		access["device_key"] = t.Device
	}
	// A client whose tokens can be neither revoked nor rotated has no use for ids.
	if !client.Revocation && !client.Rotation {
		delete(common, "origin_jti")
		delete(access, "origin_jti")
		delete(access, "jti")
	}
	override(access, o.Access, client.ID)
	signed, err := m.state.Sign(client.PoolID, access)
	if err != nil {
		return Set{}, err
	}
	set := Set{Access: signed, ExpiresIn: int(client.AccessTokenValidity / time.Second)}
	if !t.API && !slices.Contains(t.Scopes, "openid") {
		return set, nil
	}
	set.ID, err = m.state.Sign(client.PoolID, m.idClaims(client, u, t, groups, o.ID, common, signed))
	return set, err
}

func (m *Maker) idClaims(client state.Client, u state.User, t Terms, groups triggers.Groups, o triggers.Claims, common map[string]any, access string) map[string]any {
	id := maps.Clone(common)
	id["token_use"], id["aud"], id["cognito:username"] = "id", client.ID, u.Username
	if id["origin_jti"] != nil {
		id["jti"] = NewID()
	}
	id["exp"] = m.state.Now().Add(client.IDTokenValidity).Unix()
	if !t.API {
		sum := sha256.Sum256([]byte(access))
		id["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	if t.Nonce != "" {
		id["nonce"] = t.Nonce
	}
	if len(groups.Roles) > 0 {
		id["cognito:roles"] = groups.Roles
		if groups.Preferred != "" {
			id["cognito:preferred_role"] = groups.Preferred
		}
	}
	scopes := t.Scopes
	if t.API {
		scopes = nil // which shows all
	}
	for name, value := range Readable(client.Seen(u), scopes) {
		switch name {
		case "email_verified", "phone_number_verified":
			id[name] = strings.EqualFold(value, "true") // a boolean here, a string in userInfo
		case "address":
			id[name] = Address(value)
		case "identities":
		default:
			id[name] = value
		}
	}
	if list := u.Identities(); len(list) > 0 {
		id["identities"] = identities(list)
	}
	override(id, o, "")
	return id
}

// identities are texts here, and of other types in the attribute.
func identities(list []state.Identity) (out []map[string]any) {
	for _, i := range list {
		out = append(out, map[string]any{
			"userId": i.UserID, "providerName": i.Provider, "providerType": i.Type, "issuer": i.Issuer,
			"primary": strconv.FormatBool(i.Primary), "dateCreated": strconv.FormatInt(i.Created, 10),
		})
	}
	return out
}

// Address is the claim of the attribute, which is one text at the pool (OpenID Connect
// Core, section 5.1.1).
func Address(value string) map[string]string { return map[string]string{"formatted": value} }

// profile is what the scope of that name shows.
var profile = strings.Fields("name family_name given_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale updated_at")

// Readable selects a user's attributes by scope: openid alone shows all of them.
func Readable(u state.User, scopes []string) map[string]string {
	out := make(map[string]string)
	all := !slices.ContainsFunc(scopes, func(s string) bool { return s == "email" || s == "phone" || s == "profile" })
	for name, value := range u.Attributes {
		show := all || strings.HasPrefix(name, "custom:")
		switch {
		case name == "identities":
			show = true
		case name == "sub":
			show = false // not an attribute among others
		case name == "email" || name == "email_verified":
			show = all || slices.Contains(scopes, "email")
		case name == "phone_number" || name == "phone_number_verified":
			show = all || slices.Contains(scopes, "phone")
		case slices.Contains(profile, name):
			show = all || slices.Contains(scopes, "profile")
		}
		if show {
			out[name] = value
		}
	}
	return out
}

// NewID returns an identifier in the form of a UUID, version 4 (RFC 9562).
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
