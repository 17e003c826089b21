package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

type Command struct {
	Config   string        `env:"-" type:"path" placeholder:"FILE" help:"Check this configuration file of codegrant serve: all pools, database, Redis, certificate and upstreams. Without it, doctor checks the settings in the environment."`
	Database string        `placeholder:"URL" help:"${databaseHelp} Without it, doctor checks no database."`
	Django   bool          `help:"The replica uses the tables of a Django project."`
	People   bool          `env:"-" help:"With --django: read the users of the pool, and list the people who would not find their account. Needs the AWS permissions of codegrant sync."`
	Endpoint string        `placeholder:"URL" help:"With --people: send API requests for the pool to this URL instead of AWS. A local pool needs no endpoint."`
	Timeout  time.Duration `default:"20s" help:"Time limit for all checks together."`
	AWS      bool          `name:"aws" help:"Read the pool and the app client from the AWS API, too, with the credentials that the AWS tools use. Needs cognito-idp:DescribeUserPool, DescribeUserPoolClient and other read permissions."`
	JSON     bool          `name:"json" help:"Print the findings as JSON."`
}

// Help is shown by codegrant doctor --help.
func (Command) Help() string {
	return `Reads the settings from the environment, and compares them with the pool. It sends
the same requests as a browser and a service. It tells you what is wrong, and how
to fix it. It signs nobody in and changes nothing.

The three required settings:
  AUTH_COGNITO_CLIENT_ID       the app client
  AUTH_COGNITO_CODE_GRANT_URL  https://<domain>/oauth2/token
  AUTH_COGNITO_JWKS_URL        <issuer>/.well-known/jwks.json
docs/library.md lists the others, under "Settings from the environment".

Exit status: 0 if there is no fault, 1 if there is one.

Examples:
  codegrant doctor
  set -a; . ./app.env; codegrant doctor --database postgres://app@db.internal/app
  codegrant doctor --database postgres://app@db.internal/django --django --people
  codegrant doctor --config codegrant.yaml
  codegrant doctor --json | jq '.[] | select(.level == "fault")'`
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	e := examination{now: time.Now, askAWS: c.AWS, client: &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.Config != "" {
		if c.People {
			return errors.New("--people needs --database, --django and the settings in the environment: leave out --config")
		}
		e.words = wordsOfFile
		e.configuration(ctx, c.Config)
		return c.end(&e, out)
	}
	e.words = wordsOfEnvironment
	config, err := codegrant.ConfigFromEnv()
	if err == nil {
		err = parts.WithClientSecret(&config.Pool)
	}
	e.settings(config, err)
	if err == nil {
		e.pool(ctx, config)
	}
	if c.Database != "" {
		e.database(ctx, c.Database, c.Django)
	}
	switch {
	case c.People && (c.Database == "" || !c.Django):
		return errors.New("--people needs --database and --django: it checks the accounts of a Django project")
	case c.Database != "" && c.Django && err == nil:
		e.accounts(ctx, c, config)
	}
	return c.end(&e, out)
}

// end prints what was found.
func (c Command) end(e *examination, out *terminal.Streams) error {
	if err := e.report(out.Stdout, c.JSON); err != nil {
		return err
	}
	if n := e.count(fault); n > 0 {
		return fmt.Errorf("%d of %d checks found a fault", n, len(e.findings))
	}
	return nil
}

// level of a finding.
type level string

const (
	fine    level = "ok"
	warning level = "warning"
	fault   level = "fault"
)

// finding is what one check says.
type finding struct {
	Check string `json:"check"` // a stable name
	Pool  string `json:"pool,omitempty"`
	Level level  `json:"level"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

// examination collects findings.
type examination struct {
	now      func() time.Time
	client   *http.Client
	askAWS   bool
	file     string // the configuration; empty: the environment
	of       string // whose findings are made; empty: those of the only one
	words    *strings.Replacer
	slow     bool // the token endpoint was said to be
	findings []finding
}

// add takes a finding, in the words of whoever wrote the settings.
func (e *examination) add(check string, l level, fix, format string, args ...any) {
	f := finding{check, e.of, l, fmt.Sprintf(format, args...), fix}
	if e.words != nil {
		f.Found, f.Fix = e.words.Replace(f.Found), e.words.Replace(f.Fix)
	}
	e.findings = append(e.findings, f)
}

func (e *examination) fine(check, format string, args ...any) {
	e.add(check, fine, "", format, args...)
}

func (e *examination) warn(check, fix, format string, args ...any) {
	e.add(check, warning, fix, format, args...)
}

func (e *examination) fault(check, fix, format string, args ...any) {
	e.add(check, fault, fix, format, args...)
}

func (e *examination) count(l level) (n int) {
	for _, f := range e.findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

func (e *examination) report(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(e.findings)
	}
	marks := map[level]string{fine: "  ok     ", warning: "  warning", fault: "  FAULT  "}
	for _, f := range e.findings {
		if f.Pool != "" {
			f.Found = "pool " + f.Pool + ": " + f.Found
		}
		fmt.Fprintf(w, "%s  %-10s  %s\n", marks[f.Level], f.Check, f.Found)
		if f.Fix != "" {
			fmt.Fprintf(w, "             %-10s  → %s\n", "", strings.ReplaceAll(f.Fix, "\n", "\n                           "))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s, %s, %s\n", terminal.Plural(len(e.findings), "check"), terminal.Plural(e.count(fault), "fault"), terminal.Plural(e.count(warning), "warning"))
	return err
}

// faultsOf takes errors that were joined apart, so that each gets a line.
func faultsOf(err error) []error {
	for err != nil {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, one := range joined.Unwrap() {
				all = append(all, faultsOf(one)...)
			}
			return all
		}
		inner := errors.Unwrap(err)
		if _, ok := inner.(interface{ Unwrap() []error }); !ok {
			return []error{err}
		}
		err = inner
	}
	return nil
}
