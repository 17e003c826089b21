package settings

import "time"

// file is the configuration as it is written. Its help tags are what editors show,
// and the schema is made of it.
type file struct {
	Listen         string                 `yaml:"listen" help:"Address to serve on, such as :8080 or 127.0.0.1:8080, or a Unix socket for a proxy on this machine, as unix:/run/codegrant/http.sock. A socket from systemd has priority. Defaults to 127.0.0.1:8080."`
	OpsListen      string                 `yaml:"ops_listen" help:"Address of /healthz, /readyz, /state and /metrics, or a Unix socket as unix:/path. Keep it off the public network. Defaults to none."`
	SyncOpsListen  string                 `yaml:"sync_ops_listen" help:"Address of /healthz, /readyz and /metrics of codegrant sync, with --every and --follow. The gateway ignores it. Defaults to none."`
	ExtAuthzListen string                 `yaml:"ext_authz_listen" help:"Address on which Envoy asks over gRPC (ext_authz) whether a request may pass. Defaults to none."`
	SPOEListen     string                 `yaml:"spoe_listen" help:"Address on which HAProxy asks over SPOE whether a request may pass, such as 127.0.0.1:9192 or unix:/run/codegrant/spoe.sock. Defaults to none."`
	SocketMode     string                 `yaml:"socket_mode" enum:"0600,0660,0666" help:"Mode of the Unix sockets on which the gateway listens: 0600 for the user of this process, 0660 also for its group, 0666 for everybody on this machine. Defaults to 0660."`
	BaseURL        string                 `yaml:"base_url" help:"Origin that browsers see, such as https://app.example.com. It applies to pools without their own base_url."`
	TLS            *tls                   `yaml:"tls" help:"Certificate for https. Without it, a proxy in front must provide https."`
	HSTS           *hsts                  `yaml:"hsts" help:"Tells browsers to use only https for this time (Strict-Transport-Security): a time such as 8760h, or settings. Defaults to none."`
	TrustedProxies []string               `yaml:"trusted_proxies" help:"Addresses or networks of proxies. The gateway accepts X-Forwarded-* and X-Original-* headers only from them. Defaults to none."`
	Log            log                    `yaml:"log" help:"Settings of the log."`
	Tracing        tracing                `yaml:"tracing" help:"OpenTelemetry traces, or the URL of their collector. Defaults to OTEL_EXPORTER_OTLP_ENDPOINT, or else to none."`
	Limits         limits                 `yaml:"limits" help:"Limits that protect the gateway from overload."`
	Keys           []string               `yaml:"keys" help:"Keys that encrypt cookies: 32 random bytes each, in base64, the newest first. Required if several processes share sessions. Create one with: openssl rand -base64 32."`
	KeysFile       string                 `yaml:"keys_file" help:"File of keys, one per line, the newest first. Use it instead of keys."`
	KeysDir        string                 `yaml:"keys_dir" help:"Folder of files of keys. The last file by name is the newest. Use it instead of keys."`
	Sessions       string                 `yaml:"sessions" enum:"memory,database,redis,cookies" help:"Store of sessions. In memory, they end with the process. In cookies, only the browser can end one. Defaults to memory."`
	Database       database               `yaml:"database" help:"Database of sessions, of ended sessions if Redis has the sessions, and of the replica: its URL, or settings."`
	Redis          redis                  `yaml:"redis" help:"Redis or Valkey server of sessions, or its URL."`
	Organizations  *organizations         `yaml:"organizations" help:"Organizations that people act for, in the database of the replica: true, or their settings; see docs/organizations.md. Defaults to false."`
	Replica        replica                `yaml:"replica" help:"Whether the database gets a copy of the people who sign in, and their groups. Defaults to false."`
	Events         events                 `yaml:"events" help:"Source of changes in the pools for codegrant sync --follow. The gateway ignores it."`
	Webhooks       map[string]webhookTo   `yaml:"webhooks" help:"Endpoints that get changes of people and organizations, by a name that you choose, from codegrant sync and codegrant webhooks send; see docs/webhooks.md. Needs replica.outbox, and no other program may then read the outbox. Defaults to none."`
	SendWebhooks   bool                   `yaml:"send_webhooks" help:"Lets codegrant serve send the messages of webhooks, too. Defaults to false: codegrant sync and codegrant webhooks send do."`
	Pools          []pool                 `yaml:"pools" help:"User pools and app clients for the sign-in. The first pool answers for hosts that no other pool names."`
	Headers        headers                `yaml:"headers" help:"Names of the identity headers for upstreams."`
	Assertions     assertions             `yaml:"assertions" help:"Signed tokens with the identity, for upstreams of routes with assertion: true."`
	GroupHierarchy map[string][]string    `yaml:"group_hierarchy" help:"Groups that a group includes. With admins: [editors], members of admins count as editors on routes. Defaults to none."`
	Roles          map[string]role        `yaml:"roles" help:"Names for groups and scopes that routes ask for together. Defaults to none."`
	Cedar          policies               `yaml:"cedar" help:"Cedar policies, for routes with cedar: true."`
	Broker         *brokering             `yaml:"broker" help:"Authorization server in front of a pool, for clients of MCP servers: true, or its settings; see docs/mcp.md. Routes with mcp send their clients there. Defaults to false."`
	Console        *console               `yaml:"console" help:"Web pages for operators of the service; see docs/console.md. Defaults to none."`
	Pages          *design                `yaml:"pages" help:"Look of the pages that people see; see docs/pages.md. Defaults to a plain look."`
	UpstreamOAuth  map[string]otherServer `yaml:"upstream_oauth" help:"Authorization servers of other services, such as GitHub, by a name that you choose. Routes with upstream_oauth send people's tokens of these services. Defaults to none."`
	ExchangeIssuer exchangeIssuer         `yaml:"exchange_issuer" help:"Issuer of the tokens of routes with exchange and by: gateway; see docs/delegation.md."`
	Routes         []route                `yaml:"routes" help:"Upstreams and permissions by path. The most specific route decides. Without routes, the gateway only answers forward-auth questions."`
	Tests          []test                 `yaml:"tests" help:"Tests of the rules. If one fails, the configuration has a fault."`
}

type tls struct {
	Certificate string `yaml:"certificate_file" help:"Certificate and its chain, PEM."`
	Key         string `yaml:"key_file" help:"Private key, PEM."`
}

type hsts struct {
	MaxAge            time.Duration `yaml:"max_age" short:"true" help:"How long browsers use only https. 0s turns it off again. Required."`
	IncludeSubDomains bool          `yaml:"include_subdomains" help:"Applies it to all subdomains, too. Defaults to false."`
	Preload           bool          `yaml:"preload" help:"Allows browsers to put the site on their built-in list. Removal from that list takes months. Defaults to false."`
}

type design struct {
	Name       string `yaml:"name" help:"Name of the service, in the title of windows and instead of a logo. Defaults to none."`
	Logo       string `yaml:"logo" help:"File of a picture above each page: SVG, PNG, JPEG, WebP or GIF, of at most 32 KiB. Needs name, which screen readers read. Defaults to none."`
	LogoDark   string `yaml:"logo_dark" help:"File of another logo, for dark mode. Defaults to logo."`
	Colors     colors `yaml:"colors" help:"Colors, as \"#0b5d53\". Too little contrast with the text is an error."`
	DarkColors colors `yaml:"dark_colors" help:"The same for dark mode."`
	Templates  string `yaml:"templates" help:"Folder of templates that replace built-in pages. A template has the name of its page, such as denied.html. Codegrant tries each one before it uses it. Defaults to none."`
}

type colors struct {
	Background string `yaml:"background" help:"Of the window."`
	Card       string `yaml:"card" help:"Of the page in it."`
	Line       string `yaml:"line" help:"Color of lines around and between parts."`
	Text       string `yaml:"text" help:"Of text."`
	Muted      string `yaml:"muted" help:"Color of less important text."`
	Accent     string `yaml:"accent" help:"Color of buttons and links. In dark_colors, it defaults to a lighter shade of the accent in colors."`
	OnAccent   string `yaml:"on_accent" help:"Color of the text of buttons. Defaults to white or black, whichever has more contrast."`
	Hover      string `yaml:"hover" help:"Color of buttons under the pointer. Defaults to a shade of accent."`
	Notice     string `yaml:"notice" help:"Color of success messages. Defaults to accent."`
	OnNotice   string `yaml:"on_notice" help:"Background of success messages. Defaults to a tint of notice."`
	Warning    string `yaml:"warning" help:"Color of failure messages."`
	OnWarning  string `yaml:"on_warning" help:"Background of failure messages. Defaults to a tint of warning."`
}

type log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" help:"Lowest level that the gateway logs. Defaults to info."`
	Format string `yaml:"format" enum:"text,json" help:"Defaults to text."`
	Access bool   `yaml:"access" help:"Whether every request is logged. Defaults to true."`
}

type tracing struct {
	Enabled     bool     `yaml:"enabled" help:"false turns tracing off, even if a variable turns it on. Defaults to true."`
	Endpoint    string   `yaml:"endpoint" short:"true" help:"URL of the collector, which uses OTLP over HTTP, such as http://127.0.0.1:4318. The gateway adds /v1/traces. Defaults to OTEL_EXPORTER_OTLP_ENDPOINT."`
	Headers     []string `yaml:"headers" help:"Headers for the collector, as name=value. Better: headers_file, or ${NAME}. Defaults to OTEL_EXPORTER_OTLP_HEADERS."`
	HeadersFile string   `yaml:"headers_file" help:"File with the headers, one per line."`
	SampleRatio ratio    `yaml:"sample_ratio" help:"Share of traces to record, from 0 to 1, if no trusted proxy has decided. Defaults to OTEL_TRACES_SAMPLER, or else to 1."`
	ServiceName string   `yaml:"service_name" help:"Name of the service in traces. Defaults to OTEL_SERVICE_NAME, or else to codegrant."`
}

type limits struct {
	Requests     int  `yaml:"requests" help:"Maximum number of requests in progress. More get 503. Strangers may use three quarters of them. 0: no limit. Defaults to 4096."`
	Tunnels      int  `yaml:"tunnels" help:"Maximum number of open WebSockets and similar streams. More get 503. 0: no limit. Defaults to 4096."`
	SignInRate   int  `yaml:"sign_in_rate" help:"Requests per minute of one address to login and callback, on average. An IPv6 network of 64 bits counts as one address. 0: no limit. Defaults to 120."`
	SignInBurst  int  `yaml:"sign_in_burst" help:"Requests of one address to login and callback at once. Defaults to 60."`
	AccountRate  int  `yaml:"account_sign_in_rate" help:"Sign-ins per minute of one person, on average; more get 429. 0: no limit. Defaults to 30."`
	AccountBurst int  `yaml:"account_sign_in_burst" help:"Sign-ins of one person at once, such as of many tabs. Defaults to 30."`
	HeaderBytes  size `yaml:"header_bytes" help:"Maximum size of the headers of a request. Defaults to 64KiB."`
	MaxSessions  int  `yaml:"max_sessions" help:"Maximum number of sessions in memory. Defaults to 1000000."`
}

type database struct {
	URL            string `yaml:"url" short:"true" help:"sqlite:FILE, postgres://user:password@host/name or mysql://user:password@host/name."`
	URLFile        string `yaml:"url_file" help:"File to read the URL from."`
	Migrate        bool   `yaml:"migrate" help:"Whether the gateway upgrades the tables at the start. With false, run codegrant migrate first. Defaults to true."`
	MaxConnections int    `yaml:"max_connections" help:"Maximum number of open connections. Defaults to 20."`
}

type redis struct {
	URL     string `yaml:"url" short:"true" help:"redis://user:password@host:6379/0, or rediss:// for TLS; valkey is the same."`
	URLFile string `yaml:"url_file" help:"File to read the URL from."`
}

type replica struct {
	Enabled              bool   `yaml:"enabled" short:"true" help:"Defaults to true where replica has other keys."`
	Django               bool   `yaml:"django" help:"The database belongs to a Django project, and people go into its table auth_user. Defaults to false."`
	TrustUnverifiedEmail string `yaml:"trust_unverified_email" help:"With Django, what happens to a new person with an unverified address: never (the sign-in is refused), apart (the person gets a new account), or until_first_link (the person gets the account with that address: anybody who can write an address into their own profile can take it over). Defaults to never."`
	Outbox               bool   `yaml:"outbox" help:"Whether the replica records each change in the outbox, for your programs. One of them must remove the entries. Defaults to false."`

	History        time.Duration `yaml:"history" help:"How long the replica stores earlier attributes and groups of people, for codegrant users show --as-of and codegrant restore, such as 720h. Defaults to 0s: no history."`
	HistoryEntries int           `yaml:"history_entries" help:"Maximum number of stored changes. The oldest go first, and the history is then shorter. Defaults to any number."`
	PassMaxAge     time.Duration `yaml:"pass_max_age" help:"Maximum age of the last pass of codegrant sync. Above it, the log, the console, the metrics and codegrant doctor report that it is overdue: a person who was disabled since then may still be signed in. Set it to three intervals or more. Defaults to 3h."`
}

type events struct {
	Queue      string `yaml:"queue" help:"URL of the Amazon SQS queue that gets the events from EventBridge. Defaults to none."`
	Listen     string `yaml:"listen" help:"Address to listen on for events, at /events. Defaults to none."`
	Secret     string `yaml:"secret" help:"Secret that senders of events send, or sign events with: at least 32 characters. You can set several, separated by spaces, while you replace one. Better: secret_file, or ${NAME}."`
	SecretFile string `yaml:"secret_file" help:"File with the secrets, one per line."`
}

type webhookTo struct {
	URL            string   `yaml:"url" help:"URL for the messages, such as https://crm.example.com/hooks. http:// works only for this machine. Required."`
	Secret         string   `yaml:"secret" help:"Secret that signs the messages: whsec_ and 24 to 64 bytes in base64, as codegrant webhooks secret prints it. You can set several, separated by spaces, while you replace one. Better: secret_file, or ${NAME}."`
	SecretFile     string   `yaml:"secret_file" help:"File with the secrets, one per line."`
	Events         []string `yaml:"events" help:"Changes that it gets: created, adopted, updated, enabled, disabled, deleted, restored, groups, signed_in, merged, unlinked, erased, or people for all of these; and organizations, sessions, refusals, moves. Defaults to people."`
	PrivateNetwork bool     `yaml:"private_network" help:"Allows an address in a private network. Defaults to false."`
}

type emailProvider struct {
	Name       string `yaml:"name" short:"true" help:"Name of the identity provider at the pool (identity_provider)."`
	Identifier string `yaml:"identifier" help:"Identifier of the provider, instead of its name (idp_identifier)."`
}

type organizations struct {
	Enabled         bool          `yaml:"enabled" short:"true" help:"Defaults to true where organizations has other keys."`
	Roles           []string      `yaml:"roles" help:"Roles of members. The first one invites and removes others. Defaults to admin and member."`
	InvitationValid time.Duration `yaml:"invitation_valid" help:"How long an invitation can be accepted, from 1h to 2160h. Defaults to 168h."`
	CreateUsers     poolNames     `yaml:"create_users" help:"Pools that make a user for an invited person without an account, when they open the invitation there and ask for one. Needs AWS credentials. With one pool, true means that pool. Defaults to false: in no pool. People then sign up on the pages of the pool."`
	SMTP            *mailServer   `yaml:"smtp" help:"Mail server that sends invitations, or its URL. Defaults to none: then people cannot invite others on the pages."`
}

type mailServer struct {
	URL     string `yaml:"url" short:"true" help:"smtp://user:password@mail.example.com:587, which starts TLS, or smtps:// for TLS from the start. Connections without TLS are possible only to this machine."`
	URLFile string `yaml:"url_file" help:"File to read the URL from."`
	From    string `yaml:"from" help:"Sender address of invitations, such as Example <no-reply@example.com>. Required."`
}

type pool struct {
	Name    string   `yaml:"name" help:"Name of the pool in logs, metrics and routes. Required if there are several. Defaults to default."`
	Hosts   []string `yaml:"hosts" help:"Hosts of this pool, without a port. Defaults to the hosts that no other pool names."`
	Prefix  string   `yaml:"prefix" help:"Path of its endpoints: login, callback, logout, check. Defaults to /auth."`
	BaseURL string   `yaml:"base_url" help:"Origin that browsers see. Defaults to the base_url above."`

	Region       string `yaml:"region" help:"Region of the pool. Defaults to the first part of id. The Region of a replica needs issuer."`
	SecondRegion string `yaml:"secondary_region" help:"Region of the pool's replica. codegrant sync reads it while the first one does not answer. Defaults to none."`
	ID           string `yaml:"id" help:"Pool ID, such as eu-west-1_Ab12Cd34E. Set id and domain, or instead code_grant_url and jwks_url."`
	Domain       string `yaml:"domain" help:"Host of the login pages, such as acme.auth.eu-west-1.amazoncognito.com."`
	Issuer       string `yaml:"issuer" help:"Issuer of tokens. Defaults to the issuer that belongs to id or jwks_url."`
	JWKSURL      string `yaml:"jwks_url" help:"URL of the pool's keys. Defaults to the URL that belongs to the issuer."`
	CodeGrantURL string `yaml:"code_grant_url" help:"URL of the token endpoint, https://<domain>/oauth2/token, instead of domain."`

	ClientID         string `yaml:"client_id" help:"App client. Required."`
	ClientSecret     string `yaml:"client_secret" help:"Its secret, if it has one. Better: client_secret_file, or ${NAME}."`
	ClientSecretFile string `yaml:"client_secret_file" help:"File to read the secret from. It is read again for each call of the pool. A second line is the second secret."`
	SecondSecret     string `yaml:"second_client_secret" help:"Second secret, while you replace the first. Defaults to none."`
	ClientSecretARN  string `yaml:"client_secret_arn" help:"ARN of the secret in AWS Secrets Manager, which is where Cognito keeps it for app clients made in the AWS console."`

	Scopes               []string `yaml:"scopes" help:"Scopes to ask for. Defaults to openid, email, profile."`
	CallbackURL          string   `yaml:"callback_url" help:"Callback URL as registered at the app client. Defaults to base_url + prefix + /callback."`
	SignOutURLs          []string `yaml:"sign_out_urls" help:"Sign-out URLs as registered at the app client, the usual one first. Defaults to default_return_url."`
	DefaultReturnURL     string   `yaml:"default_return_url" help:"Page after a sign-in that did not begin at a page. Defaults to /."`
	ErrorURL             string   `yaml:"error_url" help:"Your own page that shows sign-in errors. Defaults to a page of Codegrant."`
	AllowedReturnOrigins []string `yaml:"allowed_return_origins" help:"Other origins that a sign-in may return to. Defaults to none."`
	TrustedOrigins       []string `yaml:"trusted_origins" help:"Other origins whose pages may send unsafe requests and open WebSockets with a session. Defaults to none."`
	MigrationLinks       bool     `yaml:"migration_links" help:"Accepts links of front ends for the Python package cognito_code_grant, which have the return URL in state. Defaults to false."`
	AcceptTokens         bool     `yaml:"accept_tokens" help:"Enables POST /session, which accepts tokens that an app already has. Defaults to false."`

	Levels []string `yaml:"levels" help:"Values of acr in the pool's AcrConfiguration, the lowest first. Defaults to urn:cognito:loa:1 up to urn:cognito:loa:4."`

	AllowEmails       []string `yaml:"allow_emails" help:"E-mail addresses whose owners may sign in, if the pool has verified them. Defaults to all."`
	AllowEmailDomains []string `yaml:"allow_email_domains" help:"Domains of such addresses, as example.com, or *.example.com for all below it. Defaults to all."`

	TrustedProviders []string `yaml:"trusted_providers" help:"Identity providers that are trusted to verify e-mail addresses, such as Google; COGNITO is the pool itself. At the first sign-in with one of them, a person becomes the one of this pool who has the same verified address by another of them, and whom a pass of codegrant sync has seen; see docs/identities.md. Defaults to none: nobody is merged at a sign-in."`

	EmailProviders map[string]emailProvider `yaml:"email_providers" help:"Identity providers by the domain of an e-mail address, such as acme.example: AcmeSAML. A link to the sign-in with login_hint leads there. Defaults to none."`

	BearerClientIDs []string `yaml:"bearer_client_ids" help:"Further app clients whose bearer tokens are accepted. Defaults to none."`
	BearerIDTokens  bool     `yaml:"bearer_id_tokens" help:"Accepts ID tokens as bearer tokens too. Defaults to false."`
	BearerResources []string `yaml:"bearer_resources" help:"Audiences (RFC 8707) that access tokens may be bound to. Defaults to none."`
	LoadBalancers   []string `yaml:"load_balancers" help:"ARNs of trusted AWS load balancers that sign people in. Defaults to none."`

	Groups     string        `yaml:"groups" help:"Source of the groups: token, replica (its own and the pool's), or both (the token's, and those granted in the replica). Defaults to token."`
	UserMaxAge time.Duration `yaml:"user_max_age" help:"Maximum age of the data from a person's row in the replica before the gateway reads it again. Defaults to 30s if Django's tables are the replica, or groups is not token; otherwise to no limit."`

	IdleTimeout     time.Duration `yaml:"idle_timeout" help:"Ends a session that was not used for this long. Defaults to 12h."`
	AbsoluteTimeout time.Duration `yaml:"absolute_timeout" help:"Ends a session this long after sign-in. Defaults to 168h."`
	RefreshLeeway   time.Duration `yaml:"refresh_leeway" help:"How long before an access token expires the gateway refreshes it. Defaults to 1m."`

	SessionsPerPerson     int  `yaml:"sessions_per_person" help:"Maximum number of sessions of a person. One more ends the oldest. 0: any number. Defaults to 0."`
	SignOutAtPool         bool `yaml:"sign_out_at_pool" help:"A sign-out everywhere uses AdminUserGlobalSignOut, with AWS credentials that allow it. Defaults to false: it uses the person's own access token if scopes has aws.cognito.signin.user.admin; otherwise the page says that the pool was not notified."`
	RefuseFurtherSessions bool `yaml:"refuse_further_sessions" help:"Refuses the new sign-in instead. Defaults to false."`

	CookieName         string      `yaml:"cookie_name" help:"Name of the session cookie. Defaults to __Host-codegrant, with the name of the pool if several share a host."`
	CookieDomain       string      `yaml:"cookie_domain" help:"Shares the session cookie with every host of a domain. Each of these hosts can then read and set it. Defaults to none."`
	SameSiteStrict     bool        `yaml:"same_site_strict" help:"Does not send the session cookie with requests that other sites cause, such as links. Defaults to false."`
	SharedTokensDomain string      `yaml:"shared_tokens_domain" help:"Stores tokens in cookies of this domain instead of sessions, as backends with the Python package cognito_code_grant do. Defaults to none."`
	CloudFront         *cloudFront `yaml:"cloudfront" help:"Signed cookies for private files, given at sign-in. Defaults to none."`

	MovedFrom *movedFrom `yaml:"moved_from" help:"Old pool from which people move with their passwords. They keep their identity in the replica; see docs/move.md. Defaults to none."`

	Account *accountPages `yaml:"account" help:"Pages below prefix + /account on which people change their account at the pool: true, or their settings; see docs/account.md. Defaults to false."`
}

type movedFrom struct {
	ID        string   `yaml:"id" help:"Id of the old pool, such as eu-west-1_Ab12Cd34E. Required."`
	Region    string   `yaml:"region" help:"Region of the old pool. Defaults to the first part of id."`
	Issuer    string   `yaml:"issuer" help:"Issuer of its tokens, which identifies its people in the replica. Defaults to the issuer that belongs to id and region."`
	ClientID  string   `yaml:"client_id" help:"App client of the old pool. The trigger of the new pool checks passwords with it. codegrant move plan checks it. Defaults to none."`
	Key       string   `yaml:"key" help:"Key that protects the old identity of a person: 32 random bytes in base64. The trigger has the same key. Better: key_file, or ${NAME}."`
	KeyFile   string   `yaml:"key_file" help:"File to read it from."`
	Providers []string `yaml:"providers" help:"Identity providers that have the same name and the same accounts in both pools. Their people are looked up at the old pool if the replica does not know them. Defaults to none."`
	Sessions  *oldApp  `yaml:"sessions" help:"The app client of the old pool that people signed in with before: their sessions live on until they end, and are renewed there, and its bearer tokens count. Defaults to none: everybody signs in again."`
	Profile   string   `yaml:"profile" help:"Profile of AWS's tools for the old pool, such as one with the role_arn of another account. Defaults to the usual credentials."`
}

type oldApp struct {
	Domain           string `yaml:"domain" help:"Domain of the old pool, such as acme.auth.eu-west-1.amazoncognito.com. Required."`
	ClientID         string `yaml:"client_id" help:"Id of the app client. Required."`
	ClientSecret     string `yaml:"client_secret" help:"Its secret, if it has one. Better: client_secret_file, or ${NAME}."`
	ClientSecretFile string `yaml:"client_secret_file" help:"File to read the secret from. It is read again for each call of the pool. A second line is the second secret."`
}

type accountPages struct {
	Enabled        bool               `yaml:"enabled" short:"true" help:"Defaults to true where account has other keys."`
	Attributes     []accountAttribute `yaml:"attributes" help:"Attributes that people see and change in their profile, in this order. The app client must be able to read and write them. Defaults to email, name, given_name, family_name, nickname, birthdate, website, locale and zoneinfo."`
	Hide           []string           `yaml:"hide" enum:"password,authenticator,passkeys,delete" help:"Pages to leave out. Defaults to none."`
	SignInWithin   time.Duration      `yaml:"sign_in_within" help:"Maximum age of the sign-in for all changes except the profile, from 1m to 24h. Defaults to 10m."`
	PasskeyReturn  string             `yaml:"passkey_return" help:"URL to which people return from managed login after they added a passkey: a callback URL of the app client, such as https://app.example.com/auth/account/passkeys. Defaults to the callback, and from there to default_return_url."`
	LinkIdentities bool               `yaml:"link_identities" help:"Adds a page on which people link another way to sign in with their account, and unlink it. Needs replica: true. Your application moves its rows; see docs/identities.md. Defaults to false."`
	Name           string             `yaml:"name" help:"Name of this service in authenticator apps. Defaults to the host of base_url."`
}

type accountAttribute struct {
	Name     string `yaml:"name" short:"true" help:"Attribute of the pool, such as given_name or custom:team. Required."`
	Label    string `yaml:"label" help:"Label that people read. Defaults to a word in their language for standard attributes, and to the name for others."`
	ReadOnly bool   `yaml:"read_only" help:"Shows the attribute, but people cannot change it. Defaults to false."`
}

type cloudFront struct {
	KeyPairID      string   `yaml:"key_pair_id" help:"Id of the public key at CloudFront. Required."`
	PrivateKey     string   `yaml:"private_key" help:"The private key, PEM."`
	PrivateKeyFile string   `yaml:"private_key_file" help:"File to read it from."`
	Resources      []string `yaml:"resources" help:"URLs of the files, such as https://assets.example.com/private/*. Required."`
	Domain         string   `yaml:"domain" help:"Domain of the cookies. Defaults to that of the site."`
}

type headers struct {
	Subject   string `yaml:"subject" help:"Subject of the person, which never changes. Defaults to X-Auth-Subject."`
	Username  string `yaml:"username" help:"Defaults to X-Auth-Username."`
	Email     string `yaml:"email" help:"E-mail address, if it is verified. Defaults to X-Auth-Email."`
	Name      string `yaml:"name" help:"Defaults to X-Auth-Name."`
	Groups    string `yaml:"groups" help:"Separated by commas. Defaults to X-Auth-Groups."`
	Scopes    string `yaml:"scopes" help:"Separated by commas. Defaults to X-Auth-Scopes."`
	UserID    string `yaml:"user_id" help:"Row in the replica. Defaults to X-Auth-User-Id."`
	Issuer    string `yaml:"issuer" help:"Issuer of the pool. Defaults to X-Auth-Issuer."`
	Actor     string `yaml:"actor" help:"The actor for the person. Defaults to X-Auth-Actor."`
	Machine   string `yaml:"machine" help:"App client of a service with a machine token, which has no subject. Defaults to X-Auth-Machine."`
	ACR       string `yaml:"acr" help:"Level of the sign-in, as the pool calls it. Defaults to X-Auth-Acr."`
	AMR       string `yaml:"amr" help:"Methods of the sign-in, separated by commas. Defaults to X-Auth-Amr."`
	AuthTime  string `yaml:"auth_time" help:"Time of the sign-in, in seconds since 1970. Defaults to X-Auth-Time."`
	Assertion string `yaml:"assertion" help:"Signed token with the identity. Defaults to X-Auth-Assertion."`

	Organization     string `yaml:"organization" help:"ID of the organization that the person acts for. Defaults to X-Auth-Organization."`
	OrganizationRole string `yaml:"organization_role" help:"Role of the person in that organization. Defaults to X-Auth-Organization-Role."`
}

type assertions struct {
	Issuer    string        `yaml:"issuer" help:"Claim iss. Defaults to base_url."`
	Algorithm string        `yaml:"algorithm" enum:"EdDSA,ES256,RS256" help:"Signature algorithm. The gateway also publishes keys of the other algorithms, except RS256. Use ES256 for Java's libraries. Defaults to EdDSA."`
	Lifetime  time.Duration `yaml:"lifetime" help:"At most 1h. Defaults to 5m."`
}

type route struct {
	Name    string   `yaml:"name" help:"Name in logs and metrics, and the audience of assertions. Defaults to host and path."`
	Host    string   `yaml:"host" help:"Host, without a port. Defaults to every host."`
	Path    string   `yaml:"path" help:"The path itself and everything below it. Defaults to /."`
	Exact   bool     `yaml:"exact" help:"Only the path itself, and nothing below it. Defaults to false."`
	Methods []string `yaml:"methods" help:"Methods that the route accepts; GET includes HEAD. Defaults to all."`
	Tenant  string   `yaml:"tenant" help:"Name of the pool of these people. Defaults to the pool of the host."`

	Public            bool          `yaml:"public" help:"Lets everybody through. Defaults to false."`
	Groups            []string      `yaml:"groups" help:"Groups. The person must be in all of them."`
	AnyGroups         []string      `yaml:"any_groups" help:"Groups. The person must be in one of them."`
	Scopes            []string      `yaml:"scopes" help:"Scopes. The access token must have all of them."`
	Roles             []string      `yaml:"roles" help:"Roles. The person must have all of them: see roles above."`
	AnyRoles          []string      `yaml:"any_roles" help:"Roles. The person must have one of them."`
	AllowEmails       []string      `yaml:"allow_emails" help:"E-mail addresses whose owners may pass, if the pool has verified them. Defaults to all."`
	AllowEmailDomains []string      `yaml:"allow_email_domains" help:"Domains of such addresses, as example.com, or *.example.com for all below it. Defaults to all."`
	Networks          []string      `yaml:"networks" help:"Networks or addresses that requests must come from, such as 10.0.0.0/8. Defaults to all."`
	Actors            []string      `yaml:"actors" help:"Actors that may act for people with a token that names them (act, RFC 8693): sub or client_id of each, or any. Defaults to none: such tokens are refused."`
	Machines          bool          `yaml:"machines" help:"Lets services in with a machine token (client_credentials) that has the scopes. All other permissions of the route apply only to people. Defaults to false."`
	ACR               string        `yaml:"acr" help:"Minimum level of the sign-in. Without it, the person has to sign in again. Defaults to any."`
	MaxAge            time.Duration `yaml:"max_age" help:"Maximum age of the sign-in, such as 15m. If it is older, the person has to sign in again. Defaults to any time."`
	Cedar             bool          `yaml:"cedar" help:"Asks the Cedar policies. The action is the method in lower case and the path of the route, such as get /orders. The resource is the application. Defaults to false."`
	CedarAction       string        `yaml:"cedar_action" help:"Another action for the policies, such as read."`
	CedarResource     string        `yaml:"cedar_resource" help:"Another resource for the policies, such as Folder::\"reports\". Needs cedar_action."`
	Organization      bool          `yaml:"organization" help:"The person must act for an organization. Defaults to false."`
	OrganizationRoles []string      `yaml:"organization_roles" help:"Roles in that organization of which a person must have one."`
	ReadOnlyForOthers bool          `yaml:"read_only_for_others" help:"Lets all other people who are signed in read (GET, HEAD, OPTIONS). Defaults to false."`

	MCP *mcpServer `yaml:"mcp" help:"The upstream is an MCP server: true, or its settings. Only tokens open it, never a session; see docs/mcp.md. Defaults to false."`

	Upstream    *upstream `yaml:"upstream" help:"Servers that the requests go to, or their URLs."`
	Files       string    `yaml:"files" help:"Folder of a single-page application, instead of an upstream. A path without a file gets its index.html."`
	StripPrefix bool      `yaml:"strip_prefix" help:"Removes path from the URL for the upstream. Defaults to false."`

	EncodedPaths       string `yaml:"encoded_paths" enum:"refuse,pass" help:"pass: passes on paths that servers read in several ways (%2F, %25, //, ; and the like) unchanged, and requires the permissions of every route that a reading matches. Defaults to refuse."`
	CaseSensitive      bool   `yaml:"case_sensitive" help:"Set it if /Path and /path are two paths to the server. Without it, each of them needs the permissions of both. Defaults to false."`
	DotSensitive       bool   `yaml:"dot_sensitive" help:"The same for dots and spaces at the ends of a path's segments. Defaults to false."`
	SlashSensitive     bool   `yaml:"slash_sensitive" help:"The same for a slash at the end, with exact: true. Defaults to false."`
	ExtensionSensitive bool   `yaml:"extension_sensitive" help:"The same for an extension such as .json. Defaults to false."`

	PassAccessToken   bool     `yaml:"pass_access_token" help:"Sends the access token to the upstream, as a bearer token, instead of the client's Authorization header. Defaults to false."`
	PassAuthorization bool     `yaml:"pass_authorization" help:"Forwards the client's Authorization header if it proved the identity. Defaults to false."`
	PassHeaders       []string `yaml:"pass_headers" help:"Headers that the gateway passes on although they name another method (X-HTTP-Method-Override), or another identity (Remote-User; only from trusted proxies). Defaults to none."`
	Assertion         bool     `yaml:"assertion" help:"Sends a signed token with the identity. Defaults to false."`
	SendGroups        []string `yaml:"send_groups" help:"Groups that the upstream gets, if the person is in them, so that headers stay small. They give no permission. Defaults to all."`

	Exchange *exchanging `yaml:"exchange" help:"The upstream gets a separate token instead of the person's: its audience, or all settings; see docs/delegation.md. Defaults to none."`

	UpstreamOAuth string `yaml:"upstream_oauth" help:"The upstream gets the person's token at this server of upstream_oauth above, once they have agreed; see docs/delegation.md. Defaults to none."`

	ClearCookies []string `yaml:"clear_cookies" help:"Cookies of the application's own sessions, such as JSESSIONID. The gateway removes them at a sign-out, and never sends them with another person's requests. Defaults to none."`
}

type policies struct {
	Namespace string   `yaml:"namespace" help:"Namespace of the entities, such as Shop for Shop::User. Defaults to none."`
	Policies  []string `yaml:"policies" help:"Files of policies, as JSON if the name ends in .json. The gateway reads them again when they change."`
	Schema    string   `yaml:"schema" help:"File of the schema for the policies. Defaults to none."`
}

type role struct {
	Groups    []string `yaml:"groups" help:"Groups. The person must be in all of them."`
	AnyGroups []string `yaml:"any_groups" help:"Groups. The person must be in one of them."`
	Scopes    []string `yaml:"scopes" help:"Scopes. The access token must have all of them."`
}

type brokering struct {
	Enabled         bool                    `yaml:"enabled" short:"true" help:"Defaults to true where broker has other keys."`
	Mode            string                  `yaml:"mode" enum:"gateway,pool" help:"Whether the gateway or the pool registers clients and issues tokens. The pool needs Essentials or Plus. With mode: pool, only the key pool may also be set. Defaults to gateway."`
	Pool            string                  `yaml:"pool" help:"Name of the pool with which people sign in. Defaults to the first."`
	Issuer          string                  `yaml:"issuer" help:"Issuer of the tokens, on the origin of the pool's base_url. Defaults to that origin."`
	Prefix          string                  `yaml:"prefix" help:"Path of its endpoints. Defaults to /oauth."`
	Registration    bool                    `yaml:"registration" help:"Whether clients may register themselves. Defaults to true."`
	ClientDocuments bool                    `yaml:"client_id_documents" help:"Whether the URL of a client ID metadata document can be a client ID. Defaults to true."`
	RedirectHosts   []string                `yaml:"redirect_hosts" help:"Hosts that these clients may use in redirect URIs, such as claude.ai or *.example.com. Programs on the person's own machine are always allowed. Defaults to no others."`
	RedirectSchemes []string                `yaml:"redirect_schemes" help:"Schemes of apps that these clients may use in redirect URIs, in reverse domain form, such as com.example.app for com.example.app:/callback. Defaults to none."`
	Clients         map[string]brokerClient `yaml:"clients" help:"Clients that do not have to register, by their IDs. They have no secret. Defaults to none."`
	Algorithm       string                  `yaml:"algorithm" enum:"RS256,ES256,EdDSA" help:"Signature algorithm of tokens. Defaults to RS256."`
	TokenLifetime   time.Duration           `yaml:"token_lifetime" help:"Lifetime of access tokens, up to 1h. Defaults to 10m."`
	GrantLifetime   time.Duration           `yaml:"grant_lifetime" help:"How long a client may refresh tokens before the person must consent again. Defaults to 24h."`
}

type brokerClient struct {
	Name         string   `yaml:"name" help:"Name that people see. Defaults to none."`
	RedirectURIs []string `yaml:"redirect_uris" short:"true" help:"Redirect URIs. Those on this machine (http://localhost/callback) are valid for any port. Required."`
}

type console struct {
	Groups []string      `yaml:"groups" help:"Groups of operators. An operator must be in one of them. Required."`
	Path   string        `yaml:"path" help:"Path of its pages. Defaults to /console."`
	Pool   string        `yaml:"pool" help:"Name of the pool for operators. They sign in at its base_url. Defaults to the first pool."`
	ACR    string        `yaml:"acr" help:"Minimum level of the sign-in for actions, such as ending a session. Defaults to any."`
	MaxAge time.Duration `yaml:"max_age" help:"Maximum age of the sign-in for actions, such as 10m. Defaults to any time."`
}

type otherServer struct {
	AuthorizeURL     string   `yaml:"authorize_url" help:"URL at which people give consent, such as https://github.com/login/oauth/authorize. Required."`
	TokenURL         string   `yaml:"token_url" help:"URL of the token endpoint. Required."`
	RevokeURL        string   `yaml:"revoke_url" help:"URL that revokes tokens after a sign-out (RFC 7009). Without it, the gateway only deletes them."`
	Issuer           string   `yaml:"issuer" help:"Issuer in its answers (RFC 9207). Defaults to none."`
	ClientID         string   `yaml:"client_id" help:"Client id of this gateway. Required."`
	ClientSecret     string   `yaml:"client_secret" help:"Its secret. Better: client_secret_file, or ${NAME}."`
	ClientSecretFile string   `yaml:"client_secret_file" help:"File to read the secret from, at the start."`
	SecretInForm     bool     `yaml:"secret_in_form" help:"Sends the secret in the form instead of the Authorization header. Defaults to false."`
	Scopes           []string `yaml:"scopes" help:"Scopes to ask for. Defaults to none."`
	Pool             string   `yaml:"pool" help:"Name of the pool of the people. Defaults to the first."`
}

type exchangeIssuer struct {
	Issuer    string        `yaml:"issuer" help:"Claim iss: a URL on the pool's base_url. The keys are below it. Defaults to base_url + /exchange."`
	Algorithm string        `yaml:"algorithm" enum:"RS256,ES256,EdDSA" help:"Signature algorithm of tokens. Defaults to RS256."`
	Lifetime  time.Duration `yaml:"lifetime" help:"Lifetime of a token, up to 1h. It expires earlier if the person's own token does. Defaults to 5m."`
}

type exchanging struct {
	Audience         string   `yaml:"audience" short:"true" help:"Audience of the token, such as https://orders.example.com. Required."`
	Scopes           []string `yaml:"scopes" help:"Scopes for the upstream. The token has those of them that the person's token has. Defaults to all scopes of the person's token."`
	Actor            bool     `yaml:"actor" help:"Adds to the token that the gateway acts for the person (act). Defaults to false: the token looks like a token of the person."`
	By               string   `yaml:"by" enum:"pool,token_endpoint,gateway" help:"Issuer of the token: the pool, with its API (GetDerivedToken) or its token endpoint, or the gateway. Defaults to pool."`
	ClientID         string   `yaml:"client_id" help:"App client that may exchange tokens at the pool. Defaults to that of the pool."`
	ClientSecret     string   `yaml:"client_secret" help:"Its secret. Better: client_secret_file, or ${NAME}."`
	ClientSecretFile string   `yaml:"client_secret_file" help:"File to read the secret from."`
}

type mcpServer struct {
	Enabled         bool               `yaml:"enabled" short:"true" help:"Defaults to true where mcp has other keys."`
	URL             string             `yaml:"url" help:"URL that people enter into their client. Tokens are bound to it. Defaults to base_url + path."`
	Servers         []string           `yaml:"authorization_servers" help:"Issuers for clients. Defaults to url, where the gateway serves complete metadata of the pool."`
	Registration    string             `yaml:"registration_endpoint" help:"URL at which clients register themselves, if the pool allows it. Defaults to none."`
	ClientDocuments bool               `yaml:"client_id_documents" help:"The pool accepts URLs of client ID metadata documents as client IDs. Defaults to false."`
	Title           string             `yaml:"title" help:"Name that people see. Defaults to none."`
	Documentation   string             `yaml:"documentation" help:"URL of a page about it. Defaults to none."`
	Tools           map[string]mcpTool `yaml:"tools" help:"Rules for tools, by name or by a pattern such as delete_*. If there are rules, nobody may call a tool without one. Defaults to all tools for everybody who passes the route."`
	Origins         []string           `yaml:"origins" help:"Additional origins whose pages may send requests, or *. Defaults to none."`
	NoAudience      bool               `yaml:"insecure_no_audience" help:"Accepts tokens that are bound to nothing, as pools of the Lite plan issue them. Defaults to false."`
	MaxMessage      size               `yaml:"max_message" help:"Maximum size of a message. Defaults to 4MiB."`
}

type mcpTool struct {
	Groups    []string `yaml:"groups" help:"Groups. The person must be in all of them."`
	AnyGroups []string `yaml:"any_groups" help:"Groups. The person must be in one of them."`
	Roles     []string `yaml:"roles" help:"Roles. The person must have all of them: see roles above."`
	AnyRoles  []string `yaml:"any_roles" help:"Roles. The person must have one of them."`
	Scopes    []string `yaml:"scopes" help:"Scopes. The access token must have all of them. If some are missing, the client gets their names."`
	Listed    bool     `yaml:"listed" help:"Lists the tool also if only its scopes are missing, so that the client can ask for them. Defaults to false."`
}

type test struct {
	Name     string        `yaml:"name" help:"Description, for readers."`
	As       string        `yaml:"as" help:"Person who sends the request, such as alice@example.com. Defaults to nobody."`
	Pool     string        `yaml:"pool" help:"Pool of the person. Defaults to the pool that decides."`
	Groups   []string      `yaml:"groups" help:"Groups that the person is in. Defaults to none."`
	Scopes   []string      `yaml:"scopes" help:"Scopes that the access token has. Defaults to none."`
	Machine  bool          `yaml:"machine" help:"The value of as is the app client of a service with a machine token. Defaults to false."`
	ACR      string        `yaml:"acr" help:"Level of the person's sign-in. Defaults to none."`
	SignedIn time.Duration `yaml:"signed_in" help:"Time since the person signed in. Defaults to just now."`
	Verified string        `yaml:"email_verified" enum:"true,false" help:"Whether the pool has verified the person's e-mail address. Defaults to true."`
	From     string        `yaml:"from" help:"Client address of the request, for networks. Defaults to unknown."`
	Actor    string        `yaml:"actor" help:"Actor that the token names. Defaults to nobody."`
	Requests []string      `yaml:"requests" help:"Requests, such as GET https://app.example.com/admin, or /admin on the base_url of the first pool. Required."`
	Expect   string        `yaml:"expect" enum:"pass,sign_in,forbidden,not_found,refused" help:"Expected decision for each request. Required."`
	Route    string        `yaml:"route" help:"Name of the route that must decide. Defaults to any."`
}

type upstream struct {
	URLs        []string      `yaml:"urls" short:"true" help:"Equal servers, such as http://127.0.0.1:9000, without a path. Required."`
	Health      string        `yaml:"health" help:"Path of the health check, which answers 2xx while a server works. Defaults to none: no health check."`
	HealthEvery time.Duration `yaml:"health_every" help:"Interval of the health check. Defaults to 5s."`
	Timeout     time.Duration `yaml:"timeout" help:"Time limit for the start of an answer, from the end of the request's body. Defaults to 30s."`
	Retries     int           `yaml:"retries" help:"Number of other servers that get a request that was not answered and is safe to repeat. 0: none. Defaults to 1."`
	MaxBody     size          `yaml:"max_body" help:"Maximum size of request bodies, or unlimited. Defaults to 10MiB."`
	Host        string        `yaml:"host" help:"Host header that servers see. Defaults to that of the request."`
}

// defaults are what the file's keys replace. What has none here gets it from the
// package that it is for.
func defaults() file {
	return file{
		Listen: "127.0.0.1:8080", SocketMode: "0660",
		Sessions: "memory",
		Log:      log{Level: "info", Format: "text", Access: true},
		Limits:   limits{Requests: 4096, Tunnels: 4096, SignInRate: 120, SignInBurst: 60, AccountRate: 30, AccountBurst: 30, HeaderBytes: 64 << 10, MaxSessions: 1_000_000},
		Tracing:  tracing{Enabled: true},
		Database: database{Migrate: true, MaxConnections: 20},
	}
}
