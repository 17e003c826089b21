package standin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// Authority makes certificates for Amazon's hosts of Cognito, and for nothing else: a
// program that trusts it trusts it for no other name. It is safe for concurrent use.
type Authority struct {
	folder      string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate

	mu     sync.Mutex // guards leaves
	leaves map[string]*tls.Certificate
}

const (
	keyFile         = "authority.key"
	certificateFile = "authority.pem"

	authorityYears = 5
	leafLifetime   = 90 * 24 * time.Hour
	maxLeaves      = 1000
)

// OpenAuthority returns the authority that is kept in a folder, and makes both where
// there is none. Only the user may read the key, or the folder.
func OpenAuthority(folder string) (*Authority, error) {
	a := &Authority{folder: folder, leaves: make(map[string]*tls.Certificate)}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the authority: %w", err)
	}
	err := a.read()
	if errors.Is(err, fs.ErrNotExist) {
		err = a.make()
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority in %s: %w", folder, err)
	}
	return a, nil
}

func (a *Authority) read() error {
	path := filepath.Join(a.folder, keyFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others may read %s: chmod 600, or remove the folder to have another made", keyFile)
	}
	key, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return err
	}
	der, err := readPEM(filepath.Join(a.folder, certificateFile), "CERTIFICATE")
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no %s: remove the folder to have another made", certificateFile)
	}
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return fmt.Errorf("%s is damaged: remove the folder to have another made", keyFile)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil || !private.PublicKey.Equal(certificate.PublicKey) {
		return fmt.Errorf("%s is damaged: remove the folder to have another made", certificateFile)
	}
	if time.Until(certificate.NotAfter) < leafLifetime {
		return errors.New("it ends soon: remove the folder to have another made")
	}
	if len(certificate.PermittedDNSDomains) == 0 || !certificate.PermittedDNSDomainsCritical {
		return errors.New("it is not constrained to Amazon's names: remove the folder to have another made")
	}
	a.key, a.certificate = private, certificate
	return nil
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s is damaged: remove the folder to have another made", filepath.Base(path))
	}
	return block.Bytes, nil
}

// permitted are the names that the authority may speak for, with all below them.
func permitted() []string {
	names := []string{"amazoncognito.com"}
	for _, region := range localpool.Regions {
		for _, service := range []string{"cognito-idp.", "issuer-cognito-idp.", "secretsmanager."} {
			names = append(names, service+region+".amazonaws.com")
		}
	}
	return names
}

func (a *Authority) make() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Codegrant local pool, for development", Organization: []string{"Made on this machine"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(authorityYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: permitted(),
		ExcludedIPRanges: []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key is last: a folder with one has a whole authority.
	if err := write(a.folder, certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return err
	}
	if err := write(a.folder, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})); err != nil {
		return err
	}
	return a.read()
}

// write replaces a file that only the user may read, as a whole or not at all.
func write(folder, name string, b []byte) error {
	f, err := os.CreateTemp(folder, name+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(folder, name))
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

// leaf returns the certificate of a host, made at the first question.
func (a *Authority) leaf(host string) (*tls.Certificate, error) {
	if _, ok := localpool.ParseAWSHost(host); !ok {
		return nil, fmt.Errorf("no certificate for %q: it is not a host of Amazon's Cognito", host)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil && time.Until(c.Leaf.NotAfter) > leafLifetime/2 {
		return c, nil
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Codegrant local pool"}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a.leaves[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}
	return a.leaves[host], nil
}
