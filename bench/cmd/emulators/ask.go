//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// asker is one connection to a server. It costs as little as can be: it has the same two cores
// as what it measures.
type asker struct {
	*server
	conn net.Conn
	in   *bufio.Reader
}

// patience is for how long a request is waited for.
const patience = time.Minute

// call calls an operation of the JSON API and returns what it answers.
func (a *asker) call(operation string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	status, said, err := a.ask(written(a.address, operation, body))
	if err != nil {
		a.close()
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %s", operation, status, said)
	}
	return said, nil
}

func (a *asker) ask(request []byte) (status int, body []byte, err error) {
	if a.conn == nil {
		if a.conn, err = net.Dial("tcp", a.address); err != nil {
			return 0, nil, err
		}
		a.in = bufio.NewReader(a.conn)
	}
	if err = a.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err = a.conn.Write(request); err != nil {
		return 0, nil, err
	}
	answer, err := http.ReadResponse(a.in, nil)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(answer.Body)
	if answer.Close {
		a.close()
	}
	return answer.StatusCode, body, err
}

func (a *asker) close() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}

// signed is in form only: none of the servers looks closer.
var signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/" + region + "/cognito-idp/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)

// headersOf are those of a request for an operation.
func headersOf(operation string) [][2]string {
	return [][2]string{{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", "AWSCognitoIdentityProviderService." + operation}, {"Authorization", signed}}
}

func written(address, operation string, body []byte) []byte {
	var b bytes.Buffer
	b.WriteString("POST / HTTP/1.1\r\nHost: " + address + "\r\n")
	for _, h := range headersOf(operation) {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n")
	b.Write(body)
	return b.Bytes()
}
