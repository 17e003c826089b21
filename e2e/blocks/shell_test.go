package blocks

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// lines returns the commands of a block, each on one line, without comments.
func lines(b Block) []string {
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(b.Text, "\\\n", " ")) {
		if b.Language == "console" {
			command, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				continue
			}
			line = command
		}
		line = regexp.MustCompile(`(^|\s)#.*`).ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
		for command := range strings.SplitSeq(line, " && ") {
			if command = strings.TrimSpace(command); command != "" {
				all = append(all, command)
			}
		}
	}
	return all
}

func isShell(b Block) bool { return b.Language == "sh" || b.Language == "console" }

// TestShellBlocks: each block of commands is run by the test that the list names, or cannot
// run here, for the reason that the list gives.
func TestShellBlocks(t *testing.T) {
	for _, b := range read(t) {
		if isShell(b) && elsewhere[b.Key()] == "" && ran[b.Key()] == "" {
			t.Errorf("%s:%d: no test runs it, and the list gives no reason: %q", b.Page, b.Line, b.Key())
		}
	}
}

// TestLists: what the lists say is of blocks that there are, and of tests that there are.
func TestLists(t *testing.T) {
	keys := make(map[string]Block)
	for _, b := range read(t) {
		keys[b.Key()] = b
	}
	for key, reason := range elsewhere {
		if _, ok := keys[key]; !ok {
			t.Errorf("elsewhere: there is no block %q", key)
		}
		if len(reason) < 20 {
			t.Errorf("elsewhere: %q has no reason", key)
		}
	}
	for key := range ran {
		if _, ok := keys[key]; !ok {
			t.Errorf("ran: there is no block %q", key)
		}
		if elsewhere[key] != "" {
			t.Errorf("%q is in ran, and in elsewhere: it is run, or it cannot be", key)
		}
	}
	tests := make(map[string]string) // the text of the file that has a test
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			tests[found[1]] += string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, test := range ran {
		for name := range strings.FieldsSeq(test) {
			if tests[name] == "" {
				t.Errorf("ran: %q: there is no test %s", key, name)
			} else if !takes(tests[name], keys[key]) {
				t.Errorf("ran: %q: the file of %s does not take the block from its page: it names neither the page nor how the block begins", key, name)
			}
		}
	}
	for key, reason := range elsewhere {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(reason, -1) {
			if tests[name] == "" {
				t.Errorf("elsewhere: %q: there is no test %s", key, name)
			}
		}
	}
	for key := range more {
		if page, _, isBlock := strings.Cut(key, ": "); isBlock {
			if _, ok := keys[key]; !ok {
				t.Errorf("more: there is no block %q", key)
			}
		} else if _, err := os.Stat(filepath.Join(root, page)); err != nil {
			t.Error(err)
		}
	}
}

// takes reports whether the text of a test names the page of a block, and either how the block
// begins or that it looks for fences.
func takes(test string, b Block) bool {
	begins := strings.Contains(test, "```")
	for _, literal := range regexp.MustCompile("\"(?:[^\"\\\\\n]|\\\\.)*\"|`[^`]*`").FindAllString(test, -1) {
		if text, err := strconv.Unquote(literal); err == nil && len(text) > 5 && strings.HasPrefix(strings.TrimSpace(b.Text), text) {
			begins = true
		}
	}
	return begins && strings.Contains(test, b.Page)
}

// program is codegrant, and what it says of its commands.
type program struct {
	t      *testing.T
	binary string
	help   map[string]string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	binary, err := theProgram()
	if err != nil {
		t.Fatal(err)
	}
	return &program{t, binary, make(map[string]string)}
}

// installs is the page whose command builds codegrant.
const installs = "docs/versions.md"

// theProgram builds codegrant, once for all tests.
var theProgram = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(programs, "codegrant")
	b, ok := Find(root, installs, "go install ./cmd/codegrant")
	if !ok {
		return "", fmt.Errorf("%s does not say how to build codegrant", installs)
	}
	command := strings.Fields(lines(b)[0])
	build := exec.Command(command[0], command[1:]...)
	build.Dir, build.Env = root, append(os.Environ(), "GOBIN="+programs)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build codegrant: %w\n%s", err, out)
	}
	return binary, nil
})

var programs string // a folder

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "codegrant-blocks-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(programs)
	os.Exit(status)
}

func (p *program) helpOf(words ...string) string {
	key := strings.Join(words, " ")
	if p.help[key] == "" {
		out, err := exec.CommandContext(p.t.Context(), p.binary, append(words, "--help")...).CombinedOutput()
		if err != nil {
			p.t.Fatalf("codegrant %s --help: %v\n%s", key, err, out)
		}
		p.help[key] = string(out)
	}
	return p.help[key]
}

var (
	aFlag   = regexp.MustCompile(`^--[a-z][a-z-]*`)
	aQuoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	aWord   = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// check finds what a command line has that codegrant does not know.
func (p *program) check(line string) string {
	words := strings.Fields(aQuoted.ReplaceAllString(line, "Q"))
	var commands []string
	known := p.helpOf()
	i := 0
	for ; i < len(words) && aWord.MatchString(words[i]); i++ {
		if !regexp.MustCompile(`(?m)^ +(codegrant )?` + strings.Join(append(commands, words[i]), " ") + `( [^-]| --[a-z]|$)`).MatchString(known) {
			if i == 0 {
				return "there is no command " + words[i]
			}
			break
		}
		commands = append(commands, words[i])
		known = p.helpOf(commands...)
	}
	if at := len(commands); i < len(words) && at > 0 && regexp.MustCompile(regexp.QuoteMeta("codegrant "+strings.Join(commands, " ")+" "+words[i])+" --[a-z]").MatchString(known) {
		known += p.helpOf(append(commands[:at:at], words[i])...) // a command that the help names, and does not list
	}
	if regexp.MustCompile(`(?m)^  (\S+ )*list `).MatchString(known) && len(commands) > 0 {
		known += p.helpOf(append(commands, "list")...) // what it does without a further word
	}
	for _, word := range words[i:] {
		if word == "--" || strings.HasPrefix(word, "#") || word == "|" || word == "<<<" || word == ">" {
			break
		}
		if name := aFlag.FindString(word); name != "" && !regexp.MustCompile(regexp.QuoteMeta(name)+`([^a-z-]|$)`).MatchString(known) {
			return "codegrant " + strings.Join(commands, " ") + " has no " + name
		}
	}
	return ""
}

// TestCommandLines: codegrant has every command and flag that the documentation names, in
// blocks and in the text; make has the targets, npm the scripts, and the folders of go run
// and the scripts are there.
func TestCommandLines(t *testing.T) {
	p := newProgram(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	look := func(where, line, page string) {
		words := strings.Fields(line)
		for len(words) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) < 2 {
			return
		}
		there := func(path string) {
			for _, dir := range []string{root, filepath.Join(root, filepath.Dir(page)), filepath.Join(root, "examples")} {
				if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
					return
				}
			}
			t.Errorf("%s: %s: there is no %s", where, line, path)
		}
		rest := strings.Join(words[1:], " ")
		switch {
		case words[0] == "codegrant":
			checked++
			if fault := p.check(rest); fault != "" {
				t.Errorf("%s: %s: %s", where, line, fault)
			}
		case strings.Contains(line, " ./cmd/codegrant ") && strings.Contains(line, " run "):
			checked++
			_, rest, _ := strings.Cut(line, " ./cmd/codegrant ")
			if fault := p.check(rest); fault != "" {
				t.Errorf("%s: %s: %s", where, line, fault)
			}
		case words[0] == "make":
			checked++
			if !strings.Contains(string(makefile), "\n"+words[1]+": ##") {
				t.Errorf("%s: make has no %s", where, words[1])
			}
		case words[0] == "npm" && words[1] == "run":
			checked++
			text, err := os.ReadFile(filepath.Join(root, "examples", "spa", "web", "package.json"))
			var pack struct{ Scripts map[string]string }
			if err != nil || json.Unmarshal(text, &pack) != nil || pack.Scripts[words[2]] == "" {
				t.Errorf("%s: npm has no script %s", where, words[2])
			}
		case strings.HasPrefix(words[0], "scripts/"):
			checked++
			there(words[0])
		case words[0] == "go" && strings.Contains(line, " run ./"):
			checked++
			_, folder, _ := strings.Cut(line, " run ./")
			folder, _, _ = strings.Cut(folder, " ")
			if strings.Contains(line, "-C bench") {
				folder = "bench/" + folder
			}
			there(folder)
		}
	}
	for _, b := range read(t) {
		if isShell(b) {
			for _, line := range lines(b) {
				look(b.Key(), line, b.Page)
			}
		}
	}
	inline := regexp.MustCompile("`((?:codegrant|make|scripts/[a-z-]+\\.sh) [^`]+)`")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "deploy", "README.md"), filepath.Join(root, "CONTRIBUTING.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inline.FindAllStringSubmatch(string(text), -1) {
			look(filepath.Base(page), strings.ReplaceAll(m[1], "\n", " "), filepath.Base(page))
		}
	}
	if checked < 80 {
		t.Errorf("checked %d command lines", checked)
	}
}
