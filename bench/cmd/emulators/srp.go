//go:build linux

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"time"
)

// The client's part of the Secure Remote Password protocol, in Cognito's group (RFC 3526,
// section 5).
var (
	groupN, _ = new(big.Int).SetString(""+
		"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"+
		"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"+
		"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"+
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"+
		"A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"+
		"D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)
	two     = big.NewInt(2)
	groupK  = hashOf(groupN, two)
	private = new(big.Int).SetBytes([]byte("one exponent of 256 bits for all"))
	ourA    = new(big.Int).Exp(two, private, groupN)
)

func padded(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		return append([]byte{0}, b...)
	}
	return b
}

func hashOf(numbers ...*big.Int) *big.Int {
	h := sha256.New()
	for _, n := range numbers {
		h.Write(padded(n))
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// prove answers a challenge.
func prove(pool string, asked map[string]string, now time.Time) (map[string]string, error) {
	b, ok := new(big.Int).SetString(asked["SRP_B"], 16)
	salt, ok2 := new(big.Int).SetString(asked["SALT"], 16)
	block, err := base64.StdEncoding.DecodeString(asked["SECRET_BLOCK"])
	if err != nil {
		block, err = hex.DecodeString(asked["SECRET_BLOCK"])
	}
	if !ok || !ok2 || err != nil {
		return nil, errors.New("it is not a challenge of SRP")
	}
	user := asked["USER_ID_FOR_SRP"]
	inner := sha256.Sum256([]byte(pool + user + ":" + password))
	hash := sha256.Sum256(append(padded(salt), inner[:]...))
	x, u := new(big.Int).SetBytes(hash[:]), hashOf(ourA, b)
	base := new(big.Int).Exp(two, x, groupN)
	base.Sub(b, base.Mul(base, groupK)).Mod(base, groupN)
	shared := base.Exp(base, new(big.Int).Add(private, new(big.Int).Mul(u, x)), groupN)
	key := mac(mac(padded(u), padded(shared)), []byte("Caldera Derived Key"), []byte{1})[:16]
	at := now.UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	return map[string]string{
		"USERNAME": user, "PASSWORD_CLAIM_SECRET_BLOCK": asked["SECRET_BLOCK"], "TIMESTAMP": at,
		"PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(mac(key, []byte(pool+user), block, []byte(at))),
	}, nil
}
