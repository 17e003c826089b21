//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// inside measures what is of the library: a pool in a test, and a sign-in by SRP beside the
// modular exponentiations that it cannot do without.
func (o options) inside(ctx context.Context, out io.Writer) error {
	pools := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			codegranttest.NewPool(b, nil)
		}
	})
	fmt.Fprintf(out, "\nNewPool in a test: %.2f ms\n", float64(pools.NsPerOp())/1e6)

	seed, err := localpool.ParseSeed([]byte(`{pools: [{id: local_Inside, clients: [{id: inside, auth_flows: [ALLOW_USER_SRP_AUTH]}], users: [{username: alice, email: alice@example.com, password: Passw0rd!}]}]}`))
	if err != nil {
		return err
	}
	pool, err := localpool.New(localpool.Config{Seed: seed, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer pool.Close()
	var took, ratios []float64
	for range 60 {
		own, err := signInInside(ctx, pool)
		if err != nil {
			return err
		}
		powers := powers()
		took, ratios = append(took, ms(own)), append(ratios, float64(own)/float64(powers))
	}
	slices.Sort(took)
	slices.Sort(ratios)
	fmt.Fprintf(out, "sign-in by SRP, in the pool alone: %.1f ms, %.2f times its four modular exponentiations (quartiles %.2f and %.2f)\n",
		took[len(took)/2], ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[3*len(ratios)/4])
	return nil
}

// signInInside returns how long the pool took for both requests of a sign-in.
func signInInside(ctx context.Context, pool http.Handler) (time.Duration, error) {
	var took time.Duration
	ask := func(operation, body string) (asked signIn, err error) {
		r, err := request(ctx, "http://127.0.0.1:9229", operation, []byte(body))
		if err != nil {
			return asked, err
		}
		w := httptest.NewRecorder()
		began := time.Now()
		pool.ServeHTTP(w, r)
		took += time.Since(began)
		if w.Code != http.StatusOK {
			return asked, fmt.Errorf("%s: %s", operation, w.Body)
		}
		return asked, json.Unmarshal(w.Body.Bytes(), &asked)
	}
	asked, err := ask("InitiateAuth", `{"AuthFlow":"USER_SRP_AUTH","ClientId":"inside","AuthParameters":{"USERNAME":"alice","SRP_A":"`+ourA.Text(16)+`"}}`)
	if err != nil {
		return 0, err
	}
	answers, err := prove("Inside", asked.ChallengeParameters, time.Now())
	if err != nil {
		return 0, err
	}
	b, err := json.Marshal(answers)
	if err != nil {
		return 0, err
	}
	done, err := ask("RespondToAuthChallenge", strings.Replace(`{"ChallengeName":"PASSWORD_VERIFIER","ClientId":"inside","ChallengeResponses":X}`, "X", string(b), 1))
	if err != nil {
		return 0, err
	}
	return took, done.done()
}

// powers is how long the exponentiations of a sign-in take: the verifier, B, and the two of
// the shared secret, all with exponents of 256 bits.
func powers() time.Duration {
	exponent := new(big.Int).Rsh(private, 0)
	began := time.Now()
	verifier := new(big.Int).Exp(two, exponent, groupN)
	new(big.Int).Exp(two, exponent, groupN)
	shared := new(big.Int).Exp(verifier, exponent, groupN)
	shared.Mul(shared, ourA).Exp(shared, exponent, groupN)
	return time.Since(began)
}
