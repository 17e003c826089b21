package poolfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// parse reads a file, in YAML or JSON.
func parse(content []byte) (*File, error) {
	object := content
	if !json.Valid(content) {
		var err error
		if object, err = yaml.YAMLToJSON(content); err != nil {
			return nil, notYAML(err)
		}
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.DisallowUnknownFields()
	d.UseNumber()
	var f File
	if err := d.Decode(&f); err != nil {
		if strings.HasPrefix(err.Error(), "json: unknown field") { // it may be the end of a secret
			return nil, errors.New("it is not a configuration of a pool: it has another key than " + strings.Join(fileKeys, ", ") + "; quote a value that has a comma in it")
		}
		return nil, fmt.Errorf("it is not a configuration of a pool: %w", err)
	}
	if f.Pool == nil {
		return nil, errors.New("it is not a configuration of a pool: pool is missing")
	}
	return &f, f.secretless()
}

// fileKeys are the keys of a file.
var fileKeys = []string{"pool", "mfa", "domain", "clients", "resource_servers", "identity_providers", "groups"}

// inQuotes is what a message quotes of a file.
var inQuotes = regexp.MustCompile(`(?s)".*"`)

// notYAML says where a file is no YAML, and why, and none of its text, which may be a secret.
func notYAML(err error) error {
	var syntax *yaml.SyntaxError
	var twice *yaml.DuplicateKeyError
	why := "it cannot be read"
	switch {
	case errors.As(err, &syntax):
		why = inQuotes.ReplaceAllString(syntax.Message, "…")
	case errors.As(err, &twice):
		why = inQuotes.ReplaceAllString(twice.Message, "…")
	}
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil {
		at := e.GetToken().Position
		why = fmt.Sprintf("line %d, column %d: %s", at.Line, at.Column, why)
	}
	return errors.New("it is not YAML: " + why)
}

// secrets are members of the details of an identity provider that no file has.
var secrets = []string{"client_secret", "private_key"}

// secretless refuses a file with a secret, which would be printed with the differences.
func (f *File) secretless() (err error) {
	f.things(func(what, name string, s settings) {
		var where string
		switch what {
		case "identity provider":
			where = secretIn(s, secrets)
		case "client":
			where = secretIn(s, []string{"ClientSecret"})
		}
		if where != "" && err == nil {
			err = fmt.Errorf("%s %s: it has a %s, and a file has no secrets: remove it, and the pool keeps its own", what, name, where)
		}
	})
	return err
}

// secretIn is a member of one of the names, however deep it is.
func secretIn(v any, names []string) string {
	switch v := v.(type) {
	case settings:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, member) }) {
				return member
			}
			if found := secretIn(v[member], names); found != "" {
				return found
			}
		}
	case []any:
		for _, one := range v {
			if found := secretIn(one, names); found != "" {
				return found
			}
		}
	}
	return ""
}

// yaml writes a file so that it is read as it was. The package writes some strings, such as
// those with a tab, as what it reads otherwise: they are quoted.
func (f *File) yaml() ([]byte, error) {
	want, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	var all any
	if err := yaml.UnmarshalWithOptions(want, &all, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(careful(all))
	if err == nil && reads(text, want) {
		return text, nil
	}
	// JSON is YAML.
	var object bytes.Buffer
	if err := json.Indent(&object, want, "", "  "); err != nil {
		return nil, err
	}
	object.WriteByte('\n')
	if !reads(object.Bytes(), want) {
		return nil, errors.New("the configuration of this pool would be read otherwise than it is: take --json")
	}
	return object.Bytes(), nil
}

// careful is a value in which strings that would be read otherwise are quoted.
func careful(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		for i := range v {
			v[i].Value = careful(v[i].Value)
		}
	case []any:
		for i := range v {
			v[i] = careful(v[i])
		}
	case string:
		text, err := yaml.Marshal(yaml.MapSlice{{Key: "in", Value: yaml.MapSlice{{Key: "a", Value: v}, {Key: "z", Value: "z"}}}})
		var back map[string]map[string]any
		if err != nil || yaml.Unmarshal(text, &back) != nil || back["in"]["a"] != v || back["in"]["z"] != "z" {
			return quoted(v)
		}
	}
	return v
}

// quoted is a string in quotes.
type quoted string

// MarshalYAML implements [yaml.BytesMarshaler].
func (q quoted) MarshalYAML() ([]byte, error) { return json.Marshal(string(q)) }

// reads reports whether a text is read as a file.
func reads(text, want []byte) bool {
	f, err := parse(text)
	if err != nil {
		return false
	}
	got, err := json.Marshal(f)
	return err == nil && bytes.Equal(got, want)
}
