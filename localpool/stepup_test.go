package localpool_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// context are the claims of a sign-in that say how it was, in both tokens the same.
func (c *contract) context(redirect *url.URL) (acr string, amr []string, authTime time.Time) {
	c.Helper()
	if redirect == nil || redirect.Query().Get("code") == "" {
		c.Fatalf("no code: %v", redirect)
	}
	a := c.redeem("spa", redirect.Query().Get("code"), nil)
	_, id := c.claims(a.json["id_token"])
	_, access := c.claims(a.json["access_token"])
	if fmt.Sprint(id["acr"], id["amr"], id["auth_time"]) != fmt.Sprint(access["acr"], access["amr"], access["auth_time"]) {
		c.Errorf("the tokens differ: %v, %v", id, access)
	}
	return levelIn(id)
}

func levelIn(claims map[string]any) (acr string, amr []string, authTime time.Time) {
	acr, _ = claims["acr"].(string)
	list, _ := claims["amr"].([]any)
	for _, one := range list {
		amr = append(amr, fmt.Sprint(one))
	}
	seconds, _ := claims["auth_time"].(json.Number).Int64()
	return acr, amr, time.Unix(seconds, 0)
}

// code of carol's authenticator app.
func (c *contract) appCode() string {
	c.Helper()
	code, err := c.pool.AuthenticatorCode(shop, "carol")
	c.ok(err)
	return code
}

// typed answers the page that asks for a code.
func (c *contract) typed(page answer, changes map[string]string, code string) answer {
	c.Helper()
	token, csrf := challengeField.FindStringSubmatch(page.body), csrfField.FindStringSubmatch(page.body)
	if token == nil || csrf == nil {
		c.Fatalf("no form: %d %s", page.status, page.body)
	}
	return c.do("POST", "/mfa?"+query("spa", changes).Encode(), url.Values{"challenge": {token[1]}, "_csrf": {csrf[1]}, "code": {code}})
}

// local follows a redirect of the pool to a page of its own.
func (c *contract) local(a answer) answer {
	c.Helper()
	if a.to == nil || !strings.HasPrefix(a.to.String(), c.url) {
		c.Fatalf("status %d, %v, %s", a.status, a.to, a.body)
	}
	return c.do("GET", strings.TrimPrefix(a.to.String(), c.url), nil)
}

// TestStepUp_Pages: acr_values and max_age at authorize, and what the tokens say.
func TestStepUp_Pages(t *testing.T) {
	c := newContract(t)
	acr, amr, _ := c.context(c.signIn("spa", "carol", "Passw0rd!", nil).to)
	if acr != "urn:cognito:loa:1" || !slices.Equal(amr, []string{"pwd"}) {
		t.Errorf("a password: %s %v", acr, amr)
	}
	// Nobody is led to set a factor up: what cannot be reached is passed over.
	four := map[string]string{"acr_values": "nothing urn:cognito:loa:4"}
	if acr, _, _ = c.context(c.authorize("spa", four).to); acr != "urn:cognito:loa:1" {
		t.Errorf("without an authenticator app: %s", acr)
	}
	c.ok(c.pool.AddAuthenticator(shop, "carol", false))
	if a := c.authorize("spa", nil); a.to.Query().Get("code") == "" {
		t.Errorf("without acr_values: %v", a.to)
	}

	// The missing factor alone is asked for, and the sign-in is a new one.
	c.ahead.Add(int64(10 * time.Minute))
	stepped := time.Now().Add(time.Duration(c.ahead.Load()))
	if a := c.authorize("spa", map[string]string{"acr_values": "urn:cognito:loa:4", "prompt": "none"}); a.to.Query().Get("error") != "login_required" {
		t.Errorf("prompt=none: %v", a.to)
	}
	page := c.local(c.authorize("spa", four))
	if strings.Contains(page.body, `name="password"`) || !strings.Contains(page.body, "authenticator app") {
		t.Fatalf("step-up: %s", page.body)
	}
	if a := c.typed(page, four, differs(c.appCode())); a.to != nil {
		t.Errorf("a wrong code: %v", a.to)
	}
	done := c.typed(page, four, c.appCode())
	a := c.redeem("spa", done.to.Query().Get("code"), nil)
	_, id := c.claims(a.json["id_token"])
	acr, amr, at := levelIn(id)
	if acr != "urn:cognito:loa:4" || !slices.Equal(amr, []string{"pwd", "otp", "mfa"}) || at.Before(stepped.Add(-time.Minute)) {
		t.Errorf("stepped up: %s %v %v", acr, amr, at)
	}
	if acr, _, _ = c.context(c.authorize("spa", four).to); acr != "urn:cognito:loa:4" {
		t.Errorf("a second time: %s", acr)
	}
	// A refresh says what the sign-in was, for ever.
	c.ahead.Add(int64(2 * time.Hour))
	again := c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {text(a.json["refresh_token"])}})
	_, id = c.claims(again.json["id_token"])
	if refreshed, amr, then := levelIn(id); refreshed != "urn:cognito:loa:4" || len(amr) != 3 || !then.Equal(at) {
		t.Errorf("refreshed: %s %v %v", refreshed, amr, then)
	}

	// From scratch: the level is asked for on the way.
	page = c.signIn("spa", "carol", "Passw0rd!", map[string]string{"acr_values": "urn:cognito:loa:3"})
	if acr, _, _ = c.context(c.typed(page, map[string]string{"acr_values": "urn:cognito:loa:3"}, c.appCode()).to); acr != "urn:cognito:loa:4" {
		t.Errorf("from scratch: %s", acr)
	}
	// max_age: an older sign-in counts for nothing.
	c.ahead.Add(int64(5 * time.Minute))
	for age, in := range map[string]bool{"299": false, "600": true, "0": false} {
		if a := c.authorize("spa", map[string]string{"max_age": age}); (a.to.Query().Get("code") != "") != in {
			t.Errorf("max_age=%s: %v", age, a.to)
		}
	}
	if page := c.local(c.authorize("spa", map[string]string{"max_age": "60", "acr_values": "urn:cognito:loa:4"})); !strings.Contains(page.body, `name="password"`) {
		t.Errorf("max_age and acr_values: %s", page.body)
	}
}

// TestS530_StepUpLetsNobodyInWithoutTheFactor: a browser's session alone is not a step up.
func TestS530_StepUpLetsNobodyInWithoutTheFactor(t *testing.T) {
	c := newContract(t)
	four := query("spa", map[string]string{"acr_values": "urn:cognito:loa:4"}).Encode()
	if a := c.do("GET", "/stepup?"+four, nil); a.to != nil || !strings.Contains(a.body, `name="password"`) {
		t.Errorf("nobody: %d %v", a.status, a.to)
	}
	c.signIn("spa", "carol", "Passw0rd!", nil)
	for _, q := range []string{four, query("spa", nil).Encode()} { // no app; nothing asked
		if a := c.do("GET", "/stepup?"+q, nil); a.to != nil || !strings.Contains(a.body, `name="password"`) {
			t.Errorf("%s: %d %v", q, a.status, a.to)
		}
	}
}

// TestStepUp_Imitates: pools that do not look at acr_values and max_age, or whose tokens
// say nothing.
func TestStepUp_Imitates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*contract)
		acr   string
		steps bool
	}{
		{"on", func(c *contract) { c.ok(c.pool.SetStepUp(shop, localpool.StepUpOn)) }, "urn:cognito:loa:1", true},
		{"ignored", func(c *contract) { c.ok(c.pool.SetStepUp(shop, localpool.StepUpIgnored)) }, "urn:cognito:loa:1", false},
		{"absent", func(c *contract) { c.ok(c.pool.SetStepUp(shop, localpool.StepUpAbsent)) }, "", false},
		{"Lite", func(c *contract) {
			c.ask("UpdateUserPool", `{"UserPoolId":"`+shop+`","UserPoolTier":"LITE","MfaConfiguration":"OPTIONAL"}`)
		}, "urn:cognito:loa:1", false},
		{"classic", func(c *contract) {
			c.ask("CreateUserPoolDomain", `{"UserPoolId":"`+shop+`","Domain":"shop","ManagedLoginVersion":1}`)
		}, "urn:cognito:loa:1", false},
		{"names of its own", func(c *contract) {
			c.ask("UpdateUserPool", `{"UserPoolId":"`+shop+`","MfaConfiguration":"OPTIONAL","AcrConfiguration":{"Level1":{"AcrValue":"low"}}}`)
		}, "low", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newContract(t)
			c.ok(c.pool.AddAuthenticator(shop, "carol", false))
			tt.set(c)
			acr, amr, _ := c.context(c.signIn("spa", "carol", "Passw0rd!", nil).to)
			if acr != tt.acr || (len(amr) > 0) != (tt.acr != "") {
				t.Errorf("claims: %q %v", acr, amr)
			}
			for _, changes := range []map[string]string{{"acr_values": "urn:cognito:loa:4"}, {"max_age": "0"}, {"max_age": "0", "prompt": "none"}} {
				c.ahead.Add(int64(time.Second))
				a := c.authorize("spa", changes)
				if in := a.to.Query().Get("code") != ""; in == tt.steps {
					t.Errorf("%v: %v", changes, a.to)
				}
			}
		})
	}
	c := newContract(t)
	if err := c.pool.SetStepUp(shop, "some"); err == nil {
		t.Error("a mode that there is not is taken")
	}
	if err := c.pool.SetStepUp("local_Gone1", localpool.StepUpOn); err == nil {
		t.Error("a pool that there is not is taken")
	}
}

// TestStepUp_API: TARGET_ACR_VALUES, MAX_AGE and ACCESS_TOKEN of USER_AUTH.
func TestStepUp_API(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	id := text(parsed(t, `{`+pool+`}`).(map[string]any)["UserPoolId"])
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	with := func(parameters string) answer {
		t.Helper()
		return c.call("InitiateAuth", `{`+app+`,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"erin"`+parameters+`}}`)
	}
	const password = `,"PREFERRED_CHALLENGE":"PASSWORD","PASSWORD":"Passw0rd!"`
	const four = `,"TARGET_ACR_VALUES":"urn:cognito:loa:4"`
	result := func(a answer) map[string]any {
		t.Helper()
		r, _ := a.json["AuthenticationResult"].(map[string]any)
		if r == nil {
			t.Fatalf("no tokens: %s", a.body)
		}
		return r
	}
	level := func(r map[string]any) string {
		t.Helper()
		_, claims := c.claims(r["AccessToken"])
		acr, amr, _ := levelIn(claims)
		return acr + " " + strings.Join(amr, ",")
	}
	first := result(with(password))
	if got := level(first); got != "urn:cognito:loa:1 pwd" {
		t.Errorf("a password: %s", got)
	}
	token := `,"ACCESS_TOKEN":"` + text(first["AccessToken"]) + `"`
	code := func() string {
		t.Helper()
		code, err := c.pool.AuthenticatorCode(id, "erin")
		c.ok(err)
		return `"SOFTWARE_TOKEN_MFA_CODE":"` + code + `"`
	}
	refused := func(what string, a answer, kind string) {
		t.Helper()
		if a.json["__type"] != kind {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	refused("no factor for it", with(four+token), "NotAuthorizedException")
	c.ok(c.pool.AddAuthenticator(id, "erin", false))
	refused("a token without a target", with(token), "InvalidParameterException")
	refused("no level of the pool", with(`,"TARGET_ACR_VALUES":"high higher"`+token), "InvalidParameterException")
	refused("a level that is reached", with(`,"TARGET_ACR_VALUES":"urn:cognito:loa:1"`+token), "InvalidParameterException")
	refused("no age", with(`,"MAX_AGE":"soon"`), "InvalidParameterException")
	refused("another's token", c.call("InitiateAuth", `{`+app+`,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"erin"`+four+`,"ACCESS_TOKEN":"`+*c.tokens().AccessToken+`"}}`), "NotAuthorizedException")

	asked := with(four + token)
	if asked.json["ChallengeName"] != "SOFTWARE_TOKEN_MFA" {
		t.Fatalf("with the token: %s", asked.body)
	}
	stepped := result(c.answered(app, asked.json, code()))
	if got := level(stepped); got != "urn:cognito:loa:4 pwd,otp,mfa" || stepped["RefreshToken"] == nil || stepped["RefreshToken"] == first["RefreshToken"] {
		t.Errorf("stepped up: %s", got)
	}
	// The refresh token of before goes on at the level that it had.
	r := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":"`+text(first["RefreshToken"])+`"}}`)
	if got := level(r["AuthenticationResult"].(map[string]any)); got != "urn:cognito:loa:1 pwd" {
		t.Errorf("refreshed: %s", got)
	}
	// A token that is too old counts for nothing; one that is not asks for the factor alone.
	c.ahead.Add(int64(10 * time.Minute))
	if a := with(four + token + `,"MAX_AGE":"60"` + password); a.json["ChallengeName"] != "SOFTWARE_TOKEN_MFA" || with(four + token + `,"MAX_AGE":"60"`).json["ChallengeName"] != "PASSWORD" {
		t.Errorf("too old: %s", a.body)
	}
	if a := with(four + token + `,"MAX_AGE":"3600"`); a.json["ChallengeName"] != "SOFTWARE_TOKEN_MFA" {
		t.Errorf("not too old: %s", a.body)
	}
	// Without a token the password is asked for first.
	asked = with(four + password)
	if got := level(result(c.answered(app, asked.json, code()))); got != "urn:cognito:loa:4 pwd,otp,mfa" {
		t.Errorf("from scratch: %s", got)
	}
	c.ok(c.pool.SetStepUp(id, localpool.StepUpAbsent))
	if got := level(result(with(four + password))); got != " " {
		t.Errorf("absent: %q", got)
	}
	c.ok(c.pool.SetStepUp(id, localpool.StepUpOn))
	c.no("UpdateUserPool", `{`+pool+`,"UserPoolTier":"LITE"}`, "FeatureUnavailableInTierException", "")
	lite := newContractOf(t, `pools: [{id: local_Lite1, plan: LITE, clients: [{id: lite, auth_flows: [ALLOW_USER_AUTH]}], users: [{username: erin, email: erin@example.com, password: Passw0rd!}]}]`)
	refused("Lite", lite.call("InitiateAuth", `{"ClientId":"lite","AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"erin"`+four+password+`}}`), "FeatureUnavailableInTierException")
}

// TestStepUp_Provider: what a provider says of a sign-in is mapped to a level.
func TestStepUp_Provider(t *testing.T) {
	c := federated(t)
	context := func(claims string) (string, []string) {
		t.Helper()
		id, _ := c.person(c.as("Google", map[string]string{"subject": "g1", "claims": claims}))
		acr, amr, _ := levelIn(id)
		return acr, amr
	}
	if acr, amr := context(`{}`); acr != "urn:cognito:loa:1" || !slices.Equal(amr, []string{"fed"}) {
		t.Errorf("nothing said: %s %v", acr, amr)
	}
	c.ask("UpdateIdentityProvider", `{"UserPoolId":"local_Shop1","ProviderName":"Google","AcrMapping":{"Level3":"strong"}}`)
	if acr, amr := context(`{"acr":"strong","amr":["pwd","face","otp"]}`); acr != "urn:cognito:loa:3" || !slices.Equal(amr, []string{"pwd", "otp"}) {
		t.Errorf("a level of its own: %s %v", acr, amr)
	}
	if acr, _ := context(`{"acr":"Level3"}`); acr != "urn:cognito:loa:1" {
		t.Errorf("a level that is not mapped: %s", acr)
	}
}

// TestUserSessions_Browser: the browser's session stands beside those of tokens, ends them
// or not, and app clients take it over for as long as they are told.
func TestUserSessions_Browser(t *testing.T) {
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `"`
	sessions := func() (list []map[string]any) {
		t.Helper()
		all, _ := c.ask("AdminListUserSessions", `{`+pool+`,"Username":"carol"}`)["Sessions"].([]any)
		for _, one := range all {
			list = append(list, one.(map[string]any))
		}
		return list
	}
	track := func() {
		c.ask("SetUserPoolSessionConfiguration", `{`+pool+`,"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":20}}`)
	}
	track()
	in := func() map[string]any {
		t.Helper()
		a := c.authorize("spa", nil)
		if a.to.Query().Get("code") == "" {
			a = c.signIn("spa", "carol", "Passw0rd!", nil)
		}
		return c.redeem("spa", a.to.Query().Get("code"), nil).json
	}
	first := in()
	in()
	list := sessions()
	if len(list) != 3 || list[0]["SessionType"] != "SSO" || !strings.HasPrefix(text(list[0]["SessionId"]), "sso") || len(text(list[0]["SessionId"])) != 28 || list[0]["OriginSessionId"] != nil {
		t.Fatalf("sessions = %v", list)
	}
	for _, s := range list[1:] {
		if s["SessionType"] != "TOKEN" || s["OriginSessionId"] != list[0]["SessionId"] {
			t.Errorf("session = %v", s)
		}
	}
	// One token ends with its browser's session, and its siblings stay.
	c.ask("RevokeToken", `{"ClientId":"spa","Token":"`+text(first["refresh_token"])+`","RevokeAssociatedSessions":"LINKED"}`)
	if list := sessions(); len(list) != 1 || list[0]["SessionType"] != "TOKEN" {
		t.Errorf("after RevokeToken = %v", list)
	}
	if a := c.authorize("spa", nil); a.to.Query().Get("code") != "" {
		t.Error("the browser's session outlives it")
	}
	in()
	browser := sessions()[0]["SessionId"].(string)
	c.ask("AdminRevokeUserSession", `{`+pool+`,"Username":"carol","SessionId":"`+browser+`"}`)
	if list := sessions(); len(list) != 2 {
		t.Errorf("after a session of a browser = %v", list)
	}
	in()
	browser = sessions()[0]["SessionId"].(string)
	c.ask("AdminRevokeUserSession", `{`+pool+`,"Username":"carol","SessionId":"`+browser+`","RevokeAssociatedSessions":"LINKED"}`)
	if list := sessions(); len(list) != 2 {
		t.Errorf("after a session of a browser with its own = %v", list)
	}
	in()
	for _, s := range sessions() {
		if s["OriginSessionId"] != nil && s["OriginSessionId"] == sessions()[0]["SessionId"] {
			c.ask("AdminRevokeUserSession", `{`+pool+`,"Username":"carol","SessionId":"`+text(s["SessionId"])+`","RevokeAssociatedSessions":"LINKED"}`)
			break
		}
	}
	if list := sessions(); len(list) != 2 || list[0]["SessionType"] != "TOKEN" {
		t.Errorf("after a token's with its browser's = %v", list)
	}

	// How long a client takes the session over.
	for minutes, lasts := range map[string]time.Duration{"0": 0, "30": 29 * time.Minute, "129600": 80 * 24 * time.Hour} {
		c.ask("SetUserPoolClientSessionConfiguration", `{`+pool+`,"ClientId":"spa","SSOSession":{"MaxValidityMinutes":`+minutes+`}}`)
		c.signIn("spa", "carol", "Passw0rd!", nil)
		if lasts > 0 {
			c.ahead.Add(int64(lasts))
			if a := c.authorize("spa", nil); a.to.Query().Get("code") == "" {
				t.Errorf("%s minutes: not after %v", minutes, lasts)
			}
		}
		c.ahead.Add(int64(lasts/4 + time.Minute))
		if a := c.authorize("spa", nil); a.to.Query().Get("code") != "" {
			t.Errorf("%s minutes: after %v still", minutes, lasts)
		}
	}
	// A client of its own time is no matter of others'.
	c.ask("SetUserPoolClientSessionConfiguration", `{`+pool+`,"ClientId":"spa","SSOSession":{"MaxValidityMinutes":0}}`)
	c.signIn("spa", "carol", "Passw0rd!", nil)
	if a := c.authorize("web", nil); a.to.Query().Get("code") == "" {
		t.Errorf("another client: %v", a.to)
	}
}
