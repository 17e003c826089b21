package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/poolfile"
)

// asks are the commands that change people, pools or organizations in a way that they cannot
// take back: each prints what it would do until it is given --yes.
var asks = []string{
	"users merge", "users unlink", "users erase", "users relink", "orgs delete", "restore", "migrate", "move groups", "move remind", "move drain", "pool apply",
	"webhooks discard",
}

// goesOn are all others, with the reason why they do not ask.
var goesOn = map[string]string{
	"demo": "runs", "serve": "runs", "pool": "runs", "webhooks send": "runs",
	"doctor": "reads", "health": "reads", "users list": "reads", "users show": "reads", "users duplicates": "reads", "users erasures": "reads", "groups list": "reads",
	"sessions list": "reads", "grants list": "reads", "upstream-tokens list": "reads", "token check": "reads", "token get": "reads", "policy test": "reads", "completion": "reads",
	"orgs list": "reads", "orgs show": "reads", "move plan": "reads", "move report": "reads", "webhooks list": "reads", "webhooks secret": "reads", "pool diff": "reads",
	"man": "writes new files", "backup": "writes a new file", "pool export": "writes a new file", "move rehearse": "writes to pools of its own",
	"sync":        "removes no more people than --max-share allows, and keeps their rows",
	"orgs create": "adds", "orgs rename": "can be taken back", "orgs add": "can be taken back", "orgs expel": "can be taken back", "orgs invite": "adds", "orgs revoke": "they can be invited again",
	"sessions end": "people sign in again", "grants end": "people consent again", "upstream-tokens end": "people consent again",
	"webhooks resend": "sends what was to be sent",
}

// TestS806_EveryDestructiveCommandAsks: a command that cannot be taken back does nothing
// without --yes, which neither a default nor the environment gives. A new command is in one
// of the lists.
func TestS806_EveryDestructiveCommandAsks(t *testing.T) {
	flags := make(map[string]*kong.Flag) // --yes, by command
	leaves := func(prefix string, commands any) {
		parser, err := kong.New(commands, kong.DefaultEnvars("CODEGRANT"), kong.Vars{"databaseHelp": ""})
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range parser.Model.Leaves(false) {
			name := prefix + strings.TrimPrefix(leaf.Path(), parser.Model.Path()+" ")
			flags[strings.TrimSpace(name)] = nil
			for _, flag := range leaf.Flags {
				if flag.Name == "yes" {
					flags[strings.TrimSpace(name)] = flag
				}
			}
		}
	}
	leaves("", new(cli))
	leaves("pool ", new(poolfile.Commands))
	for name, flag := range flags {
		switch why, listed := goesOn[name]; {
		case slices.Contains(asks, name):
			if flag == nil || flag.HasDefault || len(flag.Envs) > 0 {
				t.Errorf("codegrant %s has no --yes that is given by hand alone", name)
			}
		case !listed || why == "":
			t.Errorf("codegrant %s is in no list: does it ask?", name)
		case flag != nil:
			t.Errorf("codegrant %s asks: put it into the other list", name)
		}
	}
	for _, name := range append(slices.Collect(maps.Keys(goesOn)), asks...) {
		if _, there := flags[name]; !there {
			t.Errorf("there is no codegrant %s", name)
		}
	}
}
