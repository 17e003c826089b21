package standin_test

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
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool/standin"
)

// TestS436_TheAuthority is of one folder, of one user, and of these names.
func TestS436_TheAuthority(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "aws")
	a, err := standin.OpenAuthority(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Environment("127.0.0.1:9229", false); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		return block.Bytes
	}
	root, err := x509.ParseCertificate(read("authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(read("authority.key"))
	if err != nil {
		t.Fatal(err)
	}
	// Who steals the key can still speak for no other name.
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for name, ok := range map[string]bool{
		"cognito-idp.eu-west-1.amazonaws.com": true, "issuer-cognito-idp.us-gov-west-1.amazonaws.com": true, "secretsmanager.us-east-1.amazonaws.com": true,
		"shop.auth.eu-west-1.amazoncognito.com": true, "s3.eu-west-1.amazonaws.com": false, "amazonaws.com": false, "sts.amazonaws.com": false,
		"example.com": false, "localhost": false, "127.0.0.1": false, "::1": false, "evilamazoncognito.com": false,
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = []net.IP{ip}
		} else {
			template.DNSNames = []string{name}
		}
		leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, root, &leaf.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); (err == nil) != ok {
			t.Errorf("a certificate for %s: %v", name, err)
		}
	}
	// Nor by an authority below, nor to servers, nor in mail.
	sign := func(template, parent *x509.Certificate, by any) (*x509.Certificate, any) {
		t.Helper()
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(2), time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, own
	}
	const host = "cognito-idp.eu-west-1.amazonaws.com"
	below, belowKey := sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, root, key)
	under, _ := sign(&x509.Certificate{DNSNames: []string{host}}, below, belowKey)
	between := x509.NewCertPool()
	between.AddCert(below)
	if _, err := under.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between}); err == nil {
		t.Error("an authority below speaks for it")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning} {
		c, _ := sign(&x509.Certificate{DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{usage, x509.ExtKeyUsageServerAuth}}, root, key)
		if _, err := c.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}); err == nil {
			t.Errorf("it speaks for usage %d too", usage)
		}
	}

	if again, err := standin.OpenAuthority(folder); err != nil || again == a {
		t.Errorf("a second start: %v", err)
	}
	if second, err := os.ReadFile(filepath.Join(folder, "authority.pem")); err != nil || string(second) != string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})) {
		t.Errorf("a second start has another authority: %v", err)
	}
	for name, spoil := range map[string]func() error{
		"that others read":  func() error { return os.Chmod(filepath.Join(folder, "authority.key"), 0o604) },
		"of a group":        func() error { return os.Chmod(filepath.Join(folder, "authority.key"), 0o640) },
		"that is damaged":   func() error { return os.WriteFile(filepath.Join(folder, "authority.key"), []byte("x"), 0o600) },
		"of no certificate": func() error { return os.Remove(filepath.Join(folder, "authority.pem")) },
	} {
		if err := os.Chmod(filepath.Join(folder, "authority.key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := standin.OpenAuthority(folder); err == nil || !strings.Contains(err.Error(), "remove the folder") {
			t.Errorf("a key %s: %v", name, err)
		}
	}
	// What stands in the folder in place of what was made there.
	for name, other := range map[string]*x509.Certificate{
		"of no constraints":           {PermittedDNSDomains: nil},
		"of constraints to be passed": {PermittedDNSDomains: []string{"amazoncognito.com"}},
		"that ends soon":              {PermittedDNSDomains: []string{"amazoncognito.com"}, PermittedDNSDomainsCritical: true, NotAfter: time.Now().AddDate(0, 0, 80)},
		"of another key":              {PermittedDNSDomains: []string{"amazoncognito.com"}, PermittedDNSDomainsCritical: true, Subject: pkix.Name{CommonName: "another"}},
	} {
		folder := filepath.Join(t.TempDir(), "aws")
		if _, err := standin.OpenAuthority(folder); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, "authority.key")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		own := parsed.(*ecdsa.PrivateKey)
		if other.Subject.CommonName != "" {
			if own, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				t.Fatal(err)
			}
		}
		other.SerialNumber, other.IsCA, other.BasicConstraintsValid, other.NotBefore = big.NewInt(1), true, true, time.Now()
		if other.NotAfter.IsZero() {
			other.NotAfter = time.Now().AddDate(1, 0, 0)
		}
		der, err := x509.CreateCertificate(rand.Reader, other, other, &own.PublicKey, own)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "authority.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := standin.OpenAuthority(folder); err == nil || !strings.Contains(err.Error(), "remove the folder") {
			t.Errorf("a certificate %s: %v", name, err)
		}
	}
}
