package state

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Passkey is a WebAuthn credential of a user.
type Passkey struct {
	ID         string    `json:"id"` // base64url
	Name       string    `json:"name"`
	RP         string    `json:"rp"`
	Key        []byte    `json:"key"` // SubjectPublicKeyInfo, DER
	Count      uint32    `json:"count,omitempty"`
	Attachment string    `json:"attachment,omitempty"`
	Transports []string  `json:"transports,omitempty"`
	Created    time.Time `json:"created"`
}

// maxPasskeys is how many passkeys a user has at most.
const maxPasskeys = 20

// AddPasskey gives a user a passkey.
func (s *State) AddPasskey(poolID, name string, k Passkey) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if len(u.Passkeys) >= maxPasskeys {
			return refuse(LimitExceeded, fmt.Sprintf("A user has %d passkeys at most.", maxPasskeys))
		}
		if slices.ContainsFunc(u.Passkeys, func(other Passkey) bool { return other.ID == k.ID }) {
			return refuse(InvalidParameter, "The passkey is registered already.")
		}
		k.Created = s.now()
		u.Passkeys = append(slices.Clone(u.Passkeys), k)
		return nil
	})
}

// DeletePasskey takes a passkey away.
func (s *State) DeletePasskey(poolID, name, id string) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		i := slices.IndexFunc(u.Passkeys, func(k Passkey) bool { return k.ID == id })
		if i < 0 {
			return refuse(ResourceNotFound, "WebAuthn credential does not exist.")
		}
		u.Passkeys = slices.Delete(slices.Clone(u.Passkeys), i, i+1)
		return nil
	})
}

// UsePasskey notes the count of signatures that a passkey says. One that goes back is of a
// copy.
func (s *State) UsePasskey(poolID, name string, k Passkey, count uint32) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		i := slices.IndexFunc(u.Passkeys, func(other Passkey) bool { return other.ID == k.ID && bytes.Equal(other.Key, k.Key) })
		if i < 0 || count != 0 && count <= u.Passkeys[i].Count {
			return refuse(NotAuthorized, "Incorrect username or password.")
		}
		u.Passkeys = slices.Clone(u.Passkeys)
		u.Passkeys[i].Count = count
		return nil
	})
}

// Method is what the passkey is in amr: of the device, or of a key that one carries.
// (Unconfirmed: "`amr` of a passkey that counts as both factors".)
func (k Passkey) Method() string {
	if k.Attachment == "cross-platform" {
		return ByRoaming
	}
	return ByPlatform
}
