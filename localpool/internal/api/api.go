package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/events"
	"github.com/codegrant/codegrant/localpool/internal/metadata"
	"github.com/codegrant/codegrant/localpool/internal/model"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// API serves the operations on every pool of a state. It is an [http.Handler],
// safe for concurrent use.
type API struct {
	state  *state.State
	maker  *tokens.Maker
	logger *slog.Logger
	trusts func(origin string, open bool) bool

	limiter  *quota.Limiter
	triggers *triggers.Triggers
	trail    *events.Trail
	sessions sessions
	limits   limits

	documents *metadata.Documents
}

// Config configures an [API]. Every field is required.
type Config struct {
	State *state.State
	// Tokens makes the tokens of the pools.
	Tokens *tokens.Maker
	// Logger receives the names of operations that are not here.
	Logger *slog.Logger
	// Trusts reports whether web pages of an origin may call: an operation that is open
	// to apps, or any.
	Trusts func(origin string, open bool) bool
	// Limiter knows how many requests are too many.
	Limiter *quota.Limiter
	// Triggers are called before and after what users do.
	Triggers *triggers.Triggers
	// Trail is told what was called.
	Trail *events.Trail
	// Documents are of clients whose ids are URLs.
	Documents *metadata.Documents
}

// New returns the API.
func New(c Config) *API {
	return &API{state: c.State, maker: c.Tokens, logger: c.Logger, trusts: c.Trusts, limiter: c.Limiter, triggers: c.Triggers, trail: c.Trail, documents: c.Documents}
}

const (
	target  = "AWSCognitoIdentityProviderService."
	maxBody = 256 << 10

	maxHeader = 1 << 10 // of a message; some clients take few kilobytes of all
)

// Operation returns the name of the operation that a request asks for. It is
// empty for one that is not here.
func Operation(r *http.Request) string {
	name := nameOf(r)
	if _, known := operations[name]; !known {
		return ""
	}
	return name
}

// nameOf is what a request asks for, whether it is here or not.
func nameOf(r *http.Request) string {
	asked := r.Header.Get("X-Amz-Target")
	if strings.HasPrefix(asked, secretsManager) {
		return asked
	}
	name, ok := strings.CutPrefix(asked, target)
	if !ok || strings.HasPrefix(name, secretsManager) {
		return ""
	}
	return name
}

// An operation is one that the API has.
type operation struct {
	open  bool // not signed: it is for apps, which have no AWS credentials
	serve func(ctx context.Context, a *API, body []byte) (any, error)
}

// admin is an operation that Cognito takes with a signature only.
func admin[T any](f func(*API, *T) (any, error)) operation {
	return calling(func(a *API, _ context.Context, in *T) (any, error) { return f(a, in) })
}

// calling is one in which triggers are called.
func calling[T any](f func(*API, context.Context, *T) (any, error)) operation {
	return operation{serve: func(ctx context.Context, a *API, body []byte) (any, error) {
		in, err := decode[T](body)
		if err != nil {
			return nil, err
		}
		return f(a, ctx, in)
	}}
}

// empty is what an operation answers that has nothing to say.
var empty = struct{}{}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, id := w.Header(), tokens.NewID()
	h.Set("X-Amzn-Requestid", id)
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodOptions {
		a.preflight(w, r)
		return
	}
	name := nameOf(r)
	op, known := operations[Operation(r)]
	if origin := r.Header.Get("Origin"); origin != "" {
		if !a.trusts(origin, op.open) {
			refuse(w, http.StatusForbidden, "AccessDeniedException", "This is a local pool. It does not answer web pages of other places.")
			return
		}
		allow(h, origin)
	}
	if !known {
		a.logger.Warn("operation that the local pool does not have", slog.String("operation", name))
		refuse(w, http.StatusNotFound, "UnknownOperationException", unknown(name))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The request is longer than any that Cognito takes.")
		return
	}
	var of gist
	_ = json.Unmarshal(body, &of) // what is wrong with it, the operation says
	if !a.within(name, of) {
		refuse(w, http.StatusBadRequest, "TooManyRequestsException", "Rate exceeded")
		return
	}
	record := a.recorded(r, id, name, op, of, body)
	var out any
	if err = fits(name, body); err == nil {
		err = a.stopped(name, of)
	}
	if err == nil {
		out, err = op.serve(withRegion(r.WithContext(withCaller(r))), a, body)
	}
	if failed := a.deliver(r.Context(), of); err == nil {
		err = failed
	}
	record(err)
	if err != nil {
		a.fail(w, name, err)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		a.fail(w, name, err)
		return
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(b)
}

// gist is what a request says of whom it is about, read once for all that want to know
// before the operation does.
type gist struct {
	UserPoolId, ClientId, Username, AccessToken, Session, ChallengeName string

	ClientMetadata map[string]string
}

// deliver delivers what an operation has sent.
func (a *API) deliver(ctx context.Context, of gist) error {
	client := of.ClientId
	if client == "" && of.AccessToken != "" {
		client = a.bearer(of.AccessToken).ID
	}
	return a.triggers.Deliver(ctx, client, of.ClientMetadata)
}

// unknown says what is not here. Cognito says nothing.
func unknown(name string) string {
	if name == "" {
		return "The request names no operation of Amazon Cognito: its header X-Amz-Target must be AWSCognitoIdentityProviderService. and a name."
	}
	return "The local pool has no operation " + strconv.Quote(name[:min(len(name), 64)]) + ". Its log names all that were asked for."
}

// fits checks a request against the model of the service: all of its faults are one
// refusal.
func fits(name string, body []byte) error {
	if strings.HasPrefix(name, secretsManager) {
		return nil // another service's
	}
	faults, err := model.Validate(name, body)
	if err != nil {
		return &state.Error{Type: "SerializationException", Message: err.Error()}
	}
	if len(faults) > 0 {
		return invalid("%s", model.Message(faults))
	}
	return nil
}

const contentType = "application/x-amz-json-1.1"

func (a *API) fail(w http.ResponseWriter, operation string, err error) {
	var refusal *state.Error
	if errors.As(err, &refusal) {
		refuse(w, http.StatusBadRequest, refusal.Type, refusal.Message)
		return
	}
	a.logger.Error("operation failed", slog.String("operation", operation), slog.Any("error", err))
	refuse(w, http.StatusInternalServerError, "InternalErrorException", "")
}

// refuse says the kind twice, as Cognito does: SDKs look at the header first.
func refuse(w http.ResponseWriter, status int, kind, message string) {
	body := map[string]string{"__type": kind}
	h := w.Header()
	h.Set("X-Amzn-Errortype", kind+":")
	if message != "" {
		body["message"] = message
		if len(message) <= maxHeader { // it may repeat what was sent
			h.Set("X-Amzn-Errormessage", message)
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
	}
	h.Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func allow(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date")
	h.Add("Vary", "Origin")
}

// preflight answers a browser that asks before it sends what no form can send.
// Which operation it is about it does not say.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" && a.trusts(origin, true) {
		allow(h, origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}
