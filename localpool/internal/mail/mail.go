package mail

import (
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/smtp"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Message is a mail.
type Message struct {
	To, Subject, Text string
	At                time.Time
}

// Sender sends mail to one server, one after the other. It is safe for concurrent use.
type Sender struct {
	address string
	logger  *slog.Logger

	mu      sync.Mutex // guards the fields below
	waiting []Message
	running bool
	closed  bool
	idle    sync.WaitGroup
}

const (
	maxWaiting = 500
	patience   = 10 * time.Second

	from = "no-reply@verificationemail.com" // Cognito's own
)

// New returns a sender to an address, such as 127.0.0.1:1025. It does not connect.
func New(address string, logger *slog.Logger) (*Sender, error) {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return nil, fmt.Errorf("mail server %q is not of the form 127.0.0.1:1025", address)
	}
	return &Sender{address: address, logger: logger}, nil
}

// Send has a message sent soon.
func (s *Sender) Send(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.waiting) >= maxWaiting {
		s.logger.Warn("mail is dropped: too much of it waits", slog.String("server", s.address))
		return
	}
	s.waiting = append(s.waiting, m)
	if !s.running {
		s.running = true
		s.idle.Go(s.run)
	}
}

// run sends what waits, and ends.
func (s *Sender) run() {
	for {
		s.mu.Lock()
		if len(s.waiting) == 0 || s.closed {
			s.running = false
			s.mu.Unlock()
			return
		}
		m := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.mu.Unlock()
		if err := s.deliver(m); err != nil {
			s.logger.Warn("mail is not taken; the code is on the page of codes", slog.String("server", s.address), slog.Any("error", err))
		}
	}
}

// Close drops what waits, and returns when no mail is under way.
func (s *Sender) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.idle.Wait()
}

func (s *Sender) deliver(m Message) error {
	if strings.ContainsAny(m.To, "\r\n<> ") || !strings.Contains(m.To, "@") {
		return errors.New("the address is not one")
	}
	conn, err := net.DialTimeout("tcp", s.address, patience)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	host, _, _ := net.SplitHostPort(s.address) // checked before
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer c.Close()
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	body, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(m.bytes()); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	return c.Quit()
}

var tag = regexp.MustCompile(`(?i)<(a|p|br|div|html|b|strong|table|span|h[1-6])[ />]`)

// kind is plain text, unless the text is HTML, which pools' own words may be.
func (m Message) kind() string {
	if tag.MatchString(m.Text) {
		return "text/html"
	}
	return "text/plain"
}

// bytes is the message as mail servers take it (RFC 5322).
func (m Message) bytes() []byte {
	lines := strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\n", "\r\n")
	return []byte("From: " + from + "\r\nTo: " + m.To + "\r\nSubject: " + mime.QEncoding.Encode("utf-8", m.Subject) +
		"\r\nDate: " + m.At.Format(time.RFC1123Z) + "\r\nMIME-Version: 1.0\r\nContent-Type: " + m.kind() + "; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + lines + "\r\n")
}
