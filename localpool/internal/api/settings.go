package api

import (
	"context"
	"encoding/json"

	"github.com/codegrant/codegrant/localpool/internal/model"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// keeping is an operation that is given what it keeps of the request too: the members
// that one of the model's structures has, as they were written.
func keeping[T any](shape string, f func(*API, *T, state.Settings) (any, error)) operation {
	return operation{serve: func(ctx context.Context, a *API, body []byte) (any, error) {
		in, err := decode[T](body)
		if err != nil {
			return nil, err
		}
		if r, ok := any(in).(regional); ok {
			r.in(regionOf(ctx))
		}
		kept, err := keep(shape, body)
		if err != nil {
			return nil, err
		}
		return f(a, in, kept)
	}}
}

// keep takes the members of a structure out of a request, and of theirs those that the
// model has. What the model calls a document is taken whole.
func keep(shape string, body []byte) (state.Settings, error) {
	var given map[string]any
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
	}
	kept := make(state.Settings)
	members, _ := known(model.ShapeOf(shape), given).(map[string]any)
	for name, value := range members {
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		kept[name] = b
	}
	return kept, nil
}

// known is a value without what the model does not have, and without nulls.
func known(s *model.Shape, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if s.Type == "map" {
			out := make(map[string]any, len(v))
			for key, one := range v {
				if one != nil {
					out[key] = known(model.ShapeOf(s.Item), one)
				}
			}
			return out
		}
		if len(s.Members) == 0 {
			return v // a document
		}
		out := make(map[string]any, len(v))
		for _, m := range s.Members {
			if one := v[m[0]]; one != nil {
				out[m[0]] = known(model.ShapeOf(m[1]), one)
			}
		}
		return out
	case []any:
		if s.Type != "list" {
			return v
		}
		out := make([]any, 0, len(v))
		for _, one := range v {
			if one != nil {
				out = append(out, known(model.ShapeOf(s.Item), one))
			}
		}
		return out
	}
	return value
}

// shown are the settings that a structure of an answer has.
func shown(shape string, s state.Settings) map[string]any {
	out := make(map[string]any)
	for _, name := range model.Members(shape) {
		if value := s[name]; value != nil {
			out[name] = value
		}
	}
	return out
}
