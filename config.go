package codegrant

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/notbefore"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// Config is what [New] needs to know. Pool is required. BaseURL is required unless the
// service runs on localhost. Everything else has a safe default. In order,
// the fields say
//
//   - which pool, and where this service is: Pool to Scopes
//   - where a browser may be sent: DefaultReturnURL to MigrationLinks
//   - how a sign-in is kept between requests: Sessions to RefreshLeeway, what people see: Own and Pages, and the cookie: CookieName to SameSiteStrict
//   - who may sign in, and what is known of them: Admit to Groups
//   - which other proofs count: BearerClientIDs to AcceptTokens
//   - what pages of other sites may do, and which files CloudFront keeps: TrustedOrigins to CloudFront
//   - what this process has for all of it: HTTPClient to Now
type Config struct {
	// Pool is the user pool and the app client to sign in with. Required.
	Pool cognito.Pool

	// OldPool is the pool that people move from, with the app client of before: its sessions live on until they end, and are
	// renewed there, and its bearer tokens count. Nobody signs in there. See docs/move.md. Defaults to none.
	OldPool *cognito.Pool

	// BaseURL is the origin that browsers see, such as https://app.example.com, without a path.
	// Redirects are built from it and never from a request's Host. Plain http is accepted for localhost
	// alone, as at Cognito itself. Defaults to the origin of CallbackURL, else to http://localhost:8080.
	BaseURL string

	// CallbackURL is the callback URL as registered at the app client, on BaseURL. Defaults to BaseURL + the mounted prefix + "/callback".
	CallbackURL string

	// Scopes to ask for. Defaults to openid, email and profile.
	Scopes []string

	// ProviderFor chooses where a person signs in whose link to the sign-in has a login_hint and names no provider: an
	// identity_provider or an idp_identifier of the pool; empty: its own page. See package rule. Defaults to none.
	ProviderFor func(loginHint string) (identityProvider, idpIdentifier string)

	// DefaultReturnURL is where a sign-in ends that did not begin at a page: a path, or a URL of an allowed origin. Defaults to "/".
	DefaultReturnURL string

	// AllowedReturnOrigins are other origins that a sign-in may return to, such as https://www.example.com. Defaults to none but BaseURL.
	AllowedReturnOrigins []string

	// EncodedReturnPaths has people come back from a sign-in, too, to paths that servers read in several ways: with
	// encoded slashes (%2F) and percent signs, or with empty segments (//). One that could be read as another host, or
	// that has dot segments, is refused in any case. Defaults to false: such a sign-in ends at DefaultReturnURL.
	EncodedReturnPaths bool

	// SignOutURLs are the sign-out URLs registered at the app client; Cognito
	// sends the browser to one of them when its own session is over, the first
	// by default. Defaults to DefaultReturnURL.
	SignOutURLs []string

	// ErrorURL is the application's page for sign-in errors; it reads them with
	// [Flash] or from the flash endpoint. Defaults to a small page of ours.
	ErrorURL string

	// MigrationLinks accepts the links of front ends that were made for the Python
	// package cognito_code_grant. Login and logout then take state where redirect_uri
	// is missing, as a URL of an allowed origin. A callback of a sign-in that a front
	// end began by itself is never completed: a new sign-in begins in its place, which
	// costs one more redirect and asks a person whom the pool knows nothing. A sign-out
	// goes back to state through the pool where SignOutURLs has this service's own
	// BaseURL + prefix + "/logout/"; otherwise it ends at the sign-out URL that is
	// state, or has its origin. Defaults to false.
	MigrationLinks bool

	// Sessions keeps the sessions. Defaults to the memory of this process.
	Sessions session.Store

	// CookieSessions keeps sessions in the browser, sealed with Keys and split over
	// as many cookies as they need, for services that have no store. Only the
	// browser can then end a session. In other processes, a copy of the cookies
	// stays valid after a sign-out until the access token expires. Each process
	// refreshes by itself, so the rotation of refresh tokens
	// needs a grace period. Set Keys, or a restart signs everybody out. Defaults to false.
	CookieSessions bool

	// InsecureSharedTokensDomain keeps a sign-in in the cookies access_token,
	// id_token and refresh_token of this domain, where backends that run the
	// Python package cognito_code_grant with SHARED_TOKENS read and write them.
	// Sessions is then not used, and with it goes what it gives: the tokens are
	// readable by every host under the domain, nobody can end a sign-in but the
	// browser that holds it, and there is no idle timeout. Siblings that can all
	// use one session store should share that instead: see InsecureCookieDomain. Defaults to none.
	InsecureSharedTokensDomain string

	// Keys seal what the browser carries during a sign-in. Processes that share a session store must share
	// them. Defaults to a random key, and is required when Sessions says that several processes use it.
	Keys *session.Keyring

	// Cupboard keeps small records beyond a restart, for all processes that share it:
	// revocations that the pool did not make, because it was down or slow, sealed
	// under Keys, and the marks of people who were signed out everywhere, disabled or
	// deleted (see [Auth.NotBefore]). Stores of packages sqlstore and redisstore have one.
	// Defaults to that of Sessions, or of its ends on record, where it has one. Without any,
	// marks hold in this process alone, and a revocation is tried for a minute and ends with
	// the process, as it does without Keys.
	Cupboard cupboard.Store

	// Marks say whose earlier tokens no longer count. Several Auths of a process,
	// and what ends sessions beside them, may share them. Closing them is then the
	// caller's. Defaults to marks on Cupboard, which [Auth.Close] closes.
	Marks *notbefore.Marks

	// IdleTimeout ends a session that was not used for this long. Defaults to 12 hours; at least one minute.
	IdleTimeout time.Duration

	// AbsoluteTimeout ends a session this long after sign-in, used or not. Defaults to 7 days; at least
	// IdleTimeout. The refresh token's lifetime at the app client (30 days unless changed) is a limit of its own.
	AbsoluteTimeout time.Duration

	// RefreshLeeway is how long before the access token's end a new one is fetched. Defaults to
	// one minute, and to a fifth of the token's lifetime where that is shorter.
	RefreshLeeway time.Duration

	// Own is what people see of their sessions, and how many they may have.
	Own OwnSessions

	// Pages is how the pages look that people see. Defaults to a plain look.
	Pages Pages

	// CookieName names the session cookie. Defaults to "__Host-codegrant", for http and
	// under InsecureCookieDomain to "codegrant". On this machine "-" and the port of BaseURL
	// follow, as cookies of one port reach every other.
	CookieName string

	// InsecureCookieDomain shares the session cookie with every host under a domain. Each of those hosts can
	// then read it and plant one; the hosts must share Sessions. It needs a CookieName without the __Host-
	// prefix. Defaults to the one host of BaseURL.
	InsecureCookieDomain string

	// SameSiteStrict keeps the session cookie from every request that another site causes, also from
	// following a link to a page of ours. A sign-in then ends on a page that leads on, instead of a redirect.
	SameSiteStrict bool

	// Admit is asked at every sign-in, once the pool's tokens are verified and before anything is kept. An
	// error refuses the sign-in, and has its tokens revoked unless an app handed them over: of
	// [TooManySignIns] for a while, one that wraps [ErrUnavailable] because it could not be found out, any
	// other for good. Its text is for the log; the person never sees it. Where tokens are shared in cookies
	// it is also asked about those that come from a sibling or a refresh, with [MethodSharedTokens]; else
	// not at refreshes, and never about bearer tokens and other proofs that need no sign-in. Defaults to
	// whomever the pool lets in.
	Admit func(ctx context.Context, id *Identity) error

	// Replica keeps the application's copy of users and groups. Defaults to none.
	Replica replica.Store

	// SamePerson says at a first sign-in which identity of the replica the person was before, such as one of the pool that
	// they moved from. They become that person, with the same UserID, so it must know. An error refuses the sign-in.
	SamePerson func(ctx context.Context, claims *verify.Claims) (issuer, subject string, err error)

	// UserMaxAge is how old what this process knows of a person's row in the replica may be. An account that was turned off or
	// deleted there, and groups that were given there (see Groups), are seen within it; after a deletion UserID is not handed out any
	// more. Each person who is active costs one look-up per UserMaxAge and process, and while the replica does not answer then, requests
	// are answered with 503. Defaults to 30 seconds where Groups is not GroupsOfToken or others write to the replica's tables, as Django
	// does, and otherwise to never; a negative value is never.
	UserMaxAge time.Duration

	// Groups says whose groups an identity is in, and with it InGroup and the headers of the gateway. Defaults to [GroupsOfToken].
	Groups GroupSource

	// Organization says which organization a person acts for; nil, nil is none. It is asked with every request of a person; an error
	// is answered with 503. KeepOrganization is called when a person signs in again in a browser that has a session of theirs: was
	// is the old SessionID. An error is logged. Package organization has both. They default to none.
	Organization     func(ctx context.Context, id *Identity) (*Organization, error)
	KeepOrganization func(ctx context.Context, id *Identity, was string) error

	// BearerClientIDs are further app clients of the pool whose bearer tokens are accepted. Defaults to none but Pool.ClientID.
	BearerClientIDs []string

	// BearerIDTokens accepts an ID token as a bearer token too, for clients that send it where an access token belongs. Defaults to false.
	BearerIDTokens bool

	// BearerResources are the audiences (RFC 8707 resource indicators, URLs) that an access token may be bound to. Defaults to none.
	BearerResources []string

	// BearerActors are those who may act for people everywhere, by a bearer token that says
	// so (act, RFC 8693): as in [AllowActors], which allows them in one place. Defaults to none.
	BearerActors []string

	// LoadBalancer accepts what an AWS load balancer says about people whom it
	// has signed in itself. Signers is required; issuer, client, clock and HTTP
	// client default to those of this configuration. See [verify.ALB] for what
	// remains to be done around it. Defaults to none.
	LoadBalancer *verify.ALBConfig

	// Authenticators are asked after the session cookie, the bearer token and
	// the load balancer, in order. Defaults to none.
	Authenticators []Authenticator

	// AcceptTokens opens POST /session, which takes a token set that a client already holds (a single-page or
	// mobile application that signs in by itself, with the same app client), verifies it, and opens a session
	// for it. Pages of TrustedOrigins may call it from elsewhere. Defaults to false.
	AcceptTokens bool

	// Levels are the values of the claim acr, the lowest first, as the pool has them. See
	// [MinimumLevel]. Defaults to urn:cognito:loa:1 up to urn:cognito:loa:4.
	Levels []string

	// TrustedOrigins are other origins whose pages may send unsafe requests
	// (POST, PUT …), and open WebSockets, with a session cookie or any other
	// proof but a bearer token. A link of theirs to the sign-out signs out without
	// asking, as long as they let browsers send Referer. Defaults to none.
	TrustedOrigins []string

	// InsecureNoCrossOriginProtection turns off the refusal of unsafe requests
	// that other sites make a signed-in browser send. If you set it, protect
	// every handler against CSRF in another way.
	InsecureNoCrossOriginProtection bool

	// CloudFront gives signed-in browsers signed cookies for private files, with
	// the responses of [Auth.Require] and [Auth.Identify] and of a sign-in, and
	// takes them away at sign-out. SignedIn, OnError and Now are filled in, and
	// so is where the cookies go: to InsecureCookieDomain or else the registrable
	// domain of BaseURL, unless one of the three fields for it is set. Defaults to
	// none.
	CloudFront *cloudfront.Config

	// HTTPClient speaks to Cognito. Defaults to one with timeouts of its own.
	HTTPClient *http.Client

	// Logger receives events of sign-ins and faults, never a secret. Defaults
	// to [slog.Default].
	Logger *slog.Logger

	// OnWork is called when work of more than one call begins beside requests:
	// [WorkRefresh] or [WorkRevocation]. Use it for traces. ctx has the values of
	// the request that caused the work. OnWork returns the context for the work,
	// made from ctx, and a function that is called with the outcome.
	// Defaults to none.
	OnWork func(ctx context.Context, work string) (context.Context, func(error))

	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}
