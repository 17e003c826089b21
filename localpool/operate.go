package localpool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/mail"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// clock is the pool's, which tests move.
type clock struct {
	now   func() time.Time
	ahead atomic.Int64
}

func (c *clock) time() time.Time { return c.now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the pool's clock: tokens, codes and sessions end without waiting. A
// negative duration moves it back.
func (s *Server) Advance(by time.Duration) { s.clock.ahead.Add(int64(by)) }

// Snapshot returns all that the pool keeps, keys included, as a state file has it.
func (s *Server) Snapshot() ([]byte, error) { return s.state.Snapshot() }

// Restore replaces all data of the pool with a snapshot. Sign-ins in progress end.
func (s *Server) Restore(snapshot []byte) error {
	if err := s.state.Restore(snapshot); err != nil {
		return fmt.Errorf("local pool: %w", err)
	}
	return nil
}

// Reset has the pool begin anew with its seed, at the time that it is. The keys of its
// pools stay, so that who verifies tokens notices nothing.
func (s *Server) Reset() error {
	s.clock.ahead.Store(0)
	pools, err := s.seed.pools()
	if err == nil {
		err = s.state.Reset(pools, s.seed.addUsers)
	}
	if err != nil {
		return fmt.Errorf("local pool: %w", err)
	}
	return nil
}

// operator is the path under which tests operate the pool.
const operator = "/_pool"

const maxSnapshot = 512 << 20

// operate serves what is no part of Cognito, for tests in any language. Scripts of web
// pages are refused: nothing else keeps them from it.
func (s *Server) operate(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
				http.Error(w, "This is for programs, not for pages.", http.StatusForbidden)
				return
			}
			w.Header().Set("Cache-Control", "no-store")
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	tell := func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{
			"now": s.clock.time().UTC().Format(time.RFC3339Nano), "ahead": time.Duration(s.clock.ahead.Load()).String(),
		})
	}
	handle("GET "+operator+"/clock", func(w http.ResponseWriter, _ *http.Request) error { return tell(w) })
	handle("POST "+operator+"/clock", func(w http.ResponseWriter, r *http.Request) error {
		by, to := r.FormValue("by"), r.FormValue("to")
		switch {
		case (by == "") == (to == ""):
			return errors.New("say by how much, as in by=90m, or to when, as in to=2027-01-02T15:04:05Z")
		case by != "":
			d, err := time.ParseDuration(by)
			if err != nil {
				return fmt.Errorf("by: %q is not a duration such as 90m or -1h", by)
			}
			s.Advance(d)
		default:
			at, err := time.Parse(time.RFC3339, to)
			if err != nil {
				return fmt.Errorf("to: %q is not a time such as 2027-01-02T15:04:05Z", to)
			}
			s.clock.ahead.Store(int64(at.Sub(s.clock.now())))
		}
		return tell(w)
	})
	handle("POST "+operator+"/reset", func(w http.ResponseWriter, _ *http.Request) error {
		if err := s.Reset(); err != nil {
			return err
		}
		return tell(w)
	})
	handle("GET "+operator+"/snapshot", func(w http.ResponseWriter, _ *http.Request) error {
		b, err := s.Snapshot()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b)
		return nil
	})
	handle("PUT "+operator+"/snapshot", func(w http.ResponseWriter, r *http.Request) error {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSnapshot))
		if err != nil {
			return fmt.Errorf("read the snapshot: %w", err)
		}
		if err := s.Restore(b); err != nil {
			return err
		}
		return tell(w)
	})
	handle("GET "+operator+"/messages", func(w http.ResponseWriter, r *http.Request) error {
		type message struct{ To, For, Code, Sent, Subject, Text, Function string }
		list := []message{}
		for _, m := range s.state.Messages() {
			if to := r.FormValue("to"); to == "" || to == m.To {
				list = append(list, message{m.To, m.Purpose, m.Code, m.Sent.UTC().Format(time.RFC3339), m.Subject, m.Text, m.Function})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(list)
	})
	// Other emulators of AWS show mail like this, and tests that were written for them look here.
	handle("GET /_aws/ses", func(w http.ResponseWriter, r *http.Request) error {
		list := []map[string]any{}
		for i, m := range s.state.Messages() {
			if to := r.FormValue("email"); m.Mail() && (to == "" || to == m.To) {
				list = append(list, map[string]any{
					"Id": strconv.Itoa(i), "Destination": map[string][]string{"ToAddresses": {m.To}}, "Subject": m.Subject,
					"Body": map[string]any{"text_part": m.Text, "html_part": nil}, "Timestamp": m.Sent.UTC().Format(time.RFC3339),
				})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{"messages": list})
	})
}

// mailed has messages sent by e-mail.
func mailed(sender *mail.Sender) func(state.Message) {
	if sender == nil {
		return nil
	}
	return func(m state.Message) {
		if !m.Mail() {
			return // a text message
		}
		sender.Send(mail.Message{To: m.To, Subject: m.Subject, Text: m.Text, At: m.Sent})
	}
}
