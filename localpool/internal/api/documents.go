package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/model"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// A document is something that a pool is told, and that it gives back as it was: one rule
// makes, describes, changes, lists and deletes every kind of them.
type document struct {
	kind   string        // in the state
	called string        // in messages
	member string        // of answers
	shape  string        // of it, in the model
	key    string        // the member that names it
	name   func() string // makes up the key; nil: the request has it
	most   int           // of them; zero: as many as the state takes

	unique []string // no two have the same values of these
	exists string   // what a second one is refused as

	// check refuses members, and may give it others; before are those that it had.
	check func(p state.Pool, in, before state.Settings) error
	plans bool // LITE does not have it
}

// about is what every request about a document may name.
type about struct {
	UserPoolId string
	ClientId   string
	MaxResults *int
	Limit      *int
}

// serving reads what a request about documents has.
func serving(f func(a *API, in about, body []byte) (any, error)) operation {
	return operation{serve: func(_ context.Context, a *API, body []byte) (any, error) {
		in, err := decode[about](body)
		if err != nil {
			return nil, err
		}
		if in.UserPoolId == "" {
			return f(a, *in, body)
		}
		p, err := a.state.Describe(in.UserPoolId)
		if err != nil {
			return nil, err
		}
		if in.ClientId != "" && in.ClientId != allClients {
			if _, err := a.client(in.ClientId, p.ID); err != nil {
				return nil, err
			}
		}
		return f(a, *in, body)
	}}
}

// allClients stands for those of a pool that have no document of their own.
const allClients = "ALL"

func textOf(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text) // the model said that it is one
	return text
}

func mustRaw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers
	}
	return b
}

// missing is the refusal of one that is not there.
func (d document) missing(key string) error {
	return &state.Error{Type: state.ResourceNotFound, Message: fmt.Sprintf("%s %s does not exist.", d.called, key)}
}

// answer is a document in the API's words.
func (d document) answer(poolID string, doc state.Document) map[string]any {
	shown := d.show(d.shape, poolID, doc)
	if d.member == "" {
		return shown
	}
	return map[string]any{d.member: shown}
}

func (d document) show(shape, poolID string, doc state.Document) map[string]any {
	t := shown(shape, doc.Members)
	for _, name := range model.Members(shape) {
		switch name {
		case "UserPoolId":
			t[name] = poolID
		case "CreationDate":
			t[name] = epoch(doc.Created)
		case "LastModifiedDate":
			t[name] = epoch(doc.Modified)
		}
	}
	return t
}

// plan refuses what the cheapest plan does not have.
func (d document) plan(p state.Pool) error {
	if d.plans && p.Rules().UserPoolTier == "LITE" {
		return &state.Error{Type: "FeatureUnavailableInTierException", Message: d.called + " is not available in the LITE pricing tier configured."}
	}
	return nil
}

func (d document) create() operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		kept, err := keep(d.shape, body)
		if err != nil {
			return nil, err
		}
		delete(kept, "UserPoolId")
		if d.name != nil {
			kept[d.key] = mustRaw(d.name())
		}
		if in.ClientId != "" {
			kept["ClientId"] = mustRaw(in.ClientId) // of which not every shape has it
		}
		return d.set(a, in.UserPoolId, textOf(kept[d.key]), kept, func(_ state.Document, exists bool, all map[string]state.Document) error {
			switch {
			case exists, d.twice(kept, "", all):
				return &state.Error{Type: d.exists, Message: d.called + " already exists."}
			case d.most > 0 && len(all) >= d.most:
				return &state.Error{Type: state.LimitExceeded, Message: fmt.Sprintf("A user pool has %d of these at most.", d.most)}
			}
			return nil
		})
	})
}

// twice reports whether another document has the same values where they are to differ.
func (d document) twice(kept state.Settings, key string, all map[string]state.Document) bool {
	for other, doc := range all {
		same := len(d.unique) > 0 && other != key
		for _, name := range d.unique {
			same = same && string(doc.Members[name]) == string(kept[name])
		}
		if same {
			return true
		}
	}
	return false
}

// set stores a document unless something is against it.
func (d document) set(a *API, poolID, key string, kept state.Settings, against func(before state.Document, exists bool, all map[string]state.Document) error) (any, error) {
	p, err := a.state.Describe(poolID)
	if err != nil {
		return nil, err
	}
	if err := d.plan(p); err != nil {
		return nil, err
	}
	doc, err := a.state.SetDocument(poolID, d.kind, key, func(before state.Document, exists bool, all map[string]state.Document) (state.Settings, error) {
		if err := against(before, exists, all); err != nil {
			return nil, err
		}
		after := maps.Clone(before.Members)
		if after == nil {
			after = make(state.Settings)
		}
		maps.Copy(after, kept)
		if d.check == nil {
			return after, nil
		}
		return after, d.check(p, after, before.Members)
	})
	if err != nil {
		return nil, err
	}
	return d.answer(poolID, doc), nil
}

// update changes the members that are given.
func (d document) update() operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		kept, err := keep(d.shape, body)
		if err != nil {
			return nil, err
		}
		delete(kept, "UserPoolId")
		key := textOf(kept[d.key])
		return d.set(a, in.UserPoolId, key, kept, func(before state.Document, exists bool, all map[string]state.Document) error {
			if !exists {
				return d.missing(key)
			}
			after := maps.Clone(before.Members)
			maps.Copy(after, kept)
			if d.twice(after, key, all) {
				return &state.Error{Type: d.exists, Message: d.called + " already exists."}
			}
			return nil
		})
	})
}

// replace makes a document be what is given, whether it was there or not: one of a pool,
// or one of an app client.
func (d document) replace() operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		kept, err := keep(d.shape, body)
		if err != nil {
			return nil, err
		}
		delete(kept, "UserPoolId")
		p, err := a.state.Describe(in.UserPoolId)
		if err != nil {
			return nil, err
		}
		if err := d.plan(p); err != nil {
			return nil, err
		}
		if d.check != nil {
			if err := d.check(p, kept, nil); err != nil {
				return nil, err
			}
		}
		doc, err := a.state.SetDocument(p.ID, d.kind, d.keyOf(in), func(state.Document, bool, map[string]state.Document) (state.Settings, error) { return kept, nil })
		if err != nil {
			return nil, err
		}
		return d.answer(p.ID, doc), nil
	})
}

// keyOf is the key of the one document that a pool, or an app client, has of a kind.
func (d document) keyOf(in about) string {
	if in.ClientId == "" {
		return allClients
	}
	return in.ClientId
}

// one describes the document of a pool or of an app client. without is what there is where
// nobody has set one.
func (d document) one(without func(in about) map[string]any) operation {
	return serving(func(a *API, in about, _ []byte) (any, error) {
		doc, ok, err := a.state.Document(in.UserPoolId, d.kind, d.keyOf(in))
		if err == nil && !ok && in.ClientId != "" {
			doc, ok, err = a.state.Document(in.UserPoolId, d.kind, allClients)
		}
		if err != nil {
			return nil, err
		}
		answer := without(in)
		if ok {
			answer = d.show(d.shape, in.UserPoolId, doc)
		}
		if d.member == "" {
			return answer, nil
		}
		return map[string]any{d.member: answer}, nil
	})
}

func (d document) describe() operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		doc, _, err := d.find(a, in, body)
		if err != nil {
			return nil, err
		}
		return d.answer(in.UserPoolId, doc), nil
	})
}

// find finds the document that a request names.
func (d document) find(a *API, in about, body []byte) (doc state.Document, key string, err error) {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(body, &named); err != nil {
		return doc, "", &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
	}
	key = textOf(named[d.key])
	doc, ok, err := a.state.Document(in.UserPoolId, d.kind, key)
	if err == nil && !ok {
		err = d.missing(key)
	}
	return doc, key, err
}

// by describes the first document that a function selects; what it was asked for is in
// the request.
func (d document) by(selects func(doc state.Document, named map[string]json.RawMessage) bool) operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		var named map[string]json.RawMessage
		if err := json.Unmarshal(body, &named); err != nil {
			return nil, &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
		}
		_, list, err := a.state.Documents(in.UserPoolId, d.kind)
		if err != nil {
			return nil, err
		}
		for _, doc := range list {
			if selects(doc, named) {
				return d.answer(in.UserPoolId, doc), nil
			}
		}
		return nil, &state.Error{Type: state.ResourceNotFound, Message: d.called + " does not exist."}
	})
}

// remove deletes a document; shows says that the answer has what it was.
func (d document) remove(shows bool) operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		doc, key, err := d.find(a, in, body)
		if err != nil {
			return nil, err
		}
		if _, err := a.state.DeleteDocument(in.UserPoolId, d.kind, key); err != nil {
			return nil, err
		}
		if shows {
			return d.answer(in.UserPoolId, doc), nil
		}
		return empty, nil
	})
}

// list lists the documents of a pool, each as a structure of the model.
func (d document) list(member, shape, token string) operation {
	return serving(func(a *API, in about, body []byte) (any, error) {
		keys, docs, err := a.state.Documents(in.UserPoolId, d.kind)
		if err != nil {
			return nil, err
		}
		var request map[string]json.RawMessage
		if err := json.Unmarshal(body, &request); err != nil {
			return nil, &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
		}
		after := textOf(request[token])
		delete(request, token)
		limit := in.MaxResults
		if limit == nil {
			limit = in.Limit
		}
		asked := struct {
			Kind    string
			Request map[string]json.RawMessage
		}{d.kind, request}
		page, next, err := pageOf(a, after, asked, keys, limitOf(limit), func(key string) string { return key })
		if err != nil {
			return nil, err
		}
		list := make([]any, 0, len(page))
		for i, key := range keys {
			if slices.Contains(page, key) {
				list = append(list, d.show(shape, in.UserPoolId, docs[i]))
			}
		}
		answer := map[string]any{member: list}
		if next != "" {
			answer[token] = next
		}
		return answer, nil
	})
}

// newID is an id of small letters and digits.
func newID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 20)
	rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

var uuid = tokens.NewID
