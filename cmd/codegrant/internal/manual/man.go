package manual

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// Man is the command that writes man pages.
type Man struct {
	Dir string `type:"path" placeholder:"FOLDER" help:"Folder for all pages, one for each command. Without it, man prints the page of the program."`
}

// Help is shown by codegrant man --help.
func (Man) Help() string {
	return `Writes the man pages of the program and of each command. The packages for Debian and
Red Hat install them.

Examples:
  codegrant man | man -l -
  codegrant man --dir ~/.local/share/man/man1`
}

func (c Man) Run(app *kong.Kong, out *terminal.Streams) error {
	if err := terminal.Describe(app.Model); err != nil {
		return err
	}
	all := places(app.Model)
	if c.Dir == "" {
		return page(out.Stdout, app.Model.Name, all[0], all)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for _, p := range all {
		var b strings.Builder
		if err := page(&b, app.Model.Name, p, all); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(c.Dir, title(app.Model.Name, p.path)+".1"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// title is the name of a page.
func title(name, path string) string {
	return strings.ReplaceAll(strings.TrimSpace(name+" "+path), " ", "-")
}

// page writes one, in the language of man(7). It has no date, so that the same program
// writes the same page.
func page(w io.Writer, name string, p place, all []place) error {
	full := strings.TrimSpace(name + " " + p.path)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`.TH "%s" 1 "" "Codegrant" "Codegrant"`, escape(strings.ToUpper(title(name, p.path))))
	line(".SH NAME")
	help, detail := p.node.Help, p.node.Detail
	if p.path == "" {
		var rest string
		help, rest, _ = strings.Cut(help, "\n")
		detail = strings.TrimSpace(rest + "\n\n" + detail)
	}
	line(`%s \- %s`, escape(title(name, p.path)), escape(strings.TrimSuffix(help, ".")))
	line(".SH SYNOPSIS")
	line(".B %s", escape(full))
	if len(p.commands) > 0 {
		line(`.I command`)
	}
	for _, a := range p.node.Positional {
		if len(p.commands) > 0 {
			break // the argument is the command
		}
		line(`.RI [ %s ]`, escape(strings.ReplaceAll(strings.Trim(a.Summary(), "[]<>"), " ", "_")))
	}
	line(`.RI [ flags ]`)
	if detail != "" {
		line(".SH DESCRIPTION")
		paragraphs(&b, detail)
	}
	if len(p.commands) > 0 {
		line(".SH COMMANDS")
		for _, c := range p.commands {
			line(".TP\n.B %s\n%s", escape(c.Name), escape(c.Help))
		}
	}
	if len(p.node.Positional) > 0 {
		line(".SH ARGUMENTS")
		for _, a := range p.node.Positional {
			line(".TP\n.I %s\n%s", escape(strings.Trim(a.Summary(), "[]<>")), escape(a.Help))
		}
	}
	line(".SH FLAGS")
	var environment []string
	for _, f := range p.flags {
		heading := `\fB` + escape("--"+f.Name) + `\fR`
		if f.Short != 0 {
			heading = `\fB` + escape("-"+string(f.Short)) + `\fR, ` + heading
		}
		if takesValue(f) {
			heading += `=\fI` + escape(f.FormatPlaceHolder()) + `\fR`
		}
		line(".TP\n%s\n%s", heading, escape(f.Help))
		for _, variable := range f.Envs {
			environment = append(environment, fmt.Sprintf(".TP\n.B %s\nsets %s.", escape(variable), escape("--"+f.Name)))
		}
	}
	if len(environment) > 0 {
		line(".SH ENVIRONMENT")
		line("%s", strings.Join(environment, "\n"))
	}
	var related []string
	for _, other := range all {
		if other.path != p.path && (p.path == "" || other.path == "" || strings.HasPrefix(other.path, p.path+" ") || strings.HasPrefix(p.path, other.path+" ")) {
			related = append(related, fmt.Sprintf(".BR %s (1)", escape(title(name, other.path))))
		}
	}
	line(".SH SEE ALSO")
	line("%s", strings.Join(related, ",\n"))
	_, err := io.WriteString(w, b.String())
	return err
}

// paragraphs writes text as --help has it. What is indented stays in lines.
func paragraphs(b *strings.Builder, text string) {
	fixed := false
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != fixed && line != "" {
			fixed = indented
			if fixed {
				b.WriteString(".PP\n.nf\n")
			} else {
				b.WriteString(".fi\n")
			}
		}
		switch {
		case line == "" && fixed:
			b.WriteString("\n")
		case line == "":
			b.WriteString(".PP\n")
		default:
			b.WriteString(escape(line) + "\n")
		}
	}
	if fixed {
		b.WriteString(".fi\n")
	}
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...")

// escape keeps text from being read as an instruction.
func escape(s string) string {
	s = escapes.Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
