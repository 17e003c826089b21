package directory

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secret is shared with the senders of events. It prints as a placeholder.
type Secret string

const redacted = "[redacted]"

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return redacted }

// MarshalText implements [encoding.TextMarshaler].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// A request to a [Receiver] needs one of these headers.
const (
	// SignatureHeader holds what [Sign] returns.
	SignatureHeader = "X-Codegrant-Signature"

	// SecretHeader holds the secret itself, for senders that cannot sign, such as API
	// destinations of EventBridge. Anyone who sees one request can send others.
	SecretHeader = "X-Codegrant-Secret"
)

// minSecret is how long a secret is at least, so that nobody guesses it.
const minSecret = 32

// ReceiverConfig configures a [Receiver]. Pools and Secrets are required.
type ReceiverConfig struct {
	Pools Pools

	// Secrets are shared with the senders: the same one by both sides, and for the
	// time in which it is replaced the old and the new one. Each has at least 32
	// characters, by chance.
	Secrets []Secret

	// Tolerance is how old a signature may be, and how far in the future. Defaults
	// to five minutes.
	Tolerance time.Duration

	// Timeout is the maximum time for the events of one request, even if the sender no longer
	// waits. Defaults to two minutes.
	Timeout time.Duration

	// Concurrency is how many requests are handled at once. Others get 503. Defaults to 16.
	Concurrency int

	// Logger receives who was refused, and why events wait. Defaults to none.
	Logger *slog.Logger

	// Now is the clock that signatures are judged by. Defaults to [time.Now].
	Now func() time.Time
}

// Receiver is an [http.Handler] that takes events by POST: what [ParseEvents]
// reads. It answers once they are dealt with, so that a sender which repeats what
// was not answered well loses none:
//
//	204  dealt with, or no reason for anything
//	400  not an event; repeating it does not help
//	401  not signed, or not by us
//	413  too large
//	503  the pool or a store does not answer, or there is too much at once
type Receiver struct {
	ReceiverConfig
	slots chan struct{}
	reads chan struct{} // of bodies that anybody may have sent
}

var _ http.Handler = (*Receiver)(nil)

// NewReceiver returns a receiver. The error names every fault of the configuration
// at once.
func NewReceiver(config ReceiverConfig) (*Receiver, error) {
	faults := config.Pools.faults()
	if len(config.Secrets) == 0 {
		faults = append(faults, errors.New("no secret is set (Secrets)"))
	}
	for i, s := range config.Secrets {
		if len(s) < minSecret {
			faults = append(faults, fmt.Errorf("secret number %d in Secrets is shorter than %d characters: make one with openssl rand -hex 32", i+1, minSecret))
		}
	}
	if config.Tolerance < 0 || config.Timeout < 0 || config.Concurrency < 0 {
		faults = append(faults, errors.New("none of Tolerance, Timeout and Concurrency may be below zero"))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure the receiver of events: %w", errors.Join(faults...))
	}
	config.Tolerance = defaultTo(config.Tolerance, 5*time.Minute)
	config.Timeout = defaultTo(config.Timeout, 2*time.Minute)
	config.Concurrency = defaultTo(config.Concurrency, 16)
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Receiver{config, make(chan struct{}, config.Concurrency), make(chan struct{}, readsPerSlot*config.Concurrency)}, nil
}

// readsPerSlot is how many bodies are read at once, for each request that is looked
// into, of senders who have not proven themselves: the proof is of the whole body, and
// that is a megabyte at most, which comes as slowly as the server allows.
const readsPerSlot = 4

// Sign returns the signature of a request at a time, for [SignatureHeader]:
//
//	t=1767225600,v1=<HMAC-SHA256 of "1767225600." and the body, in hexadecimal>
func Sign(secret Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret Secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}

// ServeHTTP implements [http.Handler].
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "Events are posted.")
		return
	}
	known, signatures := r.knows(req.Header), req.Header[SignatureHeader]
	var proof signature
	if len(signatures) > 0 || !known {
		var ok bool
		if proof, ok = r.read(signatures); !ok {
			r.unauthorized(w, req) // before anything of the body is read
			return
		}
	}
	body, err := r.bodyOf(w, req, known)
	if err != nil {
		if errors.Is(err, errTooMany) {
			r.unavailable(w)
			return
		}
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			problem(w, http.StatusRequestEntityTooLarge, "The request is larger than any event.")
			return
		}
		problem(w, http.StatusBadRequest, "The request could not be read.")
		return
	}
	if len(signatures) > 0 && !r.signed(proof, body) {
		r.unauthorized(w, req)
		return
	}
	events := make(map[string][]Event)
	if err := r.Pools.parse(body, events); err != nil {
		r.Logger.Warn("request with no events", slog.Any("error", err))
		problem(w, http.StatusBadRequest, "This is not an event of Cognito.")
		return
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		r.unavailable(w)
		return
	}
	// A sender that gives up sends it again, and would give up again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), r.Timeout)
	defer cancel()
	if err := r.Pools.look(ctx, events); err != nil {
		r.Logger.Warn("events wait", slog.Any("error", err))
		r.unavailable(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// knows reports whether the request shows one of the secrets.
func (r *Receiver) knows(h http.Header) bool {
	values := h[SecretHeader]
	if len(values) != 1 {
		return false
	}
	shown, known := sha256.Sum256([]byte(values[0])), 0
	for _, s := range r.Secrets {
		secret := sha256.Sum256([]byte(s))
		known |= subtle.ConstantTimeCompare(shown[:], secret[:])
	}
	return known == 1
}

var errTooMany = errors.New("too much at once")

// bodyOf reads a body, unless many of strangers' are being read.
func (r *Receiver) bodyOf(w http.ResponseWriter, req *http.Request, known bool) ([]byte, error) {
	if !known {
		select {
		case r.reads <- struct{}{}:
			defer func() { <-r.reads }()
		default:
			return nil, errTooMany
		}
	}
	return io.ReadAll(http.MaxBytesReader(w, req.Body, maxEventBytes))
}

// signature is what a request says of itself.
type signature struct {
	at  string
	mac []byte
}

// read reads the signature of a request. It reports false where that cannot be one of
// now, whatever the body is.
func (r *Receiver) read(headers []string) (signature, bool) {
	if len(headers) != 1 {
		return signature{}, false
	}
	t, code, ok := strings.Cut(headers[0], ",v1=")
	t, dated := strings.CutPrefix(t, "t=")
	at, err := strconv.ParseInt(t, 10, 64)
	if !ok || !dated || err != nil || strconv.FormatInt(at, 10) != t {
		return signature{}, false
	}
	if age := r.Now().Unix() - at; age > int64(r.Tolerance/time.Second) || age < -int64(r.Tolerance/time.Second) {
		return signature{}, false
	}
	given, err := hex.DecodeString(code)
	return signature{t, given}, err == nil && len(given) == sha256.Size
}

// signed reports whether a signature is by one of the secrets.
func (r *Receiver) signed(s signature, body []byte) bool {
	known := 0
	for _, secret := range r.Secrets {
		known |= subtle.ConstantTimeCompare(s.mac, mac(secret, s.at, body))
	}
	return known == 1
}

func (r *Receiver) unauthorized(w http.ResponseWriter, req *http.Request) {
	r.Logger.Warn("events refused: not signed, or not by a secret that is known", slog.String("remote", req.RemoteAddr))
	w.Header().Set("WWW-Authenticate", `Signature header="`+SignatureHeader+`"`)
	problem(w, http.StatusUnauthorized, "Sign the request, or show the secret.")
}

func (r *Receiver) unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	problem(w, http.StatusServiceUnavailable, "The events could not be dealt with. Send them again.")
}

// problem answers as RFC 9457 has it, with a text of our own.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":%q,"status":%d,"detail":%q}`+"\n", http.StatusText(status), status, detail)
}
