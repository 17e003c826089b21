package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// A key is written keyPrefix, the id and the secret: shop_4fJd93kKqQ1a_7V…. Scanners for
// secrets in code find it by its prefix, and the log can name it by its id.
const (
	keyPrefix   = "shop_"
	idBytes     = 9
	secretBytes = 32
	maxKey      = 128
)

// header is where a key comes. Authorization: Bearer is for tokens of the pool.
const header = "X-API-Key"

const schema = `CREATE TABLE IF NOT EXISTS api_keys (
	id        TEXT PRIMARY KEY,
	hash      BLOB NOT NULL,
	owner     TEXT NOT NULL,
	scopes    TEXT NOT NULL,
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	last_used INTEGER NOT NULL DEFAULT 0
)`

var errKey = fmt.Errorf("%w: API key is unknown or has expired", codegrant.ErrInvalid)

// keys are API keys in a table: an authenticator.
type keys struct {
	db  *sql.DB
	now func() time.Time
}

func openKeys(ctx context.Context, db *sql.DB) (*keys, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("make the table of API keys: %w", err)
	}
	return &keys{db, time.Now}, nil
}

// issue makes a key. It is returned once, and never again: the table has its hash. A
// secret of 256 random bits needs no slow hash, which is for passwords that can be guessed.
func (k *keys) issue(ctx context.Context, owner string, scopes []string, life time.Duration) (key string, err error) {
	id, secret := random(idBytes), random(secretBytes)
	hash := sha256.Sum256([]byte(secret))
	now := k.now()
	_, err = k.db.ExecContext(ctx, `INSERT INTO api_keys (id, hash, owner, scopes, created, expires) VALUES (?, ?, ?, ?, ?, ?)`,
		id, hash[:], owner, strings.Join(scopes, " "), now.Unix(), now.Add(life).Unix())
	if err != nil {
		return "", fmt.Errorf("keep an API key: %w", err)
	}
	return keyPrefix + id + "_" + secret, nil
}

// rotate makes a key with the same owner and scopes, and has the old one work for as long
// as it takes to bring the new one to where it is used.
func (k *keys) rotate(ctx context.Context, id string, life, overlap time.Duration) (key string, err error) {
	var owner, scopes string
	err = k.db.QueryRowContext(ctx, `SELECT owner, scopes FROM api_keys WHERE id = ? AND expires > ?`, id, k.now().Unix()).Scan(&owner, &scopes)
	if err != nil {
		return "", fmt.Errorf("find API key %s: %w", id, err)
	}
	if key, err = k.issue(ctx, owner, strings.Fields(scopes), life); err != nil {
		return "", err
	}
	end := k.now().Add(overlap).Unix()
	if _, err = k.db.ExecContext(ctx, `UPDATE api_keys SET expires = ? WHERE id = ? AND expires > ?`, end, id, end); err != nil {
		return "", fmt.Errorf("end API key %s: %w", id, err)
	}
	return key, nil
}

// revoke ends a key at once.
func (k *keys) revoke(ctx context.Context, id string) error {
	_, err := k.db.ExecContext(ctx, `DELETE FROM api_keys WHERE id = ?`, id)
	return err
}

// Authenticate implements codegrant.Authenticator. A key is a machine's: permissions for
// people do not hold for it.
func (k *keys) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	values := r.Header.Values(header)
	if len(values) == 0 {
		return nil, nil // no key: somebody else may know who asks
	}
	rest, ok := strings.CutPrefix(values[0], keyPrefix)
	idLength := base64.RawURLEncoding.EncodedLen(idBytes)
	if len(values) > 1 || !ok || len(rest) > maxKey || len(rest) < idLength+1 || rest[idLength] != '_' {
		return nil, errKey
	}
	id, hash := rest[:idLength], sha256.Sum256([]byte(rest[idLength+1:]))

	var kept []byte
	var owner, scopes string
	var expires, used int64
	err := k.db.QueryRowContext(r.Context(), `SELECT hash, owner, scopes, expires, last_used FROM api_keys WHERE id = ?`, id).Scan(&kept, &owner, &scopes, &expires, &used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, errKey
	case err != nil:
		return nil, fmt.Errorf("%w: read API key %s: %w", codegrant.ErrUnavailable, id, err) // 503: the key may be good
	}
	now := k.now()
	if subtle.ConstantTimeCompare(kept, hash[:]) != 1 || now.Unix() >= expires {
		return nil, errKey
	}
	if now.Unix()-used >= 60 { // a write per minute and key, and none that a request waits for in vain
		_, _ = k.db.ExecContext(r.Context(), `UPDATE api_keys SET last_used = ? WHERE id = ?`, now.Unix(), id)
	}
	return &codegrant.Identity{
		Machine: true, ClientID: owner, Subject: owner, Scopes: strings.Fields(scopes),
		Method: "api-key", Expires: time.Unix(expires, 0),
	}, nil
}

// Challenge names the header: HTTP has no scheme for keys.
func (k *keys) Challenge(error) string { return `ApiKey realm="shop", header="` + header + `"` }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
