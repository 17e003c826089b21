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
	o.progress("NewPool")
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
	o.progress("sign in by SRP, beside its exponentiations")
	var took, all, server []float64
	for range 60 {
		own, err := signInInside(ctx, pool)
		if err != nil {
			return err
		}
		verifier, rest := powers()
		took = append(took, ms(own))
		all, server = append(all, float64(own)/float64(verifier+rest)), append(server, float64(own)/float64(rest))
	}
	for _, list := range [][]float64{took, all, server} {
		slices.Sort(list)
	}
	middle := len(took) / 2
	fmt.Fprintf(out, "sign-in by SRP, in the pool alone: %.1f ms, with two signatures; %.2f times the protocol's modular exponentiations by math/big, of which there are four (quartiles %.2f and %.2f); %.2f times without that of the verifier\n",
		took[middle], all[middle], all[middle/2], all[middle+middle/2], server[middle])
	return nil
}

// signInInside returns how long the pool took for both requests of a sign-in.
func signInInside(ctx context.Context, pool http.Handler) (time.Duration, error) {
	var took time.Duration
	ask := func(operation, body string) (asked signIn, err error) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:9229/", strings.NewReader(body))
		for _, h := range headersOf(operation) {
			r.Header.Set(h[0], h[1])
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

// powers is how long the exponentiations of a sign-in take, all with exponents of 256 bits: the
// verifier, which a server may keep, and B and the two of the shared secret.
func powers() (verifier, rest time.Duration) {
	exponent := new(big.Int).Set(private)
	began := time.Now()
	v := new(big.Int).Exp(two, exponent, groupN)
	verifier = time.Since(began)
	began = time.Now()
	new(big.Int).Exp(two, exponent, groupN)
	shared := new(big.Int).Exp(v, exponent, groupN)
	shared.Mul(shared, ourA).Exp(shared, exponent, groupN)
	return verifier, time.Since(began)
}
