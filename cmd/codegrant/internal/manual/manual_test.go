package manual

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// table is one of commands, for tests.
type table struct {
	Run struct {
		Config string `type:"path" placeholder:"FILE" help:"Configuration. Read again when it changes."`
		Format string `enum:"text,json" default:"text" help:"How to print."`
		Quiet  bool   `short:"q" help:"It's quiet: don't speak."`
		Secret string `hidden:"" help:"Not for you."`
	} `cmd:"" help:"Run it."`
	Users struct {
		List struct{} `cmd:"" help:"List them."`
		Show struct {
			Who string `arg:"" help:"Name or e-mail address."`
		} `cmd:"" help:"Show one."`
	} `cmd:"" help:"Look at people."`
	Inner      struct{}   `cmd:"" hidden:"" help:"Not for you."`
	Completion Completion `cmd:"" help:"Print completions."`
	Man        Man        `cmd:"" help:"Write man pages."`
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := terminal.Run(t.Context(), args, &out, &errs, new(table)); status != 0 {
		t.Fatalf("%q: status %d, %s", args, status, &errs)
	}
	return out.String()
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	run(t, "man", "--dir", dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "Not for you") {
			t.Errorf("%s tells what is hidden", e.Name())
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, ".") && !regexp.MustCompile(`^\.(TH|SH|TP|B|I|RI|BR|PP|nf|fi)( |$)`).MatchString(line) || strings.HasPrefix(line, "'") {
				t.Errorf("%s:%d: %q is read as an instruction", e.Name(), i+1, line)
			}
		}
	}
	want := []string{"codegrant-completion.1", "codegrant-man.1", "codegrant-run.1", "codegrant-users-list.1", "codegrant-users-show.1", "codegrant-users.1", "codegrant.1"}
	if !slices.Equal(names, want) {
		t.Errorf("pages\n%q, want\n%q", names, want)
	}
	page, err := os.ReadFile(filepath.Join(dir, "codegrant-run.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`codegrant\-run \- Run it`, "\\fB\\-\\-config\\fR=\\fIFILE\\fR\nConfiguration. Read again when it changes.",
		`\fB\-q\fR, \fB\-\-quiet\fR`, ".B CODEGRANT_CONFIG\nsets \\-\\-config.", ".BR codegrant (1)",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if one := run(t, "man"); !strings.HasPrefix(one, `.TH "CODEGRANT" 1`) {
		t.Errorf("without a folder: %.60q", one)
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		".PP":       `\&.PP`,
		"'quoted'":  `\&'quoted'`,
		`C:\new`:    `C:\enew`,
		"--drain":   `\-\-drain`,
		"a.b 'c' d": "a.b 'c' d",
	} {
		if got := escape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestBashCompletes asks bash itself what a line may go on with.
func TestBashCompletes(t *testing.T) {
	script := run(t, "completion", "bash")
	for _, tt := range []struct{ line, want string }{
		{"codegrant ", "run users completion man --help"},
		{"codegrant u", "users"},
		{"codegrant users ", "list show --help"},
		{"codegrant users show --", "--help"},
		{"codegrant run --", "--help --config --format --quiet"},
		{"codegrant run --format ", "text json"},
		{"codegrant run --format j", "json"},
		{"codegrant run --quiet --c", "--config"},
		{"codegrant run --config ", ""}, // a file: bash's own way
		{"codegrant run --config users --q", "--quiet"},
		{"codegrant completion ", "bash zsh fish --help"},
		{"codegrant nonsense --", "--help"},
	} {
		words := strings.Split(tt.line, " ")
		command := exec.CommandContext(t.Context(), "bash", "-c", script+"\nCOMP_WORDS=(\"$@\") COMP_CWORD=$(($#-1)); _codegrant; echo \"${COMPREPLY[*]}\"", "bash")
		command.Args = append(command.Args, words...)
		out, err := command.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
}

// TestOtherShells: each has every command and flag, quoted.
func TestOtherShells(t *testing.T) {
	for shell, wants := range map[string][]string{
		"zsh":  {"#compdef codegrant\n", `'list:List them'`, `'--config:Configuration'`, `'--quiet:It'\''s quiet: don'\''t speak'`, "('run:--format') compadd -- text json; return ;;", "('run:--config') _files; return ;;", "(bash zsh fish)"},
		"fish": {"complete -c codegrant -n '__codegrant_at \"users\"' -f -a list -d 'List them'", `-l quiet -s q -d 'It\'s quiet: don\'t speak'`, "-l format -x -a 'text json'", "-l config -r"},
	} {
		got := run(t, "completion", shell)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %s:\n%s", shell, want, got)
			}
		}
		if strings.Contains(got, "Not for you") || strings.Contains(got, "inner") {
			t.Errorf("%s tells what is hidden", shell)
		}
	}
}
