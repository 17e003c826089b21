package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/verify"
)

// Config says what is rehearsed. Old and New are the real pools, which are described.
type Config struct {
	Old, New            API
	OldPool, NewPool    string
	NewClient           string   // the app client by which people sign in
	Providers           []string // as those of the move
	WithoutSecondFactor bool
	ForgotPassword      bool
	Share               float64           // of the quotas of Cognito
	Progress            func(step string) // hears what is rehearsed next
}

func cognitoSecret(s *string) cognito.Secret { return cognito.Secret(aws.ToString(s)) }

// why is where the trigger says why somebody cannot come.
type why struct{}

// reasons keeps what the trigger logs for who has asked.
type reasons struct{}

func (reasons) Enabled(context.Context, slog.Level) bool { return true }
func (r reasons) WithAttrs([]slog.Attr) slog.Handler     { return r }
func (r reasons) WithGroup(string) slog.Handler          { return r }
func (reasons) Handle(ctx context.Context, record slog.Record) error {
	into, ok := ctx.Value(why{}).(*string)
	if ok && record.Message != "moved" {
		*into = record.Message
		record.Attrs(func(a slog.Attr) bool {
			if a.Key == "reason" {
				*into = a.Value.String()
			}
			return true
		})
	}
	return nil
}

// each calls f with everybody, some at once.
func each(ctx context.Context, people []Shape, f func(*Shape) error) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var fault error
	next := make(chan *Shape)
	for range max(2, runtime.NumCPU()) {
		all.Go(func() {
			for p := range next {
				if err := f(p); err != nil {
					mu.Lock()
					fault = cmp.Or(fault, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range people {
		if ctx.Err() != nil {
			break
		}
		next <- &people[i]
	}
	close(next)
	all.Wait()
	return cmp.Or(ctx.Err(), fault)
}

// Run moves people between two local pools: once as if everybody came by themselves, and
// once as if nobody did.
func Run(ctx context.Context, c Config, people []Shape) (r Report, err error) {
	r = newReport(len(people))
	old, err := c.Old.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &c.OldPool})
	if err != nil {
		return r, fmt.Errorf("describe the old pool: %w", err)
	}
	now, err := c.New.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &c.NewPool})
	if err != nil {
		return r, fmt.Errorf("describe the new pool: %w", err)
	}
	app, err := c.New.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &c.NewPool, ClientId: &c.NewClient})
	if err != nil {
		return r, fmt.Errorf("describe the app client of the new pool: %w", err)
	}
	factors, err := offered(ctx, c.New, c.NewPool, now.UserPool)
	if err != nil {
		return r, fmt.Errorf("read the second factors of the new pool: %w", err)
	}
	run := &run{Config: c, r: &r, factors: factors, oldLike: old.UserPool, newLike: now.UserPool, app: app.UserPoolClient, people: slices.Clone(people)}
	step := func(text string) {
		if c.Progress != nil {
			c.Progress(text)
		}
	}
	step("make the old pool")
	if run.stage, err = newStage(ctx, old.UserPool, run.people, &r); run.stage != nil {
		defer func() { _ = run.pools.Close() }()
	}
	if err != nil {
		return r, err
	}
	run.people = slices.DeleteFunc(run.people, func(p Shape) bool { return p.Who == "" })
	run.api, _ = run.client()
	before, err := run.getIn(ctx)
	if err != nil {
		return r, err
	}
	step("everybody signs in at the new pool")
	if err := run.comes(ctx); err != nil {
		return r, err
	}
	step("everybody signs in at the old pool again")
	after, err := run.getIn(ctx)
	if err != nil {
		return r, err
	}
	for i := range before {
		if before[i] {
			if r.Before++; after[i] {
				r.Back++
			}
		}
	}
	step("nobody comes, and the move is drained")
	return r, run.drains(ctx)
}

type run struct {
	Config
	*stage
	r                *Report
	oldLike, newLike *types.UserPoolType
	factors          map[string]bool // of the new pool
	app              *types.UserPoolClientType
	people           []Shape
	api              *cip.Client
}

// getIn says who gets in at the old pool, or is asked for the next step there.
func (r *run) getIn(ctx context.Context) ([]bool, error) {
	in := make([]bool, len(r.people))
	return in, each(ctx, r.people, func(p *Shape) error {
		if p.External() {
			return nil
		}
		// As the trigger asks, so by the same app client.
		name := r.typed(p, r.oldLike)
		parameters := map[string]string{"USERNAME": name, "PASSWORD": p.password(r.oldLike), "SECRET_HASH": secretHash(&r.ask, name)}
		_, err := r.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{
			UserPoolId: &r.old, ClientId: r.ask.ClientId, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth, AuthParameters: parameters,
		})
		in[index(r.people, p)] = err == nil
		return ctx.Err()
	})
}

// typed is what somebody types to sign in at a pool: of those who can, every second one types an address.
func (r *run) typed(p *Shape, at *types.UserPoolType) string {
	address := cmp.Or(p.verified("email"), p.verified("phone_number"), p.Attributes["email"], p.Attributes["phone_number"])
	switch {
	case len(at.UsernameAttributes) > 0:
		return address
	case len(r.oldLike.UsernameAttributes) > 0: // nobody knows their username
		return address
	case slices.Contains(at.AliasAttributes, types.AliasAttributeTypeEmail) && slices.Contains(r.oldLike.AliasAttributes, types.AliasAttributeTypeEmail) &&
		p.verified("email") != "" && p.Who[0]%2 == 0:
		return p.verified("email")
	}
	return p.Username
}

// comes has everybody sign in at a new pool.
func (r *run) comes(ctx context.Context) error {
	crowd, counted := r.client()
	t, err := r.newTarget(ctx, r.Config, r.newLike, r.factors, r.app, crowd)
	if err != nil {
		return err
	}
	if err := r.groups(ctx, t); err != nil {
		return err
	}
	verifier, err := verify.New(verify.Config{Issuer: base + "/" + t.id, ClientIDs: []string{t.client}, CacheSize: -1, HTTPClient: &http.Client{Transport: &within{pools: r.pools, calls: make(map[string]int)}}})
	if err != nil {
		return err
	}
	issuer, accounts := base+"/"+r.old, make(map[string]string)
	for i := range r.people {
		if p := &r.people[i]; p.External() {
			accounts[strings.ToLower(p.Username)] = p.Who
		}
	}
	was := t.tickets.SamePerson(issuer, func(_ context.Context, _, username string) (string, error) {
		return accounts[strings.ToLower(username)], nil
	})
	came := make([]bool, len(r.people))
	if err := each(ctx, r.people, func(p *Shape) error {
		if p.External() {
			return r.federated(ctx, p, was)
		}
		done, err := r.arrives(ctx, t, crowd, verifier, was, p)
		came[index(r.people, p)] = done
		return err
	}); err != nil {
		return err
	}
	calls := counted.counted()
	delete(calls, "CreateGroup")
	r.r.Takes = move.Least(calls, 1)
	// Later they come without the old pool, and nobody comes by another password.
	return each(ctx, r.people, func(p *Shape) error {
		if p.External() {
			return nil
		}
		at := index(r.people, p)
		if _, err := r.signIn(ctx, r.api, t, p, "Wr0ng!"+p.password(r.oldLike)); err == nil {
			r.r.count(r.r.Wrong, "came in by another password")
		}
		if _, err := r.signIn(ctx, r.api, t, p, p.password(r.oldLike)); came[at] && err != nil {
			r.r.count(r.r.Wrong, "did not come in the second time")
		}
		return ctx.Err()
	})
}

func index(people []Shape, p *Shape) int {
	i, _ := slices.BinarySearchFunc(people, p.Who, func(s Shape, who string) int { return strings.Compare(s.Who, who) })
	return i
}

func (r *run) groups(ctx context.Context, t *target) error {
	m, err := move.New(move.Config{Old: r.api, New: r.api, Tickets: t.tickets, Share: unpaced})
	if err != nil {
		return err
	}
	_, err = m.Groups(ctx, false)
	return err
}

// unpaced: nobody counts calls of local pools.
const unpaced = 1e9

func (r *run) signIn(ctx context.Context, api *cip.Client, t *target, p *Shape, password string) (*cip.InitiateAuthOutput, error) {
	return api.InitiateAuth(ctx, &cip.InitiateAuthInput{
		ClientId: &t.client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": r.typed(p, r.newLike), "PASSWORD": password},
	})
}

// enter has somebody enter the code that the new pool has sent.
func (r *run) enter(ctx context.Context, api *cip.Client, t *target, p *Shape, asked *cip.InitiateAuthOutput) (*cip.InitiateAuthOutput, error) {
	code, _ := r.pools.LastCode(p.Attributes["phone_number"])
	in, err := api.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{
		ClientId: &t.client, ChallengeName: asked.ChallengeName, Session: asked.Session,
		ChallengeResponses: map[string]string{"USERNAME": r.typed(p, r.newLike), smsCode + "_CODE": code},
	})
	if err != nil {
		return nil, err
	}
	return &cip.InitiateAuthOutput{AuthenticationResult: in.AuthenticationResult, ChallengeName: in.ChallengeName}, nil
}

// arrives has somebody come, and holds what comes of it to who they were.
func (r *run) arrives(ctx context.Context, t *target, crowd *cip.Client, verifier *verify.Verifier,
	was func(context.Context, *verify.Claims) (string, string, error), p *Shape) (done bool, err error) {
	var reason string
	for _, a := range p.Accounts {
		r.r.count(r.r.Linked, a.Provider)
	}
	asked := context.WithValue(ctx, why{}, &reason)
	out, err := r.signIn(asked, crowd, t, p, p.password(r.oldLike))
	if err == nil && string(out.ChallengeName) == smsCode {
		out, err = r.enter(asked, crowd, t, p, out)
	}
	var reset *types.PasswordResetRequiredException
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.As(err, &reset):
		r.r.add(&r.r.Reset)
		return false, nil
	case err != nil:
		r.r.count(r.r.Cannot, reasonOf(*p, reason, err))
		return false, nil
	case out.AuthenticationResult == nil:
		r.r.add(&r.r.SetUp)
		return true, nil
	}
	claims, err := verifier.IDToken(ctx, aws.ToString(out.AuthenticationResult.IdToken), verify.IDExpectations{NonceOptional: true})
	if err != nil {
		return false, fmt.Errorf("verify an ID token: %w", err)
	}
	if _, subject, err := was(ctx, claims); err != nil || subject != p.Who {
		r.r.count(r.r.Strangers, "their ID token does not say who they were")
		return true, nil
	}
	for _, g := range p.Groups {
		if !slices.Contains(claims.Groups, g) {
			r.r.count(r.r.Wrong, "lost a group")
			return true, nil
		}
	}
	r.r.add(&r.r.Arrived)
	return true, nil
}

// federated has somebody come by an identity provider. The pool calls no trigger for them.
func (r *run) federated(ctx context.Context, p *Shape, was func(context.Context, *verify.Claims) (string, string, error)) error {
	provider := "an unknown provider"
	claims := &verify.Claims{Username: p.Username}
	for i, a := range p.Accounts {
		if i == 0 {
			provider = a.Provider
		}
		claims.Identities = append(claims.Identities, verify.Identity{ProviderName: a.Provider, UserID: a.ID})
	}
	_, subject, err := was(ctx, claims)
	switch {
	case err != nil:
		return err
	case p.Disabled:
		r.r.count(r.r.Cannot, "disabled")
	case subject == p.Who:
		r.r.count(r.r.Federated, provider)
	default:
		r.r.count(r.r.Strangers, "they sign in with "+provider+", which moved_from.providers does not name")
	}
	return nil
}

// drains ends a move to which nobody has come.
func (r *run) drains(ctx context.Context) error {
	crowd, counted := r.client()
	t, err := r.newTarget(ctx, r.Config, r.newLike, r.factors, r.app, crowd)
	if err != nil {
		return err
	}
	if err := r.groups(ctx, t); err != nil {
		return err
	}
	m, err := move.New(move.Config{
		Old: crowd, New: crowd, Tickets: t.tickets, Share: unpaced, WithoutSecondFactor: r.WithoutSecondFactor, Logger: slog.New(failures{r.r}),
	})
	if err != nil {
		return err
	}
	d, err := m.Drain(ctx, false)
	if err != nil {
		return err
	}
	r.r.Made, r.r.Left = d.Made, d.SecondFactor
	if adminOnly(r.newLike) {
		r.r.Unreachable = d.Made
	}
	r.r.DrainTakes = move.Least(counted.counted(), r.Share)
	return nil
}

// adminOnly reports whether "forgot password" is off.
func adminOnly(pool *types.UserPoolType) bool {
	return pool.AccountRecoverySetting != nil && slices.ContainsFunc(pool.AccountRecoverySetting.RecoveryMechanisms, func(o types.RecoveryOptionType) bool {
		return o.Name == types.RecoveryOptionNameTypeAdminOnly
	})
}

// failures counts what a drain logs.
type failures struct{ r *Report }

func (failures) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (f failures) WithAttrs([]slog.Attr) slog.Handler             { return f }
func (f failures) WithGroup(string) slog.Handler                  { return f }
func (f failures) Handle(_ context.Context, record slog.Record) error {
	if record.Level == slog.LevelWarn {
		f.r.add(&f.r.Unreachable)
		return nil
	}
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			f.r.count(f.r.NotMade, a.Value.String())
		}
		return true
	})
	return nil
}
