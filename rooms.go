package codegrant

import (
	"net/http"
	"sync/atomic"

	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
)

// The rooms of this package. Each step is in one of them and has what it needs in its
// struct; a room asks those above it in this file, and none below.

// site is what the configuration says, and where our endpoints are.
type site struct {
	settings
	endpoints cognito.Endpoints
	csrf      *http.CrossOriginProtection
	look      *pages.Look            // of pages; nil: as without a design
	prefix    atomic.Pointer[string] // the one thing that is set after New
}

// files gives and takes CloudFront's cookies.
type files struct {
	*site
	signedCookies *cloudfront.Cookies // nil: none
}

// notes are what a person is told once about a sign-in that failed.
type notes struct{ *site }

// desk answers requests that may not pass.
type desk struct {
	*site
	chain []Authenticator // whose challenges it gives
}

// gate finds out who is asking.
type gate struct {
	*desk
	sessions *keep.Sessions
	people   *people.People
	files    *files
	notes    *notes
	old      *oldPool // nil: none
}

// signIn leads from the link to the arrival. It asks the pool, and then sessions.
type signIn struct {
	*desk
	client   *cognito.Client
	sessions *keep.Sessions
	files    *files
	notes    *notes
	room     chan struct{} // for codes on their way to the pool
}

// signOut ends what a browser holds, and leads through the pool's own sign-out.
type signOut struct {
	*desk
	client   *cognito.Client
	sessions *keep.Sessions
	files    *files
	signIn   *signIn  // which takes back what it handed out
	old      *oldPool // nil: none
}

// own shows people their sessions, and ends them.
type own struct {
	*gate
	out *signOut
}

// bearerAuthenticator takes a token from the Authorization header (RFC 6750).
type bearerAuthenticator struct {
	*site
	prover *prove.Prover
	old    *oldPool // whose tokens count, too; nil: nobody's
}
