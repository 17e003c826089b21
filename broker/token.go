package broker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/session"
)

// typ is that of access tokens (RFC 9068).
const typ = "at+jwt"

// maxGroups bounds what a token says of groups, in bytes: of who has more, it says none.
// Our own resources learn of all.
const maxGroups = 4 << 10

// claims of an access token.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	ClientID string   `json:"client_id"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti"`
	Scope    string   `json:"scope,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	AuthTime int64    `json:"auth_time"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Grant    string   `json:"grant_id"`
}

// token redeems a code, or a refresh token.
func (b *Broker) token(w http.ResponseWriter, r *http.Request) {
	values, f := b.fromClient(r)
	if f != nil {
		b.tell(r.Context(), TokenAsked, f.code)
		b.refuse(w, r, f)
		return
	}
	var g grant
	var scopes []string
	var err error
	kind := TokenAsked
	switch values.Get("grant_type") {
	case "authorization_code":
		kind = CodeRedeemed
		g, err = b.redeem(r.Context(), values)
		scopes = g.Scopes
	case "refresh_token":
		kind = TokenRefreshed
		g, scopes, err = b.refresh(r.Context(), values)
	default:
		err = faulty("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
	}
	if err != nil {
		b.tell(r.Context(), kind, outcomeOf(err))
		b.refuse(w, r, err)
		return
	}
	now := b.Now()
	lifetime := min(b.TokenLifetime, g.Ends.Sub(now))
	access, err := b.issue(g, scopes, now, lifetime)
	if err != nil {
		b.tell(r.Context(), kind, tokenFailed)
		b.unavailable(w, r, err)
		return
	}
	b.tell(r.Context(), kind, issued)
	said := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(lifetime / time.Second),
		"refresh_token": b.secret(refreshPrefix, g), "scope": strings.Join(scopes, " "),
	}
	w.Header().Set("Pragma", "no-cache")
	answer(w, http.StatusOK, said)
}

// fromClient reads the form of a client, which has no secret.
func (b *Broker) fromClient(r *http.Request) (url.Values, *fault) {
	values, f := form(r)
	switch {
	case f != nil:
		return nil, f
	case len(r.Header["Authorization"]) > 0 || values.Get("client_secret") != "" || values.Has("client_assertion"):
		return nil, faulty("invalid_client", "clients have no secret here: send only client_id")
	}
	return values, nil
}

// redeem takes a code, once. Whoever has it and lacks something else has ended it.
func (b *Broker) redeem(ctx context.Context, values url.Values) (grant, error) {
	id, turn, ok := b.parse(codePrefix, values.Get("code"))
	if !ok {
		return grant{}, errGrant
	}
	g, err := b.load(ctx, id)
	if err != nil {
		return g, err
	}
	sum := sha256.Sum256([]byte(values.Get("code_verifier")))
	verifier := base64.RawURLEncoding.EncodeToString(sum[:])
	why, class := "", endMisused
	switch {
	case turn != 0 || g.Turn != 0:
		why, class = "its code was used twice", endUsedTwice
	case values.Get("client_id") != g.Client:
		why = "another client has its code"
	case values.Get("redirect_uri") != g.Redirect:
		why = "its code came with another redirect URI"
	case len(values.Get("code_verifier")) < 43 || len(values.Get("code_verifier")) > 128 || subtle.ConstantTimeCompare([]byte(verifier), []byte(g.Challenge)) != 1:
		why = "its code came with another verifier"
	case values.Has("resource") && !isSame(values.Get("resource"), g.Resource):
		why = "its code came for another resource"
	}
	if why != "" {
		return g, b.misused(ctx, g, class, why)
	}
	if err := b.goesOn(ctx, &g, true); err != nil {
		return g, err
	}
	return b.turn(ctx, g)
}

// refresh takes a refresh token, once.
func (b *Broker) refresh(ctx context.Context, values url.Values) (g grant, scopes []string, err error) {
	id, turn, ok := b.parse(refreshPrefix, values.Get("refresh_token"))
	if !ok {
		return g, nil, errGrant
	}
	if g, err = b.load(ctx, id); err != nil {
		return g, nil, err
	}
	switch {
	case turn == 0 || turn != g.Turn:
		return g, nil, b.misused(ctx, g, endUsedTwice, "its refresh token was used twice")
	case values.Get("client_id") != g.Client:
		return g, nil, b.misused(ctx, g, endMisused, "another client has its refresh token")
	case values.Has("resource") && !isSame(values.Get("resource"), g.Resource):
		return g, nil, faulty("invalid_target", "the refresh token is for another resource")
	}
	scopes = g.Scopes
	if asked := strings.Fields(values.Get("scope")); len(asked) > 0 {
		if slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(g.Scopes, s) }) {
			return g, nil, faulty("invalid_scope", "the person has not agreed to all of these scopes")
		}
		scopes = asked
	}
	if err := b.goesOn(ctx, &g, true); err != nil {
		return g, nil, err
	}
	if c, err := b.clientOf(ctx, g.Client, nil); err == nil {
		if err := b.keep(ctx, c); err != nil {
			return g, nil, err
		}
	}
	g, err = b.turn(ctx, g)
	return g, scopes, err
}

// over is why a grant has ended, for the log. What its client is told is a fault: errGrant,
// where it is not the client itself that is at fault.
type over struct {
	why  string
	told *fault // nil: errGrant
}

func (o *over) Error() string { return o.why }

func (o *over) Unwrap() error {
	if o.told == nil {
		return errGrant
	}
	return o.told
}

// goesOn asks whether person, client and resource are still as they were, and ends the
// grant where one is not: the error is an *over then. Whether a client's document is there
// is asked where the client itself has come. The person's row and groups become those of
// now, where the replica has them.
func (b *Broker) goesOn(ctx context.Context, g *grant, clientIsHere bool) error {
	err := b.isAsAgreed(ctx, g, clientIsHere)
	if o := (*over)(nil); errors.As(err, &o) {
		_ = b.end(ctx, *g, endOver, o.why) // it is refused, and the log knows
	}
	return err
}

func (b *Broker) isAsAgreed(ctx context.Context, g *grant, clientIsHere bool) error {
	if err := b.clientGoesOn(ctx, g, clientIsHere); err != nil {
		return err
	}
	if _, ok := b.resources[g.Resource]; !ok {
		return &over{why: "this resource does not exist any more"}
	}
	now, err := b.Auth.StillSignedIn(ctx, g.Person.identity(), g.Person.Session)
	switch {
	case errors.Is(err, codegrant.ErrUnavailable):
		return err
	case err != nil:
		return &over{why: err.Error()}
	case !b.Now().Before(g.Ends):
		return &over{why: "it is over"}
	}
	g.Person.UserID, g.Person.Groups = now.UserID, now.Groups
	return nil
}

// clientGoesOn asks whether a grant's client is still the one that the person has agreed to.
func (b *Broker) clientGoesOn(ctx context.Context, g *grant, clientIsHere bool) error {
	if isDocument(g.Client) {
		if b.NoDocuments {
			return &over{"documents of clients no longer count", errClient}
		}
		switch at, err := b.documentGone(ctx, g.Client); {
		case err != nil:
			return err
		case !at.IsZero() && !g.Began.After(at):
			return &over{why: "the document of its client was gone"}
		case !clientIsHere:
			return nil
		}
	}
	c, err := b.clientOf(ctx, g.Client, nil)
	var f *fault
	switch {
	case errors.Is(err, errNotRead):
		return errAway // nobody knows what became of the client
	case errors.As(err, &f):
		if isDocument(g.Client) {
			if err := b.markGone(ctx, g.Client); err != nil {
				return err
			}
		}
		return &over{"its client is gone", f}
	case err != nil:
		return err
	}
	if _, f := b.redirectOf(c, g.Redirect); f != nil {
		return &over{why: "the address that the person was sent to is not the client's any more"}
	}
	if c.document && !g.Began.IsZero() && c.Name != g.Name {
		return &over{why: "its client calls itself something else than the person has read"}
	}
	return nil
}

func (b *Broker) issue(g grant, scopes []string, now time.Time, lifetime time.Duration) (string, error) {
	signer, err := b.signer()
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	groups := g.Person.Groups
	if text, err := json.Marshal(groups); err != nil || len(text) > maxGroups {
		groups = nil
	}
	return signer.Token(typ, claims{
		Issuer: b.Issuer, Subject: g.Person.Subject, Audience: g.Resource, ClientID: g.Client, IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix(),
		ID: session.NewHandle().RecordID()[:22], Scope: strings.Join(scopes, " "), Groups: groups,
		AuthTime: g.Person.AuthTime.Unix(), ACR: g.Person.ACR, AMR: g.Person.AMR, Grant: g.ID,
	})
}

// revoke ends what a token is of (RFC 7009). What is not a token of ours is over already.
func (b *Broker) revoke(w http.ResponseWriter, r *http.Request) {
	values, f := b.fromClient(r)
	if f == nil && values.Get("token") == "" {
		f = faulty("invalid_request", "token is missing")
	}
	if f != nil {
		b.refuse(w, r, f)
		return
	}
	id, _, ok := b.parse(refreshPrefix, values.Get("token"))
	if !ok {
		if c, err := b.open(values.Get("token")); err == nil {
			id, ok = c.Grant, true
		}
	}
	if ok {
		g, err := b.load(r.Context(), id)
		switch {
		case errors.Is(err, errGrant):
		case err != nil:
			b.refuse(w, r, err)
			return
		case values.Get("client_id") != g.Client:
			b.refuse(w, r, faulty("invalid_client", "the token is another client's"))
			return
		default:
			if err := b.end(r.Context(), g, endRevoked, "its client has revoked it"); err != nil {
				b.refuse(w, r, err)
				return
			}
		}
	}
	w.WriteHeader(http.StatusOK)
}
