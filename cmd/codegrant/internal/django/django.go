package django

import (
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// Which accounts of a Django project are in people's way: doctor asks before a move, and
// codegrant users duplicates after.

// InTheWay is one such case.
type InTheWay struct {
	Kind     string  `json:"kind"` // address, twin, unverified, taken or username
	Accounts []int64 `json:"accounts"`
	Subject  string  `json:"sub,omitempty"` // of the person whom it is about
	Found    string  `json:"found"`
	Fix      string  `json:"fix"`
}

// Person is somebody whom the pool has.
type Person struct {
	Subject, Email string
	Verified       bool
}

// accountIndex finds accounts as the replica does: by address in any case of ASCII
// letters, and by username.
type accountIndex struct {
	byAddress  map[string][]sqlreplica.DjangoAccount
	byUsername map[string]sqlreplica.DjangoAccount
	bySubject  map[string]sqlreplica.DjangoAccount
}

func indexAccounts(accounts []sqlreplica.DjangoAccount, issuer string) accountIndex {
	index := accountIndex{
		make(map[string][]sqlreplica.DjangoAccount), make(map[string]sqlreplica.DjangoAccount), make(map[string]sqlreplica.DjangoAccount),
	}
	for _, a := range accounts {
		if key := foldASCII(a.Email); key != "" {
			index.byAddress[key] = append(index.byAddress[key], a)
		}
		index.byUsername[a.Username] = a
		if a.Subject != "" && a.Issuer == issuer {
			index.bySubject[a.Subject] = a
		}
	}
	return index
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func idsOf(accounts []sqlreplica.DjangoAccount) []int64 {
	ids := make([]int64, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	return ids
}

func listIDs(ids []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

// Duplicates are the cases that the accounts alone show.
func Duplicates(accounts []sqlreplica.DjangoAccount, issuer string) []InTheWay {
	index := indexAccounts(accounts, issuer)
	var found []InTheWay
	said := make(map[string]bool)
	for _, a := range accounts {
		key := foldASCII(a.Email)
		if same := index.byAddress[key]; len(same) > 1 && !said[key] {
			said[key] = true
			found = append(found, InTheWay{
				Kind: "address", Accounts: idsOf(same), Found: fmt.Sprintf("the users %s of Django have the same address", listIDs(idsOf(same))),
				Fix: "let only one of them keep the address, or link the account to a person: codegrant users relink --account ID --subject SUB",
			})
		}
		if a.Issuer != issuer || a.PoolEmail == "" || a.Gone {
			continue
		}
		for _, other := range index.byAddress[foldASCII(a.PoolEmail)] {
			if other.ID != a.ID {
				found = append(found, InTheWay{
					Kind: "twin", Accounts: []int64{a.ID, other.ID}, Subject: a.Subject,
					Found: fmt.Sprintf("subject %s has user %d here, and user %d at Python backends", a.Subject, a.ID, other.ID),
					Fix:   fmt.Sprintf("merge the data of both, then run codegrant users relink --account %d --subject %s", other.ID, a.Subject),
				})
			}
		}
	}
	return found
}

// Splits are the people of a pool who would not find their account, each for one reason.
func Splits(people []Person, accounts []sqlreplica.DjangoAccount, issuer string) []InTheWay {
	index := indexAccounts(accounts, issuer)
	verifiedBy := make(map[string]int)
	for _, p := range people {
		if p.Verified {
			verifiedBy[foldASCII(p.Email)]++
		}
	}
	var found []InTheWay
	for _, p := range people {
		if _, linked := index.bySubject[p.Subject]; linked || p.Email == "" {
			continue
		}
		key := foldASCII(p.Email)
		same := slices.Clone(index.byAddress[key])
		relink := fmt.Sprintf("codegrant users relink --account ID --subject %s", p.Subject)
		say := func(kind, fix, format string, args ...any) {
			found = append(found, InTheWay{kind, idsOf(same), p.Subject, fmt.Sprintf("subject %s ", p.Subject) + fmt.Sprintf(format, args...), fix})
		}
		named, taken := index.byUsername[key]
		switch {
		case !p.Verified && len(same) > 0:
			say("unverified", "verify the address in the pool (for an identity provider, map email_verified), choose with trust_unverified_email, or run "+relink,
				"has an unverified address, and user %s of Django has the same address", listIDs(idsOf(same)))
		case !p.Verified:
			say("unverified", "verify the address in the pool (for an identity provider, map email_verified), or choose with trust_unverified_email",
				"has an unverified address, and no account yet")
		case len(same) > 1:
			say("address", "let only one of them keep the address, or run "+relink, "has the address of the users %s of Django", listIDs(idsOf(same)))
		case len(same) == 1 && same[0].Subject != "":
			say("taken", "if both are the same person, created again in the pool, run codegrant users relink --account "+fmt.Sprint(same[0].ID)+" --subject "+p.Subject,
				"has the address of user %d of Django, which is linked to subject %s", same[0].ID, same[0].Subject)
		case len(same) <= 1 && verifiedBy[key] > 1:
			say("taken", "let only one of them keep the address in the pool: the first who signs in gets the account, and the others are refused",
				"shares a verified address with another person of the pool")
		case len(same) == 0 && taken:
			same = append(same, named)
			say("username", "rename that user, or if the account belongs to this person, run "+relink, "needs the username of user %d of Django, which has another address", named.ID)
		}
	}
	return found
}
