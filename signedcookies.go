package codegrant

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/codegrant/codegrant/cloudfront"
)

// newSignedCookies completes the configuration of CloudFront's cookies with what
// follows from the rest.
func (s *site) newSignedCookies() (*cloudfront.Cookies, error) {
	config := *s.CloudFront
	if config.SignedIn != nil {
		return nil, errors.New("SignedIn is filled in; leave it empty, or use package cloudfront by itself")
	}
	config.SignedIn = signedInForCookies
	if config.Now == nil {
		config.Now = s.Now
	}
	if config.OnError == nil {
		config.OnError = func(r *http.Request, err error) {
			s.audit(r.Context(), slog.LevelWarn, "no cookies for CloudFront", slog.String("reason", err.Error()))
		}
	}
	if config.Domain == "" && len(config.Domains) == 0 && !config.HostOnly {
		config.Domain = s.InsecureCookieDomain
		if config.Domain == "" {
			base, err := url.Parse(s.BaseURL)
			if err != nil {
				return nil, err
			}
			if config.Domain, err = publicsuffix.EffectiveTLDPlusOne(base.Hostname()); err != nil {
				return nil, fmt.Errorf("no cookie domain follows from BaseURL: %w; set Domain", err)
			}
		}
	}
	return cloudfront.New(config)
}

// signedInForCookies answers for people whom a browser's cookies proved; a program
// with a bearer token has no use for more of them.
func signedInForCookies(r *http.Request) (string, time.Time, bool) {
	req := fromContext(r.Context())
	if req == nil || req.sessionEnd.IsZero() {
		return "", time.Time{}, false
	}
	return req.identity.Subject, req.sessionEnd, true
}

// withSignedCookies lets responses behind an identity carry CloudFront's cookies.
func (f *files) withSignedCookies(next http.Handler) http.Handler {
	if f.signedCookies == nil {
		return next
	}
	return f.signedCookies.Middleware(next)
}

// grantSignedCookies gives the first cookies with the answer that ends a sign-in,
// so that the page it leads to finds its files.
func (f *files) grantSignedCookies(w http.ResponseWriter, r *http.Request, subject string) {
	if f.signedCookies == nil {
		return
	}
	if err := f.signedCookies.Grant(w, r, subject, f.Now().Add(f.AbsoluteTimeout)); err != nil {
		f.audit(r.Context(), slog.LevelWarn, "no cookies for CloudFront", slog.String("reason", err.Error()))
	}
}
