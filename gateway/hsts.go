package gateway

import (
	"errors"
	"fmt"
	"time"
)

// HSTS has browsers come to the site over https alone (RFC 6797). Where a browser has
// heard so, it does not come back to http until MaxAge is over.
type HSTS struct {
	// MaxAge is how long browsers keep to it. Zero has them forget it.
	MaxAge time.Duration
	// IncludeSubDomains: all hosts below the site's, too.
	IncludeSubDomains bool
	// Preload agrees to the lists that browsers come with.
	Preload bool
}

// preloadAge is what these lists ask for at least.
const preloadAge = 365 * 24 * time.Hour

// value is that of the header.
func (h HSTS) value() (string, error) {
	switch {
	case h.MaxAge < 0:
		return "", errors.New("max_age is negative")
	case h.Preload && (!h.IncludeSubDomains || h.MaxAge < preloadAge):
		return "", errors.New("preload needs include_subdomains, and a max_age of a year (8760h)")
	}
	value := fmt.Sprintf("max-age=%d", int64(h.MaxAge/time.Second))
	if h.IncludeSubDomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value, nil
}
