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
	Check check `cmd:"" default:"withargs" help:"Check a token, and say why it is refused."`
	Get   get   `cmd:"" help:"Print a machine token, for scripts."`
}

// Help is shown by codegrant token --help.
func (Command) Help() string {
	return `Examples:
  codegrant token < token.txt
  token=$(codegrant token get --scopes orders/read) || exit`
}

type check struct {
	File    string        `arg:"" optional:"" default:"-" help:"File with the token. Defaults to -, the standard input."`
	Config  string        `type:"path" placeholder:"FILE" help:"Configuration file of the gateway that should accept the token. Without it, the settings come from the environment, as for codegrant doctor."`
	Pool    string        `placeholder:"NAME" help:"Pool of the configuration, if it has several."`
	Timeout time.Duration `default:"20s" help:"How long to wait for the pool's keys."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant token --help.
func (check) Help() string {
	return `Checks whether a service with these settings accepts an ID or access token. If not, it
says why, and what to do. It prints the claims of the token. It sends one request: it
reads the keys of the pool. A token gives access to somebody's account. Pass it by a
file or a pipe, never on the command line, where others can see it.

A machine token that verifies is good: it passes on routes with machines: true.

Exit status: 0 if the token is good, 1 if it is refused, or if codegrant cannot tell.

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
	Fix      string                     `json:"fix,omitempty"`
	Machine  bool                       `json:"machine,omitempty"` // it belongs to an app client, and to no person
	Verified bool                       `json:"verified"`          // whether claims are more than what somebody wrote
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
	v.Verified, v.Good = err == nil, err == nil
	switch v.Machine = v.Good && claims.Machine(); {
	case v.Machine:
		v.Fix = machineToken
	case v.Good && v.Use == "id" && !config.BearerIDTokens:
		v.Fix = "An ID token says who signed in. APIs accept the access token as a bearer token. To accept ID tokens, too, set bearer_id_tokens (BearerIDTokens in Go)."
	}
	if v.Good && claims.Actor != nil && !slices.ContainsFunc(config.BearerActors, func(name string) bool { return name == codegrant.AnyActor || claims.Actor.Is(name) }) {
		v.Fix = claims.Actor.String() + " acts for the person with this token. Only routes whose actors have that name, or any, accept it (AllowActors in Go)."
	}
	if err != nil {
		v.Reason = err.Error()
		v.Fix = strings.NewReplacer("{issuer}", endpoints.Issuer, "{clients}", strings.Join(clients, ", ")).Replace(fixToken(err))
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
	return fmt.Errorf("cannot check the token: %w", err)
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
				return "", errors.New("this is a token, not a file: pass the token by a pipe, because others can see the command line")
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
		return "", fmt.Errorf("%s has no token in it", name)
	case len(text) > maxTokenFile:
		return "", fmt.Errorf("%s is larger than a token can be", name)
	case strings.Count(token, ".") == 4:
		return "", errors.New("this is a refresh token, or another encrypted token: only Cognito can read it")
	}
	return token, nil
}

// claimed returns the claims of a token, verified or not.
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

const machineToken = "It is a machine token (client_credentials): it belongs to an app client, and to no person. Only routes with machines: true accept it, if it has their scopes (codegrant.Machine in Go). All other routes answer 401."

// fixes say what to do about each refusal.
var fixes = []struct {
	err error
	fix string
}{
	{verify.ErrTooLarge, "The reason names the largest claims. Remove them from the attributes that the app client may read, or from the claims that a trigger adds."},
	{verify.ErrMalformed, "Copy the whole token: three parts with a dot between them, and nothing else."},
	{verify.ErrHeader, "Cognito does not create such a header. The token comes from another issuer, or somebody made it by hand."},
	{verify.ErrAlgorithm, "Cognito signs only with RS256. The token comes from another issuer."},
	{verify.ErrTokenUse, "Send an access token to an API. ID tokens are for the application that signed the person in."},
	{verify.ErrIssuer, "The settings have the issuer {issuer}. Compare it with iss: check the region, the pool, and the newer type of issuer."},
	{verify.ErrAudience, "The settings accept tokens of {clients}. Compare them with client_id or aud. Add other app clients to bearer_client_ids (BearerClientIDs in Go), and audiences to bearer_resources."},
	{verify.ErrIssuedAt, "Compare the clock of this machine with iat, and set it by NTP."},
	{verify.ErrNotYetValid, "Compare the clock of this machine with nbf, and set it by NTP."},
	{verify.ErrExpired, "The token has expired (exp). Get a new one. If it should still be valid, check the clock of this machine."},
	{verify.ErrUnknownKey, "The pool does not have the key in kid. Check that the token comes from this pool, and that nobody created the pool again since."},
	{verify.ErrSignature, "The token was changed after it was signed, or is forged. Copy it again."},
}

func fixToken(err error) string {
	for _, f := range fixes {
		if errors.Is(err, f.err) {
			return f.fix
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
	if v.Machine {
		fmt.Fprintf(&b, "good: this machine token verifies\n")
	} else if v.Good {
		fmt.Fprintf(&b, "good: this %s is accepted\n", kind)
	} else {
		fmt.Fprintf(&b, "not accepted: %s\n", v.Reason)
	}
	if v.Fix != "" {
		fmt.Fprintf(&b, "→ %s\n", v.Fix)
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
	heading := "\nClaims:"
	if !v.Verified {
		heading = "\nClaims, not verified:"
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
	switch d := at.Sub(now).Round(time.Second); {
	case d > 0:
		return "in " + d.String()
	case d < 0:
		return (-d).String() + " ago"
	}
	return "just now"
}
