package parts

import (
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Person is a user as programs get it.
type Person struct {
	ID            int64     `json:"id"`
	Subject       string    `json:"sub"`
	Username      string    `json:"username"`
	Email         string    `json:"email,omitempty"`
	EmailVerified bool      `json:"email_verified"`
	Name          string    `json:"name,omitempty"`
	Enabled       bool      `json:"enabled"`
	Deleted       time.Time `json:"deleted,omitzero"`
	Status        string    `json:"status,omitempty"`
	Groups        []string  `json:"groups"`
	LastSignIn    time.Time `json:"last_sign_in,omitzero"`
}

func NewPerson(u replica.User) Person {
	p := Person{
		ID: u.ID, Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Enabled: u.Enabled, Deleted: u.Deleted, Status: u.Status, Groups: []string{}, LastSignIn: u.LastSignIn,
	}
	for _, g := range u.Groups {
		p.Groups = append(p.Groups, g.Name)
	}
	return p
}

func (p Person) State() string {
	switch {
	case !p.Deleted.IsZero():
		return "deleted"
	case !p.Enabled:
		return "disabled"
	}
	return "enabled"
}
