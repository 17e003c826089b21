package mcp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// message is what is decided on of a JSON-RPC message.
type message struct {
	id     json.RawMessage // nil: it has none
	method string          // empty: it is an answer
	name   string          // of the tool or prompt, or the URI of the resource, that it is about
}

const (
	callTool  = "tools/call"
	listTools = "tools/list"
)

// Codes of JSON-RPC, and of the protocol.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeParams   = -32602
	codeMismatch = -32020 // a header is not what the body says
	codeRefused  = -32003 // of ours: signed in, without the permission
	codeNobody   = -32001 // of ours: not signed in
)

// rpcError is why a message is refused.
type rpcError struct {
	code int
	text string
}

func (e *rpcError) Error() string { return e.text }

const (
	maxMembers = 64  // of an object that is looked into
	maxName    = 256 // bytes of a tool's
)

// named are the methods that are about something with a name, and where in params that is.
var named = [...]struct{ method, key string }{{callTool, "name"}, {"prompts/get", "name"}, {"resources/read", "uri"}}

// namedBy is where in params a method has the name of what it is about; empty: nowhere.
func namedBy(method string) string {
	for _, n := range named {
		if n.method == method {
			return n.key
		}
	}
	return ""
}

// readMessage reads one message. What two readers could take for two messages is refused:
// the server is to act on what was decided on.
func readMessage(body []byte) (message, *rpcError) {
	var m message
	if !utf8.Valid(body) || !json.Valid(body) {
		return m, &rpcError{codeParse, "the body is not JSON"}
	}
	if first := bytes.TrimLeft(body[:min(len(body), 64)], " \t\r\n"); len(first) > 0 && first[0] == '[' {
		return m, &rpcError{codeRequest, "a batch is not part of the protocol any more: send each message by itself"}
	}
	var room [2][8]member // as many as messages have, as a rule
	top, err := membersOf(room[0][:0], body, "jsonrpc", "id", "method", "params", "result", "error")
	if err != nil {
		return m, &rpcError{codeRequest, err.Error()}
	}
	if id := top.get("id"); id != nil {
		switch c := id[0]; {
		case c == '"', c == '-', c >= '0' && c <= '9':
			m.id = json.RawMessage(id)
		default:
			return m, &rpcError{codeRequest, "id is neither text nor a number"}
		}
	}
	if string(top.get("jsonrpc")) != `"2.0"` {
		return m, &rpcError{codeRequest, `jsonrpc is not "2.0"`}
	}
	method := top.get("method")
	if method == nil {
		if m.id == nil || (top.get("result") == nil) == (top.get("error") == nil) || top.get("params") != nil {
			return m, &rpcError{codeRequest, "it is neither a request nor an answer"}
		}
		return m, nil
	}
	if m.method, err = textOf(method); err != nil || m.method == "" || top.get("result") != nil || top.get("error") != nil {
		return m, &rpcError{codeRequest, "method is not a text, or beside an answer"}
	}
	for _, n := range named {
		if m.method != n.method && strings.EqualFold(strings.TrimSpace(m.method), n.method) {
			return m, &rpcError{codeRequest, "method is spelled differently from " + n.method}
		}
	}
	key := namedBy(m.method)
	if key == "" {
		return m, nil
	}
	inner := top.get("params")
	if len(inner) == 0 || inner[0] != '{' {
		return m, &rpcError{codeParams, "params is not an object"}
	}
	params, err := membersOf(room[1][:0], inner, key)
	if err == nil && params.get(key) == nil {
		err = fmt.Errorf("params has no %s", key)
	}
	if err == nil {
		m.name, err = textOf(params.get(key))
	}
	if err != nil {
		return m, &rpcError{codeParams, err.Error()}
	}
	if m.method == callTool && (m.name == "" || len(m.name) > maxName) {
		return m, &rpcError{codeParams, "the name of the tool is empty or too long"}
	}
	return m, nil
}

var (
	errNoObject = errors.New("it is not an object")
	errMembers  = errors.New("an object has too many members")
	errRepeated = errors.New("a name is repeated, or differs from another only in case")
	errText     = errors.New("a text has half a character")
)

// members are those of an object, in their order.
type members []member

type member struct {
	name  string
	value []byte
}

// get is the value of a member; nil: there is none of that name.
func (m members) get(name string) []byte {
	for i := range m {
		if m[i].name == name {
			return m[i].value
		}
	}
	return nil
}

// membersOf takes an object of valid JSON apart, into room. Names that fold to the same are
// refused, and so are those that fold to one of known and are not it.
func membersOf(room members, raw []byte, known ...string) (members, error) {
	s := scanner{raw, 0}
	s.space()
	if s.peek() != '{' {
		return nil, errNoObject
	}
	s.i++
	found := room
	for {
		s.space()
		if s.peek() == '}' || s.peek() == 0 {
			return found, nil
		}
		if s.peek() == ',' {
			s.i++
			continue
		}
		name, err := textAmong(s.value(), known)
		if err != nil {
			return nil, err
		}
		for _, other := range found {
			if strings.EqualFold(other.name, name) {
				return nil, errRepeated
			}
		}
		for _, k := range known {
			if k != name && strings.EqualFold(k, name) {
				return nil, errRepeated
			}
		}
		if len(found) == maxMembers {
			return nil, errMembers
		}
		s.space()
		s.i++ // :
		s.space()
		found = append(found, member{name, s.value()})
	}
}

// textAmong is textOf, without a copy of what is known.
func textAmong(raw []byte, known []string) (string, error) {
	for _, k := range known {
		if len(raw) == len(k)+2 && string(raw[1:len(raw)-1]) == k {
			return k, nil
		}
	}
	return textOf(raw)
}

// textOf decodes a text of valid JSON. One with half of a surrogate pair stands for no
// text, and readers differ in what they put in its place.
func textOf(raw []byte) (string, error) {
	if isPlain(raw) { // nearly all are
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", errors.New("a name is not a text")
	}
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", errText
	}
	return text, nil
}

// isPlain reports whether a text is of ASCII, and stands for itself.
func isPlain(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// scanner goes over JSON that is known to be valid.
type scanner struct {
	raw []byte
	i   int
}

func (s *scanner) peek() byte {
	if s.i < len(s.raw) {
		return s.raw[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.raw) && (s.raw[s.i] == ' ' || s.raw[s.i] == '\t' || s.raw[s.i] == '\r' || s.raw[s.i] == '\n') {
		s.i++
	}
}

// value passes one, and returns it.
func (s *scanner) value() []byte {
	start, depth := s.i, 0
	for s.i < len(s.raw) {
		c := s.raw[s.i]
		switch {
		case c == '"':
			s.text()
			if depth == 0 {
				return s.raw[start:s.i]
			}
			continue
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == '}' || c == ']' || c == ',' || c <= ' '):
			return s.raw[start:s.i] // a number or a word has ended
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				s.i++
				return s.raw[start:s.i]
			}
		}
		s.i++
	}
	return s.raw[start:s.i]
}

func (s *scanner) text() {
	for s.i++; s.i < len(s.raw); s.i++ {
		switch s.raw[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return
		}
	}
}

// mirrored refuses a message that headers tell something else about (Streamable HTTP,
// "Server Validation"): who is before us may have decided by them.
func (m message) mirrored(h http.Header) *rpcError {
	if method, ok := h["Mcp-Method"]; ok && (len(method) != 1 || method[0] != m.method) {
		return &rpcError{codeMismatch, "Mcp-Method is not the method of the body"}
	}
	if name, ok := h["Mcp-Name"]; ok && namedBy(m.method) != "" && (len(name) != 1 || decodeHeader(name[0]) != m.name) {
		return &rpcError{codeMismatch, "Mcp-Name is not the name in the body"}
	}
	return nil
}

// decodeHeader reads a value that may be encoded because it is not ASCII.
func decodeHeader(value string) string {
	inner, ok := strings.CutPrefix(value, "=?base64?")
	if inner, ok2 := strings.CutSuffix(inner, "?="); ok && ok2 {
		if plain, err := base64.StdEncoding.DecodeString(inner); err == nil {
			return string(plain)
		}
	}
	return value
}
