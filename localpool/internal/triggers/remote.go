package triggers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	maxAnswer  = 1 << 20
	maxMessage = 8 << 10
)

// functionError is the header by which Lambda, and what stands in for it on a
// developer's machine, tells that the body is an error.
const functionError = "X-Amz-Function-Error"

// Remote returns a function that posts events to a URL:
//
//   - 2xx with the event is its answer;
//   - 4xx, and an error as Lambda reports one, {"errorMessage": "…"}, is an error of
//     the function's own, whose text is errorMessage, or the body;
//   - anything else is a function that did not answer.
//
// client follows no redirects, and waits no longer than it is told to.
func Remote(client *http.Client, url string) Function {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		response, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		message, failed := errorMessage(body)
		switch ok := response.StatusCode/100 == 2; {
		case len(body) > maxAnswer:
			return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
		case response.StatusCode/100 == 4, ok && failed, ok && response.Header.Get(functionError) != "":
			if message == "" {
				message = http.StatusText(response.StatusCode)
			}
			return nil, &Failure{message}
		case !ok:
			return nil, statusError(response.StatusCode)
		}
		return body, nil
	}
}

type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the answer has status %d", int(s)) }

// errorMessage reads the text of an error, and whether the body is one in the shape
// that Lambda has for it.
func errorMessage(body []byte) (message string, shaped bool) {
	var m members
	if json.Unmarshal(body, &m) == nil && m != nil {
		text, err := read[string](m, "errorMessage")
		if _, there := m["errorMessage"]; there && err == nil && m["response"] == nil {
			return bounded(text), true
		}
	}
	return bounded(string(body)), false
}

func bounded(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// reason is what callers are told of a function that did not answer; the log has
// the rest.
func reason(err error) string {
	var status statusError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "Socket timeout while invoking Lambda function"
	case errors.As(err, &status):
		return status.Error()
	}
	return "the function could not be reached"
}
