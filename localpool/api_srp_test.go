package localpool_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// srpPrime is 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 * pi) + 1690314), of
// RFC 3526, section 5. TestSRPPrime computes it.
const srpPrime = "" +
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437" +
	"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05" +
	"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33" +
	"A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864" +
	"D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

// TestSRPPrime computes the prime anew, with pi by Machin's formula.
func TestSRPPrime(t *testing.T) {
	const guard = 64
	arctan := func(inverse int64) *big.Int { // arctan(1/inverse) * 2^(2942+guard)
		sum := new(big.Int)
		term := new(big.Int).Lsh(big.NewInt(1), 2942+guard)
		term.Div(term, big.NewInt(inverse))
		for n, sign := int64(1), int64(1); term.Sign() != 0; n, sign = n+2, -sign {
			sum.Add(sum, new(big.Int).Div(new(big.Int).Mul(term, big.NewInt(sign)), big.NewInt(n)))
			term.Div(term, big.NewInt(inverse*inverse))
		}
		return sum
	}
	pi := new(big.Int).Sub(new(big.Int).Mul(big.NewInt(16), arctan(5)), new(big.Int).Mul(big.NewInt(4), arctan(239)))
	pi.Rsh(pi, guard)
	power := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	want := new(big.Int).Add(pi, big.NewInt(1690314))
	want.Mul(want, power(64)).Add(want, power(3072)).Sub(want, power(3008)).Sub(want, big.NewInt(1))
	if got := strings.ToUpper(want.Text(16)); got != srpPrime {
		t.Errorf("prime = %s", got)
	}
}

// srpClient is the client's side, as Cognito's guide and AWS's own clients have it.
type srpClient struct {
	n, g, k, a, public *big.Int
}

func bytesOf(n *big.Int) []byte {
	text := n.Text(16)
	if len(text)%2 == 1 {
		text = "0" + text
	} else if strings.ContainsRune("89abcdef", rune(text[0])) {
		text = "00" + text
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func numberOf(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

func newSRPClient(t *testing.T) *srpClient {
	t.Helper()
	n, _ := new(big.Int).SetString(srpPrime, 16)
	secret := make([]byte, 128)
	rand.Read(secret)
	s := &srpClient{n: n, g: big.NewInt(2), a: new(big.Int).SetBytes(secret)}
	s.k = numberOf(bytesOf(n), bytesOf(s.g))
	s.public = new(big.Int).Exp(s.g, s.a, n)
	return s
}

// answer is what a client that knows a password answers to a challenge.
func (s *srpClient) answer(t *testing.T, poolID, password string, p map[string]string, at time.Time) map[string]string {
	t.Helper()
	_, pool, _ := strings.Cut(poolID, "_")
	salt, ok1 := new(big.Int).SetString(p["SALT"], 16)
	b, ok2 := new(big.Int).SetString(p["SRP_B"], 16)
	block, err := base64.StdEncoding.DecodeString(p["SECRET_BLOCK"])
	if !ok1 || !ok2 || err != nil || p["USER_ID_FOR_SRP"] == "" {
		t.Fatalf("parameters = %v", p)
	}
	u := numberOf(bytesOf(s.public), bytesOf(b))
	inner := sha256.Sum256([]byte(pool + p["USER_ID_FOR_SRP"] + ":" + password))
	x := numberOf(bytesOf(salt), inner[:])
	base := new(big.Int).Mul(s.k, new(big.Int).Exp(s.g, x, s.n))
	base.Sub(b, base).Mod(base, s.n)
	shared := base.Exp(base, new(big.Int).Add(s.a, new(big.Int).Mul(u, x)), s.n)
	key, err := hkdf.Key(sha256.New, bytesOf(shared), bytesOf(u), "Caldera Derived Key", 16)
	if err != nil {
		t.Fatal(err)
	}
	timestamp := at.UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(pool + p["USER_ID_FOR_SRP"]))
	mac.Write(block)
	mac.Write([]byte(timestamp))
	return map[string]string{
		"USERNAME": p["USER_ID_FOR_SRP"], "PASSWORD_CLAIM_SECRET_BLOCK": p["SECRET_BLOCK"],
		"PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(mac.Sum(nil)), "TIMESTAMP": timestamp,
	}
}

// bySRP signs in without sending the password.
func (c *contract) bySRP(client, poolID, username, password string, changes map[string]string) (*cip.RespondToAuthChallengeOutput, map[string]string, error) {
	c.Helper()
	s := newSRPClient(c.T)
	p := map[string]string{"USERNAME": username, "SRP_A": s.public.Text(16)}
	if client == "web" {
		p["SECRET_HASH"] = secretHash(username, "web", secretOne)
	}
	out, err := c.initiate(types.AuthFlowTypeUserSrpAuth, client, p)
	if err != nil {
		return nil, nil, err
	}
	if out.ChallengeName != types.ChallengeNameTypePasswordVerifier || out.ChallengeParameters["USERNAME"] != out.ChallengeParameters["USER_ID_FOR_SRP"] {
		c.Fatalf("answer = %+v", out)
	}
	answer := s.answer(c.T, poolID, password, out.ChallengeParameters, time.Now())
	maps.Copy(answer, changes)
	done, err := c.respond(client, out.ChallengeName, nil, answer)
	return done, out.ChallengeParameters, err
}

func TestAPI_SRP(t *testing.T) {
	c := newContractOf(t, behaviorSeed+morePools)
	// Numbers begin with different digits each time, and are written differently.
	for range 12 {
		done, p, err := c.bySRP("app", shop, "carol@example.com", "Passw0rd!", nil)
		c.ok(err)
		if p["USER_ID_FOR_SRP"] != "carol" || done.AuthenticationResult == nil || done.AuthenticationResult.RefreshToken == nil {
			t.Fatalf("answer = %+v to %v", done, p)
		}
		c.ok(c.pool.SetPassword(shop, "carol", "Passw0rd!", true)) // which makes a new salt
	}
	c.ok(c.pool.CreateUser("local_Mail1", localpool.UserSeed{Email: "jo@example.com", Password: "Passw0rd!"}))
	done, p, err := c.bySRP("mail", "local_Mail1", "JO@example.com", "Passw0rd!", nil)
	c.ok(err)
	if done.AuthenticationResult == nil || len(p["USER_ID_FOR_SRP"]) != 36 {
		t.Errorf("by address: %+v to %v", done, p)
	}
	done, _, err = c.bySRP("web", shop, "carol@example.com", "Passw0rd!", map[string]string{"SECRET_HASH": secretHash("carol", "web", secretTwo)})
	c.ok(err)
	if done.AuthenticationResult == nil {
		t.Errorf("client with a secret: %+v", done)
	}
	done, _, err = c.bySRP("app", shop, "dave", "Temp0rary!", nil)
	c.ok(err)
	if done.ChallengeName != types.ChallengeNameTypeNewPasswordRequired || done.Session == nil {
		t.Errorf("temporary password: %+v", done)
	}
}

func TestAPI_SRPRefusals(t *testing.T) {
	c := newContract(t)
	for _, user := range []localpool.UserSeed{
		{Username: "erin", Password: "Passw0rd!", Status: "UNCONFIRMED"},
		{Username: "gus", Password: "Passw0rd!", Disabled: true},
		{Username: "hal"},
	} {
		c.ok(c.pool.CreateUser(shop, user))
	}
	const wrong = "Incorrect username or password."
	for _, tt := range []struct {
		name, client, user, password string
		changes                      map[string]string
		kind, message                string
	}{
		{"wrong password", "app", "carol", "Passw0rd?", nil, "NotAuthorizedException", wrong},
		{"nobody", "app", "nobody", "Passw0rd!", nil, "NotAuthorizedException", wrong},
		{"nobody, said openly", "legacy", "nobody", "Passw0rd!", nil, "UserNotFoundException", "User does not exist."},
		{"no password", "app", "hal", "", nil, "NotAuthorizedException", wrong},
		{"not confirmed", "app", "erin", "Passw0rd!", nil, "UserNotConfirmedException", ""},
		{"disabled", "app", "gus", "Passw0rd!", nil, "NotAuthorizedException", "User is disabled."},
		{"disabled, wrong password", "app", "gus", "x", nil, "NotAuthorizedException", wrong},
		{"another signature, by a client with the default flows", "rotating", "carol", "Passw0rd!", map[string]string{"PASSWORD_CLAIM_SIGNATURE": "x"}, "NotAuthorizedException", wrong},
		{"another time", "app", "carol", "Passw0rd!", map[string]string{"TIMESTAMP": "Mon Jan 5 10:00:00 UTC 2026"}, "NotAuthorizedException", wrong},
		{"another form of the time", "app", "carol", "Passw0rd!", map[string]string{"TIMESTAMP": "Mon Jan 05 10:00:00 UTC 2026"}, "NotAuthorizedException", wrong},
		{"another block", "app", "carol", "Passw0rd!", map[string]string{"PASSWORD_CLAIM_SECRET_BLOCK": "AAAA"}, "NotAuthorizedException", wrong},
		{"another name", "app", "carol", "Passw0rd!", map[string]string{"USERNAME": "dave"}, "NotAuthorizedException", wrong},
		{"no signature", "app", "carol", "Passw0rd!", map[string]string{"PASSWORD_CLAIM_SIGNATURE": ""}, "InvalidParameterException", "Missing required parameter PASSWORD_CLAIM_SIGNATURE"},
		{"no hash", "web", "carol", "Passw0rd!", nil, "NotAuthorizedException", "SECRET_HASH was not received"},
		{"hash over the alias", "web", "carol@example.com", "Passw0rd!", map[string]string{"SECRET_HASH": secretHash("carol@example.com", "web", secretOne)}, "NotAuthorizedException", "SecretHash does not match for the client: web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			_, _, err := c.bySRP(tt.client, shop, tt.user, tt.password, tt.changes)
			c.refused(err, tt.kind, tt.message)
		})
	}

	t.Run("A that says nothing", func(t *testing.T) {
		c := c.in(t)
		n, _ := new(big.Int).SetString(srpPrime, 16)
		for _, a := range []string{"0", srpPrime, new(big.Int).Lsh(n, 1).Text(16), "-1", "xyz", strings.Repeat("f", 10_000)} {
			_, err := c.initiate(types.AuthFlowTypeUserSrpAuth, "app", map[string]string{"USERNAME": "carol", "SRP_A": a})
			c.refused(err, "InvalidParameterException", "SRP_A")
		}
		_, err := c.initiate(types.AuthFlowTypeUserSrpAuth, "app", map[string]string{"USERNAME": "carol"})
		c.refused(err, "InvalidParameterException", "Missing required parameter SRP_A")
	})
	t.Run("nobody looks like somebody", func(t *testing.T) {
		c := c.in(t)
		_, first, _ := c.bySRP("app", shop, "nobody", "x", nil)
		_, again, _ := c.bySRP("app", shop, "nobody", "x", nil)
		_, other, _ := c.bySRP("app", shop, "someone", "x", nil)
		if first["SALT"] != again["SALT"] || first["USER_ID_FOR_SRP"] != again["USER_ID_FOR_SRP"] || first["SALT"] == other["SALT"] || len(first["USER_ID_FOR_SRP"]) != 36 {
			t.Errorf("%v, %v, %v", first, again, other)
		}
	})
	t.Run("once, and soon", func(t *testing.T) {
		c := c.in(t)
		c.ok(c.pool.SetPassword(shop, "carol", "Passw0rd!", true)) // and so forgets her failures
		begin := func() (*srpClient, map[string]string) {
			s := newSRPClient(t)
			out, err := c.initiate(types.AuthFlowTypeUserSrpAuth, "app", map[string]string{"USERNAME": "carol", "SRP_A": s.public.Text(16)})
			c.ok(err)
			return s, out.ChallengeParameters
		}
		s, p := begin()
		answer := s.answer(t, shop, "Passw0rd!", p, time.Now())
		_, err := c.respond("legacy", types.ChallengeNameTypePasswordVerifier, nil, answer)
		c.refused(err, "NotAuthorizedException", wrong)
		_, err = c.respond("app", types.ChallengeNameTypePasswordVerifier, nil, answer)
		c.ok(err)
		_, err = c.respond("app", types.ChallengeNameTypePasswordVerifier, nil, answer)
		c.refused(err, "NotAuthorizedException", wrong)
		s, p = begin()
		c.ahead.Add(int64(61 * time.Second))
		_, err = c.respond("app", types.ChallengeNameTypePasswordVerifier, nil, s.answer(t, shop, "Passw0rd!", p, time.Now()))
		c.refused(err, "NotAuthorizedException", wrong)
		s, p = begin()
		c.ok(c.pool.SetPassword(shop, "carol", "N3w-password", true))
		_, err = c.respond("app", types.ChallengeNameTypePasswordVerifier, nil, s.answer(t, shop, "Passw0rd!", p, time.Now()))
		c.refused(err, "NotAuthorizedException", wrong)
	})
	t.Run("locked", func(t *testing.T) {
		c := c.in(t)
		for range 5 {
			_, _, err := c.bySRP("app", shop, "dave", "wrong", nil)
			c.refused(err, "NotAuthorizedException", wrong)
		}
		_, _, err := c.bySRP("app", shop, "dave", "Temp0rary!", nil)
		c.refused(err, "NotAuthorizedException", "Password attempts exceeded")
		_, err = c.byPassword("app", "dave", "Temp0rary!")
		c.refused(err, "NotAuthorizedException", "Password attempts exceeded")
	})
	_, err := c.initiate(types.AuthFlowTypeUserSrpAuth, "quiet", map[string]string{"USERNAME": "carol", "SRP_A": "2"})
	c.refused(err, "InvalidParameterException", "USER_SRP_AUTH is not enabled for the client.")
	_, err = c.sdk().AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{UserPoolId: aws.String(shop), ClientId: aws.String("app"), AuthFlow: types.AuthFlowTypeUserSrpAuth, AuthParameters: map[string]string{"USERNAME": "carol", "SRP_A": "2"}})
	c.ok(err)
}
