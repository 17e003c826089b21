package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"codegrant": main})
}

// TestScripts runs the command as a person would: one file of testdata/script for
// each story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}

// TestFlagsAreNoSettings: a flag's environment variable has a name of its own. One that
// is a setting of applications would mean two things where a pool and a service run
// beside each other.
func TestFlagsAreNoSettings(t *testing.T) {
	settings := make(map[string]bool)
	for _, file := range []string{"../../env.go", "../../envsecrets.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`"(CODEGRANT_[A-Z_]+)"`).FindAllSubmatch(text, -1) {
			settings[string(name[1])] = true
		}
	}
	if !settings["CODEGRANT_BASE_URL"] || len(settings) < 15 {
		t.Fatalf("settings: %v", settings)
	}
	parser, err := kong.New(new(cli), kong.DefaultEnvars("CODEGRANT"), kong.Vars{"databaseHelp": ""})
	if err != nil {
		t.Fatal(err)
	}
	if err := kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				if settings[name] {
					t.Errorf("--%s is read from %s, which is a setting of applications", flag.Name, name)
				}
			}
		}
		return next(nil)
	}); err != nil {
		t.Fatal(err)
	}
}
