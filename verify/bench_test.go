package verify

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
)

// BenchmarkRSAFloor is what no verifier of RS256 can do without.
func BenchmarkRSAFloor(b *testing.B) {
	t, err := accessToken.parse(sign(b, accessClaims()))
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(t.signed))
	b.ReportAllocs()
	for b.Loop() {
		if rsa.VerifyPKCS1v15(&testKeys()[1].PublicKey, crypto.SHA256, sum[:], t.signature) != nil {
			b.Fatal("signature refused")
		}
	}
}

func BenchmarkColdAccessToken(b *testing.B) {
	benchmarkAccessToken(b, -1)
}

func BenchmarkCachedAccessToken(b *testing.B) {
	benchmarkAccessToken(b, 0)
}

func benchmarkAccessToken(b *testing.B, cacheSize int) {
	v := testVerifier(b, func(c *Config) { c.CacheSize = cacheSize })
	raw := sign(b, accessClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AccessToken(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkColdIDToken(b *testing.B) {
	benchmarkIDToken(b, -1)
}

func BenchmarkCachedIDToken(b *testing.B) {
	benchmarkIDToken(b, 0)
}

func benchmarkIDToken(b *testing.B, cacheSize int) {
	v := testVerifier(b, func(c *Config) { c.CacheSize = cacheSize })
	raw := sign(b, idClaims())
	want := IDExpectations{Nonce: "n-1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.IDToken(b.Context(), raw, want); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkS018_Junk is what a megabyte costs that is not a token.
func BenchmarkS018_Junk(b *testing.B) {
	v := testVerifier(b, nil)
	raw := string(make([]byte, 1<<20))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AccessToken(b.Context(), raw); err == nil {
			b.Fatal("junk passes")
		}
	}
}
