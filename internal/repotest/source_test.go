package repotest

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is how long a file may be that a reader is to take in at one sitting.
const maxLines = 500

// maxRootLines is the same for a file of the root package, whose rooms are to stay small.
const maxRootLines = 250

// TestPackageComments demands one comment per package, in one of its files, that
// says what the package owns: "Package NAME …", or "Command NAME …" for a program.
func TestPackageComments(t *testing.T) {
	comments := make(map[string][]string) // by folder: the files that have one
	names := make(map[string]string)
	for _, f := range goFiles(t) {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		names[f.dir()] = name
		if f.syntax.Doc == nil {
			continue
		}
		comments[f.dir()] = append(comments[f.dir()], f.path)
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(f.dir()) + " "
		}
		if doc := f.syntax.Doc.Text(); !strings.HasPrefix(doc, want) {
			t.Errorf("%s: package comment starts %q, want %q", f.path, firstLine(doc), want+"…")
		}
	}
	for dir, name := range names {
		if n := len(comments[dir]); n != 1 {
			t.Errorf("package %s in %s has %d package comments (%s), want one, in doc.go or main.go",
				name, dir, n, strings.Join(comments[dir], ", "))
		}
	}
}

func TestFileSize(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test && f.lines > maxLines {
			t.Errorf("%s has %d lines, want at most %d: split it by idea", f.path, f.lines, maxLines)
		}
		if !f.test && f.dir() == "." && f.lines > maxRootLines {
			t.Errorf("%s has %d lines, want at most %d in the root package: split it by room", f.path, f.lines, maxRootLines)
		}
	}
}

// TestSkips keeps tests from skipping by themselves: what a test needs and may
// lack, it asks package testenv for, which fails where make test has set it up.
func TestSkips(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, call.Sel.Name) {
				return true
			}
			if receiver, ok := call.X.(*ast.Ident); ok && slices.Contains([]string{"t", "tb", "b", "f"}, receiver.Name) {
				t.Errorf("%s: %s.%s: ask internal/testenv for what the test needs, or return", f.path, receiver.Name, call.Sel.Name)
			}
			return true
		})
	}
}

// TestUnfinished refuses words that promise work instead of doing it.
func TestUnfinished(t *testing.T) {
	// In pieces, so that this file does not contain them.
	words := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|not imple` + `mented|\bfor n` + `ow\b`)
	kinds := []string{".go", ".md", ".html", ".sh", ".sql", ".yaml", ".css"}
	walk(t, func(name string, _ bool) {
		if !slices.Contains(kinds, path.Ext(name)) {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(text), "// Code generated ") {
			return // nobody here chose its words
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := words.FindString(line); found != "" {
				t.Errorf("%s:%d: %q: finish it or leave it out", name, i+1, found)
			}
		}
	})
}

// TestS173_ActionsArePinned holds the workflows to actions whose code is known, and
// to a token that can only read.
func TestS173_ActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	workflows, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*"))
	if err != nil || len(workflows) == 0 {
		t.Fatalf("found %d workflows, %v: the pattern is broken", len(workflows), err)
	}
	for _, workflow := range workflows {
		text, err := os.ReadFile(workflow)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\npermissions:\n  contents: read\n\n") {
			t.Errorf("%s: the token's rights are not limited to reading the contents", workflow)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if _, action, ok := strings.Cut(line, "uses: "); ok && !pinned.MatchString(action) {
				t.Errorf("%s: %s: pin the action by commit, with its version in a comment", workflow, action)
			}
		}
	}
}

// TestS174_FuzzTargetsHaveSeeds keeps fuzz targets from starting with nothing, and
// from passing as tests without having seen an input.
func TestS174_FuzzTargetsHaveSeeds(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, declaration := range f.syntax.Decls {
			target, ok := declaration.(*ast.FuncDecl)
			if !ok || !f.test || !strings.HasPrefix(target.Name.Name, "Fuzz") {
				continue
			}
			seeded := false
			ast.Inspect(target, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				seeded = seeded || ok && call.Sel.Name == "Add"
				return !seeded
			})
			if !seeded {
				t.Errorf("%s: %s adds no seeds", f.path, target.Name.Name)
			}
		}
	}
}

// TestS177_ContainersHoldLittle: the image is the binary alone, without a shell, and
// runs as nobody in particular; on Kubernetes it cannot write to its own files either.
func TestS177_ContainersHoldLittle(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, image, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok || strings.Contains(image, "\nFROM ") || strings.Contains(image, "\nRUN ") || !regexp.MustCompile(`\nUSER [1-9]\d*:[1-9]\d*\n`).MatchString(image) {
		t.Errorf("the image is more than the binary, or runs as root:\n%s", image)
	}
	manifests, err := filepath.Glob(filepath.Join(root, "deploy", "kubernetes", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	containers := 0
	for _, manifest := range manifests {
		text, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Count(string(text), " containers:\n")
		containers += n
		for _, word := range []string{"runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "drop: [ALL]"} {
			if strings.Count(string(text), word) != n {
				t.Errorf("%s: %d pods do not all have %s", manifest, n, word)
			}
		}
	}
	if containers < 2 {
		t.Errorf("found %d pods: the pattern is broken", containers)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
