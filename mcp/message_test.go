package mcp

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// messages are what may come in a body: code 0 is read.
var messages = []struct {
	body         string
	code         int
	method, name string
}{
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"name":"x"}}}`, 0, callTool, "search"},
	{` {"params" : { "arguments":{"a":[1,{"name":"x"}],"b":"}\""} , "name":"se\u0061rch"},"method":"tools\/call","id":"a","jsonrpc":"2.0"} `, 0, callTool, "search"},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 0, listTools, ""},
	{`{"jsonrpc":"2.0","id":-1.5e3,"method":"tools/list","params":{}}`, 0, listTools, ""},
	{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, 0, "notifications/initialized", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///x"}}`, 0, "resources/read", "file:///x"},
	{`{"jsonrpc":"2.0","id":1,"result":{}}`, 0, "", ""},
	{`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, 0, "", ""},
	{`[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`, codeRequest, "", ""},
	{"\n [ ]", codeRequest, "", ""},
	{``, codeParse, "", ""}, {`{`, codeParse, "", ""}, {`{}{}`, codeParse, "", ""}, {"\xef\xbb\xbf{}", codeParse, "", ""}, {"{\"a\":\"\xff\"}", codeParse, "", ""},
	{`{}`, codeRequest, "", ""}, {`"x"`, codeRequest, "", ""}, {`null`, codeRequest, "", ""},
	{`{"jsonrpc":"1.0","id":1,"method":"tools/list"}`, codeRequest, "", ""},
	{`{"id":1,"method":"tools/list"}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":{},"method":"tools/list"}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":7}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":""}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","result":{}}`, codeRequest, "", ""},
	// What one reader takes for this, and another for that.
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","name":"y"}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","Name":"y"}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"x"}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"},"\u0070arams":{"name":"y"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"x"}}`, codeRequest, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["x"]}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["x"]}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800x"}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + strings.Repeat("x", maxName+1) + `"}}`, codeParams, "", ""},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list"` + strings.Repeat(`,"`+"x"+`":1`, 1) + `,"X":1}`, codeRequest, "", ""},
	{strings.Repeat("[", 100_000), codeParse, "", ""},
}

// TestS617_MessagesAreReadInOneWay: what is decided on is what every reader sees.
func TestS617_MessagesAreReadInOneWay(t *testing.T) {
	for _, tt := range messages {
		m, err := readMessage([]byte(tt.body))
		code := 0
		if err != nil {
			code = err.code
		}
		if code != tt.code || err == nil && (m.method != tt.method || m.name != tt.name) {
			t.Errorf("%.200s: %+v, %v, want code %d, %s of %q", tt.body, m, err, tt.code, tt.method, tt.name)
		}
	}
}

// FuzzS617_Messages: what is read is what encoding/json reads, which takes the last of two
// names and those that differ in case.
func FuzzS617_Messages(f *testing.F) {
	for _, tt := range messages {
		f.Add([]byte(tt.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := readMessage(body)
		if err != nil {
			if err.Error() == "" || err.code == 0 {
				t.Errorf("%q: refused without a word", body)
			}
			return
		}
		var loose struct {
			ID     json.RawMessage
			Method string
			Params json.RawMessage
		}
		if err := json.Unmarshal(body, &loose); err != nil || loose.Method != m.method || string(loose.ID) != string(m.id) {
			t.Fatalf("%q: %+v, %v, and read as %+v", body, loose, err, m)
		}
		if namedBy(m.method) == "" {
			return
		}
		var params struct{ Name, URI string }
		if err := json.Unmarshal(loose.Params, &params); err != nil && m.method == callTool {
			var one struct{ Name string }
			if json.Unmarshal(loose.Params, &one) != nil || one.Name != m.name {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if m.method == "resources/read" && params.URI != m.name || m.method != "resources/read" && params.Name != m.name {
			t.Fatalf("%q: %+v, and read as %+v", body, params, m)
		}
	})
}

// TestS617_HeadersThatMirrorTheBody are refused where they say something else.
func TestS617_HeadersThatMirrorTheBody(t *testing.T) {
	call := message{method: callTool, name: "größe"}
	for _, tt := range []struct {
		m    message
		h    http.Header
		want bool
	}{
		{call, nil, true},
		{call, http.Header{"Mcp-Method": {callTool}, "Mcp-Name": {"=?base64?Z3LDtsOfZQ==?="}}, true},
		{message{method: callTool, name: "search"}, http.Header{"Mcp-Name": {"search"}}, true},
		{message{method: listTools}, http.Header{"Mcp-Method": {listTools}, "Mcp-Name": {"x"}}, true},
		{call, http.Header{"Mcp-Method": {listTools}}, false},
		{call, http.Header{"Mcp-Method": {callTool, listTools}}, false},
		{call, http.Header{"Mcp-Name": {"search"}}, false},
		{call, http.Header{"Mcp-Name": {"=?base64?***?="}}, false},
		{message{method: callTool, name: "search"}, http.Header{"Mcp-Name": {"Search"}}, false},
	} {
		if err := tt.m.mirrored(tt.h); (err == nil) != tt.want {
			t.Errorf("%+v %v: %v", tt.m, tt.h, err)
		}
	}
}

// TestTextOf: a text that needs no decoding is what decoding makes of it.
func TestTextOf(t *testing.T) {
	for _, raw := range []string{
		`"tools/call"`, `""`, `"a b~!"`, `"\u0061"`, `"\""`, `"\\"`, `"é"`, `"\ud800"`, `1`, `"`, "\"a\tb\"", "\"a\x7fb\"", `"a"b"`,
	} {
		got, err := textOf([]byte(raw))
		var want string
		wrong := json.Unmarshal([]byte(raw), &want)
		if strings.Contains(want, "\ufffd") {
			wrong = errText
		}
		if (err == nil) != (wrong == nil) || err == nil && got != want {
			t.Errorf("%s: %q, %v; want %q, %v", raw, got, err, want, wrong)
		}
	}
}
