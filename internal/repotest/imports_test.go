package repotest

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImports holds every package of the product to its lines in allowed.
func TestImports(t *testing.T) {
	used := make(map[string]map[string]bool) // by package: the lines that were needed
	for _, f := range goFiles(t) {
		if !f.product || f.test {
			continue
		}
		lines, listed := allowed[f.dir()]
		if used[f.dir()] == nil {
			used[f.dir()] = make(map[string]bool)
			if !listed {
				t.Errorf("package %s is not on the list: add it to allowed in internal/repotest, with what it may import and why", f.dir())
			}
		}
		for _, imported := range f.imports() {
			if rule, ok := restricted[imported]; ok && !slices.Contains(rule.except, f.dir()) {
				t.Errorf("%s imports %s: %s", f.path, imported, rule.why)
			}
			if standard(imported) || !listed {
				continue
			}
			line, ok := match(lines, folder(imported))
			if !ok {
				t.Errorf("%s imports %s, which package %s may not: see allowed in internal/repotest", f.path, imported, f.dir())
			}
			used[f.dir()][line] = true
		}
	}
	for pkg, lines := range used {
		for line := range allowed[pkg] {
			if !lines[line] && line != anything {
				t.Errorf("package %s no longer imports %s: take the line off the list", pkg, line)
			}
		}
	}
}

// TestEveryLineHasAReason keeps the list worth reading.
func TestEveryLineHasAReason(t *testing.T) {
	for pkg, lines := range allowed {
		for line, reason := range lines {
			if len(strings.Fields(reason)) < 2 {
				t.Errorf("package %s may import %s because %q: say why", pkg, line, reason)
			}
		}
	}
}

// TestStar holds the shape that the list is to have, through all packages that a
// package imports by way of others: a leaf meets no other leaf, a store meets its
// leaf alone, and the local pool, which is there to contradict the verifier, meets
// none.
func TestStar(t *testing.T) {
	imports := make(map[string][]string)
	for _, f := range goFiles(t) {
		if f.product && !f.test {
			for _, imported := range f.imports() {
				imports[f.dir()] = append(imports[f.dir()], folder(imported))
			}
		}
	}
	for _, room := range rooms {
		if closure(imports, room)["."] {
			t.Errorf("package %s, a room of the root package, meets the root package", room)
		}
	}
	for pkg := range imports {
		leaf, _, _ := strings.Cut(pkg, "/")
		if !slices.Contains(leaves, leaf) && leaf != "localpool" {
			continue
		}
		for _, met := range slices.Sorted(maps.Keys(closure(imports, pkg))) {
			// The stores of sessions hold the cupboard as well, on the same connections.
			if met == "cupboard" && strings.HasPrefix(pkg, "session/") {
				continue
			}
			if met != leaf && slices.Contains(leaves, met) {
				t.Errorf("package %s meets %s, if not itself then by way of what it imports", pkg, met)
			}
			if met == "." {
				t.Errorf("package %s meets the root package, which joins the leaves and must stay above them", pkg)
			}
			if slices.Contains(rooms, met) {
				t.Errorf("package %s meets %s, a room of the root package, which stands on the leaves", pkg, met)
			}
		}
	}
}

// closure returns pkg and all that it imports by way of other packages.
func closure(imports map[string][]string, pkg string) map[string]bool {
	met := make(map[string]bool)
	var meet func(string)
	meet = func(pkg string) {
		if met[pkg] {
			return
		}
		met[pkg] = true
		for _, imported := range imports[pkg] {
			meet(imported)
		}
	}
	meet(pkg)
	return met
}

// TestLibraryCompiles counts what a user of the library compiles with it.
func TestLibraryCompiles(t *testing.T) {
	for _, pkg := range library {
		if _, err := os.Stat(filepath.Join(root, pkg)); err != nil {
			continue // listed before it is written
		}
		t.Run(pkg, func(t *testing.T) {
			list := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+pkg)
			list.Dir = root
			list.Stderr = t.Output()
			output, err := list.Output()
			if err != nil {
				t.Fatalf("go list -deps ./%s: %v", pkg, err)
			}
			dependencies := strings.Fields(string(output))
			if !slices.ContainsFunc(dependencies, func(path string) bool { return folder(path) == pkg }) {
				t.Fatalf("go list -deps ./%s does not list the package itself", pkg)
			}
			for _, path := range dependencies {
				if path == module || strings.HasPrefix(path, module+"/") {
					continue // ours, and held by TestImports
				}
				if _, ok := match(libraryModules, path); !ok {
					t.Errorf("a user of package %s compiles %s", pkg, path)
				}
			}
		})
	}
}

// TestDemoCompiles: the first thing that people run compiles nothing of what the gateway
// alone needs, which is more than half of the command.
func TestDemoCompiles(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/codegrant/demo")
	list.Dir = root
	list.Stderr = t.Output()
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dependencies := strings.Fields(string(output))
	if !slices.Contains(dependencies, "modernc.org/sqlite") {
		t.Error("the demo has no database")
	}
	for _, path := range dependencies {
		for _, heavy := range []string{
			"github.com/aws/", "github.com/cedar-policy/", "github.com/jackc/", "github.com/go-sql-driver/", "github.com/redis/", "github.com/prometheus/",
			"github.com/envoyproxy/", "google.golang.org/", "go.opentelemetry.io/",
		} {
			if strings.HasPrefix(path, heavy) {
				t.Errorf("the demo compiles %s", path)
			}
		}
	}
}

// match returns the line of lines that covers an import: the package itself, or
// the module that it comes from.
func match(lines map[string]string, imported string) (line string, ok bool) {
	for line := range lines {
		if line == anything || imported == line || !standard(line) && strings.HasPrefix(imported, line+"/") {
			return line, true
		}
	}
	return "", false
}

// standard reports whether an import path is the standard library's: every other
// starts with the name of a host.
func standard(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return !strings.Contains(host, ".")
}
