package webauthn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// RegistrationTime is how long a registration may take, as its options say.
const RegistrationTime = time.Minute

var b64 = base64.RawURLEncoding

// Settings are those of a pool that takes passkeys. Where a passkey counts as both factors, the
// second is that the authenticator verified the user.
// (Unconfirmed: "a passkey that counts as both factors, without user verification".)
func Settings(r state.Rules) (state.WebAuthnConfiguration, error) {
	switch {
	case !slices.Contains(r.Policies.SignInPolicy.AllowedFirstAuthFactors, "WEB_AUTHN"):
		return state.WebAuthnConfiguration{}, &state.Error{Type: "WebAuthnNotEnabledException", Message: "WebAuthn is not enabled for this user pool."}
	case r.WebAuthnConfiguration == nil:
		// In a pool that says no more, browsers of this machine take "localhost".
		return state.WebAuthnConfiguration{RelyingPartyId: "localhost", UserVerification: "preferred"}, nil
	}
	w := *r.WebAuthnConfiguration
	if w.FactorConfiguration == "MULTI_FACTOR_WITH_USER_VERIFICATION" {
		w.UserVerification = "required"
	}
	return w, nil
}

// Creation are the options of a registration, for which the challenge stands.
func Creation(w state.WebAuthnConfiguration, u state.User, challenge string) map[string]any {
	exclude := make([]any, 0, len(u.Passkeys))
	for _, k := range u.Passkeys {
		exclude = append(exclude, map[string]any{"type": "public-key", "id": k.ID, "transports": k.Transports})
	}
	return map[string]any{
		"rp":        map[string]string{"id": w.RelyingPartyId, "name": w.RelyingPartyId},
		"user":      map[string]string{"id": b64.EncodeToString([]byte(u.Sub())), "name": u.Username, "displayName": u.Username},
		"challenge": b64.EncodeToString([]byte(challenge)), "timeout": RegistrationTime.Milliseconds(), "excludeCredentials": exclude,
		"pubKeyCredParams":       []any{map[string]any{"type": "public-key", "alg": -7}, map[string]any{"type": "public-key", "alg": -257}},
		"authenticatorSelection": map[string]any{"requireResidentKey": true, "residentKey": "required", "userVerification": w.UserVerification},
	}
}

// Request are the options of a sign-in, for which the challenge stands, as a JSON text.
func Request(w state.WebAuthnConfiguration, u state.User, challenge string) string {
	allow := make([]any, 0, len(u.Passkeys))
	for _, k := range u.Passkeys {
		allow = append(allow, map[string]any{"type": "public-key", "id": k.ID, "transports": k.Transports})
	}
	b, err := json.Marshal(map[string]any{
		"challenge": b64.EncodeToString([]byte(challenge)), "timeout": 180000, "rpId": w.RelyingPartyId, "allowCredentials": allow, "userVerification": w.UserVerification,
	})
	if err != nil {
		panic(err) // texts
	}
	return string(b)
}

// Credential is what a browser's authenticator answers, as JSON has it (WebAuthn, section
// 5.1.8).
type Credential struct {
	ID         string `json:"id"`
	Attachment string `json:"authenticatorAttachment"`
	Response   struct {
		ClientData    string   `json:"clientDataJSON"`
		Attestation   string   `json:"attestationObject"`
		Transports    []string `json:"transports"`
		Authenticator string   `json:"authenticatorData"`
		Signature     string   `json:"signature"`
		UserHandle    string   `json:"userHandle"`
	} `json:"response"`
}

type clientData struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	Origin    string `json:"origin"`
}

// read decodes what the browser says of itself, and the challenge, which is a session.
func (c Credential) read(kind string) (data clientData, raw []byte, session string, err error) {
	raw, err = decodeB64(c.Response.ClientData)
	if err == nil {
		err = json.Unmarshal(raw, &data)
	}
	challenge, err2 := decodeB64(data.Challenge)
	if err != nil || err2 != nil || data.Type != kind {
		return data, nil, "", &state.Error{Type: "WebAuthnCredentialNotSupportedException", Message: "The credential is not one that the service reads."}
	}
	return data, raw, string(challenge), nil
}

func decodeB64(text string) ([]byte, error) { return b64.DecodeString(strings.TrimRight(text, "=")) }

// from checks where a page is that an authenticator answered.
func from(origin, rp string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Hostname() != rp && !strings.HasSuffix(u.Hostname(), "."+rp) || u.Scheme != "https" && u.Hostname() != "localhost" {
		return &state.Error{Type: "WebAuthnOriginNotAllowedException", Message: "Origin not allowed: " + origin}
	}
	return nil
}

// authenticator is what an authenticator signs: the relying party, flags, a count, and, of
// a new credential, its id and key.
type authenticator struct {
	rpHash []byte
	flags  byte
	count  uint32
	id     []byte
	key    map[any]any // COSE
}

func parseAuthenticator(b []byte) (d authenticator, err error) {
	if len(b) < 37 {
		return d, errCBOR
	}
	d.rpHash, d.flags, d.count = b[:32], b[32], binary.BigEndian.Uint32(b[33:37])
	if d.flags&0x40 == 0 {
		return d, nil
	}
	b = b[37:]
	if len(b) < 18 {
		return d, errCBOR
	}
	n := int(binary.BigEndian.Uint16(b[16:18]))
	if b = b[18:]; len(b) < n || n == 0 {
		return d, errCBOR
	}
	d.id = b[:n]
	value, _, err := readCBOR(b[n:], 0)
	key, ok := value.(map[any]any)
	if err != nil || !ok {
		return d, errCBOR
	}
	d.key = key
	return d, nil
}

// holds checks the relying party and that somebody was there.
func (d authenticator) holds(w state.WebAuthnConfiguration) error {
	sum := sha256.Sum256([]byte(w.RelyingPartyId))
	switch {
	case subtle.ConstantTimeCompare(sum[:], d.rpHash) != 1:
		return &state.Error{Type: "WebAuthnRelyingPartyMismatchException", Message: "The relying party of the credential is not the user pool's."}
	case d.flags&0x01 == 0, w.UserVerification == "required" && d.flags&0x04 == 0:
		return &state.Error{Type: "WebAuthnCredentialNotSupportedException", Message: "The authenticator did not verify the user."}
	}
	return nil
}

// publicKey reads a key of ES256 or RS256 (RFC 9053).
func publicKey(cose map[any]any) ([]byte, bool) {
	part := func(n int64) *big.Int {
		b, _ := cose[n].([]byte)
		return new(big.Int).SetBytes(b)
	}
	switch cose[int64(3)] {
	case int64(-7):
		x, _ := cose[int64(-2)].([]byte)
		y, _ := cose[int64(-3)].([]byte)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, false
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		return der, err == nil
	case int64(-257):
		n, e := part(-1), part(-2)
		if n.BitLen() < 2048 || n.BitLen() > 8192 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return nil, false
		}
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: int(e.Int64())})
		return der, err == nil
	}
	return nil, false
}

// Parse reads a credential of a JSON text.
func Parse(text string) (c Credential, err error) {
	if json.Unmarshal([]byte(text), &c) != nil {
		err = &state.Error{Type: state.InvalidParameter, Message: "CREDENTIAL is not valid JSON."}
	}
	return c, err
}

// Registered checks the answer of an authenticator at a registration, and returns the new
// passkey. begun takes the challenge, and says whether it stands for this registration.
func (c Credential) Registered(w state.WebAuthnConfiguration, begun func(challenge string) bool) (k state.Passkey, err error) {
	data, _, challenge, err := c.read("webauthn.create")
	if err != nil {
		return k, err
	}
	if !begun(challenge) {
		return k, &state.Error{Type: "WebAuthnChallengeNotFoundException", Message: "No challenge of this registration was found."}
	}
	if err := from(data.Origin, w.RelyingPartyId); err != nil {
		return k, err
	}
	unsupported := &state.Error{Type: "WebAuthnCredentialNotSupportedException", Message: "The credential is not one that the service supports."}
	raw, err := decodeB64(c.Response.Attestation)
	if err != nil {
		return k, unsupported
	}
	value, _, err := readCBOR(raw, 0)
	attestation, ok := value.(map[any]any)
	if err != nil || !ok {
		return k, unsupported
	}
	signed, _ := attestation["authData"].([]byte)
	d, err := parseAuthenticator(signed)
	if err != nil || d.id == nil {
		return k, unsupported
	}
	if err := d.holds(w); err != nil {
		return k, err
	}
	key, ok := publicKey(d.key)
	if !ok {
		return k, unsupported
	}
	return state.Passkey{
		ID: b64.EncodeToString(d.id), Name: "Passkey", RP: w.RelyingPartyId, Key: key, Count: d.count,
		Attachment: c.Attachment, Transports: c.Response.Transports,
	}, nil
}

// SignedBy checks the answer of an authenticator at a sign-in, and returns the passkey.
// (Unconfirmed: "errors of passkeys at a sign-in".)
func (c Credential) SignedBy(w state.WebAuthnConfiguration, u state.User, session string) (state.Passkey, uint32, error) {
	wrong := &state.Error{Type: state.NotAuthorized, Message: "Incorrect username or password."}
	data, raw, answered, err := c.read("webauthn.get")
	if err != nil {
		return state.Passkey{}, 0, err
	}
	i := slices.IndexFunc(u.Passkeys, func(k state.Passkey) bool { return k.ID == strings.TrimRight(c.ID, "=") })
	signed, err1 := decodeB64(c.Response.Authenticator)
	signature, err2 := decodeB64(c.Response.Signature)
	if i < 0 || err1 != nil || err2 != nil || subtle.ConstantTimeCompare([]byte(answered), []byte(session)) != 1 || from(data.Origin, w.RelyingPartyId) != nil {
		return state.Passkey{}, 0, wrong
	}
	d, err := parseAuthenticator(signed)
	if err != nil || d.holds(w) != nil {
		return state.Passkey{}, 0, wrong
	}
	k := u.Passkeys[i]
	of := sha256.Sum256(raw)
	sum := sha256.Sum256(bytes.Join([][]byte{signed, of[:]}, nil))
	parsed, err := x509.ParsePKIXPublicKey(k.Key)
	if err != nil {
		return state.Passkey{}, 0, err
	}
	ok := false
	switch key := parsed.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	if !ok {
		return state.Passkey{}, 0, wrong
	}
	return k, d.count, nil
}
