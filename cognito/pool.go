package cognito

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// Pool names a user pool and the app client to use it with.
type Pool struct {
	// Region is the AWS region, such as eu-west-1. Defaults to the part of ID
	// before the underscore.
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
	// ClientSecret is empty for a public client.
	ClientSecret Secret
	// Issuer overrides the issuer that follows from Region and ID, for pools of
	// the newer issuer type (https://issuer-cognito-idp.…) and local ones. It
	// never follows from the domain.
	Issuer string
	// JWKSURL overrides Issuer + "/.well-known/jwks.json".
	JWKSURL string
}

// Endpoints are the URLs of a pool.
type Endpoints struct {
	Issuer    string
	JWKS      string
	Authorize string
	Token     string
	UserInfo  string
	Revoke    string
	Logout    string
}

// AWS, API reference of user pools: the patterns of UserPoolId and ClientId.
var (
	poolIDPattern   = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)
	clientIDPattern = regexp.MustCompile(`^[\w+]{1,128}$`)
)

const jwksPath = "/.well-known/jwks.json"

// PoolFromURLs makes a Pool of the three settings of the Python package
// cognito_code_grant. The domain follows from the token endpoint
// (https://<domain>/oauth2/token) and the issuer from the JWKS URL
// (<issuer>/.well-known/jwks.json).
func PoolFromURLs(clientID, codeGrantURL, jwksURL string) (Pool, error) {
	var faults []error
	grant, err := parseEndpoint(codeGrantURL)
	if err != nil {
		faults = append(faults, fmt.Errorf("code grant URL: %w", err))
	} else if path := strings.TrimSuffix(grant.Path, "/"); path != "/oauth2/token" {
		faults = append(faults, fmt.Errorf("code grant URL %q: its path is not /oauth2/token", codeGrantURL))
	}
	issuer, ok := strings.CutSuffix(jwksURL, jwksPath)
	keys, err := parseEndpoint(jwksURL)
	if err != nil {
		faults = append(faults, fmt.Errorf("JWKS URL: %w", err))
	} else if !ok || keys.RawQuery != "" {
		faults = append(faults, fmt.Errorf("JWKS URL %q: it does not end in %s, so that no issuer follows from it", jwksURL, jwksPath))
	}
	if len(faults) > 0 {
		return Pool{}, errors.Join(faults...)
	}
	p := Pool{Domain: grant.Scheme + "://" + grant.Host, ClientID: clientID, Issuer: issuer, JWKSURL: jwksURL}
	if id := issuer[strings.LastIndexByte(issuer, '/')+1:]; poolIDPattern.MatchString(id) {
		p.ID = id
	}
	if _, err := p.Endpoints(); err != nil {
		return Pool{}, err
	}
	return p, nil
}

// Endpoints checks the pool and returns its URLs. The error names every fault.
func (p Pool) Endpoints() (Endpoints, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if p.ID != "" && (len(p.ID) > 55 || !poolIDPattern.MatchString(p.ID)) {
		fault("pool id %q is not of the form eu-west-1_Ab12Cd34E", p.ID)
	}
	region, _, _ := strings.Cut(p.ID, "_")
	if p.Region != "" && p.Issuer == "" && p.ID != "" && p.Region != region {
		fault("region %q is not that of pool id %q", p.Region, p.ID)
	}
	if !clientIDPattern.MatchString(p.ClientID) {
		fault("client id %q is missing or has characters that no client id has", p.ClientID)
	}

	e := Endpoints{Issuer: p.Issuer}
	switch {
	case p.Issuer != "":
		if u, err := parseEndpoint(p.Issuer); err != nil {
			fault("issuer: %w", err)
		} else if u.RawQuery != "" || strings.HasSuffix(p.Issuer, "/") {
			fault("issuer %q has a query or ends in a slash", p.Issuer)
		}
	case p.ID == "":
		fault("pool id is missing, and there is no issuer in its place")
	default:
		// AWS, developer guide, "Verifying JSON web tokens": the issuer of type ORIGINAL.
		suffix := "amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			suffix += ".cn"
		}
		e.Issuer = "https://cognito-idp." + region + "." + suffix + "/" + p.ID
	}
	e.JWKS = p.JWKSURL
	if e.JWKS == "" {
		e.JWKS = e.Issuer + jwksPath
	} else if _, err := parseEndpoint(e.JWKS); err != nil {
		fault("JWKS URL: %w", err)
	}

	domain := p.Domain
	if domain != "" && !strings.Contains(domain, "://") {
		domain = "https://" + domain
	}
	if u, err := parseEndpoint(domain); err != nil {
		fault("domain: %w", err)
	} else if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		fault("domain %q has more than a host", p.Domain)
	} else {
		base := u.Scheme + "://" + u.Host
		e.Authorize, e.Token = base+"/oauth2/authorize", base+"/oauth2/token"
		e.UserInfo, e.Revoke, e.Logout = base+"/oauth2/userInfo", base+"/oauth2/revoke", base+"/logout"
	}
	if len(faults) > 0 {
		return Endpoints{}, errors.Join(faults...)
	}
	return e, nil
}

// parseEndpoint takes https URLs, and http ones of this machine.
func parseEndpoint(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("it is missing")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not a URL such as https://example.com", raw)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("%q does not begin with https; http is accepted for this machine alone", raw)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
