package move

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Plan says what a move would do.
type Plan struct {
	Report

	Groups GroupsReport  `json:"groups"`
	Faults []Finding     `json:"faults"` // people would not come, or not as themselves
	Notes  []Finding     `json:"notes"`  // what is different afterwards
	Drain  time.Duration `json:"-"`      // how long it takes at least, if nobody comes before

	// Attributes and ByAddress are for [ArrivalConfig], and Providers for its Tickets.
	Attributes []string `json:"attributes"`
	ByAddress  bool     `json:"by_address"`
	Providers  []string `json:"providers"`
}

// Ready reports whether nothing stands in the way.
func (p Plan) Ready() bool { return len(p.Faults) == 0 }

// Finding is a difference between the pools, and what to do about it.
type Finding struct {
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

// Plan reads both pools and writes nothing.
func (m *Move) Plan(ctx context.Context) (p Plan, err error) {
	old, err := call(ctx, m, "describe the old pool", m.Old.DescribeUserPool, &cip.DescribeUserPoolInput{UserPoolId: &m.Tickets.old})
	if err != nil {
		return p, err
	}
	now, err := call(ctx, m, "describe the new pool", m.New.DescribeUserPool, &cip.DescribeUserPoolInput{UserPoolId: &m.Tickets.new})
	if err != nil {
		return p, err
	}
	m.compare(&p, old.UserPool, now.UserPool)
	if old.UserPool.MfaConfiguration != types.UserPoolMfaTypeOff && old.UserPool.MfaConfiguration != "" {
		if err := m.compareFactors(ctx, &p, now.UserPool); err != nil {
			return p, err
		}
	}
	if err := m.clients(ctx, &p); err != nil {
		return p, err
	}
	if p.Groups, err = m.Groups(ctx, true); err != nil {
		return p, err
	}
	if len(p.Groups.Created)+len(p.Groups.There)+len(p.Groups.Differ) > manyGroups {
		p.note(fmt.Sprintf("the old pool has more than %d groups: a person who is in more than that has to sign in several times before they are in all of them", manyGroups),
			"create these people before: codegrant move drain")
	}
	if len(p.Groups.Created) > 0 {
		p.fault("the new pool lacks groups of the old one: "+strings.Join(p.Groups.Created, ", "), "codegrant move groups --yes")
	}
	for _, name := range p.Groups.Differ {
		p.note("the group "+name+" is in both pools with another description or precedence", "it stays as it is in the new pool; change it there if it is wrong")
	}
	if p.Report, err = m.Report(ctx, nil); err != nil {
		return p, err
	}
	if err := m.linking(ctx, &p); err != nil {
		return p, err
	}
	if p.Disabled > 0 {
		p.note(fmt.Sprintf("%d people are disabled and stay behind", p.Disabled), "")
	}
	if p.Unfit > 0 {
		p.note(fmt.Sprintf("%d people have never confirmed their account and stay behind: they sign up again", p.Unfit), "")
	}
	if p.Left > 0 {
		p.note(fmt.Sprintf("%d people have left: the new pool has had them, and they were deleted there; neither a drain nor their password at the old pool brings them back", p.Left),
			"codegrant move report --left lists them; codegrant move drain --bring-back NAME --yes creates one of them again")
	}
	for _, provider := range sortedKeys(p.Strangers) {
		p.note(fmt.Sprintf("%d people of the new pool came by %s as somebody new: the old pool does not have their account", p.Strangers[provider], provider), "codegrant move report --new lists them")
	}
	if p.Unproven > 0 {
		p.fault(fmt.Sprintf("%d users of the new pool have an attribute %s that is not a ticket of this move", p.Unproven, Attribute),
			"use the key that the trigger uses; if it is the same, find out who can write the attribute, and remove it from them")
	}
	if p.Twice > 0 {
		p.fault(fmt.Sprintf("%d users of the new pool have the ticket of another user", p.Twice), "find out who can write "+Attribute+"; one of each pair is not who they say")
	}
	p.note("groups that were granted here (not by the pool) stay with the old identity", "grant them again to the new one where they are needed")
	p.note("passwords move as people sign in; authenticator apps, passkeys and remembered devices do not move", "people set them up again")
	p.note("every person has another sub; UserID of the replica stays", "look for code that stores the sub")
	// And an update of a user more for each group that they are in.
	p.Drain = time.Duration(m.pace.seconds(drainCalls(p.Waiting)) * float64(time.Second))
	return p, nil
}

// manyGroups is about as many groups as somebody can be put into while a pool waits for its
// trigger: five seconds.
const manyGroups = 40

func (p *Plan) fault(what, fix string) { p.Faults = append(p.Faults, Finding{what, fix}) }
func (p *Plan) note(what, fix string)  { p.Notes = append(p.Notes, Finding{what, fix}) }

// compare looks at what the pools are like.
func (m *Move) compare(p *Plan, old, now *types.UserPoolType) {
	oldPool, newPool := describe(old), describe(now)
	p.Attributes, p.ByAddress, p.Providers = newPool.attributes, newPool.emails, append([]string{}, m.Tickets.Providers...)
	if !slices.Contains(newPool.attributes, Attribute) {
		p.fault("the new pool lacks the attribute "+Attribute+", which stores the old identity of each person",
			fmt.Sprintf("aws cognito-idp add-custom-attributes --user-pool-id %s --custom-attributes Name=%s,AttributeDataType=String,Mutable=true",
				m.Tickets.new, strings.TrimPrefix(Attribute, "custom:")))
	}
	for _, name := range oldPool.attributes {
		if name != Attribute && !slices.Contains(newPool.attributes, name) {
			p.note("the new pool has no attribute "+name+": its values do not move", "add it to the new pool before the move")
		}
	}
	for _, at := range now.SchemaAttributes {
		if at.Required != nil && *at.Required && !requires(old, aws.ToString(at.Name)) && aws.ToString(at.Name) != "sub" {
			p.note("the new pool requires "+aws.ToString(at.Name)+", and the old one does not: people without it cannot come", "")
		}
	}
	if !slices.Equal(sorted(old.UsernameAttributes), sorted(now.UsernameAttributes)) || !slices.Equal(sorted(old.AliasAttributes), sorted(now.AliasAttributes)) {
		p.note("people sign in by other names: usernames and aliases of the pools differ", "")
	}
	if sensitive(old) != sensitive(now) {
		p.note("upper and lower case of usernames count only in one pool", "")
	}
	was, is := recoveredBy(old), recoveredBy(now)
	switch {
	case slices.Contains(is, types.RecoveryOptionNameTypeAdminOnly):
		p.fault("\"forgot password\" is off in the new pool (AccountRecoverySetting: admin_only): people whom a drain creates cannot sign in",
			"set AccountRecoverySetting of the new pool to verified_email or verified_phone_number")
	case !slices.Equal(was, is):
		p.note(fmt.Sprintf("people reset their password by other means: %s in the new pool, %s in the old one", means(is), means(was)), "set AccountRecoverySetting of the new pool if it is wrong")
	}
	if policy(old) != policy(now) {
		p.note("the pools have different password policies: passwords that move stay as they are, and people choose new ones by the policy of the new pool", "")
	}
	hooks := now.LambdaConfig
	if c := now.AdminCreateUserConfig; (c == nil || !c.AllowAdminCreateUserOnly) && (hooks == nil || aws.ToString(hooks.PreSignUp) == "") {
		p.fault("anybody can sign up at the new pool with the username of somebody who has not arrived: that person could not arrive any more",
			"set AllowAdminCreateUserOnly of the new pool until the move is over, or a pre sign-up trigger that refuses usernames of the old pool")
	}
	if hooks == nil || aws.ToString(hooks.UserMigration) == "" {
		p.fault("the new pool has no migrate-user trigger: nobody can come", "deploy the trigger and set it as UserMigration (see docs/move.md)")
	}
	if hooks == nil || aws.ToString(hooks.PreTokenGeneration) == "" && hooks.PreTokenGenerationConfig == nil {
		p.fault("the new pool has no trigger before tokens are made: people would come without their groups", "set the same function as PreTokenGeneration (see docs/move.md)")
	}
}

// compareFactors looks at the second factors that people may have at the old pool.
func (m *Move) compareFactors(ctx context.Context, p *Plan, pool *types.UserPoolType) error {
	old, err := m.mfaConfig(ctx, m.Old, m.Tickets.old)
	if err != nil {
		return err
	}
	now, err := m.mfaConfig(ctx, m.New, m.Tickets.new)
	if err != nil {
		return err
	}
	if was, is := offered(old), offered(now); was.and(is) != was {
		p.note("the old pool has codes by SMS or e-mail as a second factor, and the new one lacks them: people with them cannot arrive",
			"aws cognito-idp set-user-pool-mfa-config --user-pool-id "+m.Tickets.new+", with the settings of the old pool")
	}
	if is, beside := offered(old).and(offered(now)), resets(pool); is.and(beside) != is {
		p.note("the new pool resets passwords by what a code of the second factor goes to, or not at all: drain leaves out people with such codes",
			"set AccountRecoverySetting of the new pool to verified_email and verified_phone_number")
	}
	p.note("people with an authenticator app or a passkey as a second factor cannot arrive, and drain leaves them out; codes by SMS move, and drain moves codes by e-mail, too, if something else is verified to reset the password by",
		"set CODEGRANT_WITHOUT_SECOND_FACTOR=true for the trigger, and --without-second-factor for drain, if a password alone is enough")
	return nil
}

// recoveredBy are the means by which people reset their password, the first one first.
func recoveredBy(pool *types.UserPoolType) (names []types.RecoveryOptionNameType) {
	if pool.AccountRecoverySetting == nil {
		return nil
	}
	options := slices.SortedStableFunc(slices.Values(pool.AccountRecoverySetting.RecoveryMechanisms), func(a, b types.RecoveryOptionType) int {
		return cmp.Compare(aws.ToInt32(a.Priority), aws.ToInt32(b.Priority))
	})
	for _, o := range options {
		names = append(names, o.Name)
	}
	return names
}

func means(names []types.RecoveryOptionNameType) string {
	var all []string
	for _, name := range names {
		all = append(all, string(name))
	}
	return cmp.Or(strings.Join(all, ", then "), "Cognito's default")
}

// rules are those of a password policy that people see.
type rules struct {
	length, history                int32
	upper, lower, numbers, symbols bool
}

func policy(pool *types.UserPoolType) rules {
	if pool.Policies == nil || pool.Policies.PasswordPolicy == nil {
		return rules{}
	}
	p := pool.Policies.PasswordPolicy
	return rules{aws.ToInt32(p.MinimumLength), aws.ToInt32(p.PasswordHistorySize), p.RequireUppercase, p.RequireLowercase, p.RequireNumbers, p.RequireSymbols}
}

func requires(pool *types.UserPoolType, name string) bool {
	return slices.ContainsFunc(pool.SchemaAttributes, func(at types.SchemaAttributeType) bool {
		return aws.ToString(at.Name) == name && at.Required != nil && *at.Required
	})
}

func sensitive(pool *types.UserPoolType) bool {
	return pool.UsernameConfiguration == nil || pool.UsernameConfiguration.CaseSensitive == nil || *pool.UsernameConfiguration.CaseSensitive
}

func sorted[T ~string](s []T) []T { return slices.Sorted(slices.Values(s)) }

func sortedKeys(m map[string]int) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// clients looks at the app clients.
func (m *Move) clients(ctx context.Context, p *Plan) error {
	if m.OldClientID != "" {
		c, err := call(ctx, m, "describe the app client of the old pool", m.Old.DescribeUserPoolClient, &cip.DescribeUserPoolClientInput{
			UserPoolId: &m.Tickets.old, ClientId: &m.OldClientID,
		})
		if err != nil {
			return err
		}
		flows := c.UserPoolClient.ExplicitAuthFlows
		if !slices.Contains(flows, types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth) && !slices.Contains(flows, types.ExplicitAuthFlowsTypeAdminNoSrpAuth) {
			p.fault("the app client "+m.OldClientID+" of the old pool does not let the trigger ask: it lacks ALLOW_ADMIN_USER_PASSWORD_AUTH",
				"make an app client only for the trigger, with that flow")
		}
	}
	all, err := m.clientIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range all {
		c, err := call(ctx, m, "describe the app client "+id, m.New.DescribeUserPoolClient, &cip.DescribeUserPoolClientInput{UserPoolId: &m.Tickets.new, ClientId: &id})
		if err != nil {
			return err
		}
		client := c.UserPoolClient
		if len(client.WriteAttributes) == 0 || slices.Contains(client.WriteAttributes, Attribute) {
			p.fault("the app client "+id+" may write "+Attribute+", or has no list of write attributes: people could write who they were",
				"give it a list of write attributes without it")
		}
		if !slices.Contains(m.NewClientIDs, id) {
			continue
		}
		if len(client.ReadAttributes) == 0 || !slices.Contains(client.ReadAttributes, Attribute) {
			p.fault("the app client "+id+" has no list of read attributes with "+Attribute+": ID tokens may not say who somebody was", "add it to the client's read attributes")
		}
		if slices.Contains(client.ExplicitAuthFlows, types.ExplicitAuthFlowsTypeAllowUserSrpAuth) && !slices.Contains(client.ExplicitAuthFlows, types.ExplicitAuthFlowsTypeAllowUserPasswordAuth) {
			p.note("apps that sign in at "+id+" by SRP cannot bring anybody: the pool never sees the password",
				"have them use managed login, or USER_PASSWORD_AUTH during the move")
		}
	}
	return nil
}

// clientIDs are all app clients of the new pool: any of them could write the attribute.
func (m *Move) clientIDs(ctx context.Context) (ids []string, err error) {
	for in := (&cip.ListUserPoolClientsInput{UserPoolId: &m.Tickets.new, MaxResults: aws.Int32(60)}); ; {
		page, err := call(ctx, m, "list the app clients of the new pool", m.New.ListUserPoolClients, in)
		if err != nil {
			return nil, err
		}
		for _, c := range page.UserPoolClients {
			ids = append(ids, aws.ToString(c.ClientId))
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return ids, nil
		}
	}
}
