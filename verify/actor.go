package verify

// Actor acts for the person of a token, by the claim act (RFC 8693, section 4.1).
type Actor struct {
	// Issuer of the actor's names. Empty: that of the token.
	Issuer string
	// Subject and ClientID name the actor: sub, and client_id, the app client that the
	// actor's own token was issued to. At least one is there.
	Subject  string
	ClientID string
	// Before is the previous actor, who passed the token on. Use it only for records. Decide
	// by the current actor alone.
	Before *Actor
}

// maxActors bounds those of one token: exchanges in a row.
const maxActors = 8

// String returns the actor's name: its subject, or its app client if it has no subject. If
// the actor has another issuer than the token, the issuer and a blank come first.
func (a *Actor) String() string {
	if a == nil {
		return ""
	}
	name := a.Subject
	if name == "" {
		name = a.ClientID
	}
	if a.Issuer != "" {
		name = a.Issuer + " " + name
	}
	return name
}

// Is reports whether name names the actor, byte for byte. It is either [Actor.String], or
// the app client of an actor that also has a subject.
func (a *Actor) Is(name string) bool {
	return a != nil && name != "" && (name == a.String() || a.Issuer == "" && name == a.ClientID)
}

// asActor reads the value of act. One that names nobody is none: it must not pass for a
// token by which the person acts alone.
func asActor(raw string, depth int) (*Actor, bool) {
	if raw[0] != '{' || depth > maxActors {
		return nil, false
	}
	members, err := readObject(raw)
	if err != nil {
		return nil, false
	}
	a := new(Actor)
	for _, m := range members {
		ok := true
		switch m.name {
		case "iss":
			a.Issuer, ok = asName(m.raw)
		case "sub":
			a.Subject, ok = asName(m.raw)
		case "client_id":
			a.ClientID, ok = asName(m.raw)
		case "act":
			a.Before, ok = asActor(m.raw, depth+1)
		default:
			switch fold(m.name) {
			case "iss", "sub", "client_id", "act":
				ok = false // another reader may take it for that one
			}
		}
		if !ok {
			return nil, false
		}
	}
	return a, a.Subject != "" || a.ClientID != ""
}

// asName takes a text that names somebody.
func asName(raw string) (string, bool) {
	name, ok := asText(raw)
	return name, ok && checkSubject(name) == nil
}

// settle leaves out the issuer where it is that of the token.
func (a *Actor) settle(issuer string) {
	for ; a != nil; a = a.Before {
		if a.Issuer == issuer {
			a.Issuer = ""
		}
	}
}
