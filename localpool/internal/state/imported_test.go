package state

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestImported: people sign in with hashes that were made elsewhere, here by the authors of
// the algorithms (RFC 6070's successor for SHA-256, RFC 7914, jBCrypt and Argon2's own
// tests), and then with one of the pool's own.
func TestImported(t *testing.T) {
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, []*Pool{{ID: "local_Test1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ hash, password string }{
		"bcrypt": {"BCRYPT:$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		"scrypt": {"SCRYPT:16384$8$1$" + "536f6469756d43686c6f72696465" + "$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887", "pleaseletmein"},
		"argon2": {"ARGON2ID:$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		"pbkdf2": {"PBKDF2_SHA256:4096$73616c74$c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a", "password"},
	} {
		if _, err := s.ImportUser("local_Test1", NewUser{Username: name, Hash: tt.hash, Enabled: true, Status: Confirmed}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Authenticate("local_Test1", name, tt.password+"x"); err == nil {
			t.Errorf("%s: another password is taken", name)
		}
		for range 2 { // the second time it is the pool's own
			if _, err := s.Authenticate("local_Test1", name, tt.password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		u := s.pools[0].user(name)
		if algorithm, _, _ := strings.Cut(tt.hash, ":"); strings.HasPrefix(u.Password, algorithm) || u.SRP == "" {
			t.Errorf("%s: the hash stays: %s", name, u.Password)
		}
	}
	for name, hash := range map[string]string{
		"a cost": "BCRYPT:$2a$13$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "memory": "SCRYPT:131072$8$1$73616c74$00",
		"passes": "ARGON2ID:$argon2id$v=19$m=256,t=3,p=1$c29tZXNhbHQ$nf65EOgLrQMR", "rounds": "PBKDF2_SHA256:600001$73616c74$c5e478d5", "nothing": "MD5:x",
	} {
		if _, err := s.ImportUser("local_Test1", NewUser{Username: "erin", Hash: hash, Enabled: true}); err == nil {
			t.Errorf("%s beyond AWS's limit is taken", name)
		}
	}
}

// TestLinkedIndex: identities are found by what they are now.
func TestLinkedIndex(t *testing.T) {
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, []*Pool{{ID: "local_Test1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"carol", "dave"} {
		if _, err := s.CreateUser("local_Test1", NewUser{Username: name, Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	who := func() string { u, _ := s.Linked("local_Test1", "Corp", "c1"); return u.Username }
	i := Identity{UserID: "c1", Provider: "Corp", Type: "OIDC"}
	if err := s.Link("local_Test1", "carol", i, ""); err != nil || who() != "carol" {
		t.Errorf("linked: %v, %q", err, who())
	}
	if err := s.Link("local_Test1", "dave", i, ""); err == nil {
		t.Error("two have one identity")
	}
	b, err := s.Snapshot()
	if err == nil {
		err = s.Restore(b)
	}
	if err != nil || who() != "carol" {
		t.Errorf("restored: %v, %q", err, who())
	}
	if err := s.Unlink("local_Test1", i, ""); err != nil || who() != "" {
		t.Errorf("unlinked: %v, %q", err, who())
	}
	if err := s.Link("local_Test1", "dave", i, ""); err != nil || who() != "dave" {
		t.Errorf("linked again: %v, %q", err, who())
	}
	if err := s.DeleteUser("local_Test1", "dave"); err != nil || who() != "" {
		t.Errorf("deleted: %v, %q", err, who())
	}
}
