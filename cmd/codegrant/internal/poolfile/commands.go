package poolfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// Commands is the table of commands.
type Commands struct {
	Export Export `cmd:"" help:"Print the configuration of a pool as YAML: settings, app clients, domain, resource servers, identity providers without secrets, groups."`
	Diff   Diff   `cmd:"" help:"Compare a pool with a file, or with another pool. Exit status 1 if they differ."`
	Apply  Apply  `cmd:"" help:"Change a pool to what a file says. Without --yes, print the plan."`
}

// at says which pool, and how it is reached.
type at struct {
	PoolID   string `required:"" placeholder:"ID" help:"Id of the pool, such as eu-west-1_Ab12Cd34E."`
	Endpoint string `placeholder:"URL" help:"Ask this endpoint instead of AWS, such as a local pool at http://localhost:9229."`
	Profile  string `placeholder:"NAME" help:"Profile of AWS's tools. Defaults to the usual credentials."`
}

func client(ctx context.Context, id, endpoint, profile string) (*cip.Client, error) {
	region, _, ok := strings.Cut(id, "_")
	if !ok {
		return nil, fmt.Errorf("%q is not an id of a pool, such as eu-west-1_Ab12Cd34E", id)
	}
	return awsapi.Way{Region: region, Endpoint: endpoint, Profile: profile, Log: slog.Default()}.Cognito(ctx)
}

func (a at) read(ctx context.Context) (*cip.Client, *File, error) {
	api, err := client(ctx, a.PoolID, a.Endpoint, a.Profile)
	if err != nil {
		return nil, nil, err
	}
	f, err := read(ctx, api, a.PoolID)
	return api, f, parts.NoPool(err, a.PoolID)
}

func readFile(path string) (*File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Export is codegrant pool export.
type Export struct {
	at
	JSON bool `name:"json" help:"Print JSON."`

	People   string   `enum:",anonymized" default:"" placeholder:"anonymized" help:"Write the seed of a local pool to --to, with people of the same shapes whom nobody can recognize."`
	To       string   `env:"-" type:"path" placeholder:"FILE" help:"With --people: the seed, for codegrant pool --seed. The file must not exist."`
	Limit    int      `env:"-" default:"10000" help:"With --people: so many people at most; 0: all."`
	Factors  bool     `name:"second-factors" env:"-" help:"With --people: also ask the pool for the second factors of each person. Amazon counts people who are asked for as active in this month."`
	Replica  string   `env:"-" type:"path" placeholder:"FILE" help:"With --people: read people from the replica of this configuration, such as codegrant.yaml."`
	Backup   string   `env:"-" type:"path" placeholder:"FILE" help:"With --people: read people from this file of codegrant backup. Needs --identity."`
	Identity []string `env:"-" type:"path" placeholder:"FILE" help:"File with the secret key that opens the backup."`
	File     string   `env:"-" type:"path" placeholder:"FILE" help:"With --people: take the configuration from this file of an earlier export, and not from the pool."`
}

// Help is shown by codegrant pool export --help.
func (Export) Help() string {
	return `Reads the configuration of a pool, at AWS or local. The file has no secrets and no people.
With --people anonymized, it writes the seed of a local pool, with people whom nobody can
recognize. See docs/pool-config.md.

Examples:
  codegrant pool export --pool-id eu-west-1_Ab12Cd34E > pool-config.yaml
  codegrant pool export --pool-id local_Shop1 --endpoint http://localhost:9229
  codegrant pool export --pool-id eu-west-1_Ab12Cd34E --people anonymized --to shop.yaml`
}

// Run prints a pool.
func (c Export) Run(ctx context.Context, out *terminal.Streams) error {
	if c.People != "" {
		return c.people(ctx, out)
	}
	if c.To != "" || c.Replica != "" || c.Backup != "" || c.File != "" || c.Factors {
		return errors.New("--to, --second-factors, --replica, --backup and --file need --people anonymized")
	}
	_, f, err := c.read(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, f)
	}
	text, err := f.yaml()
	if err != nil {
		return err
	}
	_, err = out.Stdout.Write(text)
	return err
}

// Diff is codegrant pool diff.
type Diff struct {
	at
	File          string `type:"path" placeholder:"FILE" help:"File that the pool is compared with."`
	Other         string `placeholder:"ID" help:"Id of another pool that it is compared with."`
	OtherEndpoint string `placeholder:"URL" help:"Ask this endpoint for the other pool."`
	OtherProfile  string `placeholder:"NAME" help:"Profile of AWS's tools for the other pool."`
	JSON          bool   `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant pool diff --help.
func (Diff) Help() string {
	return `Prints each setting that differs. Exit status: 0 if there is no difference, 1 if there is
one, 2 if the two could not be compared.

Examples:
  codegrant pool diff --pool-id eu-west-1_Ab12Cd34E --file pool-config.yaml
  codegrant pool diff --pool-id eu-west-1_Ab12Cd34E --other eu-west-1_Zz99Yy88X --other-profile staging`
}

// Run prints the differences. The statuses are those of diff: 0 for none, 1 for some, 2 for
// trouble.
func (c Diff) Run(ctx context.Context, out *terminal.Streams) error {
	n, err := c.compare(ctx, out)
	switch {
	case err != nil:
		return terminal.Exit(2, err)
	case n > 0:
		return terminal.Exit(1, fmt.Errorf("%s", terminal.Plural(n, "difference")))
	}
	return nil
}

func (c Diff) compare(ctx context.Context, out *terminal.Streams) (int, error) {
	if (c.File == "") == (c.Other == "") {
		return 0, errors.New("say what to compare the pool with: --file or --other")
	}
	_, have, err := c.read(ctx)
	if err != nil {
		return 0, err
	}
	var want *File
	if c.File != "" {
		want, err = readFile(c.File)
	} else {
		_, want, err = at{c.Other, c.OtherEndpoint, cmp.Or(c.OtherProfile, c.Profile)}.read(ctx)
	}
	if err != nil {
		return 0, err
	}
	differences := Compare(have, want)
	return len(differences), tell(out, differences, c.JSON)
}

func tell(out *terminal.Streams, differences []Difference, asJSON bool) error {
	for _, d := range differences {
		if asJSON {
			if err := terminal.PrintJSON(out.Stdout, d); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(out.Stdout, terminal.Printable(d.String()))
	}
	return nil
}

// Apply is codegrant pool apply.
type Apply struct {
	at
	File    string `required:"" type:"path" placeholder:"FILE" help:"File of codegrant pool export."`
	Secrets string `type:"path" placeholder:"FILE" help:"YAML file with the secrets of identity providers that the pool lacks, by their names. A secret can also be in CODEGRANT_PROVIDER_SECRET_ and the name in capitals."`
	Yes     bool   `env:"-" help:"Do it. Without it, the command prints the plan."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant pool apply --help.
func (Apply) Help() string {
	return `Changes a pool to the settings of a file, and then reads the pool again to check them. It
deletes nothing. If the command is interrupted, run it again. Exit status: 1 if the pool
has not taken a setting.

Examples:
  codegrant pool apply --pool-id eu-west-1_Ab12Cd34E --file pool-config.yaml           the plan
  codegrant pool apply --pool-id eu-west-1_Ab12Cd34E --file pool-config.yaml --yes
  codegrant pool apply --pool-id eu-west-1_Ab12Cd34E --file pool-config.yaml --secrets secrets.yaml --yes`
}

// Run changes the pool, or says what that would be.
func (c Apply) Run(ctx context.Context, out *terminal.Streams) error {
	want, err := readFile(c.File)
	if err != nil {
		return err
	}
	api, have, err := c.read(ctx)
	if err != nil {
		return err
	}
	// A setting that the file does not have stays, and is not part of a plan.
	differences := slices.DeleteFunc(Compare(have, want), func(d Difference) bool { return d.Kept == unsaid })
	if err := tell(out, differences, c.JSON); err != nil {
		return err
	}
	changes, fixed := 0, 0
	for _, d := range differences {
		switch d.Kept {
		case "":
			changes++
		case onlyThere:
		default:
			fixed++
		}
	}
	if fixed > 0 {
		fmt.Fprintf(out.Stderr, "%s cannot be changed and will stay. Create another pool if you need them.\n", terminal.Plural(fixed, "setting"))
	}
	secrets, missing, err := secretsFor(c.Secrets, have, want)
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Fprintf(out.Stderr, "identity provider %s: it needs a secret: %s\n", terminal.Printable(m.provider), m.remedy)
	}
	switch {
	case len(missing) > 0 && c.Yes:
		return terminal.Exit(1, fmt.Errorf("%s missing; nothing is done", terminal.Plural(len(missing), "secret")))
	case changes == 0:
		fmt.Fprintln(out.Stderr, "There is nothing to change.")
		return nil
	case !c.Yes:
		fmt.Fprintln(out.Stderr, "Nothing is done yet: add --yes.")
		return nil
	}
	if err := apply(ctx, api, c.PoolID, have, want, differences, secrets); err != nil {
		return fmt.Errorf("%w; run the command again, and it continues", err)
	}
	// The pool has the last word.
	if have, err = readSettled(ctx, api, c.PoolID); err != nil {
		return err
	}
	left := 0
	for _, d := range Compare(have, want) {
		if d.Kept == "" {
			left++
			fmt.Fprintln(out.Stderr, "not taken by the pool: "+terminal.Printable(d.String()))
		}
	}
	if left > 0 {
		return terminal.Exit(1, fmt.Errorf("the pool has not taken %s", terminal.Plural(left, "setting")))
	}
	fmt.Fprintf(out.Stderr, "%s done.\n", terminal.Plural(changes, "change"))
	return nil
}
