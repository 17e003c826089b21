package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// certificate is one for localhost, of this process, that signs itself.
var certificate = sync.OnceValues(func() (chain, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
})

// Roots are what a client of the test trusts: the certificate of the proxies.
func Roots() *x509.CertPool {
	chain, _ := certificate()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return pool
}

// Certificate writes the certificate of localhost and its key into a folder.
func Certificate(t testing.TB, folder string) (chainFile, keyFile string) {
	t.Helper()
	chain, key := certificate()
	chainFile, keyFile = filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem")
	for file, content := range map[string][]byte{chainFile: chain, keyFile: key, filepath.Join(folder, "both.pem"): append(append([]byte{}, chain...), key...)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return chainFile, keyFile
}
