package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/codegrant/codegrant/verify"
)

// A service behind a load balancer that signs people in.
func ExampleALB() {
	const (
		loadBalancer = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/front/0123456789abcdef"
		issuer       = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	)
	keys, sign := newLoadBalancer()
	defer keys.Close()

	alb, err := verify.NewALB(verify.ALBConfig{
		Signers:  []string{loadBalancer},
		Issuer:   issuer,
		ClientID: "1example23456789",
		KeyURL:   keys.URL, // leave it out, and AWS is asked
	})
	if err != nil {
		log.Fatal(err)
	}

	ours := sign(loadBalancer, issuer)
	claims, err := alb.Verify(context.Background(), ours) // r.Header.Get("X-Amzn-Oidc-Data")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Username, claims.Email)

	theirs := sign("arn:aws:elasticloadbalancing:eu-west-1:999999999999:loadbalancer/app/evil/0123456789abcdef", issuer)
	_, err = alb.Verify(context.Background(), theirs)
	fmt.Println(errors.Is(err, verify.ErrSigner))
	// Output:
	// alice alice@example.com
	// true
}

// newLoadBalancer returns a server of the public key, and what signs with the
// private one.
func newLoadBalancer() (keys *httptest.Server, sign func(arn, issuer string) string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	keys = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := pem.Encode(w, &pem.Block{Type: "PUBLIC KEY", Bytes: der}); err != nil {
			log.Print(err)
		}
	}))
	return keys, func(arn, issuer string) string {
		encode := base64.URLEncoding.EncodeToString
		token := encode(fmt.Appendf(nil, `{"typ":"JWT","alg":"ES256","kid":"b1a2c3d4-0000-4000-8000-00000000abcd","signer":%q,"iss":%q,"client":"1example23456789","exp":%d}`,
			arn, issuer, time.Now().Add(time.Minute).Unix())) + "." + encode([]byte(`{"sub":"subject-of-alice","username":"alice","email":"alice@example.com"}`))
		sum := sha256.Sum256([]byte(token))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			log.Fatal(err)
		}
		return token + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
}
