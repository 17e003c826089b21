package localpool_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// choosing has carol's pool allow ways to begin a sign-in, and its client let people choose.
func (c *contract) choosing(factors string) {
	c.Helper()
	pool := `"UserPoolId":"` + shop + `"`
	c.ask("UpdateUserPool", `{`+pool+`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":`+factors+`}},"AutoVerifiedAttributes":["email"]}`)
	c.ask("UpdateUserPoolClient", `{`+pool+`,"ClientId":"spa","ClientName":"spa","CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid"],"AllowedOAuthFlowsUserPoolClient":true,"ExplicitAuthFlows":["ALLOW_USER_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]}`)
}

// post sends a form of a page on, with the hidden fields that the page gave it.
func (c *contract) post(page answer, path string, fields map[string]string) answer {
	c.Helper()
	form := url.Values{}
	for name, field := range map[string]*regexp.Regexp{"_csrf": csrfField, "challenge": challengeField} {
		if found := field.FindStringSubmatch(page.body); found != nil {
			form.Set(name, found[1])
		}
	}
	for name, value := range fields {
		form.Set(name, value)
	}
	return c.do("POST", path+"?"+query("spa", nil).Encode(), form)
}

func (c *contract) loginPage() answer {
	c.Helper()
	return c.do("GET", "/login?"+query("spa", nil).Encode(), nil)
}

func in(a answer) bool { return a.to != nil && a.to.Query().Get("code") != "" }

// TestPages_Choice: people say who they are, and choose; nobody learns who exists.
func TestPages_Choice(t *testing.T) {
	c := newContract(t)
	c.choosing(`["PASSWORD","EMAIL_OTP"]`)
	page := c.loginPage()
	if strings.Contains(page.body, `name="password"`) {
		t.Fatalf("the first page: %s", page.body)
	}
	menus := make(map[string]string)
	for _, name := range []string{"carol", "nobody"} {
		menu := c.post(page, "/login", map[string]string{"username": name})
		menus[name] = strings.ReplaceAll(menu.body, name, "…")
		if !strings.Contains(menu.body, "Code by e-mail") || !strings.Contains(menu.body, ">Password<") {
			t.Fatalf("%s: %s", name, menu.body)
		}
		asked := c.post(menu, "/choose", map[string]string{"username": name, "way": "EMAIL_OTP"})
		if wrong := c.post(asked, "/mfa", map[string]string{"code": "00000000"}); in(wrong) || !strings.Contains(wrong.body, "Invalid verification code") {
			t.Errorf("%s, a wrong code: %s", name, wrong.body)
		}
	}
	if menus["carol"] != menus["nobody"] {
		t.Errorf("the menus differ: %s\n%s", menus["carol"], menus["nobody"])
	}
	menu := c.post(page, "/login", map[string]string{"username": "carol"})
	asked := c.post(menu, "/choose", map[string]string{"username": "carol", "way": "EMAIL_OTP"})
	done := c.post(asked, "/mfa", map[string]string{"code": c.lastCode("carol@example.com")})
	if acr, amr, _ := c.context(done.to); acr != "urn:cognito:loa:2" || !slices.Equal(amr, []string{"email_otp"}) {
		t.Errorf("by a code: %s %v", acr, amr)
	}
	password := c.post(menu, "/choose", map[string]string{"username": "carol", "way": "PASSWORD"})
	if !strings.Contains(password.body, `value="carol"`) || !in(c.post(password, "/login", map[string]string{"username": "carol", "password": "Passw0rd!"})) {
		t.Errorf("by a password: %s", password.body)
	}
	// A way that the pool does not have, or the person, is no way.
	for _, way := range []string{"WEB_AUTHN", "SMS_OTP", "x"} {
		if a := c.post(menu, "/choose", map[string]string{"username": "carol", "way": way}); in(a) || !strings.Contains(a.body, "Code by e-mail") {
			t.Errorf("%s: %s", way, a.body)
		}
	}
	// Who has a second factor shows the password first.
	c.ok(c.pool.AddAuthenticator(shop, "carol", true))
	if a := c.post(page, "/login", map[string]string{"username": "carol"}); !strings.Contains(a.body, `name="password"`) {
		t.Errorf("with a second factor: %s", a.body)
	}
}

var options = regexp.MustCompile(`data-options="([^"]+)"`)

func (c *contract) challengeIn(page answer) string {
	c.Helper()
	found := options.FindStringSubmatch(page.body)
	if found == nil {
		c.Fatalf("no options: %d %v %s", page.status, page.to, page.body)
	}
	var asked struct{ Challenge string }
	c.ok(json.Unmarshal([]byte(html.UnescapeString(found[1])), &asked))
	return asked.Challenge
}

// TestS531_PagesTakePasskeys: a passkey is added by who is signed in, and signs in that
// person, once for each challenge; browsers are led to localhost, where they can.
func TestS531_PagesTakePasskeys(t *testing.T) {
	c := newContract(t)
	c.choosing(`["PASSWORD","WEB_AUTHN"]`)
	led := c.loginPage()
	if led.to == nil || led.to.Hostname() != "localhost" || led.to.Path != "/login" {
		t.Fatalf("an address in numbers: %d %v", led.status, led.to)
	}
	c.url = strings.Replace(c.url, "127.0.0.1", "localhost", 1)
	add := "/passkeys/add?" + url.Values{"client_id": {"spa"}, "redirect_uri": {"http://localhost:8080/cb"}}.Encode()
	if a := c.do("GET", add, nil); a.to == nil || a.to.Path != "/login" || a.to.Hostname() != "localhost" {
		t.Errorf("without a session: %d %v", a.status, a.to)
	}
	if a := c.do("GET", "/passkeys/add?client_id=spa&redirect_uri=https://elsewhere.example/", nil); a.to == nil || a.to.Path != "/error" {
		t.Errorf("another place to go back to: %d %v", a.status, a.to)
	}
	if a := c.post(c.loginPage(), "/login", map[string]string{"username": "carol", "password": "Passw0rd!"}); !in(a) {
		t.Fatalf("sign-in: %s", a.body)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	k := &key{private: private, id: []byte("credential-of-carol")}
	page := c.do("GET", add, nil)
	challenge := c.challengeIn(page)
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'sha256-") {
		t.Errorf("policy = %s", policy)
	}
	answer := k.made(t, challenge, "localhost", c.url)
	csrf := csrfField.FindStringSubmatch(page.body)[1]
	if a := c.do("POST", add, url.Values{"credential": {k.made(t, base64.RawURLEncoding.EncodeToString([]byte("x")), "localhost", c.url)}, "_csrf": {csrf}}); a.to != nil {
		t.Errorf("another challenge: %v", a.to)
	}
	if a := c.do("POST", add, url.Values{"credential": {answer}, "_csrf": {csrf}}); a.to == nil || a.to.String() != "http://localhost:8080/cb" {
		t.Fatalf("added: %d %s", a.status, a.body)
	}
	if a := c.do("POST", add, url.Values{"credential": {answer}, "_csrf": {csrf}}); a.to != nil {
		t.Error("the answer is taken twice")
	}

	asked := c.post(c.post(c.loginPage(), "/login", map[string]string{"username": "carol"}), "/choose", map[string]string{"username": "carol", "way": "WEB_AUTHN"})
	signed := k.signed(t, c.challengeIn(asked), "localhost", c.url)
	done := c.post(asked, "/passkey", map[string]string{"credential": signed})
	if acr, amr, _ := c.context(done.to); acr != "urn:cognito:loa:3" || !slices.Equal(amr, []string{"swk"}) {
		t.Errorf("by a passkey: %s %v", acr, amr)
	}
	if again := c.post(asked, "/passkey", map[string]string{"credential": signed}); in(again) {
		t.Error("the answer is taken twice")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	for what, forged := range map[string]func(challenge string) string{
		"another key": func(ch string) string {
			return (&key{private: other, id: k.id, count: 90}).signed(t, ch, "localhost", c.url)
		},
		"another origin": func(ch string) string {
			return (&key{private: private, id: k.id, count: 90}).signed(t, ch, "localhost", "https://elsewhere.example")
		},
		"nothing": func(string) string { return "" },
	} {
		asked := c.post(c.post(c.loginPage(), "/login", map[string]string{"username": "carol"}), "/choose", map[string]string{"username": "carol", "way": "WEB_AUTHN"})
		if a := c.post(asked, "/passkey", map[string]string{"credential": forged(c.challengeIn(asked))}); in(a) {
			t.Errorf("%s signs in", what)
		}
	}
	// A challenge of a passkey is none of a code.
	asked = c.post(c.post(c.loginPage(), "/login", map[string]string{"username": "carol"}), "/choose", map[string]string{"username": "carol", "way": "WEB_AUTHN"})
	if a := c.post(asked, "/mfa", map[string]string{"code": "123456"}); in(a) || !strings.Contains(a.body, "expired") {
		t.Errorf("a code in its place: %s", a.body)
	}
}

// TestPages_Looks: languages, terms and styles that were set by the API are on the pages.
func TestPages_Looks(t *testing.T) {
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `","ClientId":"spa"`
	open := func(path, more string) answer {
		t.Helper()
		return c.do("GET", path+"?"+query("spa", nil).Encode()+more, nil)
	}
	for lang, text := range map[string]string{"de": "Passwort vergessen?", "JA": "パスワード", "pt-BR": "Esqueceu a senha?", "zh-TW": "忘記密碼？"} {
		if page := open("/login", "&lang="+lang); !strings.Contains(page.body, text) || !strings.Contains(strings.ToLower(page.body), `<html lang="`+strings.ToLower(lang)) {
			t.Errorf("%s: %s", lang, page.body)
		}
	}
	open("/login", "&lang=fr")
	if page := open("/forgotPassword", ""); !strings.Contains(page.body, "Envoyer le code") {
		t.Errorf("a language that was chosen before: %s", page.body)
	}
	if page := open("/login", "&lang=xx"); !strings.Contains(page.body, "Mot de passe oublié") {
		t.Errorf("no language: %s", page.body)
	}

	// One document is not enough.
	terms := func(name, links string) {
		c.ask("CreateTerms", `{`+pool+`,"TermsName":"`+name+`","TermsSource":"LINK","Enforcement":"NONE","Links":{`+links+`}}`)
	}
	terms("terms-of-use", `"cognito:default":"https://shop.example/terms","cognito:french":"https://shop.example/fr"`)
	if page := open("/signup", ""); strings.Contains(page.body, "shop.example") {
		t.Errorf("one document: %s", page.body)
	}
	terms("privacy-policy", `"cognito:default":"https://shop.example/privacy"`)
	if page := open("/signup", ""); !strings.Contains(page.body, `href="https://shop.example/fr"`) || !strings.Contains(page.body, `href="https://shop.example/privacy"`) {
		t.Errorf("both documents: %s", page.body)
	}

	c.ask("CreateManagedLoginBranding", `{`+pool+`,"Settings":{"categories":{"global":{"colorSchemeMode":"LIGHT"}},"components":{
		"pageBackground":{"lightMode":{"color":"fff1e6ff"},"darkMode":{"color":"000000ff"}},
		"primaryButton":{"lightMode":{"defaults":{"backgroundColor":"8a1c1cff","textColor":"red; } body { display: none"}}},
		"form":{"borderRadius":3}}},
		"Assets":[{"Category":"FORM_LOGO","ColorMode":"LIGHT","Extension":"SVG","Bytes":"PHN2Zy8+"}]}`)
	page := open("/login", "&lang=en")
	for _, want := range []string{"--bg: #fff1e6ff", "--accent: #8a1c1cff", ".card { border-radius: 3px }", `src="data:image/svg&#43;xml;base64,PHN2Zy8`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the style lacks %s: %s", want, page.body)
		}
	}
	if strings.Contains(page.body, "display: none") || strings.Contains(page.body, "#000000ff") {
		t.Errorf("the style has what is not a color, or of another scheme: %s", page.body)
	}
	if policy := page.header.Get("Content-Security-Policy"); strings.Count(policy, "'sha256-") != 2 || !strings.Contains(policy, "img-src data:") || strings.Contains(policy, "script-src") {
		t.Errorf("policy = %s", policy)
	}
	// Another client has nothing of it, and the older pages neither.
	if page := c.do("GET", "/signup?"+query("web", nil).Encode(), nil); strings.Contains(page.body, "shop.example") || strings.Contains(page.body, "8a1c1c") {
		t.Errorf("another client: %s", page.body)
	}
	c.ask("CreateUserPoolDomain", `{"UserPoolId":"`+shop+`","Domain":"shop","ManagedLoginVersion":1}`)
	if page := open("/signup", "&lang=de"); strings.Contains(page.body, "shop.example") || !strings.Contains(page.body, `<html lang="en"`) {
		t.Errorf("classic: %s", page.body)
	}
}
