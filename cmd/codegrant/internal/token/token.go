package token

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// Command is codegrant token.
type Command struct {
	Check check `cmd:"" default:"withargs" help:"Say whether a token is good, and if not, why."`
	Get   get   `cmd:"" help:"Print an access token of a machine, for scripts."`
}

type check struct {
	File    string        `arg:"" optional:"" default:"-" help:"File with the token; - is the standard input."`
	Config  string        `type:"path" placeholder:"FILE" help:"Configuration of the gateway that is to take it. Without it, the settings come from the environment, as of codegrant doctor."`
	Pool    string        `placeholder:"NAME" help:"Pool of the configuration, where it has several."`
	Timeout time.Duration `default:"20s" help:"How long to wait for the pool's keys."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant token --help.
func (check) Help() string {
	return `Says whether a service with these settings takes an ID or access token, and if not,
why and what to do. It shows what the token says; nobody is asked but the pool, for
its keys. A token is a key to somebody's account: hand it over by a file or a pipe,
never on the command line, where others can see it.

Exit status: 0 where it is good, 1 where it is refused or that cannot be found out.

Examples:
  codegrant token < token.txt
  pbpaste | codegrant token --config codegrant.yaml
  codegrant token --json token.txt | jq .claims`
}

// tokenVerdict is what the command finds out.
type tokenVerdict struct {
	Good     bool                       `json:"good"`
	Use      string                     `json:"token_use"` // id or access, as the token has it
	Reason   string                     `json:"reason,omitempty"`
	Mend     string                     `json:"mend,omitempty"`
	Verified bool                       `json:"verified"` // whether claims are more than what somebody wrote
	Claims   map[string]json.RawMessage `json:"claims,omitempty"`
}

func (c check) Run(ctx context.Context, out *terminal.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	config, err := read(c.Config, c.Pool, usesToken)
	if err != nil {
		return err
	}
	raw, err := c.read()
	if err != nil {
		return err
	}
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return err
	}
	clients := append([]string{config.Pool.ClientID}, config.BearerClientIDs...)
	verifier, err := verify.New(verify.Config{Issuer: endpoints.Issuer, JWKSURL: endpoints.JWKS, ClientIDs: clients, Resources: config.BearerResources})
	if err != nil {
		return err
	}
	v := tokenVerdict{Claims: claimed(raw)}
	_ = json.Unmarshal(v.Claims["token_use"], &v.Use) // of another type: of no use
	var claims *verify.Claims
	if v.Use == "id" {
		claims, err = verifier.IDToken(ctx, raw, verify.IDExpectations{Actor: true})
	} else {
		claims, err = verifier.AccessTokenFor(ctx, raw, verify.AccessExpectations{Actor: true})
	}
	v.Verified = err == nil
	if err == nil && claims.Machine() {
		err = fmt.Errorf("%w: %w", verify.ErrInvalid, codegrant.ErrMachineToken)
	}
	if v.Good = err == nil; v.Good && v.Use == "id" && !config.BearerIDTokens {
		v.Mend = "It says who signed in. As a bearer token APIs take the access token, unless bearer_id_tokens (BearerIDTokens) is set."
	}
	if v.Good && claims.Actor != nil && !slices.ContainsFunc(config.BearerActors, func(name string) bool { return name == codegrant.AnyActor || claims.Actor.Is(name) }) {
		v.Mend = claims.Actor.String() + " acts for the person with it: it is refused but on routes whose actors name that, or any (AllowActors)."
	}
	if err != nil {
		v.Reason = err.Error()
		v.Mend = strings.NewReplacer("{issuer}", endpoints.Issuer, "{clients}", strings.Join(clients, ", ")).Replace(mendToken(err))
	}
	show := v.show
	if c.JSON {
		show = func(w io.Writer, _ time.Time) error { return terminal.PrintJSON(w, v) }
	}
	return cmp.Or(show(out.Stdout, time.Now()), c.status(err))
}

// status is what the command ends with.
func (c check) status(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, verify.ErrInvalid):
		return errors.New("the token is refused")
	}
	return fmt.Errorf("whether the token is good cannot be found out: %w", err)
}

// usesToken is what decides on tokens in a configuration.
var usesToken = []string{"pools.bearer_client_ids", "pools.bearer_id_tokens", "pools.bearer_resources"}

// read are the settings of a gateway, as far as they are used, or else of the environment.
func read(file, pool string, uses []string) (codegrant.Config, error) {
	if file == "" {
		return codegrant.ConfigFromEnv()
	}
	s, err := parts.Load(file, settings.Options{Keys: session.RandomKeyring(), Uses: uses, Secrets: parts.OpenClientSecret})
	if err != nil {
		return codegrant.Config{}, err
	}
	chosen, err := parts.ChoosePool(s, pool)
	return chosen.Config, err
}

// maxTokenFile is more than any token that verify takes.
const maxTokenFile = 4 << 20

func (c check) read() (string, error) {
	in, name := io.Reader(os.Stdin), "the standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			var wrong *os.PathError
			if errors.As(err, &wrong) && strings.HasPrefix(c.File, "eyJ") {
				return "", errors.New("that is a token, not a file: hand it over by a pipe, others can see the command line")
			}
			return "", err
		}
		defer f.Close()
		in, name = f, c.File
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTokenFile+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	switch {
	case token == "":
		return "", fmt.Errorf("%s holds no token", name)
	case len(text) > maxTokenFile:
		return "", fmt.Errorf("%s is larger than a token can be", name)
	case strings.Count(token, ".") == 4:
		return "", errors.New("that is a refresh token, or another one that is encrypted: only Cognito can read it")
	}
	return token, nil
}

// claimed is what a token says of itself, whether or not that is true.
func claimed(raw string) map[string]json.RawMessage {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	return claims
}

// mends say what to do about each refusal.
var mends = []struct {
	err  error
	mend string
}{
	{codegrant.ErrMachineToken, "It comes of the grant client_credentials. It verifies. It passes only on routes with machines: true and its scopes (codegrant.Machine in Go). Elsewhere, have a person sign in."},
	{verify.ErrTooLarge, "The reason names the claims that take the most room: leave them out of what the app client may read, or of what a trigger adds."},
	{verify.ErrMalformed, "Copy all of it: three parts with a point between each, and nothing else."},
	{verify.ErrHeader, "Cognito does not make such headers: the token is of somebody else, or was made by hand."},
	{verify.ErrAlgorithm, "Cognito signs with RS256 alone: the token is of somebody else."},
	{verify.ErrTokenUse, "Send an access token to an API. ID tokens are for the application that signed the person in."},
	{verify.ErrIssuer, "The settings name the issuer {issuer}: compare iss, also for another region or pool, or the newer type of issuer."},
	{verify.ErrAudience, "The settings take tokens of {clients}: compare client_id or aud. Add further app clients to bearer_client_ids (BearerClientIDs), and audiences to bearer_resources."},
	{verify.ErrIssuedAt, "Compare the clock of this machine with iat, and set it by NTP."},
	{verify.ErrNotYetValid, "Compare the clock of this machine with nbf, and set it by NTP."},
	{verify.ErrExpired, "It has ended, by exp: ask for a new one, or compare the clock of this machine."},
	{verify.ErrUnknownKey, "The pool does not have the key that kid names: is it of this pool, and was it made before the pool was?"},
	{verify.ErrSignature, "It was changed since it was signed, perhaps when it was copied, or is forged."},
}

func mendToken(err error) string {
	for _, m := range mends {
		if errors.Is(err, m.err) {
			return m.mend
		}
	}
	return ""
}

// show prints the verdict for people.
func (v tokenVerdict) show(w io.Writer, now time.Time) error {
	kind := map[string]string{"id": "ID token", "access": "access token"}[v.Use]
	if kind == "" {
		kind = "token"
	}
	var b bytes.Buffer
	if v.Good {
		fmt.Fprintf(&b, "good: this %s is accepted\n", kind)
	} else {
		fmt.Fprintf(&b, "not accepted: %s\n", v.Reason)
	}
	if v.Mend != "" {
		fmt.Fprintf(&b, "→ %s\n", v.Mend)
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(v.Claims)) {
		value := string(v.Claims[name])
		var text string
		if json.Unmarshal(v.Claims[name], &text) == nil {
			value = text
		}
		if at, ok := claimTime(name, v.Claims[name]); ok {
			value = fmt.Sprintf("%s  %s", at.UTC().Format(time.RFC3339), fromNow(now, at))
		}
		rows = append(rows, []string{"  " + terminal.Printable(name), value})
	}
	if _, err := w.Write(b.Bytes()); err != nil || len(rows) == 0 {
		return err
	}
	heading := "\nWhat it says:"
	if !v.Verified {
		heading = "\nWhat it says, and nobody has vouched for:"
	}
	return terminal.Table(w, heading, rows)
}

// claimTime reads claims that are times.
func claimTime(name string, raw json.RawMessage) (time.Time, bool) {
	var seconds int64
	if !slices.Contains([]string{"exp", "iat", "nbf", "auth_time"}, name) || json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

func fromNow(now, at time.Time) string {
	if d := at.Sub(now).Round(time.Second); d >= 0 {
		return "in " + d.String()
	}
	return now.Sub(at).Round(time.Second).String() + " ago"
}
