package settings

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/secret"
)

// Moved is the pool that people come from.
type Moved struct {
	ID, Region, Issuer string
	ClientID           string // of the trigger; empty: not said
	Profile            string // of AWS's tools; empty: the usual credentials
	Tickets            *move.Tickets
}

// moved reads where the people of a pool come from.
func (r *reader) moved(key string, m *movedFrom, into *Pool, replica Replica) {
	if m == nil {
		return
	}
	if r.only != nil && !slices.Contains(r.only, "pools.moved_from") {
		into.Config.OldPool = m.bound()
		return
	}
	key += ".moved_from"
	out := &Moved{ID: m.ID, ClientID: m.ClientID, Profile: m.Profile}
	first, _, ok := strings.Cut(m.ID, "_")
	if out.Region = cmp.Or(m.Region, first); !ok {
		r.fault(key+".id", "%q is not the id of a pool, such as eu-west-1_Ab12Cd34E", m.ID)
		return
	}
	old := cognito.Pool{Region: out.Region, ID: m.ID, Issuer: m.Issuer, Domain: "placeholder.example.com", ClientID: "placeholder"}
	endpoints, err := old.Endpoints()
	if err != nil {
		r.fault(key, "%w", err)
		return
	}
	out.Issuer = endpoints.Issuer
	text := r.secret(key+".key", m.Key, m.KeyFile)
	if text == "" {
		if m.KeyFile == "" {
			r.fault(key+".key", "it is missing; make one with openssl rand -base64 32, and give it to the trigger, too")
		}
		return
	}
	random, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.fault(key+".key", "it is not base64; make one with openssl rand -base64 32")
		return
	}
	// The id of the new pool is the end of its issuer.
	if out.Tickets, err = move.NewTickets(random, m.ID, into.Issuer[strings.LastIndexByte(into.Issuer, '/')+1:]); err != nil {
		r.fault(key, "%w", err)
		return
	}
	out.Tickets.Providers = m.Providers
	into.depends(random)
	switch {
	case !r.uses("replica"):
	case !replica.Enabled:
		r.fault(key, "only the replica knows the old identities of people, and it is off; write replica: true")
	case replica.Django:
		r.fault(key, "it does not work beside Django: an account there is of one pool")
	}
	if s := into.Config.Scopes; len(s) > 0 && !slices.Contains(s, "profile") && !slices.Equal(s, []string{"openid"}) {
		r.fault(key, "ID tokens say who somebody was with the scope profile, which scopes lacks; add it")
	}
	into.Moved = out
	if m.Sessions == nil {
		return
	}
	then := old
	then.Domain, then.ClientID = m.Sessions.Domain, m.Sessions.ClientID
	if !r.oldSecret(key+".sessions", m.Sessions, &then, into) {
		return
	}
	if _, err := then.Endpoints(); err != nil {
		r.fault(key+".sessions", "%w", err)
		return
	}
	into.Config.OldPool = &then
}

// bound is the old pool as far as its sessions are bound to it; nil: it is none.
func (m *movedFrom) bound() *cognito.Pool {
	region, _, _ := strings.Cut(m.ID, "_")
	old := cognito.Pool{Region: cmp.Or(m.Region, region), ID: m.ID, Issuer: m.Issuer, Domain: "placeholder.example.com", ClientID: m.Sessions.ClientID}
	if _, err := old.Endpoints(); err != nil {
		return nil
	}
	return &old
}

// oldSecret sets where the secrets of the old pool's app client come from.
func (r *reader) oldSecret(key string, app *oldApp, then *cognito.Pool, into *Pool) bool {
	switch {
	case app.ClientSecretFile == "":
		then.ClientSecret = cognito.Secret(app.ClientSecret)
		return true
	case app.ClientSecret != "":
		r.fault(key+".client_secret", "set only one of client_secret and client_secret_file")
		return false
	}
	content := r.readFile(key+".client_secret_file", app.ClientSecretFile, true)
	if content == nil {
		return false
	}
	file, err := secret.NewFile(r.beside(app.ClientSecretFile))
	if err != nil {
		r.fault(key+".client_secret_file", "%w", err)
		return false
	}
	then.Secrets = file
	into.depends(content)
	return true
}

// depends says that the pool is another one with other content of a file.
func (p *Pool) depends(content []byte) {
	sum := sha256.Sum256(content)
	p.Digest = sha256.Sum256(append(p.Digest[:], sum[:]...))
}

// trusted reads which providers verify addresses.
func (r *reader) trusted(key string, names []string, into *Pool, replica Replica) {
	switch {
	case len(names) == 0:
		return
	case slices.Contains(names, ""):
		r.fault(key, "a name is empty")
	case !r.uses("replica"):
	case !replica.Enabled:
		r.fault(key, "people are merged in the replica, which is off; write replica: true")
	case replica.Django:
		r.fault(key, "it does not work beside Django: there, each account is of one identity")
	}
	into.TrustedProviders = names
}
