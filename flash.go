package codegrant

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// FlashMessage is a message about a failed sign-in. Show it to the person once.
type FlashMessage struct {
	// Code is for programs: "sign_in_refused", "sign_in_expired", "not_admitted",
	// "email_not_verified", "account_conflict", "account_too_large",
	// "too_many_sign_ins", "too_many_sessions", "temporarily_unavailable", or "trigger" for a message of the pool's
	// Lambda trigger.
	Code string `json:"code"`
	// Message is plain text for the person. It can hold anything that a trigger
	// said: escape it as any other text.
	Message string `json:"message"`
	// Trigger names the Lambda trigger, such as PreSignUp.
	Trigger string `json:"trigger,omitempty"`
	// Correlation is the id under which the log tells more.
	Correlation string `json:"correlation"`
}

const (
	flashPurpose  = "flash"
	flashLifetime = 5 * time.Minute
)

func (n *notes) flashCookie() session.Cookie {
	return session.Cookie{Name: n.cookieName("__Host-", "flash"), Path: "/", Secure: n.secure, SameSite: http.SameSiteLaxMode}
}

type sealedFlash struct {
	FlashMessage
	Until int64 `json:"until"`
}

func (n *notes) setFlash(w http.ResponseWriter, m FlashMessage) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false) // six bytes for one, of which a cookie has no room for many
	if err := encoder.Encode(sealedFlash{m, n.Now().Add(flashLifetime).Unix()}); err != nil {
		panic(err) // a struct of strings
	}
	n.flashCookie().Set(w, n.Keys.Seal(flashPurpose, plain.Bytes(), []byte(n.binding)), flashLifetime)
}

// takeFlash reads the message of a request and has the browser forget it.
func (n *notes) takeFlash(w http.ResponseWriter, r *http.Request) (FlashMessage, bool) {
	values, err := n.flashCookie().Values(r)
	if err != nil || len(values) == 0 {
		return FlashMessage{}, false
	}
	n.flashCookie().Clear(w)
	plain, err := n.Keys.Open(flashPurpose, values[0], []byte(n.binding))
	if err != nil {
		return FlashMessage{}, false
	}
	var m sealedFlash
	if json.Unmarshal(plain, &m) != nil || n.Now().Unix() > m.Until {
		return FlashMessage{}, false
	}
	return m.FlashMessage, true
}

// Flash returns the message about a failed sign-in, and removes it from the browser. Call
// it before you write the response, in a handler behind [Auth.Identify] or [Auth.Require].
func Flash(r *http.Request) (FlashMessage, bool) {
	req := fromContext(r.Context())
	if req == nil {
		return FlashMessage{}, false
	}
	return req.gate.notes.takeFlash(req.w, r)
}

// flash answers with the message as JSON, for single-page applications: 204
// where there is none.
func (in *signIn) flash(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		in.methodNotAllowed(w, r, "GET")
		return
	}
	// The message is for the application's own pages alone.
	if causedByAnotherSite(r, in.BaseURL) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	m, ok := in.notes.takeFlash(w, r)
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusOK, m)
}

// describe puts the reason of a failed sign-in in words for the person, in their language:
// never the error itself, which is for the log.
func describe(r *http.Request, err error) FlashMessage {
	m := reasonFor(r, err)
	m.Message = pages.Text(r, m.Message)
	return m
}

func reasonFor(r *http.Request, err error) FlashMessage {
	if errors.Is(err, fault.TooManySignIns) {
		return FlashMessage{Code: "too_many_sign_ins", Message: "You have signed in many times in a row. Please wait a moment and try again."}
	}
	if isUnavailable(err) {
		return FlashMessage{Code: "temporarily_unavailable", Message: "Signing in does not work right now. Please try again in a moment."}
	}
	var denied *cognito.CallbackError
	if errors.As(err, &denied) {
		if trigger, ok := cognito.ParseTriggerError(denied.Description); ok {
			text := trigger.Message(languages(r)...)
			if text == "" {
				text = "Your account could not be signed in. Please contact support."
			}
			return FlashMessage{Code: "trigger", Trigger: trigger.Trigger, Message: text}
		}
		return FlashMessage{Code: "sign_in_refused", Message: "The sign-in was not completed. Please try again."}
	}
	if errors.Is(err, fault.StateExpired) || errors.Is(err, fault.StateUsed) || errors.Is(err, fault.StateUnknown) {
		return FlashMessage{Code: "sign_in_expired", Message: "This sign-in has expired, was used before, or was started in another browser. Please sign in again."}
	}
	if errors.Is(err, replica.ErrEmailNotVerified) {
		return FlashMessage{Code: "email_not_verified", Message: "Your e-mail address is not confirmed, so this service cannot tell which account is yours. Confirm your address and sign in again, or contact support."}
	}
	if errors.Is(err, fault.AccountConflict) {
		return FlashMessage{Code: "account_conflict", Message: "This service cannot tell which account is yours. Please contact support and quote the reference below."}
	}
	if errors.Is(err, fault.AccountTooLarge) {
		return FlashMessage{Code: "account_too_large", Message: "Your account has more or longer groups than this service can store. Please contact support and quote the reference below."}
	}
	if errors.Is(err, fault.TooManySessions) {
		return FlashMessage{Code: "too_many_sessions", Message: "You have reached the limit of sessions. Sign out in another browser, then sign in again."}
	}
	if errors.Is(err, fault.NotAdmitted) || errors.Is(err, fault.UserDisabled) {
		return FlashMessage{Code: "not_admitted", Message: "Your account may not use this service. Please contact support."}
	}
	return FlashMessage{Code: "sign_in_refused", Message: "The sign-in could not be completed. Please try again."}
}

// languages lists what the person reads, the best first, by the weights of
// Accept-Language (RFC 9110, section 12.5.4).
func languages(r *http.Request) []string {
	type weighed struct {
		tag string
		q   float64
	}
	var found []weighed
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, parameters, _ := strings.Cut(part, ";")
		q := 1.0
		if name, value, ok := strings.Cut(strings.TrimSpace(parameters), "="); ok && strings.EqualFold(name, "q") {
			var err error
			if q, err = strconv.ParseFloat(value, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		if tag = strings.TrimSpace(tag); tag != "" && q > 0 && len(found) < 16 {
			found = append(found, weighed{tag, q})
		}
	}
	slices.SortStableFunc(found, func(a, b weighed) int { return cmp.Compare(b.q, a.q) })
	tags := make([]string, len(found))
	for i, w := range found {
		tags[i] = w.tag
	}
	return tags
}
