package broker

import (
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
)

// registration is what a client says of itself (RFC 7591, section 2), as far as it counts
// here.
type registration struct {
	Redirects     []string `json:"redirect_uris"`
	Name          string   `json:"client_name"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
}

const maxRegistration = 16 << 10

// register gives a client an id. Nothing is kept: the id has it all, sealed, and ends
// within a day unless somebody lets the client act for them.
func (b *Broker) register(w http.ResponseWriter, r *http.Request) {
	if wait := b.Wait(r); wait > 0 {
		b.tell(r.Context(), ClientRegistered, limited)
		later(w, wait)
		return
	}
	asked, f := registrationOf(r)
	if f != nil {
		b.tell(r.Context(), ClientRegistered, f.code)
		b.refuse(w, r, f)
		return
	}
	id, c, f := b.newClient(asked)
	if f != nil {
		b.tell(r.Context(), ClientRegistered, f.code)
		b.Logger.LogAttrs(r.Context(), slog.LevelWarn, "client not registered", slog.String("reason", f.Error()))
		b.refuse(w, r, f)
		return
	}
	b.tell(r.Context(), ClientRegistered, registered)
	b.Logger.LogAttrs(r.Context(), slog.LevelInfo, "client registered", slog.String("name", c.Name), slog.String("redirect_uri", c.Redirects[0]))
	said := map[string]any{
		"client_id": id, "client_id_issued_at": c.Issued, "redirect_uris": c.Redirects,
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "none",
	}
	if c.Name != "" {
		said["client_name"] = c.Name
	}
	answer(w, http.StatusCreated, said)
}

// registrationOf reads what a client says of itself.
func registrationOf(r *http.Request) (asked registration, f *fault) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return asked, faulty("invalid_client_metadata", "send the metadata as application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRegistration+1))
	if err != nil || len(body) > maxRegistration {
		return asked, faulty("invalid_client_metadata", "the metadata are too long, or cannot be read")
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return asked, faulty("invalid_client_metadata", "the metadata are no JSON object of RFC 7591")
	}
	return asked, nil
}

func (b *Broker) newClient(asked registration) (string, client, *fault) {
	if f := b.checkRedirects(asked.Redirects); f != nil {
		return "", client{}, f
	}
	if !offers(asked.GrantTypes, "authorization_code") || !offers(asked.ResponseTypes, "code") {
		return "", client{}, faulty("invalid_client_metadata", "clients get tokens only by authorization code: grant_types has authorization_code, response_types has code")
	}
	c := client{Name: nameOf(asked.Name), Redirects: asked.Redirects, Issued: b.Now().Unix()}
	text, err := json.Marshal(c)
	if err != nil {
		return "", client{}, faulty("invalid_client_metadata", "the metadata cannot be kept")
	}
	id := registeredPrefix + b.Keys.Seal(registeredSeal, text, nil)
	if len(id) > maxClientID {
		return "", client{}, faulty("invalid_client_metadata", "the redirect URIs are too long together")
	}
	return id, c, nil
}

// offers reports whether a list that may be left out has what is needed.
func offers(list []string, needed string) bool {
	for _, s := range list {
		if strings.EqualFold(s, needed) {
			return true
		}
	}
	return len(list) == 0
}
