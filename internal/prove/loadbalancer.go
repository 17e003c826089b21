package prove

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/verify"
)

func isTokenUse(err error) bool { return errors.Is(err, verify.ErrTokenUse) }

// LoadBalancer takes the headers of an AWS load balancer that signs people in itself
// (its action authenticate-cognito). It reports false where there are none, and
// returns the access token that came along, if one did.
func (p *Prover) LoadBalancer(alb *verify.ALB, r *http.Request) (who Person, access cognito.Secret, ok bool, err error) {
	values := r.Header["X-Amzn-Oidc-Data"]
	if len(values) == 0 {
		return who, "", false, nil
	}
	if len(values) > 1 || len(r.Header["X-Amzn-Oidc-Accesstoken"]) > 1 {
		return who, "", true, fmt.Errorf("%w: a load balancer's header is repeated", fault.Invalid)
	}
	claims, err := alb.Verify(r.Context(), values[0])
	if err != nil {
		return who, "", true, fault.OfToken("verify the load balancer's header", err)
	}
	who = Person{
		Issuer: claims.Issuer, Subject: claims.Subject, ClientID: claims.ClientID,
		Username: claims.Username, Email: claims.Email, EmailVerified: claims.EmailVerified, Name: claims.Name,
		Method: ByLoadBalancer, Expires: claims.ExpiresAt,
	}
	// The signed header names no groups. The access token beside it does, and
	// nobody signed that it belongs there: it counts once it is verified itself.
	token := r.Header.Get("X-Amzn-Oidc-Accesstoken")
	if token == "" {
		return who, "", true, nil
	}
	own, err := p.verifier.AccessToken(r.Context(), token)
	if err != nil {
		return who, "", true, fault.OfToken("verify the load balancer's access token", err)
	}
	if own.Subject != who.Subject || own.ClientID != who.ClientID {
		return who, "", true, fault.SubjectMismatch
	}
	who.Groups, who.Scopes, who.AuthTime, who.Issued, who.Expires = p.groups(own.Groups), own.Scopes, own.AuthTime, own.IssuedAt, own.ExpiresAt
	who.ACR, who.AMR = own.ACR, own.AMR
	return who, cognito.Secret(token), true, p.Counts(r.Context(), who.Subject, who.Began(), Strictly)
}
