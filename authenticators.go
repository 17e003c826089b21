package codegrant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// Methods of the authenticators of this file.
const (
	MethodLoadBalancer Method = "load balancer" // a header that an AWS load balancer signed
	MethodBasic        Method = "basic"         // name and password, checked by the application
)

// proofError says which authenticator refused a proof, so that the answer asks for
// the same kind again.
type proofError struct {
	by  Authenticator
	err error
}

func (e *proofError) Error() string { return e.err.Error() }
func (e *proofError) Unwrap() error { return e.err }

// albAuthenticator takes the headers of an AWS load balancer that signs people in
// itself (its action authenticate-cognito).
type albAuthenticator struct {
	*site
	prover *prove.Prover
	alb    *verify.ALB
}

func (b albAuthenticator) Authenticate(r *http.Request) (*Identity, error) {
	who, access, ok, err := b.prover.LoadBalancer(b.alb, r)
	if !ok || err != nil {
		return nil, err
	}
	var proof proof
	if access != "" {
		proof = &token{Access: access}
	}
	id := b.identityOf(&who, "", proof)
	return &id, nil
}

// Challenge asks for nothing: a client cannot send what only the load balancer can.
func (albAuthenticator) Challenge(error) string { return "" }

// BasicAuth returns an authenticator for name and password (RFC 7617). A function of the
// application checks them. The function returns nil and no error if they are wrong, and an
// error that is ErrUnavailable if it cannot tell. Use it over https. Limit the number of
// tries yourself: nothing here does.
func BasicAuth(realm string, check func(ctx context.Context, username, password string) (*Identity, error)) Authenticator {
	if check == nil || strings.ContainsAny(realm, "\"\\\r\n") {
		panic("codegrant: BasicAuth needs a function, and a realm without quotes")
	}
	return basicAuthenticator{realm, check}
}

type basicAuthenticator struct {
	realm string
	check func(ctx context.Context, username, password string) (*Identity, error)
}

func (b basicAuthenticator) Authenticate(r *http.Request) (*Identity, error) {
	header := r.Header.Get("Authorization")
	if scheme, _, _ := strings.Cut(header, " "); !strings.EqualFold(scheme, "Basic") {
		return nil, nil
	}
	username, password, ok := r.BasicAuth()
	if !ok || len(r.Header["Authorization"]) > 1 {
		return nil, fmt.Errorf("%w: malformed Basic credentials", ErrInvalid)
	}
	id, err := b.check(r.Context(), username, password)
	switch {
	case err != nil && isUnavailable(err):
		return nil, unavailable("check name and password", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case id == nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, errWrongPassword)
	}
	own := *id
	own.Method = MethodBasic
	return &own, nil
}

var errWrongPassword = errors.New("name or password is wrong")

func (b basicAuthenticator) Challenge(error) string {
	return `Basic realm="` + b.realm + `", charset="UTF-8"`
}
