package mcp

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/codegrant/codegrant"
)

// FuzzEvents: a stream is the same however it is cut, nothing of it is lost where there is
// nothing to take out, and no list names a tool that the person may not call.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		": open\n\n", "data: {}\r\n\r\n", "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"search\"},{\"name\":\"write\"}]}}\n\n",
		"data: {\"result\":\ndata: {\"tools\":[]}}\n\n", "data:[{\"result\":{\"tools\":[{\"name\":\"write\"}]}}]\r\r", "\r\n\r", "id: 7\n", "data: \"tools\"\n\n", "",
	} {
		f.Add([]byte(seed), 3)
		f.Add([]byte("data: {\"result\":{\"tools\":[]}}\n\n"+seed), 0)
	}
	rules, err := newRules([]Tool{{Name: "search"}})
	if err != nil {
		f.Fatal(err)
	}
	a := &answer{exchange: &exchange{Resource: &Resource{rules: rules}, r: httptest.NewRequest("GET", "/", nil), who: new(codegrant.Identity)}}
	send := func(stream []byte, size int, shorten func([]byte) ([]byte, error)) (string, error) {
		var out bytes.Buffer
		e := &events{to: &out, shorten: shorten}
		for len(stream) > 0 {
			n := min(size, len(stream))
			if err := e.write(stream[:n]); err != nil {
				return out.String(), err
			}
			stream = stream[n:]
		}
		err := e.end()
		return out.String(), err
	}
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = 1 + int(uint(size)%64)
		if same, err := send(stream, size, func(b []byte) ([]byte, error) { return b, nil }); err != nil || same != string(stream) {
			t.Errorf("%q is sent on as %q, %v", stream, same, err)
		}
		whole, err := send(stream, len(stream)+1, a.shorten)
		cut, err2 := send(stream, size, a.shorten)
		if whole != cut || (err == nil) != (err2 == nil) {
			t.Errorf("%q is sent on as %q, %v, and in pieces of %d as %q, %v", stream, whole, err, size, cut, err2)
		}
	})
}

// FuzzLists: of whatever a server says, what is sent on names no tool that the person may not
// call.
func FuzzLists(f *testing.F) {
	for _, seed := range []string{
		`{"result":{"tools":[{"name":"search"},{"name":"write"}]}}`, `[{"result":{"tools":[{"name":"write"}]}},{"id":1}]`, `{"result":{"tools":[{"name":"write","name":"search"}]}}`,
		`{"result":{"tools":[{"Name":"write"}],"cacheScope":"public"}}`, `{"result":{"tools":[],"tools":[{"name":"write"}]}}`, `{"result":{}}`, `{"error":{}}`, `[`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	rules, err := newRules([]Tool{{Name: "search"}})
	if err != nil {
		f.Fatal(err)
	}
	a := &answer{exchange: &exchange{Resource: &Resource{rules: rules}, r: httptest.NewRequest("GET", "/", nil), who: new(codegrant.Identity)}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		short, err := a.shorten(raw)
		if err != nil {
			return
		}
		all := []json.RawMessage{short}
		if trimmed := bytes.TrimSpace(short); len(trimmed) > 0 && trimmed[0] == '[' {
			if err := json.Unmarshal(short, &all); err != nil {
				t.Fatalf("%q: %q: %v", raw, short, err)
			}
		}
		for _, one := range all {
			var top, result map[string]json.RawMessage
			var tools []struct {
				Name string `json:"name"`
			}
			if json.Unmarshal(one, &top) != nil || json.Unmarshal(top["result"], &result) != nil || json.Unmarshal(result["tools"], &tools) != nil {
				continue
			}
			for _, tool := range tools {
				if tool.Name != "search" {
					t.Errorf("%q: %q names %q", raw, short, tool.Name)
				}
			}
		}
	})
}
