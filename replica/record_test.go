package replica

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// TestRecordIsStable holds the form that programs in other languages read: a change
// of this text is a change of their interface.
func TestRecordIsStable(t *testing.T) {
	c := Decide(Mirror, stored(), stating(60, func(s *Snapshot) {
		s.Name, s.Enabled, s.SignIn = "Alice Jones", &no, true
		s.Groups = []GroupRef{{Name: "analysts"}, {Name: "editors", Precedence: intp(3)}}
	}), now)
	got, err := json.Marshal(NewRecord(c))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"events":["disabled","groups","signed_in","updated"],"fields":["enabled","first_sign_in","groups","last_sign_in","name"],` +
		`"groups_added":["editors"],"groups_removed":["admins"],"user":{"id":7,` +
		`"issuer":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E","subject":"11111111-2222-3333-4444-555555555555",` +
		`"username":"alice","email":"alice@example.com","email_verified":true,"name":"Alice Jones","given_name":"","family_name":"",` +
		`"phone_number":"","phone_number_verified":false,"locale":"","custom":{"custom:team":"red"},"enabled":false,"status":"CONFIRMED",` +
		`"first_sign_in":"2026-03-01T12:01:00Z","last_sign_in":"2026-03-01T12:01:00Z","created":"2026-03-01T12:00:00Z","updated":"2026-03-01T13:00:00Z",` +
		`"groups":[{"id":1,"name":"analysts","origin":"pool","pool":true,"local":true},{"id":0,"name":"editors","origin":"pool","precedence":3,"pool":true,"local":false},` +
		`{"id":1,"name":"locals","origin":"local","pool":false,"local":true}]}}`
	if string(got) != want {
		t.Errorf("the record is\n%s\nwant\n%s", got, want)
	}
	var again Record
	if err := json.Unmarshal(got, &again); err != nil || !again.User.InGroup("editors") || again.User.InGroup("admins") || !again.Happened(EventDisabled) {
		t.Errorf("read back: %+v, %v", again, err)
	}
}

func TestRecordHasNoNull(t *testing.T) {
	got, err := json.Marshal(NewRecord(Decide(Mirror, nil, Snapshot{Issuer: "i", Subject: "s", At: t0}, now)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"events":["created"],"fields":["enabled"],"groups_added":[],"groups_removed":[],"user":{"id":0,"issuer":"i","subject":"s",` +
		`"username":"","email":"","email_verified":false,"name":"","given_name":"","family_name":"","phone_number":"","phone_number_verified":false,` +
		`"locale":"","custom":{},"enabled":true,"status":"","created":"2026-03-01T13:00:00Z","updated":"2026-03-01T13:00:00Z","groups":[]}}`
	if string(got) != want {
		t.Errorf("the record is\n%s\nwant\n%s", got, want)
	}
}

func TestRecordEvents(t *testing.T) {
	off := func(u *User) { u.Enabled = false }
	gone := func(u *User) { u.Enabled, u.Deleted, u.Groups = false, t0, nil }
	for _, test := range []struct {
		name   string
		change Change
		want   []string
	}{
		{"new", Decide(Mirror, nil, stating(0, func(s *Snapshot) { s.Groups = nil }), now), []string{"created"}},
		{"new, signed in, in groups", Decide(Mirror, nil, stating(0, func(s *Snapshot) { s.SignIn = true }), now), []string{"created", "groups", "signed_in"}},
		{"new and disabled", Decide(Mirror, nil, stating(0, func(s *Snapshot) { s.Enabled, s.Groups = &no, nil }), now), []string{"created", "disabled"}},
		{"signed in", Decide(Mirror, stored(), stating(0, func(s *Snapshot) { s.SignIn = true }), now), []string{"signed_in"}},
		{"attribute", Decide(Mirror, stored(), stating(1, func(s *Snapshot) { s.Locale = "de" }), now), []string{"updated"}},
		{"enabled", Decide(Mirror, stored(off), stating(1, func(s *Snapshot) { s.Enabled = &yes }), now), []string{"enabled"}},
		{"deleted", DecideGone(Mirror, *stored(), at(1), now), []string{"deleted", "disabled", "groups"}},
		{"restored", Decide(Mirror, stored(gone), stating(1, func(s *Snapshot) { s.Groups = nil }), now), []string{"enabled", "restored"}},
		{"granted", DecideGrant(*stored(), "new", now), []string{"groups"}},
		{"adopted", Change{Adopted: true, Before: stored(), User: *stored()}, []string{"adopted"}},
		// What the application has turned off stays off, whatever the pool says: the
		// row is different, and nobody is enabled or disabled.
		{"the pool's word alone", Change{Before: stored(off), User: *stored(off), Fields: []string{"enabled"}}, []string{"updated"}},
	} {
		got := NewRecord(test.change).Events
		if !slices.Equal(got, test.want) || !slices.IsSorted(got) {
			t.Errorf("%s: events %q, want %q", test.name, got, test.want)
		}
	}
}

func TestRecordTimesAreUTC(t *testing.T) {
	c := Change{Created: true, User: User{Created: t0.In(time.FixedZone("", 3600)), Updated: t0}}
	if r := NewRecord(c); r.User.Created.Location() != time.UTC || !r.User.LastSignIn.IsZero() {
		t.Errorf("times of the record: %v, %v", r.User.Created, r.User.LastSignIn)
	}
}
