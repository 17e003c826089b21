package codegrant

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/asker"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/prove"
)

// Method says how an identity was proven.
type Method string

// The methods of the built-in authenticators.
const (
	MethodSession Method = "session" // a session cookie of ours
	MethodBearer  Method = "bearer"  // a token in the Authorization header
)

// Identity is who is making a request.
//
// It is shared by concurrent requests of one session: read it, do not write it.
type Identity struct {
	// Issuer and Subject together name the person for ever. Every other field
	// can change, and a username can be given to somebody else.
	Issuer  string
	Subject string

	// UserID is the row of the person in the replica; 0 where there is none.
	UserID int64

	Username      string
	Email         string // as the pool states it; see EmailVerified
	EmailVerified bool
	Name          string
	Groups        []string // of the token, without the groups Cognito makes for identity providers
	Scopes        []string // of the access token
	ClientID      string   // the app client that the tokens were issued to

	// Organization is what the person acts for; nil: nothing. See Config.Organization.
	Organization *Organization

	// Machine says that this is not a person: a service with a token of its own, and ClientID
	// is its app client. A handler sees one where the permission [Machine] does. It has no
	// name and no groups, and Subject is its ClientID.
	Machine bool

	// Actor is who acts for the person, by a token that says so; nil: the person. A
	// handler sees one where [AllowActors] or Config.BearerActors does.
	Actor *Actor

	Method   Method
	AuthTime time.Time // when the person last proved who they are; see [SignedInWithin]
	ACR      string    // how well, as the pool calls it; empty where it does not say; see [MinimumLevel]
	AMR      []string  // by what, such as pwd, otp, mfa
	Expires  time.Time // when the proof (the access token) expires; a session outlives it by refreshing

	sessionID string
	ends      time.Time  // of the session; zero: there is none
	standards *standards // what levels and ages are measured by; nil: the usual
	proof     proof      // what the identity was proven with; nil where that was not a token
}

// proof opens the tokens that an identity was proven with.
type proof interface{ Tokens() (prove.Set, error) }

// token is a bearer token, or that of a load balancer.
type token prove.Set

func (t *token) Tokens() (prove.Set, error) { return prove.Set(*t), nil }

// tokens returns nothing where they cannot be opened.
func (id *Identity) tokens() prove.Set {
	if id == nil || id.proof == nil {
		return prove.Set{}
	}
	set, err := id.proof.Tokens()
	if err != nil {
		return prove.Set{} // opened a moment ago under the same key: damaged in memory at most
	}
	return set
}

// identityOf is the one way from what tokens say to an identity.
func (s *site) identityOf(who *prove.Person, sessionID string, proof proof) Identity {
	return Identity{
		Issuer: who.Issuer, Subject: who.Subject, UserID: who.UserID,
		Username: who.Username, Email: who.Email, EmailVerified: who.EmailVerified, Name: who.Name,
		Groups: who.Groups, Scopes: who.Scopes, ClientID: who.ClientID, Machine: who.Machine, Actor: who.Actor,
		Method: Method(who.Method), AuthTime: who.AuthTime, ACR: who.ACR, AMR: who.AMR, Expires: who.Expires,
		sessionID: sessionID, standards: s.standards, proof: proof,
	}
}

// with returns the identity with another row and other groups.
func (id *Identity) with(userID int64, groups []string) *Identity {
	if userID == id.UserID && slices.Equal(groups, id.Groups) {
		return id
	}
	other := *id
	other.UserID, other.Groups = userID, groups
	return &other
}

// InGroup reports whether the identity is in the named group, compared byte for
// byte. The empty name matches nobody, and no machine is in a group.
func (id *Identity) InGroup(name string) bool {
	return id != nil && !id.Machine && name != "" && slices.Contains(id.Groups, name)
}

// HasScope reports whether the access token carries the scope.
func (id *Identity) HasScope(scope string) bool {
	return id != nil && scope != "" && slices.Contains(id.Scopes, scope)
}

// Claim returns one claim of the verified ID token (or, where the request came
// with an access token alone, of that), as the JSON that Cognito signed.
//
// Do not decide roles by a "custom:" attribute unless the app client cannot
// write it: by default users can change theirs.
func (id *Identity) Claim(name string) (json.RawMessage, bool) {
	set := id.tokens()
	token := cmp.Or(set.ID, set.Access).Reveal()
	// The token was verified before it was kept, names are known to be unique.
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	raw, ok := claims[name]
	return raw, ok
}

// AccessToken returns the access token of the request, to call another service
// on behalf of the person. It is empty for identities proven without one.
func (id *Identity) AccessToken() cognito.Secret {
	return id.tokens().Access
}

// SessionID returns a name for the session that is safe to log and to show: it
// cannot be used to take the session over. It is empty where there is none.
func (id *Identity) SessionID() string {
	if id == nil {
		return ""
	}
	return id.sessionID
}

// SessionEnds is when the session ends unless it is used before, and zero where there is
// none: what was made of it, such as a token for another service, is to end by then.
func (id *Identity) SessionEnds() time.Time {
	if id == nil {
		return time.Time{}
	}
	return id.ends
}

// request is the context of a request that has passed Require or Identify.
type request struct {
	context.Context // of the request before

	gate     *gate
	w        http.ResponseWriter
	identity *Identity // nil: nobody is signed in
	acted    *Identity // in its place where somebody acts for the person who may not everywhere, or where it is a machine
	own      Identity  // where identity is of a session
	failure  error     // why a request that tried to prove an identity has none
	given    *Identity // by a test, in place of what the request says

	// sessionEnd is when the browser's session ends; zero for identities that
	// were proven without cookies.
	sessionEnd time.Time
}

// Value finds what is known of the request, and what the context had before.
func (req *request) Value(key any) any {
	switch key.(type) {
	case asker.Key:
		return req
	case pages.Key:
		return req.gate.look
	}
	return req.Context.Value(key)
}

// as is the request once it is known that who acts for the person may.
func (req *request) as(id *Identity) *request {
	own := *req
	own.identity, own.acted = id, nil
	return &own
}

func fromContext(ctx context.Context) *request {
	req, _ := ctx.Value(asker.Key{}).(*request)
	return req
}

// From returns the identity that [Auth.Require] or [Auth.Identify] found. It
// reports false for a request that passed neither, or that nobody is signed in on.
// In a unit test of a handler, codegranttest.WithIdentity says who it is.
func From(ctx context.Context) (*Identity, bool) {
	var id *Identity
	switch asking := ctx.Value(asker.Key{}).(type) {
	case *request:
		id = asking.identity
	case asker.Given:
		id = given(asking)
	}
	return id, id != nil
}

// givenBy is who a test says that is asking; nil where it is for the request to say.
func givenBy(ctx context.Context) *Identity {
	switch asking := ctx.Value(asker.Key{}).(type) {
	case *request:
		return asking.given
	case asker.Given:
		return given(asking)
	}
	return nil
}

func given(by asker.Given) *Identity {
	id, _ := by.Identity.(*Identity)
	if id == nil || by.ID == "" && by.Access == "" {
		return id
	}
	own := *id
	own.proof = &token{ID: cognito.Secret(by.ID), Access: cognito.Secret(by.Access)}
	return &own
}
