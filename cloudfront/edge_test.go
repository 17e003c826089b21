package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey(tb testing.TB, id string, signer crypto.Signer) cloudfront.Key {
	tb.Helper()
	key, err := cloudfront.NewKey(id, signer)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// edge judges requests as the Developer Guide says that CloudFront does. It shares nothing with the package.
type edge struct {
	keyGroup map[string]crypto.PublicKey
	now      func() time.Time
	viewer   string // address of the client
}

var plainBase64 = strings.NewReplacer("-", "+", "_", "=", "~", "/")

func decode(value string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(plainBase64.Replace(value))
}

// admit returns why a request is refused, nil when it is served.
func (e edge) admit(url string, cookies []*http.Cookie) error {
	got := map[string]string{}
	for _, c := range cookies {
		if _, twice := got[c.Name]; twice && strings.HasPrefix(c.Name, "CloudFront-") {
			return fmt.Errorf("cookie %s came twice", c.Name)
		}
		got[c.Name] = c.Value
	}
	public, ok := e.keyGroup[got["CloudFront-Key-Pair-Id"]]
	if !ok {
		return errors.New("missing or unknown Key-Pair-Id")
	}
	if (got["CloudFront-Policy"] == "") == (got["CloudFront-Expires"] == "") {
		return errors.New("neither or both of a custom and a canned policy")
	}
	text, err := decode(got["CloudFront-Policy"])
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if expires := got["CloudFront-Expires"]; expires != "" {
		text = []byte(`{"Statement":[{"Resource":"` + url + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + expires + `}}}]}`)
	}
	signature, err := decode(got["CloudFront-Signature"])
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if err := verify(public, got["CloudFront-Hash-Algorithm"], text, signature); err != nil {
		return err
	}
	return e.allows(text, url)
}

func verify(public crypto.PublicKey, algorithm string, text, signature []byte) error {
	var digest []byte
	hash := crypto.SHA1
	switch algorithm {
	case "", "SHA1":
		sum := sha1.Sum(text)
		digest = sum[:]
	case "SHA256":
		sum := sha256.Sum256(text)
		digest, hash = sum[:], crypto.SHA256
	default:
		return fmt.Errorf("hash algorithm %q", algorithm)
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, hash, digest, signature)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(public, digest, signature) {
			return errors.New("ecdsa signature does not verify")
		}
		return nil
	}
	return fmt.Errorf("public key %T", public)
}

func (e edge) allows(text []byte, url string) error {
	if strings.ContainsAny(string(text), " \t\r\n") {
		return fmt.Errorf("malformed policy: white space in %s", text)
	}
	var policy struct {
		Statement []struct {
			Resource  *string
			Condition map[string]map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &policy); err != nil {
		return fmt.Errorf("malformed policy: %w", err)
	}
	if len(policy.Statement) != 1 || policy.Statement[0].Resource == nil {
		return fmt.Errorf("malformed policy: %s", text)
	}
	s := policy.Statement[0]
	if !wild(*s.Resource, url) {
		return fmt.Errorf("policy for %s does not cover %s", *s.Resource, url)
	}
	end, err := strconv.ParseInt(string(s.Condition["DateLessThan"]["AWS:EpochTime"]), 10, 64)
	if err != nil || e.now().Unix() >= end {
		return fmt.Errorf("policy ended at %d, %v", end, err)
	}
	if start, ok := s.Condition["DateGreaterThan"]; ok {
		if from, err := strconv.ParseInt(string(start["AWS:EpochTime"]), 10, 64); err != nil || e.now().Unix() <= from {
			return fmt.Errorf("policy starts after %d, %v", from, err)
		}
	}
	if address, ok := s.Condition["IpAddress"]; ok {
		var cidr string
		if err := json.Unmarshal(address["AWS:SourceIp"], &cidr); err != nil {
			return err
		}
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil || !prefix.Contains(netip.MustParseAddr(e.viewer)) {
			return fmt.Errorf("policy for %s, not %s, %v", cidr, e.viewer, err)
		}
	}
	return nil
}

// wild matches a text against a pattern of * and ?.
func wild(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		return wild(pattern[1:], text) || text != "" && wild(pattern, text[1:])
	}
	return text != "" && (pattern[0] == '?' || pattern[0] == text[0]) && wild(pattern[1:], text[1:])
}
