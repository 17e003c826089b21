package api

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// The group of RFC 3526, section 5, with the generator 2, in which Cognito speaks
// the Secure Remote Password protocol (RFC 5054).
var (
	srpN, _ = new(big.Int).SetString(""+
		"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"+
		"020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"+
		"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"+
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"+
		"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"+
		"9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"+
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"+
		"3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"+
		"A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"+
		"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"+
		"D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2"+
		"08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)
	srpG = big.NewInt(2)
	srpK = hashed(srpN, srpG)
)

// padded writes a number as clients do: in whole bytes, with a zero before those
// that would make it look negative.
func padded(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		return append([]byte{0}, b...)
	}
	return b
}

// hashed is the hash of numbers, as a number.
func hashed(numbers ...*big.Int) *big.Int {
	h := sha256.New()
	for _, n := range numbers {
		h.Write(padded(n))
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

// exchange is one that has begun: what the client sent, and what it was told.
type exchange struct {
	state.SRP
	a, b, secret *big.Int // A, B, and what B was made with
	block        string   // stands for the exchange in the client's answer
}

// srpLifetime is how long a client has for its calculations.
const srpLifetime = time.Minute

// newExchange answers a client's A.
func newExchange(begin state.SRP, a *big.Int) (*exchange, error) {
	secret, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err != nil {
		return nil, err
	}
	b := new(big.Int).Mul(srpK, verifierOf(begin))
	b.Add(b, raised(secret)).Mod(b, srpN)
	return &exchange{SRP: begin, a: a, b: b, secret: secret}, nil
}

// verifierOf is what stands for a password on this side.
func verifierOf(s state.SRP) *big.Int {
	if s.Verifier != nil {
		return s.Verifier
	}
	return raised(s.Hash)
}

// proves checks a signature that only who knows the password can make.
func (x *exchange) proves(timestamp, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	block, err2 := base64.StdEncoding.DecodeString(x.block)
	u := hashed(x.a, x.b)
	if err != nil || err2 != nil || u.Sign() == 0 {
		return false
	}
	shared := new(big.Int)
	if x.Verifier == nil { // it is the generator to the power of the hash
		shared = raised(shared.Mul(x.Hash, u))
	} else {
		shared.Exp(x.Verifier, u, srpN)
	}
	shared.Mul(shared, x.a).Exp(shared, x.secret, srpN)
	key := mac(mac(padded(u), padded(shared)), []byte("Caldera Derived Key"), []byte{1})[:16]
	return hmac.Equal(given, mac(key, []byte(x.PoolName+x.UserID), block, []byte(timestamp)))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// parseA reads what a client begins with. A multiple of N would let in who knows
// no password.
func parseA(text string) (*big.Int, error) {
	a, ok := new(big.Int).SetString(text, 16)
	if !ok || a.Sign() <= 0 || len(text) > 2*len(srpN.Bytes())+2 || new(big.Int).Mod(a, srpN).Sign() == 0 {
		return nil, invalid("Invalid SRP_A value.")
	}
	return a, nil
}

// srpTime is how clients write the time: the day without a zero before it.
const srpTime = "Mon Jan 2 15:04:05 UTC 2006"

func (a *API) bySRP(ctx context.Context, c state.Client, p, sent map[string]string) (any, error) {
	if !c.AllowsAuth("USER_SRP_AUTH") {
		return nil, invalid("USER_SRP_AUTH is not enabled for the client.")
	}
	return a.srp(ctx, c, p, sent, progress{})
}

// srp answers what a client begins with.
func (a *API) srp(ctx context.Context, c state.Client, p, sent map[string]string, at progress) (any, error) {
	if err := need(p, "USERNAME", "SRP_A"); err != nil {
		return nil, err
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	if _, err := a.state.User(c.PoolID, p["USERNAME"]); err != nil && c.TellUnknown {
		return nil, err
	}
	public, err := parseA(p["SRP_A"])
	if err != nil {
		return nil, err
	}
	if err := a.triggers.Begin(ctx, c, p["USERNAME"], triggers.Sent{Validation: sent}); err != nil {
		return nil, err
	}
	return a.exchange(c, p, public, nil, at)
}

// exchange begins one. custom is of a sign-in that functions decide about.
func (a *API) exchange(c state.Client, p map[string]string, public *big.Int, custom *customRound, at progress) (any, error) {
	begin, err := a.state.SRP(c.PoolID, p["USERNAME"])
	if err != nil {
		return nil, err
	}
	x, err := newExchange(begin, public)
	if err != nil {
		return nil, err
	}
	// Here the block stands in the session's place, and clients take it for base64.
	x.block = a.sessions.start(challenge{name: passwordVerifier, clientID: c.ID, poolID: c.PoolID, srp: x, device: p["DEVICE_KEY"], custom: custom, progress: at}, a.state.Now(), srpLifetime)
	return authAnswer{ChallengeName: passwordVerifier, ChallengeParameters: map[string]string{
		"SALT": x.Salt.Text(16), "SRP_B": x.b.Text(16), "SECRET_BLOCK": x.block, "USERNAME": x.UserID, "USER_ID_FOR_SRP": x.UserID,
	}}, nil
}

// verifyPassword takes a client's proof. There is one answer to each challenge.
func (a *API) verifyPassword(ctx context.Context, c state.Client, p, metadata map[string]string) (any, error) {
	if err := need(p, "USERNAME", "PASSWORD_CLAIM_SIGNATURE", "PASSWORD_CLAIM_SECRET_BLOCK", "TIMESTAMP"); err != nil {
		return nil, err
	}
	wrong := unauthorized("Incorrect username or password.")
	taken, err := a.sessions.take(p["PASSWORD_CLAIM_SECRET_BLOCK"], passwordVerifier, c.ID, a.state.Now())
	if err != nil {
		return nil, wrong
	}
	x := taken.srp
	if err := checkHash(c, x.UserID, p["SECRET_HASH"], wrongLaterHash); err != nil {
		return nil, err
	}
	at, err := time.Parse(srpTime, p["TIMESTAMP"])
	proved := err == nil && at.Format(srpTime) == p["TIMESTAMP"] && p["USERNAME"] == x.UserID && x.proves(p["TIMESTAMP"], p["PASSWORD_CLAIM_SIGNATURE"])
	u, err := a.state.AuthenticateSRP(c.PoolID, x.UserID, x.Hash, proved)
	if err != nil {
		return nil, err
	}
	// Clients name the device with the proof too, and prove again without it where it is gone.
	device := cmp.Or(p["DEVICE_KEY"], taken.device)
	if err := a.hasDevice(c, u, device); err != nil {
		taken.device = ""
		a.sessions.restore(p["PASSWORD_CLAIM_SECRET_BLOCK"], taken)
		return nil, err
	}
	so := taken.with(state.ByPassword)
	if taken.custom != nil { // the functions are told that the password was right
		if u.Status != state.Confirmed {
			return a.proceed(ctx, c, u, triggers.Authentication, metadata, "", so)
		}
		return a.custom(ctx, c, u, srpRounds(true), metadata, so.shown)
	}
	return a.proceed(ctx, c, u, triggers.Authentication, metadata, device, so)
}
