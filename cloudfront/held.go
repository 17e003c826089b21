package cloudfront

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// markerCookie tells which cookies a browser was given where their path hides them from the application. It
// protects nothing: somebody who forges their own only keeps cookies from themselves.
const markerCookie = "codegrant-cloudfront"

// clockSkew is how much further ahead the clock of another instance may be that signed what a browser holds.
const clockSkew = int64(time.Minute / time.Second)

// span says which ends of access suit one request, in Unix seconds.
type span struct {
	now   int64
	want  int64 // the end that a fresh signature would get
	limit int64 // the last end that is acceptable
}

func newSpan(now time.Time, lifetime time.Duration, session time.Time) span {
	sp := span{now: now.Unix(), want: now.Add(lifetime).Unix()}
	sp.limit = sp.want + clockSkew
	if end := session.Unix(); end < sp.limit {
		sp.limit = end
	}
	sp.want = min(sp.want, sp.limit)
	return sp
}

// fits accepts an end within the limit and with at least half of the time left that a fresh one would have.
func (sp span) fits(expires int64) bool {
	return expires > sp.now && expires <= sp.limit && expires-sp.now >= (sp.want-sp.now+1)/2
}

// presented are the cookies of this package that a request carries.
type presented struct {
	values Values
	marker string
	twice  bool // a name came more than once, and CloudFront may take either value
}

func readCookies(r *http.Request) presented {
	var p presented
	for _, c := range r.Cookies() {
		var field *string
		switch c.Name {
		case policyCookie:
			field = &p.values.Policy
		case expiresCookie:
			field = &p.values.Expires
		case signatureCookie:
			field = &p.values.Signature
		case keyPairCookie:
			field = &p.values.KeyPairID
		case hashCookie:
			field = &p.values.Hash
		case markerCookie:
			field = &p.marker
		default:
			continue
		}
		p.twice = p.twice || *field != ""
		*field = c.Value
	}
	return p
}

// ours says whether the request shows cookies that this configuration issued. Sets of other keys belong to
// other applications of the domain and stay.
func (c *Cookies) ours(p presented) bool {
	_, known := c.key(p.values.KeyPairID)
	return known || p.marker != ""
}

func (c *Cookies) key(id string) (Key, bool) {
	for _, k := range c.keys {
		if k.id == id {
			return k, true
		}
	}
	return Key{}, false
}

// holds says whether a browser that shows its cookies has a live set for the target.
func (c *Cookies) holds(p presented, t target, sp span) bool {
	if p.twice || p.values.Policy == "" || p.values.Expires != "" || p.values.Hash != c.hash.cookie() {
		return false
	}
	entry := c.signed.of(t)
	if sig, ok := entry.find(p.values); ok {
		return sp.fits(sig.expires)
	}
	// Another instance may have signed it. Cookies that cannot work must not count as held, so verify.
	policy, err := ParsePolicy(p.values.Policy)
	if err != nil || policy.Resource != t.resource || policy.SourceIP != t.address || !policy.NotBefore.IsZero() {
		return false
	}
	key, ok := c.key(p.values.KeyPairID)
	if !ok || !sp.fits(policy.Expires.Unix()) {
		return false
	}
	text, err := policy.text()
	if err != nil {
		return false
	}
	raw, err := encoding.DecodeString(p.values.Signature)
	if err != nil || !key.verify(c.hash, text, raw) {
		return false
	}
	entry.adopt(signature{values: p.values, expires: policy.Expires.Unix()}, sp.now)
	return true
}

// marks says whether the marker speaks of live sets for these grants and this subject.
func (c *Cookies) marks(p presented, grants []grant, subject string, sp span) bool {
	first, rest, _ := strings.Cut(p.marker, ".")
	last, _, _ := strings.Cut(rest, ".")
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return false
	}
	to, err := strconv.ParseInt(last, 10, 64)
	if err != nil || p.twice || from > to || to > sp.limit || !sp.fits(from) {
		return false
	}
	for _, k := range c.keys {
		if p.marker == c.mark(k.id, grants, subject, from, to) {
			return true
		}
	}
	return false
}

// mark returns the marker for sets that were issued with a key: the first and the last end among them, and a
// digest of everything that asks for new sets when it changes.
func (c *Cookies) mark(keyID string, grants []grant, subject string, first, last int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", keyID, c.hash.cookie(), subject, c.sameSite)
	for _, g := range grants {
		fmt.Fprintf(h, " %q %q %s", g.target.resource, g.path, g.target.address)
	}
	return fmt.Sprintf("%d.%d.%s", first, last, base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]))
}
