package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// walk visits the program and each command that --help shows, those of pool too.
func walk(t *testing.T, visit func(words []string, node *kong.Node)) {
	t.Helper()
	parser, err := kong.New(new(cli), kong.Name("codegrant"), kong.Description(description), kong.Vars{"databaseHelp": ""})
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Describe(parser.Model); err != nil {
		t.Fatal(err)
	}
	n := 0
	var each func(words []string, node *kong.Node)
	each = func(words []string, node *kong.Node) {
		n++
		visit(words, node)
		for _, child := range node.Children {
			if !child.Hidden {
				each(append(slices.Clone(words), child.Name), child)
			}
		}
	}
	each(nil, parser.Model.Node)
	if n < 60 {
		t.Fatalf("found %d commands: the walk is broken", n)
	}
}

// help prints the help of a command, as a person gets it.
func help(t *testing.T, words []string) string {
	t.Helper()
	return run(t, append(slices.Clone(words), "--help")...)
}

// TestHelpHasExamples: the help of each command shows a line to type, of this command.
func TestHelpHasExamples(t *testing.T) {
	walk(t, func(words []string, node *kong.Node) {
		name := strings.Join(append([]string{"codegrant"}, words...), " ")
		names := []string{name}
		if parent := node.Parent; parent != nil && parent.DefaultCmd == node {
			names = append(names, strings.TrimSuffix(name, " "+node.Name))
		}
		flags := "(?: -[^ ]+(?: [^-][^ ]*)?)*"
		for i, n := range names { // flags of pool stand before its command
			names[i] = strings.ReplaceAll(regexp.QuoteMeta(n), "pool ", "pool"+flags+" ")
		}
		line := regexp.MustCompile(`(?m)^ {2,}(?:.*[ (])?(?:` + strings.Join(names, "|") + `)(?: |$)`)
		if text := help(t, words); !line.MatchString(text) {
			t.Errorf("%s --help shows no example of it:\n%s", name, text)
		}
	})
}

// TestHelpKeepsLines: lines of YAML and of shells are not joined to paragraphs.
func TestHelpKeepsLines(t *testing.T) {
	blocks := 0
	walk(t, func(words []string, node *kong.Node) {
		text := help(t, words)
		shown := make(map[string]bool)
		for line := range strings.SplitSeq(text, "\n") {
			shown[strings.TrimSpace(line)] = true
		}
		for line := range strings.SplitSeq(node.Help+"\n"+node.Detail, "\n") {
			if !strings.HasPrefix(line, "  ") {
				continue
			}
			blocks++
			if !shown[strings.TrimSpace(line)] {
				t.Errorf("codegrant %s --help does not show this line as it is: %q", strings.Join(words, " "), line)
			}
		}
	})
	if blocks < 100 {
		t.Fatalf("found %d lines: the walk is broken", blocks)
	}
}

// TestHelpOfPoolCommands: the commands of pool have help, man pages and completions, as all have.
func TestHelpOfPoolCommands(t *testing.T) {
	above := help(t, []string{"pool"})
	bash := run(t, "completion", "bash")
	for _, command := range []string{"run", "export", "diff", "apply"} {
		if !strings.Contains(above, "\n  pool "+command+" ") {
			t.Errorf("codegrant pool --help does not list %s:\n%s", command, above)
		}
		if !strings.Contains(bash, `"pool:`+command+`") at="pool `+command+`"`) {
			t.Errorf("bash does not complete codegrant pool %s", command)
		}
	}
	if export := help(t, []string{"pool", "export"}); strings.Contains(export, "--seed=") {
		t.Errorf("export shows flags of the pool:\n%s", export)
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := terminal.Run(t.Context(), args, &out, &errs, new(cli), kong.Description(description)); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &errs)
	}
	return out.String()
}
