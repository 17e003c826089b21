package codegrant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/quotas"
)

// maxHandOver bounds the body: as much as the token endpoint can have said.
const maxHandOver = quotas.AnswerBytes

// handOver is what a client sends that already holds tokens: members named as in a
// token endpoint's answer.
type handOver struct {
	IDToken      cognito.Secret `json:"id_token"`
	AccessToken  cognito.Secret `json:"access_token"`
	RefreshToken cognito.Secret `json:"refresh_token"`
	// Other members of a token response are accepted and ignored.
	TokenType string          `json:"token_type"`
	ExpiresIn json.RawMessage `json:"expires_in"`
}

var (
	errHandOverType = errors.New("the body is not application/json")
	errHandOverBody = errors.New(`the body is not an object with "id_token", "access_token" and perhaps "refresh_token"`)
)

// handOverSession opens a session for a client that signed in by itself and holds
// the tokens: a single-page or mobile application.
func (in *signIn) handOverSession(w http.ResponseWriter, r *http.Request) {
	if !in.AcceptTokens {
		in.problem(w, r, http.StatusNotFound, nil)
		return
	}
	// Pages of listed origins may send it, and read the answer (Fetch standard,
	// section 3.3).
	if origin := r.Header.Get("Origin"); slices.Contains(in.TrustedOrigins, origin) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Vary", "Origin")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if r.Method != http.MethodPost {
		in.methodNotAllowed(w, r, "POST")
		return
	}
	// A page of somebody else must not sign this browser in as that somebody,
	// whether or not cross-origin requests are let through elsewhere.
	if err := in.checkOrigin(r); err != nil {
		in.refuseHandOver(w, r, http.StatusForbidden, fmt.Errorf("%w: %w", fault.CrossOrigin, err))
		return
	}
	tokens, err := readHandOver(w, r)
	if err != nil {
		status := http.StatusBadRequest
		var large *http.MaxBytesError
		switch {
		case errors.Is(err, errHandOverType):
			status = http.StatusUnsupportedMediaType
		case errors.As(err, &large):
			status = http.StatusRequestEntityTooLarge
		}
		in.refuseHandOver(w, r, status, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), signInTimeout)
	defer cancel()
	held, err := in.sessions.Begin(ctx, w, r, keep.Grant{Tokens: tokens, Again: in.again})
	switch {
	case errors.Is(err, fault.TooManySignIns):
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
		in.refuseHandOver(w, r, http.StatusTooManyRequests, err)
	case err != nil && isUnavailable(err):
		in.unavailable(w, r, err)
	case err != nil:
		// The tokens stay the client's own: nothing is revoked.
		in.refuseHandOver(w, r, http.StatusUnauthorized, err)
	default:
		in.audit(ctx, slog.LevelInfo, "signed in", slog.String("sub", held.Subject), slog.String("by", "hand-over"),
			slog.String("session", held.Key.Short()), slog.Any("groups", held.Groups))
		in.files.grantSignedCookies(w, r, held.Subject)
		id := in.identityOf(&held.Person, "", held)
		writeJSON(w, http.StatusCreated, newUserInfo(&id))
	}
}

// readHandOver parses the body: one JSON object of the known members. Plain forms
// are refused, as any page can have a browser send those.
func readHandOver(w http.ResponseWriter, r *http.Request) (cognito.TokenSet, error) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return cognito.TokenSet{}, errHandOverType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHandOver))
	if err != nil {
		return cognito.TokenSet{}, fmt.Errorf("read the body: %w", err)
	}
	var in handOver
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil || decoder.More() || in.IDToken == "" || in.AccessToken == "" {
		return cognito.TokenSet{}, errHandOverBody // and not err: it may quote a token
	}
	return cognito.TokenSet{IDToken: in.IDToken, AccessToken: in.AccessToken, RefreshToken: in.RefreshToken}, nil
}

func (in *signIn) refuseHandOver(w http.ResponseWriter, r *http.Request, status int, err error) {
	id := correlation()
	in.audit(r.Context(), slog.LevelWarn, "sign-in refused", slog.String("by", "hand-over"), slog.String("reason", err.Error()), slog.String("correlation", id))
	p := problemDocument{
		Type: problemTypes + "hand-over-refused", Title: "Tokens refused", Status: status, Correlation: id,
		Detail: "The tokens are expired, not of this app client, or not of one person.",
	}
	switch {
	case errors.Is(err, fault.CrossOrigin):
		p.Detail = "A page of an origin that is not listed in TrustedOrigins sent them."
	case errors.Is(err, fault.TooManySignIns):
		p.Detail = "This person has signed in many times in a row. Try again later."
	case errors.Is(err, keep.ErrTooLarge), errors.Is(err, fault.UserDisabled), errors.Is(err, fault.NotAdmitted):
		p.Detail = "The tokens are good, and no session can be opened with them. The log says why."
	case status != http.StatusUnauthorized:
		p.Detail = `Send application/json: an object with "id_token", "access_token" and perhaps "refresh_token".`
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", bearerAuthenticator{}.Challenge(err)) // RFC 9110, section 15.5.2
	}
	writeProblem(w, p)
}
