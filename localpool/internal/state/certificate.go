package state

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
)

// Certificate returns the certificate that identity providers verify a pool's SAML
// requests by, in base64 of DER.
func (s *State) Certificate(poolID string) (string, error) {
	s.mu.Lock()
	p, err := s.pool(poolID)
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	keys, err := s.keysOf(p)
	created := p.Created
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	key := keys.id.private
	// Nothing of it is drawn at random, so that it is the same each time.
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: poolID}, NotBefore: created, NotAfter: created.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return "", fmt.Errorf("make the certificate of pool %s: %w", poolID, err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// ReplaceResourceServer replaces a resource server, or, with none, removes it.
func (s *State) ReplaceResourceServer(poolID, identifier string, with *ResourceServer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.ResourceServer, func(r ResourceServer) bool { return r.Identifier == identifier })
	if i < 0 {
		return refuse(ResourceNotFound, fmt.Sprintf("Resource server %s does not exist.", identifier))
	}
	// Copies of the pool share the list.
	servers := slices.Clone(p.ResourceServer)
	if with == nil {
		servers = slices.Delete(servers, i, i+1)
	} else {
		servers[i] = *with
	}
	p.ResourceServer = servers
	return s.saveLocked()
}
