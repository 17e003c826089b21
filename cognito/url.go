package cognito

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const (
	tokenPath = "/oauth2/token"
	jwksPath  = "/.well-known/jwks.json"
)

// PoolFromURLs makes a Pool of the three settings of the Python package
// cognito_code_grant. The domain follows from the token endpoint
// (https://<domain>/oauth2/token) and the issuer from the JWKS URL
// (<issuer>/.well-known/jwks.json). The error names every fault.
func PoolFromURLs(clientID, codeGrantURL, jwksURL string) (Pool, error) {
	var faults faultList
	p := Pool{ClientID: clientID, JWKSURL: jwksURL}
	if !clientIDPattern.MatchString(clientID) {
		faults.add("client id %q is missing or has characters that no client id has", clientID)
	}

	if u, err := parseURL(codeGrantURL); err != nil {
		faults.add("code grant URL: %w", err)
	} else if strings.TrimSuffix(u.Path, "/") != tokenPath || strings.ContainsAny(codeGrantURL, "?#") {
		faults.add("code grant URL %q is not of the form https://<domain>%s", codeGrantURL, tokenPath)
	} else {
		p.Domain = u.Scheme + "://" + u.Host
	}

	issuer, ok := strings.CutSuffix(jwksURL, jwksPath)
	if _, err := parseURL(jwksURL); err != nil {
		faults.add("JWKS URL: %w", err)
	} else if !ok {
		faults.add("JWKS URL %q does not end in %s, so that no issuer follows from it", jwksURL, jwksPath)
	} else {
		p.Issuer = issuer
		if id := issuer[strings.LastIndexByte(issuer, '/')+1:]; poolIDPattern.MatchString(id) {
			p.ID = id
		}
	}
	if len(faults) > 0 {
		return Pool{}, errors.Join(faults...)
	}
	if _, err := p.Endpoints(); err != nil {
		return Pool{}, err
	}
	return p, nil
}

// parseURL takes https URLs, and http ones of this machine.
func parseURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("it is missing")
	}
	if strings.Contains(raw, "@") {
		return nil, errors.New("it has an @ in it") // and perhaps a password, not to be repeated
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return nil, fmt.Errorf("%q is not a URL such as https://example.com", raw)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("%q does not begin with https; http is accepted only for this machine", raw)
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
