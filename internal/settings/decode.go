package settings

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFile  = 1 << 20
	maxNodes = 100_000 // that aliases may make of a file
	maxDepth = 60
)

// decoder fills structs from YAML and goes on after a fault. Struct fields carry
// the tags
//
//	yaml:"name"     the key
//	help:"…"        what it is, for the schema
//	enum:"a,b"      the values that a string may have
//	short:"true"    what a scalar or list in place of the whole struct stands for
type decoder struct {
	file   string // its name, for faults
	lookup func(string) (string, bool)

	lines   map[string]int // of every key and item that the file has
	faults  []Fault
	anchors map[string]ast.Node
	nodes   int
}

// fault records one at a key, or at the nearest that is in the file.
func (d *decoder) fault(key, format string, args ...any) {
	d.faults = append(d.faults, Fault{File: d.file, Line: d.line(key), Key: key, Err: fmt.Errorf(format, args...)})
}

// faulty reports whether a fault was recorded at a key or below it.
func (d *decoder) faulty(key string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool {
		rest, ok := strings.CutPrefix(f.Key, key)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// follow records a fault that another package found, unless it only follows from
// one that was recorded.
func (d *decoder) follow(key, format string, args ...any) {
	if !d.faulty(key) {
		d.fault(key, format, args...)
	}
}

func (d *decoder) line(key string) int {
	for key != "" {
		if line, ok := d.lines[key]; ok {
			return line
		}
		i := max(strings.LastIndexByte(key, '.'), strings.LastIndexByte(key, '['))
		key = key[:max(i, 0)]
	}
	return 0
}

// has reports whether the file has the key.
func (d *decoder) has(key string) bool {
	_, ok := d.lines[key]
	return ok
}

// parse reads the text into a struct. It returns false where there is nothing to
// go on with.
func (d *decoder) parse(text []byte, into any) bool {
	d.lines, d.anchors = make(map[string]int), make(map[string]ast.Node)
	body, line, err := parseYAML(text)
	if err != nil {
		d.faults = append(d.faults, Fault{File: d.file, Line: line, Err: err})
		return false
	}
	d.decode("", body, reflect.ValueOf(into).Elem(), 0)
	return true
}

// parseYAML returns the one document of a text, nil where it is empty. What is wrong
// is said without the excerpt that the parser would add: it could hold a secret.
func parseYAML(text []byte) (body ast.Node, line int, err error) {
	defer func() {
		// The parser is not ours, and a file that it stumbles over is a wrong file.
		if p := recover(); p != nil {
			body, line, err = nil, 0, fmt.Errorf("it cannot be read as YAML")
		}
	}()
	switch {
	case len(text) > maxFile:
		return nil, 0, fmt.Errorf("it has more than %d bytes", maxFile)
	case !utf8.Valid(text):
		return nil, 0, fmt.Errorf("it is not UTF-8")
	}
	tokens := lexer.Tokenize(string(text))
	if line := tooDeep(tokens); line > 0 {
		return nil, line, fmt.Errorf("it is nested too deeply")
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		if e, ok := err.(yaml.Error); ok && e.GetToken() != nil {
			line := e.GetToken().Position.Line
			if lines := strings.Split(string(text), "\n"); line <= len(lines) && strings.Contains(lines[max(line, 1)-1], "${") {
				return nil, line, fmt.Errorf("%s; in brackets, quote what has ${…} in it", quoted.ReplaceAllString(e.GetMessage(), "…"))
			}
			return nil, line, errors.New(inWords(e.GetMessage(), string(text), line))
		}
		return nil, 0, fmt.Errorf("it cannot be read as YAML")
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case doc.Body.Type() == ast.DirectiveType:
			return nil, doc.Body.GetToken().Position.Line, fmt.Errorf("directives have no meaning here")
		case body != nil:
			return nil, doc.Body.GetToken().Position.Line, fmt.Errorf("a second document begins here; the configuration is one")
		default:
			body = doc.Body
		}
	}
	return body, 0, nil
}

// tooDeep finds the line, if any, that would have the parser call itself without
// end.
func tooDeep(tokens token.Tokens) int {
	flow, opened, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			opened++
		}
		if flow > maxDepth || opened > maxDepth {
			return max(line, 1)
		}
	}
	return 0
}

func (d *decoder) decode(key string, node ast.Node, into reflect.Value, depth int) {
	if d.nodes++; d.nodes == maxNodes || depth > maxDepth {
		d.nodes = maxNodes
		d.fault(key, "this part of the file is too large, or refers to itself")
	}
	if d.nodes >= maxNodes {
		return
	}
	switch n := node.(type) {
	case nil:
		return // an empty file
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		if _, ok := d.anchors[name]; ok {
			d.fault(key, "this anchor is defined twice")
		}
		d.decode(key, n.Value, into, depth+1)
		d.anchors[name] = n.Value // not before: it cannot refer to itself
		return
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := d.anchors[name]
		if !ok {
			d.fault(key, "there is no such anchor above this line; quote a value that begins with *")
			return
		}
		line := d.lines[key]
		d.decode(key, target, into, depth+1)
		d.lines[key] = line
		return
	case *ast.TagNode:
		d.fault(key, "tags are not supported; quote a value that begins with !")
		return
	case *ast.NullNode:
		// An empty list of groups must not let everybody in.
		d.fault(key, "it has no value; add one, or remove the key")
		return
	}
	switch {
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(key, node, into.Elem(), depth+1)
	case into.Kind() == reflect.Map:
		d.decodeMap(key, node, into, depth)
	case into.Kind() == reflect.Struct:
		d.decodeStruct(key, node, into, depth)
	case into.Kind() == reflect.Slice:
		d.decodeList(key, node, into, depth)
	default:
		d.decodeScalar(key, node, into)
	}
}

// pairs are those of a mapping.
func pairs(node ast.Node) (values []*ast.MappingValueNode, ok bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// decodeMap is for mappings whose keys are names that the file gives.
func (d *decoder) decodeMap(key string, node ast.Node, into reflect.Value, depth int) {
	values, ok := pairs(node)
	if !ok {
		d.fault(key, "it must be a mapping, with a name and a colon before each value")
		return
	}
	if len(values) == 0 {
		d.fault(key, "it is empty; add an item, or remove the key")
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, value := range values {
		at := value.Key.GetToken()
		full := join(key, label(at.Value))
		if _, ok := value.Key.(*ast.StringNode); !ok || at.Value == "" {
			d.faults = append(d.faults, Fault{d.file, at.Position.Line, full, errors.New("the name must be text; quote it")})
			continue
		}
		if into.MapIndex(reflect.ValueOf(at.Value)).IsValid() {
			d.faults = append(d.faults, Fault{d.file, at.Position.Line, full, errors.New("it is there twice")})
			continue
		}
		d.lines[full] = at.Position.Line
		item := reflect.New(into.Type().Elem()).Elem()
		d.decode(full, value.Value, item, depth+1)
		into.SetMapIndex(reflect.ValueOf(at.Value), item)
	}
}

func (d *decoder) decodeStruct(key string, node ast.Node, into reflect.Value, depth int) {
	values, ok := pairs(node)
	if !ok {
		if field, ok := shortOf(into); ok {
			d.decode(key, node, field, depth+1)
			return
		}
		d.fault(key, "it must be a mapping, with keys such as %s", strings.Join(keysOf(into.Type())[:min(3, into.NumField())], ", "))
		return
	}
	seen := make(map[string]int)
	for _, value := range values {
		at := value.Key.GetToken()
		name := at.Value
		if _, ok := value.Key.(*ast.MergeKeyNode); ok {
			d.lines[join(key, "<<")] = at.Position.Line
			d.fault(join(key, "<<"), "merge keys are not supported; repeat the keys, or use *anchor for one value")
			continue
		}
		full := join(key, label(name))
		if line, ok := seen[name]; ok {
			d.faults = append(d.faults, Fault{d.file, at.Position.Line, full, fmt.Errorf("it is there twice, on line %d too", line)})
			continue
		}
		seen[name] = at.Position.Line
		field, ok := fieldOf(into, name)
		if !ok && mayEndSecret(node, name, keysOf(into.Type())) {
			d.faults = append(d.faults, Fault{d.file, at.Position.Line, key, fmt.Errorf("column %d: there is no such key; quote a value that has a comma in it", at.Position.Column)})
			continue
		}
		if !ok {
			d.faults = append(d.faults, Fault{d.file, at.Position.Line, full, unknown(name, keysOf(into.Type()))})
			continue
		}
		d.lines[full] = at.Position.Line
		d.decode(full, value.Value, field, depth+1)
	}
}

func (d *decoder) decodeList(key string, node ast.Node, into reflect.Value, depth int) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		// One item needs no brackets.
		switch node.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			if into.Type().Elem().Kind() == reflect.Struct {
				d.fault(key, "it must be a list: begin each item with a dash")
				return
			}
		}
		into.Set(reflect.MakeSlice(into.Type(), 1, 1))
		d.decode(key, node, into.Index(0), depth+1)
		return
	}
	if len(list.Values) == 0 {
		d.fault(key, "the list is empty; add an item, or remove the key")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		full := fmt.Sprintf("%s[%d]", key, i)
		if item != nil {
			d.lines[full] = item.GetToken().Position.Line
		}
		d.decode(full, item, into.Index(i), depth+1)
		if d.nodes >= maxNodes {
			return
		}
	}
}

func (d *decoder) decodeScalar(key string, node ast.Node, into reflect.Value) {
	var raw string
	switch n := node.(type) {
	case *ast.StringNode:
		raw = n.Value
	case *ast.LiteralNode:
		raw = n.Value.Value
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		raw = n.GetToken().Value
	default:
		d.fault(key, "it must be one value, not a list or mapping")
		return
	}
	text, faults := expand(raw, d.lookup)
	for _, err := range faults {
		d.fault(key, "%w", err)
	}
	if len(faults) > 0 {
		return
	}
	if err := set(into, raw, text); err != nil {
		d.fault(key, "%w", err)
	}
}

// set gives a field the value of a text. Faults quote the text as it is in the file.
func set(into reflect.Value, raw, text string) (err error) {
	switch value := into.Addr().Interface().(type) {
	case *string:
		*value = strings.TrimSpace(text)
		switch {
		case *value == "":
			return errors.New("it is empty; add a value, or remove the key")
		case strings.ContainsFunc(*value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' || r == 0x7f }):
			return errors.New("it has control characters")
		}
	case *bool:
		if *value = text == "true"; !*value && text != "false" {
			return fmt.Errorf("%q is neither true nor false", bounded(raw))
		}
	case *int:
		if *value, err = strconv.Atoi(text); err != nil || *value < 0 || *value > 1<<30 {
			return fmt.Errorf("%q is not a number from 0", bounded(raw))
		}
	case *time.Duration:
		if *value, err = time.ParseDuration(text); err != nil || *value <= 0 {
			return fmt.Errorf("%q is not a duration such as 30s, 15m or 12h", bounded(raw))
		}
	case *size:
		if *value, err = parseSize(text); err != nil {
			return fmt.Errorf("%q is not a size such as 10MiB, or unlimited", bounded(raw))
		}
	case *ratio:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= 1) {
			return fmt.Errorf("%q is not a number from 0 to 1", bounded(raw))
		}
		*value = ratio(n)
	default:
		panic(fmt.Sprintf("settings: no scalar makes a %T", value))
	}
	return nil
}

// size is a number of bytes; negative: unlimited.
type size int64

// ratio is a share, from 0 to 1.
type ratio float64

var sizeUnits = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

func parseSize(text string) (size, error) {
	if text == "unlimited" {
		return -1, nil
	}
	factor := int64(1)
	for _, unit := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, unit.suffix); ok {
			text, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > 1<<50/factor {
		return 0, fmt.Errorf("no size")
	}
	return size(n * factor), nil
}

// shortOf is the field that a scalar in a struct's place stands for.
func shortOf(into reflect.Value) (reflect.Value, bool) {
	for i := range into.NumField() {
		if into.Type().Field(i).Tag.Get("short") != "" {
			return into.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldOf(into reflect.Value, name string) (reflect.Value, bool) {
	for i := range into.NumField() {
		if into.Type().Field(i).Tag.Get("yaml") == name && name != "" {
			return into.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("yaml"))
	}
	return keys
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
