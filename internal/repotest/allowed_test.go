package repotest

// The rooms of the product, by folder.
var (
	// leaves know one thing each and never one another; the root package joins them.
	leaves = []string{"cognito", "verify", "session", "replica", "cloudfront", "secret", "cupboard"}

	// rooms are what the root package is made of. They see leaves, and never the root.
	rooms = []string{"internal/behind", "internal/fault", "internal/keep", "internal/people", "internal/prove"}

	// library is what most users import. They compile the standard library with it,
	// and libraryModules, and nothing else.
	library = append([]string{"."}, leaves...)

	libraryModules = map[string]string{
		"golang.org/x": "from the Go project",
	}
)

// anything, as a line of allowed, lets a package import every other.
const anything = "*"

// allowed lists, for each package of the product, what it may import beyond the
// standard library, and why. The imports are a star: leaves in the middle of
// nothing, the root package joining them, and only the command seeing everything.
// A package that needs a line more may have found a new reason to exist; it may
// also be about to do somebody else's work.
var allowed = map[string]map[string]string{
	".": {
		"cognito":            "the pool as its OAuth client sees it",
		"verify":             "what the pool's tokens say",
		"session":            "what a signed-in browser holds here",
		"replica":            "the copy of users and groups that a sign-in updates",
		"cloudfront":         "cookies for private files, given and taken with the sign-in",
		"cupboard":           "where revocations are kept that the pool has not made",
		"cupboard/notbefore": "whose tokens of before count no longer",
		"secret":             "a client secret in a file, from settings of the environment",
		"internal/asker":     "the key under which a context says who asks",
		"internal/behind":    "work beside requests, that a shutdown waits for",
		"internal/fault":     "invalid or unavailable, which is what it answers",
		"internal/keep":      "sign-ins between requests",
		"internal/pages":     "its small pages: errors, confirmations",
		"internal/people":    "what the application says of a person",
		"internal/prove":     "from tokens to a person",
		"internal/quotas":    "how much a client may hand over",
		"internal/returnto":  "where a person may be sent back to",
		"golang.org/x/net":   "the list of public suffixes, which no cookie may be set on",
	},

	// The rooms of the root package: below it, above the leaves.
	"internal/asker":  {},
	"internal/behind": {},
	"internal/fault": {
		"cognito": "its fault that says nothing about anybody",
		"verify":  "the same, and faults of keys and clocks",
		"session": "the same",
		"replica": "the same, and what a person has to decide",
	},
	"internal/keep": {
		"cognito":         "tokens, and the pool's refusal of a grant",
		"verify":          "what the ID token of a sign-in says",
		"session":         "stores, cookies and the keys that seal them",
		"cupboard":        "revocations that are still to be made",
		"internal/behind": "renewals, revocations and sweeps beside requests",
		"internal/fault":  "what ends a sign-in and what does not",
		"internal/people": "asks the application as a sign-in begins and is renewed",
		"internal/prove":  "whose tokens are",
		"internal/quotas": "how much a sealed value may unfold to",
	},
	"internal/people": {
		"replica":        "the copy of users and groups that it tells and asks",
		"verify":         "what an ID token says of a person",
		"internal/fault": "refused, or not known",
		"internal/prove": "the person that it asks about",
	},
	"internal/prove": {
		"cognito":        "tokens as secrets",
		"verify":         "verifies them",
		"internal/fault": "refused, or not known",
	},

	// The leaves.
	"cognito": {"internal/quotas": "how long an answer with tokens can be"},
	"secret":  {},
	"secret/awssecret": {
		"github.com/aws/aws-sdk-go-v2": "the API of Secrets Manager",
	},
	"session":  {},
	"replica":  {},
	"cupboard": {},
	"cloudfront": {
		"golang.org/x/net": "the public suffix list, against cookies for a whole registry",
	},
	"verify": {"internal/quotas": "how long a token of a pool can be"},
	"device": {"github.com/medama-io/go-useragent": "what browsers call themselves"},

	// Implementations and suites of the contracts.
	"cupboard/notbefore":    {"cupboard": "the shelf that marks are on"},
	"cupboard/cupboardtest": {"cupboard": "the contract that the suite holds stores to"},
	"session/sessiontest": {
		"session":         "the contract that the suite holds stores to",
		"internal/quotas": "how large a session can become",
	},
	"session/sqlstore": {
		"session":                     "the contract that it fulfils",
		"cupboard":                    "the other contract that it fulfils, on the same connections",
		"github.com/pressly/goose/v3": "migrations, without a global registry",
	},
	"session/redisstore": {
		"session":                  "the contract that it fulfils",
		"cupboard":                 "the other contract that it fulfils, on the same connections",
		"github.com/redis/rueidis": "Redis and Valkey, with client-side caching",
	},
	"replica/replicatest": {"replica": "the contract that the suite holds stores to"},
	"replica/sqlreplica": {
		"replica":                     "the contract that it fulfils",
		"github.com/pressly/goose/v3": "migrations, without a global registry",
	},

	// What stands on the root package, or beside it.
	"directory": {
		"github.com/aws/smithy-go":     "what answers of that API carry beside their content",
		"replica":                      "what it reconciles with the pool",
		"github.com/aws/aws-sdk-go-v2": "the API that it reads the pool through",
	},
	"directory/sqsqueue": {
		"directory":                    "the contract that it fulfils",
		"github.com/aws/aws-sdk-go-v2": "the API of the queue",
	},
	"directory/sqsqueue/sqstest": {},
	"gateway": {
		".":                 "decides who is asking; the gateway speaks for it",
		"internal/fault":    "why a page says no",
		"internal/hop":      "an item of X-Forwarded-For",
		"internal/quotas":   "how long a token of a pool can be",
		"internal/sign":     "assertions of who is asking",
		"golang.org/x/net":  "which names a header can have",
		"golang.org/x/text": "letters that servers take for one",
	},
	"gateway/extauthz": {
		"gateway":          "decides; this package brings questions to it, and its answers back",
		"internal/kept":    "an answer that is told in the proxy's words",
		"golang.org/x/net": "which names and values a header can have",
		"github.com/envoyproxy/go-control-plane/envoy": "the messages that Envoy asks in",
		"google.golang.org/genproto/googleapis/rpc":    "the status that each answer has",
		"google.golang.org/grpc":                       "the protocol that Envoy asks over",
	},
	"gateway/spoe": {
		"gateway":          "decides; this package brings questions to it, and its answers back",
		"internal/kept":    "an answer that is told in the proxy's words",
		"golang.org/x/net": "which names and values a header can have",
	},
	"mcp": {
		"golang.org/x/sync/singleflight": "one question to the pool, however many clients come",
		".":                              "decides whose a token is; it stands on that as an application would",
		"cognito":                        "the pool's endpoints, which clients are told, and how a pool is asked",
		"session":                        "keys that bind sessions of the protocol to people",
	},
	"rule": {
		".":                "permissions, which it makes",
		"golang.org/x/net": "international names of domains, as the DNS has them",
	},
	"rule/cedar": {
		".":                                "permissions, which it makes",
		"github.com/cedar-policy/cedar-go": "the language, and nowhere else",
	},
	"broker": {
		".":                  "signs people in; it stands on that as an application would",
		"cupboard":           "where it keeps what people have agreed to",
		"internal/pages":     "the page that asks, and the one that says why not",
		"internal/publicnet": "where documents of clients may be fetched",
		"internal/sign":      "the tokens that it issues",
		"session":            "keys that seal what it keeps and gives",
	},
	"account": {
		".":                 "who asks; it stands on that as an application would",
		"cognito":           "the pool's API for users",
		"replica":           "hears of accounts that are deleted",
		"internal/pages":    "its pages",
		"internal/returnto": "goes on to them",
		"rsc.io/qr":         "the picture that authenticator apps scan",
	},
	"exchange": {
		".":                "whose token it is; it stands on that as an application would",
		"cognito":          "the pool that exchanges tokens",
		"internal/origins": "where tokens may be sent",
		"internal/sign":    "the tokens that it issues",
		"session":          "the keys that signing keys follow from",
	},
	"upstream": {
		".":                 "whose token it is; it stands on that as an application would",
		"cognito":           "secrets that redact themselves",
		"cupboard":          "where it keeps what people have agreed to",
		"internal/origins":  "which hosts are this machine",
		"internal/pages":    "pages that say why not",
		"internal/returnto": "where people go back to",
		"session":           "keys that seal what it keeps",
	},
	"machine": {
		"cognito":             "the pool that tokens are fetched from",
		"internal/origins":    "where tokens may be sent",
		"golang.org/x/oauth2": "the interface that sources of tokens have everywhere",
	},
	"console": {
		".":       "decides who is asking",
		"replica": "whether an operator still is one, and the people that it shows",
	},
	"webhook": {
		"replica":            "what happened to a person",
		"replica/sqlreplica": "the outbox that it empties",
		"internal/origins":   "which hosts are this machine",
		"internal/publicnet": "where messages may be sent",
	},

	// The local pool shares nothing with what it is used to test.
	"localpool": {
		"localpool/internal/api":      "its face for programs",
		"localpool/internal/mail":     "what is e-mailed to a server for tests",
		"localpool/internal/metadata": "clients whose ids are URLs",
		"localpool/internal/oauth":    "its OAuth face",
		"localpool/internal/pages":    "its face for people",
		"localpool/internal/place":    "where it is reached",
		"localpool/internal/quota":    "request rates, over all faces",
		"localpool/internal/state":    "what the faces share",
		"localpool/internal/tokens":   "what they issue",

		"localpool/internal/webauthn": "which browsers are led to localhost",

		"localpool/internal/events":   "who is told of what was changed",
		"localpool/internal/triggers": "what they call before and after",
		"github.com/goccy/go-yaml":    "the seed file, read strictly",
	},
	"localpool/standin":                 {"localpool": "answers in place of Amazon's hosts"},
	"localpool/internal/model":          {},
	"localpool/internal/model/generate": {},
	"localpool/internal/api": {
		"localpool/internal/metadata": "the state of documents of clients",
		"localpool/internal/model":    "what the API takes",
		"localpool/internal/quota":    "too many requests",
		"localpool/internal/state":    "the pool behind the face",
		"localpool/internal/tokens":   "what it issues, and takes from apps",

		"localpool/internal/events":   "who is told of its operations",
		"localpool/internal/triggers": "what is called before and after its operations",
		"localpool/internal/webauthn": "what authenticators are asked and answer",
	},
	"localpool/internal/metadata": {"localpool/internal/state": "policies, app clients, and what is kept of documents"},
	"localpool/internal/oauth": {
		"localpool/internal/metadata": "clients whose ids are URLs",
		"localpool/internal/place":    "the pool's domain and issuer",
		"localpool/internal/quota":    "too many requests",
		"localpool/internal/state":    "the pool behind the face",
		"localpool/internal/tokens":   "what it issues, and takes at userInfo",

		"localpool/internal/triggers": "the reasons for which tokens are made",
	},
	"localpool/internal/place": {},
	"localpool/internal/mail":  {},
	"localpool/internal/tokens": {
		"localpool/internal/place":    "the issuer",
		"localpool/internal/state":    "the keys that sign, and the user that is described",
		"localpool/internal/triggers": "what is asked about the claims",
	},
	"localpool/internal/triggers": {"localpool/internal/state": "the changes that triggers stand around"},
	"localpool/internal/events":   {"localpool/internal/state": "the refusals that it tells of"},
	"localpool/internal/pages": {
		"rsc.io/qr":                "the picture that authenticator apps scan",
		"localpool/internal/place": "where the browser reached it",
		"localpool/internal/oauth": "checks the request that every page carries, and sends the browser on",
		"localpool/internal/quota": "too many requests",
		"localpool/internal/state": "the pool behind the face",

		"localpool/internal/triggers": "what is called before and after its steps",
		"localpool/internal/webauthn": "what authenticators are asked and answer",
	},
	"localpool/internal/webauthn": {"localpool/internal/state": "the passkeys and their settings"},
	"localpool/internal/state":    {"golang.org/x/crypto": "hashes of passwords that an import brings"},
	"localpool/internal/quota":    {},

	"codegranttest": {
		".":                "the configuration that fits the pool",
		"cognito":          "the pool as that configuration names it",
		"internal/asker":   "the key under which a context says who asks",
		"golang.org/x/net": "forms of real pages, and cookies as browsers keep them",
		"localpool":        "the pool in the test's process",
	},
	// The program. Commands import no command; what several need is in a room below them.
	"cmd/codegrant/internal/terminal": {
		"github.com/alecthomas/kong":    "commands, flags and help",
		"github.com/mattn/go-runewidth": "how wide characters are",
	},
	"cmd/codegrant/internal/parts": {
		".":                              "the pool that sessions are bound to",
		"cognito":                        "client secrets, as the pool asks for them",
		"cupboard":                       "the one that marks are kept in",
		"cupboard/notbefore":             "whose tokens of before count no longer",
		"directory":                      "the dialect of its journal",
		"internal/settings":              "what names the parts",
		"replica":                        "people, as commands print them",
		"replica/sqlreplica":             "the replica in a database",
		"secret/awssecret":               "client secrets in AWS Secrets Manager",
		"session":                        "stores of sessions",
		"session/redisstore":             "sessions in Redis",
		"session/sqlstore":               "sessions in a database",
		"webhook":                        "the dialect of its table",
		"github.com/aws/aws-sdk-go-v2":   "the settings of tools of AWS, and the sign-out at a pool",
		"github.com/aws/smithy-go":       "the log of that SDK",
		"github.com/go-sql-driver/mysql": "the driver",
		"github.com/jackc/pgx/v5":        "the driver",
		"cmd/codegrant/internal/sqlite":  "databases that are a file",
		"upstream":                       "servers of others that people have tokens at",
	},
	"cmd/codegrant/internal/listen": {},
	"cmd/codegrant/internal/sqlite": {
		"modernc.org/sqlite": "the driver, without cgo",
	},
	"cmd/codegrant/demo": {
		"cmd/codegrant/internal/demo":     "the command",
		"cmd/codegrant/internal/terminal": "runs it",
		"github.com/alecthomas/kong":      "its name in the help",
	},
	"cmd/codegrant/internal/ops": {
		"replica/sqlreplica":                  "the size of its outbox",
		"webhook":                             "what is sent, and what waits",
		"github.com/prometheus/client_golang": "the metrics that it serves",
	},
	"cmd/codegrant/internal/django": {
		"replica/sqlreplica": "accounts of a Django project",
	},
	"cmd/codegrant/internal/commandtest": {
		"cmd/codegrant/internal/parts":    "stores to put people in",
		"cmd/codegrant/internal/terminal": "runs a command",
		"codegranttest":                   "a pool",
		"replica":                         "the people that it puts there",
		"session":                         "their sessions",
	},
	"cmd/codegrant/internal/health": {
		"cmd/codegrant/internal/listen":   "asks at an address, or a socket",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"internal/settings":               "where operations are",
	},
	"cmd/codegrant/internal/manual": {
		"cmd/codegrant/internal/terminal": "where it speaks",
		"github.com/alecthomas/kong":      "the table of commands, which it describes",
	},
	"cmd/codegrant": {
		"cmd/codegrant/internal/demo":     "the command",
		"cmd/codegrant/internal/doctor":   "the command",
		"cmd/codegrant/internal/health":   "the command",
		"cmd/codegrant/internal/inspect":  "the command",
		"cmd/codegrant/internal/manual":   "the command",
		"cmd/codegrant/internal/migrate":  "the command",
		"cmd/codegrant/internal/pool":     "the command",
		"cmd/codegrant/internal/serve":    "the command",
		"cmd/codegrant/internal/syncing":  "the command",
		"cmd/codegrant/internal/policy":   "the command",
		"cmd/codegrant/internal/token":    "the command",
		"cmd/codegrant/internal/webhooks": "the command",
		"cmd/codegrant/internal/terminal": "runs the command that is named",
		"github.com/alecthomas/kong":      "the form of the table of commands",
	},
	"cmd/codegrant/internal/demo": {
		".":                               "signs people in at the site",
		"cmd/codegrant/internal/listen":   "addresses, and their end",
		"cmd/codegrant/internal/sqlite":   "a database",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"cognito":                         "the pool as the site names it",
		"localpool":                       "the pool",
		"replica":                         "shows its changes",
		"replica/sqlreplica":              "the replica",
		"session":                         "shows them",
		"session/sqlstore":                "the sessions",
	},
	"cmd/codegrant/internal/doctor": {
		".":                               "the settings that it looks at",
		"cmd/codegrant/internal/django":   "accounts in the way",
		"cmd/codegrant/internal/listen":   "asks a gateway that runs",
		"cmd/codegrant/internal/parts":    "databases, secrets and AWS",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"cognito":                         "the pool that it asks",
		"directory":                       "reads the people of a pool",
		"internal/settings":               "which tables a replica has",
		"mcp":                             "which clients its servers take",
		"replica/sqlreplica":              "the outbox, and accounts of Django",
		"session":                         "keys, to see whether they do",
		"github.com/aws/aws-sdk-go-v2":    "the API of Cognito",
	},
	"cmd/codegrant/internal/inspect": {
		"broker":                          "what people have let programs do",
		".":                               "the settings of the environment",
		"cmd/codegrant/internal/django":   "accounts in the way",
		"cmd/codegrant/internal/parts":    "the stores that it looks at",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"internal/settings":               "which tables a replica has",
		"replica":                         "people and groups",
		"replica/sqlreplica":              "accounts of Django",
		"session":                         "lists and ends sessions",
		"upstream":                        "the tokens of people at other services",
	},
	"cmd/codegrant/internal/migrate": {
		"cmd/codegrant/internal/parts":    "the database",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"directory":                       "its journal",
		"webhook":                         "its table",
		"internal/settings":               "which tables a replica has",
		"replica/sqlreplica":              "the dialect of the database",
	},
	"cmd/codegrant/internal/pool": {
		"cmd/codegrant/internal/listen":   "addresses, and their end",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"localpool":                       "the pool",
		"localpool/standin":               "the pool in place of Amazon's hosts",
	},
	"cmd/codegrant/internal/serve": {
		"upstream":                              "people's tokens of other services",
		"mcp":                                   "its calls are counted",
		"account":                               "pages where people change what is theirs",
		"broker":                                "the authorization server in front of a pool",
		"exchange":                              "tokens of their own for upstreams",
		"console":                               "operators' pages, of what it knows",
		"directory":                             "how passes over the pools went, and one person looked up again",
		"github.com/aws/aws-sdk-go-v2":          "what a pool has of one person",
		"machine":                               "tokens of who acts for people",
		".":                                     "who is asking",
		"cmd/codegrant/internal/listen":         "addresses and sockets",
		"cmd/codegrant/internal/ops":            "what it shows operators",
		"cmd/codegrant/internal/parts":          "databases and secrets",
		"cmd/codegrant/internal/terminal":       "where it speaks",
		"internal/hop":                          "an item of X-Forwarded-For",
		"cognito":                               "client secrets",
		"cupboard":                              "revocations that are owed",
		"cupboard/notbefore":                    "whose tokens of before count no longer",
		"gateway":                               "decides who may pass",
		"gateway/extauthz":                      "answers Envoy",
		"gateway/spoe":                          "answers HAProxy",
		"internal/settings":                     "the configuration",
		"internal/tracing":                      "spans around it",
		"replica":                               "the copy of people",
		"replica/sqlreplica":                    "the size of its outbox",
		"session":                               "stores and keys",
		"session/redisstore":                    "sessions in Redis",
		"session/sqlstore":                      "sessions in a database",
		"github.com/prometheus/client_golang":   "the metrics that it serves",
		"github.com/KimMachineGun/automemlimit": "the memory limit of the container",
		"golang.org/x/sys":                      "how much of an answer a socket still holds",
		"golang.org/x/time":                     "rates of what it writes",
		"device":                                "browsers and systems in words, for people who see their sessions",
	},
	"cmd/codegrant/internal/syncing": {
		".":                                   "the pool that sessions are bound to",
		"cmd/codegrant/internal/listen":       "where operators ask",
		"cmd/codegrant/internal/ops":          "what it shows them",
		"cmd/codegrant/internal/parts":        "stores, and the settings of AWS",
		"cmd/codegrant/internal/terminal":     "where it speaks",
		"directory":                           "brings the replica in line",
		"directory/sqsqueue":                  "events from a queue",
		"internal/settings":                   "the pools of a configuration",
		"replica":                             "people, and their changes",
		"webhook":                             "tells others of changes",
		"github.com/aws/aws-sdk-go-v2":        "the APIs of Cognito and of SQS",
		"github.com/prometheus/client_golang": "the metrics that it serves",
	},
	"cmd/codegrant/internal/webhooks": {
		"cmd/codegrant/internal/listen":       "where operators ask",
		"cmd/codegrant/internal/ops":          "what it shows them",
		"cmd/codegrant/internal/parts":        "the database",
		"cmd/codegrant/internal/terminal":     "where it speaks",
		"internal/settings":                   "who is told",
		"webhook":                             "sends, and knows what could not be sent",
		"github.com/prometheus/client_golang": "the metrics that it serves",
	},
	"cmd/codegrant/internal/policy": {
		".":                               "who asks",
		"cmd/codegrant/internal/parts":    "a configuration",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"internal/settings":               "a configuration",
		"rule/cedar":                      "the policies, and what they decide",
		"session":                         "keys that it needs to be read",
		"github.com/goccy/go-yaml":        "the cases, read strictly",
	},
	"cmd/codegrant/internal/token": {
		"cognito":                         "whether the pool refused or did not answer",
		"machine":                         "gets a token of a machine",
		"golang.org/x/oauth2":             "the form that such a token has",
		".":                               "whose tokens",
		"cmd/codegrant/internal/parts":    "a configuration",
		"cmd/codegrant/internal/terminal": "where it speaks",
		"internal/settings":               "a configuration",
		"session":                         "keys that it needs to be read",
		"verify":                          "why a token is not good",
	},

	// Mechanisms, and the rules of the tree itself.
	"internal/origins":   {},
	"internal/publicnet": {},
	"internal/pages": {
		"golang.org/x/text": "which of its languages a browser asks for",
		"golang.org/x/net":  "HTML, as browsers read a page of somebody's template",
	},
	"internal/returnto": {},
	"internal/settings": {
		"mcp":                      "what a route says of an MCP server",
		"rule":                     "roles, groups that include others, addresses and networks of routes",
		"rule/cedar":               "policies of routes",
		"account":                  "what a pool says of its pages for people's accounts",
		"broker":                   "what the file says of an authorization server",
		"exchange":                 "what a route says of the token for its upstream",
		"upstream":                 "what the file says of authorization servers of others",
		".":                        "what a pool's settings become, and whether it takes them",
		"cloudfront":               "keys of signed cookies, read from PEM",
		"cognito":                  "the pool as the settings name it",
		"gateway":                  "routes, and whether it takes them",
		"internal/pages":           "how pages look, tried with each of them",
		"internal/sign":            "keys that follow from those that seal",
		"secret":                   "client secrets in files",
		"session":                  "the keys that seal what browsers carry",
		"verify":                   "the load balancers whose word counts",
		"webhook":                  "who is told of changes",
		"github.com/goccy/go-yaml": "the syntax tree of the file, with its lines",
		"golang.org/x/net":         "which names and values a header can have",
	},
	"internal/tracing": {
		".":                      "what its faults mean, and which work it tells of",
		"cognito":                "what faults of the pool mean",
		"replica":                "a store that it wraps, and its faults",
		"session":                "a store that it wraps, and its faults",
		"go.opentelemetry.io":    "spans, and the collector that they are sent to",
		"google.golang.org/grpc": "where a call from Envoy says which trace it belongs to",
	},
	"internal/kept":       {},
	"internal/sign":       {"session": "the keys that signing keys follow from"},
	"internal/hop":        {},
	"internal/quotas":     {},
	"internal/peopletest": {"internal/quotas": "the limits that they are made to"},
	"internal/gatewaytest": {
		".":             "what the gateway stands on",
		"codegranttest": "a pool and browsers",
		"gateway":       "what proxies ask",
	},
	"internal/proxytest": {"internal/testenv": "where programs and packages are"},
	"internal/testenv":   {},
	"internal/repotest":  {},
}

// restricted lists packages of the standard library that the product does without,
// why, and the packages that may use them all the same.
var restricted = map[string]struct {
	why    string
	except []string
}{
	"testing": {
		"it adds flags to every program that links it",
		[]string{"session/sessiontest", "replica/replicatest", "cupboard/cupboardtest", "codegranttest", "cmd/codegrant/internal/commandtest", "internal/gatewaytest", "internal/peopletest", "internal/proxytest", "internal/testenv"},
	},
	"log":            {"write to a *slog.Logger that the caller hands in", nil},
	"math/rand":      {"secrets come from crypto/rand, jitter from math/rand/v2", nil},
	"expvar":         {"it adds a route to the default mux", nil},
	"net/http/pprof": {"it adds routes to the default mux", nil},
	"text/template":  {"html/template escapes what it fills in", nil},
	"crypto/md5":     {"broken", []string{"directory/sqsqueue/sqstest"}}, // clients of SQS check bodies by it
	// What CloudFront takes unless it is told of another; the codes of authenticator apps.
	"crypto/sha1": {"broken", []string{"cloudfront", "localpool/internal/state", "localpool/standin"}},
	"unsafe":      {"nothing here is worth it", nil},
}
