package manual

import (
	"strings"

	"github.com/alecthomas/kong"
)

// A place is a command, or the program itself, as somebody reaches it on the command
// line.
type place struct {
	path     string // "sessions end"; empty for the program
	node     *kong.Node
	commands []*kong.Node
	flags    []*kong.Flag
}

// places lists the program and all commands that --help shows, parents first.
func places(app *kong.Application) []place {
	var all []place
	var visit func(path string, node *kong.Node)
	visit = func(path string, node *kong.Node) {
		p := place{path: path, node: node}
		for _, group := range node.AllFlags(true) {
			p.flags = append(p.flags, group...)
		}
		for _, child := range node.Children {
			if child.Type == kong.CommandNode && !child.Hidden {
				p.commands = append(p.commands, child)
			}
		}
		all = append(all, p)
		for _, child := range p.commands {
			visit(strings.TrimSpace(path+" "+child.Name), child)
		}
	}
	visit("", app.Node)
	return all
}

// takesValue reports whether a word follows the flag.
func takesValue(f *kong.Flag) bool { return !f.IsBool() && !f.IsCounter() }

// values lists what the flag may be set to, where that is a list.
func values(f *kong.Flag) []string {
	if f.Enum == "" {
		return nil
	}
	return f.EnumSlice()
}
