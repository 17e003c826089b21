package organization

import "github.com/codegrant/codegrant"

// SetSessionOf has tests name the session of an identity, which the root package alone can.
func SetSessionOf(f func(*codegrant.Identity) string) { sessionIDOf = f }

var As, PersonOf = (*Store).as, personOf
