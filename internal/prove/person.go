package prove

import (
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/verify"
)

// Person is who it is, as the newest tokens say. Requests of one session share it:
// read it, do not write it.
type Person struct {
	Issuer, Subject string
	UserID          int64 // in the replica; 0 where there is none
	Username        string
	Email           string
	EmailVerified   bool
	Name            string
	Groups, Scopes  []string
	ClientID        string
	Machine         bool          // it is nobody: the token is the app client's own
	Actor           *verify.Actor // who acts for them, by a bearer token; nil: nobody
	Method          string
	AuthTime        time.Time // when the person last proved who they are
	ACR             string    // how well, as the pool calls it; empty where it does not say
	AMR             []string  // by what
	Issued, Expires time.Time // of the access token; the sooner end where the ID token ends before
}

// The ways to have proven who one is.
const (
	BySession      = "session"
	ByBearer       = "bearer"
	BySharedTokens = "shared tokens"
	ByLoadBalancer = "load balancer"
)

// Set is the tokens of a sign-in.
type Set struct {
	ID, Access, Refresh cognito.Secret
	Nonce               string   // of the ID token of the sign-in
	Replicated          [32]byte // digest of the snapshot last applied to the replica
}

// Sign is what all tokens of one sign-in have in common.
type Sign struct {
	Subject  string
	AuthTime time.Time
	ACR      string
	AMR      []string
	Nonce    string
	Origin   string // origin_jti; empty where it is not known
}
