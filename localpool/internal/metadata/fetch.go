package metadata

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of a fetch.
const (
	fetchTime   = 5 * time.Second
	maxDocument = 64 << 10
	maxHeader   = 16 << 10
	fetches     = 4 // at once
	maxURL      = 256
)

// fetcher fetches documents: from this machine where their URL names it, and from public
// addresses otherwise.
type fetcher struct {
	public, local *http.Client
	slots         chan struct{}
}

func newFetcher() *fetcher {
	client := func(allowed func(netip.Addr) bool, config *tls.Config) *http.Client {
		dialer := &net.Dialer{Timeout: fetchTime, Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address) // names have been looked up
			if err != nil || !allowed(at.Addr()) {
				return fmt.Errorf("%s is not an address that documents are fetched from", address)
			}
			return nil
		}}
		return &http.Client{
			Timeout:       fetchTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // without a proxy, which would dial for us
				DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: fetchTime,
				MaxResponseHeaderBytes: maxHeader, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			},
		}
	}
	// Certificates of this machine for itself are self-signed as a rule, and nobody is
	// between it and itself.
	onThisMachine := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	return &fetcher{
		public: client(isPublic, nil), local: client(netip.Addr.IsLoopback, onThisMachine), slots: make(chan struct{}, fetches),
	}
}

func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && addr.Zone() == "" &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// special are networks that are nobody's on the internet, or lead to others of them
// (RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// checkURL holds a URL to the form of a document's: https, a path, and read in one way by
// everybody.
func checkURL(id string) (*url.URL, error) {
	u, err := url.Parse(id)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "":
		return nil, errors.New("the client_id is not an https URL")
	case len(id) > maxURL || strings.ContainsAny(id, "#\\\"<> ") || u.Host != strings.ToLower(u.Host):
		return nil, errors.New("the client_id is not a URL of a document: no fragment, a host in small letters, 256 characters at most")
	case len(u.Path) < 2 || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../"):
		return nil, errors.New("the client_id is not a URL of a document: it needs a path, without dots for its segments")
	}
	return u, nil
}

// isLoopback reports whether a host names this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// fetch returns a document, and for how long its headers let it be kept; zero: they do not
// say.
func (f *fetcher) fetch(ctx context.Context, id string) (body []byte, age time.Duration, err error) {
	u, err := checkURL(id)
	if err != nil {
		return nil, 0, err
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("fetch the document: %w", ctx.Err())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Accept", "application/json")
	client := f.public
	if isLoopback(u.Hostname()) {
		client = f.local
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch the document: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("fetch the document: it is status %d, not 200", answer.StatusCode)
	case err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return nil, 0, errors.New("fetch the document: its Content-Type is not application/json")
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return nil, 0, fmt.Errorf("fetch the document: %w", err)
	}
	if len(body) > maxDocument {
		return nil, 0, fmt.Errorf("fetch the document: it is longer than %d bytes", maxDocument)
	}
	return body, maxAge(answer.Header), nil
}

func maxAge(h http.Header) time.Duration {
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
