package blocks

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/codegrant/codegrant"

// imported are the packages that blocks use, by the name that they use them under.
var imported = map[string]string{
	"awssecret": module + "/secret/awssecret", "broker": module + "/broker", "cedar": module + "/rule/cedar",
	"cloudfront": module + "/cloudfront", "codegrant": module, "codegranttest": module + "/codegranttest",
	"cognito": module + "/cognito", "exchange": module + "/exchange", "left": module + "/move/left", "localpool": module + "/localpool",
	"machine": module + "/machine", "mcp": module + "/mcp", "organization": module + "/organization", "replica": module + "/replica", "rule": module + "/rule",
	"session": module + "/session", "sessiontest": module + "/session/sessiontest", "sqlreplica": module + "/replica/sqlreplica",
	"sqlstore": module + "/session/sqlstore",

	"chi": "github.com/go-chi/chi/v5", "codes": "google.golang.org/grpc/codes", "cors": "github.com/rs/cors",
	"echo": "github.com/labstack/echo/v5", "gin": "github.com/gin-gonic/gin", "jose": "github.com/go-jose/go-jose/v4",
	"jwt": "github.com/go-jose/go-jose/v4/jwt", "pgx": "github.com/jackc/pgx/v5",
	"secretsmanager": "github.com/aws/aws-sdk-go-v2/service/secretsmanager", "status": "google.golang.org/grpc/status",

	"context": "context", "errors": "errors", "fmt": "fmt", "html": "html", "http": "net/http", "httptest": "net/http/httptest", "log": "log",
	"os": "os", "slog": "log/slog", "sql": "database/sql", "strings": "strings", "testing": "testing", "time": "time", "url": "net/url",
}

// given are the variables that every block may take for granted: what the text around it
// speaks of.
var given = []string{
	"auth *codegrant.Auth", "config codegrant.Config", "ctx context.Context", "db *sql.DB", "mux *http.ServeMux",
	"r *http.Request", "w http.ResponseWriter", "t *testing.T", "reports, profile, home, boards, publish, internal, payments, stock http.Handler",
}

// more are the variables and imports of single pages, and of single blocks.
var more = map[string]struct {
	vars    []string
	decls   string
	around  string // what the block is a part of, with %s for it
	imports map[string]string
}{
	"docs/library.md": {vars: []string{"tracer trace.Tracer"}, imports: map[string]string{
		"codes": "go.opentelemetry.io/otel/codes", "trace": "go.opentelemetry.io/otel/trace"}},
	"README.md": {vars: []string{"orders http.Handler"}},
	"docs/library.md: mux.Handle(\"/reports/\", auth.Require(codegrant.InGroup(\"analysts\"))(reports))": {vars: []string{"orders http.Handler"}},
	"docs/library.md: ownOrder := codegrant.PermissionFunc(\"your own order\", func(ctx context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {": {
		vars: []string{"orders interface{ Find(context.Context, string) (struct{ Owner int64 }, error) }"}},
	"docs/library.md: func (k apiKeys) Authenticate(r *http.Request) (*codegrant.Identity, error) {": {
		decls: "type apiKeys struct{}\nfunc (apiKeys) find(context.Context, string) (string, error)"},
	"docs/library.md: r := chi.NewRouter()": {vars: []string{"ownOrder codegrant.Permission", "order http.HandlerFunc", "reports http.HandlerFunc"}},
	"docs/library.md: e := echo.New()":      {vars: []string{"ownOrder codegrant.Permission", "order, list echo.HandlerFunc"}},
	"docs/library.md: r := gin.New()": {vars: []string{"ownOrder codegrant.Permission", "order, list gin.HandlerFunc",
		"wrap func(func(http.Handler) http.Handler) gin.HandlerFunc"}},
	"docs/library.md: id, err := auth.Bearer(ctx, token)                  // of the metadata: authorization: Bearer <token>": {
		vars: []string{"token string"}, imports: map[string]string{"codes": "google.golang.org/grpc/codes"}},
	"docs/library.md: ends, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.PostgreSQL})": {vars: []string{"redis session.Store"}},
	"docs/library.md: func TestOrders(t *testing.T) {":                                              {vars: []string{"newShop func(*testing.T, codegrant.Config) http.Handler"}},
	"docs/library.md: ctx := codegranttest.WithIdentity(t.Context(), &codegrant.Identity{Username: \"carol\", Groups: []string{\"staff\"}})": {
		vars: []string{"orders http.HandlerFunc"}},
	"docs/assertions.md":    {vars: []string{"keys jose.JSONWebKeySet"}},
	"docs/account.md":       {vars: []string{"pool cognito.Pool"}},
	"docs/pages.md":         {vars: []string{"logo []byte"}},
	"docs/organizations.md": {vars: []string{"users *sqlreplica.Store", "send func(context.Context, organization.Mail) error", "invoices http.Handler"}},
	"docs/client-secrets.md": {vars: []string{"arn string", "pool cognito.Pool"},
		imports: map[string]string{"config": "github.com/aws/aws-sdk-go-v2/config"}},
	"docs/cloudfront.md: Resources: []cloudfront.Resource{": {around: "_ = cloudfront.Config{\n%s}",
		vars: []string{"isAnalyst func(*http.Request, string) bool"}},
	"docs/cloudfront.md": {vars: []string{"signedIn func(*http.Request) (string, time.Time, bool)"}},
	"docs/delegation.md": {vars: []string{"pool exchange.By"}},
	"docs/history.md":    {vars: []string{"user replica.User", "at time.Time"}},
	"docs/local-pool.md: pool := codegranttest.NewPool(t, now)     // now: the pool's clock, nil for the real one": {vars: []string{"now func() time.Time"}},
	"docs/local-pool.md: err := pool.SetTrigger(pool.PoolID, localpool.PreTokenGeneration, localpool.Trigger{": {vars: []string{
		"pool *codegranttest.Pool", "receiver *httptest.Server", "secret string"}},
	"docs/machines.md": {vars: []string{"id string", "secret cognito.Secret", "orders http.Handler", "keys codegrant.Authenticator"}},
	"docs/mcp.md":      {vars: []string{"server http.Handler", "keys *session.Keyring", "store *sqlstore.Store"}},
	"docs/migrating-from-cognito-code-grant.md": {vars: []string{"sessions session.Store"}},
	"docs/rules.md": {vars: []string{"files []cedar.File", "schema cedar.Schema", "order http.Handler",
		"find func(context.Context, string) (struct { ID, Owner string }, error)"}},
	"docs/session-store.md": {vars: []string{"newStore func(*testing.T, func() time.Time) session.Store", "store session.Store", "keys *session.Keyring"}},
	"docs/spa.md":           {vars: []string{"frontEnd string"}},
}

// declares reports whether a text is declarations, and not statements.
func declares(text string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.SkipObjectResolution)
	return err == nil
}

var (
	ellipsis = regexp.MustCompile(`(^|[\s{])…`)
	function = regexp.MustCompile(`(?m)^func (\w+)\(`)
	selector = regexp.MustCompile(`\b([a-z]\w*)\.[A-Z]`)
)

// heading is the beginning of a whole file. Tests of journeys build whole files as they are.
var heading = regexp.MustCompile(`(?s)^\s*package main\n\nimport \(.*?\n\)\n`)

// goText is a block as the compiler takes it: where something is left out, it is nothing.
func goText(b Block) string {
	return heading.ReplaceAllString(ellipsis.ReplaceAllString(b.Text, "$1"), "")
}

// compiler type-checks blocks against the packages as they are.
type compiler struct {
	fset     *token.FileSet
	importer types.Importer
	exports  map[string]string // by import path: what the compiler says of it
}

func (c *compiler) has(path string) bool { _, ok := c.exports[path]; return ok }

// newCompiler builds what blocks import, in the modules that have it.
func newCompiler(t *testing.T) *compiler {
	t.Helper()
	exports := make(map[string]string)
	paths := slices.Collect(maps.Values(imported))
	for _, m := range more {
		paths = slices.AppendSeq(paths, maps.Values(m.imports))
	}
	// Every package that is at the top of the product can be used under its own name.
	dirs, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if files, _ := filepath.Glob(filepath.Join(root, dir.Name(), "*.go")); len(files) > 0 && dir.Name() != "examples" && dir.Name() != "e2e" && dir.Name() != "bench" {
			paths = append(paths, module+"/"+dir.Name())
		}
	}
	slices.Sort(paths)
	for _, dir := range []string{root, root + "/examples"} {
		missing := slices.DeleteFunc(slices.Compact(slices.Clone(paths)), func(p string) bool { _, ok := exports[p]; return ok })
		list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}, missing...)...)
		list.Dir = dir
		out, err := list.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Logf("%s", exit.Stderr)
			}
		}
		for line := range strings.Lines(string(out)) {
			if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok && exports[path] == "" {
				exports[path] = file
			}
		}
	}
	fset := token.NewFileSet()
	return &compiler{exports: exports, fset: fset, importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		file, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("no module here has %s", path)
		}
		return os.Open(file)
	})}
}

// compile checks a block, with the declarations that its page has in other blocks.
func (c *compiler) compile(b Block, page []Block) error {
	text, declarations := goText(b), ""
	if around := more[b.Key()].around; around != "" {
		text = fmt.Sprintf(around, text)
	}
	if declares(text) {
		return c.check(b, page, text)
	}
	if statements, rest, ok := strings.Cut(text, "\nfunc "); ok {
		text, declarations = statements, "\nfunc "+rest
	}
	var first error
	for _, results := range []string{"", "error", "(http.Handler, error)", "(bool, error)"} {
		end := ""
		if results != "" {
			end = "\npanic(0)"
		}
		err := c.check(b, page, "func _() "+results+" {\n"+text+end+"\n}"+declarations)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (c *compiler) check(b Block, page []Block, text string) error {
	texts := []string{text}
	for _, other := range page {
		if other != b && other.Language == "go" && declares(goText(other)) {
			texts = append(texts, goText(other))
		}
	}
	own := make(map[string]string)
	vars, decls := slices.Clone(given), ""
	for _, key := range []string{b.Page, b.Key()} {
		vars = append(vars, more[key].vars...)
		decls += more[key].decls + "\n"
		maps.Copy(own, more[key].imports)
	}
	byName := make(map[string]string) // the last one counts
	for _, v := range vars {
		names, rest, ok := strings.Cut(v, " ")
		for ok && strings.HasSuffix(names, ",") {
			var next string
			next, rest, ok = strings.Cut(rest, " ")
			names += next
		}
		for name := range strings.SplitSeq(names, ",") {
			byName[name] = rest
		}
	}
	for _, m := range function.FindAllStringSubmatch(text, -1) {
		delete(byName, m[1])
	}
	all := strings.Join(texts, "\n")
	var declared strings.Builder
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if own[name] == "" && name != "_" {
			fmt.Fprintf(&declared, "var %s %s\n", name, byName[name])
		}
	}
	declared.WriteString(decls)
	texts = append(texts, declared.String())
	all += declared.String()
	var imports bytes.Buffer
	seen := make(map[string]bool)
	for _, m := range selector.FindAllStringSubmatch(all, -1) {
		path := own[m[1]]
		if path == "" {
			path = imported[m[1]]
		}
		if path == "" && c.has(module+"/"+m[1]) {
			path = module + "/" + m[1]
		}
		if path != "" && !seen[m[1]] && (own[m[1]] != "" || byName[m[1]] == "") {
			seen[m[1]] = true
			fmt.Fprintf(&imports, "import %s %q\n", m[1], path)
		}
	}
	var files []*ast.File
	for i, text := range texts {
		name := b.Page
		if i > 0 {
			name = "beside " + b.Page
		}
		file, err := parser.ParseFile(c.fset, name, "package p\n"+imports.String()+text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	var faults []error
	conf := types.Config{Importer: c.importer, Error: func(err error) {
		var fault types.Error
		if errors.As(err, &fault) && fault.Soft {
			return // declared and not used: it is a fragment
		}
		if strings.HasPrefix(c.fset.Position(fault.Pos).Filename, "beside ") {
			return // of another block, which has its own turn
		}
		faults = append(faults, err)
	}}
	_, _ = conf.Check("p", c.fset, files, nil) // its error is the first of those
	return errors.Join(faults...)
}
