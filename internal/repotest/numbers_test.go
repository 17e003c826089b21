package repotest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"strings"
	"testing"
	"time"
)

// numbers are numbers of the pages that constants of the code hold too: a page with a phrase,
// a file with a constant, and its value now. If you change one of them, change the others.
var numbers = []struct {
	page, phrase   string
	file, constant string
	value          int64
}{
	{"docs/http.md", "The message is\nthere for five minutes", "flash.go", "flashLifetime", int64(5 * time.Minute)},
	{"docs/http.md", "valid for ten minutes in this session", "broker/config.go", "consentTime", int64(10 * time.Minute)},
	{"docs/http.md", "required, within a minute, once", "broker/config.go", "codeTime", int64(time.Minute)},
	{"docs/http.md", "Its id ends after a day if nobody has let it act", "broker/config.go", "unusedTime", int64(24 * time.Hour)},
	{"docs/http.md", "and 90 days after its last use", "broker/config.go", "clientTime", int64(90 * 24 * time.Hour)},
	{"docs/http.md", "a state that is valid for ten minutes", "upstream/consent.go", "attemptTime", int64(10 * time.Minute)},
	{"docs/http.md", "Comes back as it is. At most 4 KiB.", "broker/authorize.go", "maxState", 4 << 10},
	{"docs/http.md", "It shows 100.", "organization/organization.go", "page", 100},
	{"docs/http.md", "`seconds` (1 to 120, 30 by default)", "cmd/codegrant/internal/ops/profile.go", "profileMost", 120},
	{"docs/http.md", "`seconds` (1 to 120, 30 by default)", "cmd/codegrant/internal/ops/profile.go", "profileSeconds", 30},
	{"docs/http.md", "larger than a megabyte", "directory/events.go", "maxEventBytes", 1 << 20},

	{"docs/reliability.md", "a sign-in after 20 s", "callback.go", "signInTimeout", int64(20 * time.Second)},
	{"docs/reliability.md", "the request waits, up to 15 s, then 503", "internal/keep/engine.go", "refreshWait", int64(15 * time.Second)},
	{"docs/reliability.md", "for the 30 s that a refresh may take", "internal/keep/engine.go", "refreshTime", int64(30 * time.Second)},
	{"docs/reliability.md", "takes 10 s, or up to 25", "internal/keep/engine.go", "refreshTimeout", int64(25 * time.Second)},
	{"docs/reliability.md", "a back-off of at most 15 s", "internal/keep/flight.go", "maxBackoff", int64(15 * time.Second)},
	{"docs/reliability.md", "wait for up to the 8 s of the lease", "internal/keep/lease.go", "refreshLease", int64(8 * time.Second)},
	{"docs/reliability.md", "It tries for 30 days", "internal/keep/owed.go", "owedLife", int64(30 * 24 * time.Hour)},
	{"docs/reliability.md", "with a back-off of 10 s to an hour", "internal/keep/owed.go", "owedPause", int64(10 * time.Second)},
	{"docs/reliability.md", "with a back-off of 10 s to an hour", "internal/keep/owed.go", "owedMost", int64(time.Hour)},
	{"docs/reliability.md", "503 with that `Retry-After`, up to a minute", "internal/fault/unavailable.go", "maxAskedWait", int64(time.Minute)},
	{"docs/reliability.md", "Codegrant warns 21\ndays before a certificate expires", "cmd/codegrant/internal/serve/certificate.go", "expiresSoon", int64(21 * 24 * time.Hour)},

	{"docs/gateway.md", "every 34 to 50 seconds", "cmd/codegrant/internal/serve/callbacks.go", "poolEvery", int64(42 * time.Second)},
	{"docs/gateway.md", "The agent itself gives up after 10 s", "gateway/spoe/server.go", "frameTimeout", int64(10 * time.Second)},
	{"docs/gateway.md", "0.2 s after the last question", "gateway/spoe/connection.go", "stopQuiet", int64(200 * time.Millisecond)},
	{"docs/gateway.md", "or after 2 s as soon as no question is in progress", "gateway/spoe/connection.go", "stopPatience", int64(2 * time.Second)},
	{"docs/gateway.md", "| 100 days; or people connect again |", "upstream/upstream.go", "keepTime", int64(100 * 24 * time.Hour)},
	{"docs/sign-in-problems.md", "After four rounds", "loop.go", "maxSignInsInARow", 4},
	{"docs/cloudfront.md", "`Lifetime` (30 minutes)", "cloudfront/config.go", "defaultLifetime", int64(30 * time.Minute)},
	{"docs/machines.md", "in the last five minutes of its life", "machine/source.go", "earlyAtMost", int64(5 * time.Minute)},
	{"docs/mcp.md", "That time is 5 minutes by default", "broker/documents.go", "usualAge", int64(5 * time.Minute)},
	{"docs/mcp.md", "and at most 24 hours", "broker/documents.go", "longestAge", int64(24 * time.Hour)},
	{"docs/mcp.md", "Every five minutes it reads the pool's own metadata", "mcp/pool.go", "poolFresh", int64(5 * time.Minute)},
	{"docs/webhooks.md", "Answer with 2xx within 15 seconds", "webhook/post.go", "postTime", int64(15 * time.Second)},
	{"docs/organizations.md", "5 invitations to one address", "organization/sent.go", "MaxSentToAddress", 5},
	{"docs/organizations.md", "100 by one person", "organization/sent.go", "MaxSentByPerson", 100},
	{"docs/organizations.md", "500 by one organization", "organization/sent.go", "MaxSentByOrganization", 500},
	{"docs/erasure.md", "Wait up to 45 seconds", "cmd/codegrant/internal/inspect/erase.go", "upstreamPatience", int64(45 * time.Second)},
	{"docs/backup.md", "from a million above", "backup/tables.go", "spare", 1_000_000},
	{"docs/restore.md", "It goes back 15 minutes at least", "cmd/codegrant/internal/restoring/wholepool.go", "leastBack", int64(15 * time.Minute)},
	{"docs/restore.md", "one day with the plan Essentials", "cmd/codegrant/internal/restoring/wholepool.go", "windowEssentials", int64(24 * time.Hour)},
	{"docs/restore.md", "14 days with the plan Plus", "cmd/codegrant/internal/restoring/wholepool.go", "windowPlus", int64(14 * 24 * time.Hour)},
	{"docs/restore.md", "one page of 200 people", "restore/restore.go", "pageSize", 200},
	{"docs/sync.md", "Its data count as five minutes old", "directory/regroup.go", "modifiedMargin", int64(5 * time.Minute)},
}

// TestNumbers: numbers of the pages are those of the code.
func TestNumbers(t *testing.T) {
	files := make(map[string]*ast.File)
	for _, f := range goFiles(t) {
		files[f.path] = f.syntax
	}
	pages := make(map[string]string)
	for _, n := range numbers {
		if pages[n.page] == "" {
			pages[n.page] = strings.Join(strings.Fields(read(t, n.page)), " ")
		}
		if !strings.Contains(pages[n.page], strings.Join(strings.Fields(n.phrase), " ")) {
			t.Errorf("%s has no %q, for %s of %s", n.page, n.phrase, n.constant, n.file)
		}
		file := files[n.file]
		if file == nil {
			t.Errorf("there is no file %s", n.file)
			continue
		}
		switch got, ok := constantOf(file, n.constant); {
		case !ok:
			t.Errorf("%s has no constant %s", n.file, n.constant)
		case got != n.value:
			t.Errorf("%s of %s is %d, was %d: change it in %s (%q) and here", n.constant, n.file, got, n.value, n.page, n.phrase)
		}
	}
}

// constantOf is the value of a constant of a file.
func constantOf(file *ast.File, name string) (value int64, ok bool) {
	for _, d := range file.Decls {
		general, isGeneral := d.(*ast.GenDecl)
		if !isGeneral || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			for i, id := range spec.(*ast.ValueSpec).Names {
				if values := spec.(*ast.ValueSpec).Values; id.Name == name && i < len(values) {
					return constant.Int64Val(constant.ToInt(computed(values[i])))
				}
			}
		}
	}
	return 0, false
}

// computed is the value of a constant expression.
func computed(e ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return computed(e.X)
	case *ast.SelectorExpr:
		unit := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}[e.Sel.Name]
		if unit > 0 {
			return constant.MakeInt64(int64(unit))
		}
	case *ast.BinaryExpr:
		x, y := computed(e.X), computed(e.Y)
		if x.Kind() == constant.Unknown || y.Kind() == constant.Unknown {
			break
		}
		if n, ok := constant.Uint64Val(y); ok && e.Op == token.SHL {
			return constant.Shift(x, e.Op, uint(n))
		}
		return constant.BinaryOp(x, e.Op, y)
	}
	return constant.MakeUnknown()
}
