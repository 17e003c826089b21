// Command generate writes facts.json of package model from AWS's model of the service.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: generate service-2.json[.gz] [facts.json]")
	}
	into := "localpool/internal/model/facts.json"
	if len(args) == 2 {
		into = args[1]
	}
	facts, err := read(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(into, facts, 0o644)
}

// service is what is read of AWS's model. The order of members is that of the file.
type service struct {
	Operations map[string]struct {
		Input, Output *reference
		Errors        []reference
		AuthType      string   `json:"authtype"`
		Auth          []string `json:"auth"`
	}
	Shapes map[string]shape
}

type reference struct{ Shape string }

type shape struct {
	Type       string
	Required   []string
	Members    members
	Member     *reference
	Key, Value *reference
	Min, Max   *int64
	Pattern    string
	Enum       []string
	Sensitive  bool
}

// members keeps their order.
type members []member

type member struct{ name, shape string }

func (m *members) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var r reference
		if err := d.Decode(&r); err != nil {
			return err
		}
		*m = append(*m, member{name.(string), r.Shape})
	}
	return nil
}

// fact is a shape as package model reads it. Its names are short, for there are many.
type fact struct {
	Type      string      `json:"t"`
	Min       *int64      `json:"min,omitempty"`
	Max       *int64      `json:"max,omitempty"`
	Pattern   string      `json:"p,omitempty"`
	Enum      []string    `json:"e,omitempty"`
	Sensitive bool        `json:"s,omitempty"`
	Required  []string    `json:"r,omitempty"`
	Members   [][2]string `json:"m,omitempty"`
	Item      string      `json:"i,omitempty"` // of a list, and the value of a map
	Key       string      `json:"k,omitempty"`
}

type operation struct {
	Input  string   `json:"in"`
	Output string   `json:"out,omitempty"`
	Errors []string `json:"errors"`
	Open   bool     `json:"open,omitempty"`
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if text, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	var s service
	if err := json.NewDecoder(text).Decode(&s); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	facts := struct {
		Operations map[string]operation `json:"operations"`
		Shapes     map[string]fact      `json:"shapes"`
	}{make(map[string]operation), make(map[string]fact)}
	var take func(name string)
	take = func(name string) {
		if _, known := facts.Shapes[name]; known || name == "" {
			return
		}
		from := s.Shapes[name]
		to := fact{Type: from.Type, Min: from.Min, Max: from.Max, Pattern: from.Pattern, Enum: from.Enum, Sensitive: from.Sensitive, Required: from.Required}
		for _, m := range from.Members {
			to.Members = append(to.Members, [2]string{m.name, m.shape})
		}
		if from.Member != nil {
			to.Item = from.Member.Shape
		}
		if from.Key != nil {
			to.Key, to.Item = from.Key.Shape, from.Value.Shape
		}
		facts.Shapes[name] = to
		for _, m := range to.Members {
			take(m[1])
		}
		take(to.Item)
		take(to.Key)
	}
	for name, o := range s.Operations {
		if o.Input == nil {
			return nil, fmt.Errorf("operation %s has no input", name)
		}
		made := operation{Input: o.Input.Shape, Open: o.AuthType == "none" || slices.Contains(o.Auth, "smithy.api#noAuth")}
		if o.Output != nil {
			made.Output = o.Output.Shape
			take(made.Output)
		}
		for _, e := range o.Errors {
			made.Errors = append(made.Errors, e.Shape)
		}
		slices.Sort(made.Errors)
		facts.Operations[name] = made
		take(made.Input)
	}
	// A line for each operation and shape, so that a newer model is a readable diff.
	var b bytes.Buffer
	b.WriteString("{\"operations\":{\n")
	lines(&b, facts.Operations)
	b.WriteString("},\n\"shapes\":{\n")
	lines(&b, facts.Shapes)
	b.WriteString("}}\n")
	return b.Bytes(), nil
}

func lines[T any](b *bytes.Buffer, m map[string]T) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(m[name]); err != nil {
			panic(err) // strings and numbers
		}
		fmt.Fprintf(b, "%q:%s", name, bytes.TrimSpace(line.Bytes()))
		if i < len(names)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
}
