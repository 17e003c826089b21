package cloudfront_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

func stdBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// signers are the combinations that CloudFront takes.
var signers = []struct {
	name   string
	signer func() crypto.Signer
	hash   cloudfront.Hash
	dgst   string // the digest option of openssl
}{
	{"RSA, hash not given", func() crypto.Signer { return rsaKey() }, "", "-sha1"},
	{"RSA, SHA1", func() crypto.Signer { return rsaKey() }, cloudfront.SHA1, "-sha1"},
	{"RSA, SHA256", func() crypto.Signer { return rsaKey() }, cloudfront.SHA256, "-sha256"},
	{"ECDSA, SHA1", func() crypto.Signer { return ecKey() }, cloudfront.SHA1, "-sha1"},
	{"ECDSA, SHA256", func() crypto.Signer { return ecKey() }, cloudfront.SHA256, "-sha256"},
}

func TestS129_EdgeAdmits(t *testing.T) {
	for _, tt := range signers {
		t.Run(tt.name, func(t *testing.T) {
			key := newKey(t, "K2JCJMDEHXQW5F", tt.signer())
			e := edge{keyGroup: map[string]crypto.PublicKey{key.ID(): tt.signer().Public()}, now: func() time.Time { return at }}

			custom, err := key.SignPolicy(cloudfront.Policy{Resource: "https://a.example/private/*", Expires: at.Add(time.Hour)}, tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.admit("https://a.example/private/x.jpg?v=1", live(custom)); err != nil {
				t.Errorf("custom policy: %v", err)
			}
			if err := e.admit("https://a.example/other/x.jpg", live(custom)); err == nil {
				t.Error("custom policy: file outside of it served")
			}

			canned, err := key.SignCanned("https://a.example/x.jpg?size=large&v=1", at.Add(time.Hour), tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.admit("https://a.example/x.jpg?size=large&v=1", live(canned)); err != nil {
				t.Errorf("canned policy: %v", err)
			}
			if err := e.admit("https://a.example/y.jpg", live(canned)); err == nil {
				t.Error("canned policy: other file served")
			}

			forged := custom
			forged.Policy = encode(`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":1999999999}}}]}`)
			if err := e.admit("https://a.example/other/x.jpg", live(forged)); err == nil {
				t.Error("policy that was not signed served")
			}
		})
	}
}

func TestPolicyConditionsAtEdge(t *testing.T) {
	key := newKey(t, "K2JCJMDEHXQW5F", ecKey())
	now := at
	e := edge{keyGroup: map[string]crypto.PublicKey{key.ID(): ecKey().Public()}, now: func() time.Time { return now }, viewer: "192.0.2.10"}
	values, err := key.SignPolicy(cloudfront.Policy{
		Resource: "https://a.example/*", NotBefore: at, Expires: at.Add(time.Hour), SourceIP: netip.MustParsePrefix("192.0.2.0/24"),
	}, cloudfront.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		after  time.Duration
		viewer string
		ok     bool
	}{
		{"at the start", 0, "192.0.2.10", false},
		{"after the start", time.Second, "192.0.2.10", true},
		{"other address", time.Second, "198.51.100.1", false},
		{"just before the end", time.Hour - time.Second, "192.0.2.255", true},
		{"at the end", time.Hour, "192.0.2.10", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, e.viewer = at.Add(tt.after), tt.viewer
			if err := e.admit("https://a.example/x", live(values)); (err == nil) != tt.ok {
				t.Errorf("admit = %v, want served %v", err, tt.ok)
			}
		})
	}
}

// live are the cookies of a set that a browser keeps.
func live(v cloudfront.Values) []*http.Cookie {
	var kept []*http.Cookie
	for _, c := range v.Cookies(cloudfront.Attributes{}) {
		if c.MaxAge >= 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

// The openssl program checks what the edge above, written by the same people as the package, might get wrong.
func TestS129_OpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CODEGRANT_TEST_REQUIRE") != "" {
			t.Fatal("openssl is required and not installed")
		}
		t.Log("openssl is not installed: nothing was verified with it")
		return
	}
	for _, tt := range signers {
		t.Run(tt.name, func(t *testing.T) {
			key := newKey(t, "K2JCJMDEHXQW5F", tt.signer())
			values, err := key.SignPolicy(cloudfront.Policy{Resource: "https://a.example/private/*", Expires: at}, tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			public := filepath.Join(dir, "public.pem")
			der := must(x509.MarshalPKIXPublicKey(tt.signer().Public()))
			write(t, public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			policy, signature := filepath.Join(dir, "policy"), filepath.Join(dir, "signature")
			write(t, policy, openBase64(t, openssl, values.Policy))
			write(t, signature, openBase64(t, openssl, values.Signature))
			verify := func() (string, error) {
				out, err := exec.Command(openssl, "dgst", tt.dgst, "-verify", public, "-signature", signature, policy).CombinedOutput()
				return string(out), err
			}
			if out, err := verify(); err != nil || !strings.Contains(out, "Verified OK") {
				t.Errorf("openssl dgst %s = %s, %v", tt.dgst, out, err)
			}
			write(t, policy, []byte(`{"Statement":[]}`))
			if out, err := verify(); err == nil {
				t.Errorf("openssl dgst %s of another policy = %s", tt.dgst, out)
			}
		})
	}
}

// openBase64 decodes a cookie value as a shell would: tr '_~-' '=/+' | openssl base64 -d.
func openBase64(t *testing.T, openssl, value string) []byte {
	t.Helper()
	cmd := exec.Command(openssl, "base64", "-d", "-A")
	cmd.Stdin = strings.NewReader(plainBase64.Replace(value))
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("openssl base64 -d of %q: %v", value, err)
	}
	return out
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestParseKey(t *testing.T) {
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))
	pkcs8 := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsaKey())))
	sec1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey())))
	pkcs8EC := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ecKey())))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	x25519 := must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))))
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte{1}})

	tests := []struct {
		name, id string
		text     []byte
		says     string // of the error; empty: accepted
	}{
		{"PKCS#1", "K1", pkcs1, ""},
		{"PKCS#8 RSA", "K1", pkcs8, ""},
		{"SEC 1", "K1", sec1, ""},
		{"PKCS#8 ECDSA", "K1", pkcs8EC, ""},
		{"SEC 1 behind its parameters", "K1", append(block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), sec1...), ""},
		{"text before the block", "K1", append([]byte("# key of staging\n"), pkcs1...), ""},
		{"line breaks as an environment file writes them", "K1", bytes.ReplaceAll(pkcs1, []byte("\n"), []byte(`\n`)), ""},
		{"no id", "", pkcs1, "id is missing"},
		{"id with a line break", "K1\r\nSet-Cookie", pkcs1, "letters and digits"},
		{"long id", strings.Repeat("K", 129), pkcs1, "letters and digits"},
		{"no PEM", "K1", []byte("MIIE"), "no PEM private key"},
		{"empty", "K1", nil, "no PEM private key"},
		{"parameters alone", "K1", block("EC PARAMETERS", []byte{6}), "no PEM private key"},
		{"damaged", "K1", block("RSA PRIVATE KEY", []byte{1, 2}), "signing key refused"},
		{"damaged PKCS#8", "K1", block("PRIVATE KEY", []byte{1, 2}), "signing key refused"},
		{"encrypted PKCS#8", "K1", block("ENCRYPTED PRIVATE KEY", []byte{1}), "openssl pkey"},
		{"encrypted PKCS#1", "K1", encrypted, "openssl pkey"},
		{"public half", "K1", block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(rsaKey().Public()))), "public half"},
		{"certificate", "K1", block("CERTIFICATE", []byte{1}), "not a private key"},
		{"RSA 1024", "K1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), "1024 bits"},
		{"P-384", "K1", block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p384))), "P-384"},
		{"Ed25519", "K1", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed))), "ed25519"},
		{"X25519", "K1", block("PRIVATE KEY", x25519), "cannot sign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := cloudfront.ParseKey(tt.id, tt.text)
			if tt.says == "" {
				if err != nil || key.ID() != tt.id {
					t.Fatalf("ParseKey = %v, %v", key, err)
				}
				if _, err := key.SignCanned("https://a.example/x", at, ""); err != nil {
					t.Errorf("SignCanned with the key: %v", err)
				}
				return
			}
			if !errors.Is(err, cloudfront.ErrKey) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ParseKey = %v, want ErrKey that says %q", err, tt.says)
			}
		})
	}

	file := filepath.Join(t.TempDir(), "key.pem")
	write(t, file, pkcs8)
	if key, err := cloudfront.LoadKey("K1", file); err != nil || key.ID() != "K1" {
		t.Errorf("LoadKey = %v, %v", key, err)
	}
	if _, err := cloudfront.LoadKey("K1", file+".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadKey of a missing file = %v, want fs.ErrNotExist", err)
	}
	if _, err := cloudfront.NewKey("K1", nil); !errors.Is(err, cloudfront.ErrKey) {
		t.Errorf("NewKey without a signer = %v, want ErrKey", err)
	}
}

func FuzzParseKey(f *testing.F) {
	seeds := [][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ecKey()))}),
		[]byte(`-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n`),
	}
	for _, s := range seeds {
		f.Add("K1", s)
	}
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		key, err := cloudfront.ParseKey(id, text)
		if err != nil {
			if key != (cloudfront.Key{}) || !errors.Is(err, cloudfront.ErrKey) {
				t.Fatalf("ParseKey = %v, %v", key, err)
			}
			return
		}
		if _, err := key.SignCanned("https://a.example/x", at, ""); err != nil {
			t.Fatalf("accepted key does not sign: %v", err)
		}
	})
}

// wrongSigner answers with what another algorithm would.
type wrongSigner struct {
	*rsa.PrivateKey
	err error
}

func (s wrongSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return rsa.SignPSS(r, s.PrivateKey, opts.HashFunc(), digest, nil)
}

func TestForeignSigner(t *testing.T) {
	broken := errors.New("key service is down")
	if _, err := newKey(t, "K1", wrongSigner{rsaKey(), broken}).SignCanned("https://a.example/x", at, ""); !errors.Is(err, broken) {
		t.Errorf("SignCanned = %v, want the error of the signer", err)
	}
	if _, err := newKey(t, "K1", wrongSigner{rsaKey(), nil}).SignCanned("https://a.example/x", at, cloudfront.SHA256); !errors.Is(err, cloudfront.ErrKey) {
		t.Errorf("SignCanned with PSS signatures = %v, want ErrKey", err)
	}
	if _, err := newKey(t, "K1", rsaKey()).SignCanned("https://a.example/x", at, "SHA512"); err == nil {
		t.Error("SignCanned with SHA512 succeeded")
	}
	if _, err := (cloudfront.Key{}).SignCanned("https://a.example/x", at, ""); !errors.Is(err, cloudfront.ErrKey) {
		t.Errorf("SignCanned with the zero Key = %v, want ErrKey", err)
	}
}

func TestKeyRedacts(t *testing.T) {
	key := newKey(t, "K2JCJMDEHXQW5F", rsaKey())
	secret := rsaKey().D.String()
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "key", key, "config", struct{ Keys []cloudfront.Key }{[]cloudfront.Key{key}})
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "key", key)
	texts := []string{logged.String(), string(must(json.Marshal(key))), key.String(), key.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%d", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, key), fmt.Sprintf(verb, []any{&key, struct{ K cloudfront.Key }{key}}))
	}
	for _, text := range texts {
		if strings.Contains(text, secret[:20]) || strings.Contains(text, "rsa.PrivateKey") || !strings.Contains(text, "K2JCJMDEHXQW5F") {
			t.Errorf("key prints as %q", text)
		}
	}
}

func TestS128_SetIsWhole(t *testing.T) {
	key := newKey(t, "K1", ecKey())
	custom := must(key.SignPolicy(cloudfront.Policy{Resource: "https://a.example/*", Expires: at}, cloudfront.SHA256))
	canned := must(key.SignCanned("https://a.example/x", at, ""))
	tests := []struct {
		name   string
		values cloudfront.Values
		live   string
	}{
		{"custom, SHA256", custom, "CloudFront-Policy CloudFront-Signature CloudFront-Key-Pair-Id CloudFront-Hash-Algorithm"},
		{"canned, SHA1", canned, "CloudFront-Expires CloudFront-Signature CloudFront-Key-Pair-Id"},
		{"removal", cloudfront.Values{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cookies := tt.values.Cookies(cloudfront.Attributes{Domain: "a.example", Path: "/x/"})
			if len(cookies) != 5 {
				t.Fatalf("%d cookies, want all 5", len(cookies))
			}
			var kept []string
			for _, c := range cookies {
				if c.MaxAge == 0 {
					kept = append(kept, c.Name)
				}
				if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "a.example" || c.Path != "/x/" || !c.Expires.IsZero() {
					t.Errorf("attributes of %s", c)
				}
			}
			if got := strings.Join(kept, " "); got != tt.live {
				t.Errorf("kept %q, want %q", got, tt.live)
			}
		})
	}
}
