package codegrant

import (
	"net/http"
	"time"
)

// userInfo is what the user endpoint tells about the identity: an allow-list,
// and never a token.
type userInfo struct {
	Subject       string   `json:"sub"`
	ID            int64    `json:"id,omitempty"` // in the replica
	Username      string   `json:"username"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified"`
	Name          string   `json:"name,omitempty"`
	Groups        []string `json:"groups"`
	Scopes        []string `json:"scopes"`
	Actor         string   `json:"actor,omitempty"` // who acts for the person
	Issuer        string   `json:"iss"`
	Organization  *userOrg `json:"organization,omitempty"` // that the person acts for
	Method        Method   `json:"method"`
	AuthTime      int64    `json:"auth_time,omitempty"` // epoch seconds, as the claim
	ACR           string   `json:"acr,omitempty"`
	AMR           []string `json:"amr,omitempty"`
	Expires       string   `json:"token_expires"` // RFC 3339; a session outlives it
}

type userOrg struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// user answers with the identity as JSON, or 401.
func (g *gate) user(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		g.methodNotAllowed(w, r, "GET, HEAD")
		return
	}
	req, ok := g.identify(w, r)
	if !ok {
		return
	}
	id := req.identity
	if req.acted != nil && !req.acted.Machine {
		g.forbidden(w, r, req.acted, errActor(req.acted))
		return
	}
	if id == nil {
		// Also to a browser that navigates: this endpoint is asked who is
		// signed in, and "nobody" is an answer.
		g.challenge(w, r, req.failure)
		return
	}
	writeJSON(w, http.StatusOK, newUserInfo(id))
}

func newUserInfo(id *Identity) userInfo {
	info := userInfo{
		Subject: id.Subject, ID: id.UserID, Username: id.Username,
		Email: id.Email, EmailVerified: id.EmailVerified, Name: id.Name,
		Groups: orEmpty(id.Groups), Scopes: orEmpty(id.Scopes), Actor: id.Actor.String(), Issuer: id.Issuer, Method: id.Method,
		ACR: id.ACR, AMR: id.AMR,
		Expires: id.Expires.UTC().Format(time.RFC3339),
	}
	if o := id.Organization; o != nil {
		info.Organization = &userOrg{o.ID, o.Name, o.Role}
	}
	if !id.AuthTime.IsZero() {
		info.AuthTime = id.AuthTime.Unix()
	}
	return info
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
