package sqlreplica

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/replica"
)

// TestS270_PeopleAtRandomInTheReplica: what was applied is what is read, in every engine,
// whatever its collation folds.
func TestS270_PeopleAtRandomInTheReplica(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		maker, at := peopletest.New(3), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		for i := range 60 {
			p := maker.Next()
			for round := range 2 {
				snapshot := replica.Snapshot{
					Issuer: "https://issuer.example.com/pool", Subject: p.Subject, Username: p.Username, Email: p.Attributes["email"],
					EmailVerified: p.Attributes["email_verified"] == "true", Name: p.Attributes["name"], GivenName: p.Attributes["given_name"],
					FamilyName: p.Attributes["family_name"], Locale: p.Attributes["locale"], Complete: true, GroupsKnown: true, At: at.Add(time.Duration(2*i+round) * time.Second),
				}
				for name, value := range p.Attributes {
					if len(name) > 7 && name[:7] == "custom:" {
						if snapshot.Custom == nil {
							snapshot.Custom = make(map[string]string)
						}
						snapshot.Custom[name] = value
					}
				}
				for _, g := range p.Groups {
					snapshot.Groups = append(snapshot.Groups, replica.GroupRef{Name: g})
				}
				fitted, err := snapshot.Fit()
				if err != nil {
					t.Fatalf("person %d: %v", i, err)
				}
				if _, err := s.Apply(t.Context(), fitted); err != nil {
					t.Fatalf("person %d, %+v: %v", i, p, err)
				}
				u, err := s.UserBySubject(t.Context(), fitted.Issuer, p.Subject)
				if err != nil {
					t.Fatal(err)
				}
				var groups []string
				for _, g := range u.Groups {
					groups = append(groups, g.Name)
				}
				if u.Username != fitted.Username || u.Email != fitted.Email || u.Name != fitted.Name || u.GivenName != fitted.GivenName || u.FamilyName != fitted.FamilyName ||
					u.Locale != fitted.Locale || !maps.Equal(u.Custom, fitted.Custom) || !slices.Equal(slices.Sorted(slices.Values(groups)), slices.Sorted(slices.Values(p.Groups))) {
					t.Fatalf("person %d: stated %+v, read %+v", i, fitted, u)
				}
				maker.Change(&p)
			}
		}
	})
}
