package cognito

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Pool names a user pool and the app client to use it with.
type Pool struct {
	// Region is the AWS region, such as eu-west-1. Defaults to the part of ID
	// before the underscore. Another one, of a pool that is replicated, needs Issuer.
	Region string
	// ID is the user pool id, such as eu-west-1_Ab12Cd34E. Required unless
	// Issuer is set.
	ID string
	// Domain serves the login pages and /oauth2/…: a host such as
	// acme.auth.eu-west-1.amazoncognito.com or a custom domain, or a URL. Plain
	// http is accepted for this machine alone. Required.
	Domain string
	// ClientID is the app client's id. Required.
	ClientID string
	// ClientSecret is empty for a public client, and where Secrets is set.
	ClientSecret Secret
	// SecondSecret is the other of two secrets that the app client has while one
	// takes the place of the other. When the pool refuses one, the other is sent
	// once. Defaults to none.
	SecondSecret Secret
	// Secrets names the secrets instead, where they change while the process runs.
	// Defaults to ClientSecret and SecondSecret.
	Secrets SecretSource
	// ClientSecretARN is the ARN of a secret in AWS Secrets Manager that holds the
	// client secret. The library does not read it by itself: a pool that has one
	// needs Secrets (package secret/awssecret). It is opaque.
	ClientSecretARN string
	// Issuer overrides the issuer that follows from ID, for pools of the newer
	// issuer type (https://issuer-cognito-idp.…), for AWS partitions other than
	// the standard and the Chinese one, and for local pools. It is compared byte
	// for byte with that of tokens, and never follows from the domain.
	Issuer string
	// JWKSURL overrides Issuer + "/.well-known/jwks.json".
	JWKSURL string
}

// Endpoints are the URLs of a pool.
type Endpoints struct {
	Issuer    string // what tokens name as iss
	JWKS      string // the keys that they are signed with
	Authorize string // for browsers
	Token     string
	UserInfo  string
	Revoke    string
	Logout    string // for browsers
	API       string // the user pools API, of [Client.Call]
}

// AWS, API reference of user pools: the patterns of UserPoolId and ClientId.
var (
	poolIDPattern   = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)
	clientIDPattern = regexp.MustCompile(`^[\w+]{1,128}$`)
	regionPattern   = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// Endpoints checks the pool and returns its URLs. The error names every fault.
func (p Pool) Endpoints() (Endpoints, error) {
	var e Endpoints
	var faults faultList

	if !clientIDPattern.MatchString(p.ClientID) {
		faults.add("client id %q is missing or has characters that no client id has", p.ClientID)
	}
	p.checkSecrets(&faults)

	e.Issuer = p.issuer(&faults)
	e.JWKS = p.JWKSURL
	if e.JWKS == "" {
		e.JWKS = e.Issuer + jwksPath
	} else if _, err := parseURL(e.JWKS); err != nil {
		faults.add("JWKS URL: %w", err)
	}

	base := p.domain(&faults)
	e.Authorize, e.Token = base+"/oauth2/authorize", base+tokenPath
	e.API = apiOf(p, e.Issuer)
	e.UserInfo, e.Revoke, e.Logout = base+"/oauth2/userInfo", base+"/oauth2/revoke", base+"/logout"
	if len(faults) > 0 {
		return Endpoints{}, errors.Join(faults...)
	}
	return e, nil
}

func (p Pool) checkSecrets(faults *faultList) {
	for _, s := range []struct {
		name  string
		value Secret
	}{{"client secret", p.ClientSecret}, {"second client secret", p.SecondSecret}} {
		if value := s.value.Reveal(); strings.TrimSpace(value) != value || strings.ContainsFunc(value, unicode.IsControl) {
			faults.add("%s has white space around it, such as the newline at the end of a file", s.name)
		}
	}
	switch {
	case p.SecondSecret != "" && p.ClientSecret == "" && p.Secrets == nil:
		faults.add("second client secret is set and the first is not; with one secret, set the first")
	case p.SecondSecret != "" && p.SecondSecret == p.ClientSecret:
		faults.add("second client secret is the same as the first")
	}
	if p.Secrets != nil && p.ClientSecret+p.SecondSecret != "" {
		faults.add("client secret is set, and a source of secrets (Secrets) too; set one of them")
	}
	if p.ClientSecretARN != "" && p.Secrets == nil {
		faults.add("client secret ARN is set, and nothing reads it; set Secrets with package secret/awssecret")
	}
	if strings.ContainsFunc(p.ClientSecretARN, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		faults.add("client secret ARN has white space in it")
	}
}

// issuer returns the one that was set, or the one of type ORIGINAL (AWS,
// developer guide, "Verifying JSON web tokens").
func (p Pool) issuer(faults *faultList) string {
	region, _, _ := strings.Cut(p.ID, "_")
	if p.ID != "" && (len(p.ID) > 55 || !poolIDPattern.MatchString(p.ID)) {
		faults.add("pool id %q is not of the form eu-west-1_Ab12Cd34E", p.ID)
		region = ""
	}
	if p.Issuer != "" {
		u, err := parseURL(p.Issuer)
		switch {
		case err != nil:
			faults.add("issuer: %w", err)
		case strings.ContainsAny(p.Issuer, "?#") || strings.HasSuffix(p.Issuer, "/"):
			faults.add("issuer %q has a query or ends in a slash", p.Issuer)
		case strings.HasSuffix(u.Hostname(), ".amazoncognito.com"):
			faults.add("issuer %q is on the pool's domain, where no issuer is; leave it out, or take it from a token's iss", p.Issuer)
		}
		return p.Issuer
	}
	switch {
	case p.ID == "":
		faults.add("pool id is missing, and there is no issuer in its place")
	case region == "":
	case !regionPattern.MatchString(region):
		faults.add("pool id %q does not begin with a region such as eu-west-1; for a pool of codegrant pool, set its issuer, or code_grant_url and jwks_url", p.ID)
	case p.Region != "" && p.Region != region:
		// AWS, developer guide: a pool with a replica has the newer type of issuer,
		// in the Region where it was made.
		faults.add("region %q is not that of pool id %q; for the replica of a pool set its issuer too, https://issuer-cognito-idp.%s.amazonaws.com/%s", p.Region, p.ID, region, p.ID)
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		suffix += ".cn"
	}
	return "https://cognito-idp." + region + "." + suffix + "/" + p.ID
}

// domain returns the scheme and host of the endpoints.
func (p Pool) domain(faults *faultList) string {
	raw, bare := p.Domain, !strings.Contains(p.Domain, "://")
	if raw != "" && bare {
		raw = "https://" + raw
	}
	u, err := parseURL(raw)
	switch {
	case err != nil:
		faults.add("domain: %w", err)
		return ""
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(raw, "?#"):
		faults.add("domain %q has more than a host", p.Domain)
	case bare && !strings.Contains(u.Host, ".") && !isLoopback(u.Hostname()):
		faults.add("domain %q is not a host; a prefix alone stands for %s.auth.<region>.amazoncognito.com", p.Domain, p.Domain)
	case strings.HasPrefix(u.Host, "cognito-idp."):
		faults.add("domain %q is the host of the issuer; the domain is the one of the login pages", p.Domain)
	}
	return u.Scheme + "://" + u.Host
}

// faultList collects what is wrong, so that it is all said at once.
type faultList []error

func (f *faultList) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }
