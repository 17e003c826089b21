package settings

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// Schema is the JSON Schema of the file, for editors. It is made of the same fields
// that the file is read into.
func Schema() []byte {
	root := schemaOf(reflect.TypeFor[file]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/codegrant/codegrant/raw/main/docs/codegrant.schema.json"
	root["title"] = "Configuration of codegrant serve"
	root["required"] = []string{"pools"}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of strings
	}
	return append(text, '\n')
}

// variable is a scalar that the environment completes.
var variable = map[string]any{"type": "string", "pattern": `\$\{`}

func schemaOf(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|\$\{`}
	case reflect.TypeFor[size]():
		return anyOf(map[string]any{"type": "integer", "minimum": 1}, map[string]any{"type": "string", "pattern": `^[0-9]+ ?([kKMG]i?)?B?$|^unlimited$|\$\{`})
	case reflect.TypeFor[ratio]():
		return anyOf(map[string]any{"type": "number", "minimum": 0, "maximum": 1}, variable)
	case reflect.TypeFor[poolNames]():
		return anyOf(map[string]any{"type": "boolean"}, schemaOf(reflect.TypeFor[[]string]()))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		item := schemaOf(t.Elem())
		list := map[string]any{"type": "array", "items": item, "minItems": 1}
		if t.Elem().Kind() == reflect.Struct {
			return list
		}
		return anyOf(list, item)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem()), "minProperties": 1}
	case reflect.Bool:
		return anyOf(map[string]any{"type": "boolean"}, variable)
	case reflect.Int:
		return anyOf(map[string]any{"type": "integer", "minimum": 0}, variable)
	case reflect.Struct:
		properties := make(map[string]any)
		object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
		var short map[string]any
		for i := range t.NumField() {
			field := t.Field(i)
			s := schemaOf(field.Type)
			if values := field.Tag.Get("enum"); values != "" {
				s = anyOf(map[string]any{"enum": strings.Split(values, ",")}, variable)
			}
			s["description"] = field.Tag.Get("help")
			properties[field.Tag.Get("yaml")] = s
			if field.Tag.Get("short") != "" {
				short = schemaOf(field.Type)
			}
		}
		if short != nil {
			return anyOf(short, object)
		}
		return object
	}
	return map[string]any{"type": "string", "minLength": 1}
}

// anyOf joins alternatives, and takes those apart that are some already.
func anyOf(all ...map[string]any) map[string]any {
	var flat []any
	for _, one := range all {
		if inner, ok := one["anyOf"].([]any); ok {
			flat = append(flat, inner...)
			continue
		}
		flat = append(flat, one)
	}
	return map[string]any{"anyOf": flat}
}
