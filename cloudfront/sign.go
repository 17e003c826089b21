package cloudfront

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Values are the cookie values of one signed set. An empty field means that the set does without that cookie.
type Values struct {
	Policy    string // CloudFront-Policy: only with a custom policy
	Expires   string // CloudFront-Expires, Unix seconds: only with a canned policy
	Signature string // CloudFront-Signature
	KeyPairID string // CloudFront-Key-Pair-Id: the id of the public key
	Hash      string // CloudFront-Hash-Algorithm: empty with [SHA1]
}

// SignPolicy signs a custom policy, which travels in a cookie of its own.
// The error wraps [ErrPolicy], [ErrKey], or what the signer returned.
func (k Key) SignPolicy(p Policy, h Hash) (Values, error) {
	text, err := p.text()
	if err != nil {
		return Values{}, err
	}
	signature, err := k.sign(h, text)
	if err != nil {
		return Values{}, err
	}
	return Values{
		Policy:    encoding.EncodeToString(text),
		Signature: encoding.EncodeToString(signature),
		KeyPairID: k.id,
		Hash:      h.cookie(),
	}, nil
}

// SignCanned signs a canned policy: access to the one file at url until expires. CloudFront puts the policy
// together again from the URL of the request, query included, so the cookies fit that URL alone and * is
// refused. Errors are those of [Key.SignPolicy].
func (k Key) SignCanned(url string, expires time.Time, h Hash) (Values, error) {
	if strings.Contains(url, "*") {
		return Values{}, fmt.Errorf("build policy for %q: %w: a canned policy has no wildcards; use SignPolicy", url, ErrPolicy)
	}
	text, err := Policy{Resource: url, Expires: expires}.text()
	if err != nil {
		return Values{}, err
	}
	signature, err := k.sign(h, text)
	if err != nil {
		return Values{}, err
	}
	return Values{
		Expires:   strconv.FormatInt(expires.Unix(), 10),
		Signature: encoding.EncodeToString(signature),
		KeyPairID: k.id,
		Hash:      h.cookie(),
	}, nil
}
