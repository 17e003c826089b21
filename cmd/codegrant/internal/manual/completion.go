package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// Completion is the command that writes a shell's completions.
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by codegrant completion --help.
func (Completion) Help() string {
	return `Prints a script that completes commands and flags in your shell. The packages for
Debian and Red Hat install it.

Examples:
  source <(codegrant completion bash)
  codegrant completion zsh > "${fpath[1]}/_codegrant"
  codegrant completion fish > ~/.config/fish/completions/codegrant.fish`
}

func (c Completion) Run(app *kong.Kong, out *terminal.Streams) error {
	if err := terminal.Describe(app.Model); err != nil {
		return err
	}
	write := map[string]func(string, []place) string{"bash": bash, "zsh": zsh, "fish": fish}[c.Shell]
	_, err := io.WriteString(out.Stdout, write(app.Model.Name, places(app.Model)))
	return err
}

// steps lists each word that leads from one place to the next: "place word" → place.
func steps(all []place, visit func(from, word, to string)) {
	for _, p := range all {
		for _, c := range p.commands {
			visit(p.path, c.Name, strings.TrimSpace(p.path+" "+c.Name))
		}
	}
}

func bash(name string, all []place) string {
	var walk, value, words strings.Builder
	steps(all, func(from, word, to string) {
		fmt.Fprintf(&walk, "\t\t%q) at=%q ;;\n", from+":"+word, to)
	})
	for _, p := range all {
		var list []string
		for _, c := range p.commands {
			list = append(list, c.Name)
		}
		for _, a := range p.node.Positional {
			if a.Enum != "" {
				list = append(list, a.EnumSlice()...)
			}
		}
		for _, f := range p.flags {
			list = append(list, "--"+f.Name)
			switch {
			case values(f) != nil:
				fmt.Fprintf(&value, "\t%q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", p.path+":--"+f.Name, strings.Join(values(f), " "))
			case takesValue(f):
				fmt.Fprintf(&value, "\t%q) return ;;\n", p.path+":--"+f.Name)
			}
		}
		fmt.Fprintf(&words, "\t%q) words=%q ;;\n", p.path, strings.Join(list, " "))
	}
	return fmt.Sprintf(`# bash completion for %[1]s

_%[1]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= word words=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$at:$word" in
%[2]s		esac
	done
	COMPREPLY=()
	case "$at:$prev" in
%[3]s	esac
	case "$at" in
%[4]s	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _%[1]s %[1]s
`, name, walk.String(), value.String(), words.String())
}

func zsh(name string, all []place) string {
	var walk, value, words strings.Builder
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	entry := func(word, help string) string {
		return quote(strings.ReplaceAll(word, ":", `\:`) + ":" + brief(help))
	}
	steps(all, func(from, word, to string) {
		fmt.Fprintf(&walk, "\t\t(%s) at=%s ;;\n", quote(from+":"+word), quote(to))
	})
	for _, p := range all {
		var commands, flags []string
		for _, c := range p.commands {
			commands = append(commands, entry(c.Name, c.Help))
		}
		for _, a := range p.node.Positional {
			if a.Enum != "" {
				commands = append(commands, a.EnumSlice()...)
			}
		}
		for _, f := range p.flags {
			flags = append(flags, entry("--"+f.Name, f.Help))
			switch {
			case values(f) != nil:
				fmt.Fprintf(&value, "\t(%s) compadd -- %s; return ;;\n", quote(p.path+":--"+f.Name), strings.Join(values(f), " "))
			case takesValue(f):
				fmt.Fprintf(&value, "\t(%s) _files; return ;;\n", quote(p.path+":--"+f.Name))
			}
		}
		fmt.Fprintf(&words, "\t(%s)\n\t\tcommands=(%s)\n\t\tflags=(%s) ;;\n", quote(p.path), strings.Join(commands, " "), strings.Join(flags, " "))
	}
	return fmt.Sprintf(`#compdef %[1]s

_%[1]s() {
	local at= word
	local -a commands flags
	for word in "${words[@]:1:$((CURRENT-2))}"; do
		case "$at:$word" in
%[2]s		esac
	done
	case "$at:${words[CURRENT-1]}" in
%[3]s	esac
	case "$at" in
%[4]s	esac
	if [[ ${words[CURRENT]} == -* ]]; then
		_describe flag flags
	elif (( ${#commands} )); then
		_describe command commands
	else
		_files
	fi
}

if [ "${funcstack[1]}" = "_%[1]s" ]; then
	_%[1]s "$@"
else
	compdef _%[1]s %[1]s
fi
`, name, walk.String(), value.String(), words.String())
}

func fish(name string, all []place) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	var walk, words strings.Builder
	steps(all, func(from, word, to string) {
		fmt.Fprintf(&walk, "\t\t\tcase %s\n\t\t\t\tset at %s\n", quote(from+":"+word), quote(to))
	})
	for _, p := range all {
		here := quote(fmt.Sprintf("__%s_at %q", name, p.path))
		for _, c := range p.commands {
			fmt.Fprintf(&words, "complete -c %s -n %s -f -a %s -d %s\n", name, here, c.Name, quote(brief(c.Help)))
		}
		for _, a := range p.node.Positional {
			if a.Enum != "" {
				fmt.Fprintf(&words, "complete -c %s -n %s -f -a %s\n", name, here, quote(strings.Join(a.EnumSlice(), " ")))
			}
		}
		for _, f := range p.flags {
			fmt.Fprintf(&words, "complete -c %s -n %s -l %s", name, here, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(&words, " -s %c", f.Short)
			}
			switch {
			case values(f) != nil:
				fmt.Fprintf(&words, " -x -a %s", quote(strings.Join(values(f), " ")))
			case takesValue(f):
				words.WriteString(" -r")
			}
			fmt.Fprintf(&words, " -d %s\n", quote(brief(f.Help)))
		}
	}
	return fmt.Sprintf(`# fish completion for %[1]s

function __%[1]s_at
	set -l at ''
	for word in (commandline -opc)[2..-1]
		switch "$at:$word"
%[2]s		end
	end
	test "$at" = "$argv[1]"
end

%[3]s`, name, walk.String(), words.String())
}

// brief is the first sentence of a help text, in one line.
func brief(help string) string {
	help = strings.Join(strings.Fields(help), " ")
	if first, _, found := strings.Cut(help, ". "); found {
		help = first
	}
	return strings.TrimSuffix(help, ".")
}
