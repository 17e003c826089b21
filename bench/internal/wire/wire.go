// Package wire asks HTTP/1.1 servers on this machine at as little cost as can be:
// requests are written as bytes that were made once, and of answers it reads no more
// than the status and where they end. A client that costs more than the servers that
// it measures measures itself.
//
// It refuses to be a client for anything else: it follows no redirect, and takes no
// answer without a length.
package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Request is a request as it is written.
type Request struct {
	Address string // host:port, or unix:/path
	Bytes   []byte
}

// Get makes a request with cookies for a URL.
func Get(address string, cookies []*http.Cookie) (Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Request{}, err
	}
	if u.Scheme != "http" || u.Port() == "" {
		return Request{}, fmt.Errorf("%s is not of the form http://host:port", address)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (bench)\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n", u.RequestURI(), u.Host)
	for i, cookie := range cookies {
		if i == 0 {
			b.WriteString("Cookie: ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(cookie.Name + "=" + cookie.Value)
	}
	if len(cookies) > 0 {
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return Request{Address: u.Host, Bytes: b.Bytes()}, nil
}

// Conn is one connection. It is for one goroutine at a time.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects to host:port, or to a Unix socket as unix:/path.
func Dial(ctx context.Context, address string) (*Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &Conn{conn, bufio.NewReaderSize(conn, 4<<10)}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// SetDeadline bounds what follows.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

var (
	errAnswer   = errors.New("the answer is not HTTP/1.1 that can be read here")
	errNoLength = errors.New("the answer has no Content-Length")

	lengthName = []byte("content-length:")
)

// Ask sends a request and reads the whole answer.
func (c *Conn) Ask(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || string(line[:9]) != "HTTP/1.1 " {
		return 0, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errAnswer
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return status, err
		}
		if len(line) <= 2 {
			break
		}
		if len(line) > len(lengthName) && bytes.EqualFold(line[:len(lengthName)], lengthName) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthName):]))); err != nil {
				return status, errAnswer
			}
		}
	}
	switch {
	case status == http.StatusNoContent || status == http.StatusNotModified:
		return status, nil
	case length < 0:
		return status, errNoLength
	}
	_, err = c.in.Discard(length)
	return status, err
}
