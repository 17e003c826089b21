package rehearsal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
)

// base is where the local pools say that they are. Nothing listens there.
const base = "http://localhost:9229"

// within answers requests out of the process itself, and counts the operations.
type within struct {
	pools http.Handler

	mu    sync.Mutex
	calls map[string]int
}

func (w *within) Do(r *http.Request) (*http.Response, error) {
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		w.mu.Lock()
		w.calls[operation]++
		w.mu.Unlock()
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:40000"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &answer{status: http.StatusOK, header: make(http.Header)}
	w.pools.ServeHTTP(out, in)
	return &http.Response{
		StatusCode: out.status, Status: http.StatusText(out.status), Header: out.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(out.body.Len()), Body: io.NopCloser(&out.body),
	}, nil
}

func (w *within) RoundTrip(r *http.Request) (*http.Response, error) { return w.Do(r) }

// counted are the calls so far.
func (w *within) counted() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.calls)
}

type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// stage are the local pools.
type stage struct {
	pools *localpool.Server
	old   string
	ask   types.UserPoolClientType // of the old pool, for the trigger
}

// client is the API of both, with a count of its own.
func (s *stage) client() (*cip.Client, *within) {
	w := &within{pools: s.pools, calls: make(map[string]int)}
	url := base
	return cip.New(cip.Options{
		Region: "local", BaseEndpoint: &url, HTTPClient: w, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}), w
}

// newStage makes the old pool, as the real one is, with its people.
func newStage(ctx context.Context, like *types.UserPoolType, people []Shape, r *Report) (*stage, error) {
	pools, err := localpool.New(localpool.Config{Seed: localpool.Seed{Pools: []localpool.PoolSeed{}}, BaseURL: base, Region: "local", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	s := &stage{pools: pools}
	api, _ := s.client()
	factors := make(map[string]bool)
	for _, p := range people {
		for _, name := range p.Factors {
			factors[name] = true
		}
	}
	if s.old, err = makePool(ctx, api, like, "old", factors); err != nil {
		return s, fmt.Errorf("make a local pool like the old one: %w", err)
	}
	app, err := api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: &s.old, ClientName: aws.String("move"), GenerateSecret: true, ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
	})
	if err != nil {
		return s, err
	}
	s.ask = *app.UserPoolClient
	made := make(map[string]bool)
	for _, p := range people {
		for _, g := range p.Groups {
			if made[g] {
				continue
			}
			if made[g] = true; s.pools.CreateGroup(s.old, g) != nil {
				return s, fmt.Errorf("make a local group like %s", g)
			}
		}
	}
	return s, each(ctx, people, func(p *Shape) error {
		if p.External() {
			return nil
		}
		if err := s.add(ctx, like, p); err != nil {
			r.count(r.Unmade, "the local pool refuses the person: "+plain(err, *p))
			p.Who = ""
		}
		return nil
	})
}

// add puts somebody into the local old pool.
func (s *stage) add(ctx context.Context, like *types.UserPoolType, p *Shape) error {
	attributes := maps.Clone(p.Attributes)
	attributes["sub"] = p.Who
	username := p.Username
	if len(like.UsernameAttributes) > 0 {
		username = cmp.Or(p.verified("email"), p.verified("phone_number"), p.Attributes["email"], p.Attributes["phone_number"])
	}
	if err := s.pools.CreateUser(s.old, localpool.UserSeed{
		Username: username, Password: p.password(like), Status: p.Status, Disabled: p.Disabled, Groups: p.Groups, Attributes: attributes,
	}); err != nil {
		return err
	}
	codes := &cip.AdminSetUserMFAPreferenceInput{UserPoolId: &s.old, Username: &username}
	for _, name := range p.Factors {
		switch name {
		case smsCode:
			codes.SMSMfaSettings = &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: len(p.Factors) == 1}
		case emailCode:
			codes.EmailMfaSettings = &types.EmailMfaSettingsType{Enabled: true, PreferredMfa: len(p.Factors) == 1}
		default: // whatever it is, it does not move
			if err := s.pools.AddAuthenticator(s.old, username, true); err != nil {
				return err
			}
		}
	}
	if codes.SMSMfaSettings == nil && codes.EmailMfaSettings == nil {
		return nil
	}
	api, _ := s.client()
	_, err := api.AdminSetUserMFAPreference(ctx, codes)
	return err
}

// Second factors that a pool sends, as it names them.
const smsCode, emailCode = string(types.ChallengeNameTypeSmsMfa), string(types.ChallengeNameTypeEmailOtp)

// offered are second factors that people of a pool can have.
func offered(ctx context.Context, api API, pool string, described *types.UserPoolType) (map[string]bool, error) {
	all := make(map[string]bool)
	if mode := described.MfaConfiguration; mode == types.UserPoolMfaTypeOff || mode == "" {
		return all, nil
	}
	config, err := api.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &pool})
	if err != nil {
		return nil, err
	}
	all[smsCode], all[emailCode] = config.SmsMfaConfiguration != nil, config.EmailMfaConfiguration != nil
	return all, nil
}

// password is what a stand-in signs in with.
func (p Shape) password(like *types.UserPoolType) string {
	least := 0
	if like.Policies != nil && like.Policies.PasswordPolicy != nil {
		least = int(aws.ToInt32(like.Policies.PasswordPolicy.MinimumLength))
	}
	secret := "Aa1!" + p.Who
	return secret + strings.Repeat("x", max(0, least-len(secret)))
}

// makePool makes a pool that takes the same people as another, with these second factors.
func makePool(ctx context.Context, api *cip.Client, like *types.UserPoolType, name string, factors map[string]bool) (string, error) {
	in := &cip.CreateUserPoolInput{
		PoolName: &name, AliasAttributes: like.AliasAttributes, UsernameAttributes: like.UsernameAttributes, UsernameConfiguration: like.UsernameConfiguration,
		AccountRecoverySetting: like.AccountRecoverySetting,
	}
	if like.Policies != nil && like.Policies.PasswordPolicy != nil {
		in.Policies = &types.UserPoolPolicyType{PasswordPolicy: like.Policies.PasswordPolicy}
	}
	if like.AccountRecoverySetting != nil && len(like.AccountRecoverySetting.RecoveryMechanisms) > 0 {
		in.AccountRecoverySetting = like.AccountRecoverySetting
	}
	for _, at := range like.SchemaAttributes {
		own := strings.Contains(aws.ToString(at.Name), ":")
		if aws.ToString(at.Name) == "sub" || !own && !aws.ToBool(at.Required) {
			continue // every pool has them
		}
		bare := strings.TrimPrefix(strings.TrimPrefix(*at.Name, "dev:"), "custom:")
		at.Name = &bare
		in.Schema = append(in.Schema, at)
	}
	out, err := api.CreateUserPool(ctx, in)
	if err != nil {
		return "", err
	}
	id := aws.ToString(out.UserPool.Id)
	mode := cmp.Or(like.MfaConfiguration, types.UserPoolMfaTypeOff)
	if len(factors) > 0 && mode == types.UserPoolMfaTypeOff {
		mode = types.UserPoolMfaTypeOptional
	}
	if mode == types.UserPoolMfaTypeOff {
		return id, nil
	}
	set := &cip.SetUserPoolMfaConfigInput{
		UserPoolId: &id, MfaConfiguration: mode, SoftwareTokenMfaConfiguration: &types.SoftwareTokenMfaConfigType{Enabled: true},
	}
	if factors[smsCode] {
		set.SmsMfaConfiguration = &types.SmsMfaConfigType{SmsConfiguration: &types.SmsConfigurationType{SnsCallerArn: aws.String("arn:aws:iam::123456789012:role/rehearsal")}}
	}
	if factors[emailCode] {
		set.EmailMfaConfiguration = &types.EmailMfaConfigType{Message: aws.String("{####}"), Subject: aws.String("rehearsal")}
	}
	_, err = api.SetUserPoolMfaConfig(ctx, set)
	return id, err
}

// target is a new pool, and the trigger of people who come there.
type target struct {
	id, client string
	tickets    *move.Tickets
}

// newTarget makes a new pool, as the real one is, with the trigger as it would be deployed.
func (s *stage) newTarget(ctx context.Context, c Config, like *types.UserPoolType, factors map[string]bool, app *types.UserPoolClientType, trigger *cip.Client) (*target, error) {
	api, _ := s.client()
	id, err := makePool(ctx, api, like, "new", factors)
	if err != nil {
		return nil, fmt.Errorf("make a local pool like the new one: %w", err)
	}
	if !slices.ContainsFunc(like.SchemaAttributes, func(at types.SchemaAttributeType) bool { return aws.ToString(at.Name) == move.Attribute }) {
		if _, err := api.AddCustomAttributes(ctx, &cip.AddCustomAttributesInput{UserPoolId: &id, CustomAttributes: []types.SchemaAttributeType{
			{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
		}}); err != nil {
			return nil, err
		}
	}
	made, err := api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: &id, ClientName: aws.String("app"), ReadAttributes: app.ReadAttributes, WriteAttributes: app.WriteAttributes,
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("make an app client like that of the new pool: %w", err)
	}
	t := &target{id: id, client: aws.ToString(made.UserPoolClient.ClientId)}
	if t.tickets, err = move.NewTickets([]byte(strings.Repeat("rehearsal", 4)), s.old, id); err != nil {
		return nil, err
	}
	t.tickets.Providers = c.Providers
	arrival, err := move.NewArrival(move.ArrivalConfig{
		Old: trigger, New: trigger, Tickets: t.tickets, OldClientID: aws.ToString(s.ask.ClientId), OldClientSecret: cognitoSecret(s.ask.ClientSecret),
		WithoutSecondFactor: c.WithoutSecondFactor, ForgotPassword: c.ForgotPassword, Logger: slog.New(reasons{}),
	})
	if err != nil {
		return nil, err
	}
	handle := localpool.Trigger{Func: func(ctx context.Context, event map[string]any) error {
		in, err := json.Marshal(event)
		if err != nil {
			return err
		}
		out, err := arrival.Handle(ctx, in)
		if err != nil {
			return err
		}
		clear(event)
		return json.Unmarshal(out, &event)
	}}
	for _, name := range []string{localpool.UserMigration, localpool.PreTokenGeneration} {
		if err := s.pools.SetTrigger(id, name, handle); err != nil {
			return nil, err
		}
	}
	return t, nil
}
