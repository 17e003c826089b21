package spoe

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// messageName is that of the one message that is understood.
const messageName = "check"

// errQuestion is a frame that could be read, with a question that makes no sense.
var errQuestion = errors.New("the question is malformed")

// parseMessage reads the one message of a NOTIFY. An error that is not errQuestion is
// one of the frame itself.
func parseMessage(in input) (map[string]value, error) {
	var doubt error
	var arguments map[string]value
	for messages := 0; len(in) > 0; messages++ {
		name, err := in.name()
		if err != nil {
			return nil, err
		}
		count, err := in.take(1)
		if err != nil {
			return nil, err
		}
		if name != messageName || messages > 0 {
			doubt = fmt.Errorf("%w: it must be one message, named %s; it has %.64q", errQuestion, messageName, name)
		}
		arguments = make(map[string]value)
		for range count[0] {
			name, err := in.name()
			if err != nil {
				return nil, err
			}
			v, err := in.value()
			if err != nil {
				return nil, err
			}
			if _, twice := arguments[name]; twice {
				doubt = fmt.Errorf("%w: the argument %.64q is there twice", errQuestion, name)
			}
			arguments[name] = v
		}
	}
	if arguments == nil {
		doubt = fmt.Errorf("%w: it has no message", errQuestion)
	}
	return arguments, doubt
}

// requestOf is the request that HAProxy asks about, and what it asks for beyond the
// gateway's own route.
func requestOf(arguments map[string]value, peer string) (*http.Request, url.Values, error) {
	text := func(name string) (string, error) {
		v := arguments[name]
		delete(arguments, name)
		if v.kind != typeString || len(v.bytes) == 0 {
			return "", fmt.Errorf("%w: the argument %s is missing, or no string", errQuestion, name)
		}
		return string(v.bytes), nil
	}
	method, err := text("method")
	if err != nil {
		return nil, nil, err
	}
	uri, err := text("uri")
	if err != nil {
		return nil, nil, err
	}
	raw := arguments["headers"]
	delete(arguments, "headers")
	if raw.kind != typeBinary {
		return nil, nil, fmt.Errorf("%w: the argument headers is missing, or not of req.hdrs_bin", errQuestion)
	}
	header, err := parseHeaders(raw.bytes)
	if err != nil {
		return nil, nil, err
	}
	if len(header["Host"]) != 1 {
		return nil, nil, fmt.Errorf("%w: it has %d Host headers", errQuestion, len(header["Host"]))
	}
	if len(header["Authorization"]) > 1 {
		return nil, nil, fmt.Errorf("%w: it has several Authorization headers", errQuestion)
	}
	host := header["Host"][0]
	delete(header, "Host")
	narrow := make(url.Values)
	for name := range arguments {
		asked, err := text(name)
		if err != nil {
			return nil, nil, err
		}
		narrow.Set(name, asked)
	}
	return &http.Request{
		Method: method, Host: host, RequestURI: uri, URL: new(url.URL), RemoteAddr: peer,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: http.NoBody,
	}, narrow, nil
}

// parseHeaders reads what req.hdrs_bin says: names and values, an empty pair at the end.
func parseHeaders(in input) (http.Header, error) {
	h := make(http.Header)
	for {
		name, err := in.bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: its headers: %w", errQuestion, err)
		}
		value, err := in.bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: its headers: %w", errQuestion, err)
		}
		if len(name) == 0 && len(value) == 0 {
			break
		}
		key := strings.ToLower(string(name))
		if !httpguts.ValidHeaderFieldName(key) || !httpguts.ValidHeaderFieldValue(string(value)) {
			return nil, fmt.Errorf("%w: the header %.64q is not valid", errQuestion, key)
		}
		h.Add(key, string(value))
	}
	if len(in) > 0 {
		return nil, fmt.Errorf("%w: its headers have data after their end", errQuestion)
	}
	return h, nil
}
