package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/oauth"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// choice is an identity provider on the login page.
type choice struct {
	Name, Label string
	Query       template.URL // that asks for it
}

// choices are the identity providers that a client signs people in with.
func (p *Pages) choices(a *oauth.Authorization, q url.Values) (list []choice, own bool) {
	providers, own := p.oauth.Providers(a.Client)
	for _, provider := range providers {
		asked := url.Values{}
		for name, values := range q {
			asked[name] = values
		}
		asked.Set("identity_provider", provider.Name)
		asked.Del("idp_identifier")
		label := map[string]string{"SignInWithApple": "Apple", "LoginWithAmazon": "Amazon"}[provider.Type]
		if label == "" {
			label = provider.Name
		}
		list = append(list, choice{provider.Name, label, template.URL(asked.Encode())})
	}
	return list, own
}

// atProvider is a sign-in that is at another pool of this server.
type atProvider struct {
	query    string // of the authorization request
	provider string
	pool     string // that the person is at
}

// idp is the identity provider: another pool of this server, or, in place of any that is
// elsewhere, a page on which one is whoever one says.
func (p *Pages) idp(w http.ResponseWriter, r *http.Request, v *view) {
	a := v.authorization
	provider, ok := p.providerOf(a)
	if !ok {
		p.oauth.Refuse(w, r, a.Fault(errors.New("identity_provider is missing")))
		return
	}
	if beside, ok := p.oauth.Beside(provider); ok {
		token := p.remember(challenge{poolID: a.Client.PoolID, until: p.state.Now().Add(challengeLifetime), at: atProvider{r.URL.Query().Encode(), provider.Name, beside}})
		q := url.Values{
			"client_id": {provider.Details["client_id"]}, "response_type": {"code"}, "redirect_uri": {p.oauth.CallbackOf(a.Client.PoolID)},
			"scope": {strings.TrimSpace(provider.Details["authorize_scopes"])}, "state": {token},
		}
		http.Redirect(w, r, p.place.Domain(beside)+"/oauth2/authorize?"+q.Encode(), http.StatusFound)
		return
	}
	v.Data = provider
	if r.Method == http.MethodGet {
		p.show(w, r, http.StatusOK, "idp.html", "Sign in with "+provider.Name, v)
		return
	}
	if r.PostFormValue("answer") == "refuse" {
		p.oauth.Refuse(w, r, a.Fault(errors.New("access_denied")))
		return
	}
	claims, err := claimsOf(r.PostForm, provider)
	if err != nil {
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "idp.html", "Sign in with "+provider.Name, v)
		return
	}
	p.federate(w, r, a, provider, claims)
}

func (p *Pages) providerOf(a *oauth.Authorization) (state.Provider, bool) {
	list, _ := p.oauth.Providers(a.Client)
	for _, provider := range list {
		if provider.Name == a.Provider {
			return provider, true
		}
	}
	return state.Provider{}, false
}

// federate ends a sign-in at an identity provider.
func (p *Pages) federate(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, provider state.Provider, claims map[string]string) {
	u, first, err := p.triggers.Federate(r.Context(), a.Client, provider, claims)
	if err != nil {
		p.oauth.Refuse(w, r, a.Fault(err))
		return
	}
	if first && a.Nonce == "" {
		a.Nonce = randomValue() // Cognito's own, which is in the ID token of the first sign-in
	}
	p.oauth.Complete(w, r, a, u, provider.ShownAt(claims))
}

// claimsOf are what the page of a provider says of a person.
func claimsOf(form url.Values, provider state.Provider) (map[string]string, error) {
	claims := make(map[string]string)
	if more := strings.TrimSpace(form.Get("claims")); more != "" {
		var given map[string]any
		if err := json.Unmarshal([]byte(more), &given); err != nil {
			return nil, &state.Error{Type: state.InvalidParameter, Message: "The claims are not a JSON object."}
		}
		for name, value := range given {
			claims[name] = claimText(value)
		}
	}
	subject := strings.TrimSpace(form.Get("subject"))
	if subject == "" || len(subject) > 100 {
		return nil, &state.Error{Type: state.InvalidParameter, Message: "Say who you are at the provider, in 1 to 100 characters."}
	}
	claims[provider.Source()] = subject
	for _, name := range []string{"email", "name"} {
		if value := strings.TrimSpace(form.Get(name)); value != "" {
			claims[name] = value
		}
	}
	if claims["email"] != "" && claims["email_verified"] == "" {
		claims["email_verified"] = "true"
	}
	return claims, nil
}

// claimText is a claim as an attribute: several values are a list in brackets.
func claimText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		texts := make([]string, 0, len(v))
		for _, one := range v {
			texts = append(texts, url.QueryEscape(claimText(one)))
		}
		return "[" + strings.Join(texts, ",") + "]"
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}

// idpResponse is where another pool of this server sends people back to.
func (p *Pages) idpResponse(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	c, ok := p.challenges[q.Get("state")]
	if ok = ok && c.at.provider != "" && p.state.Now().Before(c.until); ok {
		delete(p.challenges, q.Get("state"))
	}
	p.mu.Unlock()
	asked, err := url.ParseQuery(c.at.query)
	if !ok || err != nil {
		http.Redirect(w, r, p.place.Here(r)+"/error?error=invalid_request&error_description=Invalid+state", http.StatusFound)
		return
	}
	a, refusal := p.oauth.ParseAuthorization(r, asked)
	if refusal != nil {
		p.oauth.Refuse(w, r, refusal)
		return
	}
	a.Provider = c.at.provider
	provider, ok := p.providerOf(a)
	switch {
	case !ok:
		p.oauth.Refuse(w, r, a.Fault(&state.Error{Type: state.InvalidParameter, Message: "The identity provider is gone"}))
	case q.Get("code") == "":
		p.oauth.Refuse(w, r, a.Fault(fmt.Errorf("%s Error - %s", provider.Name, strings.TrimSpace(q.Get("error")+" "+q.Get("error_description")))))
	default:
		claims, err := p.oauth.Identify(provider, c.at.pool, q.Get("code"), p.oauth.CallbackOf(a.Client.PoolID))
		if err != nil {
			p.oauth.Refuse(w, r, a.Fault(err))
			return
		}
		p.federate(w, r, a, provider, claims)
	}
}
