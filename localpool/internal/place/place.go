package place

import (
	"context"
	"net/http"
	"regexp"
	"strings"
)

// Place is where a server is reached. The zero value is nowhere.
type Place struct {
	// Base is the server's own URL, without a trailing slash.
	Base string
	// AWS has pools named by Amazon's hosts, as their regions are part of their ids.
	AWS bool
	// Prefix returns the prefix domain that a pool was given, if it was.
	Prefix func(poolID string) string
}

var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// Region returns the region in a pool's id; empty: it has none of Amazon's form.
func Region(poolID string) string {
	r, _, _ := strings.Cut(poolID, "_")
	if !region.MatchString(r) {
		return ""
	}
	return r
}

// Issuer returns the issuer of a pool.
func (p Place) Issuer(poolID string) string {
	if r := Region(poolID); p.AWS && r != "" {
		return "https://cognito-idp." + r + ".amazonaws.com/" + poolID
	}
	return p.Base + "/" + poolID
}

// Domain returns the URL of a pool's domain.
func (p Place) Domain(poolID string) string {
	if r := Region(poolID); p.AWS && r != "" {
		return "https://" + p.PrefixOf(poolID) + ".auth." + r + ".amazoncognito.com"
	}
	return p.Base
}

// PrefixOf returns the prefix of a pool's domain: that it was given, or, as Amazon's
// console proposes, one made of its id.
func (p Place) PrefixOf(poolID string) string {
	if p.Prefix != nil {
		if given := p.Prefix(poolID); given != "" {
			return given
		}
	}
	return strings.ToLower(strings.Replace(poolID, "_", "", 1))
}

type reached struct{}

// By returns a request that reached the server by a base URL other than its own.
func By(r *http.Request, base string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), reached{}, base))
}

// Here returns the base URL that a request reached the server by.
func (p Place) Here(r *http.Request) string {
	if base, ok := r.Context().Value(reached{}).(string); ok {
		return base
	}
	return p.Base
}
