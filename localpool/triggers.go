package localpool

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// The triggers of a pool, for [Server.SetTrigger], by Cognito's names.
const (
	PreSignUp          = triggers.PreSignUp
	PostConfirmation   = triggers.PostConfirmation
	PreAuthentication  = triggers.PreAuthentication
	PostAuthentication = triggers.PostAuthentication
	PreTokenGeneration = triggers.PreTokenGeneration
	InboundFederation  = triggers.InboundFederation

	DefineAuthChallenge         = triggers.DefineAuthChallenge
	CreateAuthChallenge         = triggers.CreateAuthChallenge
	VerifyAuthChallengeResponse = triggers.VerifyAuthChallengeResponse
	UserMigration               = triggers.UserMigration

	CustomMessage     = triggers.CustomMessage
	CustomEmailSender = triggers.CustomEmailSender
	CustomSMSSender   = triggers.CustomSMSSender
)

// Trigger stands in for the Lambda function of a trigger: a URL or a Go function.
// The zero value is none.
type Trigger struct {
	// URL is where the trigger's event is posted to, as JSON. A 2xx answers with the
	// event and a response in it; a 4xx with {"errorMessage": "…"}, or plain text, is
	// an error of the function's own. Anything else, and no answer within five
	// seconds, is tried twice more.
	URL string

	// Func is called in place of the URL.
	Func TriggerFunc

	// Version is that of the event of PreTokenGeneration: V1_0, V2_0, or V3_0, with
	// which it is also called for client credentials. Defaults to V1_0.
	Version string
}

// TriggerFunc is a trigger in the process. It changes event["response"] of the event
// that Cognito would send; the values are as [encoding/json] decodes them. An error
// is one of the function's own: its text reaches the person, or the app. The context
// ends after five seconds.
type TriggerFunc func(ctx context.Context, event map[string]any) error

// SetTrigger sets what a trigger of a pool calls, until the server ends. The zero
// Trigger ends what the seed or an earlier call set.
func (s *Server) SetTrigger(poolID, trigger string, t Trigger) error {
	if !slices.Contains(s.state.Pools(), poolID) {
		return fmt.Errorf("local pool: trigger %s: there is no pool %q", trigger, poolID)
	}
	if !slices.Contains(triggers.Names, trigger) {
		return fmt.Errorf("local pool: there is no trigger %q; there are %s", trigger, strings.Join(triggers.Names, ", "))
	}
	if err := t.check(); err != nil {
		return fmt.Errorf("local pool: trigger %s: %w", trigger, err)
	}
	s.setTrigger(poolID, trigger, t)
	return nil
}

func (s *Server) setTrigger(poolID, trigger string, t Trigger) {
	h := triggers.Hook{Version: or(t.Version, triggers.V1)}
	switch {
	case t.Func != nil:
		h.Function = t.Func.call
	case t.URL != "":
		h.Function = triggers.Remote(s.client, t.URL)
	}
	s.triggers.Set(poolID, trigger, h)
}

func (t Trigger) check() error {
	if t.URL != "" && t.Func != nil {
		return errors.New("it has a URL and a function")
	}
	if t.Version != "" && !slices.Contains(triggers.Versions, t.Version) {
		return fmt.Errorf("%q is not one of %s", t.Version, strings.Join(triggers.Versions, ", "))
	}
	if t.URL != "" {
		return checkHookURL(t.URL)
	}
	return nil
}

// checkHookURL checks a URL that something is posted to.
func checkHookURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Fragment != "" {
		return errors.New("it is not a URL of the form http://127.0.0.1:3000/path") // one may have a password in it
	}
	return nil
}

// call lets a function of the process answer as one behind a URL does.
func (f TriggerFunc) call(ctx context.Context, b []byte) ([]byte, error) {
	var event map[string]any
	if err := json.Unmarshal(b, &event); err != nil {
		return nil, err
	}
	if err := f(ctx, event); err != nil {
		return nil, &triggers.Failure{Message: err.Error()}
	}
	return json.Marshal(event)
}

// TriggersSeed are URLs that the events of a pool's triggers are posted to, in the
// place of Lambda functions; see [Trigger].
type TriggersSeed struct {
	PreSignUp          string `yaml:"pre_sign_up"`
	PostConfirmation   string `yaml:"post_confirmation"`
	PreAuthentication  string `yaml:"pre_authentication"`
	PostAuthentication string `yaml:"post_authentication"`
	PreTokenGeneration string `yaml:"pre_token_generation"`
	// PreTokenGenerationVersion is V1_0, V2_0 or V3_0; default V1_0.
	PreTokenGenerationVersion string `yaml:"pre_token_generation_version"`
	InboundFederation         string `yaml:"inbound_federation"`
	DefineAuthChallenge       string `yaml:"define_auth_challenge"`
	CreateAuthChallenge       string `yaml:"create_auth_challenge"`
	VerifyAuthChallenge       string `yaml:"verify_auth_challenge_response"`
	UserMigration             string `yaml:"user_migration"`
	CustomMessage             string `yaml:"custom_message"`
	// Senders are given codes sealed by Seed.SenderKey, in the place of KMS.
	CustomEmailSender string `yaml:"custom_email_sender"`
	CustomSMSSender   string `yaml:"custom_sms_sender"`
}

func (t TriggersSeed) triggers() map[string]Trigger {
	all := map[string]Trigger{PreTokenGeneration: {URL: t.PreTokenGeneration, Version: t.PreTokenGenerationVersion}}
	for name, u := range map[string]string{
		PreSignUp: t.PreSignUp, PostConfirmation: t.PostConfirmation, PreAuthentication: t.PreAuthentication, PostAuthentication: t.PostAuthentication,
		InboundFederation: t.InboundFederation, DefineAuthChallenge: t.DefineAuthChallenge, CreateAuthChallenge: t.CreateAuthChallenge,
		VerifyAuthChallengeResponse: t.VerifyAuthChallenge, UserMigration: t.UserMigration, CustomMessage: t.CustomMessage,
		CustomEmailSender: t.CustomEmailSender, CustomSMSSender: t.CustomSMSSender,
	} {
		all[name] = Trigger{URL: u}
	}
	return all
}

// senderKey is the key of codes; a fault was reported where it is none.
func (s Seed) senderKey() []byte {
	key, _ := base64.StdEncoding.DecodeString(s.SenderKey)
	return key
}

func (s Seed) checkSenderKey() error {
	key, err := base64.StdEncoding.DecodeString(s.SenderKey)
	if n := len(key); err != nil || n != 0 && n != 16 && n != 24 && n != 32 {
		return errors.New("sender_key is the base64 of 16, 24 or 32 bytes, as of openssl rand -base64 32")
	}
	return nil
}

// confirmation is the link by which a new user confirms themselves.
func (s *Server) confirmation(m state.Message, clientID string) string {
	if m.Purpose != "confirm" || !m.Mail() || clientID == "" {
		return ""
	}
	q := url.Values{"client_id": {clientID}, "user_name": {m.Username}, "confirmation_code": {m.Code}}
	return s.place.Domain(m.PoolID) + "/confirmUser?" + q.Encode()
}

// newClient posts to what a developer runs beside the pool. It follows no
// redirects: a function has none.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
