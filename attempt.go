package codegrant

import (
	"bytes"
	"compress/flate"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

const (
	attemptLifetime = 10 * time.Minute
	// How far the clocks of two processes may be apart without harm.
	clockSkew = 2 * time.Minute
	// All attempts of a browser travel with each of its requests, and proxies
	// refuse cookie headers beyond 8 KB: the oldest give way.
	maxAttempts     = 24
	maxAttemptBytes = 5 << 10
	// No browser of ours has more to take back, and each costs a line of the answer.
	maxCleared     = 2 * maxAttempts
	attemptPurpose = "authorization request"
	attemptVersion = 2
	// packedVersion is of attempts whose return URL is long, and compressed.
	packedVersion = 3
	// These are the same of a sign-in that is to bring something.
	demandingVersion       = 4
	demandingPackedVersion = 5
	// provingVersion is of attempts that are to prove another identity.
	provingVersion = 6
	longReturn     = 1 << 10
	// A browser keeps 4,096 bytes of one cookie: what does not fit goes into further
	// ones, which come with the callback alone.
	attemptPart     = 3600
	maxAttemptParts = 8
	// donePurpose seals where a sign-in ended, for a callback that comes again.
	donePurpose = "finished authorization request"
)

// attempt is one authorization request: it lives in a sealed cookie of the
// browser that began it, named after its state, so that tabs do not disturb
// each other and anonymous traffic costs no memory here. State, nonce and code
// verifier are all drawn from one secret.
type attempt struct {
	secret   [32]byte
	root     [32]byte // of the secret, which the others are expanded from
	created  time.Time
	returnTo string
	demand   demand // what the sign-in is to bring
	proving  string // the session for which another identity is to be proven; empty: it begins one
}

func newAttempt(now time.Time, returnTo string, wanted demand) attempt {
	at := attempt{created: now.Truncate(time.Microsecond), returnTo: returnTo, demand: wanted}
	rand.Read(at.secret[:])
	at.root = rootOf(at.secret)
	return at
}

// rootOf is HKDF's first step, which is the same for all labels.
func rootOf(secret [32]byte) [32]byte {
	root, err := hkdf.Extract(sha256.New, secret[:], nil)
	if err != nil {
		panic(err) // the secret's size is fixed
	}
	return [32]byte(root)
}

func (at attempt) derive(label string) string {
	key, err := hkdf.Expand(sha256.New, at.root[:], "codegrant "+label, 32)
	if err != nil {
		panic(err) // 32 bytes is within HKDF's limit
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// state begins with the time, so that the oldest of several attempts shows in
// their cookies' names.
func (at attempt) state() string        { return fmt.Sprintf("%08x", at.created.Unix()) + at.derive("state") }
func (at attempt) nonce() string        { return at.derive("nonce") }
func (at attempt) codeVerifier() string { return at.derive("code verifier") }

func (at attempt) encode() []byte {
	b := append([]byte{attemptVersion}, at.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.created.UnixMicro()))
	packed, plain := byte(packedVersion), byte(attemptVersion)
	if at.proving != "" {
		b[0] = provingVersion
		b = binary.AppendUvarint(b, uint64(len(at.proving)))
		return append(append(b, at.proving...), at.returnTo...)
	}
	if !at.demand.isNothing() {
		packed, plain = demandingPackedVersion, demandingVersion
		b = at.demand.append(b)
	}
	b[0] = plain
	if len(at.returnTo) <= longReturn {
		return append(b, at.returnTo...)
	}
	b[0] = packed
	out := bytes.NewBuffer(b)
	deflate, err := flate.NewWriter(out, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(deflate, at.returnTo)
	}
	if err == nil {
		err = deflate.Close()
	}
	if err != nil {
		panic(err) // into memory
	}
	return out.Bytes()
}

func decodeAttempt(b []byte) (attempt, error) {
	var at attempt
	if len(b) < 1+32+8 || b[0] < attemptVersion || b[0] > provingVersion {
		return at, fmt.Errorf("authorization request of another version")
	}
	copy(at.secret[:], b[1:33])
	at.root = rootOf(at.secret)
	at.created = time.UnixMicro(int64(binary.BigEndian.Uint64(b[33:41])))
	rest := b[41:]
	if b[0] == provingVersion {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n == 0 || n > uint64(len(rest)-used) {
			return attempt{}, fmt.Errorf("authorization request that is damaged")
		}
		at.proving, at.returnTo, at.demand = string(rest[used:used+int(n)]), string(rest[used+int(n):]), anew
		return at, nil
	}
	if b[0] >= demandingVersion {
		var err error
		if at.demand, rest, err = cutDemand(rest); err != nil {
			return attempt{}, err
		}
	}
	at.returnTo = string(rest)
	if b[0] == packedVersion || b[0] == demandingPackedVersion {
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(rest)), 1<<20))
		if err != nil {
			return attempt{}, fmt.Errorf("authorization request that is damaged: %w", err)
		}
		at.returnTo = string(plain)
	}
	return at, nil
}
