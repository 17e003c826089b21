package spoe

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/kept"
)

// MaxCookies is how many cookies one answer may have: HAProxy's rules need a line for
// each.
const MaxCookies = 16

var (
	errNotRemoved = errors.New("HAProxy has not removed a header that could pass for one of the gateway's own")
	errTooLarge   = errors.New("the answer does not fit a frame; raise tune.bufsize, and max-frame-size if spoe.conf has it")
)

// answer is the gateway's, for HAProxy to be told.
type answer struct{ kept.Response }

// variables are what HAProxy's rules read.
type variables struct {
	status  int
	headers map[string]string
	body    string
}

// passed lets the request through: its variables are those of the headers that it gets
// in place of its own.
func (a *answer) passed(asked http.Header, pass *gateway.Pass) (*variables, error) {
	for name := range asked {
		if _, set := pass.Set[name]; name != "Cookie" && name != "Authorization" && (set || slices.Contains(pass.Remove, name)) {
			return nil, fmt.Errorf("%w: %.64q; before it asks, it needs the rule http-request del-header %.64s", errNotRemoved, name, strings.ToLower(name))
		}
	}
	v := &variables{status: http.StatusOK, headers: make(map[string]string)}
	for name, values := range pass.Set {
		if err := v.set("req_", name, strings.Join(values, ",")); err != nil {
			return nil, err
		}
	}
	for name, separator := range map[string]string{"Cookie": "; ", "Authorization": ","} {
		values, changed := pass.Set[name]
		if !changed && !slices.Contains(pass.Remove, name) {
			values = asked[name]
		}
		if len(values) == 0 {
			continue // HAProxy takes away what it is not told
		}
		if err := v.set("req_", name, strings.Join(values, separator)); err != nil {
			return nil, err
		}
	}
	cookies := a.Header()["Set-Cookie"]
	if len(cookies) > 0 {
		// The upstream does not know that its answer carries somebody's cookie.
		v.headers["res_cache_control"] = "no-store"
	}
	return v, v.cookies(cookies)
}

// denied has the client get the answer.
func (a *answer) denied() (*variables, error) {
	if a.Status < 300 || a.Status > 599 { // nothing that a refusal can be
		return refused(http.StatusForbidden), nil
	}
	v := &variables{status: a.Status, headers: make(map[string]string), body: oneLine(a.Body.String())}
	for name, values := range a.Sent {
		if name == "Set-Cookie" || kept.MadeByProxies(name) {
			continue
		}
		if err := v.set("res_", name, strings.Join(values, ", ")); err != nil {
			return nil, err
		}
	}
	return v, v.cookies(a.Sent["Set-Cookie"])
}

// oneLine is a body without line breaks, which HAProxy would write as %0A, as it does
// with other control characters. Pages and problems mean the same without.
func oneLine(body string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimSpace(strings.ToValidUTF8(body, "\uFFFD")))
}

// refused is the answer to a question that never came to the gateway, or that cannot be
// given the answer that it had.
func refused(status int) *variables {
	return &variables{
		status: status, body: http.StatusText(status),
		headers: map[string]string{"res_cache_control": "no-store", "res_content_type": "text/plain; charset=utf-8", "res_x_content_type_options": "nosniff"},
	}
}

func (v *variables) set(prefix, header, text string) error {
	if !httpguts.ValidHeaderFieldValue(text) {
		return fmt.Errorf("the header %.64q of the answer has a value that none can have", header)
	}
	v.headers[prefix+variable(header)] = text
	return nil
}

func (v *variables) cookies(cookies []string) error {
	if len(cookies) > MaxCookies {
		return fmt.Errorf("the answer has %d cookies; HAProxy's rules know %d", len(cookies), MaxCookies)
	}
	for i, cookie := range cookies {
		if err := v.set("res_set_cookie_", strconv.Itoa(i+1), cookie); err != nil {
			return err
		}
	}
	return nil
}

// variable is the name of a header as names of variables are.
func variable(header string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, header)
}

// roomForRules is what HAProxy needs beside an answer's body to make a response of it.
const roomForRules = 2 << 10

// ack acknowledges a NOTIFY with variables. In place of a body that makes it too large, such
// as that of a page with a picture, people get a line of text.
func (v *variables) ack(f *frame, limit int) ([]byte, error) {
	if v.size() > limit {
		v.body = http.StatusText(v.status)
		v.headers["res_content_type"] = "text/plain; charset=utf-8"
	}
	out := newOutput(frameAck, f.stream, f.id)
	out.set("status", uint32(v.status))
	for _, name := range slices.Sorted(maps.Keys(v.headers)) {
		out.set(name, v.headers[name])
	}
	if out.size() > limit {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d", errTooLarge, out.size(), limit)
	}
	if with := out.size() + len(v.body) + roomForRules; with <= limit {
		out.set("body", v.body)
	}
	return out.sealed(), nil
}

// size is about that of the frame.
func (v *variables) size() int {
	all := len(v.body) + roomForRules
	for name, text := range v.headers {
		all += len(name) + len(text) + 8
	}
	return all
}
