package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
)

// settings checks what can be told without asking anybody.
func (e *examination) settings(config codegrant.Config, err error) {
	if err == nil {
		config.Logger = slog.New(slog.DiscardHandler)
		if (config.Groups == codegrant.GroupsOfReplica || config.Groups == codegrant.GroupsOfBoth) && config.UserMaxAge >= 0 {
			config.Groups = codegrant.GroupsOfToken // the program sets the replica that others need
		}
		_, err = codegrant.New(config)
	}
	for _, f := range faultsOf(err) {
		e.wrongSetting(config, f)
	}
	if err == nil {
		e.fine("settings", "complete and consistent")
	}
	if u, parseErr := url.Parse(config.CallbackURL); config.CallbackURL != "" && parseErr == nil {
		if path := strings.TrimSuffix(u.Path, "/"); !strings.HasSuffix(path, "/login") && !strings.HasSuffix(path, "/callback") {
			e.warn("callback", "register a URL that ends in /auth/callback or /auth/login/ and set SITE_LOGIN_URL to it",
				"SITE_LOGIN_URL has the path %q, and Codegrant does not answer that path", u.Path)
		}
	}
	if domain := config.InsecureSharedTokensDomain; domain != "" {
		e.warn("cookies", "when no Django backend needs the tokens, share a session store and CODEGRANT_COOKIE_DOMAIN instead",
			"tokens are shared with every host under %s", domain)
		off := "turn refresh token rotation off at the app client while a backend uses the Python package, then unset SHARED_TOKENS and turn it on again"
		if endpoints, err := config.Pool.Endpoints(); err == nil {
			off += ":\n" + updateClient(endpoints, config, `.RefreshTokenRotation = {Feature: "DISABLED"}`)
		}
		e.warn("rotation", off,
			"the Python package drops the new refresh token when the pool rotates it; each side then loses the sign-in of the other")
	}
	for _, origin := range config.AllowedReturnOrigins {
		if !slices.Contains(config.TrustedOrigins, strings.TrimSuffix(origin, "/")) {
			e.warn("origins", "if pages of this origin send requests, add it to CODEGRANT_TRUSTED_ORIGINS",
				"%s (%s) is a return origin, but not a trusted origin: POST, PUT and DELETE from its pages get 403, and its sign-out links ask for confirmation", origin, setBy(config, origin))
		}
	}
	if hop := strings.TrimSuffix(config.BaseURL, "/"); config.MigrationLinks && hop != "" && err == nil &&
		!slices.ContainsFunc(config.SignOutURLs, func(u string) bool {
			return strings.HasPrefix(u, hop) && strings.HasSuffix(strings.TrimSuffix(u, "/"), "/logout")
		}) {
		e.warn("sign-out", "register "+hop+"/auth/logout/ as a sign-out URL and add it to CODEGRANT_SIGN_OUT_URLS",
			"sign-out links of old front ends end at a registered page, not at the page in their state")
	}
}

// wrongSetting tells of a fault in the words of whoever set the variable.
func (e *examination) wrongSetting(config codegrant.Config, f error) {
	text := f.Error()
	if strings.HasPrefix(text, "AllowedReturnOrigins: ") {
		for _, origin := range config.AllowedReturnOrigins {
			if strings.Contains(text, strconv.Quote(origin)) {
				text = strings.Replace(text, "AllowedReturnOrigins", setBy(config, origin), 1)
				break
			}
		}
	}
	if e.words != nil {
		text = e.words.Replace(text)
	}
	wrong := "the setting"
	if names := variables.FindAllString(text, -1); len(names) > 0 {
		slices.Sort(names)
		wrong = strings.Join(slices.Compact(names), " or ")
	}
	e.fault("settings", "set "+wrong+" to a valid value, then run codegrant doctor again: docs/library.md lists the variables", "%s", text)
}

// variables are names of the environment.
var variables = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b`)

// setBy is the variable that a return origin comes from: those of the Python package's pages
// are allowed without being listed.
func setBy(config codegrant.Config, origin string) string {
	if slices.Contains(strings.FieldsFunc(os.Getenv("CODEGRANT_RETURN_ORIGINS"), func(r rune) bool { return r == ',' || r == ' ' }), origin) {
		return "CODEGRANT_RETURN_ORIGINS"
	}
	for _, page := range []struct{ variable, target string }{{"AUTH_COGNITO_REDIRECT_URL", config.DefaultReturnURL}, {"LOGIN_FORM_VIEW_URL", config.ErrorURL}} {
		if u, err := url.Parse(page.target); err == nil && u.Scheme+"://"+u.Host == origin {
			return page.variable
		}
	}
	return "CODEGRANT_RETURN_ORIGINS"
}

// discovery is what of a pool's metadata is of interest here (OpenID Connect
// Discovery, section 3).
type discovery struct {
	Issuer string `json:"issuer"`
	JWKS   string `json:"jwks_uri"`
	Token  string `json:"token_endpoint"`
}

// pool checks the settings against the pool itself.
func (e *examination) pool(ctx context.Context, config codegrant.Config) {
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return // said with the settings
	}
	if e.missing(ctx, config, endpoints) {
		return
	}
	e.keys(ctx, endpoints)
	e.metadata(ctx, endpoints)
	if e.authorize(ctx, config, endpoints) {
		e.signOut(ctx, config, endpoints)
		e.secret(ctx, config, endpoints)
	}
}

// answer is what came back, read.
type answer struct {
	status   int
	location *url.URL // nil: none
	date     time.Time
	body     []byte
}

const maxAnswer = 1 << 20

func (e *examination) ask(ctx context.Context, method, target string, form url.Values, secret cognito.Secret) (answer, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("User-Agent", "codegrant doctor")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if secret != "" {
			r.SetBasicAuth(form.Get("client_id"), secret.Reveal())
		}
	}
	response, err := e.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return answer{}, err
	}
	a.location, _ = response.Location()
	a.date, _ = http.ParseTime(response.Header.Get("Date"))
	return a, nil
}

// keys checks the JWKS, and the clock by the way.
func (e *examination) keys(ctx context.Context, endpoints cognito.Endpoints) {
	before := e.now()
	a, err := e.ask(ctx, http.MethodGet, endpoints.JWKS, nil, "")
	if err != nil {
		e.fault("keys", "check AUTH_COGNITO_JWKS_URL, and that this machine can reach it (DNS, proxy, firewall)", "%s does not answer: %v", endpoints.JWKS, withoutURL(err))
		return
	}
	var set struct {
		Keys []struct {
			Kty, Alg, Use string
		} `json:"keys"`
	}
	usable := 0
	if json.Unmarshal(a.body, &set) == nil {
		for _, k := range set.Keys {
			if k.Kty == "RSA" && (k.Use == "" || k.Use == "sig") {
				usable++
			}
		}
	}
	if a.status != http.StatusOK || usable == 0 {
		e.fault("keys", "correct the pool id and the region in AUTH_COGNITO_JWKS_URL: copy the URL from the page of the pool (Token signing key URL)"+ifDeleted,
			"%s has no signing keys (status %d)", endpoints.JWKS, a.status)
	} else {
		e.fine("keys", "%d at %s", usable, endpoints.JWKS)
	}
	if a.date.IsZero() {
		return
	}
	// The header has whole seconds, and the answer took a while.
	skew := before.Sub(a.date)
	if skew < 0 {
		skew = min(0, e.now().Sub(a.date)+time.Second)
	} else {
		skew = max(0, skew-time.Second)
	}
	const fix = "set the clock by NTP (systemctl status systemd-timesyncd, chronyc tracking)"
	switch {
	case skew.Abs() > time.Minute:
		e.fault("clock", fix, "the clock of this machine is off by %v: Codegrant will refuse tokens as expired or not yet valid", skew.Round(time.Second))
	case skew.Abs() > 10*time.Second:
		e.warn("clock", fix, "the clock of this machine is off by %v", skew.Round(time.Second))
	default:
		e.fine("clock", "agrees with the clock of the pool")
	}
}

// metadata checks that issuer, keys and domain are of one pool.
func (e *examination) metadata(ctx context.Context, endpoints cognito.Endpoints) {
	a, err := e.ask(ctx, http.MethodGet, endpoints.Issuer+"/.well-known/openid-configuration", nil, "")
	var found discovery
	if err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &found) != nil {
		e.fault("issuer", "check the pool id and the region in AUTH_COGNITO_JWKS_URL", "%s is not the issuer of a user pool: it has no metadata", endpoints.Issuer)
		return
	}
	switch {
	case found.Issuer != endpoints.Issuer:
		e.fault("issuer", fmt.Sprintf("set AUTH_COGNITO_JWKS_URL to %s/.well-known/jwks.json", found.Issuer),
			"tokens of the pool have the issuer %s, and the settings expect %s", found.Issuer, endpoints.Issuer)
	case found.JWKS != endpoints.JWKS:
		e.fault("issuer", "set AUTH_COGNITO_JWKS_URL to "+found.JWKS, "the issuer and the keys do not match: the keys of the issuer are at %s", found.JWKS)
	default:
		e.fine("issuer", "%s", found.Issuer)
	}
	// A pool can have a custom domain beside Cognito's own; metadata names one.
	if found.Token != "" && hostOf(found.Token) != hostOf(endpoints.Token) {
		e.warn("domain", "if this is not the pool's custom domain, set AUTH_COGNITO_CODE_GRANT_URL to "+found.Token,
			"the domain of the pool is %s, and the settings have %s", hostOf(found.Token), hostOf(endpoints.Token))
	}
}

// authorize starts a sign-in that nobody will finish, as a browser would.
func (e *examination) authorize(ctx context.Context, config codegrant.Config, endpoints cognito.Endpoints) bool {
	callback := callbackOf(config)
	scopes := config.Scopes
	if len(scopes) == 0 {
		scopes = []string{"openid", "email", "profile"}
	}
	query := url.Values{
		"response_type": {"code"}, "client_id": {config.Pool.ClientID}, "redirect_uri": {callback}, "scope": {strings.Join(scopes, " ")},
		"state": {"codegrant-doctor"}, "code_challenge_method": {"S256"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
	}
	a, err := e.ask(ctx, http.MethodGet, endpoints.Authorize+"?"+query.Encode(), nil, "")
	if err != nil {
		e.fault("domain", "check AUTH_COGNITO_CODE_GRANT_URL, and that this machine can reach it (DNS, proxy, firewall)",
			"%s does not answer: %v", endpoints.Authorize, withoutURL(err))
		return false
	}
	if a.location == nil {
		e.fault("domain", "check AUTH_COGNITO_CODE_GRANT_URL: it has the form https://<the pool's domain>/oauth2/token",
			"%s answers with status %d: it is not the domain of a user pool", endpoints.Authorize, a.status)
		return false
	}
	code, description := a.location.Query().Get("error"), terminal.Printable(a.location.Query().Get("error_description"))
	back := strings.HasPrefix(a.location.String(), callback)
	switch {
	case code == "" && !back:
		e.fine("client", "known at %s", hostOf(endpoints.Authorize))
		e.fine("callback", "%s is registered", callback)
		e.fine("scopes", "%s are allowed", strings.Join(scopes, ", "))
	case code == "redirect_mismatch":
		e.fault("callback", fmt.Sprintf("add exactly %s (check the trailing slash) to the allowed callback URLs of the app client:\n%s", callback,
			updateClient(endpoints, config, fmt.Sprintf(".CallbackURLs += [%q]", callback))), "%s is not registered", callback)
	case code == "invalid_scope", description == "invalid_scope":
		e.fault("scopes", "set CODEGRANT_SCOPES to the scopes that the app client has, or allow these, too; those of an API need its resource server first:\n"+
			updateClient(endpoints, config, fmt.Sprintf(".AllowedOAuthScopes = (.AllowedOAuthScopes + %s | unique)", jsonOf(scopes))), "the app client does not have all of: %s", strings.Join(scopes, ", "))
	case code == "unauthorized_client":
		e.fault("client", "turn on the authorization code grant for the app client:\n"+
			updateClient(endpoints, config, `.AllowedOAuthFlows += ["code"] | .AllowedOAuthFlowsUserPoolClient = true`), "the app client may not use the authorization code grant")
	case !back:
		e.fault("client", "check AUTH_COGNITO_CLIENT_ID, and that the app client belongs to the pool in AUTH_COGNITO_CODE_GRANT_URL", "%s does not know the app client: %s %s", hostOf(endpoints.Authorize), code, description)
		return false
	default:
		e.fault("client", fmt.Sprintf("see what the app client has:\naws cognito-idp describe-user-pool-client --user-pool-id %s --client-id %s", poolIDOf(endpoints), config.Pool.ClientID), "the pool refuses the sign-in: %s %s", code, description)
	}
	return true
}

// callbackOf is where the pool sends people back to.
func callbackOf(config codegrant.Config) string {
	return orDefault(config.CallbackURL, strings.TrimSuffix(orDefault(config.BaseURL, "http://localhost:8080"), "/")+"/auth/callback")
}

// signOut asks for the redirect at the end of a sign-out.
func (e *examination) signOut(ctx context.Context, config codegrant.Config, endpoints cognito.Endpoints) {
	for _, target := range signOutURLs(config) {
		query := url.Values{"client_id": {config.Pool.ClientID}, "logout_uri": {target}}
		a, err := e.ask(ctx, http.MethodGet, endpoints.Logout+"?"+query.Encode(), nil, "")
		switch {
		case err != nil:
			e.warn("sign-out", "check AUTH_COGNITO_CODE_GRANT_URL, and that this machine can reach it (DNS, proxy, firewall)", "%s does not answer: %v", endpoints.Logout, withoutURL(err))
		case a.location == nil || a.location.String() != target:
			e.fault("sign-out", fmt.Sprintf("add exactly %s (check the trailing slash) to the allowed sign-out URLs of the app client:\n%s", target,
				updateClient(endpoints, config, fmt.Sprintf(".LogoutURLs += [%q]", target))), "%s is not registered: people who sign out see an error page of Cognito", target)
		default:
			e.fine("sign-out", "%s is registered", target)
		}
	}
}

func signOutURLs(config codegrant.Config) []string {
	if len(config.SignOutURLs) > 0 {
		return config.SignOutURLs
	}
	base := config.BaseURL
	if u, err := url.Parse(config.CallbackURL); base == "" && err == nil && u.Host != "" {
		base = u.Scheme + "://" + u.Host
	}
	base = strings.TrimSuffix(orDefault(base, "http://localhost:8080"), "/")
	switch target := config.DefaultReturnURL; {
	case target == "":
		return []string{base + "/"}
	case strings.HasPrefix(target, "/"):
		return []string{base + target}
	default:
		return []string{target}
	}
}

// migrating is the command that makes the tables.
func migrating(django bool) string {
	if django {
		return "codegrant migrate --django --database …"
	}
	return "codegrant migrate --database …"
}

// database checks that the tables are there.
func (e *examination) database(ctx context.Context, raw string, django bool) {
	db, err := parts.LookAtDatabase(raw)
	if err == nil {
		defer db.Close()
		err = db.PingContext(ctx)
	}
	if errors.Is(err, parts.ErrNoTables) {
		e.fault("database", "run "+migrating(django)+", or start codegrant serve; if the file should exist, correct the path", "%v", err)
		return
	}
	if err != nil {
		e.fault("database", "check --database: host, name, user and password, and that the server runs", "cannot connect: %v", err)
		return
	}
	sessions, users, err := db.Stores(settings.Replica{Django: django})
	if err != nil {
		e.fault("database", "check --database: it names PostgreSQL, MySQL, MariaDB or SQLite", "%v", err)
		return
	}
	fix := "run " + migrating(django) + " (in Go, call Migrate of both stores when the application starts)"
	if err := users.Check(ctx); errors.Is(err, sqlreplica.ErrNotMigrated) {
		e.fault("database", fix+"; codegrant serve migrates them when it starts, unless database.migrate is false", "the tables of the replica are missing or too old")
	} else if err != nil {
		e.fault("database", fix, "%v", err)
	} else {
		if e.replicaTables(ctx, db, django) {
			e.fine("database", "the tables of the replica in %s are up to date", db.Dialect)
		}
		e.outbox(ctx, users)
	}
	if _, err := sessions.Get(ctx, strings.Repeat("0", 64)); err != nil && !errors.Is(err, session.ErrNotFound) {
		e.warn("database", fix+"; ignore this if you keep sessions elsewhere", "the table of sessions is missing or too old")
	} else {
		e.fine("database", "the table of sessions exists")
	}
	e.tables(ctx, db, fix)
}

// maxOutboxAge is how long an entry waits where somebody takes them.
const maxOutboxAge = time.Hour

// outbox checks that somebody takes what is put into it. One that is not used is empty,
// and not worth a word.
func (e *examination) outbox(ctx context.Context, users *sqlreplica.Store) {
	size, err := users.OutboxSize(ctx)
	switch age := e.now().Sub(size.Oldest).Round(time.Second); {
	case errors.Is(err, sqlreplica.ErrNotMigrated): // of before there was one
	case err != nil:
		e.warn("outbox", "GRANT SELECT ON codegrant_outbox TO <the user in --database>", "cannot read the outbox: %v", err)
	case size.Entries == 0:
	case age > maxOutboxAge:
		e.warn("outbox", "start your program that reads codegrant_outbox; or turn the outbox off (replica: {outbox: false}; in Go, Outbox of sqlreplica.Config) and run DELETE FROM codegrant_outbox: docs/changes.md",
			"%d changes wait in the outbox, the oldest for %s: no program takes them", size.Entries, age)
	default:
		e.fine("outbox", "%d changes wait in the outbox, the oldest for %s", size.Entries, age)
	}
}

// jsonOf writes a list for jq.
func jsonOf(list []string) string {
	text, _ := json.Marshal(list) // strings have no fault
	return string(text)
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// withoutURL drops what net/http puts before a cause: the URL, already named.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
