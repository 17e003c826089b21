package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
)

// answer is what the server says, on its way to the client: with its session id bound to
// the person, and its lists of tools shortened to those that the person may call.
type answer struct {
	http.ResponseWriter
	*exchange
	begun  bool
	held   *bytes.Buffer // an answer in JSON that is looked through when it is whole
	status int
	events *events // of a stream; nil: none that is looked through
	failed error   // why the rest is not sent
}

// maxAnswer bounds what is looked through at once.
const maxAnswer = 16 << 20

var (
	errAnswerTooLarge = errors.New("the server's list of tools is too large to be looked through")
	errPacked         = errors.New("the server compressed its list of tools without being asked")
	errNotRead        = errors.New("the server's list of tools cannot be read")
)

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	h := a.ResponseWriter.Header()
	if a.begun || status < 200 && status != http.StatusSwitchingProtocols {
		if !a.begun {
			a.ResponseWriter.WriteHeader(status)
		}
		return
	}
	a.begun, a.status = true, status
	a.own(h)
	kind := h.Get("Content-Type")
	if kind != "application/json" && kind != "text/event-stream" { // nearly all are one of them
		kind, _, _ = mime.ParseMediaType(kind)
	}
	switch looked := len(a.rules) > 0; {
	case !looked || kind != "text/event-stream" && !(kind == "application/json" && a.message.method == listTools):
		a.ResponseWriter.WriteHeader(status)
	case h.Get("Content-Encoding") != "":
		a.fail(errPacked)
	case kind == "application/json":
		a.held = new(bytes.Buffer)
	default:
		delete(h, "Content-Length")
		a.events = &events{to: a.ResponseWriter, shorten: a.shorten}
		a.ResponseWriter.WriteHeader(status)
	}
}

// own says what is for the guard to say, in place of the server.
func (a *answer) own(h http.Header) {
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		delete(h, name)
	}
	if origin := a.r.Header["Origin"]; origin != nil {
		allowPage(h, origin[0])
	}
	ids, ok := h[sessionHeader]
	if !ok {
		return
	}
	given := ""
	if a.session != "" {
		given, _ = a.bound(a.session, a.who)
	}
	switch {
	case len(ids) != 1 || !isSessionID(ids[0]):
		delete(h, sessionHeader)
	case ids[0] == given:
		h[sessionHeader] = []string{a.session} // as the client knows it
	default:
		h[sessionHeader] = []string{a.bind(ids[0], a.who)}
	}
}

func (a *answer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case a.failed != nil:
		return 0, a.failed
	case a.held != nil:
		if a.held.Len()+len(b) > maxAnswer {
			a.fail(errAnswerTooLarge)
			return 0, a.failed
		}
		return a.held.Write(b)
	case a.events != nil:
		if err := a.events.write(b); err != nil {
			a.failed = err
			return 0, err
		}
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// FlushError sends what there is.
func (a *answer) FlushError() error {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.held != nil || a.failed != nil {
		return nil // it is not whole
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush is FlushError, for servers that look for it.
func (a *answer) Flush() { _ = a.FlushError() }

// fail answers for a server that cannot be understood. Less than all of its list is never
// sent, and more neither.
func (a *answer) fail(err error) {
	a.failed, a.held = err, nil
	a.Logger.LogAttrs(a.r.Context(), slog.LevelError, "answer of the MCP server refused", append(a.about(), slog.String("reason", err.Error()))...)
	for _, name := range [...]string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Trailer"} {
		delete(a.ResponseWriter.Header(), name)
	}
	a.refuse(http.StatusBadGateway, codeNobody, "the MCP server's answer cannot be understood")
}

// finish sends what was held.
func (a *answer) finish() {
	switch {
	case a.failed != nil:
	case a.held != nil:
		short := a.held.Bytes()
		if len(short) > 0 {
			var err error
			if short, err = a.shorten(short); err != nil {
				a.fail(err)
				return
			}
		}
		h := a.ResponseWriter.Header()
		for _, name := range [...]string{"Content-Length", "Etag"} {
			delete(h, name)
		}
		a.ResponseWriter.WriteHeader(a.status)
		_, _ = a.ResponseWriter.Write(short)
	case a.events != nil:
		_ = a.events.end()
	}
}

// shorten takes the tools that the person may not call from a list of them, in a message
// or, from older servers, several. What is not a list is as it was.
func (a *answer) shorten(raw []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) > 0 && trimmed[0] == '[' {
		var all []json.RawMessage
		if err := json.Unmarshal(trimmed, &all); err != nil {
			return nil, errNotRead
		}
		for i := range all {
			short, err := a.shorten(all[i])
			if err != nil {
				return nil, err
			}
			all[i] = short
		}
		return json.Marshal(all)
	}
	var top, result map[string]json.RawMessage
	if json.Unmarshal(trimmed, &top) != nil || top == nil {
		return nil, errNotRead
	}
	if top["result"] == nil || json.Unmarshal(top["result"], &result) != nil || result["tools"] == nil {
		return raw, nil
	}
	var tools, kept []json.RawMessage
	if json.Unmarshal(result["tools"], &tools) != nil {
		return nil, errNotRead
	}
	kept = make([]json.RawMessage, 0, len(tools))
	for _, tool := range tools {
		var named struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(tool, &named) != nil {
			return nil, errNotRead
		}
		v, err := a.judge(a.r.Context(), a.who, a.r, named.Name)
		if err != nil {
			return nil, err
		}
		if v.listed {
			kept = append(kept, tool)
		}
	}
	var err error
	if result["tools"], err = json.Marshal(kept); err != nil {
		return nil, errNotRead
	}
	if result["cacheScope"] != nil {
		result["cacheScope"] = json.RawMessage(`"private"`) // it is this person's list
	}
	if top["result"], err = json.Marshal(result); err != nil {
		return nil, errNotRead
	}
	return json.Marshal(top)
}
