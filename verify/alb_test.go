package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testALB   = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/front/0123456789abcdef"
	testALBID = "b1a2c3d4-0000-4000-8000-00000000abcd"
)

var testALBKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func albHeader() object {
	return object{
		"typ": "JWT", "kid": testALBID, "alg": "ES256", "iss": testIssuer, "client": testClient, "signer": testALB, "exp": testNow.Unix() + 120,
	}
}

// albClaims are userInfo's, as Cognito answers it.
func albClaims() object {
	return object{
		"sub": "a1b2c3d4-0001", "username": "google_1", "email": "alice@example.com", "email_verified": "true",
		"phone_number": "+3212345678", "phone_number_verified": "false", "given_name": "Alice", "custom:team": "blue",
		"identities": `[{"userId":"1","providerName":"Google","providerType":"Google","issuer":null,"primary":true,"dateCreated":1642699117273}]`,
		"exp":        testNow.Unix() + 120, "iss": testIssuer,
	}
}

func signALBWith(tb testing.TB, encoding *base64.Encoding, key *ecdsa.PrivateKey, header, payload string) string {
	tb.Helper()
	signed := encoding.EncodeToString([]byte(header)) + "." + encoding.EncodeToString([]byte(payload))
	sum := hash(signed)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return signed + "." + encoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// signALB signs as AWS does, with padding.
func signALB(tb testing.TB, header, claims object) string {
	tb.Helper()
	return signALBWith(tb, base64.URLEncoding, testALBKey(), string(marshal(tb, header)), string(marshal(tb, claims)))
}

// testVerifierALB returns a verifier and the host that serves one key under every
// URL.
func testVerifierALB(tb testing.TB, change func(*ALBConfig)) (*ALB, *keyHost) {
	tb.Helper()
	h := &keyHost{answer: answer{body: publicPEM(tb, &testALBKey().PublicKey)}}
	config := ALBConfig{
		Signers: []string{testALB}, Issuer: testIssuer, ClientID: testClient,
		HTTPClient: &http.Client{Transport: h}, Now: func() time.Time { return testNow },
	}
	if change != nil {
		change(&config)
	}
	a, err := NewALB(config)
	if err != nil {
		tb.Fatal(err)
	}
	return a, h
}

func TestALBClaims(t *testing.T) {
	a, h := testVerifierALB(t, nil)
	for range 3 {
		got, err := a.Verify(t.Context(), signALB(t, albHeader(), albClaims()))
		if err != nil {
			t.Fatal(err)
		}
		want := &ALBClaims{
			Issuer: testIssuer, Subject: "a1b2c3d4-0001", ClientID: testClient, Username: "google_1", Signer: testALB,
			Profile: Profile{
				Email: "alice@example.com", EmailVerified: true, PhoneNumber: "+3212345678", GivenName: "Alice",
				Identities: []Identity{{UserID: "1", ProviderName: "Google", ProviderType: "Google", Primary: true, Created: time.UnixMilli(1642699117273)}},
				Custom:     map[string]json.RawMessage{"custom:team": json.RawMessage(`"blue"`)},
			},
			ExpiresAt: testNow.Add(2 * time.Minute), document: got.document,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Verify() =\n%#v, want\n%#v", got, want)
		}
		if raw, ok := got.Raw("given_name"); !ok || string(raw) != `"Alice"` || got.Text("custom:team") != "blue" {
			t.Errorf("Raw(given_name) = %s, %t", raw, ok)
		}
	}
	if h.calls != 1 || h.last.URL.String() != "https://public-keys.auth.elb.eu-west-1.amazonaws.com/"+testALBID {
		t.Errorf("%d fetches, the last of %s", h.calls, h.last.URL)
	}
	var out strings.Builder
	c, err := a.Verify(t.Context(), signALB(t, albHeader(), albClaims()))
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("signed in", "claims", c)
	fmt.Fprintf(&out, "%v", c)
	if got := out.String(); strings.Contains(got, "alice@example.com") || strings.Count(got, c.Subject) != 2 {
		t.Errorf("logged %s", got)
	}
}

func TestS015_Rules(t *testing.T) {
	at := func(seconds int64) int64 { return testNow.Unix() + seconds }
	head := func(changes object) object { return with(albHeader(), changes) }
	tests := []struct {
		name   string
		header object
		claims object
		want   error
	}{
		{"as AWS makes it", albHeader(), albClaims(), nil},
		{"exp a string, as AWS documents it", head(object{"exp": fmt.Sprint(at(120))}), albClaims(), nil},
		{"no typ", head(object{"typ": gone{}}), albClaims(), nil},
		{"neither iss nor exp in the payload", albHeader(), with(albClaims(), object{"iss": gone{}, "exp": gone{}}), nil},
		{"an attacker's own load balancer", head(object{"signer": strings.Replace(testALB, "111122223333", "999999999999", 1)}), albClaims(), ErrSigner},
		{"another load balancer of the account", head(object{"signer": testALB + "0"}), albClaims(), ErrSigner},
		{"no signer", head(object{"signer": gone{}}), albClaims(), ErrSigner},
		{"an empty signer", head(object{"signer": ""}), albClaims(), ErrSigner},
		{"signer in the payload alone", head(object{"signer": gone{}}), with(albClaims(), object{"signer": testALB}), ErrSigner},
		{"a list of signers", head(object{"signer": []string{testALB}}), albClaims(), ErrHeader},
		{"signer in capitals", head(object{"signer": gone{}, "SIGNER": testALB}), albClaims(), ErrHeader},
		{"another client", head(object{"client": "another"}), albClaims(), ErrAudience},
		{"no client", head(object{"client": gone{}}), albClaims(), ErrAudience},
		{"client a number", head(object{"client": 1}), albClaims(), ErrHeader},
		{"another issuer", head(object{"iss": testIssuer + "x"}), albClaims(), ErrIssuer},
		{"no issuer", head(object{"iss": gone{}}), albClaims(), ErrIssuer},
		{"another issuer in the payload", albHeader(), with(albClaims(), object{"iss": testIssuer + "x"}), ErrIssuer},
		{"expired", head(object{"exp": at(-30)}), albClaims(), ErrExpired},
		{"within the leeway", head(object{"exp": at(-29)}), albClaims(), nil},
		{"expired in the payload", albHeader(), with(albClaims(), object{"exp": at(-30)}), ErrExpired},
		{"no exp", head(object{"exp": gone{}}), albClaims(), ErrExpired},
		{"exp in the payload alone", head(object{"exp": gone{}}), albClaims(), ErrExpired},
		{"exp empty", head(object{"exp": ""}), albClaims(), ErrHeader},
		{"exp a word", head(object{"exp": "never"}), albClaims(), ErrHeader},
		{"exp in milliseconds", head(object{"exp": at(120) * 1000}), albClaims(), ErrHeader},
		{"exp a string in the payload", albHeader(), with(albClaims(), object{"exp": fmt.Sprint(at(120))}), ErrClaim},
		{"no subject", albHeader(), with(albClaims(), object{"sub": gone{}}), ErrSubject},
		{"an empty subject", albHeader(), with(albClaims(), object{"sub": ""}), ErrSubject},
		{"a subject in capitals too", albHeader(), with(albClaims(), object{"SUB": "x"}), ErrMalformed},
		{"e-mail a list", albHeader(), with(albClaims(), object{"email": []string{"a"}}), ErrClaim},
		{"alg RS256", head(object{"alg": "RS256"}), albClaims(), ErrAlgorithm},
		{"alg none", head(object{"alg": "none"}), albClaims(), ErrAlgorithm},
		{"alg es256", head(object{"alg": "es256"}), albClaims(), ErrAlgorithm},
		{"crit", head(object{"crit": []string{"exp"}}), albClaims(), ErrHeader},
		{"too large", albHeader(), with(albClaims(), object{"x": strings.Repeat("x", maxToken)}), ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, h := testVerifierALB(t, nil)
			c, err := a.Verify(t.Context(), signALB(t, tt.header, tt.claims))
			if !errors.Is(err, tt.want) || (c == nil) != (tt.want != nil) {
				t.Errorf("Verify() = %v, %v, want %v", c, err, tt.want)
			}
			if tt.want != nil && (!errors.Is(err, ErrInvalid) || h.calls != 0) {
				t.Errorf("Verify() = %v after %d fetches, want a refusal without", err, h.calls)
			}
		})
	}
}

// TestS015_KeyID: the id is the only part of a URL that a token has a say in.
func TestS015_KeyID(t *testing.T) {
	for _, kid := range []string{
		"", "x", "../../evil", testALBID + "/../x", "/" + testALBID, testALBID + "?x", testALBID + "#", testALBID + "\n", " " + testALBID,
		strings.ReplaceAll(testALBID, "-", ""), "%2e%2e%2f" + testALBID, "g1a2c3d4-0000-4000-8000-00000000abcd", "https://evil.example/" + testALBID,
	} {
		a, h := testVerifierALB(t, nil)
		if _, err := a.Verify(t.Context(), signALB(t, with(albHeader(), object{"kid": kid}), albClaims())); !errors.Is(err, ErrHeader) {
			t.Errorf("kid %q: Verify() = %v, want %v", kid, err, ErrHeader)
		}
		if h.calls != 0 {
			t.Errorf("kid %q: %s was fetched", kid, h.last.URL)
		}
	}
}

func TestS015_Signatures(t *testing.T) {
	a, h := testVerifierALB(t, nil)
	good := signALB(t, albHeader(), albClaims())
	cut := strings.LastIndexByte(good, '.') + 1
	signature, err := base64.URLEncoding.DecodeString(good[cut:])
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	resign := func(b []byte) string { return good[:cut] + base64.URLEncoding.EncodeToString(b) }
	n := elliptic.P256().Params().N
	r := new(big.Int).SetBytes(signature[:32])
	plusN := new(big.Int).Add(r, n)
	bad := map[string]string{
		"zeros":         resign(make([]byte, 64)),
		"r zero":        resign(append(make([]byte, 32), signature[32:]...)),
		"s zero":        resign(append(append([]byte{}, signature[:32]...), make([]byte, 32)...)),
		"r is n":        resign(append(n.Bytes(), signature[32:]...)),
		"shorter":       resign(signature[:63]),
		"longer":        resign(append(append([]byte{}, signature...), 0)),
		"r and s anew":  resign(append(append([]byte{}, signature[32:]...), signature[:32]...)),
		"another key's": signALBWith(t, base64.URLEncoding, other, string(marshal(t, albHeader())), string(marshal(t, albClaims()))),
	}
	if plusN.BitLen() <= 256 {
		bad["r plus n"] = resign(append(plusN.Bytes(), signature[32:]...))
	}
	for name, raw := range bad {
		if c, err := a.Verify(t.Context(), raw); c != nil || !errors.Is(err, ErrSignature) {
			t.Errorf("%s: Verify() = %v, %v, want %v", name, c, err, ErrSignature)
		}
	}
	if _, err := a.Verify(t.Context(), good); err != nil || h.calls != 1 {
		t.Errorf("the good one: Verify() = %v, %d fetches", err, h.calls)
	}
}

// TestS015_Padding: AWS pads the parts; what is signed is what was sent.
func TestS015_Padding(t *testing.T) {
	a, _ := testVerifierALB(t, nil)
	for _, pad := range []string{"", "x", "xx"} {
		header, payload := string(marshal(t, with(albHeader(), object{"x": pad}))), string(marshal(t, with(albClaims(), object{"x": pad})))
		padded := signALBWith(t, base64.URLEncoding, testALBKey(), header, payload)
		plain := signALBWith(t, base64.RawURLEncoding, testALBKey(), header, payload)
		for name, raw := range map[string]string{"padded": padded, "plain": plain} {
			if _, err := a.Verify(t.Context(), raw); err != nil {
				t.Errorf("%s: Verify() = %v", name, err)
			}
		}
		if stripped := strings.ReplaceAll(padded, "=", ""); strings.Contains(padded[:strings.LastIndexByte(padded, '.')], "=") {
			if _, err := a.Verify(t.Context(), stripped); !errors.Is(err, ErrSignature) {
				t.Errorf("padding taken away: Verify() = %v, want %v", err, ErrSignature)
			}
		}
		for name, raw := range map[string]string{
			"more padding": padded + "=", "less padding": strings.TrimSuffix(padded, "="), "padding inside": strings.Replace(padded, ".", "=.", 1),
			"nothing but padding": "====" + padded[strings.IndexByte(padded, '.'):], "a line break": padded + "\n",
		} {
			if _, err := a.Verify(t.Context(), raw); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: Verify() = %v, want %v", name, err, ErrMalformed)
			}
		}
	}
}

// TestS015_KeyPlaces: where keys are is decided by the configured ARNs.
func TestS015_KeyPlaces(t *testing.T) {
	for arn, want := range map[string]string{
		testALB: "https://public-keys.auth.elb.eu-west-1.amazonaws.com",
		"arn:aws:elasticloadbalancing:ap-southeast-2:111122223333:loadbalancer/app/a-b/0a":        "https://public-keys.auth.elb.ap-southeast-2.amazonaws.com",
		"arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:111122223333:loadbalancer/app/front/0": "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1",
		"arn:aws-us-gov:elasticloadbalancing:us-gov-east-1:111122223333:loadbalancer/app/front/0": "https://s3-us-gov-east-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-east-1",
	} {
		a, h := testVerifierALB(t, func(c *ALBConfig) { c.Signers = []string{arn} })
		if _, err := a.Verify(t.Context(), signALB(t, with(albHeader(), object{"signer": arn}), albClaims())); err != nil {
			t.Errorf("%s: Verify() = %v", arn, err)
		}
		if got := h.last.URL.String(); got != want+"/"+testALBID {
			t.Errorf("%s: the key was fetched from %s, want %s", arn, got, want)
		}
	}
	t.Run("two regions", func(t *testing.T) {
		other := strings.Replace(testALB, "eu-west-1", "eu-west-3", 1)
		a, h := testVerifierALB(t, func(c *ALBConfig) { c.Signers = append(c.Signers, other) })
		for _, signer := range []string{testALB, other, testALB, other} {
			if _, err := a.Verify(t.Context(), signALB(t, with(albHeader(), object{"signer": signer}), albClaims())); err != nil {
				t.Errorf("%s: Verify() = %v", signer, err)
			}
		}
		// A key is one region's: that of another under the same id is another.
		if h.calls != 2 || h.last.URL.Host != "public-keys.auth.elb.eu-west-3.amazonaws.com" {
			t.Errorf("%d fetches, the last from %s", h.calls, h.last.URL.Host)
		}
	})
	t.Run("a place of one's own", func(t *testing.T) {
		a, h := testVerifierALB(t, func(c *ALBConfig) { c.KeyURL = "http://127.0.0.1:9229/keys/" })
		if _, err := a.Verify(t.Context(), signALB(t, albHeader(), albClaims())); err != nil {
			t.Errorf("Verify() = %v", err)
		}
		if got := h.last.URL.String(); got != "http://127.0.0.1:9229/keys/"+testALBID {
			t.Errorf("the key was fetched from %s", got)
		}
	})
}

func TestALBConfigFaultsAreReportedTogether(t *testing.T) {
	bad := []string{
		"", "front", "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/front/0",
		"arn:aws:elasticloadbalancing:evil.example/x:111122223333:loadbalancer/app/front/0",
		"arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:loadbalancer/app/front/0",
		testALB + "\n", testALB + "/x", strings.Replace(testALB, "111122223333", "1", 1),
	}
	_, err := NewALB(ALBConfig{Signers: bad, KeyURL: "http://pool.example", Leeway: time.Hour})
	if err == nil {
		t.Fatal("NewALB() = nil")
	}
	for word, times := range map[string]int{"Issuer": 1, "ClientID": 1, "KeyURL": 1, "Leeway": 1, "Signers": len(bad)} {
		if strings.Count(err.Error(), "set "+word) != times {
			t.Errorf("NewALB() = %v, want %s named %d times", err, word, times)
		}
	}
	if _, err := NewALB(ALBConfig{Issuer: testIssuer, ClientID: testClient}); err == nil || !strings.Contains(err.Error(), "Signers") {
		t.Errorf("NewALB(no signers) = %v", err)
	}
	if _, err := NewALB(ALBConfig{Issuer: testIssuer, ClientID: testClient, Signers: []string{testALB}}); err != nil {
		t.Errorf("NewALB(the least) = %v", err)
	}
}

// inALB runs a test in synctest's time.
func inALB(t *testing.T, test func(*testing.T, *ALB, *keyHost)) {
	testALBKey() // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		a, h := testVerifierALB(t, func(c *ALBConfig) { c.Now = time.Now })
		test(t, a, h)
		time.Sleep(fetchTimeout)
	})
}

// freshALB signs with a key of that number, for two minutes from now.
func freshALB(t *testing.T, number int) string {
	exp := time.Now().Add(2 * time.Minute).Unix()
	kid := fmt.Sprintf("00000000-0000-4000-8000-%012x", number)
	return signALB(t, with(albHeader(), object{"exp": exp, "kid": kid}), with(albClaims(), object{"exp": exp}))
}

func checkALB(t *testing.T, a *ALB, number int, want error) {
	t.Helper()
	if _, err := a.Verify(t.Context(), freshALB(t, number)); !errors.Is(err, want) || errors.Is(err, ErrInvalid) && errors.Is(err, ErrUnavailable) {
		t.Errorf("key %d: Verify() = %v, want %v", number, err, want)
	}
}

func TestS020_ALBKeys(t *testing.T) {
	t.Run("ids at random", func(t *testing.T) {
		inALB(t, func(t *testing.T, a *ALB, h *keyHost) {
			checkALB(t, a, 0, nil)
			h.set(func(a *answer) { a.status = http.StatusNotFound })
			for i := range 7 {
				checkALB(t, a, i+1, ErrUnknownKey)
			}
			for i := range 100 {
				checkALB(t, a, i+100, ErrUnavailable)
			}
			checkALB(t, a, 0, nil)
			checkCalls(t, h, maxNewALBKeys)
			time.Sleep(albKeyInterval)
			h.set(func(a *answer) { a.status = http.StatusOK })
			checkALB(t, a, 1, nil)
			if n := len(a.keys.known); n != 2 {
				t.Errorf("%d keys are known, want the two good ones", n)
			}
		})
	})
	t.Run("no more than so many", func(t *testing.T) {
		inALB(t, func(t *testing.T, a *ALB, h *keyHost) {
			for i := range 2 * maxALBKeys {
				checkALB(t, a, 0, nil) // in use all the time
				time.Sleep(albKeyInterval / 4)
				checkALB(t, a, i+1, nil)
			}
			if n := len(a.keys.known); n != maxALBKeys {
				t.Errorf("%d keys are known, want %d", n, maxALBKeys)
			}
			calls := h.count()
			checkALB(t, a, 0, nil)
			checkCalls(t, h, calls)
		})
	})
	t.Run("ids at random, by clients that do not wait", func(t *testing.T) {
		inALB(t, func(t *testing.T, a *ALB, h *keyHost) {
			checkALB(t, a, 0, nil)
			h.set(func(a *answer) { a.status, a.delay = http.StatusNotFound, time.Second })
			for i := range 2 * maxALBKeys {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				if _, err := a.Verify(ctx, freshALB(t, i+1)); !errors.Is(err, ErrUnavailable) {
					t.Errorf("Verify() = %v, want %v", err, ErrUnavailable)
				}
				cancel()
				time.Sleep(albKeyInterval / 4)
			}
			calls := h.count()
			checkALB(t, a, 0, nil) // after minutes of rest
			checkCalls(t, h, calls)
		})
	})
	t.Run("one fetch for all", func(t *testing.T) {
		inALB(t, func(t *testing.T, a *ALB, h *keyHost) {
			h.answer.delay = time.Second
			raw := freshALB(t, 0)
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			wg.Go(func() {
				if _, err := a.Verify(ctx, raw); !errors.Is(err, ErrUnavailable) {
					t.Errorf("who goes away: Verify() = %v, want %v", err, ErrUnavailable)
				}
			})
			synctest.Wait()
			for range 50 {
				wg.Go(func() {
					if _, err := a.Verify(t.Context(), raw); err != nil {
						t.Errorf("Verify() = %v", err)
					}
				})
			}
			wg.Wait()
			checkCalls(t, h, 1)
		})
	})
}

func TestS149_ALBKeys(t *testing.T) {
	inALB(t, func(t *testing.T, a *ALB, h *keyHost) {
		h.answer.status = 503
		checkALB(t, a, 0, ErrUnavailable)
		h.set(func(a *answer) { a.status = 200 })
		checkALB(t, a, 0, nil)
		h.set(func(a *answer) { a.status = 503 })
		for range 23 {
			time.Sleep(time.Hour)
			checkALB(t, a, 0, nil)
			checkALB(t, a, 1, ErrUnavailable)
		}
		time.Sleep(time.Hour)
		checkALB(t, a, 0, ErrUnavailable)
		h.set(func(a *answer) { a.status = 200 })
		time.Sleep(albKeyInterval)
		checkALB(t, a, 0, nil)
	})
}

func TestALBKeyAnswers(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := publicPEM(t, &testALBKey().PublicKey)
	for name, a := range map[string]answer{
		"HTML":          {body: "<html>"},
		"empty":         {},
		"another PEM":   {body: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}))},
		"an RSA key":    {body: publicPEM(t, &testKeys()[0].PublicKey)},
		"another curve": {body: publicPEM(t, &p384.PublicKey)},
		"too long":      {body: good + strings.Repeat("\n", maxALBKeySize)},
		"a redirect":    {status: 302, header: http.Header{"Location": {"https://evil.example/"}}, body: good},
		"forbidden":     {status: 403, body: good},
		"a fault":       {status: 500, body: good},
		"no answer":     {err: errors.New("no route to host")},
	} {
		t.Run(name, func(t *testing.T) {
			v, h := testVerifierALB(t, nil)
			h.answer = a
			if _, err := v.Verify(t.Context(), signALB(t, albHeader(), albClaims())); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
				t.Errorf("Verify() = %v, want %v", err, ErrUnavailable)
			}
			if h.calls != 1 {
				t.Errorf("%d fetches, want one", h.calls)
			}
		})
	}
}

func FuzzALB(f *testing.F) {
	f.Add(signALB(f, albHeader(), albClaims()))
	f.Add(signALBWith(f, base64.RawURLEncoding, testALBKey(), string(marshal(f, albHeader())), string(marshal(f, albClaims()))))
	f.Add(signALB(f, with(albHeader(), object{"exp": "1", "kid": "../x"}), albClaims()))
	f.Add("e30=.e30=.AA==")
	a, _ := testVerifierALB(f, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := a.Verify(t.Context(), raw)
		if (c == nil) == (err == nil) || err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("Verify(%q) = %v, %v", raw, c, err)
		}
	})
}
