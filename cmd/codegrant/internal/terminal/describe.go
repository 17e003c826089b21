package terminal

import "github.com/alecthomas/kong"

// Within is a command with a table of its own, which its first argument names a command of.
type Within interface{ Within() any }

// Describe adds the commands of such tables to a model, below their command. Help, man pages
// and completions then have them. The model can no longer parse: call it last.
func Describe(app *kong.Application) error { return describe(app.Node) }

func describe(node *kong.Node) error {
	for _, child := range node.Children {
		if err := describe(child); err != nil {
			return err
		}
	}
	if node.Type != kong.CommandNode || len(node.Children) > 0 {
		return nil
	}
	holder, ok := node.Target.Interface().(Within)
	if !ok {
		return nil
	}
	parser, err := newParser(holder.Within())
	if err != nil {
		return err
	}
	for _, same := range parser.Model.Children {
		if same.Name == node.Name {
			node.Children = same.Children // they keep their parent, which has no flags
		}
	}
	return nil
}

// newParser reads a table of commands, with the settings that all tables have.
func newParser(commands any, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(commands, append(options,
		kong.Name("codegrant"),
		kong.DefaultEnvars("CODEGRANT"),
		kong.Vars{"databaseHelp": databaseHelp},
	)...)
}
