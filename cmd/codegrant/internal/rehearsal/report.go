package rehearsal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"
)

// Report is what a rehearsal shows.
type Report struct {
	People int            `json:"people"`
	Unmade map[string]int `json:"unmade"` // left out of the rehearsal, by reason

	// If everybody comes by themselves.
	Arrived   int            `json:"arrived"`   // as who they were
	Reset     int            `json:"reset"`     // and choose a new password at once
	SetUp     int            `json:"set_up"`    // and set a second factor up at once
	Federated map[string]int `json:"federated"` // as who they were, by provider
	Cannot    map[string]int `json:"cannot"`    // by reason
	Strangers map[string]int `json:"strangers"` // as somebody new, by reason
	Linked    map[string]int `json:"linked"`    // have an account at a provider beside their password
	Wrong     map[string]int `json:"wrong"`     // what must not be
	Takes     time.Duration  `json:"-"`         // that the quotas make necessary

	// If nobody comes, and the move is drained.
	Made        int            `json:"made"`
	Left        int            `json:"left"` // for their second factor
	NotMade     map[string]int `json:"not_made"`
	Unreachable int            `json:"unreachable"` // cannot reset a password: nothing of theirs is verified, or the new pool has "forgot password" off
	DrainTakes  time.Duration  `json:"-"`

	// Afterwards, at the old pool.
	Before int `json:"before"` // got in before
	Back   int `json:"back"`   // of these, get in again

	mu *sync.Mutex
}

func newReport(people int) Report {
	return Report{
		People: people, Unmade: make(map[string]int), Federated: make(map[string]int), Cannot: make(map[string]int), Strangers: make(map[string]int),
		Linked: make(map[string]int), Wrong: make(map[string]int), NotMade: make(map[string]int), mu: new(sync.Mutex),
	}
}

func (r *Report) count(in map[string]int, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in[what]++
}

func (r *Report) add(to *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to++
}

// Well reports whether everybody who comes is who they were, and can go back.
func (r Report) Well() bool { return len(r.Strangers) == 0 && len(r.Wrong) == 0 && r.Back == r.Before }

// reasonOf says why somebody cannot come.
func reasonOf(p Shape, reason string, err error) string {
	switch {
	case p.Disabled:
		return "disabled"
	case p.Status == string(types.UserStatusTypeUnconfirmed):
		return "never confirmed their account"
	case p.Status == string(types.UserStatusTypeResetRequired):
		return "their password has to be reset: they come by \"forgot password\" alone"
	case reason == "UserNotFoundException":
		return "the old pool does not know them by the name that the new one asks for"
	case reason != "":
		return reason
	}
	return "the new pool refuses them: " + plain(err, p)
}

// plain is what a pool says, without the stand-ins.
func plain(err error, p Shape) string {
	text := err.Error()
	var api smithy.APIError
	if errors.As(err, &api) {
		text = api.ErrorMessage()
	}
	for _, name := range []string{p.Username, p.Who} {
		text = strings.ReplaceAll(text, name, "…")
	}
	return text
}

func secretHash(app *types.UserPoolClientType, username string) string {
	h := hmac.New(sha256.New, []byte(aws.ToString(app.ClientSecret)))
	h.Write([]byte(username + aws.ToString(app.ClientId)))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
